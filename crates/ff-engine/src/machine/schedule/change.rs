//! The making of a schedule, and what changes it.

use std::sync::Arc;

use ff_types::{ScheduleId, TimestampMs};

use super::record::ScheduleRecord;
use super::timetable::Timetable;
use crate::error::EngineError;
use crate::machine::{BudgetTables, Recent};
use crate::requests::{
    AdjustSchedule, CreateSchedule, ScheduleChange, ScheduleCounts, SchedulePause, ScheduleSpec,
};

/// Decides the making of a schedule; `None` when the same one is there.
///
/// # Errors
/// Those of [`CreateSchedule::validate`]; [`EngineError::ScheduleConflict`]; [`EngineError::NotFound`] for a
/// budget of its work.
pub fn create_schedule(
    request: &CreateSchedule,
    same_id: Option<&ScheduleRecord>,
    budgets: &impl BudgetTables,
    now: TimestampMs,
) -> Result<Option<Box<ScheduleRecord>>, EngineError> {
    request.validate()?;
    let fingerprint = request.fingerprint();
    match same_id {
        Some(schedule) if schedule.fingerprint == fingerprint => return Ok(None),
        Some(_) => return Err(EngineError::ScheduleConflict { schedule: request.id }),
        None => crate::machine::submit::known_budgets(&request.spec.work, budgets)?,
    }
    made_schedule(request, now).map(Some)
}

/// The schedule that a request makes where there is none, and its budgets are there.
///
/// # Errors
/// Those of [`CreateSchedule::validate`].
pub fn made_schedule(
    request: &CreateSchedule,
    now: TimestampMs,
) -> Result<Box<ScheduleRecord>, EngineError> {
    request.validate()?;
    let fingerprint = request.fingerprint();
    let mut record = Box::new(ScheduleRecord {
        id: request.id,
        spec: Arc::new(request.spec.of_schedule(request.id)),
        tags: request.tags.clone(),
        fingerprint,
        created_at: now,
        version: 1,
        paused: None,
        through: now,
        next: None,
        due: None,
        waiting: None,
        before: None,
        latest: Vec::new(),
        counts: ScheduleCounts::default(),
        refused: None,
        marks: Recent::default(),
    });
    record.go_on(now)?;
    Ok(record)
}

/// The first occurrence of a spec behind `after`, and when it is submitted.
///
/// # Errors
/// [`EngineError::Validation`] for a recurrence that is malformed.
pub fn first_due(
    id: ScheduleId,
    spec: &ScheduleSpec,
    after: TimestampMs,
) -> Result<Option<(TimestampMs, TimestampMs)>, EngineError> {
    let next = Timetable::of(spec)?.after(after);
    let due = |at: TimestampMs| {
        at.saturating_add(spec.jitter_of(crate::requests::Occurrence::new(id, at)))
    };
    Ok(next.map(|at| (at, due(at))))
}

/// Decides a change of a schedule; `None` when the request was made before.
///
/// # Errors
/// Those of [`AdjustSchedule::validate`]; [`EngineError::NotFound`] for a budget of its new work.
pub fn adjust_schedule(
    schedule: &ScheduleRecord,
    request: &AdjustSchedule,
    budgets: &impl BudgetTables,
    now: TimestampMs,
) -> Result<Option<Box<ScheduleRecord>>, EngineError> {
    request.validate()?;
    if schedule.marks.iter().any(|mark| *mark == request.request_id) {
        return Ok(None);
    }
    if let ScheduleChange::Replace(spec) = &request.change {
        crate::machine::submit::known_budgets(&spec.work, budgets)?;
    }
    changed_schedule(schedule, request, now).map(Some)
}

/// What a request makes of a schedule, when it was not made before, and the budgets it names are there.
///
/// # Errors
/// Those of [`AdjustSchedule::validate`].
pub fn changed_schedule(
    schedule: &ScheduleRecord,
    request: &AdjustSchedule,
    now: TimestampMs,
) -> Result<Box<ScheduleRecord>, EngineError> {
    request.validate()?;
    let mut next = Box::new(schedule.clone());
    match &request.change {
        ScheduleChange::Pause { reason } => next.pause(reason, now),
        ScheduleChange::Resume => next.resume(now)?,
        ScheduleChange::Replace(spec) => {
            next.spec = Arc::new(spec.of_schedule(next.id));
            if next.paused.is_none() {
                next.go_on(now)?;
            }
        }
    }
    next.marks.push(request.request_id);
    next.version += 1;
    Ok(next)
}

impl ScheduleRecord {
    fn pause(&mut self, reason: &str, now: TimestampMs) {
        let since = self.paused.as_ref().map_or(now, |pause| pause.since);
        self.paused = Some(SchedulePause { reason: reason.to_owned(), since });
        (self.next, self.due) = (None, None);
        if self.waiting.take().is_some() {
            self.counts.overlapped += 1;
        }
    }

    fn resume(&mut self, now: TimestampMs) -> Result<(), EngineError> {
        if self.paused.take().is_some() {
            self.go_on(now)?;
        }
        Ok(())
    }

    /// Goes on with the first occurrence behind the present; those before it are passed over. What is
    /// decided stays decided when the clock has stepped back.
    fn go_on(&mut self, now: TimestampMs) -> Result<(), EngineError> {
        self.through = self.through.max(now);
        let first = first_due(self.id, &self.spec, self.through)?;
        let waits = self.due.filter(|_| self.waiting.is_some());
        self.next = first.map(|(at, _)| at);
        self.due = first.map(|(_, due)| due).into_iter().chain(waits).min();
        Ok(())
    }
}
