//! `tick`: what time alone does to an execution.

use ff_types::backend::FailureClass;
use ff_types::{BlockReason, ExecutionState, TerminalOutcome, TimestampMs};

use super::fail::dispose;
use super::placement::Placement;
use super::record::{Entry, ExecutionRecord, Lease, LeaseEnd, RunState, state_of};
use super::resume::{give_up, give_up_if_impossible};
use crate::requests::{ResumeReason, WaitpointState};

/// What came due.
#[derive(Debug, Clone, PartialEq)]
pub enum DueEvent {
    /// The retention has passed: remove the record and everything that belongs to it.
    Remove,
    /// The deadline has passed.
    Expired(Box<RunState>),
    /// The attempt has run too long.
    TimedOut(Box<RunState>),
    /// The lease has run out.
    LeaseLost(Box<RunState>),
    /// The delay is over.
    DelayOver(Box<RunState>),
    /// The wait has lasted too long.
    WaitTimedOut(Box<RunState>),
    /// Waitpoints that a suspended execution waits for have expired.
    WaitpointsExpired(Box<RunState>),
    /// A reclaim token was not used.
    GrantReturned(Box<RunState>),
}

impl DueEvent {
    /// The run state that results, unless the record goes.
    pub fn into_next(self) -> Option<RunState> {
        match self {
            Self::Remove => None,
            Self::Expired(next)
            | Self::TimedOut(next)
            | Self::LeaseLost(next)
            | Self::DelayOver(next)
            | Self::WaitTimedOut(next)
            | Self::WaitpointsExpired(next)
            | Self::GrantReturned(next) => Some(*next),
        }
    }
}

/// Decides what is due of a record at `now`, one thing at a time and the earliest first: another
/// call handles the next. `None` when nothing is due.
pub fn due(record: &ExecutionRecord, now: TimestampMs) -> Option<DueEvent> {
    let at = Placement::of(record).due.filter(|at| *at <= now)?;
    let run = &record.run;
    if run.ended_at.is_some() {
        return Some(DueEvent::Remove);
    }
    let mut next = run.clone();
    if run.expires_at() == Some(at) {
        next.end_lease(LeaseEnd::Expired);
        next.end(TerminalOutcome::Expired, now);
        return Some(DueEvent::Expired(Box::new(next)));
    }
    if let Some(lease) = &run.lease {
        return Some(lease_over(record, next, lease, at, now));
    }
    if run.grant.is_some_and(|grant| grant.expires_at == at) {
        next.drop_token();
        return Some(DueEvent::GrantReturned(Box::new(next)));
    }
    if run.state == ExecutionState::Suspended {
        return Some(wait_over(next, at, now));
    }
    next.reasons = next.reasons.without(BlockReason::Delay);
    next.delay_until = None;
    next.state = state_of(next.reasons);
    Some(DueEvent::DelayOver(Box::new(next)))
}

fn lease_over(
    record: &ExecutionRecord,
    mut next: RunState,
    lease: &Lease,
    at: TimestampMs,
    now: TimestampMs,
) -> DueEvent {
    next.end_lease(LeaseEnd::Expired);
    if lease.attempt_ends_at == Some(at) {
        next.record_failure(FailureClass::Timeout, "the attempt ran too long", None, now);
        dispose(record, &mut next, FailureClass::Timeout, None, now);
        return DueEvent::TimedOut(Box::new(next));
    }
    next.record_failure(FailureClass::InfraCrash, "the lease was lost", None, now);
    next.hear_of(record.flow_cancel.as_ref());
    if next.cancel.is_some() {
        next.end(TerminalOutcome::Cancelled, now);
    } else if next.reclaims >= record.submission.policy.max_reclaims {
        next.end(TerminalOutcome::Failed, now);
    } else {
        next.reclaims += 1;
        next.close_attempt();
        next.await_turn(Entry::Reclaim, at);
    }
    DueEvent::LeaseLost(Box::new(next))
}

/// At one time the timeout comes before the expiry of a waitpoint.
fn wait_over(mut next: RunState, at: TimestampMs, now: TimestampMs) -> DueEvent {
    let suspension = next.waits().suspension.as_ref();
    if suspension.is_some_and(|suspension| suspension.timeout_at == Some(at)) {
        give_up(&mut next, ResumeReason::TimedOut, at, now);
        return DueEvent::WaitTimedOut(Box::new(next));
    }
    next.waits_mut().close_expired(WaitpointState::Active, at);
    give_up_if_impossible(&mut next, at, now);
    DueEvent::WaitpointsExpired(Box::new(next))
}
