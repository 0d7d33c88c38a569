//! Deliberately broken variants. Each breaks one rule; the conformance suite has to notice every
//! one of them. None of this is compiled unless the feature `mutants` is on.

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{
    self, Backfill, Entry, ExecutionRecord, Placement, Recent, RunState, ScheduleRecord, Waitpoint,
};
use ff_engine::{
    CancelExecution, ExtendFlow, Fence, Misfire, Overlap, RecordStep, StreamEnd, StreamPage,
    Submission, UpdateSummary, WaitpointState,
};
use ff_types::backend::{CapabilitySet, Frame, ScannerFilter};
use ff_types::{
    BlockReason, ExecutionId, ExecutionState, JoinRest, NodeKey, ReasonSet, RequestId, TimestampMs,
};

use crate::store::Store;

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A rule to break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutation {
            $($(#[$doc])* $name,)*
        }

        impl Mutation {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mutations! {
    /// A holder is not checked against the live lease.
    NoFence,
    /// A lease is good for one millisecond too long.
    ExpiryOffByOne,
    /// A renewal revives a lease that ran out.
    RenewRevives,
    /// A renewal says nothing of a pending cancellation.
    RenewHidesCancel,
    /// Last in, first out.
    LastInFirstOut,
    /// Priorities do not count.
    NoPriority,
    /// Lowest priority first.
    PriorityReversed,
    /// A worker is given what it cannot run.
    NoCapabilities,
    /// A worker is given only what requires exactly what it offers.
    CapabilitiesMustEqual,
    /// A claimed execution stays in the queue.
    ClaimedTwice,
    /// The epoch does not rise.
    EpochStays,
    /// The epoch starts again at a replay.
    EpochResets,
    /// A repeated claim makes new leases.
    ClaimForgotten,
    /// A waiting claim is not woken.
    LostWakeup,
    /// A retry happens at once.
    NoBackoff,
    /// Retries are not counted.
    RetriesForEver,
    /// Lost leases are not counted.
    ReclaimsForEver,
    /// A revoke counts as a lost lease.
    RevokeCounts,
    /// A lost lease does not start a new attempt.
    AttemptGoesOn,
    /// A pause starts a new attempt.
    PauseEndsAttempt,
    /// A lost lease is handed out by a plain claim.
    ReclaimByClaim,
    /// Releasing a hold also ends a delay.
    HoldTakesDelayAlong,
    /// The end of a delay also releases a hold.
    DelayTakesHoldAlong,
    /// A hold on a running attempt is forgotten when it ends.
    HoldForgotten,
    /// A repeated release is refused.
    ReleaseForgotten,
    /// A repeated operator request has a second effect.
    OperatorForgotten,
    /// A replay keeps the counters of the old run.
    ReplayLeaks,
    /// A replay numbers attempts from 0 again.
    ReplayRenumbers,
    /// The result is lost.
    ResultLost,
    /// Records go before their retention.
    RetentionEarly,
    /// Records never go.
    RetentionNever,
    /// A reclaim token never returns.
    GrantNeverReturns,
    /// Deadlines never pass.
    NoDeadline,
    /// The attempt's timeout is armed only at the first claim.
    TimeoutArmedOnce,
    /// The filter of a scanner does not count.
    NoFilter,
    /// The next due time is a millisecond late.
    NextDueLate,
    /// A listing shows the last item of a page again.
    CursorRepeats,
    /// Idempotency keys are forgotten at once.
    KeysForgotten,
    /// A key's window never ends.
    KeysForEver,
    /// Progress of an earlier attempt stays.
    ProgressStays,
    /// A waitpoint stays open when its wait is over, so that a late signal counts for the next.
    SignalsCross,
    /// A repeated signal counts again.
    DuplicatesCount,
    /// Sources are told apart by what their senders wrote.
    SourcesAsWritten,
    /// Signals that came before the suspend are lost.
    EarlySignalsLost,
    /// Tokens are not verified.
    NoTokenCheck,
    /// A waitpoint takes signals for one millisecond too long.
    WaitpointExpiryOffByOne,
    /// A wait never times out.
    WaitForEver,
    /// A later result of a step replaces the first.
    StepOverwritten,
    /// A retry starts without the steps of the attempts before it.
    StepsOfOneAttempt,
    /// A replay keeps the steps of the old run.
    StepsSurviveReplay,
    /// A repeated number appends a frame again.
    FramesTwice,
    /// A frame of a holder whose lease was lost is taken.
    LateFrames,
    /// Nobody is told that frames are not kept any more.
    NoGap,
    /// The readers of a stream are not woken.
    FramesUnheard,
    /// The end of a stream is told in front of its last frames.
    EarlyEnd,
    /// A summary is taken whatever version it is made from.
    SummaryOverwritten,
    /// A state that comes with a pause is not saved.
    StateNotReleased,
    /// A node that ran runs again for the next parent.
    FiresAgain,
    /// An edge that has become impossible is not counted.
    ImpossibleForgotten,
    /// A node that cannot run is not skipped.
    NoSkip,
    /// Members do not hear that their flow is cancelled.
    NoBarrier,
    /// Parents that another node needs are cancelled as well.
    SiblingsNotSpared,
    /// New edges from nodes that have ended do not count.
    ExtensionForgetsEnds,
    /// A flow that goes leaves its members.
    MembersLeft,
    /// What an attempt has reserved stays reserved.
    ReservationKept,
    /// Nothing is reserved.
    NothingReserved,
    /// A report with a key that was used counts again.
    ReportsCountAgain,
    /// Whoever fits overtakes those that wait for room in a budget.
    BudgetOvertaken,
    /// Keys of a lane take no turns, and have no limits.
    TurnsIgnored,
    /// A lease that is lost counts on in its lane.
    LostLeaseCounts,
    /// Nobody hears that a lane has room again.
    LaneRoomUnheard,
    /// What a worker offered once counts for ever.
    DeadOffersCount,
    /// Those that wait for room are not let go on when there is some.
    RoomUnheard,
    /// Every missed occurrence is made up for.
    MisfireIgnored,
    /// An occurrence is submitted while the one before has not ended.
    OverlapIgnored,
    /// The occurrences of a pause are made up for.
    PauseMadeUpFor,
    /// A backfill makes executions of its own.
    BackfillDoubles,
    /// An occurrence that waits for the end of the one before is forgotten.
    BufferForgotten,
}

/// The rule that is broken, if any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distortion(Option<Mutation>);

/// No distortion.
pub(crate) const NONE: Distortion = Distortion(None);

impl Distortion {
    pub(crate) const fn of(mutation: Mutation) -> Self {
        Self(Some(mutation))
    }

    pub(crate) const fn is_some(self) -> bool {
        self.0.is_some()
    }

    fn is(self, mutation: Mutation) -> bool {
        self.0 == Some(mutation)
    }

    /// Changes what a decision makes of a record.
    pub(crate) fn next(self, verb: Verb, record: &ExecutionRecord, next: &mut RunState) {
        let Some(mutation) = self.0 else { return };
        let before = &record.run;
        let lost = verb == Verb::Tick && before.lease.is_some() && next.lease.is_none();
        let claimed = before.lease.is_none() && next.lease.is_some();
        match mutation {
            Mutation::EpochStays if claimed => next.epoch = before.epoch,
            Mutation::EpochResets if verb == Verb::Replay => {
                next.epoch = ff_types::LeaseEpoch::ZERO;
            }
            Mutation::NoBackoff if verb == Verb::Fail && next.state == ExecutionState::Delayed => {
                next.reasons = next.reasons.without(BlockReason::Delay);
                next.delay_until = None;
                next.state = ExecutionState::Ready;
            }
            Mutation::RetriesForEver => next.retries = 0,
            Mutation::ReclaimsForEver => next.reclaims = 0,
            Mutation::RevokeCounts if verb == Verb::Revoke => next.reclaims += 1,
            Mutation::AttemptGoesOn if lost && !next.state.is_terminal() => {
                next.attempt = before.attempt;
            }
            Mutation::PauseEndsAttempt if verb == Verb::Delay => {
                if let Some(attempt) = &mut next.attempt {
                    attempt.open = false;
                }
            }
            Mutation::ReclaimByClaim if lost => next.entry = Entry::Claim,
            Mutation::HoldTakesDelayAlong if verb == Verb::ReleaseHold => all_reasons_gone(next),
            Mutation::DelayTakesHoldAlong
                if before.reasons.contains(BlockReason::Delay)
                    && !next.reasons.contains(BlockReason::Delay)
                    && verb == Verb::Tick
                    && !next.state.is_terminal() =>
            {
                all_reasons_gone(next);
            }
            Mutation::HoldForgotten
                if before.state == ExecutionState::Active
                    && next.state == ExecutionState::Blocked =>
            {
                all_reasons_gone(next);
            }
            Mutation::ReleaseForgotten => next.ended_leases = Recent::default(),
            Mutation::OperatorForgotten => next.operator = Recent::default(),
            Mutation::ReplayLeaks if verb == Verb::Replay => {
                next.retries = before.retries;
                next.reclaims = before.reclaims;
            }
            Mutation::ReplayRenumbers if verb == Verb::Replay => next.attempt = None,
            Mutation::ResultLost => next.result = None,
            Mutation::RetentionEarly => {
                let early = |at: TimestampMs| at.saturating_sub(Duration::from_millis(1));
                next.ended_at = next.ended_at.filter(|_| before.ended_at.is_none()).map(early);
            }
            Mutation::SignalsCross => reopen(before, next),
            Mutation::DuplicatesCount if verb == Verb::DeliverSignal => {
                each_waitpoint(next, |waitpoint| waitpoint.seen.clear());
            }
            Mutation::SourcesAsWritten if verb == Verb::DeliverSignal => {
                each_waitpoint(next, |waitpoint| {
                    for kept in &mut waitpoint.kept {
                        let signal = Arc::make_mut(&mut kept.signal);
                        signal.source_identity = signal.signal_category.clone();
                    }
                });
            }
            Mutation::StepsOfOneAttempt if verb == Verb::Fail => next.steps = None,
            Mutation::StepsSurviveReplay if next.state.is_terminal() || verb == Verb::Replay => {
                next.steps.clone_from(&before.steps);
            }
            Mutation::StateNotReleased if verb == Verb::Delay => {
                next.saved_state.clone_from(&before.saved_state);
            }
            Mutation::FiresAgain
                if verb == Verb::Promote
                    && before.state.is_terminal()
                    && before.attempt.is_some()
                    && next.dependencies.satisfied > before.dependencies.satisfied =>
            {
                next.state = ExecutionState::Ready;
                next.ended_at = None;
            }
            Mutation::ImpossibleForgotten if verb == Verb::Promote => {
                next.dependencies.impossible = before.dependencies.impossible;
            }
            Mutation::NoSkip if next.state == ExecutionState::Skipped => next.clone_from(before),
            Mutation::ProgressStays if claimed => next.progress.clone_from(&before.progress),
            Mutation::TimeoutArmedOnce if claimed && before.attempt.is_some() => {
                if let Some(lease) = &mut next.lease {
                    lease.attempt_ends_at = None;
                    lease.expires_at = lease.expires_at.saturating_add(Duration::from_hours(1));
                }
            }
            _ => {}
        }
    }

    /// Changes where a record stands.
    pub(crate) fn placement(self, record: &ExecutionRecord, mut placement: Placement) -> Placement {
        let Some(mutation) = self.0 else {
            return placement;
        };
        if let Some((_, order)) = &mut placement.queue {
            match mutation {
                Mutation::LastInFirstOut => order.ready_at = TimestampMs(-order.ready_at.as_i64()),
                Mutation::NoPriority => order.rank = 0,
                Mutation::PriorityReversed => order.rank = -order.rank,
                _ => {}
            }
        }
        let run = &record.run;
        let ended = run.ended_at.is_some();
        let by_deadline = placement.due == run.deadline;
        placement.due = match mutation {
            Mutation::RetentionNever if ended => None,
            Mutation::GrantNeverReturns if run.grant.is_some() => None,
            Mutation::WaitForEver if run.state == ExecutionState::Suspended => run.deadline,
            Mutation::NoDeadline if !ended && by_deadline => None,
            _ => placement.due,
        };
        if self.is(Mutation::ClaimedTwice) && run.lease.is_some() {
            let rank = -i16::from(record.submission.priority);
            let order = ff_engine::machine::QueueOrder { rank, ready_at: run.ready_at };
            placement.queue = Some((ff_engine::machine::Queue::Ready, order));
        }
        placement
    }

    pub(crate) fn covers(self, required: &CapabilitySet, offered: &CapabilitySet) -> bool {
        match self.0 {
            Some(Mutation::NoCapabilities) => true,
            Some(Mutation::CapabilitiesMustEqual) => required == offered,
            _ => required.is_subset_of(offered),
        }
    }

    pub(crate) fn wakes(self) -> bool {
        !self.is(Mutation::LostWakeup)
    }

    pub(crate) fn remembers_claims(self) -> bool {
        !self.is(Mutation::ClaimForgotten)
    }

    /// Changes what a holder is checked against.
    pub(crate) fn fence(
        self,
        record: &ExecutionRecord,
        fence: Fence,
        now: TimestampMs,
    ) -> (Fence, TimestampMs) {
        match (self.0, &record.run.lease) {
            (Some(Mutation::NoFence), Some(lease)) => {
                let (attempt, epoch) = (lease.attempt, record.run.epoch);
                (Fence { attempt, epoch, lease: lease.id, ..fence }, now)
            }
            (Some(Mutation::ExpiryOffByOne), _) => {
                (fence, now.saturating_sub(Duration::from_millis(1)))
            }
            _ => (fence, now),
        }
    }

    /// Changes the record that a renewal is decided over.
    pub(crate) fn renewed(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        let mut seen = record.clone();
        match self.0 {
            Some(Mutation::RenewRevives) => {
                if let Some(lease) = &mut seen.run.lease {
                    lease.expires_at = TimestampMs::MAX;
                }
            }
            Some(Mutation::RenewHidesCancel) => seen.run.cancel = None,
            _ => return Cow::Borrowed(record),
        }
        Cow::Owned(seen)
    }

    /// Changes the record that a suspend is decided over.
    pub(crate) fn suspending(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        if !self.is(Mutation::EarlySignalsLost) {
            return Cow::Borrowed(record);
        }
        let mut seen = record.clone();
        each_waitpoint(&mut seen.run, |waitpoint| waitpoint.kept.clear());
        Cow::Owned(seen)
    }

    /// Changes the record that a step is recorded in.
    pub(crate) fn recording<'r>(
        self,
        record: &'r ExecutionRecord,
        request: &RecordStep,
    ) -> Cow<'r, ExecutionRecord> {
        if !self.is(Mutation::StepOverwritten) {
            return Cow::Borrowed(record);
        }
        let mut seen = record.clone();
        if let Some(steps) = &mut seen.run.steps {
            Arc::make_mut(steps).retain(|step| step.name != request.name);
        }
        Cow::Owned(seen)
    }

    /// Changes the frames that are appended.
    pub(crate) fn appending(self, frames: &[Frame]) -> Cow<'_, [Frame]> {
        if !self.is(Mutation::FramesTwice) {
            return Cow::Borrowed(frames);
        }
        let unnumbered = |frame: &Frame| {
            let mut frame = frame.clone();
            frame.seq = None;
            frame
        };
        Cow::Owned(frames.iter().map(unnumbered).collect())
    }

    /// Changes the fence of an append.
    pub(crate) fn writing(self, record: &ExecutionRecord, fence: Fence) -> Fence {
        match record.run.lease {
            Some(lease) if self.is(Mutation::LateFrames) => {
                Fence { attempt: lease.attempt, epoch: record.run.epoch, lease: lease.id, ..fence }
            }
            _ => fence,
        }
    }

    /// Whether those who wait for frames are told.
    pub(crate) fn tells_readers(self) -> bool {
        !self.is(Mutation::FramesUnheard)
    }

    /// Changes a page of frames.
    pub(crate) fn page(self, mut page: StreamPage, end: Option<StreamEnd>) -> StreamPage {
        if self.is(Mutation::NoGap) {
            page.gap = false;
        } else if self.is(Mutation::EarlyEnd) {
            page.end = end;
        }
        page
    }

    /// Changes an update of the summary.
    pub(crate) fn summarizing(
        self,
        record: &ExecutionRecord,
        request: &UpdateSummary,
    ) -> UpdateSummary {
        let mut request = request.clone();
        if self.is(Mutation::SummaryOverwritten) {
            request.expected_version = record.summary.as_ref().map_or(0, |stands| stands.version);
        }
        request
    }

    /// Changes an extension of a flow.
    pub(crate) fn extending(
        self,
        request: &ExtendFlow,
        has_ended: impl Fn(&NodeKey) -> bool,
    ) -> Cow<'_, ExtendFlow> {
        if !self.is(Mutation::ExtensionForgetsEnds) {
            return Cow::Borrowed(request);
        }
        let (id, revision) = (request.flow_id(), request.expected_revision());
        let mut seen = ExtendFlow::new(request.request_id, id, revision, request.node_count());
        request.nodes().iter().for_each(|node| {
            seen.add_node(node.clone());
        });
        let counting = request.edges().iter().filter(|edge| !has_ended(&edge.from));
        counting.for_each(|edge| seen.add_edge(edge.clone()));
        Cow::Owned(seen)
    }

    /// Does more when a member has ended.
    pub(crate) fn member_ended(self, store: &mut Store, id: ExecutionId, now: TimestampMs) {
        let record = store.records.get(&id).and_then(|record| record.node.clone());
        let (true, Some(node)) = (self.is(Mutation::SiblingsNotSpared), record) else { return };
        let Some(flow) = store.flows.get(node.flow) else { return };
        let lets_go = |member: &ExecutionRecord| {
            member.node.as_deref().is_some_and(|node| node.rest == JoinRest::CancelRemaining)
                && !member.run.dependencies.is_undecided()
        };
        let nodes = flow.nodes.iter().zip(store.members(flow));
        let parents =
            nodes.filter(|(_, member)| lets_go(member)).flat_map(|(node, _)| &node.parents);
        let parents: Vec<_> = parents
            .filter_map(|link| Some(node.flow.member(u16::try_from(link.node).ok()?)))
            .collect();
        for parent in parents {
            let request = CancelExecution::new(RequestId::from_u128(1), parent, "a sibling");
            let decision = store
                .record(parent)
                .and_then(|record| machine::cancel_execution(record, &request, now));
            if let Ok(decision) = decision {
                store.settle(Verb::CancelExecution, parent, decision, now);
            }
        }
    }

    /// Changes what its budgets see of an execution that was as `before`.
    pub(crate) fn budgeting<'r>(
        self,
        before: &'r RunState,
        run: &'r RunState,
    ) -> (Cow<'r, RunState>, Cow<'r, RunState>) {
        let without = |run: &RunState| {
            let mut seen = run.clone();
            seen.reservation = None;
            Cow::Owned(seen)
        };
        match self.0 {
            Some(Mutation::ReservationKept) => (without(before), Cow::Borrowed(run)),
            Some(Mutation::NothingReserved) => (without(before), without(run)),
            _ => (Cow::Borrowed(before), Cow::Borrowed(run)),
        }
    }

    /// Changes when a budget is looked at.
    pub(crate) fn look_at(
        self,
        before: Option<TimestampMs>,
        look_at: Option<TimestampMs>,
    ) -> Option<TimestampMs> {
        if self.is(Mutation::RoomUnheard) { before } else { look_at }
    }

    /// Changes the record that a report is decided over.
    pub(crate) fn reporting(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        if !self.is(Mutation::ReportsCountAgain) {
            return Cow::Borrowed(record);
        }
        let mut seen = record.clone();
        seen.reports = None;
        Cow::Owned(seen)
    }

    /// Changes the submission that is queued.
    pub(crate) fn queued(self, submission: &Submission) -> Cow<'_, Submission> {
        if !self.is(Mutation::TurnsIgnored) {
            return Cow::Borrowed(submission);
        }
        let mut seen = submission.clone();
        seen.lane_key = None;
        Cow::Owned(seen)
    }

    /// Changes what an execution held in its lane that was as `before`.
    pub(crate) fn holding<'r>(self, before: &'r RunState, run: &'r RunState) -> &'r RunState {
        let lost = run.reclaims > before.reclaims;
        if lost && self.is(Mutation::LostLeaseCounts) { run } else { before }
    }

    /// Changes until when what workers offer is looked at.
    pub(crate) fn offers_at(self, now: TimestampMs) -> TimestampMs {
        if self.is(Mutation::DeadOffersCount) { TimestampMs(0) } else { now }
    }

    pub(crate) fn hears_of_room(self) -> bool {
        !self.is(Mutation::LaneRoomUnheard)
    }

    pub(crate) fn keeps_order_in_budgets(self) -> bool {
        !self.is(Mutation::BudgetOvertaken)
    }

    /// Changes the record that a schedule is fired by.
    pub(crate) fn scheduling(self, schedule: &ScheduleRecord) -> Cow<'_, ScheduleRecord> {
        let mut seen = schedule.clone();
        let spec = Arc::make_mut(&mut seen.spec);
        match self.0 {
            Some(Mutation::MisfireIgnored) => spec.misfire = Misfire::All { at_most: 100 },
            Some(Mutation::OverlapIgnored) => spec.overlap = Overlap::Allow,
            _ => return Cow::Borrowed(schedule),
        }
        Cow::Owned(seen)
    }

    /// Changes what becomes of a schedule that was fired.
    pub(crate) fn fired(
        self,
        schedule: &ScheduleRecord,
        mut next: ScheduleRecord,
    ) -> ScheduleRecord {
        if self.is(Mutation::MisfireIgnored) || self.is(Mutation::OverlapIgnored) {
            next.spec = Arc::clone(&schedule.spec);
        }
        if self.is(Mutation::BufferForgotten) {
            next.waiting = None;
        }
        next
    }

    /// Changes what an adjustment makes of a schedule.
    pub(crate) fn adjusted(
        self,
        schedule: &ScheduleRecord,
        mut next: Box<ScheduleRecord>,
    ) -> Box<ScheduleRecord> {
        if self.is(Mutation::PauseMadeUpFor) && schedule.paused.is_some() && next.paused.is_none() {
            next.through = schedule.through;
            let first = machine::first_due(next.id, &next.spec, next.through).ok().flatten();
            (next.next, next.due) = (first.map(|(at, _)| at), first.map(|(_, due)| due));
        }
        next
    }

    /// Changes what a backfill covers.
    pub(crate) fn backfilling(self, mut backfill: Backfill) -> Backfill {
        if self.is(Mutation::BackfillDoubles) {
            for run in &mut backfill.runs {
                run.execution_id = ExecutionId::from_u128(run.execution_id.as_u128() ^ 1);
            }
        }
        backfill
    }

    pub(crate) fn tells_members(self) -> bool {
        !self.is(Mutation::NoBarrier)
    }

    pub(crate) fn removes_members(self) -> bool {
        !self.is(Mutation::MembersLeft)
    }

    pub(crate) fn verifies(self) -> bool {
        !self.is(Mutation::NoTokenCheck)
    }

    /// Changes the present that a signal arrives in.
    pub(crate) fn signal_time(self, now: TimestampMs) -> TimestampMs {
        let late = u64::from(self.is(Mutation::WaitpointExpiryOffByOne));
        now.saturating_sub(Duration::from_millis(late))
    }

    pub(crate) fn behind(self, id: ExecutionId) -> Bound<ExecutionId> {
        if self.is(Mutation::CursorRepeats) { Bound::Included(id) } else { Bound::Excluded(id) }
    }

    pub(crate) fn filter(self, filter: &ScannerFilter) -> &ScannerFilter {
        const EVERYTHING: &ScannerFilter = &ScannerFilter::NOOP;
        if self.is(Mutation::NoFilter) { EVERYTHING } else { filter }
    }

    pub(crate) fn next_due(self, at: TimestampMs) -> TimestampMs {
        let late = u64::from(self.is(Mutation::NextDueLate));
        at.saturating_add(Duration::from_millis(late))
    }

    /// Whether a key that ends at `ends_at` still names its execution.
    pub(crate) fn key_holds(self, ends_at: TimestampMs, now: TimestampMs) -> bool {
        match self.0 {
            Some(Mutation::KeysForgotten) => false,
            Some(Mutation::KeysForEver) => true,
            _ => ends_at > now,
        }
    }
}

fn all_reasons_gone(next: &mut RunState) {
    next.reasons = ReasonSet::EMPTY;
    next.delay_until = None;
    if next.state != ExecutionState::Active {
        next.state = ExecutionState::Ready;
    }
}

fn each_waitpoint(run: &mut RunState, change: impl FnMut(&mut Waitpoint)) {
    if let Some(waits) = &mut run.waits {
        Arc::make_mut(waits).waitpoints.iter_mut().for_each(change);
    }
}

/// Opens the waitpoints of a wait that is over, for the suspends to come.
fn reopen(before: &RunState, next: &mut RunState) {
    let over = before.waits().suspension.as_ref().filter(|_| next.waits().suspension.is_none());
    let (Some(over), false) = (over, next.state.is_terminal()) else { return };
    each_waitpoint(next, |waitpoint| {
        if over.waitpoints.contains(&waitpoint.id) {
            waitpoint.state = WaitpointState::Pending;
            waitpoint.matcher = None;
        }
    });
}
