//! From the fields of a stored execution to the record of the engine. The other direction does not
//! exist: the library is the only writer.

mod budgets;
mod flows;
mod lanes;
mod schedules;
mod waits;

pub(crate) use budgets::{amounts_text, budget, figures_text, limits_text};
pub(crate) use flows::{flow, letter, links, node_view};
pub(crate) use lanes::{lane_settings, lane_settings_text, lane_state_text, lane_weights_text};
pub(crate) use schedules::{schedule, schedule_fields, schedule_times};
pub(crate) use waits::{kind_of, state_of};

use std::time::Duration;

use bytes::Bytes;
use ff_engine::machine::{
    Attempt, Entry, ExecutionRecord, Lease, OutstandingGrant, Progress, Recent, RunState,
};
use ff_engine::{CancelView, EngineError, FailureDetail, FailureView, SavedState, Submission};
use ff_types::backend::CapabilitySet;
use ff_types::{
    AttemptIndex, Backoff, BlockReason, ExecutionId, ExecutionPolicy, ExecutionState, GrantId,
    Jitter, LaneId, LeaseEpoch, LeaseId, Payload, ReasonSet, RetryPolicy, Tags, TaskKind,
    TimestampMs, WorkerId, WorkerInstanceId,
};
use std::sync::Arc;

use crate::reply::Reply;

/// Stands before the names of the fields of an execution's waits.
pub(crate) const WAITS: &str = "v:";

/// What a message about the end of an execution holds of it, when there is any: `told.lua` has the
/// same list.
pub(crate) const END_FIELDS: [&str; 9] = ["rk", "re", "fc", "fa", "ft", "fm", "fd", "ca", "cr"];

/// The fields of one execution, by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fields(Vec<(Bytes, Bytes)>);

impl Fields {
    /// The fields in a list of names and values.
    pub(crate) fn of(flat: Vec<Reply>) -> Option<Self> {
        let mut fields = Vec::with_capacity(flat.len() / 2);
        let mut values = flat.into_iter();
        while let Some(name) = values.next() {
            fields.push((name.into_bytes()?, values.next()?.into_bytes()?));
        }
        Some(Self(fields))
    }

    /// Sets a field, in place of the one there was.
    pub(crate) fn set(&mut self, name: Bytes, value: Bytes) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
    }

    /// Completes the fields by a saved state that is too long for the record.
    pub(crate) fn set_long_state(&mut self, state: Bytes) {
        if self.get("sk").is_some() {
            self.set(Bytes::from_static(b"sv"), state);
        }
    }

    /// Whether a state is saved.
    pub(crate) fn has_state(&self) -> bool {
        self.get("sv").is_some() || self.get("sk").is_some()
    }

    /// How many steps are recorded.
    pub(crate) fn steps(&self) -> u32 {
        let text = self.get("sn").and_then(|totals| std::str::from_utf8(totals).ok());
        let count = text.and_then(|totals| totals.split_once(' ')?.0.parse().ok());
        count.unwrap_or(0)
    }

    /// Takes these fields out.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        self.0.retain(|(known, _)| !names.iter().any(|name| known.as_ref() == name.as_bytes()));
    }

    /// The same fields, with this before their names.
    pub(crate) fn behind(self, prefix: &str) -> Self {
        let named = |name: Bytes| Bytes::from([prefix.as_bytes(), &name].concat());
        Self(self.0.into_iter().map(|(name, value)| (named(name), value)).collect())
    }

    /// Adds those of `others`.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(known, _)| known.as_ref() == name.as_bytes()).map(|(_, value)| value)
    }
}

/// One execution being read; names the field that is wrong.
struct Reader<'f> {
    id: ExecutionId,
    fields: &'f Fields,
}

impl<'f> Reader<'f> {
    fn corrupt(&self, field: &str) -> EngineError {
        EngineError::Corrupt { what: format!("field {field} of execution {}", self.id) }
    }

    fn text(&self, field: &str) -> Result<Option<&'f str>, EngineError> {
        let Some(bytes) = self.fields.get(field) else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|_| self.corrupt(field))
    }

    fn parsed<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, EngineError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.corrupt(field))
    }

    fn time(&self, field: &str) -> Result<Option<TimestampMs>, EngineError> {
        Ok(self.parsed(field)?.map(TimestampMs))
    }

    fn bits(&self, field: &str, at: usize) -> Result<[u8; 16], EngineError> {
        let bytes = self.fields.get(field).and_then(|bytes| bytes.get(at..at + 16));
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| self.corrupt(field))
    }

    /// The words of a packed field.
    fn packed(&self, field: &'static str) -> Result<Packed<'f>, EngineError> {
        let text = self.text(field)?.ok_or_else(|| self.corrupt(field))?;
        Ok(Packed { id: self.id, field, words: text.split(' ') })
    }
}

/// A packed field being read, word by word.
struct Packed<'f> {
    id: ExecutionId,
    field: &'static str,
    words: std::str::Split<'f, char>,
}

impl<'f> Packed<'f> {
    fn corrupt(&self) -> EngineError {
        EngineError::Corrupt { what: format!("field {} of execution {}", self.field, self.id) }
    }

    fn word(&mut self) -> Result<&'f str, EngineError> {
        self.words.next().ok_or_else(|| self.corrupt())
    }

    fn next<T: std::str::FromStr>(&mut self) -> Result<T, EngineError> {
        self.word()?.parse().map_err(|_| self.corrupt())
    }

    fn time(&mut self) -> Result<TimestampMs, EngineError> {
        self.next().map(TimestampMs)
    }
}

/// The record of an execution with these fields and this payload.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub(crate) fn record(
    id: ExecutionId,
    fields: &Fields,
    payload: Bytes,
) -> Result<ExecutionRecord, EngineError> {
    let r = Reader { id, fields };
    let mut submitted = r.packed("s")?;
    let (lane, priority) = (submitted.next()?, submitted.next()?);
    let (submitted_at, kind) = (submitted.time()?, submitted.next()?);
    let mut digested = r.packed("p")?;
    let fingerprint = u64::from_str_radix(digested.word()?, 16).map_err(|_| digested.corrupt())?;
    let policy = policy(&mut digested)?;
    let payload = if payload.is_empty() { r.inline_payload() } else { payload };
    let payload = typed(&r, "ct", payload)?;
    let submission = submission(&r, lane, kind, payload)?.with_priority(priority);
    Ok(ExecutionRecord {
        submission: Arc::new(submission.with_policy(policy)),
        fingerprint,
        submitted_at,
        node: flows::node(&r)?.map(Arc::new),
        // The library looks it up where it counts.
        flow_cancel: None,
        // They stand in keys of their own.
        frames: None,
        summary: None,
        reports: None,
        run: run(&r)?,
    })
}

impl Reader<'_> {
    fn inline_payload(&self) -> Bytes {
        self.fields.get("pl").cloned().unwrap_or_default()
    }
}

fn submission(
    r: &Reader<'_>,
    lane: LaneId,
    kind: TaskKind,
    payload: Payload,
) -> Result<Submission, EngineError> {
    let mut submission = Submission::new(r.id, lane, kind, payload);
    if let Some(class) = r.parsed::<CapabilitySet>("cl")? {
        submission = submission.with_capabilities(class);
    }
    if let Some(lines) = r.text("tg")? {
        submission = submission.with_tags(tags(lines).ok_or_else(|| r.corrupt("tg"))?);
    }
    for budget in budgets::drawn_on(r)? {
        submission = submission.with_shared_budget(budget);
    }
    submission.lane_key = r.parsed("lk")?;
    if let Some(estimate) = budgets::amounts(r, "es")? {
        submission = submission.with_estimate(budgets::usage(estimate));
    }
    if let Some(occurrence) = schedules::occurrence(r)? {
        submission = submission.with_occurrence(occurrence);
    }
    Ok(submission)
}

/// Tags as they are stored: `<key> <value>` a line.
pub(crate) fn tags(lines: &str) -> Option<Tags> {
    let mut tags = Tags::new();
    for line in lines.lines() {
        let (key, value) = line.split_once(' ')?;
        tags = tags.with(key, value).ok()?;
    }
    Some(tags)
}

fn typed(r: &Reader<'_>, field: &str, bytes: Bytes) -> Result<Payload, EngineError> {
    match r.text(field)? {
        None | Some("") => Ok(Payload::new(bytes)),
        Some(kind) => Payload::new(bytes).with_content_type(kind).map_err(|_| r.corrupt(field)),
    }
}

fn policy(words: &mut Packed<'_>) -> Result<ExecutionPolicy, EngineError> {
    let (retries, reclaims) = (words.next()?, words.next()?);
    let (timeout, retention): (u64, u64) = (words.next()?, words.next()?);
    let exponential: u8 = words.next()?;
    let (base, factor, cap) = (words.next()?, words.next()?, words.next()?);
    let jitter: u8 = words.next()?;
    let backoff = if exponential == 1 {
        Backoff::Exponential { base_ms: base, factor, cap_ms: cap }
    } else {
        Backoff::Fixed { delay_ms: base }
    };
    let retry = RetryPolicy::default()
        .with_max_retries(retries)
        .with_backoff(backoff)
        .with_jitter(if jitter == 1 { Jitter::Full } else { Jitter::None });
    let mut policy = ExecutionPolicy::default()
        .with_retry(retry)
        .with_max_reclaims(reclaims)
        .with_retention(Duration::from_millis(retention));
    if timeout > 0 {
        policy = policy.with_attempt_timeout(Duration::from_millis(timeout));
    }
    Ok(policy)
}

/// The nine numbers of a policy, as [`policy`] reads them. A back-off of a kind that this version
/// does not know cannot be stored.
pub(crate) fn policy_text(policy: &ExecutionPolicy) -> Option<String> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (exponential, base, factor, cap) = match policy.retry.backoff {
        Backoff::Fixed { delay_ms } => (0, delay_ms, 0, 0),
        Backoff::Exponential { base_ms, factor, cap_ms } => (1, base_ms, factor, cap_ms),
        _ => return None,
    };
    Some(format!(
        "{} {} {} {} {exponential} {base} {factor} {cap} {}",
        policy.retry.max_retries,
        policy.max_reclaims,
        policy.attempt_timeout.map_or(0, millis),
        millis(policy.retention),
        u8::from(policy.retry.jitter == Jitter::Full),
    ))
}

fn run(r: &Reader<'_>) -> Result<RunState, EngineError> {
    let bits: u8 = r.parsed("rs")?.unwrap_or(0);
    let stored = ReasonSet::from_bits(bits).ok_or_else(|| r.corrupt("rs"))?;
    let mut words = r.packed("r")?;
    let state: ExecutionState = words.next()?;
    let epoch = LeaseEpoch(words.next()?);
    let index = words.word()?;
    let (open, started_at, at) = (words.word()? == "1", words.time()?, words.time()?);
    let attempt = match index {
        "-" => None,
        digits => {
            let index = digits.parse().map_err(|_| words.corrupt())?;
            Some(Attempt { index: AttemptIndex(index), open, started_at })
        }
    };
    let (ttl_ms, retries, reclaims) = (words.next()?, words.next()?, words.next()?);
    let lease = match state {
        ExecutionState::Active => Some(Lease {
            id: LeaseId::from_bytes(r.bits("h", 0)?),
            attempt: attempt.ok_or_else(|| words.corrupt())?.index,
            worker: WorkerId::from_bytes(r.bits("h", 16)?),
            instance: WorkerInstanceId::from_bytes(r.bits("h", 32)?),
            ttl_ms,
            expires_at: at,
            attempt_ends_at: r.time("le")?,
        }),
        _ => None,
    };
    let grant = grant(r)?;
    Ok(RunState {
        state,
        reasons: if flows::dependencies(r)?.is_undecided() {
            stored.with(BlockReason::Dependencies)
        } else {
            stored
        },
        entry: if words.word()? == "c" { Entry::Reclaim } else { Entry::Claim },
        // It counts while the execution waits, and only then.
        ready_at: at,
        delay_until: r.time("du")?,
        deadline: r.time("dl")?,
        time_to_live_ms: r.parsed("tl")?,
        attempt,
        epoch,
        lease,
        // Who is handed it keeps that beside the record, for the renewals.
        offered: None,
        ended_leases: Recent::default(),
        grant,
        retries,
        reclaims,
        cancel: cancel(r)?.map(Arc::new),
        progress: progress(r)?.map(Arc::new),
        last_failure: failure(r)?.map(Arc::new),
        waits: waits::read(r)?,
        saved_state: r.fields.get("sv").cloned().map(SavedState),
        // They lie beside the record, and are read by themselves.
        steps: None,
        result: result(r)?,
        ended_at: state.is_terminal().then_some(at),
        child_flows: flows::child_flows(r)?,
        waits_for: r.parsed("cw")?,
        dependencies: flows::dependencies(r)?,
        unhandled: flows::unhandled(r)?,
        blocked_on: r.parsed("bo")?,
        set_aside: r.parsed("ba")?,
        reservation: match attempt {
            Some(Attempt { open: true, .. }) => budgets::reservation(r)?,
            _ if grant.is_some() => budgets::reservation(r)?,
            _ => None,
        },
        usage: budgets::amounts(r, "ug")?.map(Arc::new),
        operator: Recent::default(),
    })
}

fn grant(r: &Reader<'_>) -> Result<Option<OutstandingGrant>, EngineError> {
    if r.fields.get("gi").is_none() {
        return Ok(None);
    }
    Ok(Some(OutstandingGrant {
        id: GrantId::from_bytes(r.bits("gi", 0)?),
        expires_at: r.time("gx")?.ok_or_else(|| r.corrupt("gx"))?,
    }))
}

fn cancel(r: &Reader<'_>) -> Result<Option<CancelView>, EngineError> {
    let Some(requested_at) = r.time("ca")? else { return Ok(None) };
    Ok(Some(CancelView::new(r.text("cr")?.unwrap_or("").to_owned(), requested_at)))
}

fn progress(r: &Reader<'_>) -> Result<Option<Progress>, EngineError> {
    let Some(percent) = r.parsed("pp")? else { return Ok(None) };
    Ok(Some(Progress { percent, message: r.text("pm")?.map(str::to_owned) }))
}

fn failure(r: &Reader<'_>) -> Result<Option<FailureView>, EngineError> {
    let Some(class) = r.parsed("fc")? else { return Ok(None) };
    Ok(Some(FailureView::new(
        class,
        r.text("fm")?.unwrap_or("").to_owned(),
        r.fields.get("fd").cloned().map(FailureDetail),
        AttemptIndex(r.parsed("fa")?.ok_or_else(|| r.corrupt("fa"))?),
        r.time("ft")?.ok_or_else(|| r.corrupt("ft"))?,
    )))
}

fn result(r: &Reader<'_>) -> Result<Option<Payload>, EngineError> {
    if r.fields.get("rk").is_none() {
        return Ok(None);
    }
    let bytes = r.fields.get("re").cloned().unwrap_or_default();
    typed(r, "rk", bytes).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back() {
        let fixed = RetryPolicy::none().with_backoff(Backoff::Fixed { delay_ms: 7 });
        for given in [
            ExecutionPolicy::default(),
            ExecutionPolicy::default()
                .with_retry(fixed.with_jitter(Jitter::None))
                .with_attempt_timeout(Duration::from_secs(3)),
        ] {
            let fields = Fields(vec![("p".into(), policy_text(&given).unwrap().into())]);
            let reader = Reader { id: ExecutionId::from_u128(1), fields: &fields };
            assert_eq!(policy(&mut reader.packed("p").unwrap()).unwrap(), given);
        }
    }

    #[test]
    fn a_damaged_field_is_named() {
        let id = ExecutionId::from_u128(1);
        let error = record(id, &Fields::default(), Bytes::new()).unwrap_err();
        assert_eq!(error.code(), "corrupt");
        assert!(error.to_string().contains("field s"), "{error}");
    }
}
