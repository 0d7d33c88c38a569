//! `complete`.

use ff_types::{Payload, TerminalOutcome, TimestampMs, limits};

use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{ExecutionRecord, LeaseEnd, ReleaseCall};
use crate::call_digest;
use crate::error::{EngineError, Released};
use crate::fence::Fence;
use crate::requests::at_most;

/// Decides a completion.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for a result
/// over 1 MiB.
pub fn complete(
    record: &ExecutionRecord,
    fence: &Fence,
    result: Option<&Payload>,
    now: TimestampMs,
) -> Result<Decision<()>, EngineError> {
    let length = result.map_or(0, Payload::len);
    at_most("result", length, limits::RESULT_MAX_BYTES)?;
    let call = ReleaseCall { verb: "complete", digest: call_digest::of_result(result) };
    if held_or_repeated(record, fence, call, now)?.is_some() {
        return Ok(Decision::Keep(()));
    }
    let mut next = record.run.clone();
    let released = Released::Ended(TerminalOutcome::Completed);
    next.end_lease(LeaseEnd::Released { call, released });
    next.result = result.cloned();
    next.end(TerminalOutcome::Completed, now);
    Ok(Decision::apply(next, ()))
}
