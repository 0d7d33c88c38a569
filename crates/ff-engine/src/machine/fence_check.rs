//! Who may write: the live lease, compared in all four parts and against the store's clock.

use ff_types::TimestampMs;

use super::record::{EndedLease, ExecutionRecord, Lease, LeaseEnd, ReleaseCall};
use crate::error::{EngineError, Released, StateKind};
use crate::fence::Fence;

/// The lease behind `fence` if it is live at `now`.
pub(crate) fn held<'r>(
    record: &'r ExecutionRecord,
    fence: &Fence,
    now: TimestampMs,
) -> Result<&'r Lease, EngineError> {
    match &record.run.lease {
        Some(lease)
            if lease.id == fence.lease
                && lease.attempt == fence.attempt
                && record.run.epoch == fence.epoch =>
        {
            if now >= lease.expires_at {
                return Err(EngineError::state(StateKind::LeaseExpired, fence.execution));
            }
            Ok(lease)
        }
        _ => Err(EngineError::state(why_not(record, fence), fence.execution)),
    }
}

/// The lease behind `fence` for a call that gives it back: `Ok(None)` when this same call did so
/// before and its outcome is in the second place.
pub(crate) fn held_or_repeated(
    record: &ExecutionRecord,
    fence: &Fence,
    call: ReleaseCall,
    now: TimestampMs,
) -> Result<Option<Released>, EngineError> {
    match ended(record, fence).map(|ended| ended.end) {
        Some(LeaseEnd::Released { call: before, released }) if before == call => Ok(Some(released)),
        _ => held(record, fence, now).map(|_| None),
    }
}

/// The ended lease behind `fence`, if it is one of the latest.
fn ended<'r>(record: &'r ExecutionRecord, fence: &Fence) -> Option<&'r EndedLease> {
    record.run.ended_leases.iter().find(|ended| {
        ended.id == fence.lease && ended.epoch == fence.epoch && ended.attempt == fence.attempt
    })
}

fn why_not(record: &ExecutionRecord, fence: &Fence) -> StateKind {
    let taken_over = record.run.epoch > fence.epoch;
    match ended(record, fence).map(|ended| ended.end) {
        Some(LeaseEnd::Released { released, .. }) => StateKind::AlreadyReleased { released },
        Some(_) if taken_over => StateKind::StaleLease,
        Some(end) => match (record.run.state.outcome(), end) {
            (Some(outcome), _) => StateKind::AlreadyTerminal { outcome },
            (None, LeaseEnd::Revoked) => StateKind::LeaseRevoked,
            (None, _) => StateKind::LeaseExpired,
        },
        None => StateKind::StaleLease,
    }
}
