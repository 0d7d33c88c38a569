//! An execution as operators see it.

use bytes::Bytes;
use ff_types::backend::{CapabilitySet, FailureClass};
use ff_types::{
    AttemptIndex, BudgetId, ExecutionId, ExecutionPolicy, ExecutionState, FlowId, LaneId, LaneKey,
    LeaseEpoch, Payload, ReasonSet, Tags, TaskKind, TimestampMs, WorkerId, WorkerInstanceId,
};
use serde::{Deserialize, Serialize};

use super::budget::Amounts;
use super::flow_view::FlowNodeView;
use super::schedule_spec::Occurrence;
use super::suspend::SuspensionView;
use crate::machine::{ExecutionRecord, Suspension};

/// Everything about one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionView {
    /// The id.
    pub execution_id: ExecutionId,
    /// The lane.
    pub lane: LaneId,
    /// The task name.
    pub kind: TaskKind,
    /// The payload as submitted.
    pub payload: Payload,
    /// The submission's priority.
    pub priority: i8,
    /// For whom it is, among those of its lane.
    pub lane_key: Option<LaneKey>,
    /// What a worker must offer.
    pub capabilities: CapabilitySet,
    /// The submission's tags.
    pub tags: Tags,
    /// Retries, timeouts, retention.
    pub policy: ExecutionPolicy,
    /// The node that it is, if it belongs to a flow, and the flow.
    pub node: Option<(FlowId, FlowNodeView)>,
    /// The occurrence that it is, if a schedule submitted it.
    pub occurrence: Option<Occurrence>,
    /// Where it is in its life.
    pub state: ExecutionState,
    /// What keeps it from being ready; empty while nothing does.
    pub reasons: ReasonSet,
    /// Until when it is delayed.
    pub delay_until: Option<TimestampMs>,
    /// By when it must have ended.
    pub deadline: Option<TimestampMs>,
    /// The latest attempt; `None` before the first.
    pub attempt: Option<AttemptView>,
    /// The lease, while an attempt is running.
    pub lease: Option<LeaseView>,
    /// The epoch of the latest lease; zero before the first.
    pub epoch: LeaseEpoch,
    /// Whether a reclaim token is out for it.
    pub token_outstanding: bool,
    /// What it waits for; set exactly while it is suspended.
    pub suspension: Option<SuspensionView>,
    /// The child flow that it waits for; set exactly while it waits for one.
    pub waits_for: Option<FlowId>,
    /// Retries used in this run.
    pub retries: u32,
    /// Leases lost in this run.
    pub reclaims: u32,
    /// The cancellation, pending or done.
    pub cancel: Option<CancelView>,
    /// The latest failure of this run.
    pub last_failure: Option<FailureView>,
    /// The budgets that it draws on.
    pub budgets: Vec<BudgetId>,
    /// What each attempt is expected to use.
    pub estimate: Amounts,
    /// The budget that it waits for; set exactly while a budget is among the reasons.
    pub blocked_on: Option<BudgetId>,
    /// What the latest attempt may still report within its reservation.
    pub reservation: Amounts,
    /// What this run has reported.
    pub usage: Amounts,
    /// How many steps are recorded.
    pub steps: u32,
    /// Whether a state is saved.
    pub has_state: bool,
    /// What the handler returned.
    pub result: Option<Payload>,
    /// When it was submitted, by the store's clock.
    pub submitted_at: TimestampMs,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptView {
    /// 0, 1, 2 … without gaps.
    pub index: AttemptIndex,
    /// Whether it is running or paused, and not over.
    pub open: bool,
    /// When it started.
    pub started_at: TimestampMs,
    /// Percent done, as last reported.
    pub percent: Option<u8>,
    /// What it is doing, as last reported.
    pub message: Option<String>,
}

/// The right to run the current attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeaseView {
    /// Who holds it.
    pub worker: WorkerId,
    /// That worker's instance.
    pub instance: WorkerInstanceId,
    /// When it runs out unless renewed.
    pub expires_at: TimestampMs,
}

/// A cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CancelView {
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub requested_at: TimestampMs,
}

impl CancelView {
    /// A cancellation that was asked for at this time. For backends.
    pub const fn new(reason: String, requested_at: TimestampMs) -> Self {
        Self { reason, requested_at }
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureView {
    /// Its class.
    pub class: FailureClass,
    /// What went wrong.
    pub message: String,
    /// Details for a program to read.
    pub detail: Option<FailureDetail>,
    /// The attempt that failed.
    pub attempt: AttemptIndex,
    /// When.
    pub at: TimestampMs,
}

impl FailureView {
    /// A failure of these parts. For backends.
    pub const fn new(
        class: FailureClass,
        message: String,
        detail: Option<FailureDetail>,
        attempt: AttemptIndex,
        at: TimestampMs,
    ) -> Self {
        Self { class, message, detail, attempt, at }
    }
}

/// Bytes that say more about a failure. Their `Debug` form shows the length only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailureDetail(pub Bytes);

impl std::fmt::Debug for FailureDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl ExecutionView {
    /// The view of a record.
    pub fn of(record: &ExecutionRecord) -> Self {
        let submission = &record.submission;
        let run = &record.run;
        let is_over = run.state.is_terminal();
        Self {
            execution_id: submission.id(),
            lane: submission.lane.clone(),
            kind: submission.kind().clone(),
            payload: submission.payload.clone(),
            priority: submission.priority,
            lane_key: submission.lane_key.clone(),
            capabilities: submission.capabilities.clone(),
            tags: submission.tags.clone(),
            policy: submission.policy,
            node: record.node.as_deref().map(|node| node.flow).zip(FlowNodeView::of(record)),
            occurrence: submission.occurrence(),
            state: run.state,
            reasons: if is_over { ReasonSet::EMPTY } else { run.reasons },
            delay_until: run.delay_until.filter(|_| !is_over),
            deadline: run.deadline,
            attempt: run.attempt.as_ref().map(|attempt| AttemptView {
                index: attempt.index,
                open: attempt.open,
                started_at: attempt.started_at,
                percent: run.progress.as_ref().map(|p| p.percent),
                message: run.progress.as_ref().and_then(|p| p.message.clone()),
            }),
            lease: run.lease.as_ref().map(|lease| LeaseView {
                worker: lease.worker,
                instance: lease.instance,
                expires_at: lease.expires_at,
            }),
            epoch: run.epoch,
            token_outstanding: run.grant.is_some(),
            suspension: run.waits().suspension.as_ref().map(Suspension::view),
            waits_for: run.waits_for,
            retries: run.retries,
            reclaims: run.reclaims,
            cancel: run.cancel.as_deref().cloned(),
            last_failure: run.last_failure.as_deref().cloned(),
            budgets: submission.budgets().to_vec(),
            estimate: submission.estimate.amounts(),
            blocked_on: run.blocked_on,
            reservation: run.reservation.as_deref().cloned().unwrap_or_default(),
            usage: run.usage.as_deref().cloned().unwrap_or_default(),
            steps: u32::try_from(run.steps().len()).unwrap_or(u32::MAX),
            has_state: run.saved_state.is_some(),
            result: run.result.clone(),
            submitted_at: record.submitted_at,
            ended_at: run.ended_at,
        }
    }
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionSummary {
    /// The id.
    pub execution_id: ExecutionId,
    /// The lane.
    pub lane: LaneId,
    /// The task name.
    pub kind: TaskKind,
    /// Where it is in its life.
    pub state: ExecutionState,
    /// The latest attempt's index.
    pub attempt: Option<AttemptIndex>,
    /// The submission's priority.
    pub priority: i8,
    /// When it was submitted.
    pub submitted_at: TimestampMs,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
}

impl ExecutionSummary {
    /// A line of these parts. For backends that read no more than them.
    #[expect(clippy::too_many_arguments, reason = "one for each field, and each of a type its own")]
    pub const fn new(
        execution_id: ExecutionId,
        lane: LaneId,
        kind: TaskKind,
        state: ExecutionState,
        attempt: Option<AttemptIndex>,
        priority: i8,
        submitted_at: TimestampMs,
        ended_at: Option<TimestampMs>,
    ) -> Self {
        Self { execution_id, lane, kind, state, attempt, priority, submitted_at, ended_at }
    }

    /// The summary of a record.
    pub fn of(record: &ExecutionRecord) -> Self {
        let submission = &record.submission;
        Self {
            execution_id: submission.id(),
            lane: submission.lane.clone(),
            kind: submission.kind().clone(),
            state: record.run.state,
            attempt: record.run.attempt.as_ref().map(|attempt| attempt.index),
            priority: submission.priority,
            submitted_at: record.submitted_at,
            ended_at: record.run.ended_at,
        }
    }
}
