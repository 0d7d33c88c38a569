//! Work on a flow, or on a lane, that takes many calls: what each of them does at the most, and what happens
//! between two of them.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::fixture::failure;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    AdjustLane, ClaimRequest, EngineBackend, FlowEdge, FlowNode, FlowSpec, LaneSettings,
    ReplayExecution, Submission, Task, TickRequest,
};
use ff_types::backend::{CapabilitySet, FailureClass};
use ff_types::{
    ExecutionState, FlowId, FlowPolicy, FlowState, JoinPolicy, JoinRest, LaneId, LaneKey, NodeKey,
    Payload, TaskKind, limits,
};
use ff_valkey_server::{Options, Server};

use crate::site::{LANE, Site, ensure};
use crate::support::proxy::{Fault, Proxy};

/// Commands that one call on a flow makes at the most: a few for each member that it visits.
const COMMANDS_MAX: u64 = 256;
/// Longer than anything here takes.
const TTL: Duration = Duration::from_mins(10);

fn key(text: &str) -> CaseResult<NodeKey> {
    Ok(NodeKey::new(text)?)
}

/// A node that nobody who works here takes.
fn idle(site: &Site, text: &str) -> CaseResult<FlowNode> {
    let (lane, kind) = (LaneId::new("idle")?, TaskKind::new("task")?);
    let submission = Submission::new(site.ids.execution_id(), lane, kind, Payload::new("payload"));
    Ok(FlowNode::new(key(text)?, submission))
}

/// A flow on a server of its own, and somebody who is cut off in the middle of what an end means to it.
struct Scene {
    server: Server,
    proxy: Proxy,
    site: Site,
    backend: Arc<dyn EngineBackend>,
    far: Arc<dyn EngineBackend>,
}

impl Scene {
    async fn open() -> CaseResult<Self> {
        let server = Server::start(&Options::new())?;
        let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into())?;
        let site = Site::new(server.url(), 1)?;
        let (backend, far) = (site.connect().await?, site.at(proxy.url()).connect().await?);
        Ok(Self { server, proxy, site, backend, far })
    }

    /// Hands in a flow and takes its only node that somebody may take.
    async fn first(&self, spec: &FlowSpec) -> CaseResult<Task> {
        self.backend.submit_flow(spec).await?;
        let worker = self.site.worker().with_ttl(TTL);
        let tasks = self.backend.claim(&worker.request(1, None)?).await?.tasks;
        tasks.into_iter().next().ok_or_else(|| CaseError::new("there is a first node"))
    }

    /// Lets the first call of an end through, and none of those that go on with what it left to do.
    fn cut_off(&self) {
        self.proxy.lose(Fault::BeforeRequest, "ff_advance_flow", 0);
    }

    /// Goes on with a flow by one call. Answers whether something is left, and how many commands it made.
    fn advance(&self, id: FlowId) -> CaseResult<(bool, u64)> {
        let mark = format!("ff:{{{}/0}}:mark", self.site.namespace);
        self.server.command(&["CONFIG", "RESETSTAT"])?;
        let id = id.to_string();
        let answer =
            self.server.command(&["FCALL", "ff_advance_flow", "1", &mark, &digits(&id)])?;
        let left = answer.as_array().and_then(|answer| answer.get(2)?.as_str());
        let left = !left.ok_or_else(|| CaseError::new(format!("{answer:?}")))?.is_empty();
        let info = self.server.command(&["INFO", "commandstats"])?;
        let calls = info.as_str().unwrap_or_default().lines().filter_map(|line| {
            let (_, calls) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        Ok((left, calls.sum()))
    }

    /// Goes on until nothing is left. Answers how many calls that took, and the most commands of one.
    fn advance_to_the_end(&self, id: FlowId) -> CaseResult<(usize, u64)> {
        let (mut calls, mut most) = (0, 0);
        loop {
            let (left, commands) = self.advance(id)?;
            (calls, most) = (calls + 1, most.max(commands));
            if !left {
                return Ok((calls, most));
            }
        }
    }

    fn sound(&self) -> CaseResult {
        let faults = self.site.store()?.check();
        faults.map_err(|faults| CaseError::new(format!("{faults:#?}")))
    }
}

/// The 32 digits of an id.
fn digits(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).collect()
}

/// Whether somebody still needs one of 60 nodes depends on all of the 80 children that each of them has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_looks_at_a_few_children_of_one_parent() -> CaseResult {
    let scene = Scene::open().await?;
    let mut spec = FlowSpec::new(scene.site.ids.flow_id());
    let first = FlowNode::new(key("first")?, scene.site.submission()?);
    spec.add_node(first);
    let parents: Vec<_> = (0..60).map(|index| format!("p{index}")).collect();
    for parent in &parents {
        spec.add_node(idle(&scene.site, parent)?);
    }
    let children: Vec<_> = (0..80).map(|index| format!("c{index}")).collect();
    for child in children.iter().map(String::as_str).chain(["last"]) {
        let rest = if child == "last" { JoinRest::CancelRemaining } else { JoinRest::LetRun };
        let node = idle(&scene.site, child)?.with_join(JoinPolicy::Any).with_rest(rest);
        spec.add_node(node);
        for parent in parents.iter().map(String::as_str).chain(["first"]) {
            spec.add_edge(FlowEdge::new(key(parent)?, key(child)?));
        }
    }
    let task = scene.first(&spec).await?;

    scene.cut_off();
    let _cut_off = scene.far.complete(&task.handle, None).await;
    ensure(scene.proxy.fired() == 1, || "it was not cut off".to_owned())?;
    let (calls, most) = scene.advance_to_the_end(spec.id())?;

    ensure(most <= COMMANDS_MAX, || format!("one of {calls} calls made {most} commands"))?;
    let counts = scene.backend.describe_flow(spec.id()).await?.counts;
    let cancelled = counts.get(&ExecutionState::Cancelled).copied().unwrap_or(0);
    ensure(cancelled as usize == parents.len(), || format!("{counts:?}"))?;
    scene.sound()
}

/// A failure whose node is open again before all of its children have heard of it cancels nothing, also where
/// one failure ends a flow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_between_two_calls_of_a_failure_keeps_the_flow() -> CaseResult {
    let scene = Scene::open().await?;
    let mut spec = FlowSpec::new(scene.site.ids.flow_id()).with_policy(FlowPolicy::FailFast);
    spec.add_node(FlowNode::new(key("first")?, scene.site.submission()?));
    for index in 0..100 {
        let child = format!("c{index}");
        spec.add_node(idle(&scene.site, &child)?);
        spec.add_edge(FlowEdge::new(key("first")?, key(&child)?));
    }
    let task = scene.first(&spec).await?;

    scene.cut_off();
    let _cut_off = scene.far.fail(&task.handle, &failure(FailureClass::Permanent)).await;
    ensure(scene.proxy.fired() == 1, || "it was not cut off".to_owned())?;
    let again = ReplayExecution::new(scene.site.ids.request_id(), task.execution_id);
    scene.backend.replay(&again).await?;
    scene.advance_to_the_end(spec.id())?;

    let view = scene.backend.describe_flow(spec.id()).await?;
    ensure(view.summary.state == FlowState::Open, || format!("{view:?}"))?;
    ensure(view.summary.open == 101, || format!("{view:?}"))?;
    scene.sound()
}

/// A key that is aside in more queues than one call puts it back into is back in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_back_in_all_of_its_queues() -> CaseResult {
    const CLASSES: usize = 1_100;
    const CLAIMS_MAX: usize = 100;
    let scene = Scene::open().await?;
    let (backend, ids) = (&scene.backend, &scene.site.ids);
    let settings = LaneSettings::unlimited().with_key_max_concurrency(1);
    let limit = AdjustLane::new(ids.request_id(), LaneId::new(LANE)?).with_settings(settings);
    backend.adjust_lane(&limit).await?;
    let classes: Vec<_> = (0..CLASSES).map(|class| format!("c{class:04}")).collect();
    let mut submissions = vec![scene.site.submission()?.with_lane_key(LaneKey::new("k")?)];
    for class in &classes {
        let requires = CapabilitySet::from_tokens([class.as_str()])?;
        submissions.push(
            scene.site.submission()?.with_lane_key(LaneKey::new("k")?).with_capabilities(requires),
        );
    }
    for batch in submissions.chunks(limits::SUBMIT_BATCH_MAX) {
        for one in backend.submit_batch(batch).await? {
            one?;
        }
    }
    let worker = scene.site.worker().with_ttl(TTL);
    let take = async |offered: &[String], most: u32| -> CaseResult<Vec<Task>> {
        let offer = CapabilitySet::from_tokens(offered.iter().map(String::as_str))?;
        let policy = worker.policy().with_max_tasks(most);
        let request = ClaimRequest::new(ids.request_id(), LaneId::new(LANE)?, offer, policy);
        Ok(backend.claim(&request).await?.tasks)
    };

    // An offer of so much looks at a random choice of more than 1,024 classes; each has a good chance to be in it.
    let take_one = async |offered: &[String]| -> CaseResult<Task> {
        for _ in 0..CLAIMS_MAX {
            if let Some(task) = take(offered, 1).await?.pop() {
                return Ok(task);
            }
        }
        Err(CaseError::new(format!("nothing of {offered:?} is ready")))
    };

    let first = take_one(&[]).await?;
    for offered in classes.chunks(50) {
        ensure(take(offered, 1).await?.is_empty(), || "the key is at its limit".to_owned())?;
    }
    backend.complete(&first.handle, None).await?;
    while backend.tick(&TickRequest::all()).await?.lanes_looked_at > 0 {}

    for offered in classes.chunks(50) {
        for _ in offered {
            let task = take_one(offered).await?;
            backend.complete(&task.handle, None).await?;
        }
    }
    scene.sound()
}
