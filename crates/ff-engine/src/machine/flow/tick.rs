//! What time alone does to a flow.

use ff_types::backend::CancelFlowPolicy;
use ff_types::{FlowId, TimestampMs};

use super::propagate::{FlowTables, Propagation};
use super::record::FlowRecord;
use crate::requests::CancelCause;

/// What came due of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowDue {
    /// The retention has passed: remove it and all its members.
    Remove,
    /// The deadline has passed.
    Expired,
}

/// What is due of a flow at `now`.
pub fn flow_due(flow: &FlowRecord, now: TimestampMs) -> Option<FlowDue> {
    flow.due().filter(|at| *at <= now)?;
    Some(if flow.run.ended_at.is_some() { FlowDue::Remove } else { FlowDue::Expired })
}

/// Does what is due of a flow, unless that is its removal, which is the store's.
pub fn flow_tick(tables: &mut impl FlowTables, id: FlowId, now: TimestampMs) -> Option<FlowDue> {
    let due = flow_due(tables.flow(id)?, now)?;
    if due == FlowDue::Expired {
        let mut work = Propagation::of(tables, id, now);
        let reason = "the flow missed its deadline".to_owned();
        work.cancel(CancelCause::Deadline, CancelFlowPolicy::CancelAll, reason);
        work.run();
    }
    Some(due)
}
