//! What a schedule says: when something recurs, what is submitted then, and what becomes of occurrences
//! that come too late or too soon after one another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::{ExecutionId, ScheduleId, TimestampMs, limits};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::submit::{feed, feed_time};
use super::{Submission, at_most, millis, valid_time, whole_ms};
use crate::error::EngineError;
use crate::machine::Timetable;

/// When something recurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Recurrence {
    /// At the times that a cron expression names, by the wall clock of a time zone.
    Cron {
        /// Five fields: minute, hour, day of month, month, day of week; or `@hourly`, `@daily`,
        /// `@weekly`, `@monthly`, `@yearly`. At most 256 bytes.
        expression: String,
        /// A name of the IANA time zone database, such as `Europe/Berlin`; at most 64 bytes.
        time_zone: String,
    },
    /// At `anchor` and every `interval` before and after it.
    Every {
        /// 1 s ..= 366 days, in whole milliseconds.
        interval: Duration,
        /// One of the times.
        anchor: TimestampMs,
    },
}

impl Recurrence {
    /// A cron expression, in UTC.
    pub fn cron(expression: impl Into<String>) -> Self {
        Self::Cron { expression: expression.into(), time_zone: "UTC".to_owned() }
    }

    /// Every so often, on a grid that begins at the Unix epoch.
    pub const fn every(interval: Duration) -> Self {
        Self::Every { interval, anchor: TimestampMs::ZERO }
    }

    /// By the wall clock of this time zone. An interval has none.
    #[must_use]
    pub fn in_time_zone(mut self, name: impl Into<String>) -> Self {
        if let Self::Cron { time_zone, .. } = &mut self {
            *time_zone = name.into();
        }
        self
    }

    /// On a grid that `at` lies on. A cron expression has none.
    #[must_use]
    pub const fn with_anchor(mut self, at: TimestampMs) -> Self {
        if let Self::Every { anchor, .. } = &mut self {
            *anchor = at;
        }
        self
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expression, time_zone } => write!(f, "{expression} {time_zone}"),
            Self::Every { interval, .. } => write!(f, "every {interval:?}"),
        }
    }
}

/// What becomes of occurrences that could not be submitted in time, because no maintenance ran or the
/// clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Misfire {
    /// None of them is submitted.
    Skip,
    /// The latest of them is submitted.
    #[default]
    Once,
    /// The latest of them are submitted, in their order.
    All {
        /// At most this many, 1..=100.
        at_most: u32,
    },
}

impl Misfire {
    /// How many missed occurrences are submitted at the most.
    pub const fn kept(self) -> u32 {
        match self {
            Self::Skip => 0,
            Self::Once => 1,
            Self::All { at_most } => at_most,
        }
    }
}

/// What becomes of an occurrence while the latest execution that its schedule submitted has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// It is submitted all the same.
    Allow,
    /// It is not submitted.
    #[default]
    Skip,
    /// It is submitted when that execution has ended. One waits at the most; those that come meanwhile
    /// are not submitted.
    BufferOne,
    /// That execution is cancelled, and the occurrence submitted at once: a running handler may still be
    /// stopping when the next one starts.
    CancelPrevious,
}

impl Overlap {
    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::BufferOne => "buffer_one",
            Self::CancelPrevious => "cancel_previous",
        }
    }
}

impl FromStr for Overlap {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let all = [Self::Allow, Self::Skip, Self::BufferOne, Self::CancelPrevious];
        let found = all.into_iter().find(|overlap| overlap.as_str() == text);
        found.ok_or_else(|| EngineError::validation("overlap", "is no overlap policy"))
    }
}

/// One occurrence of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Occurrence {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The time that it stands for, without jitter and whenever it was really submitted.
    pub at: TimestampMs,
}

impl Occurrence {
    /// Of this schedule, at this time.
    pub const fn new(schedule: ScheduleId, at: TimestampMs) -> Self {
        Self { schedule, at }
    }

    /// The id of its execution: the same whoever submits it and however often, so that there is one. It
    /// has the placement bits of the schedule, and stands among other ids by the time of the occurrence.
    pub fn execution_id(self) -> ExecutionId {
        let hash = hashed(self.schedule, self.at, "execution");
        let unix_ms = u64::try_from(self.at.as_i64()).unwrap_or(0);
        ExecutionId::from_parts(unix_ms, (hash >> 48) as u16, self.schedule.shard(), hash)
    }
}

/// A number that looks random and is the same for the same schedule, occurrence and purpose.
fn hashed(schedule: ScheduleId, at: TimestampMs, purpose: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&schedule.to_bytes());
    hash.update(&at.as_i64().to_le_bytes());
    hash.update(purpose.as_bytes());
    hash.digest()
}

/// Everything about a schedule that its maker decides, and may decide anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScheduleSpec {
    /// When it recurs.
    pub recurrence: Recurrence,
    /// What is submitted at each occurrence. Its id does not count: each occurrence has its own. It has no
    /// idempotency key, delay or deadline.
    pub work: Submission,
    /// Each occurrence is put off by a part of this, which follows from the schedule and the occurrence;
    /// at most 24 h and at most the interval.
    pub jitter: Duration,
    /// What becomes of missed occurrences.
    pub misfire: Misfire,
    /// An occurrence is missed when it has not been submitted so long after the latest time to which
    /// jitter could have put it off; at most 366 days.
    pub grace: Duration,
    /// What becomes of an occurrence while the one before it has not ended.
    pub overlap: Overlap,
    /// No occurrence before this time.
    pub starts_at: Option<TimestampMs>,
    /// No occurrence at this time or later.
    pub ends_at: Option<TimestampMs>,
    /// A note for people; at most 1 KiB.
    pub note: String,
}

impl ScheduleSpec {
    /// Submits `work` whenever `recurrence` says: no jitter, missed occurrences made up for once, none
    /// while the one before has not ended.
    pub fn new(recurrence: Recurrence, work: Submission) -> Self {
        Self {
            recurrence,
            work,
            jitter: Duration::ZERO,
            misfire: Misfire::Once,
            grace: Duration::from_millis(limits::SCHEDULE_GRACE_DEFAULT_MS),
            overlap: Overlap::Skip,
            starts_at: None,
            ends_at: None,
            note: String::new(),
        }
    }

    /// Puts each occurrence off by a part of `jitter`.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Does this with missed occurrences.
    #[must_use]
    pub const fn with_misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// Takes an occurrence for missed when it is later than this.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Does this while the one before has not ended.
    #[must_use]
    pub const fn with_overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// No occurrence before `at`.
    #[must_use]
    pub const fn with_starts_at(mut self, at: TimestampMs) -> Self {
        self.starts_at = Some(at);
        self
    }

    /// No occurrence at `at` or later.
    #[must_use]
    pub const fn with_ends_at(mut self, at: TimestampMs) -> Self {
        self.ends_at = Some(at);
        self
    }

    /// Adds a note for people.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The next `count` occurrences behind `after`, without jitter; fewer when there are no more.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a recurrence that is malformed.
    pub fn upcoming(
        &self,
        after: TimestampMs,
        count: usize,
    ) -> Result<Vec<TimestampMs>, EngineError> {
        let table = Timetable::of(self)?;
        let first = table.after(after);
        Ok(std::iter::successors(first, |at| table.after(*at)).take(count).collect())
    }

    /// What is submitted for an occurrence.
    pub fn submission(&self, occurrence: Occurrence) -> Submission {
        self.work.for_occurrence(occurrence.execution_id(), occurrence)
    }

    /// By how much an occurrence is put off: 0 ..= `jitter`.
    pub fn jitter_of(&self, occurrence: Occurrence) -> Duration {
        let most = millis(self.jitter);
        if most == 0 {
            return Duration::ZERO;
        }
        let hash = hashed(occurrence.schedule, occurrence.at, "jitter");
        Duration::from_millis(hash % (most + 1))
    }

    /// The same, with work that has the bits of the schedule for an id: as it is stored, since the id of
    /// the work does not count. For backends.
    #[must_use]
    pub fn of_schedule(&self, id: ScheduleId) -> Self {
        let mut spec = self.clone();
        spec.work = spec.work.for_member(ExecutionId::from_u128(id.as_u128()));
        spec
    }

    /// Checks every field against its limit, as the spec of this schedule.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self, id: ScheduleId) -> Result<(), EngineError> {
        self.validate_recurrence()?;
        at_most("note", self.note.len(), limits::SCHEDULE_NOTE_MAX_BYTES)?;
        whole_ms("jitter", self.jitter, 0, limits::SCHEDULE_JITTER_MAX_MS)?;
        whole_ms("grace", self.grace, 0, limits::SCHEDULE_GRACE_MAX_MS)?;
        if let Misfire::All { at_most } = self.misfire {
            let max = limits::SCHEDULE_CATCH_UP_MAX;
            if !(1..=max).contains(&at_most) {
                let problem = format!("must be within 1..={max}, is {at_most}");
                return Err(EngineError::validation("misfire.at_most", problem));
            }
        }
        for (field, at) in [("starts_at", self.starts_at), ("ends_at", self.ends_at)] {
            at.map_or(Ok(()), |at| valid_time(field, at))?;
        }
        if self.ends_at.is_some_and(|end| self.starts_at.is_some_and(|start| end <= start)) {
            return Err(EngineError::validation("ends_at", "must lie behind starts_at"));
        }
        self.validate_work(id)
    }

    fn validate_recurrence(&self) -> Result<(), EngineError> {
        match &self.recurrence {
            Recurrence::Cron { expression, time_zone } => {
                at_most("recurrence.expression", expression.len(), limits::CRON_MAX_BYTES)?;
                at_most("recurrence.time_zone", time_zone.len(), limits::TIME_ZONE_MAX_BYTES)?;
            }
            Recurrence::Every { interval, anchor } => {
                let (min, max) =
                    (limits::SCHEDULE_INTERVAL_MIN_MS, limits::SCHEDULE_INTERVAL_MAX_MS);
                whole_ms("recurrence.interval", *interval, min, max)?;
                valid_time("recurrence.anchor", *anchor)?;
                if self.jitter > *interval {
                    let problem = "must not be longer than the interval";
                    return Err(EngineError::validation("jitter", problem));
                }
            }
        }
        Timetable::of(self).map(drop)
    }

    fn validate_work(&self, id: ScheduleId) -> Result<(), EngineError> {
        let of_each = |field, what: &str| {
            let problem = format!("cannot have {what}: each occurrence is one execution");
            Err(EngineError::validation(field, problem))
        };
        if self.work.idempotency().is_some() {
            return of_each("work.idempotency", "an idempotency key");
        } else if self.work.delay_until.is_some() {
            return of_each("work.delay_until", "a time to start");
        } else if self.work.deadline.is_some() {
            return of_each("work.deadline", "a deadline");
        }
        self.submission(Occurrence::new(id, TimestampMs::ZERO)).validate()
    }

    /// A digest of what is submitted, which the executions of a schedule have in place of their own.
    pub fn work_fingerprint(&self, id: ScheduleId) -> u64 {
        self.submission(Occurrence::new(id, TimestampMs::ZERO)).fingerprint()
    }

    pub(super) fn feed_to(&self, hash: &mut Xxh3, id: ScheduleId) {
        match &self.recurrence {
            Recurrence::Cron { expression, time_zone } => {
                feed(hash, expression.as_bytes());
                feed(hash, time_zone.as_bytes());
            }
            Recurrence::Every { interval, anchor } => {
                hash.update(&millis(*interval).to_le_bytes());
                feed_time(hash, Some(*anchor));
            }
        }
        hash.update(&self.work_fingerprint(id).to_le_bytes());
        hash.update(&millis(self.jitter).to_le_bytes());
        hash.update(&self.misfire.kept().to_le_bytes());
        hash.update(&[u8::from(self.misfire == Misfire::Once)]);
        hash.update(&millis(self.grace).to_le_bytes());
        feed(hash, self.overlap.as_str().as_bytes());
        feed_time(hash, self.starts_at);
        feed_time(hash, self.ends_at);
        hash.update(&xxh3_64(self.note.as_bytes()).to_le_bytes());
    }
}
