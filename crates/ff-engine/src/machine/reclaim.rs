//! The reclaim scanner: a token first, then the lease.

use std::time::Duration;

use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{AttemptIndex, GrantId, TimestampMs, limits};

use super::budget::{Admission, BudgetTables, admit, blocked, failed};
use super::claim::{Claimed, ended_instead, leased, offer};
use super::decision::Decision;
use super::record::{ExecutionRecord, OutstandingGrant};
use crate::error::{EngineError, StateKind};
use crate::fence::Grant;

/// Decides the grant of a record that stands at the head of its reclaim queue. The outcome says
/// whether a token was issued, which reserves as the lease does; if not, the execution has ended instead, or waits for room in a budget.
pub fn grant(
    record: &ExecutionRecord,
    id: GrantId,
    offered: &CapabilitySet,
    budgets: &impl BudgetTables,
    now: TimestampMs,
) -> Decision<bool> {
    if let Some(next) = ended_instead(record, now) {
        return Decision::apply(next, false);
    }
    let reservation = match admit(record, budgets, now) {
        Admission::Admitted(reservation) => reservation,
        Admission::Blocked(budget, aside) => {
            return Decision::apply(blocked(&record.run, budget, aside), false);
        }
        Admission::UsedUp(breach) => {
            return Decision::apply(failed(&record.run, &breach, now), false);
        }
    };
    let mut next = record.run.clone();
    let expires_at = now.saturating_add(Duration::from_millis(limits::RECLAIM_GRANT_TTL_MS));
    next.grant = Some(OutstandingGrant { id, expires_at });
    next.reservation = reservation;
    next.offered = offer(offered);
    Decision::apply(next, true)
}

/// Decides `claim_from_reclaim`.
///
/// # Errors
/// [`StateKind::ReclaimTokenVoid`] when the token was used, has expired or was withdrawn.
pub fn take_up(
    record: &ExecutionRecord,
    grant: &Grant,
    policy: &ClaimPolicy,
    now: TimestampMs,
) -> Result<Decision<Claimed>, EngineError> {
    let run = &record.run;
    let void = || EngineError::state(StateKind::ReclaimTokenVoid, grant.execution);
    if let Some(lease) = run.lease.filter(|lease| lease.id == grant.id.lease()) {
        return if lease.expires_at > now && lease.instance == policy.instance {
            Ok(Decision::Keep(Claimed::Leased(lease.attempt)))
        } else {
            Err(void())
        };
    }
    let outstanding = run.grant.is_some_and(|out| out.id == grant.id && out.expires_at > now);
    if !outstanding || ended_instead(record, now).is_some() {
        return Err(void());
    }
    let reservation = run.reservation.clone();
    let next = leased(record, grant.id.lease(), policy, reservation, now);
    let attempt = next.attempt.map_or(AttemptIndex::FIRST, |attempt| attempt.index);
    Ok(Decision::apply(next, Claimed::Leased(attempt)))
}
