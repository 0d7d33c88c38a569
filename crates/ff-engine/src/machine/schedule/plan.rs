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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ff_types::{ExecutionId, LaneId, Payload, ScheduleId, TaskKind};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::machine::made_schedule;
    use crate::requests::{CreateSchedule, Misfire, Recurrence, ScheduleSpec, Submission};

    fn spec(recurrence: Recurrence) -> ScheduleSpec {
        let (lane, kind) = (LaneId::new("main").unwrap(), TaskKind::new("task").unwrap());
        let id = ExecutionId::from_u128(1);
        ScheduleSpec::new(recurrence, Submission::new(id, lane, kind, Payload::new("")))
    }

    proptest! {
        /// However time goes, each occurrence is decided once, in its order, and none is left out.
        #[test]
        fn occurrences_are_decided_once(
            by_calendar: bool,
            jitter in 0_u64..60_000,
            grace in 0_u64..400_000,
            kept in 0_u32..5,
            steps in vec(-200_000_i64..20_000_000, 1..12),
        ) {
            let every = Recurrence::every(Duration::from_mins(1));
            let recurrence = if by_calendar { Recurrence::cron("*/3 * * * *") } else { every };
            let misfire = match kept {
                0 => Misfire::Skip,
                1 => Misfire::Once,
                at_most => Misfire::All { at_most },
            };
            let spec = spec(recurrence)
                .with_jitter(Duration::from_millis(jitter))
                .with_grace(Duration::from_millis(grace))
                .with_misfire(misfire);
            let mut now = TimestampMs(1_893_456_000_000);
            let start = now;
            let request = CreateSchedule::new(ScheduleId::from_u128(7), spec);
            let mut schedule = made_schedule(&request, now).unwrap();
            let (mut latest, mut decided) = (start, 0_u64);
            for step in steps {
                now = TimestampMs(now.as_i64() + step);
                while let Some(plan) = plan(&schedule, now).unwrap() {
                    prop_assert!(plan.submit.len() <= limits::SCHEDULE_FIRED_MAX);
                    prop_assert!(plan.missed > 0 || !plan.submit.is_empty());
                    for at in &plan.submit {
                        prop_assert!(*at > latest && *at <= now);
                        latest = *at;
                    }
                    prop_assert!(plan.through >= latest);
                    latest = plan.through;
                    decided += plan.missed + plan.submit.len() as u64;
                    (schedule.through, schedule.next, schedule.due) =
                        (plan.through, plan.next, plan.due);
                }
            }
            let table = Timetable::of(&schedule.spec).unwrap();
            let all = std::iter::successors(table.after(start), |at| table.after(*at));
            let passed = all.take_while(|at| *at <= schedule.through).count();
            prop_assert_eq!(decided, passed as u64);
            prop_assert_eq!(schedule.next, table.after(schedule.through));
        }
    }
}
