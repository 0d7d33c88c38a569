//! What is known of one execution: the submission, which never changes, and the run state, which
//! every verb replaces.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_types::backend::{CapabilitySet, FailOutcome, FailureClass};
use ff_types::{
    AttemptIndex, BlockReason, BudgetId, ExecutionState, FlowId, GrantId, LeaseEpoch, LeaseId,
    Payload, ReasonSet, RequestId, TerminalOutcome, TimestampMs, WorkerId, WorkerInstanceId,
};

use super::budget::Reports;
use super::flow::{Dependencies, Node};
use super::frame_log::FrameLog;
use super::recent::Recent;
use super::waits::Waits;
use crate::error::Released;
use crate::requests::{
    Amounts, CancelView, FailureView, SavedState, StepView, Submission, SummaryView,
};

/// One execution as a backend stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRecord {
    /// As submitted.
    pub submission: Arc<Submission>,
    /// Digest of the submission; tells a repeat from a clash of ids.
    pub fingerprint: u64,
    /// When it was submitted, by the store's clock.
    pub submitted_at: TimestampMs,
    /// The node that it is, if it belongs to a flow.
    pub node: Option<Arc<Node>>,
    /// The cancellation of its flow, if there is one: no attempt starts any more.
    pub flow_cancel: Option<Arc<CancelView>>,
    /// The frames that its attempts have written, once there are any.
    pub frames: Option<Box<FrameLog>>,
    /// The running summary, once there is one.
    pub summary: Option<Box<SummaryView>>,
    /// The keys of the latest reports of usage that were counted, until the end; once there are any.
    pub reports: Option<Box<Reports>>,
    /// Everything else that changes.
    pub run: RunState,
}

/// The part of an execution that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Where it is in its life.
    pub state: ExecutionState,
    /// What keeps it from being ready. Empty in `Active` unless a hold waits for the lease's end.
    pub reasons: ReasonSet,
    /// Which call hands it out once it is ready.
    pub entry: Entry,
    /// Since when it is, or will have been, ready: its place among equals of one priority.
    pub ready_at: TimestampMs,
    /// End of the delay, while `Delay` is among the reasons.
    pub delay_until: Option<TimestampMs>,
    /// By when it must have ended.
    pub deadline: Option<TimestampMs>,
    /// How long it may be ready before its first attempt starts, in ms.
    pub time_to_live_ms: Option<u64>,
    /// The latest attempt.
    pub attempt: Option<Attempt>,
    /// The epoch of the latest lease; never resets.
    pub epoch: LeaseEpoch,
    /// The live lease; set exactly in `Active`.
    pub lease: Option<Lease>,
    /// What the worker offered that it was handed out to, until the lease ends; `None` when that was nothing.
    pub offered: Option<CapabilitySet>,
    /// The latest leases that ended, and how.
    pub ended_leases: Recent<EndedLease>,
    /// The outstanding reclaim token.
    pub grant: Option<OutstandingGrant>,
    /// Retries used in this run.
    pub retries: u32,
    /// Leases lost in this run.
    pub reclaims: u32,
    /// The cancellation, pending or done.
    pub cancel: Option<Arc<CancelView>>,
    /// Progress of the latest attempt.
    pub progress: Option<Arc<Progress>>,
    /// The latest failure of this run.
    pub last_failure: Option<Arc<FailureView>>,
    /// Its waitpoints and what it waits for; `None` while it has none.
    pub waits: Option<Arc<Waits>>,
    /// What its latest attempt saved for the next.
    pub saved_state: Option<SavedState>,
    /// Its recorded steps, in the order of their recording; `None` while it has none.
    pub steps: Option<Arc<Vec<StepView>>>,
    /// What the handler returned.
    pub result: Option<Payload>,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// The child flows that it started and that have not ended; `None` while there are none.
    pub child_flows: Option<Arc<BTreeSet<FlowId>>>,
    /// The child flow that it waits for; set exactly in `WaitingChildren`.
    pub waits_for: Option<FlowId>,
    /// How the edges into it stand; without any when it belongs to no flow.
    pub dependencies: Dependencies,
    /// Whether it is a member that failed, and no node took that.
    pub unhandled: bool,
    /// The budget that it waits for; set exactly while `Budget` is among the reasons.
    pub blocked_on: Option<BudgetId>,
    /// In which generation of that budget it was set aside, if it was.
    pub set_aside: Option<u64>,
    /// What the latest attempt may still report within its reservation. It counts against the budgets
    /// while the lease is held, or the token that leads to one.
    pub reservation: Option<Arc<Amounts>>,
    /// What was reported in all, over all attempts.
    pub usage: Option<Arc<Amounts>>,
    /// The latest operator requests that had an effect.
    pub operator: Recent<OperatorMark>,
}

/// Which call hands out a ready execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `claim`: a first run, a retry or a replay.
    Claim,
    /// The reclaim scanner: a lost lease or a wait that is over.
    Reclaim,
}

/// The latest attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// 0, 1, 2 … without gaps.
    pub index: AttemptIndex,
    /// Whether it is running or paused.
    pub open: bool,
    /// When it started.
    pub started_at: TimestampMs,
}

/// A live lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Random identity, made by the claimer.
    pub id: LeaseId,
    /// The attempt it was issued for.
    pub attempt: AttemptIndex,
    /// Who holds it.
    pub worker: WorkerId,
    /// That worker's instance.
    pub instance: WorkerInstanceId,
    /// What a renewal adds to the present, in ms.
    pub ttl_ms: u64,
    /// When it runs out. Never behind the attempt's timeout or the execution's deadline, so that
    /// one comparison fences all three.
    pub expires_at: TimestampMs,
    /// When the attempt has run too long.
    pub attempt_ends_at: Option<TimestampMs>,
}

/// A lease that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedLease {
    /// Its identity.
    pub id: LeaseId,
    /// Its attempt.
    pub attempt: AttemptIndex,
    /// Its epoch.
    pub epoch: LeaseEpoch,
    /// How it ended.
    pub end: LeaseEnd,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// Its holder gave it back by this call.
    Released {
        /// Which call with which arguments.
        call: ReleaseCall,
        /// What that did.
        released: Released,
    },
    /// It ran out, or the attempt's timeout or the deadline passed.
    Expired,
    /// An operator took it away.
    Revoked,
}

/// A releasing call: the verb and a digest of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseCall {
    /// `complete`, `fail`, `cancel`, `delay`, `suspend` or `wait_children`.
    pub verb: &'static str,
    /// Digest of the arguments.
    pub digest: u64,
}

/// A reclaim token that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutstandingGrant {
    /// Its identity.
    pub id: GrantId,
    /// When it returns by itself.
    pub expires_at: TimestampMs,
}

/// What the holder last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0..=100.
    pub percent: u8,
    /// What it is doing.
    pub message: Option<String>,
}

/// An operator request that had an effect, and its outcome, for a repeat of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorMark {
    /// The request.
    pub request_id: RequestId,
    /// What it did.
    pub outcome: OperatorOutcome,
}

/// What an operator request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorOutcome {
    /// `cancel_execution` ended it.
    Cancelled,
    /// `cancel_execution` told its worker.
    CancelRequested,
    /// `hold`.
    Held,
    /// `release_hold`.
    HoldReleased,
    /// `revoke`.
    Revoked,
    /// `withdraw_waitpoint`.
    Withdrawn,
    /// `resume_execution`.
    Resumed,
    /// `set_tags`.
    Tagged,
    /// `replay`, whose next attempt has this index.
    Replayed(AttemptIndex),
}

impl RunState {
    /// The index of the next attempt.
    pub fn next_attempt(&self) -> AttemptIndex {
        self.attempt.map_or(AttemptIndex::FIRST, |attempt| attempt.index.next())
    }

    /// When it expires as things are: at its deadline, or when it was ready, or waited for a budget, too long before
    /// its first attempt.
    pub fn expires_at(&self) -> Option<TimestampMs> {
        let for_its_turn = matches!(self.state, ExecutionState::Ready | ExecutionState::Blocked)
            && self.reasons.without(BlockReason::Budget).is_empty();
        let waits = for_its_turn && self.attempt.is_none();
        let limit = self.time_to_live_ms.filter(|_| waits).map(Duration::from_millis);
        let start_by = limit.map(|limit| self.ready_at.saturating_add(limit));
        [self.deadline, start_by].into_iter().flatten().min()
    }

    /// Whether this is one of its open child flows.
    pub fn has_child_flow(&self, flow: FlowId) -> bool {
        self.child_flows.as_ref().is_some_and(|flows| flows.contains(&flow))
    }

    /// What an operator request with this id did, if it is one of the latest with an effect and
    /// `own` knows its outcome: an id may have been used for requests of different verbs.
    pub(crate) fn done_by<T>(
        &self,
        request_id: RequestId,
        own: impl Fn(OperatorOutcome) -> Option<T>,
    ) -> Option<T> {
        let mut marks = self.operator.iter().filter(|mark| mark.request_id == request_id);
        marks.find_map(|mark| own(mark.outcome))
    }

    /// Takes the cancellation of the flow for its own, unless it has one: the attempt is over, and no
    /// other may start.
    pub(crate) fn hear_of(&mut self, flow_cancel: Option<&Arc<CancelView>>) {
        if self.cancel.is_none() {
            self.cancel = flow_cancel.cloned();
        }
    }

    /// Ends the live lease, if any.
    pub(crate) fn end_lease(&mut self, end: LeaseEnd) {
        if let Some(lease) = self.lease.take() {
            self.offered = None;
            let (id, attempt, epoch) = (lease.id, lease.attempt, self.epoch);
            self.ended_leases.push(EndedLease { id, attempt, epoch, end });
        }
    }

    /// Closes the current attempt; the next claim opens another.
    pub(crate) fn close_attempt(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.open = false;
        }
        self.reservation = None;
    }

    /// Nobody has a token any more. What was reserved for the attempt that it would have opened is not.
    pub(crate) fn drop_token(&mut self) {
        self.grant = None;
        if self.attempt.is_none_or(|attempt| !attempt.open) {
            self.reservation = None;
        }
    }

    /// Makes the execution wait to be handed out by `entry`, in the state its reasons imply.
    pub(crate) fn await_turn(&mut self, entry: Entry, ready_at: TimestampMs) {
        self.entry = entry;
        self.ready_at = ready_at;
        self.drop_token();
        self.state = state_of(self.reasons);
    }

    /// Adds a delay until `until`; a time that has passed adds none. Answers when it is ready.
    pub(crate) fn delay_to(&mut self, until: TimestampMs, now: TimestampMs) -> TimestampMs {
        if until > now {
            self.reasons = self.reasons.with(BlockReason::Delay);
            self.delay_until = Some(until);
            until
        } else {
            now
        }
    }

    /// Ends the execution. Everything it held or waited for is gone, but for the hold and the delay of one that is
    /// skipped: it may run after all, and does not before these are over.
    pub(crate) fn end(&mut self, outcome: TerminalOutcome, now: TimestampMs) {
        self.state = outcome.state();
        if outcome == TerminalOutcome::Skipped {
            let others = self.reasons.without(BlockReason::Dependencies);
            self.reasons = others.without(BlockReason::Budget);
        } else {
            self.reasons = ReasonSet::EMPTY;
            self.delay_until = None;
        }
        self.grant = None;
        self.offered = None;
        if self.waits.is_some() {
            self.waits_mut().end();
        }
        self.saved_state = None;
        self.steps = None;
        self.close_attempt();
        self.dependencies.close();
        self.child_flows = None;
        self.waits_for = None;
        self.blocked_on = None;
        self.set_aside = None;
        self.ended_at = Some(now);
    }

    /// One that had ended is open again: a deadline and a delay that have passed are dropped. Answers since when it
    /// is ready, if nothing else keeps it.
    pub(crate) fn open_again(&mut self, now: TimestampMs) -> TimestampMs {
        self.ended_at = None;
        self.deadline = self.deadline.filter(|deadline| *deadline > now);
        if self.delay_until.is_some_and(|until| until <= now) {
            self.reasons = self.reasons.without(BlockReason::Delay);
            self.delay_until = None;
        }
        self.delay_until.unwrap_or(now)
    }

    /// Remembers a failure of the latest attempt.
    pub(crate) fn record_failure(
        &mut self,
        class: FailureClass,
        message: impl Into<String>,
        detail: Option<bytes::Bytes>,
        now: TimestampMs,
    ) {
        let attempt = self.attempt.map_or(AttemptIndex::FIRST, |attempt| attempt.index);
        self.last_failure = Some(Arc::new(FailureView {
            class,
            message: message.into(),
            detail: detail.map(crate::requests::FailureDetail),
            attempt,
            at: now,
        }));
    }
}

/// The waiting state that a set of reasons implies. A delay shows only when nothing else blocks.
pub(crate) fn state_of(reasons: ReasonSet) -> ExecutionState {
    if reasons.is_empty() {
        ExecutionState::Ready
    } else if reasons.without(BlockReason::Delay).is_empty() {
        ExecutionState::Delayed
    } else {
        ExecutionState::Blocked
    }
}

impl Released {
    /// The answer of `fail` that this release was, if it was one.
    pub const fn as_fail(self) -> FailOutcome {
        match self {
            Self::RetryScheduled { delay_until } => FailOutcome::RetryScheduled { delay_until },
            _ => FailOutcome::TerminalFailed,
        }
    }
}
