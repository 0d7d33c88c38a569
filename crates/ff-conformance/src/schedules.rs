//! What cases about schedules make of a fixture: schedules, what they have submitted, and how they stand.

use ff_engine::{
    AdjustSchedule, CreateSchedule, ListRequest, Overlap, Recurrence, ScheduleChange, ScheduleSpec,
    ScheduleView,
};
use ff_types::{ScheduleId, TimestampMs};

use crate::Fixture;
use crate::expect::CaseResult;
use crate::fixture::ms;

/// How far apart the occurrences of most cases are.
pub(crate) const EVERY_MS: u64 = 10_000;

impl Fixture {
    /// A spec whose next occurrence is `EVERY_MS` ahead, and which submits each, whatever became of the one
    /// before.
    pub(crate) async fn recurring(&self) -> CaseResult<ScheduleSpec> {
        let recurrence = Recurrence::every(ms(EVERY_MS)).with_anchor(self.now().await);
        let spec = ScheduleSpec::new(recurrence, self.submission("recurs")?);
        Ok(spec.with_overlap(Overlap::Allow))
    }

    /// A schedule of this spec, which is not made yet.
    pub(crate) fn schedule(&self, spec: ScheduleSpec) -> CreateSchedule {
        CreateSchedule::new(self.ids.together(0).schedule_id(), spec)
    }

    /// Makes a schedule of this spec.
    pub(crate) async fn schedule_of(&self, spec: ScheduleSpec) -> CaseResult<ScheduleId> {
        self.make_schedule(&self.schedule(spec)).await
    }

    pub(crate) async fn make_schedule(&self, request: &CreateSchedule) -> CaseResult<ScheduleId> {
        self.backend.create_schedule(request).await?;
        Ok(request.id)
    }

    pub(crate) async fn schedule_view(&self, id: ScheduleId) -> CaseResult<ScheduleView> {
        Ok(self.backend.describe_schedule(id).await?)
    }

    /// Changes a schedule, under a new request id.
    pub(crate) fn changing(&self, id: ScheduleId, change: ScheduleChange) -> AdjustSchedule {
        AdjustSchedule::new(self.ids.request_id(), id, change)
    }

    pub(crate) async fn change(&self, id: ScheduleId, change: ScheduleChange) -> CaseResult {
        Ok(self.backend.adjust_schedule(&self.changing(id, change)).await?)
    }

    /// Lets time pass by steps of this many milliseconds, each looked at by maintenance.
    pub(crate) async fn pass(&self, steps: u64, step_ms: u64) -> CaseResult {
        for _ in 0..steps {
            self.advance(step_ms).await;
            self.settle().await?;
        }
        Ok(())
    }

    /// The occurrences of all executions that a schedule has submitted, in their order: one that has two
    /// executions is there twice.
    pub(crate) async fn occurrences(&self, id: ScheduleId) -> CaseResult<Vec<TimestampMs>> {
        let mut found = Vec::new();
        let mut request = ListRequest::new().with_limit(500);
        loop {
            let page = self.backend.list_executions(&request).await?;
            for item in page.items {
                let occurrence = self.describe(item.execution_id).await?.occurrence;
                found.extend(occurrence.filter(|one| one.schedule == id).map(|one| one.at));
            }
            let Some(cursor) = page.next else { break };
            request = request.with_cursor(cursor);
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// `start` and this many milliseconds, for each of them.
pub(crate) fn after<const N: usize>(start: TimestampMs, later: [u64; N]) -> Vec<TimestampMs> {
    later.map(|later| start.saturating_add(ms(later))).to_vec()
}
