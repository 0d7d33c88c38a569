//! How workers ask for work, and what they are given.

use ff_types::backend::{
    BackendTag, CapabilitySet, ClaimPolicy, Handle, HandleKind, ReclaimToken, ScannerFilter,
};
use ff_types::{
    AttemptIndex, ExecutionId, LaneId, Payload, RequestId, Tags, TaskKind, TimestampMs,
    WorkerInstanceId, limits,
};
use serde::{Deserialize, Serialize};

use super::{Occurrence, SavedState, TaskNode};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::machine::ExecutionRecord;

/// Asks for ready executions of one lane.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// Names this claim. Repeat a claim whose answer was lost under the same id; use a new id
    /// for the next claim. One instance has one claim at a time per lane.
    pub request_id: RequestId,
    /// Where to look.
    pub lane: LaneId,
    /// What this worker offers.
    pub capabilities: CapabilitySet,
    /// Who claims, for how long, how many, and how long to wait.
    pub policy: ClaimPolicy,
    /// Which reclaim tokens the answer may hold beside fresh tasks; none when `None`.
    pub reclaims: Option<ScannerFilter>,
}

impl ClaimRequest {
    /// A claim of fresh tasks.
    pub const fn new(
        request_id: RequestId,
        lane: LaneId,
        capabilities: CapabilitySet,
        policy: ClaimPolicy,
    ) -> Self {
        Self { request_id, lane, capabilities, policy, reclaims: None }
    }

    /// Also takes, in the same order of priority and age, what the reclaim scanner would hand out
    /// under `filter`, as tokens. One waiting claim then serves both kinds of work. Fresh tasks are
    /// not filtered.
    #[must_use]
    pub fn with_reclaims(mut self, filter: ScannerFilter) -> Self {
        self.reclaims = Some(filter);
        self
    }

    /// Checks the policy against its limits.
    pub fn validate(&self) -> Result<(), EngineError> {
        Ok(self.policy.validate()?)
    }
}

/// What a claim found. Both lists are empty when the lane had nothing for this worker.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ClaimOutcome {
    /// Tasks to run now, best first.
    pub tasks: Vec<Task>,
    /// Tokens for [`crate::ClaimOps::claim_from_reclaim`], best first.
    pub reclaims: Vec<ReclaimToken>,
}

impl ClaimOutcome {
    /// An outcome of these tasks and tokens.
    pub const fn new(tasks: Vec<Task>, reclaims: Vec<ReclaimToken>) -> Self {
        Self { tasks, reclaims }
    }

    /// Whether the claim got nothing.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.reclaims.is_empty()
    }
}

/// A claimed execution with all a worker needs to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Task {
    /// The cookie that every operation on this attempt takes.
    pub handle: Handle,
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lane it came from.
    pub lane: LaneId,
    /// The task name that selects the handler.
    pub kind: TaskKind,
    /// The payload as submitted.
    pub payload: Payload,
    /// Which attempt this is.
    pub attempt: AttemptIndex,
    /// The submission's priority.
    pub priority: i8,
    /// The submission's tags.
    pub tags: Tags,
    /// The node that it is, if it belongs to a flow.
    pub node: Option<TaskNode>,
    /// The occurrence that it is, if a schedule submitted it.
    pub occurrence: Option<Occurrence>,
    /// Retries used so far.
    pub retries: u32,
    /// Leases lost so far.
    pub reclaims: u32,
    /// When the lease runs out unless renewed, by the store's clock.
    pub lease_expires_at: TimestampMs,
    /// How long the lease lasts from now, in ms; free of clock differences.
    pub lease_ttl_ms: u64,
    /// By when the execution must have ended.
    pub deadline: Option<TimestampMs>,
    /// What an earlier lease saved for this one.
    pub state: Option<SavedState>,
}

impl Task {
    /// The task of a record that holds a lease, or `None` when it holds none. For backends.
    pub fn of(
        record: &ExecutionRecord,
        backend: BackendTag,
        kind: HandleKind,
        now: TimestampMs,
    ) -> Option<Self> {
        let submission = &record.submission;
        let run = &record.run;
        let lease = run.lease.as_ref()?;
        let fence = Fence {
            execution: submission.id(),
            attempt: lease.attempt,
            epoch: run.epoch,
            lease: lease.id,
        };
        Some(Self {
            handle: fence.handle(backend, kind),
            execution_id: submission.id(),
            lane: submission.lane.clone(),
            kind: submission.kind().clone(),
            payload: submission.payload.clone(),
            attempt: lease.attempt,
            priority: submission.priority,
            tags: submission.tags.clone(),
            node: TaskNode::of(record),
            occurrence: submission.occurrence(),
            retries: run.retries,
            reclaims: run.reclaims,
            lease_expires_at: lease.expires_at,
            lease_ttl_ms: super::millis(lease.expires_at.saturating_since(now)),
            deadline: run.deadline,
            state: run.saved_state.clone(),
        })
    }
}

/// Asks the reclaim scanner for executions whose lease was lost or whose wait is over.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReclaimRequest {
    /// Names this request; see [`ClaimRequest::request_id`].
    pub request_id: RequestId,
    /// Who asks.
    pub instance: WorkerInstanceId,
    /// Where to look.
    pub lane: LaneId,
    /// What this worker offers.
    pub capabilities: CapabilitySet,
    /// At most this many tokens, 1..=256.
    pub max_tokens: u32,
    /// Skips what the filter does not match.
    pub filter: ScannerFilter,
}

impl ReclaimRequest {
    /// A request for one token, unfiltered.
    pub fn new(
        request_id: RequestId,
        instance: WorkerInstanceId,
        lane: LaneId,
        capabilities: CapabilitySet,
    ) -> Self {
        Self {
            request_id,
            instance,
            lane,
            capabilities,
            max_tokens: 1,
            filter: ScannerFilter::NOOP,
        }
    }

    /// At most `max_tokens` tokens.
    #[must_use]
    pub const fn with_max_tokens(mut self, max_tokens: u32) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Skips what `filter` does not match.
    #[must_use]
    pub fn with_filter(mut self, filter: ScannerFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Checks the number of tokens.
    pub fn validate(&self) -> Result<(), EngineError> {
        let max = limits::CLAIM_MAX_TASKS;
        if (1..=max).contains(&self.max_tokens) {
            return Ok(());
        }
        let problem = format!("must be within 1..={max}, is {}", self.max_tokens);
        Err(EngineError::validation("max_tokens", problem))
    }
}
