//! What can go wrong, sorted by what a caller can do about it.

use std::borrow::Cow;
use std::fmt;

use ff_types::backend::HandleKind;
use ff_types::{
    BudgetId, ExecutionId, FlowId, FlowState, LaneId, NodeKey, ScheduleId, TerminalOutcome,
    TimestampMs, ValueError,
};

use crate::codes;

/// A cause from below the seam, kept for logs.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an operation had no effect, or an unknown one.
///
/// An outcome that a caller has to expect in the normal course of work (an empty lane, a repeated
/// submit) is a variant of that verb's outcome and never an error. No message holds a payload, a
/// token or a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Nothing of that name exists in this namespace, or its retention has passed.
    #[error("{entity}{} not found", .id.as_deref().map(|id| format!(" {id}")).unwrap_or_default())]
    NotFound {
        /// What was looked for.
        entity: Entity,
        /// Its id in text form, unless an id would tell a stranger something.
        id: Option<String>,
    },
    /// A value is malformed or out of range. Correct the call.
    #[error("{field} {problem}")]
    Validation {
        /// The field at fault.
        field: Cow<'static, str>,
        /// What is wrong with it; never the value itself.
        problem: Cow<'static, str>,
    },
    /// A value is larger than its limit. Make it smaller.
    #[error("{field} is {actual}, the limit is {limit}")]
    LimitExceeded {
        /// The field at fault.
        field: Cow<'static, str>,
        /// The limit, in the unit of the field (bytes or items).
        limit: u64,
        /// What was given.
        actual: u64,
    },
    /// Others changed the same thing too often at once. Repeat the call.
    #[error("{operation} lost to concurrent changes")]
    Contention {
        /// The verb.
        operation: &'static str,
    },
    /// The request contradicts something that already exists. Reconcile before repeating.
    #[error("{kind}: {execution}")]
    Conflict {
        /// What it contradicts.
        kind: ConflictKind,
        /// The execution that stands in the way.
        execution: ExecutionId,
    },
    /// The nodes and edges that were given are no flow. Correct them.
    #[error("the graph is not valid: {0}")]
    Graph(#[from] GraphProblem),
    /// The flow is not as the request supposes. Read it, and decide anew.
    #[error("flow {flow}: {kind}")]
    Flow {
        /// What stands in the way.
        kind: FlowProblem,
        /// The flow.
        flow: FlowId,
    },
    /// The id of the budget names one that was made with other content. Make it under another id, or
    /// adjust the one that is there.
    #[error("the id was used for another budget: {budget}")]
    BudgetConflict {
        /// The budget.
        budget: BudgetId,
    },
    /// The lane takes nothing new in. Submit to another, or once an operator has made it active.
    #[error("lane {lane} is draining: it takes nothing new in")]
    LaneDraining {
        /// The lane.
        lane: LaneId,
    },
    /// As many executions are ready in the lane as may be. Submit again when some have started.
    #[error("lane {lane} has {limit} executions ready, which is its limit")]
    LaneFull {
        /// The lane.
        lane: LaneId,
        /// Its `max_queued`.
        limit: u32,
    },
    /// The id of the schedule names one that was made with other content. Make it under another id, or
    /// adjust the one that is there.
    #[error("the id was used for another schedule: {schedule}")]
    ScheduleConflict {
        /// The schedule.
        schedule: ScheduleId,
    },
    /// Two secrets claim one key id. Give the new one an id of its own.
    #[error("key {kid} stands for another secret")]
    KeyConflict {
        /// The key id. Not secret.
        kid: String,
    },
    /// The execution is not in a state that allows this. A lease holder stops working.
    #[error("execution {execution}: {kind}")]
    State {
        /// Which state stands in the way.
        kind: StateKind,
        /// The execution.
        execution: ExecutionId,
    },
    /// The backend did not answer, or cannot take the call now. The outcome is unknown: repeat
    /// the same call with back-off; a repeat has no second effect.
    #[error("{operation}: {kind}")]
    Unavailable {
        /// Why there is no answer.
        kind: UnavailableKind,
        /// The verb.
        operation: &'static str,
        /// The failure below, where there is one.
        #[source]
        source: Option<BoxError>,
    },
    /// The store speaks another version, or does not take the credentials or settings. Upgrade one side, or
    /// correct them.
    #[error("incompatible store: {problem}")]
    Incompatible {
        /// What differs and what to change.
        problem: String,
    },
    /// A stored record cannot be read. Nothing was changed; an operator has to look.
    #[error("corrupt record: {what}")]
    Corrupt {
        /// Which record, and what is wrong with it.
        what: String,
    },
    /// A defect of the backend itself.
    #[error("internal error: {problem}")]
    Internal {
        /// What was found impossible.
        problem: String,
    },
}

/// What a [`EngineError::NotFound`] was looking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entity {
    /// An execution.
    Execution,
    /// A waitpoint that the given token may signal.
    Waitpoint,
    /// A flow.
    Flow,
    /// A budget.
    Budget,
    /// A schedule.
    Schedule,
    /// A node of a flow.
    Node,
}

/// What is wrong with nodes and edges.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphProblem {
    /// An edge names a node that is not there.
    UnknownNode {
        /// Its key.
        key: NodeKey,
    },
    /// Two nodes have one key.
    DuplicateNode {
        /// The key.
        key: NodeKey,
    },
    /// Two edges lead from one node to the same other.
    DuplicateEdge {
        /// The parent.
        from: NodeKey,
        /// The child.
        to: NodeKey,
    },
    /// An edge leads from a node to itself.
    SelfEdge {
        /// Its key.
        key: NodeKey,
    },
    /// Nodes depend on each other in a circle.
    Cycle {
        /// The circle, edge by edge; the last node is the first.
        path: Vec<NodeKey>,
    },
    /// A node asks for more parents than it has, or for none.
    Quorum {
        /// Its key.
        key: NodeKey,
        /// How many it asks for.
        quorum: u32,
        /// How many it has.
        parents: u32,
    },
    /// An edge leads into a node that has started or ended.
    NodeStarted {
        /// Its key.
        key: NodeKey,
    },
}

/// Why a flow does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowProblem {
    /// The id names a flow that was submitted with other content.
    Id,
    /// It was changed meanwhile.
    Revision {
        /// The revision that it has.
        actual: u64,
    },
    /// It has ended.
    Ended {
        /// How.
        state: FlowState,
    },
    /// It is being cancelled.
    Cancelled,
}

/// What a [`EngineError::Conflict`] contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictKind {
    /// The id of the submission names an execution that was submitted with other content.
    SubmissionId,
    /// The idempotency key belongs to an execution that ended, and the submission rejects that.
    IdempotencyKey,
}

/// Which state stands in the way of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateKind {
    /// A later lease exists: this one was taken over.
    StaleLease,
    /// The lease ran out by the store's clock.
    LeaseExpired,
    /// An operator took the lease away.
    LeaseRevoked,
    /// A cancellation is pending: stop, then cancel with the handle.
    CancelRequested,
    /// The execution ended.
    AlreadyTerminal {
        /// How it ended.
        outcome: TerminalOutcome,
    },
    /// This lease was given back before, by a different call.
    AlreadyReleased {
        /// What that call did, which stands.
        released: Released,
    },
    /// The operation needs an execution that ended, and this one has not.
    NotTerminal,
    /// The handle is of a kind this operation does not take.
    HandleKind {
        /// The kind that was given.
        kind: HandleKind,
    },
    /// The reclaim token was used, has expired or was withdrawn.
    ReclaimTokenVoid,
    /// The node's parents ended so that it cannot run.
    DependenciesUnmet,
}

/// What the release of a lease did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// The execution ended.
    Ended(TerminalOutcome),
    /// The attempt failed and another was scheduled.
    RetryScheduled {
        /// When it is ready.
        delay_until: TimestampMs,
    },
    /// The attempt pauses.
    Delayed {
        /// When it is ready to resume.
        until: TimestampMs,
    },
    /// The attempt waits for signals.
    Suspended,
    /// The attempt waits for a child flow.
    WaitingChildren,
}

/// Why a backend gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableKind {
    /// The connection failed or the backend is not ready.
    Unreachable,
    /// No answer within the request timeout.
    Timeout,
    /// The backend has no room for new work; draining goes on.
    Full,
}

impl EngineError {
    /// A malformed or out-of-range `field`; `problem` continues the sentence that starts with the
    /// field's name.
    pub fn validation(
        field: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Validation { field: field.into(), problem: problem.into() }
    }

    /// A budget is given a limit in a dimension that it does not count. For backends.
    pub fn dimension_not_counted(name: &str) -> Self {
        Self::validation(format!("limits.{name}"), "is no dimension that the budget counts")
    }

    /// The number of a frame does not rise above the highest, and is none of those remembered. For
    /// backends.
    pub fn frame_number(highest: impl fmt::Display) -> Self {
        let problem = format!(
            "must rise within the attempt: it has reached {highest}, and this is none of the latest"
        );
        Self::validation("seq", problem)
    }

    /// No such execution.
    pub fn execution_not_found(id: ExecutionId) -> Self {
        Self::NotFound { entity: Entity::Execution, id: Some(id.to_string()) }
    }

    /// No such flow.
    pub fn flow_not_found(id: FlowId) -> Self {
        Self::NotFound { entity: Entity::Flow, id: Some(id.to_string()) }
    }

    /// No such budget.
    pub fn budget_not_found(id: BudgetId) -> Self {
        Self::NotFound { entity: Entity::Budget, id: Some(id.to_string()) }
    }

    /// No such schedule.
    pub fn schedule_not_found(id: ScheduleId) -> Self {
        Self::NotFound { entity: Entity::Schedule, id: Some(id.to_string()) }
    }

    /// The flow does not take the request.
    pub const fn flow(kind: FlowProblem, flow: FlowId) -> Self {
        Self::Flow { kind, flow }
    }

    /// No waitpoint that this token may signal. Wrong, expired, foreign and retired tokens and
    /// unknown waitpoints all get this one answer, which says nothing else.
    pub const fn waitpoint_not_found() -> Self {
        Self::NotFound { entity: Entity::Waitpoint, id: None }
    }

    /// The execution's state forbids the operation.
    pub const fn state(kind: StateKind, execution: ExecutionId) -> Self {
        Self::State { kind, execution }
    }

    /// The stable lowercase code of this error, one of [`crate::CODES`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { entity: Entity::Execution, .. } => codes::EXECUTION_NOT_FOUND,
            Self::NotFound { entity: Entity::Waitpoint, .. } => codes::WAITPOINT_NOT_FOUND,
            Self::NotFound { entity: Entity::Flow, .. } => codes::FLOW_NOT_FOUND,
            Self::NotFound { entity: Entity::Budget, .. } => codes::BUDGET_NOT_FOUND,
            Self::NotFound { entity: Entity::Schedule, .. } => codes::SCHEDULE_NOT_FOUND,
            Self::NotFound { entity: Entity::Node, .. } => codes::NODE_NOT_FOUND,
            Self::Graph(problem) => problem.code(),
            Self::Flow { kind, .. } => kind.code(),
            Self::Validation { .. } => codes::VALIDATION,
            Self::LimitExceeded { .. } => codes::LIMIT_EXCEEDED,
            Self::Contention { .. } => codes::CONTENTION,
            Self::Conflict { kind, .. } => kind.code(),
            Self::BudgetConflict { .. } => codes::CONFLICT_BUDGET_ID,
            Self::LaneDraining { .. } => codes::LANE_DRAINING,
            Self::LaneFull { .. } => codes::LANE_FULL,
            Self::ScheduleConflict { .. } => codes::CONFLICT_SCHEDULE_ID,
            Self::KeyConflict { .. } => codes::KEY_CONFLICT,
            Self::State { kind, .. } => kind.code(),
            Self::Unavailable { kind, .. } => kind.code(),
            Self::Incompatible { .. } => codes::INCOMPATIBLE,
            Self::Corrupt { .. } => codes::CORRUPT,
            Self::Internal { .. } => codes::INTERNAL,
        }
    }

    /// Whether the same call may succeed when repeated as it is.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Contention { .. } | Self::Unavailable { .. })
    }

    /// The state that stands in the way, when that is what this error says.
    pub const fn state_kind(&self) -> Option<StateKind> {
        match self {
            Self::State { kind, .. } => Some(*kind),
            _ => None,
        }
    }
}

impl ConflictKind {
    const fn code(self) -> &'static str {
        match self {
            Self::SubmissionId => codes::CONFLICT_SUBMISSION_ID,
            Self::IdempotencyKey => codes::CONFLICT_IDEMPOTENCY_KEY,
        }
    }
}

impl GraphProblem {
    const fn code(&self) -> &'static str {
        match self {
            Self::UnknownNode { .. } => codes::GRAPH_UNKNOWN_NODE,
            Self::DuplicateNode { .. } => codes::GRAPH_DUPLICATE_NODE,
            Self::DuplicateEdge { .. } => codes::GRAPH_DUPLICATE_EDGE,
            Self::SelfEdge { .. } => codes::GRAPH_SELF_EDGE,
            Self::Cycle { .. } => codes::GRAPH_CYCLE,
            Self::Quorum { .. } => codes::GRAPH_QUORUM,
            Self::NodeStarted { .. } => codes::GRAPH_NODE_STARTED,
        }
    }
}

impl FlowProblem {
    const fn code(self) -> &'static str {
        match self {
            Self::Id => codes::CONFLICT_FLOW_ID,
            Self::Revision { .. } => codes::CONFLICT_FLOW_REVISION,
            Self::Ended { .. } => codes::FLOW_ENDED,
            Self::Cancelled => codes::FLOW_CANCELLED,
        }
    }
}

impl StateKind {
    const fn code(self) -> &'static str {
        match self {
            Self::StaleLease => codes::STALE_LEASE,
            Self::LeaseExpired => codes::LEASE_EXPIRED,
            Self::LeaseRevoked => codes::LEASE_REVOKED,
            Self::CancelRequested => codes::CANCEL_REQUESTED,
            Self::AlreadyTerminal { .. } => codes::ALREADY_TERMINAL,
            Self::AlreadyReleased { .. } => codes::ALREADY_RELEASED,
            Self::NotTerminal => codes::NOT_TERMINAL,
            Self::HandleKind { .. } => codes::HANDLE_KIND,
            Self::ReclaimTokenVoid => codes::RECLAIM_TOKEN_VOID,
            Self::DependenciesUnmet => codes::DEPENDENCIES_UNMET,
        }
    }
}

impl UnavailableKind {
    const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => codes::UNAVAILABLE,
            Self::Timeout => codes::UNAVAILABLE_TIMEOUT,
            Self::Full => codes::UNAVAILABLE_FULL,
        }
    }
}

impl From<ValueError> for EngineError {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::TooLong { field, limit, actual }
            | ValueError::TooMany { field, limit, actual } => {
                Self::LimitExceeded { field: field.into(), limit, actual }
            }
            ValueError::Malformed { field, expected } => {
                Self::validation(field, format!("must be {expected}"))
            }
            ValueError::OutOfRange { field, unit, min, max, actual } => {
                let problem = format!("must be within {min}..={max}{unit}, is {actual}{unit}");
                Self::validation(field, problem)
            }
            other => Self::validation(other.field(), "is not valid"),
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Execution => "execution",
            Self::Waitpoint => "waitpoint",
            Self::Flow => "flow",
            Self::Budget => "budget",
            Self::Schedule => "schedule",
            Self::Node => "node",
        })
    }
}

impl std::error::Error for GraphProblem {}

impl fmt::Display for GraphProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownNode { key } => write!(f, "an edge names node {key}, which is not there"),
            Self::DuplicateNode { key } => write!(f, "two nodes have the key {key}"),
            Self::DuplicateEdge { from, to } => write!(f, "two edges lead from {from} to {to}"),
            Self::SelfEdge { key } => write!(f, "an edge leads from {key} to itself"),
            Self::Cycle { path } => {
                f.write_str("nodes depend on each other in a circle: ")?;
                for (place, key) in path.iter().enumerate() {
                    let arrow = if place == 0 { "" } else { " -> " };
                    write!(f, "{arrow}{key}")?;
                }
                Ok(())
            }
            Self::Quorum { key, quorum, parents } => {
                write!(f, "node {key} asks for {quorum} of its {parents} parents")
            }
            Self::NodeStarted { key } => {
                write!(f, "an edge leads into node {key}, which has started or ended")
            }
        }
    }
}

impl fmt::Display for FlowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("the id was submitted with other content"),
            Self::Revision { actual } => write!(f, "it stands at revision {actual}"),
            Self::Ended { state } => write!(f, "it has ended: {state}"),
            Self::Cancelled => f.write_str("it is being cancelled"),
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SubmissionId => "the id was submitted with other content",
            Self::IdempotencyKey => "the idempotency key belongs to an execution that ended",
        })
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleLease => f.write_str("the lease was taken over"),
            Self::LeaseExpired => f.write_str("the lease has expired"),
            Self::LeaseRevoked => f.write_str("the lease was revoked"),
            Self::CancelRequested => f.write_str("a cancellation is pending"),
            Self::AlreadyTerminal { outcome } => write!(f, "already ended: {outcome}"),
            Self::AlreadyReleased { released } => {
                write!(f, "the lease was given back before: {released}")
            }
            Self::NotTerminal => f.write_str("has not ended"),
            Self::HandleKind { kind } => {
                write!(f, "a {} handle is not accepted here", kind.as_str())
            }
            Self::ReclaimTokenVoid => {
                f.write_str("the reclaim token is used, expired or withdrawn")
            }
            Self::DependenciesUnmet => f.write_str("its parents ended so that it cannot run"),
        }
    }
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(outcome) => write!(f, "{outcome}"),
            Self::RetryScheduled { delay_until } => write!(f, "retry scheduled at {delay_until}"),
            Self::Delayed { until } => write!(f, "delayed until {until}"),
            Self::Suspended => f.write_str("suspended"),
            Self::WaitingChildren => f.write_str("waiting for a child flow"),
        }
    }
}

impl fmt::Display for UnavailableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the backend is unreachable",
            Self::Timeout => "the backend did not answer in time",
            Self::Full => "the backend has no room for new work",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_found_is_named_unless_that_says_too_much() {
        let execution = EngineError::execution_not_found(ExecutionId::from_u128(7));
        let waitpoint = EngineError::waitpoint_not_found();

        assert_eq!(execution.to_string(), format!("execution {:032x} not found", 7));
        assert_eq!(waitpoint.to_string(), "waitpoint not found");
        assert_eq!(waitpoint.code(), "waitpoint_not_found");
        assert!(!waitpoint.is_retryable());
    }
}
