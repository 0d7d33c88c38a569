//! The waits of an execution, as `waits_text.lua` stores them: what a description shows, and what the
//! invariants are checked by. The bodies of signals, what waitpoints have seen and what ended the
//! latest wait are not among them.

use std::sync::Arc;

use ff_engine::machine::{KeptSignal, Matcher, Suspension, WaitGroup, Waitpoint, Waits};
use ff_engine::{Distinct, EngineError, TimeoutBehavior, WaitpointState};
use ff_types::backend::{ResumeSignal, WaitpointKind};
use ff_types::{LeaseEpoch, TimestampMs, WaitpointId};

use super::{Reader, WAITS};

/// The waits, if there are any.
pub(super) fn read(r: &Reader<'_>) -> Result<Option<Arc<Waits>>, EngineError> {
    let marked = r.fields.0.iter().any(|(name, _)| name.starts_with(WAITS.as_bytes()));
    let parsed = || parse(r).map(Arc::new).ok_or_else(|| r.corrupt("of its waits"));
    marked.then(parsed).transpose()
}

fn parse(r: &Reader<'_>) -> Option<Waits> {
    let mut made = Vec::new();
    let mut kept: Vec<(WaitpointId, KeptSignal)> = Vec::new();
    let mut accepted = 0;
    let mut suspended = None;
    for (name, value) in &r.fields.0 {
        let Some(name) = name.strip_prefix(WAITS.as_bytes()) else { continue };
        let value = || std::str::from_utf8(value).ok();
        match std::str::from_utf8(name).ok()?.split_at_checked(1)? {
            ("w", id) => made.push(waitpoint(r, id, value()?)?),
            ("k", order) => kept.push(signal(order, value()?)?),
            ("n", _) => accepted = value()?.split_once(' ')?.1.parse().ok()?,
            ("c", _) => suspended = Some(value()?),
            _ => {}
        }
    }
    made.sort_by_key(|(seq, _)| *seq);
    let mut waitpoints: Vec<Waitpoint> = made.into_iter().map(|(_, waitpoint)| waitpoint).collect();
    kept.sort_by_key(|(_, kept)| kept.order);
    for (id, signal) in kept {
        waitpoints.iter_mut().find(|waitpoint| waitpoint.id == id)?.kept.push(signal);
    }
    let suspension = match suspended {
        Some(text) => Some(suspension(text, &waitpoints)?),
        None => None,
    };
    let (resumed, satisfied) = (None, None);
    Some(Waits { waitpoints, suspension, resumed, satisfied, accepted })
}

fn waitpoint(r: &Reader<'_>, id: &str, text: &str) -> Option<(u64, Waitpoint)> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let (seq, state, created, expires, kid) = (word()?, word()?, word()?, word()?, word()?);
    let (epoch, place, closer, matches, key) = (word()?, word()?, word()?, word()?, word()?);
    let time = |text: &str| text.parse().ok().map(TimestampMs);
    let epoch_of = |text: &str| text.parse().ok().map(LeaseEpoch);
    let bytes = || r.fields.get(&format!("{WAITS}m{id}")).cloned().unwrap_or_default();
    let waitpoint = Waitpoint {
        id: id.parse().ok()?,
        key: key.parse().ok()?,
        kid: kid.into(),
        state: state_of(state)?,
        created_at: time(created)?,
        expires_at: time(expires)?,
        matcher: kind_of(matches).map(|kind| Matcher { kind, bytes: bytes() }),
        suspended_by: epoch_of(epoch).zip(place.parse().ok()),
        closed_by: epoch_of(closer),
        kept: Vec::new(),
        seen: Vec::new(),
    };
    Some((seq.parse().ok()?, waitpoint))
}

/// The state that a letter stands for.
pub(crate) fn state_of(letter: &str) -> Option<WaitpointState> {
    match letter {
        "p" => Some(WaitpointState::Pending),
        "a" => Some(WaitpointState::Active),
        "c" => Some(WaitpointState::Closed),
        _ => None,
    }
}

/// The kind that a letter stands for; none while a waitpoint is pending.
pub(crate) fn kind_of(letter: &str) -> Option<WaitpointKind> {
    match letter {
        "s" => Some(WaitpointKind::SignalName),
        "c" => Some(WaitpointKind::CorrelationId),
        "e" => Some(WaitpointKind::External),
        _ => None,
    }
}

fn signal(order: &str, text: &str) -> Option<(WaitpointId, KeptSignal)> {
    let mut words = text.splitn(4, ' ');
    let (waitpoint, id) = (words.next()?, words.next()?);
    let (at, source) = (words.next()?, words.next()?);
    let (source_type, source_identity) = match source.strip_prefix('p') {
        Some(principal) => ("principal", principal),
        None => ("token", waitpoint),
    };
    let signal = ResumeSignal {
        signal_id: id.parse().ok()?,
        signal_name: String::new(),
        signal_category: String::new(),
        source_type: source_type.to_owned(),
        source_identity: source_identity.to_owned(),
        correlation_id: None,
        accepted_at: TimestampMs(at.parse().ok()?),
        payload: None,
    };
    let kept = KeptSignal { order: order.parse().ok()?, signal: Arc::new(signal) };
    Some((waitpoint.parse().ok()?, kept))
}

fn suspension(text: &str, waitpoints: &[Waitpoint]) -> Option<Suspension> {
    let mut words = text.split(' ');
    let (epoch, since, timeout) = (words.next()?, words.next()?, words.next()?);
    let (behavior, groups) = (words.next()?, words.next()?);
    let epoch = LeaseEpoch(epoch.parse().ok()?);
    let place = |waitpoint: &Waitpoint| match waitpoint.suspended_by {
        Some((by, place)) if by == epoch => Some((place, waitpoint.id)),
        _ => None,
    };
    let mut members: Vec<_> = waitpoints.iter().filter_map(place).collect();
    members.sort_unstable();
    Some(Suspension {
        since: TimestampMs(since.parse().ok()?),
        waitpoints: members.into_iter().map(|(_, id)| id).collect(),
        groups: groups.split(';').map(group).collect::<Option<_>>()?,
        timeout_at: match timeout {
            "-" => None,
            at => Some(TimestampMs(at.parse().ok()?)),
        },
        behavior: match behavior {
            "f" => TimeoutBehavior::Fail,
            "c" => TimeoutBehavior::Cancel,
            "e" => TimeoutBehavior::Expire,
            "r" => TimeoutBehavior::Resume,
            _ => return None,
        },
    })
}

fn group(text: &str) -> Option<WaitGroup> {
    let (counted, places) = text.split_once(':')?;
    let (n, distinct) = counted.split_at_checked(counted.len().checked_sub(1)?)?;
    Some(WaitGroup {
        members: places.split(',').map(|place| place.parse().ok()).collect::<Option<_>>()?,
        n: n.parse().ok()?,
        distinct: match distinct {
            "w" => Distinct::Waitpoints,
            "i" => Distinct::Signals,
            "s" => Distinct::Sources,
            _ => return None,
        },
    })
}
