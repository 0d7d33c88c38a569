//! `deliver_signal`: recorded, evaluated, and the wait perhaps over, in one step.

use std::sync::Arc;

use ff_types::backend::ResumeSignal;
use ff_types::{TimestampMs, limits};

use super::condition::satisfying;
use super::decision::Decision;
use super::record::{ExecutionRecord, RunState};
use super::resume::resume;
use super::waits::{KeptSignal, Matcher, SeenSignal, Waitpoint};
use crate::error::EngineError;
use crate::requests::{DeliverSignal, ResumeReason, SignalOutcome, WaitpointState, at_most};

/// The source of a signal that came with a token and without a principal.
const SOURCE_TOKEN: &str = "token";
/// The source of a signal whose sender was authenticated.
const SOURCE_PRINCIPAL: &str = "principal";

/// Decides the delivery of a signal whose token was verified, with a key that verifies until
/// `verify_until`.
///
/// # Errors
/// [`EngineError::NotFound`] when the token names no waitpoint that is known, or has expired, alike
/// in all cases; [`EngineError::LimitExceeded`] when the waitpoint keeps 64 signals; validation
/// errors of the request.
pub fn deliver_signal(
    record: &ExecutionRecord,
    request: &DeliverSignal,
    verify_until: Option<TimestampMs>,
    now: TimestampMs,
) -> Result<Decision<SignalOutcome>, EngineError> {
    request.validate()?;
    let run = &record.run;
    let (address, kid) = (request.token.address(), request.token.hmac().kid());
    let key_is_good = verify_until.is_none_or(|until| until > now);
    let waitpoint = run
        .waits()
        .waitpoint(address.waitpoint_id)
        .filter(|known| known.key == address.key && known.kid.as_ref() == kid)
        .filter(|known| known.expires_at == address.expires_at && known.expires_at > now)
        .filter(|_| key_is_good)
        .ok_or_else(EngineError::waitpoint_not_found)?;
    if let Some(before) = seen(waitpoint, request) {
        return Ok(Decision::Keep(before));
    }
    if waitpoint.state == WaitpointState::Closed || is_too_late(run, waitpoint, now) {
        return Ok(Decision::Keep(SignalOutcome::Closed));
    }
    let matches = |matcher: &Matcher| matcher.accepts_request(request);
    if !waitpoint.matcher.as_ref().is_none_or(matches) {
        return Ok(Decision::Keep(SignalOutcome::NotMatched));
    }
    at_most("signals", waitpoint.kept.len() + 1, limits::SIGNALS_PER_WAITPOINT_MAX)?;
    Ok(keep(run, waitpoint, request, now))
}

/// What the sender of the same signal, or of another with its idempotency key, was answered.
fn seen(waitpoint: &Waitpoint, request: &DeliverSignal) -> Option<SignalOutcome> {
    let same = |seen: &&SeenSignal| seen.signal_id == request.signal_id;
    let twin = |seen: &&SeenSignal| {
        request.idempotency_key.is_some() && seen.idempotency_key == request.idempotency_key
    };
    let repeat = waitpoint.seen.iter().find(same).map(|seen| seen.outcome);
    repeat.or_else(|| {
        waitpoint.seen.iter().find(twin).map(|seen| SignalOutcome::Duplicate(seen.signal_id))
    })
}

/// Whether the execution, or the wait for this waitpoint, is over by the clock although no
/// maintenance has seen it.
fn is_too_late(run: &RunState, waitpoint: &Waitpoint, now: TimestampMs) -> bool {
    let waits = waitpoint.state == WaitpointState::Active;
    let suspension = run.waits().suspension.as_ref().filter(|_| waits);
    let timeout = suspension.and_then(|suspension| suspension.timeout_at);
    [run.deadline, timeout].into_iter().flatten().any(|at| at <= now)
}

fn keep(
    run: &RunState,
    waitpoint: &Waitpoint,
    request: &DeliverSignal,
    now: TimestampMs,
) -> Decision<SignalOutcome> {
    let mut next = run.clone();
    let waits = next.waits_mut();
    let order = waits.accepted;
    waits.accepted += 1;
    let signal = Arc::new(accepted(waitpoint, request, now));
    if let Some(waitpoint) = waits.waitpoint_mut(waitpoint.id) {
        waitpoint.kept.push(KeptSignal { order, signal });
    }
    let is_active = waitpoint.state == WaitpointState::Active;
    let satisfied = if is_active { satisfying(waits) } else { None };
    let outcome = match (is_active, &satisfied) {
        (false, _) => SignalOutcome::Buffered,
        (true, None) => SignalOutcome::Recorded,
        (true, Some(_)) => SignalOutcome::Resumed,
    };
    if let Some(waitpoint) = waits.waitpoint_mut(waitpoint.id) {
        let (signal_id, idempotency_key) = (request.signal_id, request.idempotency_key.clone());
        waitpoint.seen.push(SeenSignal { signal_id, idempotency_key, outcome });
    }
    if let Some(signals) = satisfied {
        resume(&mut next, ResumeReason::Signals, &signals, now);
    }
    Decision::apply(next, outcome)
}

/// The signal as the resumed attempt sees it. Its source is what was proven of the sender, not what
/// the sender wrote.
fn accepted(waitpoint: &Waitpoint, request: &DeliverSignal, now: TimestampMs) -> ResumeSignal {
    let (source_type, source_identity) = match &request.principal {
        Some(principal) => (SOURCE_PRINCIPAL, principal.clone()),
        None => (SOURCE_TOKEN, waitpoint.id.to_string()),
    };
    ResumeSignal {
        signal_id: request.signal_id,
        signal_name: request.name.clone(),
        signal_category: request.category.clone(),
        source_type: source_type.to_owned(),
        source_identity,
        correlation_id: request.correlation_id.clone(),
        accepted_at: now,
        payload: request.payload.clone(),
    }
}
