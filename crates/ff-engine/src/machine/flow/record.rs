//! What is known of a flow.

use std::sync::Arc;
use std::time::Duration;

use ff_types::{
    BudgetId, EdgeCondition, ExecutionId, FlowId, FlowPolicy, FlowState, JoinPolicy, JoinRest,
    NodeKey, RequestId, Tags, TimestampMs,
};

use crate::machine::recent::Recent;
use crate::requests::{CancelCause, CancelView, FlowCancelView, millis};

/// What makes an execution a member of a flow. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The flow.
    pub flow: FlowId,
    /// Unique in the flow.
    pub key: NodeKey,
    /// Its place among the nodes; the execution is [`FlowId::member`] of it.
    pub index: u32,
    /// How many of its edges have to be satisfied.
    pub join: JoinPolicy,
    /// What happens to its other parents then.
    pub rest: JoinRest,
}

/// One flow as a backend stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRecord {
    /// Its id.
    pub id: FlowId,
    /// Digest of what was submitted; tells a repeat from a clash of ids.
    pub fingerprint: u64,
    /// What the failure of one node means for the others.
    pub policy: FlowPolicy,
    /// How long it is kept after its end.
    pub retention: Duration,
    /// Its labels.
    pub tags: Tags,
    /// When it was submitted, by the store's clock.
    pub submitted_at: TimestampMs,
    /// The execution that started it, if one did.
    pub parent: Option<ExecutionId>,
    /// How many flows it lies within.
    pub depth: u32,
    /// The budgets that every node draws on, also one that comes later.
    pub budgets: Vec<BudgetId>,
    /// The edges of each node.
    pub nodes: Vec<Links>,
    /// What changes.
    pub run: FlowRun,
}

/// The edges of one node, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// Those that lead into it.
    pub parents: Vec<Link>,
    /// Those that lead out of it.
    pub children: Vec<Link>,
}

/// The other end of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The index of the node there.
    pub node: u32,
    /// Which end of the parent satisfies the edge.
    pub condition: EdgeCondition,
}

/// The part of a flow that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRun {
    /// Where it stands.
    pub state: FlowState,
    /// Rises with every extension.
    pub revision: u64,
    /// How many edges it has.
    pub edges: u32,
    /// How many members have not ended.
    pub open: u32,
    /// How many members failed and no node took that.
    pub unhandled: u32,
    /// By when it must have ended.
    pub deadline: Option<TimestampMs>,
    /// Its cancellation.
    pub cancel: Option<Arc<FlowCancelView>>,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// The latest requests that changed it.
    pub marks: Recent<FlowMark>,
}

/// A request that changed a flow, for a repeat of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowMark {
    /// `extend_flow`, and the revision that came of it.
    Extended(RequestId, u64),
    /// `cancel_flow`.
    Cancelled(RequestId),
}

impl FlowRun {
    /// How the flow ends once its members have.
    pub(super) fn outcome(&self) -> FlowState {
        match self.cancel.as_deref().map(|cancel| cancel.cause) {
            Some(CancelCause::Requested) => FlowState::Cancelled,
            Some(_) => FlowState::Failed,
            None if self.unhandled > 0 => FlowState::Failed,
            None => FlowState::Completed,
        }
    }

    /// The cancellation as members show it.
    pub fn member_cancel(&self) -> Option<Arc<CancelView>> {
        let cancel = self.cancel.as_deref()?;
        Some(Arc::new(CancelView::new(cancel.reason.clone(), cancel.requested_at)))
    }
}

impl FlowRecord {
    /// When time alone changes the flow.
    pub fn due(&self) -> Option<TimestampMs> {
        use ff_types::backend::CancelFlowPolicy::CancelAll;

        let run = &self.run;
        if let Some(at) = run.ended_at {
            return Some(at.saturating_add(Duration::from_millis(millis(self.retention))));
        }
        let cancel = run.cancel.as_deref();
        run.deadline.filter(|_| cancel.is_none_or(|cancel| cancel.policy != CancelAll))
    }

    /// A member has ended, or was reopened.
    pub(super) const fn count(&mut self, ended: bool) {
        if ended {
            self.run.open -= 1;
        } else {
            self.run.open += 1;
        }
    }
}
