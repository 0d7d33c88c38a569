//! Schedules: jobs that recur.
//!
//! Setters never fail; what they were given is checked when the schedule is made, and the first problem is
//! what that answers.

use std::sync::OnceLock;
use std::time::Duration;

use ff_engine::{
    CreateSchedule, EngineError, IdSource, Misfire, Overlap, Recurrence, ScheduleSpec,
};
use ff_types::{ExecutionId, ScheduleId, Tags, TimestampMs, ValueError, limits};
use xxhash_rust::xxh3::xxh3_128;

use crate::job::{Job, again};

/// A job that is submitted again and again.
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::{Job, Misfire, Overlap, Schedule};
///
/// let report = Schedule::cron("0 9 * * mon-fri", Job::new("report", "sales"))
///     .named("sales report")
///     .time_zone("Europe/Berlin")
///     .jitter(Duration::from_secs(60))
///     .misfire(Misfire::Once)
///     .overlap(Overlap::Skip);
/// let poll = Schedule::every(Duration::from_secs(30), Job::new("poll", "feed"));
/// # let _ = (report, poll);
/// ```
#[derive(Debug)]
pub struct Schedule {
    job: Job,
    recurrence: Recurrence,
    name: Option<String>,
    tags: Result<Tags, ValueError>,
    /// A setter that the recurrence has no use for, and why.
    misplaced: Option<(&'static str, &'static str)>,
    set: Set,
    minted: OnceLock<ScheduleId>,
}

/// What is set beside the defaults.
#[derive(Debug, Default, Clone)]
struct Set {
    jitter: Option<Duration>,
    misfire: Option<Misfire>,
    grace: Option<Duration>,
    overlap: Option<Overlap>,
    starts_at: Option<TimestampMs>,
    ends_at: Option<TimestampMs>,
    note: String,
}

impl Schedule {
    /// Submits `job` at the times that a cron expression names: five fields (minute, hour, day of month,
    /// month, day of week), or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. In UTC, unless
    /// [`Schedule::time_zone`] says otherwise.
    pub fn cron(expression: impl Into<String>, job: Job) -> Self {
        Self::of(Recurrence::cron(expression), job)
    }

    /// Submits `job` every so often, at least every second: on a grid that begins at the Unix epoch, or at
    /// [`Schedule::anchor`].
    pub fn every(interval: Duration, job: Job) -> Self {
        Self::of(Recurrence::every(interval), job)
    }

    fn of(recurrence: Recurrence, job: Job) -> Self {
        let (tags, set, minted) = (Ok(Tags::new()), Set::default(), OnceLock::new());
        Self { job, recurrence, name: None, tags, misplaced: None, set, minted }
    }

    /// Gives it an id that follows from `name`, 1..=256 bytes, so that every process that makes the
    /// schedule of this name makes the same one. Without a name the first making gives it an id of its own.
    /// The name is the [`note`](Self::note), too, unless that is set.
    ///
    /// A schedule lies where the first budget does that its jobs draw on, and the id says where: with another
    /// first budget, or none any more, it is another schedule. Delete the one before. A
    /// [shared budget](crate::Job::shared_budget) does not count.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Reads the cron expression by the wall clock of this zone, such as `Europe/Berlin`. An interval has
    /// none.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        if let Recurrence::Every { .. } = self.recurrence {
            self.misplaced = Some(("time_zone", "does not go with an interval"));
        }
        self.recurrence = self.recurrence.in_time_zone(name);
        self
    }

    /// One of the times of an interval. A cron expression has none.
    #[must_use]
    pub fn anchor(mut self, at: TimestampMs) -> Self {
        if let Recurrence::Cron { .. } = self.recurrence {
            self.misplaced = Some(("anchor", "does not go with a cron expression"));
        }
        self.recurrence = self.recurrence.with_anchor(at);
        self
    }

    /// Puts each occurrence off by a part of this, which is always the same for it.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.set.jitter = Some(jitter);
        self
    }

    /// What becomes of occurrences that nobody submitted in time; [`Misfire::Once`] unless set.
    #[must_use]
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.set.misfire = Some(misfire);
        self
    }

    /// How late an occurrence may be before it counts as missed; a minute unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.set.grace = Some(grace);
        self
    }

    /// What becomes of an occurrence while the one before has not ended; [`Overlap::Skip`] unless set.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.set.overlap = Some(overlap);
        self
    }

    /// No occurrence before `at`.
    #[must_use]
    pub fn starts_at(mut self, at: TimestampMs) -> Self {
        self.set.starts_at = Some(at);
        self
    }

    /// No occurrence at `at` or later.
    #[must_use]
    pub fn ends_at(mut self, at: TimestampMs) -> Self {
        self.set.ends_at = Some(at);
        self
    }

    /// A note for people.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.set.note = note.into();
        self
    }

    /// Labels the schedule, for scanner filters. Its jobs have their own tags.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags = self.tags.and_then(|tags| tags.with(key, value));
        self
    }

    /// The next `count` occurrences behind `after`, without jitter.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a recurrence that is malformed.
    pub fn upcoming(
        &self,
        after: TimestampMs,
        count: usize,
    ) -> Result<Vec<TimestampMs>, EngineError> {
        self.spec()?.upcoming(after, count)
    }

    /// What it says.
    pub(crate) fn spec(&self) -> Result<ScheduleSpec, EngineError> {
        if let Some((field, problem)) = self.misplaced {
            return Err(EngineError::validation(field, problem));
        }
        self.name.as_deref().map_or(Ok(()), valid_name)?;
        let work = self.job.submission_as(ExecutionId::from_u128(0), TimestampMs::ZERO)?;
        let mut spec = ScheduleSpec::new(self.recurrence.clone(), work);
        let Set { jitter, misfire, grace, overlap, starts_at, ends_at, note } = self.set.clone();
        spec.jitter = jitter.unwrap_or(spec.jitter);
        spec.misfire = misfire.unwrap_or(spec.misfire);
        spec.grace = grace.unwrap_or(spec.grace);
        spec.overlap = overlap.unwrap_or(spec.overlap);
        (spec.starts_at, spec.ends_at, spec.note) = (starts_at, ends_at, note);
        if let (Some(name), true) = (&self.name, spec.note.is_empty()) {
            spec.note.clone_from(name);
        }
        Ok(spec)
    }

    /// The request that makes it.
    pub(crate) fn request(&self, ids: &IdSource) -> Result<CreateSchedule, EngineError> {
        let spec = self.spec()?;
        let mut id = match &self.name {
            Some(name) => ScheduleId::from_u128(xxh3_128(name.as_bytes())),
            None => *self.minted.get_or_init(|| ids.schedule_id()),
        };
        // It lies where the budget does that places its jobs.
        if let Some(budget) = spec.work.placed_by() {
            id = id.with_shard(budget.shard());
        }
        let tags = self.tags.as_ref().map_err(|error| again(&error.clone().into()))?;
        Ok(CreateSchedule::new(id, spec).with_tags(tags.clone()))
    }
}

fn valid_name(name: &str) -> Result<(), EngineError> {
    let limit = limits::SCHEDULE_NAME_MAX_BYTES;
    if name.is_empty() {
        return Err(EngineError::validation("name", "must not be empty"));
    } else if name.len() > limit {
        let (limit, actual) = (limit as u64, name.len() as u64);
        return Err(EngineError::LimitExceeded { field: "name".into(), limit, actual });
    }
    Ok(())
}
