//! `delay`: the attempt pauses and holds nothing.

use ff_types::TimestampMs;

use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{Entry, ExecutionRecord, LeaseEnd, ReleaseCall};
use crate::call_digest;
use crate::error::{EngineError, Released, StateKind};
use crate::fence::Fence;
use crate::requests::DelayRequest;

/// Decides a pause of the attempt.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live or a cancellation is pending; validation
/// errors of the request.
pub fn delay(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &DelayRequest,
    now: TimestampMs,
) -> Result<Decision<()>, EngineError> {
    request.validate()?;
    let call = ReleaseCall { verb: "delay", digest: call_digest::of_delay(request) };
    if held_or_repeated(record, fence, call, now)?.is_some() {
        return Ok(Decision::Keep(()));
    }
    if record.run.cancel.is_some() {
        return Err(EngineError::state(StateKind::CancelRequested, fence.execution));
    }
    let mut next = record.run.clone();
    let released = Released::Delayed { until: request.until };
    next.save_along(request.state.as_ref());
    next.end_lease(LeaseEnd::Released { call, released });
    let ready_at = next.delay_to(request.until, now);
    next.await_turn(Entry::Reclaim, ready_at);
    Ok(Decision::apply(next, ()))
}
