//! `replay`: a terminal execution runs again.

use ff_types::TimestampMs;

use super::decision::Decision;
use super::record::{Entry, ExecutionRecord, OperatorMark, OperatorOutcome};
use crate::error::{EngineError, StateKind};
use crate::requests::{ReplayExecution, ReplayOutcome};

/// Decides a replay. Result, failure, waitpoints, state, steps, retry and reclaim counters of the old
/// run are gone; attempts and epochs count on. A deadline that has passed is dropped, one that lies ahead stays.
///
/// # Errors
/// [`StateKind::NotTerminal`] when the execution has not ended.
pub fn replay(
    record: &ExecutionRecord,
    request: &ReplayExecution,
    now: TimestampMs,
) -> Result<Decision<ReplayOutcome>, EngineError> {
    let run = &record.run;
    let own = |outcome| match outcome {
        OperatorOutcome::Replayed(attempt) => Some(attempt),
        _ => None,
    };
    if let Some(attempt) = run.done_by(request.request_id, own) {
        return Ok(Decision::Keep(ReplayOutcome::new(attempt)));
    }
    if !run.state.is_terminal() {
        return Err(EngineError::state(StateKind::NotTerminal, record.submission.id()));
    }
    let attempt = run.next_attempt();
    let mut next = run.clone();
    next.retries = 0;
    next.reclaims = 0;
    next.cancel = None;
    next.progress = None;
    next.last_failure = None;
    next.waits = None;
    next.saved_state = None;
    next.steps = None;
    next.result = None;
    next.ended_at = None;
    next.deadline = next.deadline.filter(|deadline| *deadline > now);
    next.await_turn(Entry::Claim, now);
    let outcome = OperatorOutcome::Replayed(attempt);
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, ReplayOutcome::new(attempt)))
}
