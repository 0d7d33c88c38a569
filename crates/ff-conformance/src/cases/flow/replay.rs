//! `replay` of a member: its flow goes on as if it had not ended.

use ff_types::backend::CancelFlowPolicy;
use ff_types::{FlowState, TerminalOutcome};

use TerminalOutcome::{Cancelled, Failed};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_state, cases, ensure_eq};
use crate::flows::RETENTION;

pub(crate) const CASES: &[Case] = &cases!["flow":
    replay_waits_for_parents,
    replay_unskips_children,
    replay_holds_children_back,
    replay_takes_failures,
    failure_is_left_by_who_does_not_run,
    replay_reopens_the_flow,
    replay_of_a_skipped_node_is_refused,
    replay_in_a_cancelled_flow_is_refused,
    replay_lifts_a_cancellation,
];

impl Fixture {
    /// Replays the node of this key.
    async fn replay_node(&self, id: ff_types::FlowId, key: &str) -> CaseResult {
        let member = self.member(id, key).await?;
        self.backend.replay(&self.replay_request(member)).await?;
        Ok(())
    }
}

/// A replayed node is ready at once when its edges let it run, and waits for those parents that have
/// been replayed before it.
pub(crate) async fn replay_waits_for_parents(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "a>b b>c").await?;
    fx.complete_nodes(id, "a b c").await?;

    fx.replay_node(id, "c").await?;
    fx.assert_states(id, "a completed, b completed, c ready").await?;
    fx.complete_nodes(id, "c").await?;
    fx.replay_node(id, "a").await?;
    fx.replay_node(id, "b").await?;

    fx.assert_states(id, "a ready, b blocked, c completed").await?;
    fx.complete_nodes(id, "a b").await?;
    fx.assert_states(id, "a completed, b completed, c completed").await
}

/// A replay takes the end of a node back: what was skipped because of it, at any depth, waits again,
/// and runs when it now succeeds.
pub(crate) async fn replay_unskips_children(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d x e", "a>b b>c c>d c>e x>e").await?;
    fx.end(id, "x", Failed).await?;
    fx.end(id, "a", Failed).await?;
    fx.assert_flow_is(id, FlowState::Failed).await?;
    let skipped = "b skipped, c skipped, d skipped, x failed, e skipped";
    fx.assert_states(id, &format!("a failed, {skipped}")).await?;

    fx.replay_node(id, "a").await?;

    let waiting = "b blocked, c blocked, d blocked, x failed, e skipped";
    fx.assert_states(id, &format!("a ready, {waiting}")).await?;
    fx.complete_nodes(id, "a b c d").await?;
    let ended = "a completed, b completed, c completed, d completed, x failed, e skipped";
    fx.assert_states(id, ended).await
}

/// A failure counts as taken only by a node that runs: when one that was to run waits again, because of a
/// replay or of a new edge, and is then skipped, the flow fails.
pub(crate) async fn failure_is_left_by_who_does_not_run(fx: Fixture) -> CaseResult {
    let quorum = "p1!c p2!c";
    let held_back = fx.submit_flow("p1 p2 c:2", quorum).await?;
    fx.end(held_back, "p1", Failed).await?;
    fx.end(held_back, "p2", Failed).await?;
    fx.replay_node(held_back, "p1").await?;
    fx.complete_nodes(held_back, "p1").await?;
    fx.assert_states(held_back, "p1 completed, p2 failed, c skipped").await?;
    fx.assert_flow_is(held_back, FlowState::Failed).await?;

    let replayed = fx.submit_flow("p1 p2 c:2", quorum).await?;
    fx.end(replayed, "p1", Failed).await?;
    fx.end(replayed, "p2", Failed).await?;
    fx.complete_nodes(replayed, "c").await?;
    fx.assert_flow_is(replayed, FlowState::Completed).await?;
    fx.replay_node(replayed, "p1").await?;
    fx.replay_node(replayed, "c").await?;
    fx.complete_nodes(replayed, "p1").await?;
    fx.assert_states(replayed, "p1 completed, p2 failed, c skipped").await?;
    fx.assert_flow_is(replayed, FlowState::Failed).await?;

    let extended = fx.submit_flow("p c d", "p!c p!d").await?;
    fx.end(extended, "p", Failed).await?;
    fx.extend(extended, "x", "x!c x!d").await?;
    fx.complete_nodes(extended, "x").await?;
    fx.assert_states(extended, "p failed, c skipped, d skipped, x completed").await?;
    fx.assert_flow_is(extended, FlowState::Failed).await?;

    let other = fx.submit_flow("p c d", "p!c p!d").await?;
    fx.end(other, "p", Failed).await?;
    fx.extend(other, "x", "x!c").await?;
    fx.complete_nodes(other, "d x").await?;
    fx.assert_flow_is(other, FlowState::Completed).await?;
    fx.check().await
}

/// A child that has not started waits again while its parent runs anew; one that has goes on.
pub(crate) async fn replay_holds_children_back(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d:any e", "a>b a>c a>d e>d").await?;
    fx.complete_nodes(id, "a e").await?;
    let running = fx.claim_node("c").await?;

    fx.replay_node(id, "a").await?;

    fx.assert_states(id, "a ready, b blocked, c active, d ready, e completed").await?;
    ensure_eq!(fx.claim_node_if_any("b").await?.map(|task| task.execution_id), None);
    fx.backend.complete(&running.handle, None).await?;
    fx.end(id, "a", Failed).await?;
    fx.assert_states(id, "a failed, b skipped, c completed, d ready, e completed").await
}

/// A replayed node that runs because of a failure takes it, also when it ended before without it.
pub(crate) async fn replay_takes_failures(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a h", "a!h").await?;
    fx.end(id, "h", Cancelled).await?;
    fx.end(id, "a", Failed).await?;
    fx.assert_flow_is(id, FlowState::Failed).await?;

    fx.replay_node(id, "h").await?;
    fx.complete_nodes(id, "h").await?;

    fx.assert_states(id, "a failed, h completed").await?;
    fx.assert_flow_is(id, FlowState::Completed).await
}

/// A flow that had ended is open again by the replay of a member: it ends anew, its retention counts
/// from that end, and a deadline that has passed is dropped.
pub(crate) async fn replay_reopens_the_flow(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a b", "a>b")?.with_retention(RETENTION);
    let spec = spec.with_deadline(fx.in_ms(10_000).await);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.end(id, "a", Failed).await?;
    fx.advance(50_000).await;
    fx.settle().await?;
    fx.assert_flow_is(id, FlowState::Failed).await?;

    fx.replay_node(id, "a").await?;
    fx.assert_flow_is(id, FlowState::Open).await?;
    fx.advance(20_000).await;
    fx.settle().await?;
    fx.assert_states(id, "a ready, b blocked").await?;
    fx.complete_nodes(id, "a b").await?;

    fx.advance(50_000).await;
    fx.settle().await?;
    fx.assert_flow_is(id, FlowState::Completed).await?;
    fx.advance(10_000).await;
    fx.settle().await?;
    assert_code(fx.backend.describe_flow(id).await, "flow_not_found")
}

/// A node whose parents ended so that it cannot run is not replayed: it was skipped, or cancelled
/// before they did.
pub(crate) async fn replay_of_a_skipped_node_is_refused(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "a>b a>c").await?;
    fx.end(id, "c", Cancelled).await?;
    fx.end(id, "a", Failed).await?;
    fx.assert_states(id, "a failed, b skipped, c cancelled").await?;
    let before = fx.snapshot().await;

    for key in ["b", "c"] {
        let member = fx.member(id, key).await?;
        let refused = fx.backend.replay(&fx.replay_request(member)).await;
        assert_state(refused, "dependencies_unmet")?;
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// While a flow is being cancelled, none of its members is replayed: none starts a new attempt.
pub(crate) async fn replay_in_a_cancelled_flow_is_refused(fx: Fixture) -> CaseResult {
    let asked = fx.submit_flow("a b", "").await?;
    fx.complete_nodes(asked, "a").await?;
    let running = fx.claim_node("b").await?;
    fx.cancel_flow(asked, CancelFlowPolicy::CancelAll).await?;
    let before = fx.snapshot().await;

    let member = fx.member(asked, "a").await?;
    let refused = fx.backend.replay(&fx.replay_request(member)).await;

    assert_code(refused, "flow_cancelled")?;
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.cancel(&running.handle, "told").await?;
    fx.assert_flow_is(asked, FlowState::Cancelled).await
}

/// Once a cancelled flow has ended, the replay of a member lifts the cancellation: it and the others that
/// are replayed run again, and the flow ends anew.
pub(crate) async fn replay_lifts_a_cancellation(fx: Fixture) -> CaseResult {
    let spec = fx.flow("c d e", "d>e")?.with_policy(ff_types::FlowPolicy::FailFast);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.end(id, "c", Failed).await?;
    fx.assert_states(id, "c failed, d cancelled, e cancelled").await?;
    fx.assert_flow_is(id, FlowState::Failed).await?;

    fx.replay_node(id, "d").await?;
    fx.assert_flow_is(id, FlowState::Open).await?;
    fx.replay_node(id, "e").await?;
    fx.replay_node(id, "c").await?;
    fx.assert_states(id, "c ready, d ready, e blocked").await?;
    fx.complete_nodes(id, "c d e").await?;

    fx.assert_flow_is(id, FlowState::Completed).await?;
    ensure_eq!(fx.backend.describe_flow(id).await?.cancel, None);
    Ok(())
}
