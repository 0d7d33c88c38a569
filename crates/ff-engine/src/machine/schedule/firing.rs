//! The submitting of occurrences, over the tables of a store.

use ff_types::{ExecutionId, TimestampMs};

use super::plan::Plan;
use super::record::ScheduleRecord;
use super::timetable::Timetable;
use crate::error::EngineError;
use crate::machine::record::ExecutionRecord;
use crate::machine::submit::scheduled;
use crate::requests::{
    BackfillOutcome, BackfillSchedule, Overlap, RefusedOccurrence, ScheduledRun, Submission,
};

/// What the firing of a schedule needs of a store.
pub trait ScheduleTables {
    /// Whether an execution is there and has not ended.
    fn is_open(&self, id: ExecutionId) -> bool;

    /// Whether an execution is there.
    fn is_there(&self, id: ExecutionId) -> bool;

    /// How long something new may be ready in its lane before its first attempt, in ms, when all budgets of this
    /// work are there and its lane takes it in.
    ///
    /// # Errors
    /// Why it is refused.
    fn takes_in(&self, work: &Submission) -> Result<Option<u64>, EngineError>;

    /// Stores an execution that is not there and was taken in.
    fn submit_occurrence(&mut self, record: Box<ExecutionRecord>);

    /// Cancels an execution because the next occurrence has come.
    fn cancel_before(&mut self, id: ExecutionId, now: TimestampMs);
}

/// Carries out a plan, and answers what the schedule becomes; `None`, and nothing is done, when the plan was
/// made for another version.
pub fn fire(
    schedule: &ScheduleRecord,
    plan: &Plan,
    store: &mut impl ScheduleTables,
    now: TimestampMs,
) -> Option<ScheduleRecord> {
    if schedule.version != plan.version {
        return None;
    }
    let mut next = schedule.clone();
    next.version += 1;
    (next.through, next.next, next.due) = (plan.through, plan.next, plan.due);
    next.counts.missed += plan.missed;
    let mut firing = Firing { schedule: &mut next, store, now };
    if let Some(at) = firing.schedule.waiting.filter(|_| !firing.is_before_open()) {
        firing.schedule.waiting = None;
        if !firing.is_there(at) {
            firing.submit(at);
        }
    }
    for at in &plan.submit {
        firing.occur(*at);
    }
    Some(next)
}

/// What the end of an execution means for the schedule that submitted it: an occurrence that waited for it is
/// due. `None` when nothing is.
pub fn execution_before_ended(
    schedule: &ScheduleRecord,
    id: ExecutionId,
    now: TimestampMs,
) -> Option<ScheduleRecord> {
    let waits = schedule.waiting.is_some() && schedule.before == Some(id);
    waits.then(|| {
        let version = schedule.version + 1;
        ScheduleRecord { due: Some(now), version, ..schedule.clone() }
    })
}

struct Firing<'f, S> {
    schedule: &'f mut ScheduleRecord,
    store: &'f mut S,
    now: TimestampMs,
}

impl<S: ScheduleTables> Firing<'_, S> {
    /// Whether a backfill came before.
    fn is_there(&self, at: TimestampMs) -> bool {
        self.store.is_there(self.schedule.occurrence(at).execution_id())
    }

    fn is_before_open(&self) -> bool {
        self.schedule.before.is_some_and(|id| self.store.is_open(id))
    }

    /// Does what the overlap policy says of an occurrence. One that a backfill came before is done already.
    fn occur(&mut self, at: TimestampMs) {
        if self.is_there(at) {
            return;
        }
        let is_open = self.is_before_open();
        match self.schedule.spec.overlap {
            Overlap::BufferOne if is_open && self.schedule.waiting.is_none() => {
                self.schedule.waiting = Some(at);
            }
            Overlap::Skip | Overlap::BufferOne if is_open => self.schedule.counts.overlapped += 1,
            Overlap::CancelPrevious if is_open => {
                if let Some(before) = self.schedule.before {
                    self.store.cancel_before(before, self.now);
                }
                self.submit(at);
            }
            _ => self.submit(at),
        }
    }

    fn submit(&mut self, at: TimestampMs) {
        let schedule = &mut *self.schedule;
        let occurrence = schedule.occurrence(at);
        let run = ScheduledRun { at, execution_id: occurrence.execution_id() };
        let submission = schedule.spec.submission(occurrence);
        let fingerprint = schedule.spec.work_fingerprint(schedule.id);
        match self.store.takes_in(&submission) {
            Ok(time_to_live_ms) => {
                let record = scheduled(&submission, fingerprint, time_to_live_ms, self.now);
                self.store.submit_occurrence(record);
                schedule.submitted(run);
            }
            Err(refusal) => {
                schedule.counts.refused += 1;
                let code = refusal.code().to_owned();
                schedule.refused = Some(RefusedOccurrence { at, code });
            }
        }
    }
}

/// The occurrences that a backfill covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// What it covers, earliest first.
    pub runs: Vec<ScheduledRun>,
    /// From when the next one goes on, if there is more.
    pub next_from: Option<TimestampMs>,
}

/// Decides which occurrences a backfill covers.
///
/// # Errors
/// Those of [`BackfillSchedule::validate`]; [`EngineError::Validation`] for a time that has not passed.
pub fn backfill(
    schedule: &ScheduleRecord,
    request: &BackfillSchedule,
    now: TimestampMs,
) -> Result<Backfill, EngineError> {
    let limit = request.validate()?;
    if request.to > now {
        return Err(EngineError::validation("to", "must have passed"));
    }
    let table = Timetable::of(&schedule.spec)?;
    let within = |at: &TimestampMs| *at < request.to;
    let mut next = table.after(TimestampMs(request.from.as_i64() - 1)).filter(within);
    let mut runs = Vec::new();
    while let Some(at) = next.filter(|_| runs.len() < limit) {
        runs.push(ScheduledRun { at, execution_id: schedule.occurrence(at).execution_id() });
        next = table.after(at).filter(within);
    }
    Ok(Backfill { runs, next_from: next })
}

/// Submits what a backfill covers and is not there, all of it or nothing, and answers what the schedule becomes.
///
/// # Errors
/// Why it was refused.
pub fn backfill_into(
    schedule: &ScheduleRecord,
    backfill: Backfill,
    store: &mut impl ScheduleTables,
    now: TimestampMs,
) -> Result<(ScheduleRecord, BackfillOutcome), EngineError> {
    let mut next = schedule.clone();
    let fingerprint = schedule.spec.work_fingerprint(schedule.id);
    let missing = backfill.runs.iter().filter(|run| !store.is_there(run.execution_id));
    let missing: Vec<_> = missing.copied().collect();
    let taken_in = missing.first().map(|_| store.takes_in(&schedule.spec.work)).transpose()?;
    for run in missing {
        let submission = schedule.spec.submission(schedule.occurrence(run.at));
        let record = scheduled(&submission, fingerprint, taken_in.flatten(), now);
        store.submit_occurrence(record);
        next.counts.backfilled += 1;
        next.version += 1;
    }
    Ok((next, BackfillOutcome { runs: backfill.runs, next_from: backfill.next_from }))
}
