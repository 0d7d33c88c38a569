//! Child flows: an execution starts one, may wait for it with nothing held, and takes it along when it
//! ends without success.

use std::collections::BTreeSet;
use std::sync::Arc;

use ff_types::backend::CancelFlowPolicy;
use ff_types::{ExecutionId, ExecutionState, FlowId, TerminalOutcome, TimestampMs, limits};

use super::propagate::{FlowTables, Propagation};
use super::record::FlowRecord;
use crate::call_digest;
use crate::error::{EngineError, Released, StateKind};
use crate::fence::Fence;
use crate::machine::decision::Decision;
use crate::machine::fence_check::{held, held_or_repeated};
use crate::machine::lifecycle::Verb;
use crate::machine::record::{Entry, ExecutionRecord, LeaseEnd, ReleaseCall, RunState};
use crate::requests::{CancelCause, WaitChildren, WaitChildrenOutcome, at_most};

/// Decides whether a running execution may start one more flow, given how deep the flow lies that it
/// belongs to. Answers its run state with the flow, and how deep that lies.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for too many open
/// child flows, or too deep a one.
pub(super) fn start_child(
    record: &ExecutionRecord,
    fence: &Fence,
    flow: FlowId,
    own_depth: Option<u32>,
    now: TimestampMs,
) -> Result<(RunState, u32), EngineError> {
    held(record, fence, now)?;
    if record.run.cancel.is_some() {
        return Err(EngineError::state(StateKind::CancelRequested, fence.execution));
    }
    let depth = own_depth.map_or(1, |depth| depth + 1);
    if depth > limits::FLOW_DEPTH_MAX {
        return Err(EngineError::LimitExceeded {
            field: "flow_depth".into(),
            limit: limits::FLOW_DEPTH_MAX.into(),
            actual: depth.into(),
        });
    }
    let mut next = record.run.clone();
    add_child(&mut next, flow)?;
    Ok((next, depth))
}

/// Adds an open child flow; of those that a replay opened again there may be more than are started.
fn add_child(next: &mut RunState, flow: FlowId) -> Result<(), EngineError> {
    let mut flows = next.child_flows.take().map_or_else(BTreeSet::new, Arc::unwrap_or_clone);
    if flows.insert(flow) {
        at_most("child_flows", flows.len(), limits::CHILD_FLOWS_OPEN_MAX)?;
    }
    next.child_flows = Some(Arc::new(flows));
    Ok(())
}

/// Decides `wait_children`, given the flow.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live or a cancellation is pending;
/// [`EngineError::NotFound`] for a flow that this execution has not started.
pub fn wait_children(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &WaitChildren,
    flow: Option<&FlowRecord>,
    now: TimestampMs,
) -> Result<Decision<WaitChildrenOutcome>, EngineError> {
    request.validate()?;
    let digest = call_digest::of_wait_children(request);
    let call = ReleaseCall { verb: "wait_children", digest };
    if held_or_repeated(record, fence, call, now)?.is_some() {
        return Ok(Decision::Keep(WaitChildrenOutcome::Waiting));
    }
    if record.run.cancel.is_some() {
        return Err(EngineError::state(StateKind::CancelRequested, fence.execution));
    }
    let flow = flow
        .filter(|flow| flow.parent == Some(fence.execution))
        .ok_or_else(|| EngineError::flow_not_found(request.flow_id))?;
    if flow.run.state.is_terminal() {
        return Ok(Decision::Keep(WaitChildrenOutcome::AlreadyEnded(flow.run.state)));
    }
    let mut next = record.run.clone();
    next.save_along(request.state.as_ref());
    next.end_lease(LeaseEnd::Released { call, released: Released::WaitingChildren });
    next.state = ExecutionState::WaitingChildren;
    next.ready_at = now;
    next.waits_for = Some(flow.id);
    // A flow that was replayed after its end is not among the open ones any more.
    add_child(&mut next, flow.id)?;
    Ok(Decision::apply(next, WaitChildrenOutcome::Waiting))
}

/// The flow of a parent has ended: it is no open child flow any more, and who waits for it resumes.
pub(super) fn child_ended(
    tables: &mut impl FlowTables,
    parent: ExecutionId,
    flow: FlowId,
    now: TimestampMs,
) {
    let Some(record) = tables.member(parent) else { return };
    if !record.run.has_child_flow(flow) {
        return;
    }
    let mut next = record.run.clone();
    let mut flows = next.child_flows.take().map_or_else(BTreeSet::new, Arc::unwrap_or_clone);
    flows.remove(&flow);
    next.child_flows = (!flows.is_empty()).then(|| Arc::new(flows));
    if next.waits_for == Some(flow) {
        next.waits_for = None;
        next.await_turn(Entry::Reclaim, now);
    }
    tables.put(Verb::Promote, parent, next, now);
}

/// A flow that had ended is open again: so it is for the execution that started it, while that is.
pub(super) fn child_reopened(
    tables: &mut impl FlowTables,
    parent: ExecutionId,
    flow: FlowId,
    now: TimestampMs,
) {
    let Some(record) = tables.member(parent) else { return };
    if record.run.state.is_terminal() {
        return;
    }
    let mut next = record.run.clone();
    let mut flows = next.child_flows.take().map_or_else(BTreeSet::new, Arc::unwrap_or_clone);
    flows.insert(flow);
    next.child_flows = Some(Arc::new(flows));
    tables.put(Verb::Promote, parent, next, now);
}

/// Cancels flows whose parents have ended without success, one after the other, each with what hangs on
/// it in turn.
pub(super) fn cancel_orphans(tables: &mut impl FlowTables, orphans: Vec<FlowId>, now: TimestampMs) {
    for id in orphans {
        let Some(flow) = tables.flow(id) else { continue };
        let cancel = flow.run.cancel.as_deref();
        let goes_all_the_way =
            cancel.is_some_and(|cancel| cancel.policy == CancelFlowPolicy::CancelAll);
        if flow.run.state.is_terminal() || goes_all_the_way {
            continue;
        }
        let mut work = Propagation::of(tables, id, now);
        let reason = "the execution that started the flow has ended".to_owned();
        work.cancel(CancelCause::Requested, CancelFlowPolicy::CancelAll, reason);
        work.run();
    }
}

/// The open child flows of an execution that was as `before` and has ended like this, which end with it.
pub(super) fn orphans(before: &RunState, outcome: TerminalOutcome) -> Vec<FlowId> {
    if outcome == TerminalOutcome::Completed {
        return Vec::new();
    }
    before.child_flows.iter().flat_map(|flows| flows.iter().copied()).collect()
}
