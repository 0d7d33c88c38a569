//! `cancel` by the holder, and `cancel_execution` by an operator.

use std::sync::Arc;

use ff_types::{ExecutionState, TerminalOutcome, TimestampMs};

use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{
    ExecutionRecord, LeaseEnd, OperatorMark, OperatorOutcome, ReleaseCall, RunState,
};
use crate::call_digest;
use crate::error::{EngineError, Released};
use crate::fence::Fence;
use crate::requests::{CancelExecution, CancelOutcome, CancelView};

/// Decides a cancel by the holder. The reason of a pending cancellation stands before the
/// holder's.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for the
/// reason.
pub fn cancel(
    record: &ExecutionRecord,
    fence: &Fence,
    reason: &str,
    now: TimestampMs,
) -> Result<Decision<()>, EngineError> {
    crate::requests::validate_reason(reason)?;
    let call = ReleaseCall { verb: "cancel", digest: call_digest::of_reason(reason) };
    if held_or_repeated(record, fence, call, now)?.is_some() {
        return Ok(Decision::Keep(()));
    }
    let mut next = record.run.clone();
    let released = Released::Ended(TerminalOutcome::Cancelled);
    next.end_lease(LeaseEnd::Released { call, released });
    next.cancel.get_or_insert_with(|| because(reason, now));
    next.end(TerminalOutcome::Cancelled, now);
    Ok(Decision::apply(next, ()))
}

/// Decides a cancel by an operator.
///
/// # Errors
/// [`EngineError::LimitExceeded`] for the reason.
pub fn cancel_execution(
    record: &ExecutionRecord,
    request: &CancelExecution,
    now: TimestampMs,
) -> Result<Decision<CancelOutcome>, EngineError> {
    request.validate()?;
    let run = &record.run;
    let own = |outcome| match outcome {
        OperatorOutcome::Cancelled => Some(CancelOutcome::Cancelled),
        OperatorOutcome::CancelRequested => Some(CancelOutcome::Requested),
        _ => None,
    };
    if let Some(before) = run.done_by(request.request_id, own) {
        return Ok(Decision::Keep(before));
    }
    if let Some(outcome) = run.state.outcome() {
        return Ok(Decision::Keep(CancelOutcome::AlreadyTerminal(outcome)));
    }
    let active = run.state == ExecutionState::Active;
    if active && run.cancel.is_some() {
        return Ok(Decision::Keep(CancelOutcome::Requested));
    }
    let mut next = cancelled(record, &request.reason, now);
    let (mark, outcome) = if active {
        (OperatorOutcome::CancelRequested, CancelOutcome::Requested)
    } else {
        (OperatorOutcome::Cancelled, CancelOutcome::Cancelled)
    };
    next.operator.push(OperatorMark { request_id: request.request_id, outcome: mark });
    Ok(Decision::apply(next, outcome))
}

/// Decides the cancel of an execution whose schedule goes on with its next occurrence; `None` when it has
/// ended, or is being cancelled.
pub fn cancel_before(record: &ExecutionRecord, now: TimestampMs) -> Option<RunState> {
    let run = &record.run;
    let asked = run.state == ExecutionState::Active && run.cancel.is_some();
    let is_open = run.state.outcome().is_none() && !asked;
    is_open.then(|| cancelled(record, "the next occurrence of its schedule has come", now))
}

/// What becomes of a run that somebody cancels: its holder is asked to end it, if there is one.
fn cancelled(record: &ExecutionRecord, reason: &str, now: TimestampMs) -> RunState {
    let mut next = record.run.clone();
    next.cancel = Some(because(reason, now));
    if next.state != ExecutionState::Active {
        next.end(TerminalOutcome::Cancelled, now);
    }
    next
}

fn because(reason: &str, now: TimestampMs) -> Arc<CancelView> {
    Arc::new(CancelView { reason: reason.to_owned(), requested_at: now })
}
