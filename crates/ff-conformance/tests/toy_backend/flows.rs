//! Flows: a table more, and a look at what each end of a member means.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{
    self, CancelledFlow, ExecutionRecord, FlowDue, FlowRecord, FlowTables, NewFlow, RunState,
    Starter, SubmitFlowDecision,
};
use ff_engine::{
    CancelFlow, CancelFlowOutcome, CancelView, EngineError, ExtendFlow, ExtendOutcome, Fence,
    FlowCursor, FlowEdgeView, FlowNodeView, FlowOps, FlowPage, FlowParent, FlowSpec, FlowSummary,
    FlowView, GraphPage, ListFlows, ReadGraph, SubmittedFlow, TickOutcome, UpstreamPage,
    UpstreamRequest, UpstreamResult,
};
use ff_types::backend::CancelFlowWait;
use ff_types::{ExecutionId, FlowId, TimestampMs, limits};

use crate::toy::{TAG, Table, Toy};

// region: flows
impl FlowTables for Table {
    fn flow(&self, id: FlowId) -> Option<&FlowRecord> {
        self.flows.get(&id)
    }

    fn flow_mut(&mut self, id: FlowId) -> Option<&mut FlowRecord> {
        self.flows.get_mut(&id)
    }

    fn flow_changed(&mut self, _: FlowId) {}

    fn flow_ended(&mut self, id: FlowId, last: ExecutionId) {
        if let Some(flow) = self.flows.get(&id) {
            self.log.flow_ended(flow, last);
        }
    }

    fn member(&self, id: ExecutionId) -> Option<&ExecutionRecord> {
        self.rows.get(&id)
    }

    fn insert(&mut self, member: Box<ExecutionRecord>) {
        self.add(*member);
    }

    fn put(&mut self, _: Verb, id: ExecutionId, next: RunState, now: TimestampMs) {
        let Some(earlier) = self.rows.get(&id).map(|row| row.run.clone()) else { return };
        self.replace(id, next);
        self.settle_budgets(id, &earlier, now);
        self.settle_lane(id, &earlier);
    }

    fn set_flow_cancel(&mut self, id: ExecutionId, cancel: Option<Arc<CancelView>>) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.flow_cancel = cancel;
        }
    }
}

impl Table {
    /// Stores what was decided over a row, and does what that means for its flow.
    pub(crate) fn apply(&mut self, id: ExecutionId, next: RunState, now: TimestampMs) {
        let Some(row) = self.rows.get(&id) else { return };
        let (earlier, after) = (row.run.clone(), next.state.outcome());
        self.replace(id, next);
        self.settle_budgets(id, &earlier, now);
        self.settle_lane(id, &earlier);
        match (earlier.state.outcome(), after) {
            (None, Some(_)) => {
                machine::execution_ended(self, id, &earlier, now);
                self.occurrence_ended(id, now);
            }
            (Some(end), None) => {
                machine::member_reopened(self, id, end, earlier.unhandled, now);
            }
            _ => {}
        }
    }

    fn replace(&mut self, id: ExecutionId, next: RunState) {
        self.unqueue(id);
        if let Some(row) = self.rows.get_mut(&id) {
            let was_over = row.run.state.is_terminal();
            row.run = next;
            if row.run.state.is_terminal() {
                row.reports = None;
            }
            if !was_over {
                self.log.execution_ended(row);
            }
            self.tell(id);
        }
        self.queue(id);
    }
}
// endregion

impl Table {
    /// The execution that starts a flow.
    fn starter(&self, parent: &FlowParent) -> Result<Starter<'_>, EngineError> {
        let fence = Fence::of(&parent.handle, TAG)?;
        let missing = || EngineError::execution_not_found(fence.execution);
        let record = self.rows.get(&fence.execution).ok_or_else(missing)?;
        let own = record.node.as_deref().and_then(|node| self.flows.get(&node.flow));
        Ok(Starter { record, fence, depth: own.map(|flow| flow.depth) })
    }

    /// Does what is due of a flow.
    pub(crate) fn tick_flow(&mut self, id: FlowId, outcome: &mut TickOutcome, now: TimestampMs) {
        match machine::flow_tick(self, id, now) {
            Some(FlowDue::Expired) => outcome.flows_expired += 1,
            Some(FlowDue::Remove) => {
                self.flows.remove(&id);
                self.rows.retain(|_, row| row.node.as_deref().is_none_or(|node| node.flow != id));
                outcome.flows_removed += 1;
            }
            None => {}
        }
    }

    fn open_members(&self, id: FlowId) -> u32 {
        self.flows.get(&id).map_or(0, |flow| flow.run.open)
    }

    fn known_flow(&self, id: FlowId) -> Result<&FlowRecord, EngineError> {
        self.flows.get(&id).ok_or_else(|| EngineError::flow_not_found(id))
    }

    /// The nodes of a flow, in the order of their indexes, which is that of their ids.
    fn nodes(&self, id: FlowId) -> impl Iterator<Item = FlowNodeView> {
        let members = self
            .rows
            .values()
            .filter(move |row| row.node.as_deref().is_some_and(|node| node.flow == id));
        members.filter_map(FlowNodeView::of)
    }
}

#[async_trait]
impl FlowOps for Toy {
    async fn submit_flow(&self, spec: &FlowSpec) -> Result<SubmittedFlow, EngineError> {
        let mut table = self.table();
        let same_id = table.flows.get(&spec.id());
        let starter_of = |parent: &_| table.starter(parent);
        match machine::submit_flow(spec, same_id, starter_of, &*table, self.clock.now())? {
            SubmitFlowDecision::Keep(submitted) => Ok(submitted),
            SubmitFlowDecision::Create(new) => {
                let NewFlow { flow, members, parent } = *new;
                table.flows.insert(spec.id(), *flow);
                for member in members {
                    table.insert(member);
                }
                if let Some((parent, next)) = parent {
                    table.replace(parent, next);
                }
                self.changed.notify_waiters();
                Ok(SubmittedFlow::new(spec.id()))
            }
        }
    }

    async fn extend_flow(&self, request: &ExtendFlow) -> Result<ExtendOutcome, EngineError> {
        let extended = machine::extend_flow(&mut *self.table(), request, self.clock.now());
        self.changed.notify_waiters();
        extended
    }

    async fn cancel_flow(&self, request: &CancelFlow) -> Result<CancelFlowOutcome, EngineError> {
        let mut over = self.clock.sleep(match request.wait {
            CancelFlowWait::NoWait => Duration::ZERO,
            CancelFlowWait::WaitTimeout(at_most) => at_most,
            _ => Duration::MAX,
        });
        let cancelled = machine::cancel_flow(&mut *self.table(), request, self.clock.now())?;
        if let CancelledFlow::AlreadyEnded(state) = cancelled {
            return Ok(CancelFlowOutcome::AlreadyEnded(state));
        }
        self.changed.notify_waiters();
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.table().open_members(request.flow_id) == 0 {
                break;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = &mut over => break,
            }
        }
        let open = self.table().open_members(request.flow_id);
        Ok(CancelFlowOutcome::Cancelled { open })
    }

    async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError> {
        let table = self.table();
        let nodes: Vec<_> = table.nodes(id).collect();
        Ok(FlowView::of(table.known_flow(id)?, &nodes))
    }

    async fn read_graph(&self, request: &ReadGraph) -> Result<GraphPage, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let flow = table.known_flow(request.flow_id)?;
        let nodes = table.nodes(flow.id).skip(request.from as usize).take(page_size);
        let nodes: Vec<_> = nodes.collect();
        let outgoing = |node: &FlowNodeView| {
            let (from, links) = (node.index, &flow.nodes[node.index as usize]);
            let edges = links.children.iter();
            edges.map(move |link| FlowEdgeView::new(from, link.node, link.condition))
        };
        let edges = nodes.iter().flat_map(outgoing).collect();
        let next = nodes.last().map(|node| node.index + 1);
        let next = next.filter(|next| (*next as usize) < flow.nodes.len());
        Ok(GraphPage::new(flow.run.revision, nodes, edges, next))
    }

    async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let start = request.cursor.map_or(Bound::Unbounded, |at| Bound::Excluded(at.position()));
        let wanted = table.flows.range((start, Bound::Unbounded));
        let mut wanted = wanted.map(|(_, flow)| flow).filter(|flow| request.wants(flow));
        let items: Vec<_> = wanted.by_ref().take(page_size).map(FlowSummary::of).collect();
        let last = items.last().map(|item| FlowCursor::after(item.flow_id));
        Ok(FlowPage::new(items, wanted.next().and(last)))
    }

    async fn upstream_results(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let id = request.execution_id;
        let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
        let Some(node) = row.node.as_deref() else {
            return Ok(UpstreamPage::new(Vec::new(), None));
        };
        let flow = table.known_flow(node.flow)?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        let parents = flow.nodes[node.index as usize].parents.iter().zip(0..);
        for (link, place) in parents.skip(request.from as usize) {
            let parent = table.rows.get(&flow.id.member(u16::try_from(link.node).unwrap_or(0)));
            let Some((parent, node)) = parent.and_then(|row| Some((row, row.node.as_deref()?)))
            else {
                continue;
            };
            let result = parent.run.result.clone();
            bytes += result.as_ref().map_or(0, |payload| payload.bytes().len());
            let full = bytes > limits::UPSTREAM_PAGE_MAX_BYTES && !items.is_empty();
            if full || items.len() == page_size {
                return Ok(UpstreamPage::new(items, Some(place)));
            }
            let (key, id) = (node.key.clone(), parent.submission.id());
            items.push(UpstreamResult::new(key, id, parent.run.state.outcome(), result));
        }
        Ok(UpstreamPage::new(items, None))
    }
}
