//! The attempt timeout: how long one attempt may run.

use ff_engine::DelayRequest;
use ff_types::backend::FailureClass;
use ff_types::{ExecutionPolicy, ExecutionState};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_state, cases, ensure_eq};
use crate::fixture::{ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["timeout": is_armed_at_every_claim];

/// However often it renews, an attempt that reaches its timeout fails with class `Timeout` and is
/// retried while retries are left; every claim, also of a paused attempt, arms the timeout anew.
pub(crate) async fn is_armed_at_every_claim(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default()
        .with_attempt_timeout(ms(45_000))
        .with_retry(retry_after(1, 0));
    let first = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let id = first.execution_id;
    fx.advance(25_000).await;
    fx.backend.renew(&first.handle).await?;

    fx.advance(19_999).await;
    fx.settle().await?;
    fx.assert_is(id, ExecutionState::Active).await?;
    fx.advance(1).await;
    assert_state(fx.backend.renew(&first.handle).await, "lease_expired")?;
    fx.settle().await?;

    let view = fx.describe(id).await?;
    ensure_eq!((view.state, view.retries, view.reclaims), (ExecutionState::Ready, 1, 0));
    let failure = view.last_failure.ok_or_else(|| CaseError::new("no failure is kept"))?;
    ensure_eq!((failure.class, failure.attempt), (FailureClass::Timeout, first.attempt));

    let second = fx.claim_one().await?;
    fx.advance(20_000).await;
    fx.backend.delay(&second.handle, &DelayRequest::now()).await?;
    let resumed = fx.reclaim_one().await?;
    ensure_eq!((resumed.attempt, second.attempt), (first.attempt.next(), first.attempt.next()));
    fx.advance(25_000).await;
    fx.backend.renew(&resumed.handle).await?;
    fx.advance(19_999).await;
    fx.settle().await?;
    fx.assert_is(id, ExecutionState::Active).await?;
    fx.advance(1).await;
    fx.settle().await?;
    let view = fx.describe(id).await?;
    ensure_eq!((view.state, view.retries), (ExecutionState::Failed, 1));
    ensure_eq!(view.last_failure.map(|failure| failure.class), Some(FailureClass::Timeout));
    Ok(())
}
