//! `revoke`: an operator takes a lease away.

use ff_engine::RevokeOutcome;
use ff_types::{ExecutionPolicy, ExecutionState};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, cases, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &cases!["revoke":
    fences_the_holder,
    is_not_a_reclaim,
    ends_a_pending_cancel,
];

/// The holder is told at once that its lease was revoked, and another worker starts a new attempt by
/// way of the reclaim scanner; where no attempt runs, that is an outcome.
pub(crate) async fn fences_the_holder(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let id = task.execution_id;

    ensure_eq!(fx.backend.revoke(&fx.revoke_request(id)).await?, RevokeOutcome::Revoked);

    assert_state(fx.backend.renew(&task.handle).await, "lease_revoked")?;
    assert_state(fx.backend.complete(&task.handle, None).await, "lease_revoked")?;
    fx.assert_is(id, ExecutionState::Ready).await?;
    let before = fx.snapshot().await;
    ensure_eq!(fx.backend.revoke(&fx.revoke_request(id)).await?, RevokeOutcome::NotActive);
    ensure_eq!(fx.snapshot().await, before);

    ensure!(fx.claim_if_any().await?.is_none(), "claim handed out a revoked execution");
    let next = fx.worker().reclaim_one().await?;
    ensure_eq!((next.execution_id, next.attempt), (id, task.attempt.next()));
    fx.backend.complete(&next.handle, None).await?;
    Ok(())
}

/// A revoke uses up neither reclaims nor retries, however often it happens, and is no failure.
pub(crate) async fn is_not_a_reclaim(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_max_reclaims(0);
    let mut task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;

    for _ in 0..3 {
        fx.backend.revoke(&fx.revoke_request(task.execution_id)).await?;
        task = fx.reclaim_one().await?;
        ensure_eq!((task.retries, task.reclaims), (0, 0));
    }

    ensure!(fx.describe(task.execution_id).await?.last_failure.is_none(), "shown as a failure");
    Ok(())
}

/// A revoke under a pending cancellation is the cancellation: no other attempt starts.
pub(crate) async fn ends_a_pending_cancel(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let id = task.execution_id;
    fx.backend.cancel_execution(&fx.cancel_request(id, "stop")).await?;

    ensure_eq!(fx.backend.revoke(&fx.revoke_request(id)).await?, RevokeOutcome::Revoked);

    let view = fx.describe(id).await?;
    ensure_eq!(view.state, ExecutionState::Cancelled);
    ensure_eq!(view.cancel.map(|cancel| cancel.reason).as_deref(), Some("stop"));
    assert_state(fx.backend.renew(&task.handle).await, "already_terminal")?;
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for a cancelled execution");
    Ok(())
}
