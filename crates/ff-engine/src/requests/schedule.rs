//! How schedules are made, changed, asked to make up for a time, and listed.

use ff_types::{RequestId, ScheduleId, Tags, TimestampMs, limits};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::schedule_spec::ScheduleSpec;
use super::schedule_view::ScheduledRun;
use super::submit::feed;
use super::{valid_time, validate_reason};
use crate::error::EngineError;

/// Makes a schedule. Like a submission it carries its id, so that a repeat after a lost answer makes none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateSchedule {
    /// The id. Executions of the schedule take its placement bits.
    pub id: ScheduleId,
    /// What it says.
    pub spec: ScheduleSpec,
    /// Labels, for scanner filters. Its executions have those of the work.
    pub tags: Tags,
}

impl CreateSchedule {
    /// A schedule without tags.
    pub const fn new(id: ScheduleId, spec: ScheduleSpec) -> Self {
        Self { id, spec, tags: Tags::new() }
    }

    /// Labels the schedule.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        self.spec.validate(self.id)
    }

    /// A 64-bit digest of everything, by which a repeat is told from another schedule of the same id.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.id.to_bytes());
        self.spec.feed_to(&mut hash, self.id);
        for (key, value) in self.tags.iter() {
            feed(&mut hash, key.as_bytes());
            feed(&mut hash, value.as_bytes());
        }
        hash.digest()
    }
}

/// What happens to a schedule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ScheduleChange {
    /// It submits nothing until it is resumed. An occurrence that waits for the end of the one before is
    /// given up. Pausing again replaces the reason.
    Pause {
        /// Why; at most 1 KiB.
        reason: String,
    },
    /// It goes on with its next occurrence. Those of the pause are passed over.
    Resume,
    /// It says something else, from now on.
    Replace(Box<ScheduleSpec>),
}

/// Changes a schedule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AdjustSchedule {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// What happens to it.
    pub change: ScheduleChange,
}

impl AdjustSchedule {
    /// This change.
    pub const fn new(
        request_id: RequestId,
        schedule_id: ScheduleId,
        change: ScheduleChange,
    ) -> Self {
        Self { request_id, schedule_id, change }
    }

    /// Checks what it brings.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        match &self.change {
            ScheduleChange::Pause { reason } => validate_reason(reason),
            ScheduleChange::Resume => Ok(()),
            ScheduleChange::Replace(spec) => spec.validate(self.schedule_id),
        }
    }
}

/// Submits the occurrences of a time that has passed.
///
/// Their executions have the ids that they would have had anyway, so that none is made twice while its
/// record is kept. Whether an earlier one has ended does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackfillSchedule {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// No occurrence before this time.
    pub from: TimestampMs,
    /// No occurrence at this time or later; it must have passed, by the store's clock.
    pub to: TimestampMs,
    /// At most this many, 1..=100; 100 when `None`.
    pub limit: Option<u32>,
}

impl BackfillSchedule {
    /// The first occurrences within `from..to`.
    pub const fn new(schedule_id: ScheduleId, from: TimestampMs, to: TimestampMs) -> Self {
        Self { schedule_id, from, to, limit: None }
    }

    /// At most `limit`.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Checks times and limit, and answers the limit in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] names the field.
    pub fn validate(&self) -> Result<usize, EngineError> {
        valid_time("from", self.from)?;
        valid_time("to", self.to)?;
        if self.to <= self.from {
            return Err(EngineError::validation("to", "must lie behind from"));
        }
        let max = limits::BACKFILL_MAX;
        let limit = self.limit.unwrap_or(max);
        if (1..=max).contains(&limit) {
            return Ok(limit as usize);
        }
        Err(EngineError::validation("limit", format!("must be within 1..={max}, is {limit}")))
    }
}

/// What a backfill covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackfillOutcome {
    /// Its occurrences with their executions, earliest first, whether they were submitted by this call,
    /// an earlier one, or by themselves.
    pub runs: Vec<ScheduledRun>,
    /// From when the next backfill goes on; `None` when all of the time is covered.
    pub next_from: Option<TimestampMs>,
}

impl BackfillOutcome {
    /// Of these parts. For backends.
    pub const fn new(runs: Vec<ScheduledRun>, next_from: Option<TimestampMs>) -> Self {
        Self { runs, next_from }
    }
}

/// Asks for schedules in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListSchedules {
    /// Only those behind this one.
    pub after: Option<ScheduleId>,
    /// At most this many, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListSchedules {
    /// The first of all.
    pub const fn all() -> Self {
        Self { after: None, limit: None }
    }

    /// Only those behind `id`, the last of the page before.
    #[must_use]
    pub const fn with_after(mut self, id: ScheduleId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most `limit`.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        let max = limits::LIST_LIMIT_MAX;
        let limit = self.limit.unwrap_or(limits::LIST_LIMIT_DEFAULT);
        if (1..=max).contains(&limit) {
            return Ok(limit as usize);
        }
        Err(EngineError::validation("limit", format!("must be within 1..={max}, is {limit}")))
    }
}
