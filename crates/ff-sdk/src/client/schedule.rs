//! Schedules: jobs that recur.

use ff_engine::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, EngineError, ListSchedules, ScheduleChange,
    ScheduleView,
};
use ff_types::{ScheduleId, TimestampMs};

use super::Client;
use crate::schedule::Schedule;

impl Client {
    /// Makes a schedule and answers its id. Making the same one again has no effect.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use ff_sdk::{Client, Job, Schedule};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ff_engine::EngineError> {
    /// # let client = Client::new(Arc::new(MemBackend::new()));
    /// let nightly = Schedule::cron("0 3 * * *", Job::new("clean", "/tmp")).named("nightly");
    /// let id = client.create_schedule(&nightly).await?;
    /// assert_eq!(client.create_schedule(&nightly).await?, id);
    /// assert_eq!(client.schedule(id).await?.upcoming(3)?.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field;
    /// [`EngineError::ScheduleConflict`] for a name that stands for another schedule;
    /// [`EngineError::NotFound`] for a budget of the job.
    pub async fn create_schedule(&self, schedule: &Schedule) -> Result<ScheduleId, EngineError> {
        let request = schedule.request(&self.ids)?;
        self.repeat(|| self.backend.create_schedule(&request)).await?;
        Ok(request.id)
    }

    /// Makes a schedule, or lets the one that is there say what this one says: for programs that bring
    /// their schedules along. A pause stays, and so do the tags that it was made with.
    ///
    /// # Errors
    /// Those of [`Client::create_schedule`] but the conflict.
    pub async fn apply_schedule(&self, schedule: &Schedule) -> Result<ScheduleId, EngineError> {
        let request = schedule.request(&self.ids)?;
        match self.repeat(|| self.backend.create_schedule(&request)).await {
            Ok(()) | Err(EngineError::ScheduleConflict { .. }) => {}
            Err(error) => return Err(error),
        }
        let wanted = request.spec.of_schedule(request.id);
        if self.schedule(request.id).await?.spec != wanted {
            self.change(request.id, ScheduleChange::Replace(Box::new(wanted))).await?;
        }
        Ok(request.id)
    }

    /// How a schedule stands.
    pub async fn schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError> {
        self.repeat(|| self.backend.describe_schedule(id)).await
    }

    /// A page of schedules in the order of their ids; the last id of a full page leads to the next.
    pub async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError> {
        self.repeat(|| self.backend.list_schedules(request)).await
    }

    /// Lets a schedule submit nothing until it is resumed.
    pub async fn pause_schedule(
        &self,
        id: ScheduleId,
        reason: impl Into<String>,
    ) -> Result<(), EngineError> {
        self.change(id, ScheduleChange::Pause { reason: reason.into() }).await
    }

    /// Lets a paused schedule go on with its next occurrence. Those of the pause are passed over;
    /// [`Client::backfill_schedule`] submits them.
    pub async fn resume_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        self.change(id, ScheduleChange::Resume).await
    }

    /// Submits the occurrences within `from..to`, which has passed, at most 100 at once: the outcome says
    /// from when to go on. None is submitted twice.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a time that has not passed.
    pub async fn backfill_schedule(
        &self,
        id: ScheduleId,
        from: TimestampMs,
        to: TimestampMs,
    ) -> Result<BackfillOutcome, EngineError> {
        let request = BackfillSchedule::new(id, from, to);
        self.repeat(|| self.backend.backfill_schedule(&request)).await
    }

    /// Removes a schedule; what it has submitted stays. To remove what is not there has no effect.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        self.repeat(|| self.backend.delete_schedule(id)).await
    }

    async fn change(&self, id: ScheduleId, change: ScheduleChange) -> Result<(), EngineError> {
        let request = AdjustSchedule::new(self.ids.request_id(), id, change);
        self.repeat(|| self.backend.adjust_schedule(&request)).await
    }
}
