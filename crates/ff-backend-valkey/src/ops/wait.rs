//! What the holder of a lease does about waiting: the arguments of its calls, and their answers.

use bytes::Bytes;
use ff_engine::{
    Distinct, EngineError, Fence, Group, KeyRing, ResumeReason, ResumeView, SuspendOutcome,
    SuspendRequest, TimeoutBehavior, call_digest,
};
use ff_types::backend::{
    BackendTag, HandleKind, PendingWaitpoint, ResumeSignal, WaitpointAddress, WaitpointKind,
};
use ff_types::{ExecutionId, TimestampMs};

use super::step::bytes_of;
use super::{Packed, bits, digest};
use crate::call::{BadReply, Values};
use crate::calls::{ObserveSignalsAnswer, Suspend};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::reply::Reply;

const PARTS: BadReply = BadReply("waitpoint");

impl Inner {
    pub(super) async fn suspend(
        &self,
        fence: &Fence,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        const OPERATION: &str = "suspend";
        let namespace = &self.keyspace.namespace;
        let verify = |ring: &mut KeyRing| request.verify(ring, namespace, fence.execution);
        self.with_ring(OPERATION, verify).await??;
        let timeout = request.timeout.map(|timeout| timeout.after.as_millis().to_string());
        let behavior = request.timeout.map_or(TimeoutBehavior::default(), |it| it.behavior);
        let call = Suspend {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_suspend(request)),
            wanted: wanted(request)?,
            groups: &groups(request)?,
            timeout: timeout.as_deref().unwrap_or(""),
            behavior: letter_of_behavior(behavior)?,
            kids: &self.kids(OPERATION).await?,
            saves: request.state.is_some(),
            state: bytes_of(request.state.as_ref()),
        };
        let answer = self.about(OPERATION, fence.execution, call).await?;
        if answer.outcome == "satisfied" {
            return Ok(SuspendOutcome::AlreadySatisfied);
        }
        let mut waitpoints = Vec::with_capacity(answer.waitpoints.len());
        for reply in answer.waitpoints {
            let parts = reply.into_array().ok_or_else(|| bad_reply(OPERATION, PARTS))?;
            waitpoints.push(self.pending(OPERATION, fence.execution, parts).await?);
        }
        let handle = fence.handle(BackendTag::Valkey, HandleKind::Suspended);
        Ok(SuspendOutcome::Suspended { handle, waitpoints })
    }

    /// A waitpoint as the library tells of it, with its token signed.
    pub(super) async fn pending(
        &self,
        operation: &'static str,
        execution: ExecutionId,
        parts: Vec<Reply>,
    ) -> Result<PendingWaitpoint, EngineError> {
        let (address, kid) =
            read_parts(execution, parts).ok_or_else(|| bad_reply(operation, PARTS))?;
        let namespace = &self.keyspace.namespace;
        let sign = |ring: &mut KeyRing| ring.sign_as(&kid, namespace, &address);
        let hmac = self.with_ring(operation, sign).await?;
        hmac.map(|hmac| PendingWaitpoint::new(address, hmac))
            .ok_or_else(EngineError::waitpoint_not_found)
    }
}

fn read_parts(execution: ExecutionId, parts: Vec<Reply>) -> Option<(WaitpointAddress, String)> {
    let mut values = Values::new(parts);
    let mut text = || values.text().ok();
    let (id, key, expires_at, kid) = (text()?, text()?, text()?, text()?);
    let expires_at = TimestampMs(expires_at.parse().ok()?);
    let address = WaitpointAddress::new(execution, id.parse().ok()?, key.parse().ok()?, expires_at);
    Some((address, kid))
}

fn unknown(field: &'static str) -> EngineError {
    EngineError::validation(field, "is of a kind that this backend does not know")
}

fn letter_of_kind(kind: WaitpointKind) -> Result<&'static str, EngineError> {
    match kind {
        WaitpointKind::SignalName => Ok("s"),
        WaitpointKind::CorrelationId => Ok("c"),
        WaitpointKind::External => Ok("e"),
        _ => Err(unknown("waitpoint_kind")),
    }
}

fn letter_of_behavior(behavior: TimeoutBehavior) -> Result<&'static str, EngineError> {
    match behavior {
        TimeoutBehavior::Fail => Ok("f"),
        TimeoutBehavior::Cancel => Ok("c"),
        TimeoutBehavior::Expire => Ok("e"),
        TimeoutBehavior::Resume => Ok("r"),
        _ => Err(unknown("timeout")),
    }
}

fn letter_of_distinct(distinct: Distinct) -> Result<char, EngineError> {
    match distinct {
        Distinct::Waitpoints => Ok('w'),
        Distinct::Signals => Ok('i'),
        Distinct::Sources => Ok('s'),
        _ => Err(unknown("condition")),
    }
}

/// The waitpoints of a suspend in one argument, as `specs.lua` reads them.
fn wanted(request: &SuspendRequest) -> Result<Bytes, EngineError> {
    let mut packed = Packed::default();
    for spec in &request.waitpoints {
        packed.push(spec.waitpoint_id.to_string());
        packed.push(spec.key.as_str());
        packed.push(letter_of_kind(spec.kind)?);
        packed.push(&spec.matcher);
        packed.push(spec.expires_in.as_millis().to_string());
        let expires_at = spec.expires_at.filter(|_| spec.is_pending());
        packed.push(expires_at.map_or_else(String::new, |at| at.to_string()));
    }
    Ok(packed.freeze())
}

/// The groups of a condition as `waits_text.lua` reads them: `<n><what it counts>:<places>` each.
fn groups(request: &SuspendRequest) -> Result<String, EngineError> {
    let place = |key| request.waitpoints.iter().position(|spec| spec.key == key);
    let text = |group: Group| {
        let letter = letter_of_distinct(group.distinct)?;
        let places = group.waitpoints.into_iter().filter_map(place).map(|at| at.to_string());
        Ok(format!("{}{letter}:{}", group.n, places.collect::<Vec<_>>().join(",")))
    };
    Ok(request.groups().into_iter().map(text).collect::<Result<Vec<_>, EngineError>>()?.join(";"))
}

/// What ended the latest wait, as `observe_signals.lua` tells of it.
pub(super) fn resume_view(answer: ObserveSignalsAnswer) -> Result<ResumeView, EngineError> {
    let bad = |what| bad_reply("observe_signals", BadReply(what));
    let reason = match answer.how.split_at_checked(1) {
        None => return Ok(ResumeView::default()),
        Some(("s", _)) => ResumeReason::Signals,
        Some(("t", _)) => ResumeReason::TimedOut,
        Some(("u", _)) => ResumeReason::Unsatisfiable,
        Some(("o", reason)) => ResumeReason::Operator { reason: reason.to_owned() },
        Some(_) => return Err(bad("reason")),
    };
    let signals = answer.signals.into_iter().map(signal);
    let signals = signals.collect::<Option<Vec<_>>>().ok_or_else(|| bad("signal"))?;
    let keys = answer.of.split(',').map(|key| key.parse().map_err(|_| bad("key")));
    Ok(ResumeView::new(Some(reason), keys.collect::<Result<_, _>>()?, signals))
}

fn signal(reply: Reply) -> Option<ResumeSignal> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let (waitpoint, id, at, source) = (text()?, text()?, text()?, text()?);
    let (source_type, source_identity) = match source.strip_prefix('p') {
        Some(principal) => ("principal", principal.to_owned()),
        None => ("token", waitpoint),
    };
    let [name, category, correlation, payload] = body_parts(&values.bytes().ok()?)?;
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
    Some(ResumeSignal {
        signal_id: id.parse().ok()?,
        signal_name: text(name?)?,
        signal_category: text(category?)?,
        source_type: source_type.to_owned(),
        source_identity,
        correlation_id: match correlation {
            Some(bytes) => Some(text(bytes)?),
            None => None,
        },
        accepted_at: TimestampMs(at.parse().ok()?),
        payload,
    })
}

/// The four parts of a body: four lengths, `-` for none, and then the bytes.
fn body_parts(body: &Bytes) -> Option<[Option<Bytes>; 4]> {
    let mut at = 0;
    let mut lengths = [None; 4];
    for length in &mut lengths {
        let end = at + body.get(at..)?.iter().position(|byte| *byte == b' ')?;
        let word = std::str::from_utf8(&body[at..end]).ok()?;
        *length = if word == "-" { None } else { Some(word.parse::<usize>().ok()?) };
        at = end + 1;
    }
    let mut parts = [const { None }; 4];
    for (part, length) in parts.iter_mut().zip(lengths) {
        if let Some(length) = length {
            let end = at.checked_add(length).filter(|end| *end <= body.len())?;
            *part = Some(body.slice(at..end));
            at = end;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_back() {
        let body = Bytes::from_static(b"3 0 - 4 abc a b");
        let [name, category, correlation, payload] = body_parts(&body).unwrap();

        assert_eq!((name.unwrap(), category.unwrap()), ("abc".into(), "".into()));
        assert_eq!((correlation, payload.unwrap()), (None, " a b".into()));
        assert!(body_parts(&Bytes::from_static(b"9 0 - - abc")).is_none());
        assert!(body_parts(&Bytes::from_static(b"3 0")).is_none());
    }
}
