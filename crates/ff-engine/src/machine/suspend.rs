//! `suspend`: the attempt gives its lease back and waits for signals.

use std::sync::Arc;
use std::time::Duration;

use ff_types::backend::{BackendTag, HandleKind, WaitpointSpec};
use ff_types::{ExecutionState, Namespace, TimestampMs, WaitpointKey};

use super::condition::satisfying;
use super::decision::Decision;
use super::fence_check::held_or_repeated;
use super::record::{ExecutionRecord, LeaseEnd, ReleaseCall};
use super::waitpoint::open_or_new;
use super::waits::{
    Matcher, SatisfiedSuspend, Suspension, TokenParts, WaitGroup, Waitpoint, Waits,
};
use crate::call_digest;
use crate::error::{EngineError, Released, StateKind};
use crate::fence::Fence;
use crate::requests::{
    ResumeReason, ResumeView, SuspendOutcome, SuspendRequest, TimeoutBehavior, WaitpointState,
    millis,
};
use crate::token::KeyRing;

/// What a suspend does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspended {
    /// The lease is given back. These are the waitpoints of the request, in its order.
    Waiting(Vec<TokenParts>),
    /// The condition holds already; the lease is kept.
    AlreadySatisfied,
}

impl Suspended {
    /// The answer to the holder behind `fence`, with the tokens signed. For backends.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the ring has lost the key of a waitpoint.
    pub fn into_outcome(
        self,
        fence: &Fence,
        backend: BackendTag,
        ring: &KeyRing,
        namespace: &Namespace,
    ) -> Result<SuspendOutcome, EngineError> {
        let Self::Waiting(parts) = self else {
            return Ok(SuspendOutcome::AlreadySatisfied);
        };
        let signed = parts.into_iter().map(|parts| parts.signed(ring, namespace));
        Ok(SuspendOutcome::Suspended {
            handle: fence.handle(backend, HandleKind::Suspended),
            waitpoints: signed.collect::<Result<_, _>>()?,
        })
    }
}

/// Decides a suspend. The tokens of pending waitpoints have been verified; `kids` as for
/// [`create_waitpoint`](super::create_waitpoint).
///
/// # Errors
/// [`EngineError::State`] when the lease is not live or a cancellation is pending;
/// [`EngineError::NotFound`] for a pending waitpoint that is not open; validation errors of the
/// request.
pub fn suspend(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &SuspendRequest,
    kids: &[Arc<str>],
    now: TimestampMs,
) -> Result<Decision<Suspended>, EngineError> {
    request.validate()?;
    let call = ReleaseCall { verb: "suspend", digest: call_digest::of_suspend(request) };
    if let Some(released) = held_or_repeated(record, fence, call, now)? {
        let before = of_lease(record.run.waits(), fence);
        return if before.len() == request.waitpoints.len() {
            Ok(Decision::Keep(Suspended::Waiting(before)))
        } else {
            Err(EngineError::state(StateKind::AlreadyReleased { released }, fence.execution))
        };
    }
    let satisfied = SatisfiedSuspend { epoch: fence.epoch, digest: call.digest };
    if record.run.waits().satisfied == Some(satisfied) {
        return Ok(Decision::Keep(Suspended::AlreadySatisfied));
    }
    if record.run.cancel.is_some() {
        return Err(EngineError::state(StateKind::CancelRequested, fence.execution));
    }
    let mut next = record.run.clone();
    next.save_along(request.state.as_ref());
    let waits = next.waits_mut();
    let mut parts = Vec::with_capacity(request.waitpoints.len());
    for (spec, place) in request.waitpoints.iter().zip(0..) {
        parts.push(activate(waits, fence, spec, place, kids, now)?);
    }
    waits.suspension = Some(suspension(request, &parts, now));
    if let Some(signals) = satisfying(waits) {
        let signals = signals.iter().map(|signal| signal.as_ref().clone()).collect();
        let keys = waits.suspended_keys();
        waits.end_suspension();
        waits.forget_suspend(fence.epoch);
        waits.resumed = Some(Arc::new(ResumeView::new(Some(ResumeReason::Signals), keys, signals)));
        waits.satisfied = Some(satisfied);
        return Ok(Decision::apply(next, Suspended::AlreadySatisfied));
    }
    waits.resumed = None;
    waits.satisfied = None;
    next.end_lease(LeaseEnd::Released { call, released: Released::Suspended });
    next.state = ExecutionState::Suspended;
    Ok(Decision::apply(next, Suspended::Waiting(parts)))
}

/// Makes a waitpoint part of the suspension: it keeps what matches from now on, and of what it has
/// kept.
fn activate(
    waits: &mut Waits,
    fence: &Fence,
    spec: &WaitpointSpec,
    place: u8,
    kids: &[Arc<str>],
    now: TimestampMs,
) -> Result<TokenParts, EngineError> {
    let waitpoint = if spec.is_pending() {
        waits
            .open(&spec.key, now)
            .filter(|open| open.id == spec.waitpoint_id && Some(open.expires_at) == spec.expires_at)
            .ok_or_else(EngineError::waitpoint_not_found)?
    } else {
        open_or_new(waits, spec.waitpoint_id, &spec.key, spec.expires_in, kids, now)?.0
    };
    waitpoint.sign_anew_if_void(kids);
    let matcher = Matcher { kind: spec.kind, bytes: spec.matcher.clone() };
    waitpoint.kept.retain(|kept| matcher.accepts_kept(kept));
    waitpoint.matcher = Some(matcher);
    waitpoint.state = WaitpointState::Active;
    waitpoint.suspended_by = Some((fence.epoch, place));
    Ok(waitpoint.parts(fence.execution))
}

fn suspension(request: &SuspendRequest, parts: &[TokenParts], now: TimestampMs) -> Suspension {
    let place = |key: &WaitpointKey| {
        let mut places = request.waitpoints.iter().zip(0..);
        places.find(|(spec, _)| spec.key == *key).map(|(_, place)| place)
    };
    let groups = request.groups().into_iter().map(|group| WaitGroup {
        members: group.waitpoints.iter().filter_map(place).collect(),
        n: group.n,
        distinct: group.distinct,
    });
    let timeout_at = |after| now.saturating_add(Duration::from_millis(millis(after)));
    Suspension {
        since: now,
        waitpoints: parts.iter().map(|part| part.address.waitpoint_id).collect(),
        groups: groups.collect(),
        timeout_at: request.timeout.map(|timeout| timeout_at(timeout.after)),
        behavior: request.timeout.map_or(TimeoutBehavior::default(), |timeout| timeout.behavior),
    }
}

/// The waitpoints that the suspend under this lease gave, as far as they are known, in its order.
fn of_lease(waits: &Waits, fence: &Fence) -> Vec<TokenParts> {
    let place = |waitpoint: &Waitpoint| match waitpoint.suspended_by {
        Some((epoch, place)) if epoch == fence.epoch => Some(place),
        _ => None,
    };
    let mut found: Vec<_> =
        waits.waitpoints.iter().filter_map(|w| place(w).map(|at| (at, w))).collect();
    found.sort_unstable_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, waitpoint)| waitpoint.parts(fence.execution)).collect()
}
