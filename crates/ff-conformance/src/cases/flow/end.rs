//! How a flow ends, by itself, by its policy or by time.

use ff_engine::{ResultOutcome, ResultRequest, TickRequest};
use ff_types::backend::ScannerFilter;
use ff_types::{ExecutionPolicy, FlowId, FlowPolicy, FlowState, Tags, TerminalOutcome};

use TerminalOutcome::{Cancelled, Completed, Expired, Failed};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_state, cases, ensure_eq};
use crate::fixture::ms;
use crate::flows::RETENTION;

pub(crate) const CASES: &[Case] = &cases!["flow":
    failure_fails_the_flow,
    taken_failure_does_not_count,
    fail_fast_cancels_the_rest,
    deadline_fails_it,
    deadline_of_an_ended_flow_does_nothing,
    retention_takes_all,
    scanner_filter_is_honoured,
];

/// A flow ends with its last member: as completed when all that ran succeeded, and as failed when a
/// member failed, expired or was cancelled and that was left to itself. A node that runs after any
/// end does not take a failure.
pub(crate) async fn failure_fails_the_flow(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b", "a>b").await?;
    fx.complete_nodes(id, "a").await?;
    fx.assert_flow_is(id, FlowState::Open).await?;
    fx.complete_nodes(id, "b").await?;
    fx.assert_flow_is(id, FlowState::Completed).await?;

    for outcome in [Failed, Expired, Cancelled] {
        let fx = fx.second().await?;
        let id = fx.submit_flow("a b c", "a>b a*c").await?;
        fx.end(id, "a", outcome).await?;
        fx.assert_flow_is(id, FlowState::Open).await?;
        fx.complete_nodes(id, "c").await?;
        fx.assert_flow_is(id, FlowState::Failed).await?;
        ensure_eq!(fx.seen(id).await?.view.cancel, None, "nobody cancelled it");
    }
    Ok(())
}

/// A failure that a node took does not fail the flow: one that ran because of it, or a join that ran
/// in spite of it, whether it was decided before the failure or after.
pub(crate) async fn taken_failure_does_not_count(fx: Fixture) -> CaseResult {
    let handled = fx.submit_flow("a b h", "a>b a!h").await?;
    fx.end(handled, "a", Failed).await?;
    fx.complete_nodes(handled, "h").await?;
    fx.assert_flow_is(handled, FlowState::Completed).await?;

    for order in [["x", "y"], ["y", "x"]] {
        let any = fx.submit_flow("x y j:any", "x>j y>j").await?;
        for key in order {
            fx.end(any, key, if key == "x" { Failed } else { Completed }).await?;
        }
        fx.complete_nodes(any, "j").await?;
        fx.assert_flow_is(any, FlowState::Completed).await?;
    }

    let late = fx.submit_flow("a b c h:2", "a!h b!h c!h").await?;
    for key in ["a", "b", "c"] {
        fx.end(late, key, Failed).await?;
    }
    fx.complete_nodes(late, "h").await?;
    fx.assert_flow_is(late, FlowState::Completed).await?;

    let skipped = fx.submit_flow("a b h", "a!h b!h").await?;
    fx.end(skipped, "a", Failed).await?;
    fx.complete_nodes(skipped, "b").await?;
    fx.assert_states(skipped, "a failed, b completed, h skipped").await?;
    fx.assert_flow_is(skipped, FlowState::Failed).await
}

/// In a flow that fails fast, a failure that no node may take cancels what waits, at any depth, and
/// tells what runs; the flow ends as failed. A failure that a node may take does neither.
pub(crate) async fn fail_fast_cancels_the_rest(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a b c d e h", "a!h b>c c>d")?.with_policy(FlowPolicy::FailFast);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.end(id, "a", Failed).await?;
    fx.assert_states(id, "a failed, b ready, c blocked, d blocked, e ready, h ready").await?;
    let running = fx.claim_node("e").await?;

    fx.end(id, "b", Failed).await?;

    let states = "a failed, b failed, c skipped, d cancelled, e active, h cancelled";
    fx.assert_states(id, states).await?;
    assert_state(fx.backend.renew(&running.handle).await, "cancel_requested")?;
    fx.backend.complete(&running.handle, None).await?;
    fx.assert_flow_is(id, FlowState::Failed).await
}

/// At its deadline a flow that has not ended is cancelled: what waits ends, what runs is told and
/// starts no other attempt, and the flow ends as failed.
pub(crate) async fn deadline_fails_it(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a b c d", "a>b")?.with_deadline(fx.in_ms(10_000).await);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    let running = fx.claim_node("a").await?;
    fx.complete_nodes(id, "d").await?;

    fx.advance(9_999).await;
    fx.settle().await?;
    fx.assert_states(id, "a active, b blocked, c ready, d completed").await?;
    fx.advance(1).await;
    fx.settle().await?;

    fx.assert_states(id, "a active, b cancelled, c cancelled, d completed").await?;
    fx.assert_flow_is(id, FlowState::Open).await?;
    assert_state(fx.backend.renew(&running.handle).await, "cancel_requested")?;
    let failure = crate::fixture::failure(ff_types::backend::FailureClass::Transient);
    fx.backend.fail(&running.handle, &failure).await?;
    fx.assert_states(id, "a cancelled, b cancelled, c cancelled, d completed").await?;
    fx.assert_flow_is(id, FlowState::Failed).await
}

/// A flow that ended before its deadline stays as it ended when the deadline passes.
pub(crate) async fn deadline_of_an_ended_flow_does_nothing(fx: Fixture) -> CaseResult {
    let spec = fx.flow("a", "")?.with_deadline(fx.in_ms(1_000).await);
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.complete_nodes(id, "a").await?;
    let before = fx.snapshot().await;

    fx.advance(1_000).await;
    fx.settle().await?;

    ensure_eq!(fx.snapshot().await, before);
    fx.assert_flow_is(id, FlowState::Completed).await
}

/// Flow and members are there until the flow's retention has passed since its end, whatever the
/// members' own retention, and then go together without a trace.
pub(crate) async fn retention_takes_all(fx: Fixture) -> CaseResult {
    let mut spec = fx.flow("", "")?.with_retention(RETENTION);
    for (key, retention) in [("a", 0), ("b", 120_000), ("c", 0)] {
        let mut node = crate::flows::nodes(&fx, key)?.remove(0);
        let policy = ExecutionPolicy::default().with_retention(ms(retention));
        node.submission = node.submission.with_policy(policy);
        spec.add_node(node);
    }
    crate::flows::edges("a>b b!c")?.into_iter().for_each(|edge| spec.add_edge(edge));
    let id = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.complete_nodes(id, "a").await?;
    fx.advance(30_000).await;
    fx.settle().await?;
    fx.complete_nodes(id, "b").await?;

    fx.advance(59_999).await;
    fx.settle().await?;
    fx.assert_states(id, "a completed, b completed, c skipped").await?;
    fx.advance(1).await;
    fx.settle().await?;

    assert_code(fx.backend.describe_flow(id).await, "flow_not_found")?;
    for index in 0..3 {
        let gone = fx.backend.describe_execution(id.member(index)).await;
        assert_code(gone, "execution_not_found")?;
    }
    ensure_eq!(fx.leftovers().await, 0, "what is left");
    Ok(())
}

/// A filtered scanner does what is due of the flows that have its tag, whatever the tags of their
/// members, and of no others.
pub(crate) async fn scanner_filter_is_honoured(fx: Fixture) -> CaseResult {
    let soon = fx.in_ms(10).await;
    let submit = async |team: &str| {
        let tags = Tags::new().with("team", team)?;
        let spec = fx.flow("a b", "a>b")?.with_tags(tags).with_deadline(soon);
        CaseResult::<FlowId>::Ok(fx.backend.submit_flow(&spec).await?.flow_id)
    };
    let (red, blue) = (submit("red").await?, submit("blue").await?);
    fx.advance(10).await;

    let filter = ScannerFilter::new().with_instance_tag("team", "blue");
    fx.backend.tick(&TickRequest::all().with_filter(filter)).await?;

    fx.assert_flow_is(blue, FlowState::Failed).await?;
    fx.assert_states(blue, "a cancelled, b cancelled").await?;
    fx.assert_flow_is(red, FlowState::Open).await?;
    fx.settle().await?;
    fx.assert_flow_is(red, FlowState::Failed).await?;
    let ended = fx.backend.result(&ResultRequest::new(red.member(1))).await?;
    let outcome = match ended {
        ResultOutcome::Ended(result) => Some(result.outcome),
        _ => None,
    };
    ensure_eq!(outcome, Some(Cancelled));
    Ok(())
}
