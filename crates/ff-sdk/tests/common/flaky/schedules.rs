//! The calls about schedules.

use async_trait::async_trait;
use ff_engine::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, EngineError, ListSchedules,
    ScheduleOps, ScheduleView,
};
use ff_types::ScheduleId;

use super::Flaky;

#[async_trait]
impl ScheduleOps for Flaky {
    async fn create_schedule(&self, request: &CreateSchedule) -> Result<(), EngineError> {
        let inner = self.there("create_schedule").await?;
        self.or_lost("create_schedule", inner.create_schedule(request).await)
    }

    async fn adjust_schedule(&self, request: &AdjustSchedule) -> Result<(), EngineError> {
        let inner = self.there("adjust_schedule").await?;
        self.or_lost("adjust_schedule", inner.adjust_schedule(request).await)
    }

    async fn backfill_schedule(
        &self,
        request: &BackfillSchedule,
    ) -> Result<BackfillOutcome, EngineError> {
        let inner = self.there("backfill_schedule").await?;
        self.or_lost("backfill_schedule", inner.backfill_schedule(request).await)
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        let inner = self.there("delete_schedule").await?;
        self.or_lost("delete_schedule", inner.delete_schedule(id).await)
    }

    async fn describe_schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError> {
        self.there("describe_schedule").await?.describe_schedule(id).await
    }

    async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError> {
        self.there("list_schedules").await?.list_schedules(request).await
    }
}
