//! What the fields of a member and of a flow say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::{
    Dependencies, FlowMark, FlowRecord, FlowRun, JoinDecision, Link, Links, Node, Recent,
};
use ff_engine::{CancelCause, EngineError, FlowCancelView, FlowNodeView};
use ff_types::backend::CancelFlowPolicy;
use ff_types::{
    AttemptIndex, EdgeCondition, ExecutionId, FlowId, FlowPolicy, FlowState, JoinPolicy, JoinRest,
    LaneId, RequestId, Tags, TaskKind, TimestampMs, limits,
};

use super::{Fields, Reader, budgets};

/// The node that an execution is.
pub(super) fn node(r: &Reader<'_>) -> Result<Option<Node>, EngineError> {
    let Some(text) = r.text("nd")? else { return Ok(None) };
    node_of(text).map(Some).ok_or_else(|| r.corrupt("nd"))
}

fn node_of(text: &str) -> Option<Node> {
    let mut words = text.split(' ');
    let flow: FlowId = words.next()?.parse().ok()?;
    let index = words.next()?.parse().ok()?;
    let (join, quorum) = (words.next()?, words.next()?.parse().ok()?);
    let join = match join {
        "a" => JoinPolicy::All,
        "y" => JoinPolicy::Any,
        "q" => JoinPolicy::Quorum(quorum),
        _ => return None,
    };
    let rest = match words.next()? {
        "l" => JoinRest::LetRun,
        "c" => JoinRest::CancelRemaining,
        _ => return None,
    };
    Some(Node { flow, key: words.next()?.parse().ok()?, index, join, rest })
}

/// How the edges into an execution stand.
pub(super) fn dependencies(r: &Reader<'_>) -> Result<Dependencies, EngineError> {
    let Some(text) = r.text("dp")? else { return Ok(Dependencies::default()) };
    dependencies_of(text).map(|(edges, _)| edges).ok_or_else(|| r.corrupt("dp"))
}

/// The child flow that it waits for; of its others the record does not tell.
pub(super) fn child_flows(r: &Reader<'_>) -> Result<Option<Arc<BTreeSet<FlowId>>>, EngineError> {
    Ok(r.parsed::<FlowId>("cw")?.map(|flow| Arc::new(BTreeSet::from([flow]))))
}

/// Whether its failure is left to itself.
pub(super) fn unhandled(r: &Reader<'_>) -> Result<bool, EngineError> {
    let Some(text) = r.text("dp")? else { return Ok(false) };
    dependencies_of(text).map(|(_, unhandled)| unhandled).ok_or_else(|| r.corrupt("dp"))
}

fn dependencies_of(text: &str) -> Option<(Dependencies, bool)> {
    let mut words = text.split(' ');
    let decision = match words.next()? {
        "o" | "z" => JoinDecision::Open,
        "f" => JoinDecision::Fired,
        "s" => JoinDecision::Skipped,
        "c" => JoinDecision::Closed,
        _ => return None,
    };
    let mut count = || words.next()?.parse().ok();
    let edges = Dependencies::new(count()?, count()?, count()?, count()?, decision);
    Some((edges, words.next()? == "1"))
}

/// A node as `read_graph.lua` writes it, without its edges.
pub(crate) fn node_view(texts: &[&str; 6]) -> Option<FlowNodeView> {
    let [node, edges, lane, kind, state, attempt] = *texts;
    let node = node_of(node)?;
    let execution_id: ExecutionId = node.flow.member(u16::try_from(node.index).ok()?);
    let attempt: Option<u32> = match attempt {
        "" => None,
        digits => Some(digits.parse().ok()?),
    };
    let (lane, kind): (LaneId, TaskKind) = (lane.parse().ok()?, kind.parse().ok()?);
    Some(FlowNodeView::new(
        &node,
        execution_id,
        lane,
        kind,
        state.parse().ok()?,
        attempt.map(AttemptIndex),
        dependencies_of(edges)?.0,
    ))
}

/// The letter that stands for a condition in an edge.
pub(crate) const fn letter(condition: EdgeCondition) -> u8 {
    match condition {
        EdgeCondition::OnSuccess => b's',
        EdgeCondition::OnFailure => b'f',
        EdgeCondition::Always => b'a',
    }
}

/// The edges that bytes stand for: of each two of the index of the node there, and a letter.
pub(crate) fn links(bytes: &[u8]) -> Option<Vec<Link>> {
    let link = |bytes: &[u8]| {
        let [high, low, letter] = *bytes else { return None };
        let condition = match letter {
            b's' => EdgeCondition::OnSuccess,
            b'f' => EdgeCondition::OnFailure,
            b'a' => EdgeCondition::Always,
            _ => return None,
        };
        Some(Link { node: u16::from_be_bytes([high, low]).into(), condition })
    };
    bytes.chunks(3).map(link).collect()
}

/// The record of a flow with these fields. Of its nodes it has no more than their number.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub(crate) fn flow(id: FlowId, fields: &Fields) -> Result<FlowRecord, EngineError> {
    let corrupt =
        |field: &str| EngineError::Corrupt { what: format!("field {field} of flow {id}") };
    let text = |field: &'static str| {
        let bytes = fields.get(field).map(|bytes| std::str::from_utf8(bytes));
        bytes.transpose().map_err(|_| corrupt(field))
    };
    let time = |field: &'static str| {
        let digits = text(field)?.map(|digits| digits.parse().map(TimestampMs));
        digits.transpose().map_err(|_| corrupt(field))
    };
    let submitted = text("s")?.and_then(submitted).ok_or_else(|| corrupt("s"))?;
    let (mut run, nodes) = text("c")?.and_then(standing).ok_or_else(|| corrupt("c"))?;
    run.deadline = time("dl")?;
    run.marks = marks(fields);
    run.ended_at = time("ea")?;
    if let Some(text) = text("ca")? {
        run.cancel = Some(Arc::new(cancel(text).ok_or_else(|| corrupt("ca"))?));
    }
    let mut tags = Tags::new();
    for line in text("tg")?.unwrap_or("").lines() {
        let (key, value) = line.split_once(' ').ok_or_else(|| corrupt("tg"))?;
        tags = tags.with(key, value).map_err(|_| corrupt("tg"))?;
    }
    let (submitted_at, policy, retention, fingerprint) = submitted;
    let nodes = vec![Links::default(); nodes];
    let parent = text("pa")?.map(str::parse).transpose().map_err(|_| corrupt("pa"))?;
    let depth = text("dd")?.map(str::parse).transpose().map_err(|_| corrupt("dd"))?.unwrap_or(0);
    let budgets = budgets::ids(text("bu")?.unwrap_or("")).ok_or_else(|| corrupt("bu"))?;
    Ok(FlowRecord {
        id,
        fingerprint,
        policy,
        retention,
        tags,
        submitted_at,
        parent,
        depth,
        budgets,
        nodes,
        run,
    })
}

/// The latest requests that changed a flow: 16 bytes of request id, and what it did.
fn marks(fields: &Fields) -> Recent<FlowMark> {
    let mark = |slot: usize| {
        let bytes = fields.get(&format!("o{slot}"))?;
        let (request, did) = bytes.split_at_checked(16)?;
        let request = RequestId::from_bytes(request.try_into().ok()?);
        match std::str::from_utf8(did).ok()?.split_once(' ') {
            Some(("extended", revision)) => {
                Some(FlowMark::Extended(request, revision.parse().ok()?))
            }
            _ => Some(FlowMark::Cancelled(request)),
        }
    };
    (0..limits::REMEMBERED_CALLS_MAX).filter_map(mark).collect()
}

fn submitted(text: &str) -> Option<(TimestampMs, FlowPolicy, Duration, u64)> {
    let mut words = text.split(' ');
    let at = TimestampMs(words.next()?.parse().ok()?);
    let policy = match words.next()? {
        "i" => FlowPolicy::Isolate,
        "f" => FlowPolicy::FailFast,
        _ => return None,
    };
    let retention = Duration::from_millis(words.next()?.parse().ok()?);
    Some((at, policy, retention, u64::from_str_radix(words.next()?, 16).ok()?))
}

fn standing(text: &str) -> Option<(FlowRun, usize)> {
    let mut words = text.split(' ');
    let state: FlowState = words.next()?.parse().ok()?;
    let revision = words.next()?.parse().ok()?;
    let nodes = words.next()?.parse().ok()?;
    let mut count = || words.next()?.parse().ok();
    let (edges, open, unhandled) = (count()?, count()?, count()?);
    let run = FlowRun {
        state,
        revision,
        edges,
        open,
        unhandled,
        deadline: None,
        cancel: None,
        ended_at: None,
        marks: Recent::default(),
    };
    Some((run, nodes))
}

fn cancel(text: &str) -> Option<FlowCancelView> {
    let mut words = text.splitn(4, ' ');
    let cause = match words.next()? {
        "r" => CancelCause::Requested,
        "f" => CancelCause::FailFast,
        "d" => CancelCause::Deadline,
        _ => return None,
    };
    let policy = match words.next()? {
        "o" => CancelFlowPolicy::FlowOnly,
        "p" => CancelFlowPolicy::CancelPending,
        "a" => CancelFlowPolicy::CancelAll,
        _ => return None,
    };
    let at = TimestampMs(words.next()?.parse().ok()?);
    Some(FlowCancelView::new(cause, policy, words.next()?.to_owned(), at))
}
