//! A member is an execution like any other.

use ff_engine::{ExplainReason, TaskNode};
use ff_types::{BlockReason, NodeKey, ReasonSet, TerminalOutcome};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::flows::nodes;

pub(crate) const CASES: &[Case] = &cases!["flow":
    claim_tells_the_node,
    member_can_be_submitted_again,
    hold_and_dependencies_are_separate,
    delay_and_dependencies_are_separate,
    skipped_keeps_its_hold_and_delay,
    explain_names_the_parents,
    member_ends_while_it_waits,
];

/// A task says of which flow and which node it is; one of no flow says nothing. The description of
/// an execution says more.
pub(crate) async fn claim_tells_the_node(fx: Fixture) -> CaseResult {
    let alone = fx.running().await?;
    ensure_eq!(alone.node, None);
    ensure_eq!(fx.describe(alone.execution_id).await?.node, None);
    let id = fx.submit_flow("a b", "a>b").await?;

    let task = fx.claim_node("a").await?;

    ensure_eq!(task.node, Some(TaskNode::new(id, NodeKey::new("a")?)));
    let graph = fx.seen(id).await?.nodes;
    for node in graph {
        ensure_eq!(fx.describe(node.execution_id).await?.node, Some((id, node)));
    }
    Ok(())
}

/// A member that is submitted by itself is the one that is there, and one with other content is
/// refused.
pub(crate) async fn member_can_be_submitted_again(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a b", "a>b")?;
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    let member = spec.nodes()[1].submission.clone();

    ensure_eq!(fx.submit(&member).await?, id.member(1));
    let clash = fx.backend.submit(&member.with_priority(1)).await;
    crate::expect::assert_code(clash, "conflict_submission_id")?;

    fx.assert_states(id, "a ready, b blocked").await
}

/// A hold on a node that waits for parents stays when they let it run, and its release does not let it
/// run before they do.
pub(crate) async fn hold_and_dependencies_are_separate(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "a>b a>c").await?;
    let (b, c) = (fx.member(id, "b").await?, fx.member(id, "c").await?);
    fx.backend.hold(&fx.hold_request(b)).await?;
    fx.backend.hold(&fx.hold_request(c)).await?;
    fx.backend.release_hold(&fx.release_hold_request(c)).await?;
    fx.assert_states(id, "a ready, b blocked, c blocked").await?;

    fx.complete_nodes(id, "a").await?;

    fx.assert_states(id, "a completed, b blocked, c ready").await?;
    ensure_eq!(fx.describe(b).await?.reasons, ReasonSet::EMPTY.with(BlockReason::Hold));
    ensure!(fx.claim_node_if_any("b").await?.is_none(), "b is claimed under a hold");
    fx.backend.release_hold(&fx.release_hold_request(b)).await?;
    fx.complete_nodes(id, "b c").await
}

/// A node with a delay runs when its parents let it and its delay is over, whichever is later.
pub(crate) async fn delay_and_dependencies_are_separate(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("a b", "")?;
    for key in ["c", "d"] {
        let mut node = nodes(&fx, key)?.remove(0);
        node.submission = node.submission.with_delay_until(fx.in_ms(1_000).await);
        spec.add_node(node);
    }
    crate::flows::edges("a>c b>d")?.into_iter().for_each(|edge| spec.add_edge(edge));
    let id = fx.backend.submit_flow(&spec).await?.flow_id;

    fx.complete_nodes(id, "a").await?;
    fx.assert_states(id, "a completed, b ready, c delayed, d blocked").await?;
    fx.advance(1_000).await;
    fx.settle().await?;

    fx.assert_states(id, "a completed, b ready, c ready, d blocked").await?;
    let waits = ReasonSet::EMPTY.with(BlockReason::Dependencies);
    ensure_eq!(fx.describe(id.member(3)).await?.reasons, waits);
    fx.complete_nodes(id, "b c d").await
}

/// A node that was skipped and may run after all still waits for the end of its hold and of its delay, but for a
/// delay that has passed meanwhile; while it is skipped none is shown.
pub(crate) async fn skipped_keeps_its_hold_and_delay(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("a held", "")?;
    for (key, ms) in [("late", 60_000), ("over", 1_000)] {
        let mut node = nodes(&fx, key)?.remove(0);
        node.submission = node.submission.with_delay_until(fx.in_ms(ms).await);
        spec.add_node(node);
    }
    crate::flows::edges("a>held a>late a>over")?.into_iter().for_each(|edge| spec.add_edge(edge));
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    let (held, late) = (fx.member(id, "held").await?, fx.member(id, "late").await?);
    fx.backend.hold(&fx.hold_request(held)).await?;
    fx.end(id, "a", ff_types::TerminalOutcome::Failed).await?;
    fx.assert_states(id, "a failed, held skipped, late skipped, over skipped").await?;
    for member in [held, late] {
        let view = fx.describe(member).await?;
        ensure_eq!((view.reasons, view.delay_until), (ReasonSet::EMPTY, None));
    }

    fx.advance(1_000).await;
    fx.backend.replay(&fx.replay_request(fx.member(id, "a").await?)).await?;
    fx.assert_states(id, "a ready, held blocked, late blocked, over blocked").await?;
    fx.complete_nodes(id, "a").await?;

    fx.assert_states(id, "a completed, held blocked, late delayed, over ready").await?;
    fx.complete_nodes(id, "over").await?;
    fx.backend.release_hold(&fx.release_hold_request(held)).await?;
    fx.complete_nodes(id, "held").await?;
    fx.advance(59_000).await;
    fx.settle().await?;
    fx.complete_nodes(id, "late").await
}

/// The explanation of a node that waits for parents says for how many of them.
pub(crate) async fn explain_names_the_parents(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c j:2", "a>j b>j c>j").await?;
    let j = fx.member(id, "j").await?;
    fx.complete_nodes(id, "a").await?;

    let reason = fx.backend.explain(j).await?.reason;
    ensure_eq!(reason, ExplainReason::AwaitingParents { open: 2, total: 3 });

    fx.complete_nodes(id, "b").await?;
    let reason = fx.backend.explain(j).await?.reason;
    ensure!(matches!(reason, ExplainReason::Queued { .. }), "{reason:?}");
    Ok(())
}

/// A node that ends while it waits for parents, cancelled or by its deadline, is over whatever they
/// do, and its children go by how it ended.
pub(crate) async fn member_ends_while_it_waits(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("a", "")?;
    let mut late = nodes(&fx, "late")?.remove(0);
    late.submission = late.submission.with_deadline(fx.in_ms(1_000).await);
    spec.add_node(late);
    for node in nodes(&fx, "b h k")? {
        spec.add_node(node);
    }
    let edges = crate::flows::edges("a>late a>b late!h b!k")?;
    for edge in edges {
        spec.add_edge(edge);
    }
    let id = fx.backend.submit_flow(&spec).await?.flow_id;

    fx.end(id, "b", TerminalOutcome::Cancelled).await?;
    fx.assert_states(id, "a ready, late blocked, b cancelled, h blocked, k ready").await?;
    fx.advance(1_000).await;
    fx.settle().await?;
    fx.assert_states(id, "a ready, late expired, b cancelled, h ready, k ready").await?;
    fx.complete_nodes(id, "a h k").await?;

    let states = "a completed, late expired, b cancelled, h completed, k completed";
    fx.assert_states(id, states).await
}
