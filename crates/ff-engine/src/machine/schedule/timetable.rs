//! When something recurs: the only place that knows cron expressions, time zones and calendars.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use ff_types::{TimestampMs, limits};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

use crate::error::EngineError;
use crate::requests::{Recurrence, ScheduleSpec, millis};

/// How often a search that gives nothing later is made again, a second further on: what a fold of the
/// wall clock may take.
const SEARCHES_MAX: i64 = 4;

/// The occurrences of a spec, ready to be asked.
#[derive(Debug)]
pub struct Timetable {
    rule: Rule,
    starts_at: TimestampMs,
    ends_at: TimestampMs,
}

#[derive(Debug)]
enum Rule {
    Cron { cron: Box<Cron>, zone: TimeZone },
    Every { interval: i64, anchor: i64 },
}

impl Timetable {
    /// The occurrences that a spec names.
    ///
    /// # Errors
    /// [`EngineError::Validation`] says what is wrong with the recurrence.
    pub fn of(spec: &ScheduleSpec) -> Result<Self, EngineError> {
        let rule = match &spec.recurrence {
            Recurrence::Cron { expression, time_zone } => {
                Rule::Cron { cron: Box::new(cron(expression)?), zone: zone(time_zone)? }
            }
            Recurrence::Every { interval, anchor } => {
                let interval = i64::try_from(millis(*interval)).unwrap_or(i64::MAX).max(1);
                Rule::Every { interval, anchor: anchor.as_i64() }
            }
        };
        Ok(Self {
            rule,
            starts_at: spec.starts_at.unwrap_or(TimestampMs::ZERO),
            ends_at: spec.ends_at.unwrap_or(TimestampMs::MAX),
        })
    }

    /// The first occurrence behind `after`, if there is one.
    pub fn after(&self, after: TimestampMs) -> Option<TimestampMs> {
        let before_start = TimestampMs(self.starts_at.as_i64() - 1);
        let after = after.max(before_start).max(TimestampMs(-1));
        let next = match &self.rule {
            Rule::Cron { cron, zone } => next_by_clock(cron, zone, after)?,
            Rule::Every { interval, anchor } => {
                let past = after.as_i64().saturating_sub(*anchor).rem_euclid(*interval);
                TimestampMs(after.as_i64().checked_add(*interval - past)?)
            }
        };
        (next < self.ends_at && next <= TimestampMs::MAX).then_some(next)
    }

    /// How many occurrences there are from `first`, which is one, to `last`, counted without looking at
    /// each, and the latest of them; `None` where that takes a calendar.
    pub(super) fn span(&self, first: TimestampMs, last: TimestampMs) -> Option<Span> {
        let Rule::Every { interval, .. } = self.rule else { return None };
        let last = last.as_i64().min(self.ends_at.as_i64() - 1);
        let whole = last.checked_sub(first.as_i64()).filter(|span| *span >= 0)? / interval;
        Some(Span { first: first.as_i64(), interval, count: u64::try_from(whole).ok()? + 1 })
    }
}

/// Occurrences at even distances.
pub(super) struct Span {
    first: i64,
    interval: i64,
    pub(super) count: u64,
}

impl Span {
    /// The occurrence of this number, from 0.
    pub(super) fn at(&self, number: u64) -> TimestampMs {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        TimestampMs(self.first.saturating_add(self.interval.saturating_mul(number)))
    }
}

fn next_by_clock(cron: &Cron, zone: &TimeZone, after: TimestampMs) -> Option<TimestampMs> {
    (0..SEARCHES_MAX).find_map(|second| {
        let from = after.as_i64().checked_add(second * 1_000)?;
        let from = Timestamp::from_millisecond(from).ok()?;
        let found = cron.find_next_occurrence(&Zoned::new(from, zone.clone()), false).ok()?;
        Some(TimestampMs(found.timestamp().as_millisecond())).filter(|next| *next > after)
    })
}

/// A cron expression that has an occurrence.
fn cron(expression: &str) -> Result<Cron, EngineError> {
    let invalid = |problem: String| EngineError::validation("recurrence.expression", problem);
    if expression.len() > limits::CRON_MAX_BYTES || !expression.bytes().all(is_plain) {
        return Err(invalid("must be printable ASCII".to_owned()));
    }
    let words = expression.split_ascii_whitespace().count();
    let is_name = NAMES.iter().any(|name| expression.trim().eq_ignore_ascii_case(name));
    if !is_name && (words != 5 || expression.contains('@')) {
        let names = NAMES.join(", ");
        return Err(invalid(format!("must have five fields, or be one of {names}; has {words}")));
    }
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Optional).build();
    let cron = parser.parse(expression).map_err(|error| {
        let text = error.to_string();
        let text = text.trim_end_matches('.');
        invalid(match wrong_field(parser, expression) {
            Some((is, field)) => format!("is no cron expression: {is}, is {field:?}: {text}"),
            None => format!("is no cron expression: {text}"),
        })
    })?;
    let start = Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    match cron.find_next_occurrence(&start, true) {
        Ok(_) => Ok(cron),
        Err(_) => Err(invalid("names a time that never comes".to_owned())),
    }
}

/// The first field that is wrong by itself, and what it must be.
fn wrong_field(parser: CronParser, expression: &str) -> Option<(&'static str, &str)> {
    let mut fields = FIELDS.into_iter().zip(expression.split_ascii_whitespace()).enumerate();
    fields.find_map(|(index, (is, field))| {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = field;
        parser.parse(&alone.join(" ")).is_err().then_some((is, field))
    })
}

/// The fields of an expression, with what their numbers may be.
const FIELDS: [&str; 5] = [
    "minute must be within 0..=59",
    "hour must be within 0..=23",
    "day of month must be within 1..=31",
    "month must be within 1..=12",
    "day of week must be within 0..=7",
];

const NAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

const fn is_plain(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// A zone of the database that is built in: what a machine has installed does not count, so that all
/// processes of one version agree.
fn zone(name: &str) -> Result<TimeZone, EngineError> {
    let shown: String = name.chars().take(limits::TIME_ZONE_MAX_BYTES).collect();
    let known = TimeZoneDatabase::bundled().get(name);
    known.map_err(|_| {
        let problem = format!("is no time zone of the IANA database: {}", shown.escape_debug());
        EngineError::validation("recurrence.time_zone", problem)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ff_types::{ExecutionId, LaneId, Payload, TaskKind};
    use proptest::prelude::*;

    use super::*;
    use crate::requests::Submission;

    fn spec(recurrence: Recurrence) -> ScheduleSpec {
        let (lane, kind) = (LaneId::new("main").unwrap(), TaskKind::new("task").unwrap());
        let id = ExecutionId::from_u128(1);
        ScheduleSpec::new(recurrence, Submission::new(id, lane, kind, Payload::new("")))
    }

    fn at(text: &str) -> TimestampMs {
        TimestampMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn nothing_comes_behind_the_end_of_time() {
        let every = Recurrence::every(Duration::from_mins(1));
        for recurrence in [Recurrence::cron("* * * * *"), every] {
            for after in [i64::MAX, i64::MAX - 2_000, TimestampMs::MAX.as_i64()] {
                let found = spec(recurrence.clone()).upcoming(TimestampMs(after), 1).unwrap();
                assert_eq!(found, [], "behind {after}");
            }
        }
    }

    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let spec = spec(Recurrence::cron(expression).in_time_zone(zone));
        let found = spec.upcoming(at(after), count).unwrap();
        found
            .iter()
            .map(|at| Timestamp::from_millisecond(at.as_i64()).unwrap().to_string())
            .collect()
    }

    fn refusal(recurrence: Recurrence) -> String {
        Timetable::of(&spec(recurrence)).unwrap_err().to_string()
    }

    #[test]
    fn fields_mean_what_cron_says() {
        let days = times("0 9 * * mon-fri", "UTC", "2026-05-01T09:00:00Z", 2);
        assert_eq!(days, ["2026-05-04T09:00:00Z", "2026-05-05T09:00:00Z"]);
        let last = times("30 0 L * *", "UTC", "2026-11-30T01:00:00Z", 2);
        assert_eq!(last, ["2026-12-31T00:30:00Z", "2027-01-31T00:30:00Z"]);
        let either = times("0 0 13 * fri", "UTC", "2026-05-09T00:00:00Z", 2);
        assert_eq!(either, ["2026-05-13T00:00:00Z", "2026-05-15T00:00:00Z"]);
        assert_eq!(
            times("@daily", "Asia/Tokyo", "2026-05-01T00:00:00Z", 1),
            ["2026-05-01T15:00:00Z"]
        );
        assert_eq!(times("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
    }

    #[test]
    fn a_time_that_the_clock_leaps_over_comes_when_it_has() {
        let nightly = times("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", 2);
        assert_eq!(nightly, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let halves = times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3);
        assert_eq!(
            halves,
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
        );
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_comes_once() {
        let nightly = times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(nightly, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let halves = times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", 4);
        assert_eq!(
            halves,
            [
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (Recurrence::cron("* * * *"), "recurrence.expression must have five fields"),
            (Recurrence::cron("0 0 0 * * *"), "recurrence.expression must have five fields"),
            (Recurrence::cron("@never"), "recurrence.expression must have five fields"),
            (
                Recurrence::cron("61 * * * *"),
                "recurrence.expression is no cron expression: minute must be within 0..=59, is \"61\"",
            ),
            (
                Recurrence::cron("* * 5-1 * *"),
                "recurrence.expression is no cron expression: day of month must be within 1..=31",
            ),
            (Recurrence::cron("x * * * *"), "recurrence.expression is no cron expression: "),
            (Recurrence::cron("0 0 30 2 *"), "recurrence.expression names a time that never comes"),
            (
                Recurrence::cron("@daily").in_time_zone("Mars/Olympus"),
                "recurrence.time_zone is no time zone of the IANA database: Mars/Olympus",
            ),
        ];
        for (recurrence, problem) in cases {
            let said = refusal(recurrence);
            assert!(said.starts_with(problem), "{said}");
        }
    }

    #[test]
    fn intervals_lie_on_a_grid_within_their_bounds() {
        let every = Recurrence::every(Duration::from_secs(10)).with_anchor(TimestampMs(3_000));
        let spec =
            spec(every).with_starts_at(TimestampMs(20_000)).with_ends_at(TimestampMs(33_000));
        let found = spec.upcoming(TimestampMs::ZERO, 9).unwrap();
        assert_eq!(found, [TimestampMs(23_000)]);
        let open = spec.with_ends_at(TimestampMs(33_001));
        let found = open.upcoming(TimestampMs(-5), 9).unwrap();
        assert_eq!(found, [TimestampMs(23_000), TimestampMs(33_000)]);
        let span = Timetable::of(&open).unwrap().span(TimestampMs(23_000), TimestampMs::MAX);
        assert_eq!(span.map(|span| span.count), Some(2));
    }

    proptest! {
        #[test]
        fn any_text_is_an_expression_or_is_refused(text in "[ -~]{0,40}") {
            let _refused = Timetable::of(&spec(Recurrence::cron(text)));
        }

        #[test]
        fn likely_text_is_an_expression_or_is_refused(text in "[*0-9,/L#W-]{1,6}( [*0-9,/L#W?-]{1,6}){4}") {
            let found = Timetable::of(&spec(Recurrence::cron(text)));
            if let Ok(table) = found {
                let first = table.after(TimestampMs(1_700_000_000_000));
                prop_assert!(first.is_none_or(|at| at > TimestampMs(1_700_000_000_000)));
            }
        }

        #[test]
        fn occurrences_go_forward_in_every_zone(minutes in 0_i64..5_000_000, zone in 0_usize..4) {
            let zone = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"][zone];
            let spec = spec(Recurrence::cron("*/7 1-3 * * *").in_time_zone(zone));
            let after = TimestampMs(1_600_000_000_000 + minutes * 60_000);
            let found = spec.upcoming(after, 40).unwrap();
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(found[0] > after);
        }
    }
}
