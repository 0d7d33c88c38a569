//! Flows as clients and operators see them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::CancelFlowPolicy;
use ff_types::{
    AttemptIndex, BudgetId, EdgeCondition, ExecutionId, ExecutionState, FlowId, FlowPolicy,
    FlowState, JoinPolicy, JoinRest, LaneId, NodeKey, Payload, Tags, TaskKind, TerminalOutcome,
    TimestampMs, limits,
};
use serde::{Deserialize, Serialize};

use super::read::page_size;
use crate::error::EngineError;
use crate::machine::{Dependencies, ExecutionRecord, FlowRecord, Node};

/// Everything about one flow but its graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowView {
    /// The line of a listing.
    pub summary: FlowSummary,
    /// What the failure of one node means for the others.
    pub policy: FlowPolicy,
    /// By when it must have ended.
    pub deadline: Option<TimestampMs>,
    /// How long it is kept after its end.
    pub retention: Duration,
    /// Its labels.
    pub tags: Tags,
    /// The execution that started it, if one did.
    pub parent: Option<ExecutionId>,
    /// The budgets that every node draws on.
    #[serde(default)]
    pub budgets: Vec<BudgetId>,
    /// Rises with every extension.
    pub revision: u64,
    /// How many edges it has.
    pub edges: u32,
    /// Why it was cancelled, and how far that goes.
    pub cancel: Option<FlowCancelView>,
    /// How many nodes are in each state; states without any are left out.
    pub counts: BTreeMap<ExecutionState, u32>,
    /// Up to 16 nodes that have not ended and wait for no parent: what the flow waits for.
    pub critical: Vec<FlowNodeView>,
}

/// One line of a listing of flows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowSummary {
    /// The id.
    pub flow_id: FlowId,
    /// Where it stands.
    pub state: FlowState,
    /// How many nodes it has.
    pub nodes: u32,
    /// How many of them have not ended.
    pub open: u32,
    /// When it was submitted, by the store's clock.
    pub submitted_at: TimestampMs,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
}

impl FlowSummary {
    /// A line of these parts. For backends.
    pub const fn new(
        flow_id: FlowId,
        state: FlowState,
        nodes: u32,
        open: u32,
        submitted_at: TimestampMs,
        ended_at: Option<TimestampMs>,
    ) -> Self {
        Self { flow_id, state, nodes, open, submitted_at, ended_at }
    }

    /// The line of a record.
    pub fn of(flow: &FlowRecord) -> Self {
        let run = &flow.run;
        let nodes = u32::try_from(flow.nodes.len()).unwrap_or(u32::MAX);
        Self::new(flow.id, run.state, nodes, run.open, flow.submitted_at, run.ended_at)
    }
}

/// The cancellation of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowCancelView {
    /// Who brought it about.
    pub cause: CancelCause,
    /// How far it goes.
    pub policy: CancelFlowPolicy,
    /// Why.
    pub reason: String,
    /// When it was asked for first.
    pub requested_at: TimestampMs,
}

impl FlowCancelView {
    /// A cancellation of these parts. For backends.
    pub const fn new(
        cause: CancelCause,
        policy: CancelFlowPolicy,
        reason: String,
        requested_at: TimestampMs,
    ) -> Self {
        Self { cause, policy, reason, requested_at }
    }
}

/// What brought the cancellation of a flow about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelCause {
    /// `cancel_flow`: the flow ends as `Cancelled`.
    Requested,
    /// A failure in a flow that fails fast: it ends as `Failed`.
    FailFast,
    /// Its deadline: it ends as `Failed`.
    Deadline,
}

impl FlowView {
    /// The view of a flow with these nodes, in the order of their indexes.
    pub fn of(flow: &FlowRecord, nodes: &[FlowNodeView]) -> Self {
        let mut counts = BTreeMap::new();
        for node in nodes {
            *counts.entry(node.state).or_default() += 1;
        }
        let is_critical =
            |node: &&FlowNodeView| !node.state.is_terminal() && node.dependencies.is_fired();
        let run = &flow.run;
        Self {
            summary: FlowSummary::of(flow),
            policy: flow.policy,
            deadline: run.deadline,
            retention: flow.retention,
            tags: flow.tags.clone(),
            parent: flow.parent,
            budgets: flow.budgets.clone(),
            revision: run.revision,
            edges: run.edges,
            cancel: run.cancel.as_deref().cloned(),
            counts,
            critical: nodes
                .iter()
                .filter(is_critical)
                .take(limits::FLOW_CRITICAL_MAX)
                .cloned()
                .collect(),
        }
    }
}

/// One node of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowNodeView {
    /// Its key.
    pub key: NodeKey,
    /// Its place among the nodes, counted from 0.
    pub index: u32,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// The lane.
    pub lane: LaneId,
    /// The task name.
    pub kind: TaskKind,
    /// Where the execution is in its life.
    pub state: ExecutionState,
    /// The latest attempt's index.
    pub attempt: Option<AttemptIndex>,
    /// How many edges have to be satisfied.
    pub join: JoinPolicy,
    /// What happens to the other parents then.
    pub rest: JoinRest,
    /// How its edges stand.
    pub dependencies: Dependencies,
}

impl FlowNodeView {
    /// A node of these parts. For backends that read no more than them.
    pub fn new(
        node: &Node,
        execution_id: ExecutionId,
        lane: LaneId,
        kind: TaskKind,
        state: ExecutionState,
        attempt: Option<AttemptIndex>,
        dependencies: Dependencies,
    ) -> Self {
        let (key, index, join, rest) = (node.key.clone(), node.index, node.join, node.rest);
        Self { key, index, execution_id, lane, kind, state, attempt, join, rest, dependencies }
    }

    /// The view of a member, or `None` of an execution that belongs to no flow.
    pub fn of(record: &ExecutionRecord) -> Option<Self> {
        let (submission, run) = (&record.submission, &record.run);
        Some(Self::new(
            record.node.as_deref()?,
            submission.id(),
            submission.lane.clone(),
            submission.kind().clone(),
            run.state,
            run.attempt.map(|attempt| attempt.index),
            run.dependencies,
        ))
    }
}

/// One edge of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowEdgeView {
    /// The index of the parent.
    pub from: u32,
    /// The index of the child.
    pub to: u32,
    /// Which end of the parent satisfies it.
    pub condition: EdgeCondition,
}

impl FlowEdgeView {
    /// An edge of these parts.
    pub const fn new(from: u32, to: u32, condition: EdgeCondition) -> Self {
        Self { from, to, condition }
    }
}

/// Asks for flows in the order of their ids.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ListFlows {
    /// Only these states; empty means every state.
    pub states: Vec<FlowState>,
    /// Only this tag.
    pub tag: Option<(String, String)>,
    /// Continues behind this place.
    pub cursor: Option<FlowCursor>,
    /// At most this many items, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListFlows {
    /// All flows, a hundred a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state to those listed.
    #[must_use]
    pub fn with_state(mut self, state: FlowState) -> Self {
        self.states.push(state);
        self
    }

    /// Only flows with this tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tag = Some((key.into(), value.into()));
        self
    }

    /// Continues behind `cursor`.
    #[must_use]
    pub const fn with_cursor(mut self, cursor: FlowCursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// At most `limit` items.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether the filters let this flow through.
    pub fn wants(&self, flow: &FlowRecord) -> bool {
        let tag = |(key, value): &(String, String)| flow.tags.get(key) == Some(value.as_str());
        (self.states.is_empty() || self.states.contains(&flow.run.state))
            && self.tag.as_ref().is_none_or(tag)
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        page_size(self.limit)
    }
}

/// A page of flows. It may hold fewer items than asked for, even none, and still have a successor.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct FlowPage {
    /// In the order of their ids.
    pub items: Vec<FlowSummary>,
    /// Where to go on; `None` when there is nothing behind.
    pub next: Option<FlowCursor>,
}

impl FlowPage {
    /// A page with its successor.
    pub const fn new(items: Vec<FlowSummary>, next: Option<FlowCursor>) -> Self {
        Self { items, next }
    }
}

/// A place in a listing of flows. Opaque and versioned; it stays valid when flows come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FlowCursor {
    after: FlowId,
}

impl FlowCursor {
    const PREFIX: &'static str = "f1.";

    /// The place behind `id`. For backends.
    pub const fn after(id: FlowId) -> Self {
        Self { after: id }
    }

    /// The last id in front of this place. For backends.
    pub const fn position(self) -> FlowId {
        self.after
    }
}

impl fmt::Display for FlowCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.after)
    }
}

impl FromStr for FlowCursor {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|id| id.parse().ok())
            .map(Self::after)
            .ok_or_else(|| EngineError::validation("cursor", "is not one this version made"))
    }
}

impl From<FlowCursor> for String {
    fn from(cursor: FlowCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for FlowCursor {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, EngineError> {
        text.parse()
    }
}

/// Asks for the graph of a flow, a run of nodes at a time. Indexes do not change, so that a number is
/// cursor enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadGraph {
    /// Which flow.
    pub flow_id: FlowId,
    /// The index of the first node.
    pub from: u32,
    /// At most this many nodes, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ReadGraph {
    /// The nodes from the first on.
    pub const fn new(flow_id: FlowId) -> Self {
        Self { flow_id, from: 0, limit: None }
    }

    /// From the node with this index on.
    #[must_use]
    pub const fn with_from(mut self, from: u32) -> Self {
        self.from = from;
        self
    }

    /// At most `limit` nodes.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        page_size(self.limit)
    }
}

/// A run of nodes with the edges that lead out of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GraphPage {
    /// The revision of the flow.
    pub revision: u64,
    /// The nodes.
    pub nodes: Vec<FlowNodeView>,
    /// Their outgoing edges, parent by parent.
    pub edges: Vec<FlowEdgeView>,
    /// The index of the node to go on with; `None` at the end.
    pub next: Option<u32>,
}

impl GraphPage {
    /// A page of these parts. For backends.
    pub const fn new(
        revision: u64,
        nodes: Vec<FlowNodeView>,
        edges: Vec<FlowEdgeView>,
        next: Option<u32>,
    ) -> Self {
        Self { revision, nodes, edges, next }
    }
}

/// Asks how the parents of a node ended, in the order of its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamRequest {
    /// The execution of the node.
    pub execution_id: ExecutionId,
    /// How many parents to pass over.
    pub from: u32,
    /// At most this many, 1..=256; as many when `None`.
    pub limit: Option<u32>,
}

impl UpstreamRequest {
    /// From the first parent on.
    pub const fn new(execution_id: ExecutionId) -> Self {
        Self { execution_id, from: 0, limit: None }
    }

    /// Passes over `from` parents.
    #[must_use]
    pub const fn with_from(mut self, from: u32) -> Self {
        self.from = from;
        self
    }

    /// At most `limit` parents.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        let limit = self.limit.unwrap_or(limits::UPSTREAM_PAGE_MAX);
        let max = limits::UPSTREAM_PAGE_MAX;
        if (1..=max).contains(&limit) {
            return Ok(limit as usize);
        }
        Err(EngineError::validation("limit", format!("must be within 1..={max}, is {limit}")))
    }
}

/// How some parents of a node ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UpstreamPage {
    /// In the order of the node's edges.
    pub items: Vec<UpstreamResult>,
    /// How many parents to pass over for what comes next; `None` at the end. A page ends early when
    /// its results have more than 4 MiB.
    pub next: Option<u32>,
}

impl UpstreamPage {
    /// A page with its successor.
    pub const fn new(items: Vec<UpstreamResult>, next: Option<u32>) -> Self {
        Self { items, next }
    }
}

/// How one parent ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UpstreamResult {
    /// Its key.
    pub key: NodeKey,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// How it ended; `None` while it has not.
    pub outcome: Option<TerminalOutcome>,
    /// What its handler returned, if it completed and returned something.
    pub payload: Option<Payload>,
}

impl UpstreamResult {
    /// The end of a parent in these parts. For backends.
    pub const fn new(
        key: NodeKey,
        execution_id: ExecutionId,
        outcome: Option<TerminalOutcome>,
        payload: Option<Payload>,
    ) -> Self {
        Self { key, execution_id, outcome, payload }
    }
}

/// The node that an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskNode {
    /// The flow.
    pub flow_id: FlowId,
    /// The node's key.
    pub key: NodeKey,
}

impl TaskNode {
    /// The node of this key.
    pub const fn new(flow_id: FlowId, key: NodeKey) -> Self {
        Self { flow_id, key }
    }

    /// The node that a record is, if it belongs to a flow.
    pub fn of(record: &ExecutionRecord) -> Option<Self> {
        record.node.as_deref().map(|node| Self::new(node.flow, node.key.clone()))
    }
}
