//! `complete`.

use ff_types::{Payload, TerminalOutcome, TimestampMs, limits};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{ExecutionRecord, LeaseEnd, ReleaseCall};
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
    let digest = result.map_or(0, |payload| {
        xxh3_64_with_seed(payload.content_type().as_bytes(), xxh3_64(payload.bytes()))
    });
    let call = ReleaseCall { verb: "complete", digest };
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
