//! The lines that `cargo xtask acl` prints, on real servers: each role can do what it is for, a
//! reader no more, and a worker uses everything it is allowed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AdjustBudget, AdjustLane, AdjustSchedule, AttemptOps as _, BackendInfo as _, BackfillSchedule,
    BudgetLimit, BudgetOps as _, CancelExecution, CancelFlow, CancelFlowOutcome, ClaimOps as _,
    ClaimRequest, Clock as _, CompletionsFrom, CreateBudget, CreateSchedule, CreateWaitpoint,
    DelayRequest, DeliverSignal, EngineError, ExtendFlow, FailRequest, FlowEdge, FlowNode,
    FlowOps as _, FlowSpec, Hold, IdSource, LaneOps as _, LaneSettings, LaneState, ListBudgets,
    ListFlows, ListLanes, ListRequest, ListSchedules, ListWaitpoints, OperatorOps as _,
    ProgressRequest, Rate, ReadCompletions, ReadGraph, ReadOps as _, ReadStream, ReclaimRequest,
    Recurrence, ReleaseHold, ReplayExecution, ResultOutcome, ResultRequest, ResumeExecution,
    RevokeLease, ScheduleChange, ScheduleOps as _, ScheduleSpec, SeededEntropy, SetTags,
    SignalOps as _, SignalOutcome, StreamCursor, Submission, SubmitOps as _, SuspendCondition,
    SuspendRequest, SystemClock, Task, TickRequest, TimerOps as _, UpdateSummary, UpstreamRequest,
    WaitChildren, WaitpointSecret, WithdrawWaitpoint,
};
use ff_types::backend::{
    BackendConfig, BackendConnection, CancelFlowWait, CapabilitySet, ClaimPolicy, FailureClass,
    FailureReason, Frame, FrameKind, UsageDimensions, ValkeyConnection, WaitpointKind,
    WaitpointSpec,
};
use ff_types::{
    ExecutionId, FlowId, LaneId, LaneKey, Namespace, NodeKey, Payload, TaskKind, WaitpointKey,
    WorkerId, WorkerInstanceId,
};
use ff_valkey_server::{Binary, Cluster, Flavor, Options, Reply, Server};
use xtask::acl::{self, Role};

const PASSWORD: &str = "secret";
/// Longer than a moment, and shorter than a test may take.
const WAIT: Duration = Duration::from_secs(10);
/// Long enough to wait for, and short.
const MOMENT: Duration = Duration::from_millis(20);
/// What is used on a cluster, once something has gone wrong, at a limit, and when retention is over or a day.
const ELSEWHERE: [&str; 14] = [
    "cluster|info",
    "cluster|slots",
    "ping",
    "del",
    "unlink",
    "ltrim",
    "smismember",
    "sscan",
    "xinfo",
    "xtrim",
    "zcount",
    "zscore",
    "zremrangebyrank",
    "zunionstore",
];

/// Every server that this machine has.
fn servers() -> Vec<Server> {
    let found = [Flavor::Valkey, Flavor::Redis].into_iter().filter_map(|it| Binary::find(it).ok());
    found.map(|it| Server::start(&Options::new().binary(it)).expect("it starts")).collect()
}

/// What every worker offers, and most jobs require.
fn offer() -> CapabilitySet {
    CapabilitySet::from_tokens(["gpu"]).unwrap()
}

fn allow(server: &Server, role: &Role) {
    let mut words = vec!["ACL".to_owned(), "SETUSER".to_owned(), role.name.to_owned()];
    words.extend(role.rules.iter().cloned());
    words.push(format!(">{PASSWORD}"));
    server.command(&words).and_then(Reply::into_result).expect("the rules are rules");
}

async fn connect(
    connection: ValkeyConnection,
    namespace: &str,
) -> Result<ValkeyBackend, EngineError> {
    let config = BackendConfig::new(BackendConnection::Valkey(connection))
        .with_namespace(Namespace::new(namespace)?);
    ValkeyBackend::builder(&config)?.partitions(1).connect().await
}

fn login(server: &Server, role: &Role) -> ValkeyConnection {
    let connection = ValkeyConnection::new(server.host(), server.port());
    connection.with_username(role.name).with_password(PASSWORD)
}

struct Job<'b> {
    backend: &'b ValkeyBackend,
    ids: IdSource,
    worker: WorkerId,
    instance: WorkerInstanceId,
    lane: LaneId,
}

/// Whether a claim waits in the namespace of a backend.
fn is_waited(nodes: &[Server], backend: &ValkeyBackend) -> bool {
    let key = format!("ff:{{{}/0}}:w:main", backend.namespace());
    let there = |node: &Server| node.command(&["EXISTS", &key]).unwrap().as_integer() == Some(1);
    nodes.iter().any(there)
}

impl<'b> Job<'b> {
    fn new(backend: &'b ValkeyBackend) -> Self {
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()));
        let (worker, instance) = (ids.worker_id(), ids.worker_instance_id());
        Self { backend, ids, worker, instance, lane: LaneId::new("main").unwrap() }
    }

    async fn submit(&self, payload: Vec<u8>) -> ExecutionId {
        let (lane, kind) = (self.lane.clone(), TaskKind::new("task").unwrap());
        let payload = Payload::new(payload);
        let submission = Submission::new(self.ids.execution_id(), lane, kind, payload);
        let submission = submission.with_capabilities(offer());
        self.backend.submit(&submission).await.unwrap().id()
    }

    async fn claim(&self, max_wait: Duration) -> Task {
        let policy = ClaimPolicy::immediate(self.worker, self.instance).with_max_wait(max_wait);
        let id = self.ids.request_id();
        let request = ClaimRequest::new(id, self.lane.clone(), offer(), policy);
        self.backend.claim(&request).await.unwrap().tasks.pop().expect("there is work")
    }

    async fn reclaim(&self) -> Task {
        let (id, lane) = (self.ids.request_id(), self.lane.clone());
        let request = ReclaimRequest::new(id, self.instance, lane, offer());
        let token = self.backend.reclaimable(&request).await.unwrap().pop().expect("one is lost");
        let policy = ClaimPolicy::immediate(self.worker, self.instance);
        self.backend.claim_from_reclaim(&token, &policy).await.unwrap()
    }

    /// One execution through every verb of a worker and of an operator.
    async fn every_verb(&self, nodes: &[Server]) -> ExecutionId {
        let backend = self.backend;
        // A claim that waits, looked after by maintenance that does, and woken by a submission.
        let (task, id) = tokio::join!(self.claim(WAIT), async {
            let waits = async {
                while !is_waited(nodes, backend) {
                    tokio::time::sleep(MOMENT).await;
                }
            };
            tokio::time::timeout(WAIT, waits).await.expect("the claim waits");
            backend.tick(&TickRequest::all().with_max_wait(MOMENT)).await.unwrap();
            self.submit(vec![7; 200]).await
        });
        assert_eq!(task.execution_id, id);
        backend.renew(&task.handle).await.unwrap();
        let frame = [Frame::new("begun", FrameKind::Stdout).with_seq(1)];
        backend.append_frames(&task.handle, &frame).await.unwrap();
        backend.update_summary(&task.handle, &UpdateSummary::new(0, "{}")).await.unwrap();
        let follow = ReadStream::new(id).with_from(StreamCursor::new(task.attempt, 1));
        backend.read_stream(&follow.with_max_wait(MOMENT)).await.unwrap();
        let progress = ProgressRequest::new(50).with_message("half of it ".repeat(20));
        backend.progress(&task.handle, &progress).await.unwrap();
        backend.delay(&task.handle, &DelayRequest::now()).await.unwrap();
        let task = self.reclaim().await;
        let class = FailureClass::Permanent;
        let reason = FailureReason::new("broken".repeat(20));
        backend.fail(&task.handle, &FailRequest::new(class, reason)).await.unwrap();
        let request = self.ids.request_id();
        backend.replay(&ReplayExecution::new(request, id)).await.unwrap();
        backend.hold(&Hold::new(self.ids.request_id(), id)).await.unwrap();
        backend.release_hold(&ReleaseHold::new(self.ids.request_id(), id)).await.unwrap();
        let lost = self.claim(WAIT).await;
        let revoke = RevokeLease::new(self.ids.request_id(), id, "for a test");
        backend.revoke(&revoke).await.unwrap();
        assert!(backend.renew(&lost.handle).await.is_err());
        let task = self.wait_for_signals(self.reclaim().await).await;
        // A result that is waited for.
        let request = ResultRequest::new(id).with_max_wait(WAIT);
        let (outcome, completed) =
            tokio::join!(backend.result(&request), backend.complete(&task.handle, None));
        completed.unwrap();
        assert!(matches!(outcome.unwrap(), ResultOutcome::Ended(_)));

        let cancelled = self.submit(Vec::new()).await;
        let tags = SetTags::new(self.ids.request_id(), cancelled).with_tag("ops.case", "1");
        backend.set_tags(&tags).await.unwrap();
        backend.explain(cancelled).await.unwrap();
        let cancel = CancelExecution::new(self.ids.request_id(), cancelled, "for a test");
        backend.cancel_execution(&cancel).await.unwrap();
        self.budgets().await;
        self.lanes().await;
        self.schedules().await;
        self.flows().await;
        self.look(id).await;
        id
    }

    /// A budget that one execution uses up and another waits for until it is raised.
    async fn budgets(&self) {
        let backend = self.backend;
        let limit = BudgetLimit::hard(2);
        let budget = CreateBudget::new(self.ids.budget_id()).with_limit("output_tokens", limit);
        backend.create_budget(&budget).await.unwrap();
        let (lane, kind) = (self.lane.clone(), TaskKind::new("task").unwrap());
        for _ in 0..2 {
            let (lane, kind) = (lane.clone(), kind.clone());
            let id = self.ids.execution_id();
            let submission = Submission::new(id, lane, kind, Payload::default());
            backend.submit(&submission.with_budget(budget.id)).await.unwrap();
        }
        let task = self.claim(WAIT).await;
        let usage = UsageDimensions::new().with_output_tokens(1);
        for key in ["a", "b", "a"] {
            backend.report_usage(&task.handle, &usage.clone().with_dedup_key(key)).await.unwrap();
        }
        let policy = ClaimPolicy::immediate(self.worker, self.instance);
        let id = self.ids.request_id();
        let request = ClaimRequest::new(id, self.lane.clone(), offer(), policy);
        assert!(backend.claim(&request).await.unwrap().tasks.is_empty(), "it is used up");
        backend.complete(&task.handle, None).await.unwrap();
        let adjust = AdjustBudget::new(self.ids.request_id(), budget.id).with_reset();
        backend.adjust_budget(&adjust).await.unwrap();
        let task = loop {
            backend.tick(&TickRequest::all()).await.unwrap();
            let mut request = request.clone();
            request.request_id = self.ids.request_id();
            if let Some(task) = backend.claim(&request).await.unwrap().tasks.pop() {
                break task;
            }
        };
        backend.complete(&task.handle, None).await.unwrap();
    }

    /// A lane with limits, in which keys take turns and wait for theirs.
    async fn lanes(&self) {
        let backend = self.backend;
        let rate = Rate::new(100, Duration::from_secs(1)).with_burst(1);
        let settings = LaneSettings::unlimited().with_max_concurrency(5).with_rate(rate);
        let settings = settings.with_key_max_concurrency(1).with_key_rate(rate).with_max_queued(99);
        let key = |name: &str| LaneKey::new(name).unwrap();
        let settings = settings.with_weight(key("a"), 2).with_ageing(Duration::from_secs(1));
        let adjust = AdjustLane::new(self.ids.request_id(), self.lane.clone());
        backend.adjust_lane(&adjust.with_settings(settings)).await.unwrap();
        for name in ["a", "a", "b"] {
            let kind = TaskKind::new("task").unwrap();
            let id = self.ids.execution_id();
            let one = Submission::new(id, self.lane.clone(), kind, Payload::default());
            backend.submit(&one.with_lane_key(key(name))).await.unwrap();
        }
        let plain = self.submit(Vec::new()).await;
        for _ in 0..4 {
            let task = self.claim(WAIT).await;
            backend.explain(plain).await.unwrap();
            backend.tick(&TickRequest::all().with_max_wait(WAIT)).await.unwrap();
            backend.complete(&task.handle, None).await.unwrap();
        }
        backend.describe_lane(&self.lane).await.unwrap();
        let adjust = AdjustLane::new(self.ids.request_id(), self.lane.clone());
        let adjust = adjust.with_state(LaneState::Active).with_settings(LaneSettings::unlimited());
        backend.adjust_lane(&adjust).await.unwrap();
        assert_eq!(backend.list_lanes(&ListLanes::all()).await.unwrap().len(), 1);
    }

    /// A schedule whose occurrence is submitted, made up for, and whose time is up.
    async fn schedules(&self) {
        let backend = self.backend;
        let (lane, kind) = (self.lane.clone(), TaskKind::new("task").unwrap());
        let id = self.ids.execution_id();
        let work = Submission::new(id, lane, kind, Payload::default());
        let now = SystemClock.now();
        let recurrence = Recurrence::every(WAIT).with_anchor(now.saturating_add(MOMENT));
        let spec = ScheduleSpec::new(recurrence, work);
        let schedule = CreateSchedule::new(self.ids.schedule_id(), spec);
        backend.create_schedule(&schedule).await.unwrap();
        let wait = TickRequest::all().with_max_wait(WAIT);
        while backend.tick(&wait).await.unwrap().schedules_fired == 0 {}
        let task = self.claim(WAIT).await;
        backend.complete(&task.handle, None).await.unwrap();
        let (from, to) = (now.saturating_sub(2 * WAIT), now);
        let backfill = BackfillSchedule::new(schedule.id, from, to).with_limit(1);
        backend.backfill_schedule(&backfill).await.unwrap();
        let task = self.claim(WAIT).await;
        backend.complete(&task.handle, None).await.unwrap();
        let pause = ScheduleChange::Pause { reason: "for a test".to_owned() };
        let pause = AdjustSchedule::new(self.ids.request_id(), schedule.id, pause);
        backend.adjust_schedule(&pause).await.unwrap();
        let other = CreateSchedule::new(self.ids.schedule_id(), schedule.spec.clone());
        backend.create_schedule(&other).await.unwrap();
        backend.delete_schedule(other.id).await.unwrap();
    }

    fn node(&self, key: String) -> FlowNode {
        let (lane, kind) = (self.lane.clone(), TaskKind::new("task").unwrap());
        let submission = Submission::new(self.ids.execution_id(), lane, kind, Payload::new("x"));
        FlowNode::new(NodeKey::new(key).unwrap(), submission)
    }

    /// A flow that is staged, of which one call leaves something to do, extended, read and cancelled;
    /// and two flows that an execution starts.
    async fn flows(&self) {
        let backend = self.backend;
        let mut spec = FlowSpec::new(self.ids.flow_id());
        spec.add_node(self.node("root".to_owned()));
        for index in 0..200 {
            spec.add_node(self.node(format!("n{index}")));
            let to = NodeKey::new(format!("n{index}")).unwrap();
            spec.add_edge(FlowEdge::new(NodeKey::new("root").unwrap(), to));
        }
        let id = backend.submit_flow(&spec).await.unwrap().flow_id;
        let mut extension = ExtendFlow::new(self.ids.request_id(), id, 1, 201);
        extension.add_node(self.node("last".to_owned()));
        let keys = ["n0", "last"].map(|key| NodeKey::new(key).unwrap());
        extension.add_edge(FlowEdge::new(keys[0].clone(), keys[1].clone()));
        backend.extend_flow(&extension).await.unwrap();
        let root = self.claim(WAIT).await;
        backend.complete(&root.handle, Some(&Payload::new("y"))).await.unwrap();
        let task = self.claim(WAIT).await;
        let upstream = UpstreamRequest::new(task.execution_id);
        assert_eq!(backend.upstream_results(&upstream).await.unwrap().items.len(), 1);
        for key in ["one", "two"] {
            let mut child = FlowSpec::child_of(&task, self.ids.flow_id());
            child.add_node(self.node(key.to_owned()));
            let child = backend.submit_flow(&child).await.unwrap().flow_id;
            let wait = WaitChildren::new(child);
            if key == "two" {
                backend.wait_children(&task.handle, &wait).await.unwrap();
            }
        }
        let told = backend.await_cancels(self.instance, MOMENT).await.unwrap();
        assert!(told.is_empty());
        let cancel = CancelFlow::new(self.ids.request_id(), id, "for a test");
        let wait = CancelFlowWait::WaitTimeout(WAIT);
        let cancelled = backend.cancel_flow(&cancel.with_wait(wait)).await.unwrap();
        assert_eq!(cancelled, CancelFlowOutcome::Cancelled { open: 0 });
        let now = ReadCompletions::new(CompletionsFrom::Now).with_max_wait(MOMENT);
        backend.read_completions(&now).await.unwrap();
        self.look_at_flow(id).await;
    }

    /// What a reader can do about a flow that has ended.
    async fn look_at_flow(&self, id: FlowId) {
        let backend = self.backend;
        assert!(backend.describe_flow(id).await.unwrap().summary.state.is_terminal());
        assert!(backend.read_graph(&ReadGraph::new(id)).await.unwrap().next.is_some());
        let page = backend.list_flows(&ListFlows::new()).await.unwrap();
        assert!(page.items.iter().any(|item| item.flow_id == id));
        let ends = ReadCompletions::new(CompletionsFrom::Start);
        assert!(!backend.read_completions(&ends).await.unwrap().items.is_empty());
    }

    /// The execution suspends, is resumed by a signal and by an operator, and goes on.
    async fn wait_for_signals(&self, task: Task) -> Task {
        let (backend, id) = (self.backend, task.execution_id);
        let waitpoint = |key: &str| {
            CreateWaitpoint::new(self.ids.waitpoint_id(), WaitpointKey::new(key).unwrap())
        };
        let unused = backend.create_waitpoint(&task.handle, &waitpoint("unused")).await.unwrap();
        let used = backend.create_waitpoint(&task.handle, &waitpoint("used")).await.unwrap();
        backend.close_waitpoint(&task.handle, unused.waitpoint_id).await.unwrap();
        let one = |spec| SuspendRequest::new(vec![spec], SuspendCondition::Any);
        let request = one(WaitpointSpec::pending(&used, WaitpointKind::SignalName, "go"));
        backend.suspend(&task.handle, &request).await.unwrap();
        let page = backend.list_waitpoints(&ListWaitpoints::new()).await.unwrap();
        assert!(page.items.iter().any(|item| item.waitpoint_id == used.waitpoint_id));
        let signal = DeliverSignal::new(used.token(), self.ids.signal_id(), "go");
        let outcome = backend.deliver_signal(&signal.with_payload("yes")).await.unwrap();
        assert_eq!(outcome, SignalOutcome::Resumed);
        let task = self.reclaim().await;
        assert_eq!(backend.observe_signals(&task.handle).await.unwrap().signals.len(), 1);

        let key = WaitpointKey::new("again").unwrap();
        let fresh = WaitpointSpec::fresh(self.ids.waitpoint_id(), key, WaitpointKind::External, "");
        backend.suspend(&task.handle, &one(fresh)).await.unwrap();
        let resume = ResumeExecution::new(self.ids.request_id(), id, "for a test");
        backend.resume_execution(&resume).await.unwrap();
        let withdraw = WithdrawWaitpoint::new(self.ids.request_id(), id, used.waitpoint_id);
        backend.withdraw_waitpoint(&withdraw).await.unwrap();
        let secret = WaitpointSecret::new(vec![7; 32]).unwrap();
        backend.rotate_key("next", secret, WAIT).await.unwrap();
        self.reclaim().await
    }

    /// What a reader can do about an execution that has ended.
    async fn look(&self, id: ExecutionId) {
        let backend = self.backend;
        assert_eq!(backend.describe_execution(id).await.unwrap().execution_id, id);
        backend.explain(id).await.unwrap();
        let stream = ReadStream::new(id).with_summary_after(0);
        let stream = [stream.clone(), stream.newest_first()];
        for request in &stream {
            assert_eq!(backend.read_stream(request).await.unwrap().frames.len(), 1);
        }
        let budgets = backend.list_budgets(&ListBudgets::all()).await.unwrap();
        let budget = backend.describe_budget(budgets[0].budget_id).await.unwrap();
        assert_eq!(budget, budgets[0]);
        let schedules = backend.list_schedules(&ListSchedules::all()).await.unwrap();
        let schedule = backend.describe_schedule(schedules[0].schedule_id).await.unwrap();
        assert_eq!(schedule, schedules[0]);
        let page = backend.list_executions(&ListRequest::new()).await.unwrap();
        assert!(page.items.iter().any(|item| item.execution_id == id));
        let result = backend.result(&ResultRequest::new(id)).await.unwrap();
        assert!(matches!(result, ResultOutcome::Ended(_)));
    }
}

/// What a server has been asked to do, within functions and outside.
fn used(server: &Server) -> BTreeSet<String> {
    let stats = server.command(&["INFO", "commandstats"]).unwrap();
    let stats = stats.as_str().unwrap();
    let names = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next());
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_worker_does_every_verb_and_needs_all_that_it_may() {
    let [worker, _] = acl::roles(None).unwrap();
    for server in servers() {
        allow(&server, &worker);
        // Connecting loads the library and opens the namespace.
        let login = login(&server, &worker).with_database(2);
        // The connection that looks on.
        server.command(&["SELECT", "2"]).unwrap();
        let backend = connect(login, "default").await.unwrap();

        Job::new(&backend).every_verb(std::slice::from_ref(&server)).await;

        drop(backend);
        let refused = server.command(&["ACL", "LOG"]).unwrap();
        assert_eq!(refused.as_array().map(<[_]>::len), Some(0), "{refused:?}");
        let used = used(&server);
        let spare: Vec<_> = worker
            .rules
            .iter()
            .filter_map(|rule| rule.strip_prefix('+'))
            .filter(|command| !used.contains(*command) && !ELSEWHERE.contains(command))
            .collect();
        assert!(spare.is_empty(), "allowed and not used: {spare:?}");
    }
}

#[tokio::test]
async fn a_reader_reads_and_changes_nothing() {
    let [worker, reader] = acl::roles(None).unwrap();
    for server in servers() {
        allow(&server, &worker);
        allow(&server, &reader);
        let error = connect(login(&server, &reader), "default").await.unwrap_err();
        assert_eq!(error.code(), "incompatible", "the library is not loaded: {error}");
        let working = connect(login(&server, &worker), "default").await.unwrap();
        let id = Job::new(&working).every_verb(std::slice::from_ref(&server)).await;
        let error = connect(login(&server, &reader), "another").await.unwrap_err();
        assert_eq!(error.code(), "incompatible", "the namespace is not open: {error}");

        let reading = connect(login(&server, &reader), "default").await.unwrap();
        let job = Job::new(&reading);
        job.look(id).await;

        let (lane, kind) = (job.lane.clone(), TaskKind::new("task").unwrap());
        let submission = Submission::new(job.ids.execution_id(), lane, kind, Payload::default());
        let error = reading.submit(&submission).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("incompatible", false), "{error}");
        assert!(error.to_string().contains("NOPERM"), "{error}");
        let mut connection = server.connect().unwrap();
        connection.command(&["AUTH", reader.name, PASSWORD]).unwrap().into_result().unwrap();
        let secret = connection.command(&["GET", "secret:ff:{default/0}:"]).unwrap();
        assert!(secret.into_result().is_err(), "a reader reads what signs tokens");
        let pending = Job::new(&working).submit(Vec::new()).await;
        let wait = ResultRequest::new(pending).with_max_wait(WAIT);
        assert_eq!(reading.result(&wait).await.unwrap_err().code(), "incompatible");
        job.look(id).await;
    }
}

#[tokio::test]
async fn a_role_of_one_namespace_stays_there() {
    let [worker, reader] = acl::roles(Some("billing")).unwrap();
    for server in servers() {
        allow(&server, &worker);
        allow(&server, &reader);
        let backend = connect(login(&server, &worker), "billing").await.unwrap();
        let id = Job::new(&backend).every_verb(std::slice::from_ref(&server)).await;
        let reading = connect(login(&server, &reader), "billing").await.unwrap();
        Job::new(&reading).look(id).await;
        for elsewhere in ["default", "billing2", "bill"] {
            let error = connect(login(&server, &worker), elsewhere).await.unwrap_err();
            assert_eq!(error.code(), "incompatible", "{elsewhere}: {error}");
        }
    }
}

#[tokio::test]
async fn both_roles_work_on_a_cluster() {
    let cluster = Cluster::start(&Options::new(), 3, 0).expect("it starts");
    let [worker, reader] = acl::roles(None).unwrap();
    for node in cluster.nodes() {
        allow(node, &worker);
        allow(node, &reader);
    }
    let node = &cluster.nodes()[0];
    let backend = connect(login(node, &worker).with_cluster(true), "default").await.unwrap();
    let id = Job::new(&backend).every_verb(cluster.nodes()).await;
    let reading = connect(login(node, &reader).with_cluster(true), "default").await.unwrap();
    Job::new(&reading).look(id).await;
    for node in cluster.nodes() {
        let refused = node.command(&["ACL", "LOG"]).unwrap();
        assert_eq!(refused.as_array().map(<[_]>::len), Some(0), "{refused:?}");
    }
}
