//! Flows: handing in, extending, cancelling. A small flow is one call; the nodes of a larger one are
//! staged first, and what is left to do after a call is done by further ones.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ff_engine::machine::extended_before;
use ff_engine::{
    CancelFlow, CancelFlowOutcome, EngineError, ExtendFlow, ExtendOutcome, Fence, FlowNode,
    FlowOps, FlowPage, FlowParent, FlowSpec, FlowView, GraphPage, ListFlows, ReadGraph,
    SubmittedFlow, UpstreamPage, UpstreamRequest, check_graph,
};
use ff_types::backend::{BackendTag, CancelFlowPolicy, CancelFlowWait};
use ff_types::{ExecutionId, FlowId, FlowPolicy, TimestampMs, limits};

use super::at_most;
use super::bits;
use super::flow_graph::{Edges, edges_by_node};
use super::packed::Packed;
use super::submit::tag_lines;
use crate::ValkeyBackend;
use crate::call::BadReply;
use crate::calls;
use crate::failures::{bad_reply, refused_flow};
use crate::inner::Inner;

/// Most nodes of a flow that is staged in one call, which holds the server up.
const STAGED_PER_CALL: usize = 32;
/// Most bytes of nodes that one call carries.
const BYTES_PER_CALL: usize = 1024 * 1024;
/// How often staging starts anew when somebody else came between.
const STAGINGS_MAX: u32 = 3;
/// The longest wait for a message before the store is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

#[async_trait]
impl FlowOps for ValkeyBackend {
    async fn submit_flow(&self, spec: &FlowSpec) -> Result<SubmittedFlow, EngineError> {
        const OPERATION: &str = "submit_flow";
        spec.validate()?;
        let partition = self.inner.keyspace.of_flow(spec.id());
        self.inner.sharing(OPERATION, partition, || self.inner.hand_in(OPERATION, spec)).await
    }

    async fn extend_flow(&self, request: &ExtendFlow) -> Result<ExtendOutcome, EngineError> {
        const OPERATION: &str = "extend_flow";
        request.validate()?;
        let partition = self.inner.keyspace.of_flow(request.flow_id());
        self.inner.sharing(OPERATION, partition, || self.inner.add_to(OPERATION, request)).await
    }

    async fn cancel_flow(&self, request: &CancelFlow) -> Result<CancelFlowOutcome, EngineError> {
        const OPERATION: &str = "cancel_flow";
        request.validate()?;
        let flow = request.flow_id;
        let call = calls::CancelFlow {
            flow: flow.as_u128(),
            request: bits(request.request_id.to_bytes()),
            policy: match request.policy {
                CancelFlowPolicy::CancelAll => "a",
                CancelFlowPolicy::CancelPending => "p",
                _ => "o",
            },
            reason: &request.reason,
        };
        let answer = self.inner.about_flow(OPERATION, flow, call).await?;
        if let Some(state) = answer.outcome.strip_prefix("ended ") {
            let state = state.parse().map_err(|_| bad_reply(OPERATION, BadReply("state")))?;
            return Ok(CancelFlowOutcome::AlreadyEnded(state));
        }
        let mut open = answer.open;
        if !answer.left.is_empty() {
            self.inner.advance(OPERATION, &answer.left).await?;
            open = self.inner.open_members(OPERATION, flow).await?;
        }
        let wait = match request.wait {
            CancelFlowWait::WaitTimeout(wait) => Some(wait),
            CancelFlowWait::WaitIndefinite => Some(Duration::MAX),
            _ => None,
        };
        if let Some(wait) = wait.filter(|_| open > 0) {
            open = self.inner.await_flow(OPERATION, flow, wait).await?;
        }
        let open = u32::try_from(open).map_err(|_| bad_reply(OPERATION, BadReply("count")))?;
        Ok(CancelFlowOutcome::Cancelled { open })
    }

    async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError> {
        self.inner.describe_flow(id).await
    }

    async fn read_graph(&self, request: &ReadGraph) -> Result<GraphPage, EngineError> {
        let page_size = request.page_size()?;
        self.inner.graph(request.flow_id, request.from, page_size).await
    }

    async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        self.inner.list_flows(request).await
    }

    async fn upstream_results(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError> {
        self.inner.upstream(request).await
    }
}

/// The letter of the failure policy, and the budgets of the flow.
fn policy_text(spec: &FlowSpec) -> String {
    let letter = match spec.policy {
        FlowPolicy::Isolate => "i",
        FlowPolicy::FailFast => "f",
    };
    let budgets = spec.budgets().iter().map(ToString::to_string);
    iter::once(letter.to_owned()).chain(budgets).collect()
}

/// The lease of the execution that starts a flow.
fn starter(parent: &FlowParent) -> Result<Fence, EngineError> {
    let fence = Fence::of(&parent.handle, BackendTag::Valkey)?;
    if fence.execution == parent.execution_id {
        return Ok(fence);
    }
    Err(EngineError::validation("parent", "has the handle of another execution"))
}

/// Whose nodes are staged.
struct Stager<'s> {
    operation: &'static str,
    flow: FlowId,
    /// Of a new flow; empty for an extension.
    fingerprint: &'s str,
    by: &'s str,
    /// The index of the first node.
    first: u32,
}

impl Inner {
    /// Hands in a flow whose budgets all have a share where it lies.
    async fn hand_in(
        &self,
        operation: &'static str,
        spec: &FlowSpec,
    ) -> Result<SubmittedFlow, EngineError> {
        let starter = spec.parent().map(starter).transpose()?;
        let edges = edges_by_node(spec.nodes().iter().map(|node| &node.key), spec.edges());
        let fingerprint = format!("{:016x}", spec.fingerprint());
        let stager = Stager {
            operation,
            flow: spec.id(),
            fingerprint: &fingerprint,
            by: &fingerprint,
            first: 0,
        };
        let nodes = self.one_step(&stager, spec.nodes(), &edges).await?;
        let call = calls::SubmitFlow {
            flow: spec.id().as_u128(),
            fingerprint: &fingerprint,
            policy: &policy_text(spec),
            retention: u64::try_from(spec.retention.as_millis()).unwrap_or(u64::MAX),
            deadline: &spec.deadline.map_or_else(String::new, |at: TimestampMs| at.to_string()),
            tags: &tag_lines(&spec.tags),
            count: spec.nodes().len() as u64,
            edges: spec.edges().len() as u64,
            parent: &starter.map_or_else(String::new, |fence| fence.execution.to_string()),
            attempt: starter.map_or(0, |fence| fence.attempt.0.into()),
            epoch: starter.map_or(0, |fence| fence.epoch.0),
            lease: starter.map_or_else(Bytes::new, |fence| bits(fence.lease.to_bytes())),
            staged: nodes.is_none(),
            nodes: nodes.unwrap_or_default(),
        };
        let partition = self.partition_of_flow(spec.id());
        let execution = starter.map(|fence| fence.execution);
        let answer = self.call(operation, partition, call).await?;
        let answer =
            answer.map_err(|refusal| refused_flow(operation, refusal, spec.id(), execution))?;
        self.advance(operation, &answer.left).await?;
        Ok(SubmittedFlow::new(spec.id()))
    }

    /// Extends a flow by nodes whose budgets all have a share where it lies.
    async fn add_to(
        &self,
        operation: &'static str,
        request: &ExtendFlow,
    ) -> Result<ExtendOutcome, EngineError> {
        let flow = request.flow_id();
        let by = request.request_id.to_string();
        let mut call = calls::ExtendFlow {
            flow: flow.as_u128(),
            request: bits(request.request_id.to_bytes()),
            by: &by,
            revision: request.expected_revision(),
            first: request.node_count().into(),
            count: request.nodes().len() as u64,
            edges: request.edges().len() as u64,
            staged: false,
            nodes: Bytes::new(),
            touched: Bytes::new(),
        };
        let graph = self.whole_graph(flow).await?;
        let as_expected = graph.revision == request.expected_revision()
            && graph.nodes.len() == request.node_count() as usize;
        if as_expected {
            let known: Vec<_> =
                graph.nodes.iter().map(|node| (node.key.clone(), node.join)).collect();
            let known_edges: Vec<_> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
            let as_it_is = self.flow_record(operation, flow).await?;
            if let Some(revision) = extended_before(&as_it_is, request) {
                return Ok(ExtendOutcome::new(revision));
            }
            if as_it_is.run.state.is_terminal() || as_it_is.run.cancel.is_some() {
                return self.extend(call).await;
            }
            let request = &*request.drawing_on(&as_it_is.budgets)?;
            check_graph(&known, &known_edges, request.nodes(), request.edges())?;
            let keys = known.iter().map(|(key, _)| key);
            let keys = keys.chain(request.nodes().iter().map(|node| &node.key));
            let edges = edges_by_node(keys, request.edges());
            let there = edges.range(..u16::try_from(known.len()).unwrap_or(u16::MAX));
            let there: Vec<_> = there.collect();
            at_most("touched_nodes", there.len(), limits::FLOW_EXTENSION_TOUCHED_MAX)?;
            let mut touched = Packed::default();
            for (index, edges) in there {
                touched.push(index.to_string().as_bytes());
                touched.push(known[usize::from(*index)].0.as_str().as_bytes());
                touched.push(&edges.children);
                touched.push(&edges.parents);
            }
            call.touched = touched.freeze();
            let first = request.node_count();
            let stager = Stager { operation, flow, fingerprint: "", by: &by, first };
            let nodes = self.one_step(&stager, request.nodes(), &edges).await?;
            call.staged = nodes.is_none();
            call.nodes = nodes.unwrap_or_default();
        }
        self.extend(call).await
    }

    /// The nodes as one argument when they are few; otherwise stages them and answers nothing.
    async fn one_step(
        &self,
        stager: &Stager<'_>,
        nodes: &[FlowNode],
        edges: &BTreeMap<u16, Edges>,
    ) -> Result<Option<Bytes>, EngineError> {
        let parts = parts(stager.first, nodes, edges)?;
        let few_edges: usize = edges.values().map(|of_one| of_one.children.len() / 3).sum();
        if parts.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        if parts.len() == 1 && few_edges <= limits::FLOW_ONE_STEP_EDGES_MAX {
            return Ok(parts.into_iter().next().map(|part| part.nodes));
        }
        // Nothing is staged of a flow that would be refused for them.
        let budgets = nodes.iter().flat_map(|node| node.submission.budgets());
        let partition = self.keyspace.of_flow(stager.flow);
        for budget in budgets.collect::<BTreeSet<_>>() {
            if self.keyspace.of_budget(*budget) == partition {
                self.budget(*budget).await?;
            } else {
                self.open_share(stager.operation, partition, *budget).await?;
            }
        }
        let lanes = nodes.iter().map(|node| &node.submission.lane).collect::<BTreeSet<_>>();
        for lane in lanes {
            let told = self.lane(self.partition_of_flow(stager.flow), lane, None).await?;
            told.refusal().map_or(Ok(()), Err)?;
        }
        let mut staging = 1;
        loop {
            match self.stage(stager, &parts).await {
                Err(EngineError::Contention { .. }) if staging < STAGINGS_MAX => staging += 1,
                other => return other.map(|()| None),
            }
        }
    }

    async fn stage(&self, stager: &Stager<'_>, parts: &[Part]) -> Result<(), EngineError> {
        for part in parts {
            let call = calls::StageFlow {
                flow: stager.flow.as_u128(),
                fingerprint: stager.fingerprint,
                by: stager.by,
                first: part.first.into(),
                nodes: part.nodes.clone(),
            };
            if self.about_flow(stager.operation, stager.flow, call).await?.sealed {
                break;
            }
        }
        Ok(())
    }

    async fn extend(&self, call: calls::ExtendFlow<'_>) -> Result<ExtendOutcome, EngineError> {
        const OPERATION: &str = "extend_flow";
        let flow = FlowId::from_u128(call.flow);
        let mut tries = 1;
        let answer = loop {
            match self.about_flow(OPERATION, flow, call.clone()).await {
                // Nodes that were staged before have not all started.
                Err(EngineError::Contention { .. }) if tries < STAGINGS_MAX => {
                    self.advance(OPERATION, &flow.to_string()).await?;
                    tries += 1;
                }
                answer => break answer?,
            }
        };
        self.advance(OPERATION, &answer.left).await?;
        Ok(ExtendOutcome::new(answer.revision))
    }

    /// Does what a call has left to do in the flows that it names, joined by commas.
    async fn advance(&self, operation: &'static str, left: &str) -> Result<(), EngineError> {
        let flows = |left: &str| -> Vec<FlowId> {
            left.split(',').filter_map(|flow| flow.parse().ok()).collect()
        };
        let mut left = flows(left);
        while let Some(flow) = left.pop() {
            let call = calls::AdvanceFlow { flow: flow.as_u128() };
            match self.about_flow(operation, flow, call).await {
                Ok(answer) => left.extend(flows(&answer.left)),
                Err(EngineError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many members of a flow have not ended; none of one that is gone.
    async fn open_members(
        &self,
        operation: &'static str,
        flow: FlowId,
    ) -> Result<u64, EngineError> {
        match self.flow_record(operation, flow).await {
            Ok(flow) => Ok(flow.run.open.into()),
            Err(EngineError::NotFound { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Goes on with what a call has left to do in the flows that it names. What has been asked for is
    /// done and acknowledged; if this fails, the timer goes on.
    pub(super) async fn go_on(&self, left: &str) {
        if let Err(error) = self.advance("advance_flow", left).await {
            tracing::warn!(%error, "the timer goes on with what is left to do in flows");
        }
    }

    /// Waits until all members of a flow have ended. Answers how many have not.
    async fn await_flow(
        self: &std::sync::Arc<Self>,
        operation: &'static str,
        flow: FlowId,
        wait: Duration,
    ) -> Result<u64, EngineError> {
        // The channel of an end is named by 128 bits, whatever ends.
        let id = ExecutionId::from_u128(flow.as_u128());
        let mut over = self.clock.sleep(wait);
        let mut is_over = false;
        loop {
            let mut end = self.waits.ends.listen(self, id).await?;
            let call = calls::AwaitFlow { flow: flow.as_u128() };
            let open = match self.about_flow(operation, flow, call).await {
                Ok(answer) if answer.ended => return Ok(0),
                Ok(answer) => answer.open,
                Err(EngineError::NotFound { .. }) => return Ok(0),
                Err(error) => return Err(error),
            };
            if is_over {
                return Ok(open);
            }
            let mut pause = self.clock.sleep(LOOK_AGAIN);
            tokio::select! {
                biased;
                _ = end.told() => {}
                () = &mut over, if !is_over => is_over = true,
                () = &mut pause => {}
            }
        }
    }
}

/// Nodes that fit one call.
struct Part {
    first: u32,
    nodes: Bytes,
}

fn parts(
    first: u32,
    nodes: &[FlowNode],
    edges: &BTreeMap<u16, Edges>,
) -> Result<Vec<Part>, EngineError> {
    let (mut parts, none) = (Vec::new(), Edges::default());
    let few = nodes.len() <= limits::FLOW_ONE_STEP_NODES_MAX;
    let most = if few { limits::FLOW_ONE_STEP_NODES_MAX } else { STAGED_PER_CALL };
    let (mut packed, mut from, mut count) = (Packed::default(), first, 0);
    for (node, index) in nodes.iter().zip(first..) {
        let of_node = u16::try_from(index).ok().and_then(|index| edges.get(&index));
        let bytes = packed.len() + node.submission.payload.len();
        if count == most || (count > 0 && bytes > BYTES_PER_CALL) {
            let full = std::mem::take(&mut packed);
            parts.push(Part { first: from, nodes: full.freeze() });
            (from, count) = (index, 0);
        }
        packed.push_node(node, of_node.unwrap_or(&none))?;
        count += 1;
    }
    if count > 0 {
        parts.push(Part { first: from, nodes: packed.freeze() });
    }
    Ok(parts)
}
