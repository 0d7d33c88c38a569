//! `cancel_flow`: no new attempts, and how far it goes with those that there are.

use std::sync::Arc;

use ff_engine::{CancelCause, CancelFlow, CancelFlowOutcome};
use ff_types::backend::{CancelFlowPolicy, CancelFlowWait, FailureClass};
use ff_types::{ExecutionPolicy, ExecutionState, FlowState, TerminalOutcome, limits};

use CancelFlowPolicy::{CancelAll, CancelPending, FlowOnly};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, assert_too_large, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["flow":
    cancel_is_a_barrier,
    cancel_pending_spares_what_started,
    cancel_all_tells_workers,
    cancel_flow_only_marks_it,
    cancelled_ends_as_such,
    cancel_waits_for_the_members,
    cancel_of_an_ended_flow_is_an_outcome,
    cancel_repeat_is_harmless,
    cancel_can_go_further,
    cancel_limits_the_reason,
];

/// Once a cancellation has been answered, no member starts a new attempt, however far it goes: not
/// one that was ready, delayed or blocked, none after a failure and none after a lost lease or a
/// revoke.
pub(crate) async fn cancel_is_a_barrier(fx: Fixture) -> CaseResult {
    for policy in [FlowOnly, CancelPending, CancelAll] {
        let fx = fx.second().await?;
        let mut spec = fx.flow("ready blocked", "ready*blocked")?;
        let mut retrying = crate::flows::nodes(&fx, "fails lost revoked retries")?;
        for node in &mut retrying {
            let policy =
                ExecutionPolicy::default().with_retry(retry_after(5, 0)).with_max_reclaims(5);
            node.submission = node.submission.clone().with_policy(policy);
            spec.add_node(node.clone());
        }
        let id = fx.backend.submit_flow(&spec).await?.flow_id;
        let retries = fx.claim_node("retries").await?;
        fx.backend.fail(&retries.handle, &failure(FailureClass::Transient)).await?;
        let fails = fx.claim_node("fails").await?;
        let revoked = fx.claim_node("revoked").await?;
        let lost = fx.claim_node("lost").await?;

        fx.cancel_flow(id, policy).await?;

        fx.backend.fail(&fails.handle, &failure(FailureClass::Transient)).await?;
        fx.backend.revoke(&fx.revoke_request(revoked.execution_id)).await?;
        fx.advance(LEASE_TTL_MS).await;
        fx.settle().await?;
        assert_state(fx.backend.complete(&lost.handle, None).await, "already_terminal")?;
        for key in ["ready", "blocked", "fails", "lost", "revoked", "retries"] {
            ensure!(fx.claim_node_if_any(key).await?.is_none(), "{key} starts after {policy}");
            let mut scan = fx.reclaim_request(1)?;
            scan.lane = ff_types::LaneId::new(key)?;
            ensure_eq!(fx.backend.reclaimable(&scan).await?.len(), 0, "{key} after {policy}");
        }
        let seen = fx.seen(id).await?;
        ensure_eq!(seen.view.counts.get(&ExecutionState::Cancelled), Some(&6), "{policy}");
        ensure_eq!(seen.view.summary.state, FlowState::Cancelled, "{policy}");
    }
    Ok(())
}

/// `CancelPending` ends what has not started an attempt, and what waits for another one; what runs,
/// pauses or is suspended goes on to its end.
pub(crate) async fn cancel_pending_spares_what_started(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d e", "a>e").await?;
    let running = fx.claim_node("a").await?;
    let waits = fx.claim_node("b").await?;
    let wait = fx.wait_for(&["approval"], ff_engine::SuspendCondition::Any)?;
    let waitpoints = fx.suspend(&waits.handle, &wait).await?;
    let pausing = fx.claim_node("c").await?;
    let pause = ff_engine::DelayRequest::until(fx.in_ms(1_000).await);
    fx.backend.delay(&pausing.handle, &pause).await?;

    fx.cancel_flow(id, CancelPending).await?;

    fx.assert_states(id, "a active, b suspended, c delayed, d cancelled, e cancelled").await?;
    fx.backend.renew(&running.handle).await?;
    fx.backend.complete(&running.handle, None).await?;
    fx.send(&waitpoints[0]).await?;
    fx.advance(1_000).await;
    fx.settle().await?;
    for key in ["b", "c"] {
        let mut scan = fx.reclaim_request(1)?;
        scan.lane = ff_types::LaneId::new(key)?;
        for token in fx.backend.reclaimable(&scan).await? {
            let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
            fx.backend.complete(&task.handle, None).await?;
        }
    }
    fx.assert_states(id, "a completed, b completed, c completed, d cancelled, e cancelled").await?;
    fx.assert_flow_is(id, FlowState::Cancelled).await
}

/// `CancelAll` ends all that holds no lease, also what is suspended or paused, and tells workers at
/// their next renewal; members show the reason.
pub(crate) async fn cancel_all_tells_workers(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c d e", "a>e").await?;
    let running = fx.claim_node("a").await?;
    let waits = fx.claim_node("b").await?;
    let wait = fx.wait_for(&["approval"], ff_engine::SuspendCondition::Any)?;
    fx.suspend(&waits.handle, &wait).await?;
    let pausing = fx.claim_node("c").await?;
    let pause = ff_engine::DelayRequest::until(fx.in_ms(1_000).await);
    fx.backend.delay(&pausing.handle, &pause).await?;

    fx.cancel_flow(id, CancelAll).await?;

    fx.assert_states(id, "a active, b cancelled, c cancelled, d cancelled, e cancelled").await?;
    assert_state(fx.backend.renew(&running.handle).await, "cancel_requested")?;
    for index in 0..5 {
        let cancel = fx.describe(id.member(index)).await?.cancel;
        let reason = cancel.map(|cancel| cancel.reason);
        ensure_eq!(reason.as_deref(), Some("the case cancels it"), "the reason of {index}");
    }
    fx.backend.cancel(&running.handle, "told to").await?;
    fx.assert_flow_is(id, FlowState::Cancelled).await
}

/// `FlowOnly` leaves members as they are; each is cancelled when its turn comes: at the claim, or when
/// its parents let it run.
pub(crate) async fn cancel_flow_only_marks_it(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "b>c").await?;
    let running = fx.claim_node("b").await?;

    fx.cancel_flow(id, FlowOnly).await?;

    fx.assert_states(id, "a ready, b active, c blocked").await?;
    let view = fx.seen(id).await?.view;
    let cancel = view.cancel.map(|cancel| (cancel.cause, cancel.policy, cancel.reason));
    let reason = "the case cancels it".to_owned();
    ensure_eq!(cancel, Some((CancelCause::Requested, FlowOnly, reason)));
    ensure_eq!(view.summary.state, FlowState::Open);
    fx.backend.renew(&running.handle).await?;
    fx.backend.complete(&running.handle, None).await?;
    fx.assert_states(id, "a ready, b completed, c cancelled").await?;
    ensure!(fx.claim_node_if_any("a").await?.is_none(), "a starts");
    fx.assert_states(id, "a cancelled, b completed, c cancelled").await
}

/// A cancelled flow ends as `Cancelled` with its last member, also when every member completed.
pub(crate) async fn cancelled_ends_as_such(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b", "").await?;
    let a = fx.claim_node("a").await?;
    let b = fx.claim_node("b").await?;

    fx.cancel_flow(id, CancelPending).await?;
    fx.backend.complete(&a.handle, None).await?;
    fx.assert_flow_is(id, FlowState::Open).await?;
    fx.backend.complete(&b.handle, None).await?;

    fx.assert_flow_is(id, FlowState::Cancelled).await
}

/// A cancellation waits as asked: not at all, until its time is over, or for the end of the flow;
/// and tells how many members are open.
pub(crate) async fn cancel_waits_for_the_members(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b c", "").await?;
    let a = fx.claim_node("a").await?;
    let b = fx.claim_node("b").await?;
    let request = fx.cancel_flow_request(id, CancelAll);
    let outcome = fx.backend.cancel_flow(&request).await?;
    ensure_eq!(outcome, CancelFlowOutcome::Cancelled { open: 2 }, "without a wait");
    let wait = |wait| {
        let request = fx.cancel_flow_request(id, CancelAll).with_wait(wait);
        let backend = Arc::clone(&fx.faultless);
        tokio::spawn(async move { backend.cancel_flow(&request).await })
    };

    let brief = wait(CancelFlowWait::WaitTimeout(ms(50)));
    let long = wait(CancelFlowWait::WaitTimeout(ms(36_000_000)));
    let patient = wait(CancelFlowWait::WaitIndefinite);
    fx.let_others_run().await;
    ensure!(!brief.is_finished(), "it did not wait");
    fx.backend.complete(&a.handle, None).await?;
    let outcome = fx.as_time_passes(50, brief).await??;
    ensure_eq!(outcome, CancelFlowOutcome::Cancelled { open: 1 }, "when its time is over");
    fx.let_others_run().await;
    ensure!(!long.is_finished() && !patient.is_finished(), "they did not wait");
    fx.backend.complete(&b.handle, None).await?;

    for waiting in [long, patient] {
        let outcome = fx.promptly(waiting).await???;
        ensure_eq!(outcome, CancelFlowOutcome::Cancelled { open: 0 }, "at the end of the flow");
    }
    Ok(())
}

/// A flow that had ended stays as it ended, which is the answer.
pub(crate) async fn cancel_of_an_ended_flow_is_an_outcome(fx: Fixture) -> CaseResult {
    for (outcome, state) in [
        (TerminalOutcome::Completed, FlowState::Completed),
        (TerminalOutcome::Failed, FlowState::Failed),
    ] {
        let id = fx.submit_flow("a", "").await?;
        fx.end(id, "a", outcome).await?;
        let before = fx.snapshot().await;
        let request = fx.cancel_flow_request(id, CancelAll);
        let request = request.with_wait(CancelFlowWait::WaitIndefinite);

        let answer = fx.backend.cancel_flow(&request).await?;

        ensure_eq!(answer, CancelFlowOutcome::AlreadyEnded(state));
        ensure_eq!(fx.snapshot().await, before);
    }
    Ok(())
}

/// A repeat of a cancellation cancels nothing more, whatever has happened since, and is answered as
/// one.
pub(crate) async fn cancel_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b", "").await?;
    let task = fx.claim_node("a").await?;
    let request = fx.cancel_flow_request(id, CancelPending);

    for open in [1, 0] {
        let outcome = fx.backend.cancel_flow(&request).await?;
        ensure_eq!(outcome, CancelFlowOutcome::Cancelled { open });
        let before = fx.snapshot().await;
        ensure_eq!(fx.backend.cancel_flow(&request).await?, outcome);
        ensure_eq!(fx.snapshot().await, before);
        fx.backend.complete(&task.handle, None).await?;
    }

    fx.assert_states(id, "a completed, b cancelled").await
}

/// Another request may go further than those before it, and one that goes less far changes nothing;
/// the first reason stays.
pub(crate) async fn cancel_can_go_further(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a b", "").await?;
    let task = fx.claim_node("a").await?;
    fx.cancel_flow(id, FlowOnly).await?;
    fx.assert_states(id, "a active, b ready").await?;

    fx.cancel_flow(id, CancelPending).await?;
    fx.assert_states(id, "a active, b cancelled").await?;
    fx.backend.renew(&task.handle).await?;
    let further = CancelFlow::new(fx.ids.request_id(), id, "enough is enough");
    fx.backend.cancel_flow(&further).await?;
    assert_state(fx.backend.renew(&task.handle).await, "cancel_requested")?;
    fx.cancel_flow(id, CancelPending).await?;

    let cancel = fx.seen(id).await?.view.cancel;
    let cancel = cancel.map(|cancel| (cancel.policy, cancel.reason));
    ensure_eq!(cancel, Some((CancelAll, "the case cancels it".to_owned())));
    assert_state(fx.backend.renew(&task.handle).await, "cancel_requested")
}

/// A reason has at most 1 KiB.
pub(crate) async fn cancel_limits_the_reason(fx: Fixture) -> CaseResult {
    let id = fx.submit_flow("a", "").await?;
    let before = fx.snapshot().await;
    let most = limits::REASON_MAX_BYTES;

    let over = CancelFlow::new(fx.ids.request_id(), id, "x".repeat(most + 1));
    assert_too_large(fx.backend.cancel_flow(&over).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.cancel_flow(&CancelFlow::new(fx.ids.request_id(), id, "x".repeat(most))).await?;
    fx.assert_flow_is(id, FlowState::Cancelled).await
}
