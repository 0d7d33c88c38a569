//! `cancel_flow`.

use ff_types::backend::CancelFlowPolicy;
use ff_types::{FlowState, TimestampMs};

use super::propagate::{FlowTables, Propagation};
use super::record::{FlowMark, FlowRecord};
use crate::error::EngineError;
use crate::requests::{CancelCause, CancelFlow};

/// What a cancellation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledFlow {
    /// It stands cancelled.
    Cancelled,
    /// It had ended before.
    AlreadyEnded(FlowState),
}

/// Cancels a flow. Whether the caller waits for the members is the store's concern.
///
/// # Errors
/// [`EngineError::NotFound`], [`EngineError::LimitExceeded`].
pub fn cancel_flow(
    tables: &mut impl FlowTables,
    request: &CancelFlow,
    now: TimestampMs,
) -> Result<CancelledFlow, EngineError> {
    request.validate()?;
    let id = request.flow_id;
    let flow = tables.flow(id).ok_or_else(|| EngineError::flow_not_found(id))?;
    if was_done(flow, request) {
        return Ok(CancelledFlow::Cancelled);
    }
    if flow.run.state.is_terminal() {
        return Ok(CancelledFlow::AlreadyEnded(flow.run.state));
    }
    let reached = flow.run.cancel.as_deref().map(|cancel| reach(cancel.policy));
    let mut work = Propagation::of(tables, id, now);
    work.flow_mut().run.marks.push(FlowMark::Cancelled(request.request_id));
    if reached.is_none_or(|before| before < reach(request.policy)) {
        work.cancel(CancelCause::Requested, request.policy, request.reason.clone());
    }
    work.run();
    Ok(CancelledFlow::Cancelled)
}

fn was_done(flow: &FlowRecord, request: &CancelFlow) -> bool {
    flow.run.marks.iter().any(|mark| *mark == FlowMark::Cancelled(request.request_id))
}

/// How far a policy goes.
const fn reach(policy: CancelFlowPolicy) -> u8 {
    match policy {
        CancelFlowPolicy::CancelAll => 2,
        CancelFlowPolicy::CancelPending => 1,
        _ => 0,
    }
}
