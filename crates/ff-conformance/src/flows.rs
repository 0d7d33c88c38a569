//! What cases about flows make of a fixture: flows from a line of text, members that end as asked,
//! and the states of all of them, counted again with every look.

use std::collections::BTreeMap;
use std::time::Duration;

use ff_engine::{
    CancelFlow, EngineError, ExtendFlow, FlowEdge, FlowEdgeView, FlowNode, FlowNodeView, FlowSpec,
    FlowView, ReadGraph, SuspendCondition, Task, TimeoutBehavior,
};
use ff_types::backend::{CancelFlowPolicy, FailureClass};
use ff_types::{
    EdgeCondition, ExecutionId, ExecutionState, FlowId, FlowState, JoinPolicy, JoinRest, LaneId,
    NodeKey, Payload, TerminalOutcome,
};

use crate::Fixture;
use crate::canary::CANARY;
use crate::expect::{CaseError, CaseResult, ensure, ensure_eq};
use crate::fixture::failure;
use crate::waits::after;

/// The nodes of a text like `a b j:any k:2! m:all`: each with its key, its join unless that is
/// `all`, and `!` when the rest is cancelled. Each has a lane of its own, named like it.
pub(crate) fn nodes(fx: &Fixture, text: &str) -> CaseResult<Vec<FlowNode>> {
    text.split_whitespace().map(|word| node(fx, word)).collect()
}

fn node(fx: &Fixture, word: &str) -> CaseResult<FlowNode> {
    let (word, rest) = match word.strip_suffix('!') {
        Some(word) => (word, JoinRest::CancelRemaining),
        None => (word, JoinRest::LetRun),
    };
    let (key, join) = word.split_once(':').unwrap_or((word, "all"));
    let join = match join {
        "all" => JoinPolicy::All,
        "any" => JoinPolicy::Any,
        count => JoinPolicy::Quorum(count.parse()?),
    };
    let mut submission = fx.submission("node")?;
    submission.lane = LaneId::new(key)?;
    Ok(FlowNode::new(NodeKey::new(key)?, submission).with_join(join).with_rest(rest))
}

/// The edges of a text like `a>b a!c a*d`: satisfied by success, by failure, by any end.
pub(crate) fn edges(text: &str) -> CaseResult<Vec<FlowEdge>> {
    text.split_whitespace().map(edge).collect()
}

fn edge(word: &str) -> CaseResult<FlowEdge> {
    let conditions = [
        ('>', EdgeCondition::OnSuccess),
        ('!', EdgeCondition::OnFailure),
        ('*', EdgeCondition::Always),
    ];
    for (sign, condition) in conditions {
        if let Some((from, to)) = word.split_once(sign) {
            let edge = FlowEdge::new(NodeKey::new(from)?, NodeKey::new(to)?);
            return Ok(edge.with_condition(condition));
        }
    }
    Err(CaseError::new(format!("{word} is no edge")))
}

/// Everything there is to know of a flow at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) view: FlowView,
    pub(crate) nodes: Vec<FlowNodeView>,
    pub(crate) edges: Vec<FlowEdgeView>,
}

impl Fixture {
    /// A flow of these nodes and edges, in the spelling of [`nodes`] and [`edges`].
    pub(crate) fn flow(&self, nodes_text: &str, edges_text: &str) -> CaseResult<FlowSpec> {
        let mut spec = FlowSpec::new(self.ids.flow_id());
        for node in nodes(self, nodes_text)? {
            spec.add_node(node);
        }
        edges(edges_text)?.into_iter().for_each(|edge| spec.add_edge(edge));
        Ok(spec)
    }

    /// Submits such a flow.
    pub(crate) async fn submit_flow(&self, nodes: &str, edges: &str) -> CaseResult<FlowId> {
        let spec = self.flow(nodes, edges)?;
        Ok(self.backend.submit_flow(&spec).await?.flow_id)
    }

    /// An extension of a flow as it stands.
    pub(crate) async fn extension(
        &self,
        id: FlowId,
        nodes_text: &str,
        edges_text: &str,
    ) -> CaseResult<ExtendFlow> {
        let view = self.backend.describe_flow(id).await?;
        let (revision, count) = (view.revision, view.summary.nodes);
        let mut request = ExtendFlow::new(self.ids.request_id(), id, revision, count);
        for node in nodes(self, nodes_text)? {
            request.add_node(node);
        }
        edges(edges_text)?.into_iter().for_each(|edge| request.add_edge(edge));
        Ok(request)
    }

    /// Extends a flow as it stands.
    pub(crate) async fn extend(&self, id: FlowId, nodes: &str, edges: &str) -> CaseResult {
        let request = self.extension(id, nodes, edges).await?;
        self.backend.extend_flow(&request).await?;
        Ok(())
    }

    /// A cancellation of a flow under a new request id.
    pub(crate) fn cancel_flow_request(&self, id: FlowId, policy: CancelFlowPolicy) -> CancelFlow {
        CancelFlow::new(self.ids.request_id(), id, "the case cancels it").with_policy(policy)
    }

    /// Cancels a flow so far, and waits for nothing.
    pub(crate) async fn cancel_flow(&self, id: FlowId, policy: CancelFlowPolicy) -> CaseResult {
        self.backend.cancel_flow(&self.cancel_flow_request(id, policy)).await?;
        Ok(())
    }

    /// Claims the node of this key.
    pub(crate) async fn claim_node(&self, key: &str) -> CaseResult<Task> {
        let task = self.claim_node_if_any(key).await?;
        task.ok_or_else(|| CaseError::new(format!("node {key} cannot be claimed")))
    }

    /// Claims the node of this key, if it is ready.
    pub(crate) async fn claim_node_if_any(&self, key: &str) -> CaseResult<Option<Task>> {
        Ok(self.backend.claim(&self.claim_request(key)?).await?.tasks.pop())
    }

    /// The execution of a node.
    pub(crate) async fn member(&self, id: FlowId, key: &str) -> CaseResult<ExecutionId> {
        let seen = self.seen(id).await?;
        let node = seen.nodes.into_iter().find(|node| node.key.as_str() == key);
        node.map(|node| node.execution_id)
            .ok_or_else(|| CaseError::new(format!("the flow has no node {key}")))
    }

    /// Lets the node of this key, which is ready, end like this.
    pub(crate) async fn end(&self, id: FlowId, key: &str, outcome: TerminalOutcome) -> CaseResult {
        match outcome {
            TerminalOutcome::Completed => {
                let task = self.claim_node(key).await?;
                self.backend.complete(&task.handle, Some(&Payload::new(CANARY))).await?;
            }
            TerminalOutcome::Failed => {
                let task = self.claim_node(key).await?;
                self.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?;
            }
            TerminalOutcome::Cancelled => {
                let member = self.member(id, key).await?;
                self.backend.cancel_execution(&self.cancel_request(member, "not needed")).await?;
            }
            TerminalOutcome::Expired => {
                let task = self.claim_node(key).await?;
                let wait = self.wait_for(&["approval"], SuspendCondition::Any)?;
                let wait = wait.with_timeout(after(1, TimeoutBehavior::Expire));
                self.suspend(&task.handle, &wait).await?;
                self.advance(1).await;
                self.settle().await?;
            }
            other => return Err(CaseError::new(format!("no node ends as {other} by itself"))),
        }
        Ok(())
    }

    /// Lets these nodes complete, one after the other.
    pub(crate) async fn complete_nodes(&self, id: FlowId, keys: &str) -> CaseResult {
        for key in keys.split_whitespace() {
            self.end(id, key, TerminalOutcome::Completed).await?;
        }
        Ok(())
    }

    /// Everything about a flow, which has to fit together.
    pub(crate) async fn seen(&self, id: FlowId) -> CaseResult<Seen> {
        let seen = Seen::of(self.backend.as_ref(), id).await?;
        let faults = seen.faults();
        ensure!(faults.is_empty(), "the flow contradicts itself: {faults:#?}");
        Ok(seen)
    }

    /// The states of a flow's nodes, like `a completed, b ready`.
    pub(crate) async fn states(&self, id: FlowId) -> CaseResult<String> {
        let told = |node: &FlowNodeView| format!("{} {}", node.key, node.state);
        Ok(self.seen(id).await?.nodes.iter().map(told).collect::<Vec<_>>().join(", "))
    }

    /// The nodes stand like this.
    pub(crate) async fn assert_states(&self, id: FlowId, expected: &str) -> CaseResult {
        ensure_eq!(self.states(id).await?, expected, "the nodes of the flow");
        Ok(())
    }

    /// The flow stands like this.
    pub(crate) async fn assert_flow_is(&self, id: FlowId, state: FlowState) -> CaseResult {
        ensure_eq!(self.seen(id).await?.view.summary.state, state, "the state of the flow");
        Ok(())
    }
}

impl Seen {
    /// Reads all of a flow, its graph in pages.
    pub(crate) async fn of(
        backend: &dyn ff_engine::EngineBackend,
        id: FlowId,
    ) -> Result<Self, EngineError> {
        let view = backend.describe_flow(id).await?;
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        let mut request = ReadGraph::new(id);
        loop {
            let page = backend.read_graph(&request).await?;
            nodes.extend(page.nodes);
            edges.extend(page.edges);
            match page.next {
                Some(next) => request.from = next,
                None => return Ok(Self { view, nodes, edges }),
            }
        }
    }

    /// What does not fit together: every count of the flow and of its nodes, made again.
    pub(crate) fn faults(&self) -> Vec<String> {
        let (view, summary) = (&self.view, &self.view.summary);
        let mut counts = BTreeMap::<ExecutionState, u32>::new();
        for node in &self.nodes {
            *counts.entry(node.state).or_default() += 1;
        }
        let open = self.nodes.iter().filter(|node| !node.state.is_terminal()).count();
        let rules = [
            (view.counts == counts, "it counts the nodes by state"),
            (summary.nodes as usize == self.nodes.len(), "it counts the nodes"),
            (summary.open as usize == open, "it counts the open nodes"),
            (view.edges as usize == self.edges.len(), "it counts the edges"),
            ((summary.state == FlowState::Open) == (open > 0), "it is open while a node is"),
            (summary.ended_at.is_some() == summary.state.is_terminal(), "an end has a time"),
        ];
        let broken = rules.into_iter().filter(|(holds, _)| !holds);
        let mut faults: Vec<_> = broken.map(|(_, rule)| rule.to_owned()).collect();
        for node in &self.nodes {
            let [satisfied, impossible] = self.counted(node);
            let edges = node.dependencies;
            let total = self.edges.iter().filter(|edge| edge.to == node.index).count();
            if (edges.total as usize, edges.satisfied, edges.impossible)
                != (total, satisfied, impossible)
            {
                faults.push(format!("{}: {edges:?}, but {satisfied}/{impossible}", node.key));
            }
        }
        faults
    }

    /// How many edges into a node are satisfied and impossible by the states of its parents.
    fn counted(&self, node: &FlowNodeView) -> [u32; 2] {
        let mut counted = [0, 0];
        for edge in self.edges.iter().filter(|edge| edge.to == node.index) {
            let parent = self.nodes.get(edge.from as usize);
            if let Some(outcome) = parent.and_then(|parent| parent.state.outcome()) {
                counted[usize::from(!edge.condition.is_met_by(outcome))] += 1;
            }
        }
        counted
    }
}

/// How long flows of cases are kept, where that matters.
pub(crate) const RETENTION: Duration = Duration::from_secs(60);
