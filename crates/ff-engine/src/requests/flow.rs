//! Flows: what is handed in, cancelled and waited for.

use std::time::Duration;

use ff_types::backend::{CancelFlowPolicy, CancelFlowWait, Handle};
use ff_types::{
    BudgetId, EdgeCondition, ExecutionId, FlowId, FlowPolicy, FlowState, JoinPolicy, JoinRest,
    NodeKey, RequestId, Tags, TimestampMs, limits,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::attempt::validate_reason;
use super::flow_graph::check_graph;
use super::submit::{Submission, feed, feed_time};
use super::{SavedState, Task, millis, valid_time, validate_state};
use crate::error::EngineError;

/// A graph of executions to be made durable as a whole.
///
/// Like a submission it carries its id, so that a repeat after a lost answer has no second effect.
/// The executions get their ids from the flow: the node with index `i` is
/// [`FlowId::member`]`(i)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowSpec {
    id: FlowId,
    nodes: Vec<FlowNode>,
    edges: Vec<FlowEdge>,
    /// What the failure of one node means for the others.
    pub policy: FlowPolicy,
    /// All members that have not ended by then are cancelled, and the flow fails.
    pub deadline: Option<TimestampMs>,
    /// How long the flow and all its members are kept after its end. The retention of the members'
    /// own policies does not count.
    pub retention: Duration,
    /// Labels of the flow, for listing and for scanner filters.
    pub tags: Tags,
    parent: Option<FlowParent>,
    #[serde(default)]
    budgets: Vec<BudgetId>,
}

/// The running execution that a flow is started by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowParent {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its running attempt.
    pub handle: Handle,
}

/// One node: an execution, and when it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowNode {
    /// Unique in the flow.
    pub key: NodeKey,
    /// What runs. Its id is that of the flow's member; it has no idempotency key.
    pub submission: Submission,
    /// How many of its edges have to be satisfied.
    pub join: JoinPolicy,
    /// What happens to its other parents then.
    pub rest: JoinRest,
}

/// One edge, from a parent to a child.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowEdge {
    /// The parent.
    pub from: NodeKey,
    /// The child.
    pub to: NodeKey,
    /// Which end of the parent satisfies it.
    pub condition: EdgeCondition,
}

impl FlowNode {
    /// A node that runs once all its edges are satisfied, or at once when it has none.
    pub const fn new(key: NodeKey, submission: Submission) -> Self {
        Self { key, submission, join: JoinPolicy::All, rest: JoinRest::LetRun }
    }

    /// Runs once that many edges are satisfied.
    #[must_use]
    pub const fn with_join(mut self, join: JoinPolicy) -> Self {
        self.join = join;
        self
    }

    /// Decides what happens to the other parents.
    #[must_use]
    pub const fn with_rest(mut self, rest: JoinRest) -> Self {
        self.rest = rest;
        self
    }
}

impl FlowEdge {
    /// An edge that the parent's success satisfies.
    pub const fn new(from: NodeKey, to: NodeKey) -> Self {
        Self { from, to, condition: EdgeCondition::OnSuccess }
    }

    /// Satisfied by another end.
    #[must_use]
    pub const fn with_condition(mut self, condition: EdgeCondition) -> Self {
        self.condition = condition;
        self
    }
}

impl FlowSpec {
    /// A flow without nodes.
    pub fn new(id: FlowId) -> Self {
        Self {
            id,
            nodes: Vec::new(),
            edges: Vec::new(),
            policy: FlowPolicy::Isolate,
            deadline: None,
            retention: Duration::from_millis(limits::RETENTION_DEFAULT_MS),
            tags: Tags::new(),
            parent: None,
            budgets: Vec::new(),
        }
    }

    /// A flow without nodes that a running execution starts: its child flow. Its id takes the placement
    /// bits of the execution, so that a store can keep the two together.
    pub fn child_of(task: &Task, id: FlowId) -> Self {
        let mut spec = Self::new(id.with_shard(task.execution_id.shard()));
        let (execution_id, handle) = (task.execution_id, task.handle.clone());
        spec.parent = Some(FlowParent { execution_id, handle });
        spec
    }

    /// The execution that starts it, if one does.
    pub const fn parent(&self) -> Option<&FlowParent> {
        self.parent.as_ref()
    }

    /// The id.
    pub const fn id(&self) -> FlowId {
        self.id
    }

    /// The nodes, in the order of their indexes.
    pub fn nodes(&self) -> &[FlowNode] {
        &self.nodes
    }

    /// The edges.
    pub fn edges(&self) -> &[FlowEdge] {
        &self.edges
    }

    /// Lets every node that is added from now on, also by an extension, draw on these budgets. The id takes its
    /// placement bits from the first, unless that of a parent is given.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when the flow has nodes.
    pub fn with_budgets(
        mut self,
        budgets: impl IntoIterator<Item = BudgetId>,
    ) -> Result<Self, EngineError> {
        let places = self.budgets.is_empty() && self.parent.is_none();
        self = self.with_shared_budgets(budgets)?;
        if let Some(first) = self.budgets.first().filter(|_| places) {
            self.id = self.id.with_shard(first.shard());
        }
        Ok(self)
    }

    /// The same, and the flow stays where it is placed without them.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when the flow has nodes.
    pub fn with_shared_budgets(
        mut self,
        budgets: impl IntoIterator<Item = BudgetId>,
    ) -> Result<Self, EngineError> {
        let before = self.budgets.len();
        self.budgets.extend(budgets);
        named_before(&self.nodes, &self.budgets[before..]).map(|()| self)
    }

    /// The budgets that every node draws on.
    pub fn budgets(&self) -> &[BudgetId] {
        &self.budgets
    }

    /// Adds a node and answers the id that its execution has.
    pub fn add_node(&mut self, mut node: FlowNode) -> ExecutionId {
        node.submission.beside(&self.budgets);
        add(self.id, 0, &mut self.nodes, node)
    }

    /// Adds an edge.
    pub fn add_edge(&mut self, edge: FlowEdge) {
        self.edges.push(edge);
    }

    /// Adds a node.
    #[must_use]
    pub fn with_node(mut self, node: FlowNode) -> Self {
        self.add_node(node);
        self
    }

    /// Adds an edge.
    #[must_use]
    pub fn with_edge(mut self, edge: FlowEdge) -> Self {
        self.add_edge(edge);
        self
    }

    /// Decides what the failure of one node means for the others.
    #[must_use]
    pub const fn with_policy(mut self, policy: FlowPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Fails the flow unless it has ended by `at`.
    #[must_use]
    pub const fn with_deadline(mut self, at: TimestampMs) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Keeps flow and members this long after its end; at most 366 days.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Labels the flow.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// Checks every node and the graph.
    ///
    /// # Errors
    /// [`EngineError::Graph`] names the nodes at fault; [`EngineError::Validation`] and
    /// [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        if self.nodes.is_empty() {
            return Err(EngineError::validation("nodes", "must be at least one"));
        }
        let retention = millis(self.retention);
        if retention > limits::RETENTION_MAX_MS {
            let max = limits::RETENTION_MAX_MS;
            let problem = format!("must be within 0..={max} ms, is {retention}");
            return Err(EngineError::validation("retention", problem));
        }
        if let Some(at) = self.deadline {
            valid_time("deadline", at)?;
        }
        let parent = self.parent.as_ref();
        if parent.is_some_and(|parent| parent.execution_id.shard() != self.id.shard()) {
            return Err(EngineError::validation(
                "parent",
                "is no execution of the flow's placement",
            ));
        }
        self.nodes.iter().try_for_each(valid_node)?;
        let draws_on_them = |node: &FlowNode| node.submission.budgets().starts_with(&self.budgets);
        if !self.nodes.iter().all(draws_on_them) {
            let problem = "are not those that all nodes draw on first";
            return Err(EngineError::validation("budgets", problem));
        }
        check_graph(&[], &[], &self.nodes, &self.edges)
    }

    /// A 64-bit digest of everything, by which a repeat is told from another flow of the same id.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.id.to_bytes());
        feed_graph(&mut hash, &self.nodes, &self.edges);
        feed(&mut hash, self.policy.as_str().as_bytes());
        if let Some(parent) = &self.parent {
            hash.update(&parent.execution_id.to_bytes());
        }
        feed_time(&mut hash, self.deadline);
        hash.update(&millis(self.retention).to_le_bytes());
        for (key, value) in self.tags.iter() {
            feed(&mut hash, key.as_bytes());
            feed(&mut hash, value.as_bytes());
        }
        if !self.budgets.is_empty() {
            feed(&mut hash, b"budgets");
            self.budgets.iter().for_each(|budget| hash.update(&budget.to_bytes()));
        }
        hash.digest()
    }
}

/// Adds a node behind those that are there and `first` others.
pub(super) fn add(
    flow: FlowId,
    first: u32,
    nodes: &mut Vec<FlowNode>,
    mut node: FlowNode,
) -> ExecutionId {
    let index = first as usize + nodes.len();
    // Beyond the largest flow the index does not matter: the number of nodes is refused.
    let id = flow.member(u16::try_from(index).unwrap_or(u16::MAX));
    node.submission = node.submission.for_member(id);
    nodes.push(node);
    id
}

/// Budgets count for nodes that are added later.
pub(super) fn named_before(nodes: &[FlowNode], budgets: &[BudgetId]) -> Result<(), EngineError> {
    if nodes.is_empty() || budgets.is_empty() {
        return Ok(());
    }
    Err(EngineError::validation("budgets", "must be named before the nodes"))
}

pub(super) fn valid_node(node: &FlowNode) -> Result<(), EngineError> {
    node.submission.validate()?;
    if node.submission.idempotency().is_some() {
        let problem = "does not go with a flow, whose id makes a repeat harmless";
        return Err(EngineError::validation("idempotency", problem));
    }
    Ok(())
}

fn feed_graph(hash: &mut Xxh3, nodes: &[FlowNode], edges: &[FlowEdge]) {
    for node in nodes {
        feed(hash, node.key.as_str().as_bytes());
        hash.update(&node.submission.fingerprint().to_le_bytes());
        let (kind, count) = match node.join {
            JoinPolicy::All => (0, 0),
            JoinPolicy::Any => (1, 0),
            JoinPolicy::Quorum(count) => (2, count),
        };
        hash.update(&[kind]);
        hash.update(&count.to_le_bytes());
        feed(hash, node.rest.as_str().as_bytes());
    }
    for edge in edges {
        feed(hash, edge.from.as_str().as_bytes());
        feed(hash, edge.to.as_str().as_bytes());
        feed(hash, edge.condition.as_str().as_bytes());
    }
}

/// What became of a flow that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmittedFlow {
    /// The flow.
    pub flow_id: FlowId,
    /// Its revision, which an extension names.
    pub revision: u64,
}

impl SubmittedFlow {
    /// A flow in its first revision.
    pub const fn new(flow_id: FlowId) -> Self {
        Self { flow_id, revision: 1 }
    }
}

/// Cancels a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelFlow {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// Which one.
    pub flow_id: FlowId,
    /// How far it goes. A second request can only go further than the first.
    pub policy: CancelFlowPolicy,
    /// What the call waits for.
    pub wait: CancelFlowWait,
    /// Why; at most 1 KiB. Members that are cancelled by it show it.
    pub reason: String,
}

impl CancelFlow {
    /// Cancels what has not started, tells running workers to stop, and does not wait.
    pub fn new(request_id: RequestId, flow_id: FlowId, reason: impl Into<String>) -> Self {
        Self {
            request_id,
            flow_id,
            policy: CancelFlowPolicy::CancelAll,
            wait: CancelFlowWait::NoWait,
            reason: reason.into(),
        }
    }

    /// Goes this far.
    #[must_use]
    pub const fn with_policy(mut self, policy: CancelFlowPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Waits for the members' ends.
    #[must_use]
    pub const fn with_wait(mut self, wait: CancelFlowWait) -> Self {
        self.wait = wait;
        self
    }

    /// Checks the reason.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a reason over 1 KiB.
    pub fn validate(&self) -> Result<(), EngineError> {
        validate_reason(&self.reason)
    }
}

/// What became of the cancellation of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelFlowOutcome {
    /// No member starts a new attempt any more.
    Cancelled {
        /// How many members had not ended when the call returned.
        open: u32,
    },
    /// The flow had ended before.
    AlreadyEnded(FlowState),
}

/// Gives the lease back until a child flow has ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WaitChildren {
    /// The child flow.
    pub flow_id: FlowId,
    /// Saved for the resumed attempt, in place of what was saved before; at most 64 KiB.
    pub state: Option<SavedState>,
}

impl WaitChildren {
    /// Waits for the end of this flow.
    pub const fn new(flow_id: FlowId) -> Self {
        Self { flow_id, state: None }
    }

    /// Saves a state with it.
    #[must_use]
    pub fn with_state(mut self, state: SavedState) -> Self {
        self.state = Some(state);
        self
    }

    /// Checks the state.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a state over 64 KiB.
    pub fn validate(&self) -> Result<(), EngineError> {
        validate_state(self.state.as_ref())
    }
}

/// What became of the wait for a child flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitChildrenOutcome {
    /// The lease is given back. The attempt resumes when the flow has ended.
    Waiting,
    /// The flow has ended; the lease stays.
    AlreadyEnded(FlowState),
}

#[cfg(test)]
mod tests {
    use ff_types::{LaneId, Payload, TaskKind};

    use super::*;

    fn spec(own: Option<BudgetId>) -> FlowSpec {
        let (lane, kind) = (LaneId::new("lane").expect("valid"), TaskKind::new("a"));
        let (id, kind) = (ExecutionId::from_u128(1), kind.expect("valid"));
        let submission = Submission::new(id, lane, kind, Payload::new("text"));
        let submission = own.into_iter().fold(submission, Submission::with_budget);
        let key = NodeKey::new("a").expect("valid");
        FlowSpec::new(FlowId::from_u128(1)).with_node(FlowNode::new(key, submission))
    }

    #[test]
    fn a_text_whose_nodes_do_not_draw_on_its_budgets_is_refused() {
        let budget = BudgetId::from_u128(2).with_shard(FlowId::from_u128(1).shard());
        let with_budgets = |own| {
            let mut text = serde_json::to_value(spec(own)).expect("a flow is a value");
            text["budgets"] = serde_json::json!([budget]);
            serde_json::from_value::<FlowSpec>(text).expect("its budgets are a list")
        };
        with_budgets(Some(budget)).validate().expect("every node draws on them");

        let refused = with_budgets(None).validate().expect_err("no node draws on it");

        assert_eq!(refused.to_string(), "budgets are not those that all nodes draw on first");
    }
}
