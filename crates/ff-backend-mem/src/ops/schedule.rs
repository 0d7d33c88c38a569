//! The verbs of schedules.

use std::ops::Bound;

use async_trait::async_trait;
use ff_engine::machine;
use ff_engine::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, EngineError, ListSchedules,
    ScheduleOps, ScheduleView,
};
use ff_types::ScheduleId;

use crate::MemBackend;

#[async_trait]
impl ScheduleOps for MemBackend {
    async fn create_schedule(&self, request: &CreateSchedule) -> Result<(), EngineError> {
        let mut store = self.store();
        let same_id = store.schedules.get(request.id);
        if let Some(made) = machine::create_schedule(request, same_id, &*store, self.now())? {
            store.put_schedule(made);
        }
        Ok(())
    }

    async fn adjust_schedule(&self, request: &AdjustSchedule) -> Result<(), EngineError> {
        let mut store = self.store();
        request.validate()?;
        let schedule = store.schedule_record(request.schedule_id)?;
        if let Some(next) = machine::adjust_schedule(schedule, request, &*store, self.now())? {
            let next = self.inner.distortion.adjusted(schedule, next);
            store.put_schedule(next);
        }
        Ok(())
    }

    async fn backfill_schedule(
        &self,
        request: &BackfillSchedule,
    ) -> Result<BackfillOutcome, EngineError> {
        let mut store = self.store();
        request.validate()?;
        let now = self.now();
        let schedule = store.schedule_record(request.schedule_id)?.clone();
        let backfill = machine::backfill(&schedule, request, now)?;
        let backfill = self.inner.distortion.backfilling(backfill);
        let (next, outcome) = machine::backfill_into(&schedule, backfill, &mut *store, now)?;
        store.put_schedule(Box::new(next));
        Ok(outcome)
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        self.store().remove_schedule(id);
        Ok(())
    }

    async fn describe_schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError> {
        Ok(self.store().schedule_record(id)?.view())
    }

    async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let from = request.after.map_or(Bound::Unbounded, Bound::Excluded);
        let schedules = store.schedules.range((from, Bound::Unbounded)).take(page_size);
        Ok(schedules.map(machine::ScheduleRecord::view).collect())
    }
}
