//! `delay`: the attempt pauses and holds nothing.

use ff_engine::{DelayRequest, ProgressRequest};
use ff_types::backend::HandleKind;
use ff_types::{BlockReason, ExecutionState, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_invalid, assert_state, cases, ensure, ensure_eq};
use crate::fixture::LEASE_TTL_MS;

pub(crate) const CASES: &[Case] = &cases!["delay":
    holds_nothing,
    resumes_the_same_attempt,
    past_means_now,
    refused_under_a_pending_cancel,
    limits_are_enforced,
];

/// A paused execution has no lease that could be lost and uses no retry, however long it pauses.
pub(crate) async fn holds_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let until = fx.in_ms(10 * LEASE_TTL_MS).await;

    fx.backend.delay(&task.handle, &DelayRequest::until(until)).await?;

    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Delayed);
    ensure_eq!((view.lease, view.delay_until), (None, Some(until)));
    ensure!(view.reasons.contains(BlockReason::Delay), "paused by {:?}", view.reasons);

    fx.advance(10 * LEASE_TTL_MS - 1).await;
    fx.settle().await?;
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Delayed);
    ensure_eq!((view.retries, view.reclaims), (0, 0));
    ensure!(view.last_failure.is_none(), "a pause is no failure");
    Ok(())
}

/// When the pause is over, the reclaim scanner hands out the same attempt with its progress; `claim`
/// does not.
pub(crate) async fn resumes_the_same_attempt(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.backend.progress(&task.handle, &ProgressRequest::new(40)).await?;
    let until = fx.in_ms(60_000).await;
    fx.backend.delay(&task.handle, &DelayRequest::until(until)).await?;

    fx.advance(59_999).await;
    fx.settle().await?;
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens a millisecond early");

    fx.advance(1).await;
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "claim handed out a paused attempt");
    let resumed = fx.reclaim_one().await?;
    ensure_eq!(resumed.execution_id, task.execution_id);
    ensure_eq!((resumed.attempt, resumed.handle.kind), (task.attempt, HandleKind::Resumed));
    ensure_eq!((resumed.retries, resumed.reclaims), (0, 0));
    let attempt = fx.describe(task.execution_id).await?.attempt;
    ensure_eq!(attempt.and_then(|attempt| attempt.percent), Some(40));
    Ok(())
}

/// A pause until a time that has passed, or until now, gives the attempt to another worker at once.
pub(crate) async fn past_means_now(fx: Fixture) -> CaseResult {
    for until in [TimestampMs::ZERO, fx.now().await] {
        let task = fx.running().await?;

        fx.backend.delay(&task.handle, &DelayRequest::until(until)).await?;

        fx.assert_is(task.execution_id, ExecutionState::Ready).await?;
        let resumed = fx.worker().reclaim_one().await?;
        ensure_eq!((resumed.execution_id, resumed.attempt), (task.execution_id, task.attempt));
        fx.backend.complete(&resumed.handle, None).await?;
    }
    Ok(())
}

/// Under a pending cancellation there is no pause: it is refused, and the holder can cancel.
pub(crate) async fn refused_under_a_pending_cancel(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "stop")).await?;
    let before = fx.snapshot().await;

    let answer = fx.backend.delay(&task.handle, &DelayRequest::now()).await;

    assert_state(answer, "cancel_requested")?;
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.cancel(&task.handle, "as told").await?;
    Ok(())
}

/// A pause ends between the epoch and the end of the year 9999.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let before = fx.snapshot().await;

    for until in [TimestampMs(-1), TimestampMs(limits::TIMESTAMP_MAX_MS + 1)] {
        let answer = fx.backend.delay(&task.handle, &DelayRequest::until(until)).await;
        assert_invalid(answer, "until")?;
    }
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.delay(&task.handle, &DelayRequest::until(TimestampMs::MAX)).await?;
    fx.assert_is(task.execution_id, ExecutionState::Delayed).await
}
