//! The graphs that are measured, and the worker that runs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{FlowEdge, FlowNode, FlowSpec, Submission};
use ff_sdk::{ClaimedTask, TaskError, Worker, WorkerHandle};
use ff_types::{JoinPolicy, JoinRest, LaneId, NodeKey, Payload, TaskKind};
use tokio::time::Instant;

use super::super::rig::{Countdown, KIND, LANE, Rig, erased};

/// A lane that nobody claims from.
pub(in crate::bench) const PARKED: &str = "parked";
/// How long workers get to wait for work before there is some.
pub(super) const SETTLE: Duration = Duration::from_millis(200);

/// Makes flows of nodes that differ in their keys alone.
pub(in crate::bench) struct Graphs<'r> {
    rig: &'r Rig,
    payload: usize,
    lane: &'static str,
}

impl<'r> Graphs<'r> {
    pub(in crate::bench) fn new(rig: &'r Rig, payload: usize, lane: &'static str) -> Self {
        Self { rig, payload, lane }
    }

    /// A task by itself, that says which graph it belongs to.
    pub(super) fn task(&self, number: usize) -> Submission {
        self.in_lane(self.lane, number)
    }

    /// Nodes without edges.
    pub(in crate::bench) fn apart(&self, nodes: usize) -> FlowSpec {
        self.nodes(nodes, 0)
    }

    /// Each node after the one before.
    pub(in crate::bench) fn chain(&self, nodes: usize, number: usize) -> FlowSpec {
        (1..nodes).fold(self.nodes(nodes, number), |flow, to| flow.with_edge(edge(to - 1, to)))
    }

    /// One node, all others but the last after it, and the last after these.
    pub(super) fn fan(&self, nodes: usize, number: usize) -> FlowSpec {
        let mut flow = self.nodes(nodes, number);
        for middle in 1..nodes - 1 {
            flow.add_edge(edge(0, middle));
            flow.add_edge(edge(middle, nodes - 1));
        }
        flow
    }

    /// One node, and all others after it.
    pub(super) fn star(&self, nodes: usize) -> FlowSpec {
        (1..nodes).fold(self.nodes(nodes, 0), |flow, to| flow.with_edge(edge(0, to)))
    }

    /// The same, and each of the others after the one before, too.
    pub(super) fn chained_star(&self, nodes: usize) -> FlowSpec {
        (2..nodes).fold(self.star(nodes), |flow, to| flow.with_edge(edge(to - 1, to)))
    }

    /// Nodes, all in this lane but the first, and a parked one that the first to complete starts, and
    /// that has the others cancelled.
    pub(in crate::bench) fn race(&self, siblings: usize, first: &'static str) -> FlowSpec {
        let mut flow = FlowSpec::new(self.rig.ids.flow_id());
        for index in 0..siblings {
            let lane = if index == 0 { first } else { self.lane };
            flow.add_node(FlowNode::new(key(index), self.in_lane(lane, 0)));
        }
        let join = FlowNode::new(key(siblings), self.in_lane(PARKED, 0));
        flow.add_node(join.with_join(JoinPolicy::Any).with_rest(JoinRest::CancelRemaining));
        (0..siblings).fold(flow, |flow, index| flow.with_edge(edge(index, siblings)))
    }

    fn nodes(&self, nodes: usize, number: usize) -> FlowSpec {
        let mut flow = FlowSpec::new(self.rig.ids.flow_id());
        for index in 0..nodes {
            flow.add_node(FlowNode::new(key(index), self.task(number)));
        }
        flow
    }

    fn in_lane(&self, lane: &str, number: usize) -> Submission {
        let lane = LaneId::new(lane).expect("the name is short");
        let kind = TaskKind::new(KIND).expect("the name is short");
        let mut payload = number.to_le_bytes().to_vec();
        payload.resize(self.payload.max(payload.len()), 7);
        Submission::new(self.rig.ids.execution_id(), lane, kind, Payload::new(payload))
    }
}

fn key(index: usize) -> NodeKey {
    NodeKey::new(index.to_string()).expect("digits are a key")
}

fn edge(from: usize, to: usize) -> FlowEdge {
    FlowEdge::new(key(from), key(to))
}

/// How far the tasks of some graphs are.
pub(super) struct Progress {
    start: Instant,
    /// When the last task of each graph ended, in microseconds since the start.
    ends: Vec<AtomicU64>,
    left: Arc<Countdown>,
}

impl Progress {
    pub(super) fn of(graphs: usize, tasks: usize) -> Arc<Self> {
        let ends = (0..graphs).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { start: Instant::now(), ends, left: Countdown::of(tasks) })
    }

    /// Resolves when all have ended.
    pub(super) async fn over(&self) -> anyhow::Result<()> {
        self.left.over().await
    }

    /// Milliseconds of each graph, in their order, from then until its last task ended.
    pub(super) fn waits(&self, submitted: &[Instant]) -> Vec<f64> {
        let end = |end: &AtomicU64| self.start + Duration::from_micros(end.load(Ordering::Relaxed));
        let both = self.ends.iter().map(end).zip(submitted);
        both.map(|(end, submitted)| (end - *submitted).as_secs_f64() * 1e3).collect()
    }

    fn ended(&self, payload: &[u8]) {
        let number = payload.first_chunk().expect("a payload begins with a number");
        let micros = u64::try_from(self.start.elapsed().as_micros()).expect("a bench is short");
        self.ends[usize::from_le_bytes(*number)].fetch_max(micros, Ordering::Relaxed);
        self.left.one();
    }
}

/// A worker whose handlers return at once.
pub(super) fn work(
    rig: &Rig,
    backend: &Arc<ValkeyBackend>,
    handlers: usize,
    progress: &Arc<Progress>,
) -> anyhow::Result<WorkerHandle> {
    let worker = Worker::builder(erased(backend))
        .lane(LANE)
        .concurrency(handlers)
        .ids(rig.ids.clone())
        .shared_state(Arc::clone(progress))
        .raw_handler(KIND, async |task: ClaimedTask| {
            let progress = task.state::<Progress>()?;
            let payload = task.payload().clone();
            let settled = task.complete(None).await?;
            progress.ended(payload.bytes());
            Ok::<_, TaskError>(settled)
        })
        .build()?;
    Ok(worker.start())
}
