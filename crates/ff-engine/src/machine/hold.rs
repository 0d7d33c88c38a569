//! `hold` and `release_hold`.

use ff_types::{BlockReason, ExecutionState, TimestampMs};

use super::decision::Decision;
use super::record::{ExecutionRecord, OperatorMark, OperatorOutcome, state_of};
use crate::error::{EngineError, StateKind};
use crate::requests::{Hold, HoldOutcome, ReleaseHold, ReleaseHoldOutcome};

/// Decides a hold.
///
/// # Errors
/// [`StateKind::AlreadyTerminal`] when the execution has ended.
pub fn hold(
    record: &ExecutionRecord,
    request: &Hold,
) -> Result<Decision<HoldOutcome>, EngineError> {
    let run = &record.run;
    let own = |outcome| (outcome == OperatorOutcome::Held).then_some(());
    if run.done_by(request.request_id, own).is_some() {
        return Ok(Decision::Keep(HoldOutcome::Held));
    }
    not_ended(record)?;
    if run.reasons.contains(BlockReason::Hold) {
        return Ok(Decision::Keep(HoldOutcome::AlreadyHeld));
    }
    let mut next = run.clone();
    next.reasons = next.reasons.with(BlockReason::Hold);
    next.drop_token();
    if !holds_or_waits(next.state) {
        next.state = state_of(next.reasons);
    }
    let outcome = OperatorOutcome::Held;
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, HoldOutcome::Held))
}

/// Decides the release of a hold. An execution that becomes ready by it queues behind those that
/// were ready before.
///
/// # Errors
/// [`StateKind::AlreadyTerminal`] when the execution has ended.
pub fn release_hold(
    record: &ExecutionRecord,
    request: &ReleaseHold,
    now: TimestampMs,
) -> Result<Decision<ReleaseHoldOutcome>, EngineError> {
    let run = &record.run;
    let own = |outcome| (outcome == OperatorOutcome::HoldReleased).then_some(());
    if run.done_by(request.request_id, own).is_some() {
        return Ok(Decision::Keep(ReleaseHoldOutcome::Released));
    }
    not_ended(record)?;
    if !run.reasons.contains(BlockReason::Hold) {
        return Ok(Decision::Keep(ReleaseHoldOutcome::NotHeld));
    }
    let mut next = run.clone();
    next.reasons = next.reasons.without(BlockReason::Hold);
    if !holds_or_waits(next.state) {
        next.state = state_of(next.reasons);
        if next.state == ExecutionState::Ready {
            next.ready_at = now;
        }
    }
    let outcome = OperatorOutcome::HoldReleased;
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, ReleaseHoldOutcome::Released))
}

/// Whether a hold shows only when the lease is given back, or the wait is over.
fn holds_or_waits(state: ExecutionState) -> bool {
    use ExecutionState::{Active, Suspended, WaitingChildren};

    matches!(state, Active | Suspended | WaitingChildren)
}

fn not_ended(record: &ExecutionRecord) -> Result<(), EngineError> {
    match record.run.state.outcome() {
        Some(outcome) => {
            let kind = StateKind::AlreadyTerminal { outcome };
            Err(EngineError::state(kind, record.submission.id()))
        }
        None => Ok(()),
    }
}
