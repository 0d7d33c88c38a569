//! The steps of a history that are about flows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::{
    CancelExecution, CancelFlow, EngineError, ExtendFlow, FlowEdge, FlowNode, FlowNodeView,
    FlowSpec, Hold, ListFlows, ReadGraph, ReplayExecution, Task, UpstreamRequest, WaitChildren,
};
use ff_types::backend::{CancelFlowPolicy, Handle};
use ff_types::{
    EdgeCondition, ExecutionId, ExecutionState, FlowId, FlowPolicy, FlowState, JoinPolicy,
    JoinRest, NodeKey, Tags, TimestampMs, limits,
};

use super::flow_op::{CHILD_FLOWS_MAX, EdgeOp, FLOWS_MAX, FlowOp, GraphOp, NODES_MAX, NodeOp};
use super::keeps::saved;
use super::world::{Step, TAG, World, after, pick, tell};
use crate::flows::Seen;

/// The flows that a history has made.
#[derive(Default)]
pub(super) struct Flows {
    known: Vec<Known>,
    /// How they stood before the step.
    pub(super) seen: Vec<(FlowId, Option<Seen>)>,
}

/// A flow as the history knows it.
struct Known {
    spec: FlowSpec,
    revision: u64,
    nodes: u32,
    edges: BTreeSet<(u32, u32)>,
}

/// A call about flows that can be made again.
#[derive(Debug, Clone)]
pub(super) enum FlowCall {
    Submit(Box<FlowSpec>),
    WaitChildren(Handle, WaitChildren),
    Hold(Hold),
    CancelStarter(CancelExecution),
    Extend(Box<ExtendFlow>, BTreeSet<(u32, u32)>),
    Cancel(CancelFlow),
    Replay(ReplayExecution),
    Read(ReadGraph),
    List(ListFlows),
    Upstream(UpstreamRequest),
}

/// The one after which most can still happen twice.
const POLICIES: [CancelFlowPolicy; 4] = [
    CancelFlowPolicy::FlowOnly,
    CancelFlowPolicy::FlowOnly,
    CancelFlowPolicy::CancelPending,
    CancelFlowPolicy::CancelAll,
];

impl Flows {
    /// How many of the flows are child flows, or are none.
    fn count(&self, child: bool) -> usize {
        self.known.iter().filter(|known| known.spec.parent().is_some() == child).count()
    }

    /// The latest child flow, and the execution that started it.
    fn latest_child(&self) -> Option<(FlowId, ExecutionId)> {
        self.known.iter().rev().find_map(|known| {
            known.spec.parent().map(|starter| (known.spec.id(), starter.execution_id))
        })
    }
}

impl World {
    /// The call of such a step; `None` when it means nothing yet.
    pub(super) fn flow_call(&mut self, op: &FlowOp, now: TimestampMs) -> Option<FlowCall> {
        Some(match op {
            FlowOp::Submit(_) if self.flows.count(false) >= FLOWS_MAX => return None,
            FlowOp::Submit(graph) => {
                let spec = FlowSpec::new(self.ids.flow_id());
                let budgets = self.budgets_of(graph.budgets);
                let spec = spec.with_budgets(budgets).expect("it has no nodes");
                FlowCall::Submit(Box::new(self.flow_spec(spec, graph, now)))
            }
            FlowOp::Child { .. } if self.flows.count(true) >= CHILD_FLOWS_MAX => return None,
            FlowOp::Child { task, graph } => {
                let spec = FlowSpec::child_of(self.starter(*task)?, self.ids.flow_id());
                FlowCall::Submit(Box::new(self.flow_spec(spec, graph, now)))
            }
            FlowOp::WaitChildren { other, state, graph } => {
                let Some((flow, starter)) = self.flows.latest_child() else {
                    let child = FlowOp::Child { task: 0, graph: graph.clone() };
                    return self.flow_call(&child, now);
                };
                let other = other.and_then(|which| self.flow(which));
                let mut request = WaitChildren::new(other.unwrap_or(flow));
                request.state = saved(*state);
                let task = self.latest_task_of(starter)?;
                FlowCall::WaitChildren(task.handle.clone(), request)
            }
            FlowOp::HoldStarter => {
                let (_, starter) = self.flows.latest_child()?;
                FlowCall::Hold(Hold::new(self.ids.request_id(), starter))
            }
            FlowOp::CancelStarter => {
                let (_, starter) = self.flows.latest_child()?;
                let request = self.ids.request_id();
                let cancel = CancelExecution::new(request, starter, "no longer needed");
                FlowCall::CancelStarter(cancel)
            }
            FlowOp::Resubmit(which) => {
                FlowCall::Submit(Box::new(pick(&self.flows.known, *which)?.spec.clone()))
            }
            FlowOp::Extend { flow, nodes, edges, stale } => {
                self.extension(*flow, nodes, edges, *stale, now)?
            }
            FlowOp::Cancel { flow, policy } => {
                let around = self.around_child().filter(|_| *flow >= 64);
                let (request, id) = (self.ids.request_id(), around.or_else(|| self.flow(*flow))?);
                let policy = POLICIES[usize::from(*policy) % POLICIES.len()];
                FlowCall::Cancel(CancelFlow::new(request, id, "no longer").with_policy(policy))
            }
            FlowOp::Replay { flow, which } => {
                let id = self.worth_replaying(self.flow(*flow)?, *which)?;
                FlowCall::Replay(ReplayExecution::new(self.ids.request_id(), id))
            }
            FlowOp::Read { flow, limit } => {
                FlowCall::Read(ReadGraph::new(self.flow(*flow)?).with_limit(u32::from(*limit)))
            }
            FlowOp::List { limit, state, tagged } => {
                let mut request = ListFlows::new().with_limit(u32::from(*limit));
                if let Some(state) = state {
                    request = request.with_state(FlowState::ALL[usize::from(*state)]);
                }
                FlowCall::List(if *tagged { request.with_tag(TAG.0, TAG.1) } else { request })
            }
            FlowOp::Upstream { of, limit } => {
                let request = UpstreamRequest::new(self.execution(*of)?);
                FlowCall::Upstream(request.with_limit(u32::from(*limit)))
            }
        })
    }

    pub(super) async fn make_flow(&mut self, call: FlowCall) -> Step {
        let backend = Arc::clone(&self.opened.backend);
        match call {
            FlowCall::Submit(spec) => {
                let submitted = backend.submit_flow(&spec).await;
                if submitted.is_ok() {
                    self.learn_flow(&spec);
                }
                Step::of(Verb::SubmitFlow, None, &submitted).about_flow(spec.id())
            }
            FlowCall::WaitChildren(handle, request) => {
                let waits = backend.wait_children(&handle, &request).await;
                self.held(Verb::WaitChildren, handle, &waits)
            }
            FlowCall::Hold(request) => {
                Step::of(Verb::Hold, Some(request.execution_id), &backend.hold(&request).await)
            }
            FlowCall::CancelStarter(request) => {
                let outcome = backend.cancel_execution(&request).await;
                Step::of(Verb::CancelExecution, Some(request.execution_id), &outcome)
            }
            FlowCall::Extend(request, edges) => {
                let extended = backend.extend_flow(&request).await;
                let known = self.flows.known.iter_mut();
                let known = known.filter(|known| known.spec.id() == request.flow_id()).last();
                if let (Ok(outcome), Some(known)) = (&extended, known)
                    && known.revision < outcome.revision
                {
                    known.revision = outcome.revision;
                    known.nodes += u32::try_from(request.nodes().len()).unwrap_or(0);
                    known.edges.extend(edges);
                    let new = request.nodes().iter().map(|node| node.submission.id());
                    self.executions.extend(new);
                }
                Step::of(Verb::ExtendFlow, None, &extended).about_flow(request.flow_id())
            }
            FlowCall::Cancel(request) => {
                let cancelled = backend.cancel_flow(&request).await;
                Step::of(Verb::CancelFlow, None, &cancelled).about_flow(request.flow_id)
            }
            FlowCall::Replay(request) => {
                let id = request.execution_id;
                self.keeps.forget(id);
                Step::of(Verb::Replay, Some(id), &backend.replay(&request).await)
            }
            FlowCall::Read(mut request) => {
                let mut answer = tell(&backend.describe_flow(request.flow_id).await);
                for _ in 0..=NODES_MAX {
                    let page = backend.read_graph(&request).await;
                    answer.push_str(&tell(&page));
                    match page.ok().and_then(|page| page.next) {
                        Some(next) => request = request.with_from(next),
                        None => break,
                    }
                }
                Step { answer, ..Step::silent() }
            }
            FlowCall::List(mut request) => {
                let mut answer = String::new();
                for _ in 0..limits::LIST_LIMIT_MAX {
                    let page = backend.list_flows(&request).await;
                    answer.push_str(&tell(&page.as_ref().map(|page| &page.items)));
                    match page.ok().and_then(|page| page.next) {
                        Some(next) => request.cursor = Some(next),
                        None => break,
                    }
                }
                Step { answer, ..Step::silent() }
            }
            FlowCall::Upstream(mut request) => {
                let mut answer = String::new();
                for _ in 0..=NODES_MAX {
                    let page = backend.upstream_results(&request).await;
                    answer.push_str(&tell(&page));
                    match page.ok().and_then(|page| page.next) {
                        Some(next) => request = request.with_from(next),
                        None => break,
                    }
                }
                Step { answer, ..Step::silent() }
            }
        }
    }

    /// Every flow that was submitted, as it stands; `None` for one that is not there.
    pub(super) async fn flow_views(&self) -> Result<Vec<(FlowId, Option<Seen>)>, String> {
        let mut views = Vec::with_capacity(self.flows.known.len());
        for known in &self.flows.known {
            let id = known.spec.id();
            views.push((
                id,
                match Seen::of(self.opened.backend.as_ref(), id).await {
                    Ok(seen) => Some(seen),
                    Err(EngineError::NotFound { .. }) => None,
                    Err(error) => return Err(error.to_string()),
                },
            ));
        }
        Ok(views)
    }

    fn latest_task_of(&self, id: ExecutionId) -> Option<&Task> {
        self.tasks.iter().rev().find(|task| task.execution_id == id)
    }

    /// The flow that the starter of the latest child flow is a member of.
    fn around_child(&self) -> Option<FlowId> {
        let (_, starter) = self.flows.latest_child()?;
        self.latest_task_of(starter)?.node.as_ref().map(|node| node.flow_id)
    }

    /// A task that was handed out lately, most often one of a member.
    fn starter(&self, which: u8) -> Option<&Task> {
        let mut tasks = self.tasks.iter().rev().take(4);
        let member = tasks.find(|task| task.node.is_some());
        member.filter(|_| which < 128).or_else(|| self.task(which))
    }

    fn flow(&self, which: u8) -> Option<FlowId> {
        pick(&self.flows.known, which).map(|known| known.spec.id())
    }

    /// A member that has ended: most often one that has a parent which has not, or else a child that
    /// is delayed, completed or failed.
    fn worth_replaying(&self, flow: FlowId, which: u8) -> Option<ExecutionId> {
        let (_, seen) = self.flows.seen.iter().find(|(id, _)| *id == flow)?;
        let seen = seen.as_ref()?;
        let state = |index: u32| seen.nodes.get(index as usize).map(|node| node.state);
        let ended = |state: ExecutionState| state.is_terminal() && state != ExecutionState::Skipped;
        let ended: Vec<_> = seen.nodes.iter().filter(|node| ended(node.state)).collect();
        let open = |index: u32| state(index).is_some_and(|state| !state.is_terminal());
        let going = [ExecutionState::Delayed, ExecutionState::Completed, ExecutionState::Failed];
        let waits = |node: &FlowNodeView| {
            seen.edges.iter().any(|edge| edge.to == node.index && open(edge.from))
        };
        let leads = |node: &FlowNodeView| {
            seen.edges.iter().any(|edge| {
                edge.from == node.index
                    && state(edge.to).is_some_and(|state| going.contains(&state))
            })
        };
        let among = |which: &dyn Fn(&FlowNodeView) -> bool| {
            ended.iter().filter(|node| which(node)).copied().collect::<Vec<_>>()
        };
        let chosen = [among(&waits), among(&leads)].into_iter().find(|chosen| !chosen.is_empty());
        let among = chosen.filter(|_| which < 192).unwrap_or(ended);
        pick(&among, which).map(|node| node.execution_id)
    }

    /// A flow was made, or was there.
    fn learn_flow(&mut self, spec: &FlowSpec) {
        let members: Vec<ExecutionId> =
            spec.nodes().iter().map(|node| node.submission.id()).collect();
        let is_new = self.flows.known.iter().all(|known| known.spec.id() != spec.id());
        for member in members {
            self.keeps.forget(member);
            if is_new {
                self.executions.push(member);
            }
        }
        if is_new {
            let place = |key: &NodeKey| {
                let place = spec.nodes().iter().position(|node| node.key == *key);
                u32::try_from(place.unwrap_or(0)).unwrap_or(0)
            };
            let edges = spec.edges().iter().map(|edge| (place(&edge.from), place(&edge.to)));
            let nodes = u32::try_from(spec.nodes().len()).unwrap_or(0);
            let edges = edges.collect();
            self.flows.known.push(Known { spec: spec.clone(), revision: 1, nodes, edges });
        }
    }

    fn flow_spec(&self, mut spec: FlowSpec, graph: &GraphOp, now: TimestampMs) -> FlowSpec {
        let count = u32::try_from(graph.nodes.len()).unwrap_or(0);
        let mut edges = chosen(&graph.edges, 0, count, &BTreeSet::new());
        for (node, index) in graph.nodes.iter().zip(0..) {
            spec.add_node(self.node(node, index, &edges, now));
        }
        if graph.doubled {
            edges.extend(edges.first().copied());
        }
        for edge in edges {
            spec.add_edge(edge_of(edge));
        }
        spec.retention = Duration::from_millis(u64::from(graph.retention));
        spec.deadline = graph.deadline.map(|ms| after(now, ms));
        if graph.fail_fast {
            spec.policy = FlowPolicy::FailFast;
        }
        if graph.tagged {
            spec.tags = Tags::new().with(TAG.0, TAG.1).expect("the tag is valid");
        }
        spec
    }

    fn extension(
        &self,
        which: u8,
        nodes: &[NodeOp],
        edges: &[EdgeOp],
        stale: bool,
        now: TimestampMs,
    ) -> Option<FlowCall> {
        let known = pick(&self.flows.known, which)?;
        let room = NODES_MAX.saturating_sub(known.nodes) as usize;
        let nodes = &nodes[..nodes.len().min(room)];
        let count = known.nodes + u32::try_from(nodes.len()).unwrap_or(0);
        let edges = chosen(edges, u32::from(known.nodes < 2), count, &known.edges);
        let revision = known.revision - u64::from(stale);
        let (request, id) = (self.ids.request_id(), known.spec.id());
        let mut request = ExtendFlow::new(request, id, revision, known.nodes);
        for (node, index) in nodes.iter().zip(known.nodes..) {
            request.add_node(self.node(node, index, &edges, now));
        }
        for edge in &edges {
            request.add_edge(edge_of(*edge));
        }
        let edges = edges.into_iter().map(|(from, to, _)| (from, to)).collect();
        Some(FlowCall::Extend(Box::new(request), edges))
    }

    fn node(
        &self,
        node: &NodeOp,
        index: u32,
        edges: &[(u32, u32, EdgeCondition)],
        now: TimestampMs,
    ) -> FlowNode {
        let parents = edges.iter().filter(|(_, to, _)| *to == index).count();
        let parents = u32::try_from(parents).unwrap_or(0);
        let join = match node.join {
            0 | 1 => JoinPolicy::All,
            2 => JoinPolicy::Any,
            _ if parents == 0 => JoinPolicy::All,
            more => JoinPolicy::Quorum(1 + u32::from(more) % parents),
        };
        let rest = if node.cancels { JoinRest::CancelRemaining } else { JoinRest::LetRun };
        let submission = self.submission(&node.submit, now);
        FlowNode::new(key(index), submission).with_join(join).with_rest(rest)
    }
}

/// The edges among `count` nodes that are not there yet, each from an earlier node to a later one.
fn chosen(
    edges: &[EdgeOp],
    first: u32,
    count: u32,
    known: &BTreeSet<(u32, u32)>,
) -> Vec<(u32, u32, EdgeCondition)> {
    let mut seen = known.clone();
    let mut chosen = Vec::new();
    for edge in edges {
        if count < 2 {
            break;
        }
        let to = (1 + u32::from(edge.to) % (count - 1)).max(first);
        let from = to - 1 - u32::from(edge.back) % to;
        if seen.insert((from, to)) {
            let condition = EdgeCondition::ALL[usize::from(edge.condition) % 3];
            chosen.push((from, to, condition));
        }
    }
    chosen
}

fn key(index: u32) -> NodeKey {
    NodeKey::new(format!("node-{index}")).expect("the key is valid")
}

fn edge_of((from, to, condition): (u32, u32, EdgeCondition)) -> FlowEdge {
    FlowEdge::new(key(from), key(to)).with_condition(condition)
}
