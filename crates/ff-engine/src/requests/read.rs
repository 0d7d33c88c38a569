//! How clients and operators look.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::CapabilitySet;
use ff_types::{
    BudgetId, ExecutionId, ExecutionState, FlowId, LaneId, Payload, TaskKind, TerminalOutcome,
    TimestampMs, WorkerId, WorkerInstanceId, limits,
};
use serde::{Deserialize, Serialize};

use super::lane::LaneBarrier;
use super::valid_wait;
use super::view::{ExecutionSummary, FailureView};
use crate::error::EngineError;
use crate::machine::ExecutionRecord;

/// Asks for executions in the order of their ids, which is the order of their making.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ListRequest {
    /// Only these states; empty means every state.
    pub states: Vec<ExecutionState>,
    /// Only this lane.
    pub lane: Option<LaneId>,
    /// Only this kind.
    pub kind: Option<TaskKind>,
    /// Only this tag.
    pub tag: Option<(String, String)>,
    /// Continues behind this place.
    pub cursor: Option<Cursor>,
    /// At most this many items, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListRequest {
    /// All executions, a hundred a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state to those listed.
    #[must_use]
    pub fn with_state(mut self, state: ExecutionState) -> Self {
        self.states.push(state);
        self
    }

    /// Only this lane.
    #[must_use]
    pub fn with_lane(mut self, lane: LaneId) -> Self {
        self.lane = Some(lane);
        self
    }

    /// Only this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: TaskKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only executions with this tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tag = Some((key.into(), value.into()));
        self
    }

    /// Continues behind `cursor`.
    #[must_use]
    pub const fn with_cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// At most `limit` items.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whether the filters let this record through.
    pub fn wants(&self, record: &ExecutionRecord) -> bool {
        let submission = &record.submission;
        let tag =
            |(key, value): &(String, String)| submission.tags.get(key) == Some(value.as_str());
        (self.states.is_empty() || self.states.contains(&record.run.state))
            && self.lane.as_ref().is_none_or(|lane| *lane == submission.lane)
            && self.kind.as_ref().is_none_or(|kind| kind == submission.kind())
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

/// The page size that `limit` asks for.
pub(super) fn page_size(limit: Option<u32>) -> Result<usize, EngineError> {
    let limit = limit.unwrap_or(limits::LIST_LIMIT_DEFAULT);
    let max = limits::LIST_LIMIT_MAX;
    if (1..=max).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(EngineError::validation("limit", format!("must be within 1..={max}, is {limit}")))
}

/// A page of executions. A page may hold fewer items than asked for, even none, and still have a
/// successor: one call examines a bounded number of records.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ListPage {
    /// In the order of their ids.
    pub items: Vec<ExecutionSummary>,
    /// Where to go on; `None` when there is nothing behind.
    pub next: Option<Cursor>,
}

impl ListPage {
    /// A page with its successor.
    pub const fn new(items: Vec<ExecutionSummary>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }
}

/// A place in a listing. Opaque and versioned; it stays valid when records come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cursor {
    after: ExecutionId,
}

impl Cursor {
    const PREFIX: &'static str = "v1.";

    /// The place behind `id`. For backends.
    pub const fn after(id: ExecutionId) -> Self {
        Self { after: id }
    }

    /// The last id in front of this place. For backends.
    pub const fn position(self) -> ExecutionId {
        self.after
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.after)
    }
}

impl FromStr for Cursor {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|id| id.parse().ok())
            .map(Self::after)
            .ok_or_else(|| EngineError::validation("cursor", "is not one this version made"))
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for Cursor {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, EngineError> {
        text.parse()
    }
}

/// Asks how an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultRequest {
    /// Which one.
    pub execution_id: ExecutionId,
    /// Waits this long for the end inside the backend; at most 60 s. `None` never waits.
    pub max_wait: Option<Duration>,
}

impl ResultRequest {
    /// Asks without waiting.
    pub const fn new(execution_id: ExecutionId) -> Self {
        Self { execution_id, max_wait: None }
    }

    /// Waits up to `max_wait` for the end.
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Checks the wait.
    pub fn validate(&self) -> Result<(), EngineError> {
        valid_wait(self.max_wait)
    }
}

/// How an execution stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ResultOutcome {
    /// It has not ended.
    Pending(ExecutionState),
    /// It ended.
    Ended(ExecutionResult),
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExecutionResult {
    /// The terminal state.
    pub outcome: TerminalOutcome,
    /// What the handler returned; only of completed executions that returned something.
    pub payload: Option<Payload>,
    /// The failure that ended it; only of failed executions.
    pub failure: Option<FailureView>,
    /// Why it was cancelled; only of cancelled executions.
    pub cancel_reason: Option<String>,
    /// When it ended.
    pub ended_at: TimestampMs,
}

impl ExecutionResult {
    /// The end of a record, or `None` while it has not ended.
    pub fn of(record: &ExecutionRecord) -> Option<Self> {
        let run = &record.run;
        let outcome = run.state.outcome()?;
        Some(Self {
            outcome,
            payload: run.result.clone(),
            failure: match outcome {
                TerminalOutcome::Failed => run.last_failure.as_deref().cloned(),
                _ => None,
            },
            cancel_reason: match outcome {
                TerminalOutcome::Cancelled => run.cancel.as_ref().map(|c| c.reason.clone()),
                _ => None,
            },
            ended_at: run.ended_at?,
        })
    }
}

/// Why an execution is not running, and when that will change by itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// Its state.
    pub state: ExecutionState,
    /// The first reason that stands in the way.
    pub reason: ExplainReason,
    /// When time alone clears the reason; `None` when an event has to.
    pub clears_at: Option<TimestampMs>,
}

impl Explanation {
    /// An explanation of these parts.
    pub const fn new(
        state: ExecutionState,
        reason: ExplainReason,
        clears_at: Option<TimestampMs>,
    ) -> Self {
        Self { state, reason, clears_at }
    }
}

/// A reason why an execution is not running.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ExplainReason {
    /// It has ended.
    Ended(TerminalOutcome),
    /// It is running.
    Running {
        /// The worker that holds the lease.
        worker: WorkerId,
        /// That worker's instance.
        instance: WorkerInstanceId,
    },
    /// The lease ran out or the deadline passed, and maintenance has not handled it yet.
    AwaitingMaintenance,
    /// An operator holds it.
    Held,
    /// It is a node whose parents have not ended as it needs.
    AwaitingParents {
        /// How many of its edges are open.
        open: u32,
        /// How many edges it has.
        total: u32,
    },
    /// It waits for room in a budget: until that is raised, starts from nothing, or gets back what running
    /// attempts have reserved.
    AwaitingBudget {
        /// The budget.
        budget_id: BudgetId,
        /// Whether what is used leaves it no room even when everything that is reserved comes back.
        used_up: bool,
    },
    /// It waits for its start, its retry or the end of its pause.
    Delayed,
    /// It is suspended and waits for signals.
    Suspended {
        /// For how many waitpoints it waits that are still open.
        waitpoints: u32,
    },
    /// It waits for the end of a child flow.
    AwaitingChildFlow {
        /// The flow.
        flow_id: FlowId,
    },
    /// A reclaim token is out for it.
    TokenOutstanding,
    /// It is ready, and its lane hands it out to nobody.
    LaneClosed {
        /// The lane.
        lane: LaneId,
        /// Why not.
        barrier: LaneBarrier,
    },
    /// It is ready, and no live worker offers what it requires: none that has claimed in its lane within the last
    /// 2 min, waits there, or holds a lease from there.
    NoCapableWorker {
        /// The lane.
        lane: LaneId,
        /// What a worker must offer.
        requires: CapabilitySet,
        /// What of it no live worker offers; empty when each is offered, but not all by one worker.
        missing: CapabilitySet,
    },
    /// It waits in its lane for a worker that asks the reclaim scanner and offers what it requires.
    AwaitingReclaim {
        /// The lane.
        lane: LaneId,
        /// What a worker must offer.
        requires: CapabilitySet,
    },
    /// It waits in its lane for a worker that offers what it requires.
    Queued {
        /// The lane.
        lane: LaneId,
        /// What a worker must offer.
        requires: CapabilitySet,
        /// How many ready executions with the same requirements are in front, counted up to
        /// 1,000.
        ahead: u32,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.state, self.reason)?;
        match self.clears_at {
            Some(at) => write!(f, ", until {at}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ExplainReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offers = |requires: &CapabilitySet| match requires.as_str() {
            "" => String::new(),
            tokens => format!(" that offers {tokens}"),
        };
        match self {
            Self::Ended(outcome) => write!(f, "it has ended: {outcome}"),
            Self::Running { worker, .. } => write!(f, "worker {worker} is running it"),
            Self::AwaitingMaintenance => f.write_str("something is due that no tick has handled"),
            Self::Held => f.write_str("an operator holds it"),
            Self::AwaitingParents { open, total } => {
                write!(f, "it waits for parents: {open} of its {total} edges are open")
            }
            Self::AwaitingBudget { budget_id, used_up: false } => {
                write!(f, "it waits for room in budget {budget_id}")
            }
            Self::AwaitingBudget { budget_id, used_up: true } => {
                write!(
                    f,
                    "it needs more than is left of budget {budget_id}, which has to be raised "
                )?;
                f.write_str("or to start from nothing")
            }
            Self::Delayed => f.write_str("it is delayed"),
            Self::Suspended { waitpoints: 1 } => {
                f.write_str("it is suspended, and waits for the signals of a waitpoint")
            }
            Self::Suspended { waitpoints } => {
                write!(f, "it is suspended, and waits for the signals of {waitpoints} waitpoints")
            }
            Self::AwaitingChildFlow { flow_id } => write!(f, "it waits for child flow {flow_id}"),
            Self::TokenOutstanding => f.write_str("a reclaim token is out for it"),
            Self::LaneClosed { lane, barrier } => write!(f, "its lane {lane} {barrier}"),
            Self::NoCapableWorker { lane, requires, missing } if missing.is_empty() => {
                write!(f, "no live worker of lane {lane} offers all of {requires}")
            }
            Self::NoCapableWorker { lane, missing, .. } => {
                write!(f, "no live worker of lane {lane} offers {missing}")
            }
            Self::AwaitingReclaim { lane, requires } => {
                write!(
                    f,
                    "it waits on lane {lane} for a worker{} and takes reclaims",
                    offers(requires)
                )
            }
            Self::Queued { lane, requires, ahead } => {
                let offers = offers(requires);
                write!(f, "it waits on lane {lane} for a worker{offers}; {ahead} are ahead of it")
            }
        }
    }
}
