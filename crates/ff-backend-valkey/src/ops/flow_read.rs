//! Flows: the reads.

use ff_engine::machine::FlowRecord;
use ff_engine::{
    EngineError, FlowCursor, FlowEdgeView, FlowNodeView, FlowPage, FlowSummary, FlowView,
    GraphPage, ListFlows, UpstreamPage, UpstreamRequest, UpstreamResult,
};
use ff_types::{FlowId, Payload, TimestampMs, limits};

use crate::call::{BadReply, Values};
use crate::calls;
use crate::codec::{self, Fields};
use crate::failures::{bad_reply, refused};
use crate::inner::Inner;
use crate::reply::Reply;

/// Most nodes that one call reads.
const NODES_PER_CALL: usize = 50;
/// Most flows that one call looks at.
const FLOWS_PER_CALL: usize = 250;

impl Inner {
    /// A flow without its graph.
    pub(super) async fn flow_record(
        &self,
        operation: &'static str,
        id: FlowId,
    ) -> Result<FlowRecord, EngineError> {
        let call = calls::DescribeFlow { flow: id.as_u128() };
        let answer = self.about_flow(operation, id, call).await?;
        let fields = Fields::of(answer.fields)
            .ok_or_else(|| bad_reply(operation, BadReply("list of fields")))?;
        codec::flow(id, &fields)
    }

    pub(super) async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError> {
        let nodes = self.whole_graph(id).await?.nodes;
        let flow = self.flow_record("describe_flow", id).await?;
        Ok(FlowView::of(&flow, &nodes))
    }

    /// All nodes and edges of a flow.
    pub(super) async fn whole_graph(&self, id: FlowId) -> Result<GraphPage, EngineError> {
        self.graph(id, 0, limits::FLOW_NODES_MAX).await
    }

    /// Nodes of a flow from an index on, at most `page_size`.
    pub(super) async fn graph(
        &self,
        id: FlowId,
        from: u32,
        page_size: usize,
    ) -> Result<GraphPage, EngineError> {
        const OPERATION: &str = "read_graph";
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        loop {
            let at = from + u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            let most = (page_size - nodes.len()).min(NODES_PER_CALL) as u64;
            let call = calls::ReadGraph { flow: id.as_u128(), from: at.into(), most };
            let answer = self.about_flow(OPERATION, id, call).await?;
            let seen = answer.items.len() as u64;
            for item in answer.items {
                let what = || EngineError::Corrupt { what: format!("a node of flow {id}") };
                nodes.push(node(item, &mut edges).ok_or_else(what)?);
            }
            let next = u64::from(at) + seen;
            if seen < most || nodes.len() == page_size || next == answer.count {
                let next = (next < answer.count).then(|| u32::try_from(next).ok()).flatten();
                return Ok(GraphPage::new(answer.revision, nodes, edges, next));
            }
        }
    }

    pub(super) async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        let page_size = request.page_size()?;
        let states: Vec<&str> = request.states.iter().map(|state| state.as_str()).collect();
        let filter = Filter {
            states: if states.is_empty() {
                String::new()
            } else {
                format!(",{},", states.join(","))
            },
            tag: request
                .tag
                .as_ref()
                .map_or_else(String::new, |(key, value)| format!("{key} {value}")),
            page_size,
        };
        let after = request.cursor.map(FlowCursor::position);
        let mut left = limits::LIST_EXAMINED_MAX;
        let share = (left / self.keyspace.partitions.len()).clamp(1, FLOWS_PER_CALL);
        let mut parts = Vec::with_capacity(self.keyspace.partitions.len());
        for partition in 0..self.keyspace.partitions.len() {
            let mut part = Part::default();
            left = left
                .saturating_sub(self.look_at(partition, &mut part, after, &filter, share).await?);
            parts.push(part);
        }
        loop {
            let lagging = (0..parts.len()).filter(|part| parts[*part].more_behind.is_some());
            let Some(lagging) = lagging.min_by_key(|part| parts[*part].more_behind) else { break };
            let horizon = parts[lagging].more_behind;
            let known = parts.iter().flat_map(|part| &part.items);
            let known = known.filter(|item| Some(item.flow_id) <= horizon).count();
            if known >= page_size || left == 0 {
                break;
            }
            let most = FLOWS_PER_CALL.min(left);
            let looked = self.look_at(lagging, &mut parts[lagging], horizon, &filter, most).await?;
            left = left.saturating_sub(looked);
        }
        Ok(page(parts, page_size))
    }

    /// Lets one partition look at up to `most` flows behind `after`. Answers how many it was.
    async fn look_at(
        &self,
        partition: usize,
        part: &mut Part,
        after: Option<FlowId>,
        filter: &Filter,
        most: usize,
    ) -> Result<usize, EngineError> {
        const OPERATION: &str = "list_flows";
        let call = calls::ListFlows {
            after: &after.map_or_else(String::new, |id| id.to_string()),
            examined: most as u64,
            most: filter.page_size as u64,
            states: &filter.states,
            tag: &filter.tag,
        };
        let answer = self
            .call(OPERATION, &self.keyspace.partitions[partition], call)
            .await?
            .map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
        for item in answer.items {
            let corrupt = || EngineError::Corrupt { what: "a flow of a listing".to_owned() };
            part.items.push(summary(item).ok_or_else(corrupt)?);
        }
        part.more_behind = answer.last.parse().ok().filter(|_| answer.more);
        Ok(usize::try_from(answer.seen).unwrap_or(most).min(most))
    }

    pub(super) async fn upstream(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError> {
        const OPERATION: &str = "upstream_results";
        let page_size = request.page_size()?;
        let id = request.execution_id;
        let call = calls::UpstreamResults {
            id: id.as_u128(),
            from: request.from.into(),
            most: page_size as u64,
        };
        let answer = self
            .call(OPERATION, self.partition_of(id), call)
            .await?
            .map_err(|refusal| refused(refusal, id))?;
        let corrupt = || EngineError::Corrupt { what: format!("a parent of execution {id}") };
        let items: Vec<_> = answer.items.into_iter().map(upstream).collect();
        let items = items.into_iter().collect::<Option<Vec<_>>>().ok_or_else(corrupt)?;
        let next = u64::from(request.from) + items.len() as u64;
        let next = (next < answer.total && !items.is_empty()).then(|| u32::try_from(next).ok());
        Ok(UpstreamPage::new(items, next.flatten()))
    }
}

struct Filter {
    states: String,
    tag: String,
    page_size: usize,
}

/// One partition's part of a listing: what it found, and how far it has looked.
#[derive(Default)]
struct Part {
    items: Vec<FlowSummary>,
    /// The last id that was looked at, while there are others behind it.
    more_behind: Option<FlowId>,
}

/// What all partitions know, up to where every one has looked.
fn page(parts: Vec<Part>, page_size: usize) -> FlowPage {
    let horizon = parts.iter().filter_map(|part| part.more_behind).min();
    let mut items: Vec<_> = parts.into_iter().flat_map(|part| part.items).collect();
    items.sort_by_key(|item| item.flow_id);
    items.retain(|item| horizon.is_none_or(|horizon| item.flow_id <= horizon));
    let cut = items.len() > page_size;
    items.truncate(page_size);
    let next = match items.last() {
        Some(last) if cut => Some(last.flow_id),
        _ => horizon,
    };
    FlowPage::new(items, next.map(FlowCursor::after))
}

/// Reads an item as `read_graph.lua` writes it.
fn node(reply: Reply, edges: &mut Vec<FlowEdgeView>) -> Option<FlowNodeView> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let texts = [text()?, text()?, text()?, text()?, text()?, text()?];
    let view = codec::node_view(&texts.each_ref().map(String::as_str))?;
    for link in codec::links(&values.bytes().ok()?)? {
        edges.push(FlowEdgeView::new(view.index, link.node, link.condition));
    }
    Some(view)
}

/// Reads an item as `list_flows.lua` writes it.
fn summary(reply: Reply) -> Option<FlowSummary> {
    let mut values = Values::new(reply.into_array()?);
    let (id, state) = (values.text().ok()?, values.text().ok()?);
    let mut count = || values.int().ok().and_then(|count| u32::try_from(count).ok());
    let (nodes, open) = (count()?, count()?);
    let (submitted_at, ended_at) = (values.time().ok()?, values.text().ok()?);
    let ended_at = match ended_at.as_str() {
        "" => None,
        digits => Some(TimestampMs(digits.parse().ok()?)),
    };
    let (id, state) = (id.parse().ok()?, state.parse().ok()?);
    Some(FlowSummary::new(id, state, nodes, open, submitted_at, ended_at))
}

/// Reads an item as `upstream_results.lua` writes it.
fn upstream(reply: Reply) -> Option<UpstreamResult> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let (key, id, state) = (text()?.parse().ok()?, text()?.parse().ok()?, text()?);
    let (given, kind) = (values.flag().ok()?, values.text().ok()?);
    let bytes = values.bytes().ok()?;
    let payload = match kind.as_str() {
        "" => Payload::new(bytes),
        kind => Payload::new(bytes).with_content_type(kind).ok()?,
    };
    let state: ff_types::ExecutionState = state.parse().ok()?;
    Some(UpstreamResult::new(key, id, state.outcome(), given.then_some(payload)))
}
