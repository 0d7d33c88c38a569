//! `claim`: a ready execution gets a lease.

use std::sync::Arc;
use std::time::Duration;

use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{AttemptIndex, LeaseId, TerminalOutcome, TimestampMs};

use super::budget::{Admission, BudgetTables, admit, blocked, failed};
use super::decision::Decision;
use super::record::{Attempt, ExecutionRecord, Lease, RunState};
use crate::requests::{Amounts, millis};

/// What handing out a ready execution does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The lease is issued, for this attempt.
    Leased(AttemptIndex),
    /// Its deadline has passed, its flow was cancelled, or its budget is used up: it ends instead of
    /// starting.
    Ended,
    /// It waits for room in a budget.
    Blocked,
}

/// Decides the claim of a record that stands at the head of its ready queue.
pub fn claim(
    record: &ExecutionRecord,
    lease: LeaseId,
    policy: &ClaimPolicy,
    offered: &CapabilitySet,
    budgets: &impl BudgetTables,
    now: TimestampMs,
) -> Decision<Claimed> {
    if let Some(next) = ended_instead(record, now) {
        return Decision::apply(next, Claimed::Ended);
    }
    let reservation = match admit(record, budgets, now) {
        Admission::Admitted(reservation) => reservation,
        Admission::Blocked(budget, aside) => {
            return Decision::apply(blocked(&record.run, budget, aside), Claimed::Blocked);
        }
        Admission::UsedUp(breach) => {
            return Decision::apply(failed(&record.run, &breach, now), Claimed::Ended);
        }
    };
    let mut next = leased(record, lease, policy, reservation, now);
    next.offered = offer(offered);
    let attempt = next.attempt.map_or(AttemptIndex::FIRST, |attempt| attempt.index);
    Decision::apply(next, Claimed::Leased(attempt))
}

/// What is kept of an offer.
pub(super) fn offer(offered: &CapabilitySet) -> Option<CapabilitySet> {
    (!offered.is_empty()).then(|| offered.clone())
}

/// The run state of one that must not start: expired when its deadline or its time to live has passed, and cancelled when
/// its flow is and it would start a new attempt.
pub(super) fn ended_instead(record: &ExecutionRecord, now: TimestampMs) -> Option<RunState> {
    let run = &record.run;
    if run.expires_at().is_some_and(|at| at <= now) {
        let mut next = run.clone();
        next.end(TerminalOutcome::Expired, now);
        return Some(next);
    }
    let cancel = record.flow_cancel.as_ref()?;
    if run.attempt.is_some_and(|attempt| attempt.open) {
        return None;
    }
    let mut next = run.clone();
    next.cancel.get_or_insert_with(|| Arc::clone(cancel));
    next.end(TerminalOutcome::Cancelled, now);
    Some(next)
}

/// The run state with a new lease, on the open attempt or else on a new one.
pub(super) fn leased(
    record: &ExecutionRecord,
    id: LeaseId,
    policy: &ClaimPolicy,
    reservation: Option<Arc<Amounts>>,
    now: TimestampMs,
) -> RunState {
    let mut next = record.run.clone();
    next.reservation = reservation;
    let attempt = match next.attempt.filter(|attempt| attempt.open) {
        Some(open) => open,
        None => Attempt { index: next.next_attempt(), open: true, started_at: now },
    };
    if next.attempt != Some(attempt) {
        next.progress = None;
    }
    let attempt_ends_at = record
        .submission
        .policy
        .attempt_timeout
        .map(|timeout| now.saturating_add(Duration::from_millis(millis(timeout))));
    let ttl_ms = millis(policy.lease_ttl);
    next.state = ff_types::ExecutionState::Active;
    next.attempt = Some(attempt);
    next.epoch = next.epoch.next();
    next.grant = None;
    next.lease = Some(Lease {
        id,
        attempt: attempt.index,
        worker: policy.worker,
        instance: policy.instance,
        ttl_ms,
        expires_at: expiry(now, ttl_ms, attempt_ends_at, next.deadline),
        attempt_ends_at,
    });
    next
}

/// now + TTL, but never behind the attempt's timeout or the deadline.
pub(super) fn expiry(
    now: TimestampMs,
    ttl_ms: u64,
    attempt_ends_at: Option<TimestampMs>,
    deadline: Option<TimestampMs>,
) -> TimestampMs {
    let by_ttl = now.saturating_add(Duration::from_millis(ttl_ms));
    [attempt_ends_at, deadline].into_iter().flatten().fold(by_ttl, TimestampMs::min)
}
