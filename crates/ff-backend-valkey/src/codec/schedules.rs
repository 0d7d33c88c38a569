//! Schedules, and what executions say of them. What the library does not need to understand is written here
//! as well: it keeps it as it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ff_engine::machine::{Recent, ScheduleRecord};
use ff_engine::{
    EngineError, Misfire, Occurrence, Recurrence, RefusedOccurrence, ScheduleCounts, SchedulePause,
    ScheduleSpec, ScheduledRun, Submission,
};
use ff_types::{ExecutionId, LaneId, LaneKey, Payload, ScheduleId, Tags, TaskKind, TimestampMs};

use super::{Fields, Packed, Reader, policy, submission, typed};
use crate::ops::{Packed as Packing, SubmitTexts, content_type, unpacked};

/// How many values the library takes for the work of a schedule: see `submission.lua`.
const WORK_VALUES: usize = 14;

/// The occurrence that an execution is.
pub(super) fn occurrence(r: &Reader<'_>) -> Result<Option<Occurrence>, EngineError> {
    let Some(text) = r.text("oc")? else { return Ok(None) };
    let found = text.split_once(' ').and_then(|(schedule, at)| {
        Some(Occurrence::new(schedule.parse().ok()?, TimestampMs(at.parse().ok()?)))
    });
    found.map(Some).ok_or_else(|| r.corrupt("oc"))
}

/// The fields of a schedule that its maker and its calendar decide, packed as names and values.
///
/// # Errors
/// Those of a submission that cannot be stored.
pub(crate) fn schedule_fields(schedule: &ScheduleRecord) -> Result<Bytes, EngineError> {
    let spec = &schedule.spec;
    let time = |at: Option<TimestampMs>| at.map_or_else(String::new, |at| at.to_string());
    let counts = &schedule.counts;
    let mut fields = Packing::default();
    let mut set = |name: &str, value: &[u8]| {
        fields.push(name);
        fields.push(value);
    };
    set("ru", rule(spec)?.as_bytes());
    set("ov", spec.overlap.as_str().as_bytes());
    set("wk", &work(spec, schedule.id)?);
    set("pl", spec.work.payload.bytes());
    set("nt", spec.note.as_bytes());
    set("ve", schedule.version.to_string().as_bytes());
    set("th", schedule.through.to_string().as_bytes());
    set("nx", time(schedule.next).as_bytes());
    set("la", time(schedule.due).as_bytes());
    set("ps", time(schedule.paused.as_ref().map(|pause| pause.since)).as_bytes());
    set("pr", schedule.paused.as_ref().map_or("", |pause| &pause.reason).as_bytes());
    let counted =
        [counts.submitted, counts.missed, counts.overlapped, counts.refused, counts.backfilled];
    set("ct", counted.map(|count| count.to_string()).join(" ").as_bytes());
    if schedule.waiting.is_none() {
        set("wa", b"");
    }
    Ok(fields.freeze())
}

/// When it recurs, and what becomes of missed occurrences.
fn rule(spec: &ScheduleSpec) -> Result<String, EngineError> {
    let time = |at: Option<TimestampMs>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let misfire = match spec.misfire {
        Misfire::Skip => "skip".to_owned(),
        Misfire::Once => "once".to_owned(),
        Misfire::All { at_most } => at_most.to_string(),
        _ => return Err(EngineError::validation("misfire", UNKNOWN)),
    };
    let (jitter, grace) = (spec.jitter.as_millis(), spec.grace.as_millis());
    let (starts, ends) = (time(spec.starts_at), time(spec.ends_at));
    let shared = format!("{jitter} {grace} {misfire} {starts} {ends}");
    match &spec.recurrence {
        Recurrence::Cron { expression, time_zone } => {
            Ok(format!("cron {shared}\n{expression}\n{time_zone}"))
        }
        Recurrence::Every { interval, anchor } => {
            Ok(format!("every {shared}\n{} {anchor}", interval.as_millis()))
        }
        _ => Err(EngineError::validation("recurrence", UNKNOWN)),
    }
}

const UNKNOWN: &str = "is of a kind this version cannot store";

/// What is submitted, in the values that the library takes, without the payload.
fn work(spec: &ScheduleSpec, id: ScheduleId) -> Result<Bytes, EngineError> {
    let work = &spec.work;
    let texts = SubmitTexts::of(work)?;
    let priority = work.priority.to_string();
    let fingerprint = format!("{:016x}", spec.work_fingerprint(id));
    let values: [&str; WORK_VALUES] = [
        &fingerprint,
        work.lane.as_str(),
        work.capabilities.as_str(),
        &priority,
        work.kind().as_str(),
        content_type(&work.payload),
        "",
        &texts.tags,
        &texts.policy,
        "",
        "",
        &texts.budgets,
        &texts.estimate,
        work.lane_key.as_ref().map_or("", LaneKey::as_str),
    ];
    let mut packed = Packing::default();
    for value in values {
        packed.push(value);
    }
    Ok(packed.freeze())
}

/// Reads the fields of one schedule.
struct Schedule<'f> {
    id: ScheduleId,
    fields: &'f Fields,
}

impl<'f> Schedule<'f> {
    fn corrupt(&self, field: &str) -> EngineError {
        EngineError::Corrupt { what: format!("field {field} of schedule {}", self.id) }
    }

    fn text(&self, field: &str) -> Result<Option<&'f str>, EngineError> {
        let bytes = self.fields.get(field).map(|bytes| std::str::from_utf8(bytes));
        bytes.transpose().map_err(|_| self.corrupt(field))
    }

    fn parsed<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, EngineError> {
        let text = self.text(field)?;
        text.map(str::parse).transpose().map_err(|_| self.corrupt(field))
    }

    fn time(&self, field: &str) -> Result<Option<TimestampMs>, EngineError> {
        Ok(self.parsed(field)?.map(TimestampMs))
    }

    fn needed<T>(&self, field: &str, value: Option<T>) -> Result<T, EngineError> {
        value.ok_or_else(|| self.corrupt(field))
    }

    fn work(&self) -> Result<Submission, EngineError> {
        let corrupt = || self.corrupt("wk");
        let values = self.fields.get("wk").and_then(unpacked).ok_or_else(corrupt)?;
        let values: [Bytes; WORK_VALUES] = values.try_into().map_err(|_| corrupt())?;
        let text = |at: usize| std::str::from_utf8(&values[at]).map_err(|_| corrupt());
        let mut fields = Fields::default();
        for (name, at) in
            [("cl", 2), ("ct", 5), ("tg", 7), ("p", 8), ("bu", 11), ("es", 12), ("lk", 13)]
        {
            if !values[at].is_empty() {
                fields.set(Bytes::from_static(name.as_bytes()), values[at].clone());
            }
        }
        let reader = Reader { id: ExecutionId::from_u128(self.id.as_u128()), fields: &fields };
        let lane: LaneId = text(1)?.parse().map_err(|_| corrupt())?;
        let kind: TaskKind = text(4)?.parse().map_err(|_| corrupt())?;
        let payload = typed(&reader, "ct", self.fields.get("pl").cloned().unwrap_or_default())?;
        let work = submission(&reader, lane, kind, payload)?;
        let mut words = Packed { id: reader.id, field: "wk", words: text(8)?.split(' ') };
        let priority = text(3)?.parse().map_err(|_| corrupt())?;
        Ok(work.with_priority(priority).with_policy(policy(&mut words)?))
    }

    /// A spec of this work, as far as it says when it recurs.
    fn rule(&self, work: Submission) -> Result<ScheduleSpec, EngineError> {
        let corrupt = || self.corrupt("ru");
        let text = self.needed("ru", self.text("ru")?)?;
        let (shared, own) = text.split_once('\n').ok_or_else(corrupt)?;
        let words: Vec<_> = shared.split(' ').collect();
        let [kind, jitter, grace, misfire, starts, ends] = words[..] else {
            return Err(corrupt());
        };
        let ms = |digits: &str| digits.parse().map(Duration::from_millis).map_err(|_| corrupt());
        let time = |word: &str| match word {
            "-" => Ok(None),
            digits => digits.parse().map(|at| Some(TimestampMs(at))).map_err(|_| corrupt()),
        };
        let recurrence = match kind {
            "cron" => {
                let (expression, zone) = own.split_once('\n').ok_or_else(corrupt)?;
                Recurrence::cron(expression).in_time_zone(zone)
            }
            "every" => {
                let (interval, anchor) = own.split_once(' ').ok_or_else(corrupt)?;
                let anchor = TimestampMs(anchor.parse().map_err(|_| corrupt())?);
                Recurrence::every(ms(interval)?).with_anchor(anchor)
            }
            _ => return Err(corrupt()),
        };
        let misfire = match misfire {
            "skip" => Misfire::Skip,
            "once" => Misfire::Once,
            most => Misfire::All { at_most: most.parse().map_err(|_| corrupt())? },
        };
        let mut spec = ScheduleSpec::new(recurrence, work)
            .with_jitter(ms(jitter)?)
            .with_grace(ms(grace)?)
            .with_misfire(misfire);
        (spec.starts_at, spec.ends_at) = (time(starts)?, time(ends)?);
        Ok(spec)
    }

    fn record(&self, spec: ScheduleSpec) -> Result<ScheduleRecord, EngineError> {
        let made = self.text("s")?.and_then(|made| made.split_once(' '));
        let (created_at, fingerprint) = self.needed("s", made)?;
        let mut tags = Tags::new();
        for line in self.text("tg")?.unwrap_or("").lines() {
            let (key, value) = line.split_once(' ').ok_or_else(|| self.corrupt("tg"))?;
            tags = tags.with(key, value).map_err(|_| self.corrupt("tg"))?;
        }
        let since = self.time("ps")?;
        let reason = self.text("pr")?.unwrap_or("");
        Ok(ScheduleRecord {
            id: self.id,
            spec: Arc::new(spec),
            tags,
            fingerprint: u64::from_str_radix(fingerprint, 16).map_err(|_| self.corrupt("s"))?,
            created_at: TimestampMs(created_at.parse().map_err(|_| self.corrupt("s"))?),
            version: self.needed("ve", self.parsed("ve")?)?,
            paused: since.map(|since| SchedulePause::new(reason.to_owned(), since)),
            through: self.needed("th", self.time("th")?)?,
            next: self.time("nx")?,
            due: self.time("la")?,
            waiting: self.pairs("wa")?.first().map(|run| run.at),
            before: self.parsed("be")?,
            latest: self.pairs("re")?,
            counts: self.counts()?,
            refused: self.refused()?,
            marks: Recent::default(),
        })
    }

    /// Times and ids in a row.
    fn pairs(&self, field: &str) -> Result<Vec<ScheduledRun>, EngineError> {
        let mut words = self.text(field)?.unwrap_or("").split_ascii_whitespace();
        let mut runs = Vec::new();
        while let Some(at) = words.next() {
            let run = words.next().and_then(|id| {
                Some(ScheduledRun::new(TimestampMs(at.parse().ok()?), id.parse().ok()?))
            });
            runs.push(self.needed(field, run)?);
        }
        Ok(runs)
    }

    fn counts(&self) -> Result<ScheduleCounts, EngineError> {
        let Some(text) = self.text("ct")? else { return Ok(ScheduleCounts::default()) };
        let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
        let numbers = numbers.map_err(|_| self.corrupt("ct"))?;
        let [submitted, missed, overlapped, refused, backfilled] = numbers[..] else {
            return Err(self.corrupt("ct"));
        };
        let mut counts = ScheduleCounts::default();
        (counts.submitted, counts.missed, counts.overlapped) = (submitted, missed, overlapped);
        (counts.refused, counts.backfilled) = (refused, backfilled);
        Ok(counts)
    }

    fn refused(&self) -> Result<Option<RefusedOccurrence>, EngineError> {
        let Some(text) = self.text("rf")? else { return Ok(None) };
        let found = text.split_once(' ').and_then(|(at, code)| {
            Some(RefusedOccurrence::new(TimestampMs(at.parse().ok()?), code.to_owned()))
        });
        self.needed("rf", found).map(Some)
    }
}

/// The record of a schedule with these fields.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub(crate) fn schedule(id: ScheduleId, fields: &Fields) -> Result<ScheduleRecord, EngineError> {
    let schedule = Schedule { id, fields };
    let overlap = schedule.parsed("ov")?;
    let mut spec = schedule.rule(schedule.work()?)?;
    spec.overlap = schedule.needed("ov", overlap)?;
    schedule.text("nt")?.unwrap_or("").clone_into(&mut spec.note);
    schedule.record(spec)
}

/// The record of a schedule as far as it says when it recurs: its work, which may be large, is not there.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub(crate) fn schedule_times(
    id: ScheduleId,
    fields: &Fields,
) -> Result<ScheduleRecord, EngineError> {
    let schedule = Schedule { id, fields };
    let name = |field| schedule.corrupt(field);
    let lane = LaneId::new("unread").map_err(|_| name("wk"))?;
    let kind = TaskKind::new("unread").map_err(|_| name("wk"))?;
    let none = Submission::new(ExecutionId::from_u128(0), lane, kind, Payload::new(""));
    schedule.record(schedule.rule(none)?)
}
