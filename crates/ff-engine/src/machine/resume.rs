//! How a wait ends, whoever ends it, and what the resumed attempt sees of it.

use std::sync::Arc;

use ff_types::backend::{FailureClass, ResumeSignal};
use ff_types::{ExecutionState, TerminalOutcome, TimestampMs};

use super::condition::is_possible;
use super::decision::Decision;
use super::fence_check::held;
use super::record::{Entry, ExecutionRecord, OperatorMark, OperatorOutcome, RunState};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{
    CancelView, ResumeExecution, ResumeOutcome, ResumeReason, ResumeView, TimeoutBehavior,
};

/// The attempt waits to be taken up again, in its place among those ready at `ready_at`. All of the
/// suspension is over but what ended it.
pub(super) fn resume(
    next: &mut RunState,
    reason: ResumeReason,
    signals: &[Arc<ResumeSignal>],
    ready_at: TimestampMs,
) {
    let waits = next.waits_mut();
    let keys = waits.suspended_keys();
    waits.end_suspension();
    let signals = signals.iter().map(|signal| signal.as_ref().clone()).collect();
    waits.resumed = Some(Arc::new(ResumeView::new(Some(reason), keys, signals)));
    next.await_turn(Entry::Reclaim, ready_at);
}

/// Does what the suspend asked for when the wait is over without success.
pub(super) fn give_up(
    next: &mut RunState,
    reason: ResumeReason,
    ready_at: TimestampMs,
    now: TimestampMs,
) {
    let message = match reason {
        ResumeReason::TimedOut => "the wait timed out",
        _ => "the wait can no longer be satisfied",
    };
    let behavior = next.waits().suspension.as_ref().map(|suspension| suspension.behavior);
    match behavior.unwrap_or_default() {
        TimeoutBehavior::Fail => {
            next.record_failure(FailureClass::Timeout, message, None, now);
            next.end(TerminalOutcome::Failed, now);
        }
        TimeoutBehavior::Cancel => {
            let cancel = || Arc::new(CancelView::new(message.to_owned(), now));
            next.cancel.get_or_insert_with(cancel);
            next.end(TerminalOutcome::Cancelled, now);
        }
        TimeoutBehavior::Expire => next.end(TerminalOutcome::Expired, now),
        TimeoutBehavior::Resume => resume(next, reason, &[], ready_at),
    }
}

/// Gives up a suspension that no signal can satisfy any more.
pub(super) fn give_up_if_impossible(next: &mut RunState, ready_at: TimestampMs, now: TimestampMs) {
    if next.state == ExecutionState::Suspended && !is_possible(next.waits(), now) {
        give_up(next, ResumeReason::Unsatisfiable, ready_at, now);
    }
}

/// Decides a resume by an operator.
///
/// # Errors
/// [`EngineError::LimitExceeded`] for the reason.
pub fn resume_execution(
    record: &ExecutionRecord,
    request: &ResumeExecution,
    now: TimestampMs,
) -> Result<Decision<ResumeOutcome>, EngineError> {
    request.validate()?;
    let run = &record.run;
    let own = |outcome| (outcome == OperatorOutcome::Resumed).then_some(());
    if run.done_by(request.request_id, own).is_some() {
        return Ok(Decision::Keep(ResumeOutcome::Resumed));
    }
    if run.state != ExecutionState::Suspended {
        return Ok(Decision::Keep(ResumeOutcome::NotSuspended(run.state)));
    }
    let mut next = run.clone();
    resume(&mut next, ResumeReason::Operator { reason: request.reason.clone() }, &[], now);
    let outcome = OperatorOutcome::Resumed;
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, ResumeOutcome::Resumed))
}

/// What ended the latest wait, for the holder of the live lease.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live.
pub fn observe_signals(
    record: &ExecutionRecord,
    fence: &Fence,
    now: TimestampMs,
) -> Result<ResumeView, EngineError> {
    held(record, fence, now)?;
    Ok(record.run.waits().resumed.as_deref().cloned().unwrap_or_default())
}
