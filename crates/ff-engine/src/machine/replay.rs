//! `replay`: a terminal execution runs again.

use ff_types::{BlockReason, TimestampMs};

use super::decision::Decision;
use super::flow::JoinDecision;
use super::record::{Entry, ExecutionRecord, OperatorMark, OperatorOutcome};
use crate::error::{EngineError, FlowProblem, StateKind};
use crate::requests::{ReplayExecution, ReplayOutcome};

/// Decides a replay. Result, failure, usage, waitpoints, state, steps, retry and reclaim counters of the old
/// run are gone; attempts and epochs count on. A deadline that has passed is dropped, one that lies ahead stays.
///
/// A member of a flow waits for its parents as far as they have not ended.
///
/// # Errors
/// [`StateKind::NotTerminal`] when the execution has not ended; [`StateKind::DependenciesUnmet`] when
/// its parents ended so that it cannot run; [`FlowProblem::Cancelled`] in a cancelled flow.
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
    if let (Some(node), Some(_)) = (&record.node, &record.flow_cancel) {
        return Err(EngineError::flow(FlowProblem::Cancelled, node.flow));
    }
    let attempt = run.next_attempt();
    let mut next = run.clone();
    if let Some(node) = &record.node {
        next.dependencies.reopen(node.join);
        next.unhandled = false;
        match next.dependencies.decision {
            JoinDecision::Skipped => {
                let kind = StateKind::DependenciesUnmet;
                return Err(EngineError::state(kind, record.submission.id()));
            }
            JoinDecision::Open => next.reasons = next.reasons.with(BlockReason::Dependencies),
            _ => {}
        }
    }
    next.retries = 0;
    next.reclaims = 0;
    next.cancel = None;
    next.progress = None;
    next.last_failure = None;
    next.waits = None;
    next.saved_state = None;
    next.steps = None;
    next.result = None;
    next.usage = None;
    let ready_at = next.open_again(now);
    next.await_turn(Entry::Claim, ready_at);
    let outcome = OperatorOutcome::Replayed(attempt);
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, ReplayOutcome::new(attempt)))
}
