//! Which occurrences of a schedule have come due, and which of them were missed.

use std::collections::VecDeque;

use ff_types::{TimestampMs, limits};

use super::record::ScheduleRecord;
use super::timetable::Timetable;
use crate::error::EngineError;

/// What is to become of the occurrences of a schedule that have come due. A bounded part of them: where more
/// are due, so is the schedule when the plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The version of the record that it is made for.
    pub version: u64,
    /// What is to be submitted, earliest first.
    pub submit: Vec<TimestampMs>,
    /// How many were missed and are not made up for.
    pub missed: u64,
    /// Up to where occurrences are decided then.
    pub through: TimestampMs,
    /// The next occurrence.
    pub next: Option<TimestampMs>,
    /// When it is submitted.
    pub due: Option<TimestampMs>,
}

/// What is to become of the occurrences that are due at `now`; `None` when nothing is.
///
/// # Errors
/// [`EngineError::Validation`] for a recurrence that this version cannot read.
pub fn plan(schedule: &ScheduleRecord, now: TimestampMs) -> Result<Option<Plan>, EngineError> {
    if schedule.due.is_none_or(|due| due > now) {
        return Ok(None);
    }
    let spec = &schedule.spec;
    let table = Timetable::of(spec)?;
    let late_before = now.saturating_sub(spec.grace).saturating_sub(spec.jitter);
    let mut search = Search {
        table: &table,
        missed: 0,
        kept: VecDeque::new(),
        most_kept: spec.misfire.kept() as usize,
        through: schedule.through,
        next: schedule.next,
    };
    search.leap(late_before);
    let mut submit: Vec<TimestampMs> = Vec::new();
    if search.pass_missed(late_before) {
        submit = search.kept.into();
        while let Some(at) = search.next.filter(|at| schedule.due_of(*at) <= now) {
            if submit.len() == limits::SCHEDULE_FIRED_MAX {
                break;
            }
            submit.push(at);
            (search.through, search.next) = (at, table.after(at));
        }
    }
    Ok(Some(Plan {
        version: schedule.version,
        submit,
        missed: search.missed,
        through: search.through,
        next: search.next,
        due: search.next.map(|at| schedule.due_of(at)),
    }))
}

/// A walk through the occurrences that were missed, of which the latest are kept.
struct Search<'t> {
    table: &'t Timetable,
    missed: u64,
    kept: VecDeque<TimestampMs>,
    most_kept: usize,
    through: TimestampMs,
    next: Option<TimestampMs>,
}

impl Search<'_> {
    /// Counts what lies at even distances at once, but for those that may be kept.
    fn leap(&mut self, late_before: TimestampMs) {
        let Some(next) = self.next else { return };
        let last = TimestampMs(late_before.as_i64() - 1);
        let Some(span) = self.table.span(next, last) else { return };
        let passed = span.count.saturating_sub(self.most_kept as u64);
        if passed > 0 {
            self.missed += passed;
            self.through = span.at(passed - 1);
            self.next = self.table.after(self.through);
        }
    }

    /// Walks through those before `late_before`. Answers whether that was all of them; what is kept of a
    /// part is looked at again.
    fn pass_missed(&mut self, late_before: TimestampMs) -> bool {
        let mut counted = 0;
        while let Some(at) = self.next.filter(|at| *at < late_before) {
            if counted == limits::SCHEDULE_COUNTED_MAX {
                self.next = self.kept.pop_front().or(self.next);
                self.kept.clear();
                return false;
            }
            self.kept.push_back(at);
            if self.kept.len() > self.most_kept {
                let passed = self.kept.pop_front().expect("one was just put in");
                self.missed += 1;
                counted += 1;
                self.through = passed;
            }
            self.next = self.table.after(at);
        }
        if let Some(latest) = self.kept.back() {
            self.through = *latest;
        }
        true
    }
}
