//! `extend_flow`: an open flow grows.

use ff_engine::{EngineError, ExtendFlow, FlowProblem};
use ff_types::backend::CancelFlowPolicy;
use ff_types::{FlowState, TerminalOutcome, limits};

use TerminalOutcome::Failed;

use crate::Fixture;
use crate::expect::{
    Case, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure_eq, refused,
};
use crate::flows::{edges, nodes};

pub(crate) const CASES: &[Case] = &cases!["flow":
    extension_counts_ended_parents,
    extension_holds_back_what_has_not_started,
    extension_refuses_started_nodes,
    extension_repeat_is_harmless,
    extension_is_known_by_its_request,
    extension_needs_the_revision,
    extensions_that_race_add_all_or_nothing,
    extension_needs_an_open_flow,
    extension_is_checked,
    extension_touches_few_nodes,
];

/// How often two extensions race, each time with another head start.
const RACES: usize = 64;

/// An edge from a node that has ended counts at once: the new node runs, or is skipped, and takes the
/// failure that it runs because of. One from a node that has not ended is waited for.
pub(crate) async fn extension_counts_ended_parents(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "").await?;
    fx.complete_nodes(id, "a").await?;
    fx.end(id, "b", Failed).await?;

    fx.extend(id, "d e f g h", "a>d b>e b!f a>g c>g e>h").await?;

    let states = "a completed, b failed, c ready, d ready, e skipped, f ready, g blocked, h skipped";
    fx.assert_states(id, states).await?;
    fx.complete_nodes(id, "c d f g").await?;
    fx.assert_flow_is(id, FlowState::Completed).await
}

/// A new edge into a node that has not started makes it wait again, whether it was ready, delayed or
/// blocked; an edge that is satisfied already lets it run as before.
pub(crate) async fn extension_holds_back_what_has_not_started(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("a b c", "a>c")?;
    let mut later = nodes(&fx, "d")?.remove(0);
    later.submission = later.submission.with_delay_until(fx.in_ms(1_000).await);
    spec.add_node(later);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;

    fx.extend(id, "x", "x>b x>c x>d").await?;

    fx.assert_states(id, "a ready, b blocked, c blocked, d blocked, x ready").await?;
    ensure_eq!(fx.claim_node_if_any("b").await?.map(|task| task.execution_id), None);
    fx.complete_nodes(id, "x").await?;
    fx.assert_states(id, "a ready, b ready, c blocked, d delayed, x completed").await?;
    fx.extend(id, "", "x>a").await?;
    fx.assert_states(id, "a ready, b ready, c blocked, d delayed, x completed").await?;
    fx.complete_nodes(id, "a b c").await?;
    fx.advance(1_000).await;
    fx.settle().await?;
    fx.complete_nodes(id, "d").await
}

/// An edge into a node that runs, has run or has ended is refused and names it, and nothing of the
/// extension is done.
pub(crate) async fn extension_refuses_started_nodes(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d", "c>d").await?;
    fx.claim_node("a").await?;
    fx.complete_nodes(id, "b").await?;
    fx.end(id, "c", Failed).await?;
    let before = fx.snapshot().await;

    for key in ["a", "b", "d"] {
        let request = fx.extension(id, "x", &format!("x>{key}")).await?;
        assert_code(fx.backend.extend_flow(&request).await, "graph_node_started")?;
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A repeat gives the first outcome and adds nothing, also after another extension and after the end
/// of the flow.
pub(crate) async fn extension_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a", "").await?;
    let first = fx.extension(id, "b", "a>b").await?;
    let outcome = fx.backend.extend_flow(&first).await?;
    ensure_eq!(outcome.revision, 2);
    fx.extend(id, "c", "b>c").await?;

    for key in ["a", "b", "c", ""] {
        let before = fx.snapshot().await;
        ensure_eq!(fx.backend.extend_flow(&first).await?, outcome);
        ensure_eq!(fx.snapshot().await, before);
        fx.complete_nodes(id, key).await?;
    }
    Ok(())
}

/// A repeat that was made anew for the revision that the flow has by it gives the first outcome, too.
pub(crate) async fn extension_is_known_by_its_request(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a", "").await?;
    let first = fx.extension(id, "b", "a>b").await?;
    let outcome = fx.backend.extend_flow(&first).await?;
    let before = fx.snapshot().await;

    let mut again = fx.extension(id, "b", "a>b").await?;
    again.request_id = first.request_id;

    ensure_eq!(fx.backend.extend_flow(&again).await?, outcome);
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// An extension of another revision than the flow has, or of another number of nodes, is refused and
/// told the revision.
pub(crate) async fn extension_needs_the_revision(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a", "").await?;
    let stale = fx.extension(id, "b", "a>b").await?;
    fx.extend(id, "c", "a>c").await?;
    let before = fx.snapshot().await;

    let mut miscounted = ExtendFlow::new(fx.ids.request_id(), id, 2, 1);
    miscounted.add_node(nodes(&fx, "d")?.remove(0));
    let mut early = ExtendFlow::new(fx.ids.request_id(), id, 3, 2);
    early.add_node(nodes(&fx, "e")?.remove(0));
    for request in [stale, miscounted, early] {
        let error = refused(fx.backend.extend_flow(&request).await)?;
        ensure_eq!(error.code(), "conflict_flow_revision");
        let kind = match error {
            EngineError::Flow { kind, .. } => Some(kind),
            _ => None,
        };
        ensure_eq!(kind, Some(FlowProblem::Revision { actual: 2 }));
    }

    ensure_eq!(fx.snapshot().await, before);
    fx.assert_states(id, "a ready, c blocked").await
}

/// An extension that names the revision which another is just making either comes too early, and adds nothing, or
/// adds all of it.
pub(crate) async fn extensions_that_race_add_all_or_nothing(fx: Fixture) -> CaseResult {
    for yields in 0..RACES {
        let id = fx.submit_flow("a b c", "").await?;
        let first = fx.extension(id, "", "a>b").await?;
        let mut second = ExtendFlow::new(fx.ids.request_id(), id, 2, 3);
        edges("a>c")?.into_iter().for_each(|edge| second.add_edge(edge));
        let backend = fx.backend.clone();
        let racing = tokio::spawn(async move {
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            backend.extend_flow(&second).await
        });
        fx.backend.extend_flow(&first).await?;
        let states = match racing.await? {
            Ok(_) => "a ready, b blocked, c blocked",
            Err(error) if error.code() == "conflict_flow_revision" => {
                "a ready, b blocked, c ready"
            }
            Err(error) => return Err(error.into()),
        };
        fx.assert_states(id, states).await?;
    }
    Ok(())
}

/// A flow that has ended, or is being cancelled, does not grow.
pub(crate) async fn extension_needs_an_open_flow(fx: Fixture) -> CaseResult {
    let ended = fx.submit_flow("a", "").await?;
    fx.complete_nodes(ended, "a").await?;
    let request = fx.extension(ended, "b", "a>b").await?;
    assert_code(fx.backend.extend_flow(&request).await, "flow_ended")?;

    let cancelled = fx.submit_flow("a", "").await?;
    fx.claim_node("a").await?;
    fx.cancel_flow(cancelled, CancelFlowPolicy::FlowOnly).await?;
    let request = fx.extension(cancelled, "b", "a>b").await?;
    assert_code(fx.backend.extend_flow(&request).await, "flow_cancelled")
}

/// New nodes and edges are checked together with those that are there, and an extension has to add
/// something.
pub(crate) async fn extension_is_checked(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c:2 d", "a>b a>c b>c").await?;
    let before = fx.snapshot().await;
    let bad = [
        ("x", "x>z", "graph_unknown_node"),
        ("a", "", "graph_duplicate_node"),
        ("x x", "", "graph_duplicate_node"),
        ("", "a>b", "graph_duplicate_edge"),
        ("x", "x>b x!b", "graph_duplicate_edge"),
        ("", "b>b", "graph_self_edge"),
        ("", "c>a", "graph_cycle"),
        ("x", "c>x x>a", "graph_cycle"),
        ("x:2", "a>x", "graph_quorum"),
    ];

    for (nodes, edges, code) in bad {
        let request = fx.extension(id, nodes, edges).await?;
        assert_code(fx.backend.extend_flow(&request).await, code)?;
    }
    let nothing = fx.extension(id, "", "").await?;
    assert_invalid(fx.backend.extend_flow(&nothing).await, "extension")?;
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// The new edges touch a bounded number of the nodes that are there.
pub(crate) async fn extension_touches_few_nodes(fx: Fixture) -> CaseResult {
    let most = limits::FLOW_EXTENSION_TOUCHED_MAX;
    let keys: Vec<_> = (0..=most).map(|index| format!("n{index}")).collect();
    let id = fx.submit_flow(&keys.join(" "), "").await?;
    let before = fx.snapshot().await;

    let mut request = fx.extension(id, "x", "").await?;
    for key in &keys {
        request.add_edge(edges(&format!("{key}>x"))?.remove(0));
    }
    assert_too_large(fx.backend.extend_flow(&request).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    let mut request = fx.extension(id, "x", "").await?;
    for key in &keys[1..] {
        request.add_edge(edges(&format!("{key}>x"))?.remove(0));
    }
    fx.backend.extend_flow(&request).await?;
    Ok(())
}
