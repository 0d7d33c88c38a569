//! `submit_flow`: a graph becomes durable as a whole, or not at all.

use std::time::Duration;

use ff_engine::{FlowEdge, FlowSpec, Idempotency, ReadGraph};
use ff_types::{
    ExecutionState, FlowId, FlowPolicy, IdempotencyKey, NodeKey, Tags, TerminalOutcome, TimestampMs,
    limits,
};

use crate::Fixture;
use crate::expect::{
    Case, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure_eq,
};
use crate::fixture::ms;
use crate::flows::{edges, nodes};

pub(crate) const CASES: &[Case] = &cases!["flow":
    roots_are_ready_and_others_blocked,
    sealed,
    large_flows_are_like_small_ones,
    repeat_is_harmless,
    id_clash_is_a_conflict,
    bad_graphs_are_refused,
    limits_are_enforced,
    unknown_id_is_not_found,
];

/// Nodes without parents are ready, or delayed as they ask, and every other node is blocked; the
/// executions have the ids that follow from the flow's.
pub(crate) async fn roots_are_ready_and_others_blocked(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("a c b", "a>b c>b")?;
    let mut later = nodes(&fx, "later")?.remove(0);
    later.submission = later.submission.with_delay_until(fx.in_ms(1_000).await);
    let later = spec.add_node(later);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;

    fx.assert_states(id, "a ready, c ready, b blocked, later delayed").await?;
    ensure_eq!(fx.claim_node("a").await?.execution_id, id.member(0));
    ensure_eq!(fx.claim_node("c").await?.execution_id, id.member(1));
    ensure_eq!(later, id.member(3));
    fx.advance(1_000).await;
    fx.settle().await?;
    fx.assert_states(id, "a active, c active, b blocked, later ready").await
}

/// A worker that asks for each node, time and again, is never given one whose parents have not
/// ended.
pub(crate) async fn sealed(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d", "a>b b>c a>c c>d").await?;

    for (at, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for later in &["a", "b", "c", "d"][at + 1..] {
            ensure_eq!(fx.claim_node_if_any(later).await?.map(|task| task.execution_id), None);
        }
        fx.complete_nodes(id, key).await?;
    }
    fx.assert_states(id, "a completed, b completed, c completed, d completed").await
}

/// A flow of more nodes than one step stores is handed in by one call as well, runs from end to end,
/// and is skipped through and through.
pub(crate) async fn large_flows_are_like_small_ones(fx: Fixture) -> CaseResult {
    const NODES: usize = 150;
    let keys: Vec<_> = (0..NODES).map(|index| format!("n{index}")).collect();
    let mut spec = fx.flow("", "")?;
    for key in &keys {
        let mut node = nodes(&fx, key)?.remove(0);
        node.submission.lane = ff_types::LaneId::new("large")?;
        spec.add_node(node);
    }
    for (index, to) in keys.iter().enumerate() {
        for distance in [1, 10, 50] {
            if let Some(from) = index.checked_sub(distance).and_then(|from| keys.get(from)) {
                spec.add_edge(FlowEdge::new(NodeKey::new(from.as_str())?, NodeKey::new(to.as_str())?));
            }
        }
    }
    let count = u32::try_from(spec.edges().len())?;
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.backend.submit_flow(&spec).await?;
    ensure_eq!(fx.seen(id).await?.view.edges, count);

    let half = NODES / 2;
    for index in 0..half {
        let task = fx.claim_node("large").await?;
        ensure_eq!(task.execution_id, id.member(u16::try_from(index)?));
        if index + 1 < half {
            fx.backend.complete(&task.handle, None).await?;
        } else {
            let failed = crate::fixture::failure(ff_types::backend::FailureClass::Permanent);
            fx.backend.fail(&task.handle, &failed).await?;
        }
    }
    fx.settle().await?;

    let view = fx.seen(id).await?.view;
    let counted = |state| view.counts.get(&state).copied().unwrap_or_default() as usize;
    ensure_eq!(counted(ExecutionState::Completed), half - 1);
    ensure_eq!(counted(ExecutionState::Failed), 1);
    ensure_eq!(counted(ExecutionState::Skipped), NODES - half);
    ensure_eq!(view.summary.state, ff_types::FlowState::Failed);
    Ok(())
}

/// A repeat answers as at first and makes nothing, also when the flow has gone on or ended.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let tags = Tags::new().with("team", "red")?;
    let spec = fx.flow("a b", "a>b")?.with_tags(tags).with_deadline(fx.in_ms(60_000).await);
    let first = fx.backend.submit_flow(&spec).await?;
    ensure_eq!((first.flow_id, first.revision), (spec.id(), 1));

    for key in ["a", "b", ""] {
        let before = fx.snapshot().await;
        ensure_eq!(fx.backend.submit_flow(&spec).await?, first);
        ensure_eq!(fx.snapshot().await, before);
        fx.complete_nodes(spec.id(), key).await?;
    }
    Ok(())
}

/// The id with other content, in whatever part of it, is refused as a conflict.
pub(crate) async fn id_clash_is_a_conflict(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a b c:any", "a>b a>c b>c")?;
    fx.backend.submit_flow(&spec).await?;
    let before = fx.snapshot().await;
    let other = |nodes_text: &str, edges_text: &str| {
        let mut other = FlowSpec::new(spec.id());
        let mut same = spec.nodes().iter();
        for mut node in nodes(&fx, nodes_text)? {
            if let Some(first) = same.next() {
                node.submission = first.submission.clone();
            }
            other.add_node(node);
        }
        edges(edges_text)?.into_iter().for_each(|edge| other.add_edge(edge));
        CaseResult::Ok(other)
    };
    fx.backend.submit_flow(&other("a b c:any", "a>b a>c b>c")?).await?;

    let mut urgent = spec.nodes()[0].clone();
    urgent.submission = urgent.submission.with_priority(1);
    let same = || spec.clone();
    let clashes = [
        other("a b d:any", "a>b a>d b>d")?,
        other("a b c:any d", "a>b a>c b>c")?,
        other("a b c:1", "a>b a>c b>c")?,
        other("a b c:any!", "a>b a>c b>c")?,
        other("a b c:any", "a>b a>c")?,
        other("a b c:any", "a>b a>c b!c")?,
        other("b a c:any", "a>b a>c b>c")?,
        FlowSpec::new(spec.id()).with_node(urgent),
        same().with_policy(FlowPolicy::FailFast),
        same().with_deadline(TimestampMs(1)),
        same().with_retention(ms(1)),
        same().with_tags(Tags::new().with("team", "red")?),
    ];
    for clash in &clashes {
        assert_code(fx.backend.submit_flow(clash).await, "conflict_flow_id")?;
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// Edges to nodes that are not there, nodes and edges given twice, edges from a node to itself,
/// circles, and quorums that cannot be are refused, and nothing is stored.
pub(crate) async fn bad_graphs_are_refused(fx: Fixture) -> CaseResult {
    let before = fx.snapshot().await;
    let bad = [
        ("a", "a>z", "graph_unknown_node"),
        ("a", "z>a", "graph_unknown_node"),
        ("a b a", "", "graph_duplicate_node"),
        ("a b", "a>b a!b", "graph_duplicate_edge"),
        ("a b", "a>b b>b", "graph_self_edge"),
        ("a b", "a>b b>a", "graph_cycle"),
        ("z a b c d", "z>a a>b b>c c>d d>b", "graph_cycle"),
        ("a b:0", "a>b", "graph_quorum"),
        ("a b:2", "a>b", "graph_quorum"),
        ("a:1", "", "graph_quorum"),
    ];

    for (nodes, edges, code) in bad {
        let spec = fx.flow(nodes, edges)?;
        assert_code(fx.backend.submit_flow(&spec).await, code)?;
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A flow has nodes, but not too many of them, nor of edges; retention, deadline and every node are
/// in range, and no node has an idempotency key.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let before = fx.snapshot().await;
    let most = limits::FLOW_NODES_MAX;
    assert_invalid(fx.backend.submit_flow(&fx.flow("", "")?).await, "nodes")?;
    let one = nodes(&fx, "a")?.remove(0);
    let mut wide = fx.flow("", "")?;
    for index in 0..=most {
        let mut node = one.clone();
        node.key = NodeKey::new(format!("n{index}"))?;
        wide.add_node(node);
    }
    assert_too_large(fx.backend.submit_flow(&wide).await, most, most + 1)?;
    let mut dense = fx.flow("a b", "")?;
    for _ in 0..=limits::FLOW_EDGES_MAX {
        dense.add_edge(edges("a>b")?.remove(0));
    }
    let refused = fx.backend.submit_flow(&dense).await;
    assert_too_large(refused, limits::FLOW_EDGES_MAX, limits::FLOW_EDGES_MAX + 1)?;

    let long = Duration::from_millis(limits::RETENTION_MAX_MS + 1);
    let kept = fx.flow("a", "")?.with_retention(long);
    assert_invalid(fx.backend.submit_flow(&kept).await, "retention")?;
    let past = fx.flow("a", "")?.with_deadline(TimestampMs(-1));
    assert_invalid(fx.backend.submit_flow(&past).await, "deadline")?;
    let mut urgent = one.clone();
    urgent.submission = urgent.submission.with_priority(limits::PRIORITY_MAX + 1);
    let urgent = fx.flow("b", "")?.with_node(urgent);
    assert_invalid(fx.backend.submit_flow(&urgent).await, "priority")?;
    let mut named = one;
    let key = Idempotency::new(IdempotencyKey::new("order-7")?);
    named.submission = named.submission.with_idempotency(key);
    let named = fx.flow("b", "")?.with_node(named);
    assert_invalid(fx.backend.submit_flow(&named).await, "idempotency")?;
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A flow that was never submitted is not found, whatever is asked of it; nor is one whose nodes
/// have the id.
pub(crate) async fn unknown_id_is_not_found(fx: Fixture) -> CaseResult {
    let known = fx.submit_flow("a", "").await?;
    let unknown = FlowId::from_u128(known.member(0).as_u128() ^ 1);
    let before = fx.snapshot().await;
    let cancel = fx.cancel_flow_request(unknown, ff_types::backend::CancelFlowPolicy::CancelAll);
    let mut extension = ff_engine::ExtendFlow::new(fx.ids.request_id(), unknown, 1, 1);
    extension.add_node(nodes(&fx, "b")?.remove(0));

    let code = "flow_not_found";
    assert_code(fx.backend.describe_flow(unknown).await, code)?;
    assert_code(fx.backend.read_graph(&ReadGraph::new(unknown)).await, code)?;
    assert_code(fx.backend.extend_flow(&extension).await, code)?;
    assert_code(fx.backend.cancel_flow(&cancel).await, code)?;
    ensure_eq!(fx.snapshot().await, before);
    fx.end(known, "a", TerminalOutcome::Completed).await
}
