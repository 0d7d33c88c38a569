//! Schedules: which occurrences have come due, and what becomes of each.
//!
//! A schedule has decided all occurrences up to an instant, `through`, and its next one is the first behind
//! that. `through` only grows, so a clock that steps back makes nothing due a second time, and an occurrence
//! is decided once. What is decided splits into two steps, because a store may not know calendars: [`plan`]
//! turns a record and the present into occurrences, and [`fire`] submits them, if the record is still of the
//! version that was planned for, with what only the store knows: whether the execution before has ended, and
//! whether it takes another.

mod change;
mod firing;
mod plan;
mod record;
mod timetable;

pub use change::{adjust_schedule, changed_schedule, create_schedule, first_due, made_schedule};
pub use firing::{Backfill, ScheduleTables, backfill, backfill_into, execution_before_ended, fire};
pub use plan::{Plan, plan};
pub use record::ScheduleRecord;
pub use timetable::Timetable;
