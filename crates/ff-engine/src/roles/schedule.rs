//! What recurs.

use async_trait::async_trait;
use ff_types::ScheduleId;

use crate::error::EngineError;
use crate::requests::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, ListSchedules, ScheduleView,
};

/// Schedules: work that is submitted again and again, at the times of a cron expression or an interval.
///
/// Occurrences are submitted by the tick that finds them due, as executions like any other, whose ids follow
/// from schedule and occurrence.
///
/// - Each is submitted once, however many maintainers look `[schedule.each_occurrence_once]`, and also
///   when the clock steps back over it `[schedule.clock_back_submits_nothing_twice]`. A worker that waits
///   gets it at once `[schedule.wakes_a_waiting_worker]`, and is told which occurrence it is
///   `[schedule.task_knows_its_occurrence]`.
/// - A cron expression is read by the wall clock of its time zone. A fixed time that the clock leaps over
///   comes when it has, and one that it shows twice comes the first time
///   `[schedule.wall_clock_changes_are_followed]`.
/// - Jitter puts an occurrence off by a part of itself that is always the same for it
///   `[schedule.jitter_is_bounded_and_the_same]`.
/// - Occurrences that are late by more than the grace are missed: none of them is submitted
///   `[schedule.misfire_skip]`, the latest `[schedule.misfire_once]`, or the latest up to a number
///   `[schedule.misfire_all]`. Those within it are all submitted `[schedule.grace_covers_short_delays]`.
///   One tick does a bounded part of what has piled up, and says that more is due
///   `[schedule.one_look_is_bounded]`.
/// - While the execution before has not ended, an occurrence is submitted all the same
///   `[schedule.overlap_allow]`, not submitted `[schedule.overlap_skip]`, submitted when that has ended, one
///   at the most `[schedule.overlap_buffer_one]`, unless a backfill has submitted it meanwhile
///   `[schedule.buffered_and_backfilled_are_one]`, or submitted once that is cancelled
///   `[schedule.overlap_cancel_previous]`.
/// - A schedule without tags is looked after by every maintainer, whatever its filter, and one with tags by
///   those whose filter matches `[schedule.untagged_is_looked_after_by_all]`.
/// - Its executions draw on budgets like others `[schedule.executions_draw_on_budgets]`.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown schedule `[schedule.unknown_is_not_found]`.
#[async_trait]
pub trait ScheduleOps: Send + Sync + 'static {
    /// Makes a schedule, whose first occurrence is the first behind the present.
    ///
    /// # Behavior
    /// - A repeat makes nothing `[schedule.create_repeat_is_harmless]`.
    /// - It has no occurrence before its start or from its end on `[schedule.bounds_are_kept]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[schedule.limits_are_enforced]`; [`EngineError::ScheduleConflict`] for an id that stands for another
    /// `[schedule.id_clash_is_a_conflict]`; [`EngineError::NotFound`] for a budget of its work.
    async fn create_schedule(&self, request: &CreateSchedule) -> Result<(), EngineError>;

    /// Pauses it, resumes it, or lets it say something else.
    ///
    /// # Behavior
    /// - While it is paused it submits nothing, and when it is resumed the occurrences of the pause are
    ///   passed over `[schedule.pause_passes_over]`.
    /// - What it says anew counts from now on `[schedule.replaced_from_now_on]`.
    /// - A repeat of one of the latest eight requests changes nothing
    ///   `[schedule.adjust_repeat_is_harmless]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[schedule.limits_are_enforced]`.
    async fn adjust_schedule(&self, request: &AdjustSchedule) -> Result<(), EngineError>;

    /// Submits the occurrences of a time that has passed, paused or not and whatever the policies say.
    ///
    /// # Behavior
    /// - One whose execution is there is not submitted again, so that no occurrence doubles and a repeat
    ///   answers the same `[schedule.backfill_submits_each_once]`.
    /// - A range of more occurrences than the limit is covered in parts
    ///   `[schedule.backfill_goes_on_where_it_stopped]`.
    ///
    /// # Errors
    /// [`EngineError::LaneDraining`] and [`EngineError::LaneFull`], and then nothing of it is stored; an
    /// occurrence that comes by itself is counted as refused then `[schedule.closed_lane_refuses]`.
    /// [`EngineError::Validation`] for a time that has not passed `[schedule.limits_are_enforced]`.
    async fn backfill_schedule(
        &self,
        request: &BackfillSchedule,
    ) -> Result<BackfillOutcome, EngineError>;

    /// Removes a schedule. Its executions stay. To remove what is not there has no effect
    /// `[schedule.deleted_submits_nothing]`.
    async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError>;

    /// Everything about a schedule `[schedule.describe_shows_all]`.
    async fn describe_schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError>;

    /// Schedules in the order of their ids, a page at a time; the last id of a page leads to the next. A
    /// page that is not full is the last `[schedule.listing_is_stable]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range `[schedule.limits_are_enforced]`.
    async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError>;
}
