//! Convenience over a backend, for every backend.

use async_trait::async_trait;
use ff_types::backend::{AppendFrameOutcome, Frame, Handle, ScannerFilter};
use ff_types::{FlowId, TerminalOutcome, limits};

use crate::error::{EngineError, StateKind};
use crate::ids::IdSource;
use crate::requests::{
    ExecutionSummary, GraphPage, ListRequest, ReadGraph, ReplayExecution, TickOutcome, TickRequest,
};
use crate::roles::{AttemptOps, FlowOps, OperatorOps, ReadOps, TimerOps};

/// Calls that repeat a verb until it has nothing more to say, or make one of its many.
#[async_trait]
pub trait EngineBackendExt: AttemptOps + ReadOps + TimerOps + FlowOps + OperatorOps {
    /// Appends one frame.
    ///
    /// # Errors
    /// Those of [`AttemptOps::append_frames`].
    async fn append_frame(
        &self,
        handle: &Handle,
        frame: &Frame,
    ) -> Result<AppendFrameOutcome, EngineError> {
        let mut outcomes = self.append_frames(handle, std::slice::from_ref(frame)).await?;
        outcomes.pop().ok_or(EngineError::Corrupt { what: "the answer to an append".to_owned() })
    }

    /// Ticks until a call finds nothing due, and answers the sum of what was done.
    async fn tick_until_quiet(&self, filter: &ScannerFilter) -> Result<TickOutcome, EngineError> {
        let mut total = TickOutcome::default();
        loop {
            let one = self.tick(&TickRequest::all().with_filter(filter.clone())).await?;
            total.delays_over += one.delays_over;
            total.leases_lost += one.leases_lost;
            total.attempts_timed_out += one.attempts_timed_out;
            total.expired += one.expired;
            total.waits_timed_out += one.waits_timed_out;
            total.waitpoints_expired += one.waitpoints_expired;
            total.grants_returned += one.grants_returned;
            total.removed += one.removed;
            total.flows_expired += one.flows_expired;
            total.flows_removed += one.flows_removed;
            total.flows_advanced += one.flows_advanced;
            total.budgets_looked_at += one.budgets_looked_at;
            total.lanes_looked_at += one.lanes_looked_at;
            total.next_due = one.next_due;
            if one.handled() == 0 {
                return Ok(total);
            }
        }
    }

    /// Replays every member of a flow that failed, expired or was cancelled, those first that others
    /// depend on. Answers how many that were. Members whose parents do not let them run stay as they are.
    ///
    /// It is many calls: when one fails, make it again; what was replayed stays so.
    ///
    /// # Errors
    /// Those of [`OperatorOps::replay`] and [`FlowOps::read_graph`].
    async fn replay_failed(&self, flow: FlowId, ids: &IdSource) -> Result<u32, EngineError> {
        let mut replayed = 0;
        loop {
            let before = replayed;
            for node in self.whole_graph(flow).await?.nodes {
                if !node.state.outcome().is_some_and(TerminalOutcome::is_failure) {
                    continue;
                }
                let request = ReplayExecution::new(ids.request_id(), node.execution_id);
                match self.replay(&request).await {
                    Ok(_) => replayed += 1,
                    Err(EngineError::State { kind: StateKind::DependenciesUnmet, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if replayed == before {
                return Ok(replayed);
            }
        }
    }

    /// All nodes and edges of a flow.
    ///
    /// # Errors
    /// Those of [`FlowOps::read_graph`].
    async fn whole_graph(&self, flow: FlowId) -> Result<GraphPage, EngineError> {
        let mut request = ReadGraph::new(flow).with_limit(limits::LIST_LIMIT_MAX);
        let mut whole = self.read_graph(&request).await?;
        while let Some(next) = whole.next {
            request = request.with_from(next);
            let page = self.read_graph(&request).await?;
            whole.nodes.extend(page.nodes);
            whole.edges.extend(page.edges);
            whole.next = page.next;
        }
        Ok(whole)
    }

    /// Follows the pages of a listing to its end, or until `at_most` items are there.
    async fn list_all(
        &self,
        mut request: ListRequest,
        at_most: usize,
    ) -> Result<Vec<ExecutionSummary>, EngineError> {
        let mut items = Vec::new();
        loop {
            let page = self.list_executions(&request).await?;
            items.extend(page.items);
            match page.next {
                Some(next) if items.len() < at_most => request.cursor = Some(next),
                _ => break,
            }
        }
        items.truncate(at_most);
        Ok(items)
    }
}

impl<B: AttemptOps + ReadOps + TimerOps + FlowOps + OperatorOps + ?Sized> EngineBackendExt for B {}
