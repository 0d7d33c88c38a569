//! Schedules: a table more, with a column for when each is due.

use std::ops::Bound;

use async_trait::async_trait;
use ff_engine::machine::{self, ExecutionRecord, ScheduleRecord, ScheduleTables};
use ff_engine::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, EngineError, ListSchedules,
    ScheduleOps, ScheduleView, Submission, TickOutcome,
};
use ff_types::{ExecutionId, ScheduleId, TimestampMs};

use crate::toy::{Table, Toy};

// region: schedules
impl ScheduleTables for Table {
    fn is_open(&self, id: ExecutionId) -> bool {
        self.rows.get(&id).is_some_and(|row| !row.run.state.is_terminal())
    }

    fn is_there(&self, id: ExecutionId) -> bool {
        self.rows.contains_key(&id)
    }

    fn takes_in(&self, work: &Submission) -> Result<Option<u64>, EngineError> {
        machine::takes_in(work, self)
    }

    fn submit_occurrence(&mut self, row: Box<ExecutionRecord>) {
        self.add(*row);
    }

    fn cancel_before(&mut self, id: ExecutionId, now: TimestampMs) {
        let next = self.rows.get(&id).and_then(|row| machine::cancel_before(row, now));
        if let Some(next) = next {
            self.apply(id, next, now);
        }
    }
}

impl Table {
    /// Submits what has come due of a schedule.
    pub(crate) fn tick_schedule(
        &mut self,
        id: ScheduleId,
        outcome: &mut TickOutcome,
        now: TimestampMs,
    ) {
        let Some(schedule) = self.schedules.get(&id).cloned() else { return };
        let Ok(Some(plan)) = machine::plan(&schedule, now) else { return };
        if let Some(next) = machine::fire(&schedule, &plan, self, now) {
            self.schedules.insert(id, next);
            outcome.schedules_fired += 1;
        }
    }

    /// Tells the schedule of a row that has ended, if it has one.
    pub(crate) fn occurrence_ended(&mut self, id: ExecutionId, now: TimestampMs) {
        let occurrence = self.rows.get(&id).and_then(|row| row.submission.occurrence());
        let schedule = occurrence.and_then(|occurrence| self.schedules.get(&occurrence.schedule));
        let next = schedule.and_then(|one| machine::execution_before_ended(one, id, now));
        if let Some(next) = next {
            self.schedules.insert(next.id, next);
        }
    }
}
// endregion

impl Table {
    fn schedule(&self, id: ScheduleId) -> Result<&ScheduleRecord, EngineError> {
        self.schedules.get(&id).ok_or_else(|| EngineError::schedule_not_found(id))
    }
}

#[async_trait]
impl ScheduleOps for Toy {
    async fn create_schedule(&self, request: &CreateSchedule) -> Result<(), EngineError> {
        let mut table = self.table();
        let same = table.schedules.get(&request.id);
        if let Some(made) = machine::create_schedule(request, same, &*table, self.clock.now())? {
            table.schedules.insert(request.id, *made);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    async fn adjust_schedule(&self, request: &AdjustSchedule) -> Result<(), EngineError> {
        request.validate()?;
        let mut table = self.table();
        let schedule = table.schedule(request.schedule_id)?;
        let adjusted = machine::adjust_schedule(schedule, request, &*table, self.clock.now())?;
        if let Some(next) = adjusted {
            table.schedules.insert(request.schedule_id, *next);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    async fn backfill_schedule(
        &self,
        request: &BackfillSchedule,
    ) -> Result<BackfillOutcome, EngineError> {
        request.validate()?;
        let mut table = self.table();
        let now = self.clock.now();
        let schedule = table.schedule(request.schedule_id)?.clone();
        let backfill = machine::backfill(&schedule, request, now)?;
        let (next, outcome) = machine::backfill_into(&schedule, backfill, &mut *table, now)?;
        table.schedules.insert(next.id, next);
        self.changed.notify_waiters();
        Ok(outcome)
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        self.table().schedules.remove(&id);
        Ok(())
    }

    async fn describe_schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError> {
        Ok(self.table().schedule(id)?.view())
    }

    async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let from = request.after.map_or(Bound::Unbounded, Bound::Excluded);
        let schedules = table.schedules.range((from, Bound::Unbounded)).take(page_size);
        Ok(schedules.map(|(_, schedule)| schedule.view()).collect())
    }
}
