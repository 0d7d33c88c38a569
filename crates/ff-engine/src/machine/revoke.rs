//! `revoke`: an operator takes a lease away.

use ff_types::{ExecutionState, TerminalOutcome, TimestampMs};

use super::decision::Decision;
use super::record::{Entry, ExecutionRecord, LeaseEnd, OperatorMark, OperatorOutcome};
use crate::error::EngineError;
use crate::requests::{RevokeLease, RevokeOutcome};

/// Decides a revoke. The attempt is over and another one starts by way of the reclaim scanner; it
/// does not count as a reclaim. A pending cancellation takes effect at once.
///
/// # Errors
/// [`EngineError::LimitExceeded`] for the reason.
pub fn revoke(
    record: &ExecutionRecord,
    request: &RevokeLease,
    now: TimestampMs,
) -> Result<Decision<RevokeOutcome>, EngineError> {
    request.validate()?;
    let run = &record.run;
    let own = |outcome| (outcome == OperatorOutcome::Revoked).then_some(());
    if run.done_by(request.request_id, own).is_some() {
        return Ok(Decision::Keep(RevokeOutcome::Revoked));
    }
    if run.state != ExecutionState::Active {
        return Ok(Decision::Keep(RevokeOutcome::NotActive));
    }
    let mut next = run.clone();
    next.end_lease(LeaseEnd::Revoked);
    next.hear_of(record.flow_cancel.as_ref());
    if next.cancel.is_some() {
        next.end(TerminalOutcome::Cancelled, now);
    } else {
        next.close_attempt();
        next.await_turn(Entry::Reclaim, now);
    }
    let outcome = OperatorOutcome::Revoked;
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, RevokeOutcome::Revoked))
}
