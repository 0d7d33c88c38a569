//! The schedules of a store.

use std::collections::BTreeMap;

use ff_engine::EngineError;
use ff_engine::Submission;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, ExecutionRecord, ScheduleRecord, ScheduleTables};
use ff_types::{ExecutionId, ScheduleId, TimestampMs};

use crate::store::Store;
use crate::timers::Timed;

/// The schedules, in the order of ids, which is the order of listings.
#[derive(Default)]
pub(crate) struct Schedules {
    records: BTreeMap<ScheduleId, Box<ScheduleRecord>>,
}

impl Schedules {
    pub(crate) fn get(&self, id: ScheduleId) -> Option<&ScheduleRecord> {
        self.records.get(&id).map(Box::as_ref)
    }

    pub(crate) fn range(
        &self,
        range: impl std::ops::RangeBounds<ScheduleId>,
    ) -> impl Iterator<Item = &ScheduleRecord> {
        self.records.range(range).map(|(_, schedule)| schedule.as_ref())
    }
}

impl ScheduleTables for Store {
    fn is_open(&self, id: ExecutionId) -> bool {
        self.records.get(&id).is_some_and(|record| !record.run.state.is_terminal())
    }

    fn is_there(&self, id: ExecutionId) -> bool {
        self.records.contains_key(&id)
    }

    fn takes_in(&self, work: &Submission) -> Result<Option<u64>, EngineError> {
        machine::takes_in(work, self)
    }

    fn submit_occurrence(&mut self, record: Box<ExecutionRecord>) {
        self.insert(Verb::Submit, record);
    }

    fn cancel_before(&mut self, id: ExecutionId, now: TimestampMs) {
        let next = self.records.get(&id).and_then(|record| machine::cancel_before(record, now));
        if let Some(next) = next {
            self.apply(Verb::CancelExecution, id, next, now);
        }
    }
}

impl Store {
    /// The record of a schedule.
    pub(crate) fn schedule_record(&self, id: ScheduleId) -> Result<&ScheduleRecord, EngineError> {
        self.schedules.get(id).ok_or_else(|| EngineError::schedule_not_found(id))
    }

    /// Stores a schedule, a new one or in place of what it was.
    pub(crate) fn put_schedule(&mut self, schedule: Box<ScheduleRecord>) {
        let (timed, due) = (Timed::Schedule(schedule.id), schedule.due);
        let tags = schedule.tags.clone();
        let earlier = self.schedules.records.insert(schedule.id, schedule);
        let before = earlier.and_then(|schedule| schedule.due);
        if before != due {
            self.timers.remove(&tags, &timed, before);
            self.timers.insert(&tags, &timed, due);
        }
    }

    /// Removes a schedule, if it is there.
    pub(crate) fn remove_schedule(&mut self, id: ScheduleId) {
        if let Some(schedule) = self.schedules.records.remove(&id) {
            self.timers.remove(&schedule.tags, &Timed::Schedule(id), schedule.due);
        }
    }

    /// Submits what has come due of a schedule. Answers whether anything was due.
    pub(crate) fn fire(&mut self, id: ScheduleId, now: TimestampMs) -> bool {
        let Some(schedule) = self.schedules.get(id).cloned() else { return false };
        let seen = self.distortion.scheduling(&schedule);
        let Ok(Some(plan)) = machine::plan(&seen, now) else { return false };
        let Some(next) = machine::fire(&seen, &plan, self, now) else { return false };
        let next = self.distortion.fired(&schedule, next);
        self.put_schedule(Box::new(next));
        true
    }

    /// Tells the schedule of an execution that has ended, if it has one.
    pub(crate) fn occurrence_ended(&mut self, id: ExecutionId, now: TimestampMs) {
        let occurrence = self.records.get(&id).and_then(|record| record.submission.occurrence());
        let schedule = occurrence.and_then(|occurrence| self.schedules.get(occurrence.schedule));
        let next = schedule.and_then(|one| machine::execution_before_ended(one, id, now));
        if let Some(next) = next {
            self.put_schedule(Box::new(next));
        }
    }
}
