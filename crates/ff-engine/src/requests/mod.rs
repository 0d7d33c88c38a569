//! One request type and one outcome type per verb.

mod attempt;
mod budget;
mod claim;
mod completions;
mod extend_flow;
mod flow;
mod flow_graph;
mod flow_view;
mod lane;
mod operator;
mod read;
mod schedule;
mod schedule_spec;
mod schedule_view;
mod signal;
mod state;
mod step;
mod stream;
mod submit;
mod summary;
mod suspend;
mod tick;
mod view;
mod waitpoint;

pub(crate) use attempt::validate_reason;
pub use attempt::{DelayRequest, FailRequest, ProgressRequest};
pub use budget::{
    AdjustBudget, Amounts, Breach, BudgetDimension, BudgetLimit, BudgetView, BudgetWindow,
    CreateBudget, ListBudgets, OnBreach, UsageOutcome, valid_usage,
};
pub use claim::{ClaimOutcome, ClaimRequest, ReclaimRequest, Task};
pub use completions::{
    CompletionCursor, CompletionPage, CompletionsFrom, LogPlace, ReadCompletions,
};
pub use extend_flow::{ExtendFlow, ExtendOutcome};
pub use flow::{
    CancelFlow, CancelFlowOutcome, FlowEdge, FlowNode, FlowParent, FlowSpec, SubmittedFlow,
    WaitChildren, WaitChildrenOutcome,
};
pub use flow_graph::check_graph;
pub use flow_view::{
    CancelCause, FlowCancelView, FlowCursor, FlowEdgeView, FlowNodeView, FlowPage, FlowSummary,
    FlowView, GraphPage, ListFlows, ReadGraph, TaskNode, UpstreamPage, UpstreamRequest,
    UpstreamResult,
};
pub use lane::{AdjustLane, LaneBarrier, LaneSettings, LaneState, LaneView, ListLanes, Rate};
pub use operator::{
    CancelExecution, CancelOutcome, Hold, HoldOutcome, ReleaseHold, ReleaseHoldOutcome,
    ReplayExecution, ReplayOutcome, RevokeLease, RevokeOutcome, SetTags,
};
pub use read::{
    Cursor, ExecutionResult, ExplainReason, Explanation, ListPage, ListRequest, ResultOutcome,
    ResultRequest,
};
pub use schedule::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, ListSchedules,
    ScheduleChange,
};
pub use schedule_spec::{Misfire, Occurrence, Overlap, Recurrence, ScheduleSpec};
pub use schedule_view::{
    RefusedOccurrence, ScheduleCounts, SchedulePause, ScheduleState, ScheduleView, ScheduledRun,
};
pub use signal::{DeliverSignal, SignalOutcome};
pub use state::SavedState;
pub(crate) use state::validate_state;
pub use step::{RecordStep, StepOutcome, StepView};
pub use stream::{FrameView, ReadStream, StreamCursor, StreamEnd, StreamPage, validate_frames};
pub use submit::{Idempotency, OnTerminal, Submission, Submitted};
pub use summary::{SummaryOutcome, SummaryView, UpdateSummary};
pub use suspend::{
    Distinct, Group, GroupView, ResumeExecution, ResumeOutcome, ResumeReason, ResumeView,
    SuspendCondition, SuspendOutcome, SuspendRequest, SuspendTimeout, SuspensionView,
    TimeoutBehavior,
};
pub use tick::{TickOutcome, TickRequest};
pub use view::{
    AttemptView, CancelView, ExecutionSummary, ExecutionView, FailureDetail, FailureView, LeaseView,
};
pub use waitpoint::{
    CloseOutcome, CreateWaitpoint, ListWaitpoints, WaitpointCursor, WaitpointPage, WaitpointState,
    WaitpointView, WithdrawWaitpoint,
};

use ff_types::TimestampMs;
use std::time::Duration;

use crate::error::EngineError;

/// Whole milliseconds of `duration`, or the most that fits.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Refuses a duration that is not whole ms within these bounds.
pub(crate) fn whole_ms(
    field: &'static str,
    given: Duration,
    min: u64,
    max: u64,
) -> Result<(), EngineError> {
    let ms = millis(given);
    if (min..=max).contains(&ms) && given.subsec_nanos().is_multiple_of(1_000_000) {
        return Ok(());
    }
    let problem = format!("must be within {min}..={max} whole ms, is {given:?}");
    Err(EngineError::validation(field, problem))
}

/// Refuses a text or byte field that is longer than its limit in bytes.
pub(crate) fn at_most(field: &'static str, actual: usize, limit: usize) -> Result<(), EngineError> {
    if actual > limit {
        return Err(EngineError::LimitExceeded {
            field: field.into(),
            limit: limit as u64,
            actual: actual as u64,
        });
    }
    Ok(())
}

/// Refuses a wait over 60 s. For backends, of calls that take no request.
///
/// # Errors
/// [`EngineError::Validation`].
pub fn valid_wait(max_wait: Option<Duration>) -> Result<(), EngineError> {
    let max = ff_types::limits::MAX_WAIT_MAX_MS;
    match max_wait.map(millis) {
        Some(ms) if ms > max => {
            let problem = format!("must be within 0..={max} ms, is {ms}");
            Err(EngineError::validation("max_wait", problem))
        }
        _ => Ok(()),
    }
}

/// Refuses a time outside `0..=TIMESTAMP_MAX_MS`.
pub(crate) fn valid_time(field: &'static str, at: TimestampMs) -> Result<(), EngineError> {
    let max = ff_types::limits::TIMESTAMP_MAX_MS;
    if (0..=max).contains(&at.as_i64()) {
        return Ok(());
    }
    Err(EngineError::validation(field, format!("must be within 0..={max}, is {at}")))
}
