//! Cancellations: by an operator or by the holder.

use std::pin::pin;

use ff_engine::{CancelOutcome, DelayRequest};
use ff_types::backend::{CancelFlowPolicy, FailureClass};
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, TerminalOutcome, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, assert_state, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, ms};

pub(crate) const CASES: &[Case] = &cases!["cancel":
    idle_is_cancelled_at_once,
    running_is_told,
    pending_ends_with_the_lease,
    pending_turns_failure_into_cancel,
    ended_is_an_outcome,
    by_its_holder,
    instance_is_told_at_once,
    wait_is_bounded,
];

async fn cancel(fx: &Fixture, id: ExecutionId, reason: &str) -> CaseResult<CancelOutcome> {
    Ok(fx.backend.cancel_execution(&fx.cancel_request(id, reason)).await?)
}

async fn assert_cancelled(fx: &Fixture, id: ExecutionId, reason: &str) -> CaseResult {
    let view = fx.describe(id).await?;
    ensure_eq!(view.state, ExecutionState::Cancelled);
    ensure_eq!(view.cancel.map(|cancel| cancel.reason).as_deref(), Some(reason));
    ensure_eq!(view.ended_at, Some(fx.now().await));
    ensure!(view.reasons.is_empty() && view.lease.is_none(), "something is left of it");
    Ok(())
}

/// One that nobody runs ends at once, whether it is ready, delayed, held, paused, waiting to be
/// reclaimed or promised to a token.
pub(crate) async fn idle_is_cancelled_at_once(fx: Fixture) -> CaseResult {
    let lost = fx.lost().await?.execution_id;
    let promised = fx.token().await?;
    let ready = fx.submit_default().await?;
    let later = fx.in_ms(60_000).await;
    let delayed = fx.submit(&fx.submission("task")?.with_delay_until(later)).await?;
    let held = fx.submit_default().await?;
    fx.backend.hold(&fx.hold_request(held)).await?;

    for id in [lost, ready, delayed, held] {
        ensure_eq!(cancel(&fx, id, "not needed").await?, CancelOutcome::Cancelled);
        assert_cancelled(&fx, id, "not needed").await?;
    }
    let paused = fx.running().await?;
    fx.backend.delay(&paused.handle, &DelayRequest::until(later)).await?;
    ensure_eq!(cancel(&fx, paused.execution_id, "nor this").await?, CancelOutcome::Cancelled);
    assert_cancelled(&fx, paused.execution_id, "nor this").await?;

    let answer = fx.backend.claim_from_reclaim(&promised, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;
    ensure!(fx.claim_if_any().await?.is_none(), "a cancelled execution was handed out");
    ensure_eq!(fx.tokens(10).await?.len(), 0, "tokens for cancelled executions");
    Ok(())
}

/// A running one goes on, and its worker is told at the next renewal; the first reason stands.
pub(crate) async fn running_is_told(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;

    ensure_eq!(cancel(&fx, task.execution_id, "first").await?, CancelOutcome::Requested);
    ensure_eq!(cancel(&fx, task.execution_id, "second").await?, CancelOutcome::Requested);

    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Active);
    ensure_eq!(view.cancel.map(|cancel| cancel.reason).as_deref(), Some("first"));
    assert_state(fx.backend.renew(&task.handle).await, "cancel_requested")?;
    fx.backend.cancel(&task.handle, "as told").await?;
    assert_cancelled(&fx, task.execution_id, "first").await
}

/// When the worker never answers, a pending cancellation takes effect as the lease runs out or the
/// attempt times out: no other attempt starts. A deadline that passes first is a deadline missed.
pub(crate) async fn pending_ends_with_the_lease(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    cancel(&fx, task.execution_id, "stop").await?;

    fx.advance(LEASE_TTL_MS - 1).await;
    fx.settle().await?;
    fx.assert_is(task.execution_id, ExecutionState::Active).await?;

    fx.advance(1).await;
    fx.settle().await?;
    assert_cancelled(&fx, task.execution_id, "stop").await?;

    let policy = ExecutionPolicy::default().with_attempt_timeout(ms(2_000));
    let timed = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let deadline = fx.in_ms(2_000).await;
    let late = fx.submit_and_claim(&fx.submission("task")?.with_deadline(deadline)).await?;
    for id in [timed.execution_id, late.execution_id] {
        ensure_eq!(cancel(&fx, id, "stop").await?, CancelOutcome::Requested);
    }
    fx.advance(2_000).await;
    fx.settle().await?;
    assert_cancelled(&fx, timed.execution_id, "stop").await?;
    ensure_eq!(fx.describe(timed.execution_id).await?.retries, 0);
    let expired = fx.describe(late.execution_id).await?;
    ensure_eq!(expired.state, ExecutionState::Expired);
    ensure_eq!(expired.ended_at, Some(deadline));

    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "an ended execution was handed out");
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for an ended execution");
    Ok(())
}

/// A failure under a pending cancellation is the cancellation, whatever its class and however many
/// retries are left.
pub(crate) async fn pending_turns_failure_into_cancel(fx: Fixture) -> CaseResult {
    for class in [
        FailureClass::Transient,
        FailureClass::Timeout,
        FailureClass::Permanent,
        FailureClass::InfraCrash,
        FailureClass::Cancelled,
    ] {
        let task = fx.running().await?;
        cancel(&fx, task.execution_id, "stop").await?;

        fx.backend.fail(&task.handle, &failure(class)).await?;

        assert_cancelled(&fx, task.execution_id, "stop").await?;
    }
    Ok(())
}

/// One that had ended stays as it ended, and the answer says how.
pub(crate) async fn ended_is_an_outcome(fx: Fixture) -> CaseResult {
    let completed = fx.completed().await?;
    let failed = fx.running().await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    let cancelled = fx.submit_default().await?;
    cancel(&fx, cancelled, "before").await?;
    let before = fx.snapshot().await;

    for (id, outcome) in [
        (completed.execution_id, TerminalOutcome::Completed),
        (failed.execution_id, TerminalOutcome::Failed),
        (cancelled, TerminalOutcome::Cancelled),
    ] {
        let answer = cancel(&fx, id, "too late").await?;
        ensure_eq!(answer, CancelOutcome::AlreadyTerminal(outcome));
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// The holder's cancel ends it at once with its reason, but the reason of a pending cancellation
/// stands before it.
pub(crate) async fn by_its_holder(fx: Fixture) -> CaseResult {
    let alone = fx.running().await?;
    fx.backend.cancel(&alone.handle, "my own").await?;
    assert_cancelled(&fx, alone.execution_id, "my own").await?;

    let told = fx.running().await?;
    cancel(&fx, told.execution_id, "the operator's").await?;
    fx.backend.cancel(&told.handle, "my own").await?;
    assert_cancelled(&fx, told.execution_id, "the operator's").await
}

/// A worker that waits for it hears at once that one of its attempts is to be cancelled, whether by itself
/// or with its flow, and nothing of others; and nothing at the latest when the wait is over.
pub(crate) async fn instance_is_told_at_once(fx: Fixture) -> CaseResult {
    let other = fx.worker();
    let (task, theirs) = (fx.running().await?, other.running().await?);
    let flow = fx.submit_flow("a", "").await?;
    let member = fx.claim_node("a").await?;
    let instance = fx.policy().instance;
    let wait = |max_wait_ms| fx.faultless.await_cancels(instance, ms(max_wait_ms));

    let mut brief = pin!(wait(50));
    begin(&fx, brief.as_mut()).await?;
    let cancel = fx.cancel_request(theirs.execution_id, "theirs");
    fx.backend.cancel_execution(&cancel).await?;
    let over = async {
        loop {
            let moment = async {
                fx.advance(50).await;
                fx.let_others_run().await;
            };
            tokio::select! {
                biased;
                heard = &mut brief => break heard,
                () = moment => {}
            }
        }
    };
    let heard = fx.promptly(over).await??;
    ensure!(heard.is_empty(), "it heard of another's: {heard:?}");

    let mut first = pin!(wait(limits::MAX_WAIT_MAX_MS));
    begin(&fx, first.as_mut()).await?;
    let cancel = fx.cancel_request(task.execution_id, "ours");
    fx.backend.cancel_execution(&cancel).await?;
    ensure_eq!(fx.promptly(first).await??, [task.execution_id]);
    fx.backend.cancel(&task.handle, "as asked").await?;

    let mut second = pin!(wait(limits::MAX_WAIT_MAX_MS));
    begin(&fx, second.as_mut()).await?;
    fx.cancel_flow(flow, CancelFlowPolicy::CancelAll).await?;
    ensure_eq!(fx.promptly(second).await??, [member.execution_id]);
    Ok(())
}

/// Lets a wait get to where it waits.
async fn begin<T>(fx: &Fixture, wait: impl Future<Output = T>) -> CaseResult {
    tokio::select! {
        biased;
        _ = wait => Err(CaseError::new("the wait was over at once")),
        () = fx.let_others_run() => Ok(()),
    }
}

/// A wait over 60 s is refused, and the field is named.
pub(crate) async fn wait_is_bounded(fx: Fixture) -> CaseResult {
    let longest = limits::MAX_WAIT_MAX_MS;
    let wait = fx.backend.await_cancels(fx.policy().instance, ms(longest + 1)).await;
    assert_invalid(wait, "max_wait")
}
