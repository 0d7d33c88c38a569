//! `renew`.

use ff_types::TimestampMs;
use ff_types::backend::LeaseRenewal;

use super::claim::expiry;
use super::decision::Decision;
use super::fence_check::held;
use super::record::ExecutionRecord;
use crate::error::{EngineError, StateKind};
use crate::fence::Fence;

/// Decides a renewal.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live or a cancellation is pending.
pub fn renew(
    record: &ExecutionRecord,
    fence: &Fence,
    now: TimestampMs,
) -> Result<Decision<LeaseRenewal>, EngineError> {
    let lease = held(record, fence, now)?;
    if record.run.cancel.is_some() {
        return Err(EngineError::state(StateKind::CancelRequested, fence.execution));
    }
    let expires_at = expiry(now, lease.ttl_ms, lease.attempt_ends_at, record.run.deadline);
    let mut next = record.run.clone();
    next.lease = Some(super::record::Lease { expires_at, ..*lease });
    let expires_at_ms = u64::try_from(expires_at.as_i64()).unwrap_or(0);
    Ok(Decision::apply(next, LeaseRenewal::new(expires_at_ms, fence.epoch.0)))
}
