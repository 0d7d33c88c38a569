//! A schedule as operators see it.

use ff_types::{ExecutionId, ScheduleId, Tags, TimestampMs};
use serde::{Deserialize, Serialize};

use super::schedule_spec::ScheduleSpec;
use crate::error::EngineError;

/// What a schedule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScheduleState {
    /// It has a next occurrence, or one that waits for the end of the one before.
    Active,
    /// It submits nothing until it is resumed.
    Paused,
    /// It has no further occurrence. It is kept until it is deleted.
    Ended,
}

/// Since when a schedule is paused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SchedulePause {
    /// As the one who paused it said.
    pub reason: String,
    /// Since when.
    pub since: TimestampMs,
}

impl SchedulePause {
    /// Of these parts. For backends.
    pub const fn new(reason: String, since: TimestampMs) -> Self {
        Self { reason, since }
    }
}

/// How many occurrences became what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScheduleCounts {
    /// Submitted when they came due, or made up for.
    pub submitted: u64,
    /// Too late, and not made up for.
    pub missed: u64,
    /// Not submitted because the one before had not ended.
    pub overlapped: u64,
    /// Not submitted because their submission was refused.
    pub refused: u64,
    /// Submitted by backfills.
    pub backfilled: u64,
}

/// An occurrence and its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScheduledRun {
    /// The occurrence.
    pub at: TimestampMs,
    /// What was submitted for it.
    pub execution_id: ExecutionId,
}

impl ScheduledRun {
    /// Of these parts. For backends.
    pub const fn new(at: TimestampMs, execution_id: ExecutionId) -> Self {
        Self { at, execution_id }
    }
}

/// An occurrence whose submission was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusedOccurrence {
    /// The occurrence.
    pub at: TimestampMs,
    /// The code of the refusal, one of [`crate::CODES`].
    pub code: String,
}

impl RefusedOccurrence {
    /// Of these parts. For backends.
    pub const fn new(at: TimestampMs, code: String) -> Self {
        Self { at, code }
    }
}

/// Everything about a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScheduleView {
    /// The id.
    pub schedule_id: ScheduleId,
    /// What it says.
    pub spec: ScheduleSpec,
    /// Labels.
    pub tags: Tags,
    /// When it was made.
    pub created_at: TimestampMs,
    /// What it does.
    pub state: ScheduleState,
    /// Set exactly while it is paused.
    pub paused: Option<SchedulePause>,
    /// Its next occurrence.
    pub next_at: Option<TimestampMs>,
    /// When that is submitted: then, and put off by its jitter.
    pub due_at: Option<TimestampMs>,
    /// The occurrence that waits for the end of the one before.
    pub waiting: Option<TimestampMs>,
    /// The latest occurrences that were submitted, latest first: at most 10, without backfills.
    pub latest: Vec<ScheduledRun>,
    /// What became of its occurrences so far.
    pub counts: ScheduleCounts,
    /// The latest refusal.
    pub refused: Option<RefusedOccurrence>,
}

impl ScheduleView {
    /// The next `count` occurrences, without jitter; none while it is paused.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a recurrence that this version cannot read.
    pub fn upcoming(&self, count: usize) -> Result<Vec<TimestampMs>, EngineError> {
        let Some(next) = self.next_at else { return Ok(Vec::new()) };
        self.spec.upcoming(TimestampMs(next.as_i64().saturating_sub(1)), count)
    }
}
