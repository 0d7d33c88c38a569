//! Flows that take many calls: a server that is killed between any two of them, clients that die half
//! way, and stagings that meet. Nothing is seen by halves, nothing is left, everything ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    CancelFlow, EngineBackend, EngineError, ExtendFlow, FlowEdge, FlowNode, FlowSpec, FlowView,
    ListFlows, ListRequest, TickRequest,
};
use ff_types::{FlowId, FlowState, NodeKey};
use ff_valkey_server::{Options, Server};
use tokio::task::{JoinHandle, block_in_place};

use crate::site::{Site, ensure, patiently, until};

/// Nodes between the first and the last: several calls' worth of everything.
const WIDE: usize = 300;
const KILLS: usize = 4;
const STANDS_STILL: Duration = Duration::from_mins(1);

fn key(text: impl Into<String>) -> CaseResult<NodeKey> {
    Ok(NodeKey::new(text)?)
}

fn node(site: &Site, text: impl Into<String>) -> CaseResult<FlowNode> {
    Ok(FlowNode::new(key(text)?, site.submission()?))
}

/// A node, many that wait for it, and one that waits for these.
fn wide(site: &Site) -> CaseResult<FlowSpec> {
    let mut spec = FlowSpec::new(site.ids.flow_id());
    spec.add_node(node(site, "first")?);
    spec.add_node(node(site, "last")?);
    for index in 0..WIDE {
        let text = format!("n{index}");
        spec.add_node(node(site, &text)?);
        spec.add_edge(FlowEdge::new(key("first")?, key(&text)?));
        spec.add_edge(FlowEdge::new(key(&text)?, key("last")?));
    }
    Ok(spec)
}

/// Somebody who works and looks after what is due until told to stop.
struct Crew {
    stop: Arc<AtomicBool>,
    hands: Vec<JoinHandle<CaseResult>>,
}

impl Crew {
    async fn start(site: &Site) -> CaseResult<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut hands = Vec::new();
        for _ in 0..2 {
            let (site, stop) = (site.clone(), Arc::clone(&stop));
            let backend = site.connect().await?;
            hands.push(tokio::spawn(async move {
                let worker = site.worker();
                while !stop.load(Ordering::Relaxed) {
                    let wait = Duration::from_millis(20);
                    for task in worker.take(backend.as_ref(), 16, wait).await.unwrap_or_default() {
                        // A lease that was lost with the server is another's to end.
                        let _lost = backend.complete(&task.handle, None).await;
                    }
                    let _late = backend.tick(&TickRequest::all()).await;
                }
                Ok(())
            }));
        }
        Ok(Self { stop, hands })
    }

    async fn finish(self) -> CaseResult {
        self.stop.store(true, Ordering::Relaxed);
        for hand in self.hands {
            hand.await??;
        }
        Ok(())
    }
}

async fn describe(backend: &dyn EngineBackend, id: FlowId) -> CaseResult<FlowView> {
    Ok(patiently(|| backend.describe_flow(id)).await?)
}

/// The flow once it has ended. A disk that is slow to write every command may take its time; nothing may
/// stand still.
async fn ended(backend: &dyn EngineBackend, id: FlowId) -> CaseResult<FlowView> {
    let mut view = describe(backend, id).await?;
    while !view.summary.state.is_terminal() {
        let before = view.summary.open;
        view = until("the flow goes on", STANDS_STILL, || async {
            let view = describe(backend, id).await?;
            let gone_on = view.summary.open < before || view.summary.state.is_terminal();
            Ok(gone_on.then_some(view))
        })
        .await?;
    }
    Ok(view)
}

fn sound(site: &Site) -> CaseResult {
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// Kills the server while `call` is repeated until it has an answer.
async fn killed_meanwhile<T: Send + 'static>(
    server: &mut Server,
    call: JoinHandle<Result<T, EngineError>>,
) -> CaseResult<T> {
    for _ in 0..KILLS {
        block_in_place(|| server.restart())?;
    }
    Ok(call.await??)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_between_the_calls_of_a_flow_loses_none_of_it() -> CaseResult {
    let options = Options::new().config("appendonly", "yes").config("appendfsync", "always");
    let mut server = Server::start(&options)?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;

    let spec = wide(&site)?;
    let (client, id, submitted) = (Arc::clone(&backend), spec.id(), spec.clone());
    let call = tokio::spawn(async move { patiently(|| client.submit_flow(&submitted)).await });
    killed_meanwhile(&mut server, call).await?;
    ensure(describe(backend.as_ref(), id).await?.summary.nodes as usize == WIDE + 2, || {
        "the flow is not whole".to_owned()
    })?;

    let crew = Crew::start(&site).await?;
    for _ in 0..KILLS {
        let before = describe(backend.as_ref(), id).await?.summary.open;
        until("work goes on", STANDS_STILL, || async {
            let view = describe(backend.as_ref(), id).await?;
            let gone_on = view.summary.open < before || view.summary.state.is_terminal();
            Ok(gone_on.then_some(()))
        })
        .await?;
        block_in_place(|| server.restart())?;
    }
    let view = ended(backend.as_ref(), id).await?;
    ensure(view.summary.state == FlowState::Completed, || format!("{view:?}"))?;
    crew.finish().await?;

    let spec = wide(&site)?;
    patiently(|| backend.submit_flow(&spec)).await?;
    let (canceller, id) = (Arc::clone(&backend), spec.id());
    let request = CancelFlow::new(site.ids.request_id(), id, "for a test");
    let call = tokio::spawn(async move { patiently(|| canceller.cancel_flow(&request)).await });
    killed_meanwhile(&mut server, call).await?;
    let crew = Crew::start(&site).await?;
    let view = ended(backend.as_ref(), id).await?;
    crew.finish().await?;
    ensure(view.summary.state == FlowState::Cancelled, || format!("{view:?}"))?;
    sound(&site)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_dies_while_it_submits_leaves_nothing_to_see() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let (dying, other) = (site.connect().await?, site.connect().await?);
    let spec = wide(&site)?;
    let submitted = spec.clone();
    let call = tokio::spawn(async move { dying.submit_flow(&submitted).await });
    until("some is staged", STANDS_STILL, || async {
        let stored = server.command(&["ZCARD", &format!("ff:{{{}/0}}:a", site.namespace)])?;
        Ok((stored.as_integer() > Some(0)).then_some(()))
    })
    .await?;
    call.abort();
    let finished = call.await.is_ok();

    let flows = other.list_flows(&ListFlows::new()).await?.items;
    ensure(finished || flows.is_empty(), || format!("{flows:?}"))?;
    let executions = other.list_executions(&ListRequest::new()).await?.items;
    ensure(finished || executions.is_empty(), || format!("{} executions", executions.len()))?;

    other.submit_flow(&spec).await?;
    let crew = Crew::start(&site).await?;
    let view = ended(other.as_ref(), spec.id()).await?;
    crew.finish().await?;
    ensure(view.summary.state == FlowState::Completed, || format!("{view:?}"))?;
    sound(&site)
}

/// Extensions of one revision that are staged at once: one wins, and nothing of the other is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stagings_that_meet_do_not_mix() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let mut spec = FlowSpec::new(site.ids.flow_id());
    spec.add_node(node(&site, "first")?);
    backend.submit_flow(&spec).await?;
    let extension = |name: &str, count: usize| -> CaseResult<ExtendFlow> {
        let mut request = ExtendFlow::new(site.ids.request_id(), spec.id(), 1, 1);
        for index in 0..count {
            request.add_node(node(&site, format!("{name}{index}"))?);
            let from = if index == 0 { "first".to_owned() } else { format!("{name}{}", index - 1) };
            request.add_edge(FlowEdge::new(key(from)?, key(format!("{name}{index}"))?));
        }
        Ok(request)
    };
    let requests = [extension("a", WIDE)?, extension("b", WIDE / 2)?, extension("c", 1)?];
    let mut calls = Vec::new();
    for request in requests {
        let backend = site.connect().await?;
        calls.push(tokio::spawn(async move { backend.extend_flow(&request).await }));
    }
    let mut accepted = 0;
    for call in calls {
        match call.await? {
            Ok(_) => accepted += 1,
            Err(error) => {
                let expected = ["conflict_flow_revision", "contention"].contains(&error.code());
                ensure(expected, || format!("{error:?}"))?;
            }
        }
    }
    ensure(accepted == 1, || format!("{accepted} extensions of one revision"))?;

    let crew = Crew::start(&site).await?;
    let view = ended(backend.as_ref(), spec.id()).await?;
    crew.finish().await?;
    ensure(view.summary.state == FlowState::Completed, || format!("{view:?}"))?;
    ensure(view.edges + 1 == view.summary.nodes, || format!("{view:?}"))?;
    sound(&site)
}

/// A flow is extended while its own nodes have not all started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_during_the_start_forgets_nobody() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let (backend, other) = (site.connect().await?, site.connect().await?);
    let mut spec = FlowSpec::new(site.ids.flow_id());
    for index in 0..2 * WIDE {
        spec.add_node(node(&site, format!("n{index}"))?);
    }
    let submitted = spec.clone();
    let call = tokio::spawn(async move { backend.submit_flow(&submitted).await });
    until("the flow is there", STANDS_STILL, || async {
        match other.describe_flow(spec.id()).await {
            Ok(_) => Ok(Some(())),
            Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    let nodes = u32::try_from(2 * WIDE)?;
    let mut request = ExtendFlow::new(site.ids.request_id(), spec.id(), 1, nodes);
    for index in 0..WIDE {
        request.add_node(node(&site, format!("m{index}"))?);
    }
    patiently(|| other.extend_flow(&request)).await?;
    call.await??;

    let view = other.describe_flow(spec.id()).await?;
    let ready = view.counts.get(&ff_types::ExecutionState::Ready).copied().unwrap_or(0);
    ensure(ready as usize == 3 * WIDE, || format!("{:?}", view.counts))?;
    sound(&site)
}
