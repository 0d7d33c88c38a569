//! Waitpoints: made and closed by a holder, withdrawn by an operator.

use std::sync::Arc;
use std::time::Duration;

use ff_types::{TimestampMs, WaitpointId, WaitpointKey, limits};

use super::decision::Decision;
use super::fence_check::held;
use super::record::{ExecutionRecord, OperatorMark, OperatorOutcome};
use super::resume::give_up_if_impossible;
use super::waits::{TokenParts, Waitpoint, Waits};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{
    CloseOutcome, CreateWaitpoint, WaitpointState, WithdrawWaitpoint, at_most, millis,
};

/// Decides the making of a waitpoint. `kids` are the ids of the keys that tokens are verified with,
/// the one that signs first.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for more than
/// 64 open waitpoints; [`EngineError::Validation`] for a life out of range or an id that another
/// waitpoint has.
pub fn create_waitpoint(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &CreateWaitpoint,
    kids: &[Arc<str>],
    now: TimestampMs,
) -> Result<Decision<TokenParts>, EngineError> {
    request.validate()?;
    held(record, fence, now)?;
    match record.run.waits().waitpoint(request.waitpoint_id) {
        Some(known) if known.key != request.key => return Err(id_taken()),
        Some(known) if !known.is_open(now) => {
            return Ok(Decision::Keep(known.parts(fence.execution)));
        }
        _ => {}
    }
    let mut next = record.run.clone();
    let waits = next.waits_mut();
    let expires_in = request.expires_in;
    let (waitpoint, changed) =
        open_or_new(waits, request.waitpoint_id, &request.key, expires_in, kids, now)?;
    let parts = waitpoint.parts(fence.execution);
    Ok(if changed { Decision::apply(next, parts) } else { Decision::Keep(parts) })
}

/// The open waitpoint of this key, or else a new one, and whether anything was written.
pub(super) fn open_or_new<'w>(
    waits: &'w mut Waits,
    id: WaitpointId,
    key: &WaitpointKey,
    expires_in: Duration,
    kids: &[Arc<str>],
    now: TimestampMs,
) -> Result<(&'w mut Waitpoint, bool), EngineError> {
    if let Some(at) = waits.waitpoints.iter().position(|w| w.key == *key && w.is_open(now)) {
        let open = &mut waits.waitpoints[at];
        let changed = open.sign_anew_if_void(kids);
        return Ok((open, changed));
    }
    if waits.waitpoint(id).is_some() {
        return Err(id_taken());
    }
    waits.close_expired(WaitpointState::Pending, now);
    if waits.waitpoints.len() >= limits::WAITPOINTS_REMEMBERED_MAX {
        let oldest = waits.waitpoints.iter().position(|w| w.state == WaitpointState::Closed);
        match oldest {
            Some(oldest) => drop(waits.waitpoints.remove(oldest)),
            None => at_most("waitpoints", waits.waitpoints.len() + 1, limits::WAITPOINTS_OPEN_MAX)?,
        }
    }
    waits.waitpoints.push(Waitpoint {
        id,
        key: key.clone(),
        kid: kids.first().cloned().unwrap_or_default(),
        state: WaitpointState::Pending,
        created_at: now,
        expires_at: now.saturating_add(Duration::from_millis(millis(expires_in))),
        matcher: None,
        suspended_by: None,
        closed_by: None,
        kept: Vec::new(),
        seen: Vec::new(),
    });
    let last = waits.waitpoints.len() - 1;
    Ok((&mut waits.waitpoints[last], true))
}

fn id_taken() -> EngineError {
    EngineError::validation("waitpoint_id", "is the id of another waitpoint")
}

/// Decides the closing of a waitpoint by the holder.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::NotFound`] for a waitpoint
/// that the execution does not know.
pub fn close_waitpoint(
    record: &ExecutionRecord,
    fence: &Fence,
    id: WaitpointId,
    now: TimestampMs,
) -> Result<Decision<CloseOutcome>, EngineError> {
    held(record, fence, now)?;
    let known = record.run.waits().waitpoint(id).ok_or_else(EngineError::waitpoint_not_found)?;
    if known.closed_by == Some(fence.epoch) {
        return Ok(Decision::Keep(CloseOutcome::Closed));
    }
    if !known.is_open(now) {
        return Ok(Decision::Keep(CloseOutcome::AlreadyClosed));
    }
    let mut next = record.run.clone();
    if let Some(waitpoint) = next.waits_mut().waitpoint_mut(id) {
        waitpoint.close();
        waitpoint.closed_by = Some(fence.epoch);
    }
    Ok(Decision::apply(next, CloseOutcome::Closed))
}

/// Decides the closing of a waitpoint by an operator. When the condition of a suspension can then
/// no longer hold, what the suspend says of its timeout happens at once.
///
/// # Errors
/// [`EngineError::NotFound`] for a waitpoint that the execution does not know.
pub fn withdraw_waitpoint(
    record: &ExecutionRecord,
    request: &WithdrawWaitpoint,
    now: TimestampMs,
) -> Result<Decision<CloseOutcome>, EngineError> {
    let run = &record.run;
    let own = |outcome| (outcome == OperatorOutcome::Withdrawn).then_some(());
    if run.done_by(request.request_id, own).is_some() {
        return Ok(Decision::Keep(CloseOutcome::Closed));
    }
    let id = request.waitpoint_id;
    let known = run.waits().waitpoint(id).ok_or_else(EngineError::waitpoint_not_found)?;
    if !known.is_open(now) {
        return Ok(Decision::Keep(CloseOutcome::AlreadyClosed));
    }
    let mut next = run.clone();
    if let Some(waitpoint) = next.waits_mut().waitpoint_mut(id) {
        waitpoint.close();
    }
    give_up_if_impossible(&mut next, now, now);
    let outcome = OperatorOutcome::Withdrawn;
    next.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Decision::apply(next, CloseOutcome::Closed))
}
