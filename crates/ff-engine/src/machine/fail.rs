//! `fail`, and what a failed attempt means for the next one.

use std::time::Duration;

use ff_types::backend::{FailOutcome, FailureClass};
use ff_types::{AttemptIndex, TerminalOutcome, TimestampMs};

use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{Entry, ExecutionRecord, LeaseEnd, ReleaseCall, RunState};
use super::retry::{backoff_ms, jitter_for};
use crate::call_digest;
use crate::error::{EngineError, Released};
use crate::fence::Fence;
use crate::requests::{CancelView, FailRequest, millis};

/// Decides a failure reported by the holder.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; validation errors of the request.
pub fn fail(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &FailRequest,
    now: TimestampMs,
) -> Result<Decision<FailOutcome>, EngineError> {
    request.validate()?;
    let call = ReleaseCall { verb: "fail", digest: call_digest::of_failure(request) };
    if let Some(released) = held_or_repeated(record, fence, call, now)? {
        return Ok(Decision::Keep(released.as_fail()));
    }
    let mut next = record.run.clone();
    let detail = request.reason.detail.clone();
    next.record_failure(request.class, request.reason.message.clone(), detail, now);
    if request.class == FailureClass::Cancelled && next.cancel.is_none() {
        let reason = request.reason.message.clone();
        next.cancel = Some(std::sync::Arc::new(CancelView { reason, requested_at: now }));
    }
    let released = dispose(record, &mut next, request.class, request.retry_after, now);
    next.end_lease(LeaseEnd::Released { call, released });
    Ok(Decision::apply(next, released.as_fail()))
}

/// Ends the attempt and decides between another one and the end: a pending cancellation first,
/// then the class, then what is left of the retries, or for `InfraCrash` of the reclaims.
pub(super) fn dispose(
    record: &ExecutionRecord,
    next: &mut RunState,
    class: FailureClass,
    retry_after: Option<Duration>,
    now: TimestampMs,
) -> Released {
    let policy = &record.submission.policy;
    let ended = |next: &mut RunState, outcome| {
        next.end(outcome, now);
        Released::Ended(outcome)
    };
    next.hear_of(record.flow_cancel.as_ref());
    if next.cancel.is_some() || class == FailureClass::Cancelled {
        return ended(next, TerminalOutcome::Cancelled);
    }
    let used = match class {
        FailureClass::Transient | FailureClass::Timeout
            if next.retries < policy.retry.max_retries =>
        {
            &mut next.retries
        }
        FailureClass::InfraCrash if next.reclaims < policy.max_reclaims => &mut next.reclaims,
        _ => return ended(next, TerminalOutcome::Failed),
    };
    let number = *used;
    *used += 1;
    let attempt = next.attempt.map_or(AttemptIndex::FIRST, |attempt| attempt.index);
    let wait_ms = retry_after.map_or_else(
        || backoff_ms(&policy.retry, number, jitter_for(record.submission.id(), attempt)),
        millis,
    );
    let delay_until = now.saturating_add(Duration::from_millis(wait_ms));
    next.close_attempt();
    let ready_at = next.delay_to(delay_until, now);
    next.await_turn(Entry::Claim, ready_at);
    Released::RetryScheduled { delay_until }
}
