//! The verbs of flows.

use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{
    self, CancelledFlow, ExecutionRecord, Link, NewFlow, Starter, SubmitFlowDecision,
};
use ff_engine::{
    CancelFlow, CancelFlowOutcome, EngineError, ExtendFlow, ExtendOutcome, Fence, FlowCursor,
    FlowEdgeView, FlowNodeView, FlowOps, FlowPage, FlowParent, FlowSpec, FlowSummary, FlowView,
    GraphPage, ListFlows, ReadGraph, SubmittedFlow, UpstreamPage, UpstreamRequest, UpstreamResult,
};
use ff_types::backend::{BackendTag, CancelFlowWait};
use ff_types::{FlowId, NodeKey, limits};

use super::within;
use crate::MemBackend;
use crate::store::Store;

#[async_trait]
impl FlowOps for MemBackend {
    async fn submit_flow(&self, spec: &FlowSpec) -> Result<SubmittedFlow, EngineError> {
        let mut store = self.store();
        let same_id = store.flows.get(spec.id());
        let starter_of = |parent: &_| self.starter(&store, parent);
        match machine::submit_flow(spec, same_id, starter_of, &*store, self.now())? {
            SubmitFlowDecision::Create(new) => {
                let NewFlow { flow, members, parent } = *new;
                store.insert_flow(flow, members);
                if let Some((parent, next)) = parent {
                    store.replace(Verb::SubmitFlow, parent, next);
                }
                Ok(SubmittedFlow::new(spec.id()))
            }
            SubmitFlowDecision::Keep(submitted) => Ok(submitted),
        }
    }

    async fn extend_flow(&self, request: &ExtendFlow) -> Result<ExtendOutcome, EngineError> {
        let mut store = self.store();
        let has_ended = |key: &NodeKey| store.has_ended(request.flow_id(), key);
        let request = self.inner.distortion.extending(request, has_ended);
        machine::extend_flow(&mut *store, &request, self.now())
    }

    async fn cancel_flow(&self, request: &CancelFlow) -> Result<CancelFlowOutcome, EngineError> {
        let (id, mut end) = {
            let mut store = self.store();
            match machine::cancel_flow(&mut *store, request, self.now())? {
                CancelledFlow::AlreadyEnded(state) => {
                    return Ok(CancelFlowOutcome::AlreadyEnded(state));
                }
                CancelledFlow::Cancelled => {}
            }
            let (id, open) = (request.flow_id, open_members(&store, request.flow_id));
            if open == 0 || request.wait == CancelFlowWait::NoWait {
                return Ok(CancelFlowOutcome::Cancelled { open });
            }
            (id, store.flows.wait(id))
        };
        let at_most = match request.wait {
            CancelFlowWait::WaitTimeout(at_most) => at_most,
            _ => Duration::MAX,
        };
        let mut over = self.inner.clock.sleep(at_most);
        within(&mut end, over.as_mut()).await;
        Ok(CancelFlowOutcome::Cancelled { open: open_members(&self.store(), id) })
    }

    async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError> {
        let store = self.store();
        let flow = store.flow_record(id)?;
        let nodes: Vec<_> = store.members(flow).filter_map(FlowNodeView::of).collect();
        Ok(FlowView::of(flow, &nodes))
    }

    async fn read_graph(&self, request: &ReadGraph) -> Result<GraphPage, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let flow = store.flow_record(request.flow_id)?;
        let first = request.from as usize;
        let nodes: Vec<_> =
            store.members(flow).skip(first).take(page_size).filter_map(FlowNodeView::of).collect();
        let outgoing = |node: &FlowNodeView| {
            let from = node.index;
            let edge = move |link: &Link| FlowEdgeView::new(from, link.node, link.condition);
            flow.nodes[from as usize].children.iter().map(edge)
        };
        let edges = nodes.iter().flat_map(outgoing).collect();
        let next = nodes.last().map(|node| node.index + 1);
        let next = next.filter(|next| (*next as usize) < flow.nodes.len());
        Ok(GraphPage::new(flow.run.revision, nodes, edges, next))
    }

    async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let after = |cursor: FlowCursor| Bound::Excluded(cursor.position());
        let start = request.cursor.map_or(Bound::Unbounded, after);
        let mut rest = store.flows.range((start, Bound::Unbounded));
        let mut items = Vec::new();
        let mut last = None;
        for flow in rest.by_ref().take(limits::LIST_EXAMINED_MAX) {
            last = Some(FlowCursor::after(flow.id));
            if request.wants(flow) {
                items.push(FlowSummary::of(flow));
            }
            if items.len() == page_size {
                break;
            }
        }
        Ok(FlowPage::new(items, rest.next().and(last)))
    }

    async fn upstream_results(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let Some(node) = store.record(request.execution_id)?.node.as_deref() else {
            return Ok(UpstreamPage::new(Vec::new(), None));
        };
        let flow = store.flow_record(node.flow)?;
        let parents = flow.nodes[node.index as usize].parents.iter();
        let parents = parents.skip(request.from as usize).filter_map(|link| {
            let index = u16::try_from(link.node).ok()?;
            store.records.get(&flow.id.member(index))
        });
        Ok(upstream(parents.map(Box::as_ref), request.from, page_size))
    }
}

/// A page of what `parents` gave, of which the first has the place `from`.
fn upstream<'s>(
    parents: impl Iterator<Item = &'s ExecutionRecord>,
    from: u32,
    page_size: usize,
) -> UpstreamPage {
    let mut items = Vec::new();
    let mut bytes = 0;
    for (record, place) in parents.zip(from..) {
        let result = record.run.result.clone();
        let size = result.as_ref().map_or(0, |payload| payload.bytes().len());
        let is_full = bytes + size > limits::UPSTREAM_PAGE_MAX_BYTES && !items.is_empty();
        if items.len() == page_size || is_full {
            return UpstreamPage::new(items, Some(place));
        }
        bytes += size;
        let Some(node) = record.node.as_deref() else { continue };
        let (id, outcome) = (record.submission.id(), record.run.state.outcome());
        items.push(UpstreamResult::new(node.key.clone(), id, outcome, result));
    }
    UpstreamPage::new(items, None)
}

/// How many members of a flow have not ended; none of one that is gone.
fn open_members(store: &Store, id: FlowId) -> u32 {
    store.flows.get(id).map_or(0, |flow| flow.run.open)
}

impl MemBackend {
    /// The execution that starts a flow.
    fn starter<'s>(
        &self,
        store: &'s Store,
        parent: &FlowParent,
    ) -> Result<Starter<'s>, EngineError> {
        let fence = Fence::of(&parent.handle, BackendTag::Mem)?;
        if fence.execution != parent.execution_id {
            return Err(EngineError::validation("parent", "has the handle of another execution"));
        }
        let record = store.record(fence.execution)?;
        let (fence, _) = self.inner.distortion.fence(record, fence, self.now());
        let own = record.node.as_deref().and_then(|node| store.flows.get(node.flow));
        Ok(Starter { record, fence, depth: own.map(|flow| flow.depth) })
    }
}
