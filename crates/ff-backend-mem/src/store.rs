//! The records and what is derived from them, kept together.
//!
//! Every change of a record goes through [`Store::insert`], [`Store::apply`] or [`Store::remove`],
//! which bring the indexes along and wake who waits for the change. Nothing else writes an index.
//! What the end of a member means for its flow is done by [`Store::apply`], through the tables in
//! [`crate::flows`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::lifecycle::{Verb, allows};
use ff_engine::machine::{
    self, CompletionLog, Decision, ExecutionRecord, FrameLog, Offers, Placement, Queue, Retagged,
    RunState,
};
use ff_engine::{EngineError, ReadStream, StreamPage, SummaryView, WaitpointState};
use ff_types::backend::{AppendFrameOutcome, Frame};
use ff_types::{AttemptIndex, ExecutionId, Namespace, TimestampMs, WaitpointId};
use tokio::sync::Notify;

use crate::budgets::Budgets;
use crate::flows::Flows;
use crate::idempotency::Keys;
use crate::mutation::Distortion;
use crate::queues::Queues;
use crate::repeats::Repeats;
use crate::schedules::Schedules;
use crate::timers::{Timed, Timers};
use crate::waiters::{CancelWaiters, EndWaiters, StreamWaiters};

pub(crate) struct Store {
    /// In the order of ids, which is the order of listings.
    pub(crate) records: BTreeMap<ExecutionId, Box<ExecutionRecord>>,
    pub(crate) flows: Flows,
    pub(crate) budgets: Budgets,
    pub(crate) schedules: Schedules,
    pub(crate) log: CompletionLog,
    /// Notified of every event of the log.
    pub(crate) logged: Arc<Notify>,
    pub(crate) queues: Queues,
    pub(crate) offers: Offers,
    pub(crate) timers: Timers,
    pub(crate) keys: Keys,
    pub(crate) repeats: Repeats,
    pub(crate) end_waiters: EndWaiters,
    pub(crate) cancel_waiters: CancelWaiters,
    pub(crate) stream_waiters: StreamWaiters,
    /// The waitpoints that are not closed, in the order of listings.
    pub(crate) waitpoints: BTreeSet<(WaitpointId, ExecutionId)>,
    pub(crate) distortion: Distortion,
}

impl Store {
    pub(crate) fn new(namespace: Namespace, distortion: Distortion) -> Self {
        Self {
            records: BTreeMap::new(),
            flows: Flows::default(),
            budgets: Budgets::default(),
            schedules: Schedules::default(),
            log: CompletionLog::default(),
            logged: Arc::default(),
            queues: Queues::new(namespace, distortion),
            offers: Offers::default(),
            timers: Timers::default(),
            keys: Keys::new(distortion),
            repeats: Repeats::default(),
            end_waiters: EndWaiters::default(),
            cancel_waiters: CancelWaiters::default(),
            stream_waiters: StreamWaiters::default(),
            waitpoints: BTreeSet::new(),
            distortion,
        }
    }

    /// The record of an execution.
    pub(crate) fn record(&self, id: ExecutionId) -> Result<&ExecutionRecord, EngineError> {
        self.records.get(&id).map(Box::as_ref).ok_or_else(|| EngineError::execution_not_found(id))
    }

    /// Adds a record that does not exist yet.
    pub(crate) fn insert(&mut self, verb: Verb, record: Box<ExecutionRecord>) {
        debug_assert!(allows(None, verb, Some(record.run.state)));
        let (placement, id) = (self.placement(&record), record.submission.id());
        self.queues.insert(&record.submission, &placement);
        self.timers.insert(&record.submission.tags, &Timed::Execution(id), placement.due);
        self.records.insert(id, record);
    }

    /// A lease was renewed: its holder still offers what it offered.
    pub(crate) fn offered_again(&mut self, id: ExecutionId, now: TimestampMs) {
        let Self { records, offers, .. } = self;
        let Some(record) = records.get(&id) else { return };
        if let (Some(offered), Some(lease)) = (&record.run.offered, record.run.lease) {
            let ttl = Duration::from_millis(lease.ttl_ms);
            offers.made(&record.submission.lane, offered, ttl, now);
        }
    }

    /// Does what was decided for a record and hands back the answer.
    pub(crate) fn settle<T>(
        &mut self,
        verb: Verb,
        id: ExecutionId,
        decision: Decision<T>,
        now: TimestampMs,
    ) -> T {
        match decision {
            Decision::Apply { next, outcome } => {
                self.apply(verb, id, *next, now);
                outcome
            }
            Decision::Keep(outcome) => outcome,
        }
    }

    /// Replaces the run state of a record, and does what that means for its flow.
    ///
    /// # Panics
    /// When there is no such record; callers have just decided over it.
    pub(crate) fn apply(&mut self, verb: Verb, id: ExecutionId, next: RunState, now: TimestampMs) {
        let earlier = self.replace(verb, id, next);
        self.settle_budgets(id, &earlier, now);
        self.settle_lane(id, &earlier, now);
        let after = self.records.get(&id).and_then(|record| record.run.state.outcome());
        match (earlier.state.outcome(), after) {
            (None, Some(_)) => {
                machine::execution_ended(self, id, &earlier, now);
                self.occurrence_ended(id, now);
                self.distortion.member_ended(self, id, now);
            }
            (Some(outcome), None) => {
                machine::member_reopened(self, id, outcome, earlier.unhandled, now);
            }
            _ => {}
        }
    }

    /// Replaces the run state of a record, brings the indexes along, and answers what it was.
    pub(crate) fn replace(&mut self, verb: Verb, id: ExecutionId, mut next: RunState) -> RunState {
        let distortion = self.distortion;
        let record = self.records.get_mut(&id).expect("a decision is over a stored record");
        distortion.next(verb, record, &mut next);
        debug_assert!(
            distortion.is_some() || allows(Some(record.run.state), verb, Some(next.state)),
            "{verb:?} moved {:?} to {:?}",
            record.run.state,
            next.state,
        );
        let before = distortion.placement(record, Placement::of(record));
        let earlier = std::mem::replace(&mut record.run, next);
        if !same_waits(&earlier, &record.run) {
            for waitpoint in not_closed(&earlier) {
                self.waitpoints.remove(&(waitpoint, id));
            }
            self.waitpoints.extend(not_closed(&record.run).map(|waitpoint| (waitpoint, id)));
        }
        let after = distortion.placement(record, Placement::of(record));
        if before.queue != after.queue {
            self.queues.remove(&record.submission, &before);
            self.queues.insert(&record.submission, &after);
        }
        if before.due != after.due {
            let (tags, timed) = (&record.submission.tags, &Timed::Execution(id));
            self.timers.remove(tags, timed, before.due);
            self.timers.insert(tags, timed, after.due);
        }
        self.budgets.follow(&earlier, record);
        if record.run.cancel.is_some() && earlier.cancel.is_none() {
            self.cancel_waiters.tell(record);
        }
        if machine::stream_end(&earlier, latest_of(&earlier))
            != machine::stream_end(&record.run, latest_of(&earlier))
        {
            self.stream_waiters.tell(id);
        }
        if record.run.ended_at.is_some() {
            record.reports = None;
            self.end_waiters.tell(record);
            if earlier.ended_at.is_none() {
                self.log.execution_ended(record);
                self.logged.notify_waiters();
            }
        }
        earlier
    }

    /// Appends frames that an attempt may write.
    pub(crate) fn append_frames(
        &mut self,
        id: ExecutionId,
        attempt: AttemptIndex,
        frames: &[Frame],
        now: TimestampMs,
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let Some(record) = self.records.get_mut(&id) else {
            return Err(EngineError::execution_not_found(id));
        };
        let mut log = record.frames.take().unwrap_or_default();
        let outcomes = log.append(attempt, frames, now);
        record.frames = Some(log).filter(|log| !log.is_empty());
        if outcomes.is_ok() && self.distortion.tells_readers() {
            self.stream_waiters.tell(id);
        }
        outcomes
    }

    /// Replaces the running summary of an execution.
    pub(crate) fn set_summary(&mut self, id: ExecutionId, summary: Box<SummaryView>) {
        if let Some(record) = self.records.get_mut(&id) {
            record.summary = Some(summary);
            self.stream_waiters.tell(id);
        }
    }

    /// Frames of an execution.
    pub(crate) fn read_stream(
        &self,
        request: &ReadStream,
        page_size: usize,
    ) -> Result<StreamPage, EngineError> {
        let record = self.record(request.execution_id)?;
        let empty = FrameLog::default();
        let log = record.frames.as_deref().unwrap_or(&empty);
        let end = machine::stream_end(&record.run, request.attempt);
        Ok(self.distortion.page(log.page_of(record, request, page_size), end))
    }

    /// Gives an execution other tags, and brings along what is kept by tag.
    pub(crate) fn retag(&mut self, id: ExecutionId, retagged: Retagged) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let placement = self.distortion.placement(record, Placement::of(record));
        let reclaimed = matches!(placement.queue, Some((Queue::Reclaim, _)));
        let timed = Timed::Execution(id);
        if reclaimed {
            self.queues.remove(&record.submission, &placement);
        }
        self.timers.remove(&record.submission.tags, &timed, placement.due);
        Arc::make_mut(&mut record.submission).tags = retagged.tags;
        record.run = retagged.run;
        if reclaimed {
            self.queues.insert(&record.submission, &placement);
        }
        self.timers.insert(&record.submission.tags, &timed, placement.due);
    }

    /// Removes a record whose retention has passed.
    pub(crate) fn remove(&mut self, id: ExecutionId) {
        if let Some(record) = self.records.remove(&id) {
            let placement = self.placement(&record);
            self.queues.remove(&record.submission, &placement);
            self.timers.remove(&record.submission.tags, &Timed::Execution(id), placement.due);
        }
    }

    /// Where a record belongs in the indexes.
    pub(crate) fn placement(&self, record: &ExecutionRecord) -> Placement {
        self.distortion.placement(record, Placement::of(record))
    }
}

/// The waitpoints of a run that a listing shows while they have not expired.
pub(crate) fn not_closed(run: &RunState) -> impl Iterator<Item = WaitpointId> + '_ {
    let all = run.waits().waitpoints.iter();
    all.filter(|one| one.state != WaitpointState::Closed).map(|one| one.id)
}

fn latest_of(run: &RunState) -> Option<AttemptIndex> {
    run.attempt.map(|attempt| attempt.index)
}

fn same_waits(one: &RunState, other: &RunState) -> bool {
    match (&one.waits, &other.waits) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}
