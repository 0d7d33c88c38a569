//! Edges and joins: what decides whether a node runs.

use ff_types::{ExecutionState, FlowId, TerminalOutcome};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};

use TerminalOutcome::{Cancelled, Completed, Expired, Failed};

pub(crate) const CASES: &[Case] = &cases!["flow":
    all_waits_for_every_parent,
    any_runs_with_the_first,
    quorum_runs_with_enough,
    fires_once,
    conditions_decide,
    order_independent,
    skip_spreads,
    remaining_are_cancelled,
    needed_siblings_are_spared,
];

/// A node whose join is `All` runs when its last parent has succeeded, and no sooner.
pub(crate) async fn all_waits_for_every_parent(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c j", "a>j b>j c>j").await?;

    fx.complete_nodes(id, "c a").await?;
    fx.assert_states(id, "a completed, b ready, c completed, j blocked").await?;
    fx.complete_nodes(id, "b").await?;

    fx.assert_states(id, "a completed, b completed, c completed, j ready").await?;
    fx.complete_nodes(id, "j").await
}

/// A node whose join is `Any` runs when the first parent has succeeded, after whatever failures.
pub(crate) async fn any_runs_with_the_first(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c j:any", "a>j b>j c>j").await?;

    fx.end(id, "b", Failed).await?;
    fx.assert_states(id, "a ready, b failed, c ready, j blocked").await?;
    fx.complete_nodes(id, "c").await?;

    fx.assert_states(id, "a ready, b failed, c completed, j ready").await?;
    fx.complete_nodes(id, "j").await
}

/// A node whose join is a quorum runs when so many parents have succeeded, and is skipped when so
/// many cannot any more.
pub(crate) async fn quorum_runs_with_enough(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c j:2", "a>j b>j c>j").await?;
    fx.end(id, "a", Failed).await?;
    fx.complete_nodes(id, "b").await?;
    fx.assert_states(id, "a failed, b completed, c ready, j blocked").await?;
    fx.complete_nodes(id, "c").await?;
    fx.assert_states(id, "a failed, b completed, c completed, j ready").await?;
    fx.complete_nodes(id, "j").await?;

    let id = fx.submit_flow("a b c j:2", "a>j b>j c>j").await?;
    fx.end(id, "a", Failed).await?;
    fx.end(id, "b", Failed).await?;
    fx.assert_states(id, "a failed, b failed, c ready, j skipped").await
}

/// A node that runs, or ran, does not run again for another parent that ends.
pub(crate) async fn fires_once(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d j:any k:any", "a>j b>j c>j d>j a>k b>k").await?;
    fx.complete_nodes(id, "a").await?;
    let leases = async |id| CaseResult::Ok(fx.describe(id).await?.epoch.0);
    let (j, k) = (fx.member(id, "j").await?, fx.member(id, "k").await?);

    fx.complete_nodes(id, "k b").await?;
    let task = fx.claim_node("j").await?;
    fx.complete_nodes(id, "c").await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.end(id, "d", Failed).await?;

    ensure!(fx.claim_node_if_any("j").await?.is_none(), "j runs again");
    ensure!(fx.claim_node_if_any("k").await?.is_none(), "k runs again");
    ensure_eq!((leases(j).await?, leases(k).await?), (1, 1), "the leases of the joins");
    let ended = "a completed, b completed, c completed, d failed, j completed, k completed";
    fx.assert_states(id, ended).await
}

/// Each end of a parent satisfies the edges that ask for it and makes the others impossible: success,
/// failure in its three forms, and being skipped.
pub(crate) async fn conditions_decide(fx: Fixture) -> CaseResult {
    let expected = [
        (Completed, "completed", "ready, f skipped, e ready"),
        (Failed, "failed", "skipped, f ready, e ready"),
        (Cancelled, "cancelled", "skipped, f ready, e ready"),
        (Expired, "expired", "skipped, f ready, e ready"),
    ];
    for (outcome, end, expected) in expected {
        let fx = fx.second().await?;
        let id = fx.submit_flow("a s f e", "a>s a!f a*e").await?;
        fx.end(id, "a", outcome).await?;
        fx.assert_states(id, &format!("a {end}, s {expected}")).await?;
    }

    let id = fx.submit_flow("a b s f e", "a>b b>s b!f b*e").await?;
    fx.end(id, "a", Failed).await?;
    fx.assert_states(id, "a failed, b skipped, s skipped, f skipped, e ready").await
}

/// How every node and the flow end depends on how the nodes end that run, and not on the order in
/// which they do: for every order of the parents, over graphs with each join and condition.
pub(crate) async fn order_independent(fx: Fixture) -> CaseResult {
    const ORDERS: [[usize; 3]; 6] =
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let graphs = [
        ("a b c j x", "a>j b>j c>j j>x"),
        ("a b c j:any x", "a>j b>j c>j j>x"),
        ("a b c j:2 x:any", "a>j b>j c>j j>x c!x"),
        ("a b c j k:any x", "a>j b!j c*j a!k b>k c>k j*x k*x"),
        ("r a b c j:2 k", "r>a r>b r>c a>j b>j c!j a!k b*k"),
    ];
    for (nodes, edges) in graphs {
        for failing in 0..8_u8 {
            let mut first = None;
            for order in ORDERS {
                let id = fx.submit_flow(nodes, edges).await?;
                play(&fx, id, order, failing).await?;
                let ended = (fx.states(id).await?, fx.seen(id).await?.view.summary.state);
                let expected = first.get_or_insert_with(|| ended.clone());
                ensure_eq!(ended, *expected, "{edges} in the order {order:?}, {failing:03b}");
            }
        }
    }
    Ok(())
}

/// Ends `a`, `b` and `c` in this order, those of which the bit is set without success, and then all
/// that runs with success.
async fn play(fx: &Fixture, id: FlowId, order: [usize; 3], failing: u8) -> CaseResult {
    let is_ready = |states: &str, key: &str| states.contains(&format!("{key} ready"));
    if is_ready(&fx.states(id).await?, "r") {
        fx.complete_nodes(id, "r").await?;
    }
    for at in order {
        let outcome = match (failing & (1 << at) != 0, at) {
            (false, _) => Completed,
            (true, 1) => Cancelled,
            (true, _) => Failed,
        };
        fx.end(id, ["a", "b", "c"][at], outcome).await?;
    }
    for key in ["j", "k", "x"] {
        if is_ready(&fx.states(id).await?, key) {
            fx.complete_nodes(id, key).await?;
        }
    }
    Ok(())
}

/// What cannot run any more is skipped at once, and so is all that depends on it, at any depth;
/// what can still run is not.
pub(crate) async fn skip_spreads(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a x b c d e j:any f", "a>b b>c c>d d>e d>j x>j c*f").await?;

    fx.end(id, "a", Failed).await?;

    let skipped = "b skipped, c skipped, d skipped, e skipped";
    fx.assert_states(id, &format!("a failed, x ready, {skipped}, j blocked, f ready")).await?;
    let member = fx.member(id, "d").await?;
    ensure_eq!(fx.describe(member).await?.epoch.0, 0, "a skipped node had a lease");
    fx.end(id, "x", Failed).await?;
    fx.assert_states(id, &format!("a failed, x failed, {skipped}, j skipped, f ready")).await
}

/// Once the join of a node that asks for it is decided, its parents that have not ended are
/// cancelled: at once where they wait, and by word to the worker where they run.
pub(crate) async fn remaining_are_cancelled(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d j:any! p q k!", "a>j b>j c>j d>j p>k q>k").await?;
    let running = fx.claim_node("b").await?;
    let held = fx.member(id, "c").await?;
    fx.backend.hold(&fx.hold_request(held)).await?;

    fx.complete_nodes(id, "a").await?;
    fx.end(id, "p", Failed).await?;

    let states = "a completed, b active, c cancelled, d cancelled, j ready";
    fx.assert_states(id, &format!("{states}, p failed, q cancelled, k skipped")).await?;
    let renewed = fx.backend.renew(&running.handle).await;
    crate::expect::assert_state(renewed, "cancel_requested")?;
    fx.backend.cancel(&running.handle, "told to stop").await?;
    let states = "a completed, b cancelled, c cancelled, d cancelled, j ready";
    fx.assert_states(id, &format!("{states}, p failed, q cancelled, k skipped")).await
}

/// A parent that another node still waits for is spared, and goes when that one is decided, if it
/// asks for it.
pub(crate) async fn needed_siblings_are_spared(fx: Fixture) -> CaseResult {
    let edges = "a>j b>j c>j b>k c>l d>l";
    let id = fx.submit_flow("a b c d j:any! k l:any!", edges).await?;

    fx.complete_nodes(id, "a").await?;
    fx.assert_states(
        id,
        "a completed, b ready, c ready, d ready, j ready, k blocked, l blocked",
    )
    .await?;
    fx.complete_nodes(id, "d").await?;

    let view = fx.describe(fx.member(id, "b").await?).await?;
    ensure_eq!(view.state, ExecutionState::Ready, "the parent of a node that waits");
    fx.assert_states(
        id,
        "a completed, b ready, c cancelled, d completed, j ready, k blocked, l ready",
    )
    .await?;
    fx.complete_nodes(id, "b k").await
}
