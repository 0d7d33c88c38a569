//! Reads of one flow: its description, its graph, and what a node gets of its parents.

use ff_engine::{CancelCause, ReadGraph, UpstreamRequest};
use ff_types::backend::CancelFlowPolicy;
use ff_types::{
    EdgeCondition, ExecutionState, FlowPolicy, FlowState, JoinPolicy, JoinRest, Payload, Tags,
    TerminalOutcome, limits,
};

use TerminalOutcome::{Completed, Failed, Skipped};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_invalid, cases, ensure, ensure_eq};
use crate::flows::RETENTION;

pub(crate) const CASES: &[Case] = &cases!["flow":
    describe_shows_all,
    graph_shows_nodes_and_edges,
    upstream_results_by_key,
    upstream_pages_are_bounded,
    reads_are_bounded,
];

/// The description shows policy, deadline, retention, tags, revision, counts, cancellation and times
/// as they are, and what the flow waits for: nodes that have not ended and wait for no parent.
pub(crate) async fn describe_shows_all(fx: Fixture) -> CaseResult {
    let tags = Tags::new().with("team", "red")?;
    let deadline = fx.in_ms(60_000).await;
    let spec = fx.flow("a b c d", "a>b b>c d>c")?;
    let spec = spec.with_tags(tags.clone()).with_deadline(deadline).with_retention(RETENTION);
    let spec = spec.with_policy(FlowPolicy::FailFast);
    let submitted_at = fx.now().await;
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.advance(5).await;
    let running = fx.claim_node("a").await?;

    let view = fx.seen(id).await?.view;
    ensure_eq!((view.policy, view.deadline), (FlowPolicy::FailFast, Some(deadline)));
    ensure_eq!((view.retention, view.tags), (RETENTION, tags));
    ensure_eq!((view.revision, view.edges, view.cancel), (1, 3, None));
    let summary = view.summary;
    ensure_eq!((summary.flow_id, summary.state), (id, FlowState::Open));
    ensure_eq!((summary.nodes, summary.open), (4, 4));
    ensure_eq!((summary.submitted_at, summary.ended_at), (submitted_at, None));
    let critical: Vec<_> = view.critical.iter().map(|node| (node.key.as_str(), node.state)).collect();
    ensure_eq!(critical, [("a", ExecutionState::Active), ("d", ExecutionState::Ready)]);

    fx.backend.complete(&running.handle, None).await?;
    fx.cancel_flow(id, CancelFlowPolicy::CancelPending).await?;
    let view = fx.seen(id).await?.view;
    let cancel = view.cancel.map(|cancel| (cancel.cause, cancel.policy, cancel.requested_at));
    let now = fx.now().await;
    ensure_eq!(cancel, Some((CancelCause::Requested, CancelFlowPolicy::CancelPending, now)));
    ensure_eq!((view.summary.state, view.summary.ended_at), (FlowState::Cancelled, Some(now)));
    ensure_eq!(view.critical.len(), 0, "nothing is waited for");

    let keys: Vec<_> = (0..=limits::FLOW_CRITICAL_MAX).map(|index| format!("n{index}")).collect();
    let wide = fx.submit_flow(&keys.join(" "), "").await?;
    let critical = fx.seen(wide).await?.view.critical;
    ensure_eq!(critical.len(), limits::FLOW_CRITICAL_MAX);
    ensure!(critical.iter().zip(0..).all(|(node, index)| node.index == index), "the first come first");
    Ok(())
}

/// The graph shows every node once, in the order of the indexes, and every edge once, with its
/// parent and in the order in which it was given; a page goes on where the one before ended.
pub(crate) async fn graph_shows_nodes_and_edges(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c:any d:2!", "b>d a!c a>b c*d b>c").await?;
    fx.extend(id, "e", "a>e b*e").await?;
    fx.claim_node("a").await?;

    let seen = fx.seen(id).await?;
    let keys: Vec<_> = seen.nodes.iter().map(|node| (node.key.as_str(), node.index)).collect();
    ensure_eq!(keys, [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]);
    let joins: Vec<_> = seen.nodes.iter().map(|node| (node.join, node.rest)).collect();
    let run = JoinRest::LetRun;
    let expected = [
        (JoinPolicy::All, run),
        (JoinPolicy::All, run),
        (JoinPolicy::Any, run),
        (JoinPolicy::Quorum(2), JoinRest::CancelRemaining),
        (JoinPolicy::All, run),
    ];
    ensure_eq!(joins, expected);
    let edges: Vec<_> =
        seen.edges.iter().map(|edge| (edge.from, edge.to, edge.condition)).collect();
    let (success, always) = (EdgeCondition::OnSuccess, EdgeCondition::Always);
    let expected = [
        (0, 2, EdgeCondition::OnFailure),
        (0, 1, success),
        (0, 4, success),
        (1, 3, success),
        (1, 2, success),
        (1, 4, always),
        (2, 3, always),
    ];
    ensure_eq!(edges, expected);
    let first = &seen.nodes[0];
    ensure_eq!((first.kind.as_str(), first.lane.as_str()), ("node", "a"));
    ensure_eq!((first.state, first.attempt.map(|at| at.0)), (ExecutionState::Active, Some(0)));
    ensure_eq!(first.execution_id, id.member(0));

    let (mut nodes, mut paged, mut from) = (Vec::new(), Vec::new(), Some(0));
    while let Some(at) = from {
        let page = fx.backend.read_graph(&ReadGraph::new(id).with_from(at).with_limit(2)).await?;
        ensure!(page.nodes.len() <= 2, "a page of {}", page.nodes.len());
        ensure_eq!(page.revision, 2);
        nodes.extend(page.nodes);
        paged.extend(page.edges);
        from = page.next;
    }
    ensure_eq!((nodes, paged), (seen.nodes, seen.edges));
    let behind = fx.backend.read_graph(&ReadGraph::new(id).with_from(5)).await?;
    ensure_eq!((behind.nodes.len(), behind.next), (0, None));
    Ok(())
}

/// A node gets the results of its parents by their keys, in the order of its edges: how each ended,
/// if it has, and what it returned; none when it has no parents or belongs to no flow.
pub(crate) async fn upstream_results_by_key(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d s j:any", "d>j c*j s*j b>j a>j b>s").await?;
    let task = fx.claim_node("a").await?;
    fx.backend.complete(&task.handle, Some(&Payload::json("{\"sum\":7}"))).await?;
    fx.end(id, "b", Failed).await?;
    let task = fx.claim_node("c").await?;
    fx.backend.complete(&task.handle, None).await?;
    let j = fx.member(id, "j").await?;

    let page = fx.backend.upstream_results(&UpstreamRequest::new(j)).await?;
    let found: Vec<_> = page
        .items
        .iter()
        .map(|item| (item.key.as_str(), item.outcome, item.payload.as_ref().map(Payload::bytes)))
        .collect();
    let sum = Payload::json("{\"sum\":7}");
    let expected = [
        ("d", None, None),
        ("c", Some(Completed), None),
        ("s", Some(Skipped), None),
        ("b", Some(Failed), None),
        ("a", Some(Completed), Some(sum.bytes())),
    ];
    ensure_eq!(found, expected);
    ensure_eq!(page.next, None);
    ensure_eq!(page.items[4].execution_id, id.member(0));
    ensure_eq!(page.items[4].payload.as_ref(), Some(&sum));

    let mut paged = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let request = UpstreamRequest::new(j).with_from(at).with_limit(2);
        let page = fx.backend.upstream_results(&request).await?;
        ensure!(page.items.len() <= 2, "a page of {}", page.items.len());
        paged.extend(page.items);
        from = page.next;
    }
    ensure_eq!(paged, page.items);
    for none in [id.member(0), fx.submit_default().await?] {
        let page = fx.backend.upstream_results(&UpstreamRequest::new(none)).await?;
        ensure_eq!((page.items.len(), page.next), (0, None));
    }
    Ok(())
}

/// A page of results ends before it gets too large, but has at least one.
pub(crate) async fn upstream_pages_are_bounded(fx: Fixture) -> CaseResult {
    let size = limits::RESULT_MAX_BYTES;
    let per_page = limits::UPSTREAM_PAGE_MAX_BYTES / size;
    let count = 2 * per_page.max(1) + 1;
    let keys: Vec<_> = (0..count).map(|index| format!("n{index}")).collect();
    let edges: Vec<_> = keys.iter().map(|key| format!("{key}>j")).collect();
    fx.submit_flow(&format!("{} j", keys.join(" ")), &edges.join(" ")).await?;
    for key in &keys {
        let task = fx.claim_node(key).await?;
        fx.backend.complete(&task.handle, Some(&Payload::new(vec![7; size]))).await?;
    }
    let j = fx.claim_node("j").await?.execution_id;

    let mut lengths = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let page = fx.backend.upstream_results(&UpstreamRequest::new(j).with_from(at)).await?;
        lengths.push(page.items.len());
        from = page.next;
    }
    ensure_eq!(lengths, [per_page.max(1), per_page.max(1), 1]);
    Ok(())
}

/// Pages have a size in range; what is unknown is not found.
pub(crate) async fn reads_are_bounded(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b", "a>b").await?;
    for limit in [0, limits::LIST_LIMIT_MAX + 1] {
        let graph = ReadGraph::new(id).with_limit(limit);
        assert_invalid(fx.backend.read_graph(&graph).await, "limit")?;
        let flows = ff_engine::ListFlows::new().with_limit(limit);
        assert_invalid(fx.backend.list_flows(&flows).await, "limit")?;
    }
    for limit in [0, limits::UPSTREAM_PAGE_MAX + 1] {
        let request = UpstreamRequest::new(id.member(1)).with_limit(limit);
        assert_invalid(fx.backend.upstream_results(&request).await, "limit")?;
    }
    let unknown = UpstreamRequest::new(fx.ids.execution_id());
    assert_code(fx.backend.upstream_results(&unknown).await, "execution_not_found")?;

    let most = ReadGraph::new(id).with_limit(limits::LIST_LIMIT_MAX);
    ensure_eq!(fx.backend.read_graph(&most).await?.nodes.len(), 2);
    let most = UpstreamRequest::new(id.member(1)).with_limit(limits::UPSTREAM_PAGE_MAX);
    ensure_eq!(fx.backend.upstream_results(&most).await?.items.len(), 1);

    for text in ["", "f1.", "v1.00000000000000000000000000000000", "f2.0", "f1.x"] {
        assert_invalid(text.parse::<ff_engine::FlowCursor>(), "cursor")?;
    }
    let cursor = ff_engine::FlowCursor::after(id);
    ensure_eq!(cursor.to_string().parse::<ff_engine::FlowCursor>()?, cursor);
    Ok(())
}
