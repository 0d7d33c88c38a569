//! Holds: an operator keeps an execution from running.

use ff_engine::{HoldOutcome, ReleaseHoldOutcome};
use ff_types::backend::FailureClass;
use ff_types::{BlockReason, ExecutionPolicy, ExecutionState};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["hold":
    keeps_it_from_being_claimed,
    withdraws_a_token,
    takes_effect_after_a_running_attempt,
    needs_a_living_execution,
];

/// A held execution is `Blocked` and not handed out until the hold is released; a second hold and a
/// release without a hold are outcomes. Released, it queues behind those that were ready before.
pub(crate) async fn keeps_it_from_being_claimed(fx: Fixture) -> CaseResult {
    let id = fx.submit_default().await?;

    ensure_eq!(fx.backend.hold(&fx.hold_request(id)).await?, HoldOutcome::Held);
    ensure_eq!(fx.backend.hold(&fx.hold_request(id)).await?, HoldOutcome::AlreadyHeld);
    let view = fx.describe(id).await?;
    ensure_eq!(view.state, ExecutionState::Blocked);
    ensure!(view.reasons.contains(BlockReason::Hold), "held by {:?}", view.reasons);
    fx.advance(3_600_000).await;
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "a held execution was handed out");

    let before = fx.submit_default().await?;
    fx.advance(1).await;
    let release = || fx.release_hold_request(id);
    ensure_eq!(fx.backend.release_hold(&release()).await?, ReleaseHoldOutcome::Released);
    ensure_eq!(fx.backend.release_hold(&release()).await?, ReleaseHoldOutcome::NotHeld);
    fx.assert_is(id, ExecutionState::Ready).await?;
    ensure_eq!(fx.claim_one().await?.execution_id, before);
    ensure_eq!(fx.claim_one().await?.execution_id, id);
    Ok(())
}

/// A reclaim token that is out when the hold comes is void, and there is no other until the
/// release.
pub(crate) async fn withdraws_a_token(fx: Fixture) -> CaseResult {
    let task = fx.lost().await?;
    let token = fx.token().await?;

    fx.backend.hold(&fx.hold_request(task.execution_id)).await?;

    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;
    ensure!(!fx.describe(task.execution_id).await?.token_outstanding, "the token is still out");
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for a held execution");

    let release = fx.release_hold_request(task.execution_id);
    fx.backend.release_hold(&release).await?;
    ensure_eq!(fx.reclaim_one().await?.execution_id, task.execution_id);
    Ok(())
}

/// A running attempt goes on under a hold and may end the execution; the hold stands when it gives
/// up its lease in any other way.
pub(crate) async fn takes_effect_after_a_running_attempt(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(9, 0));
    let running = async || {
        let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
        let hold = fx.hold_request(task.execution_id);
        ensure_eq!(fx.backend.hold(&hold).await?, HoldOutcome::Held);
        fx.assert_is(task.execution_id, ExecutionState::Active).await?;
        fx.backend.renew(&task.handle).await?;
        CaseResult::Ok(task)
    };
    let completed = running().await?;
    let failed = running().await?;
    let revoked = running().await?;
    let lost = running().await?;

    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Transient)).await?;
    fx.backend.revoke(&fx.revoke_request(revoked.execution_id)).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;

    fx.assert_is(completed.execution_id, ExecutionState::Completed).await?;
    for task in [failed, revoked, lost] {
        fx.assert_is(task.execution_id, ExecutionState::Blocked).await?;
    }
    ensure!(fx.claim_if_any().await?.is_none(), "a held execution was handed out");
    ensure_eq!(fx.tokens(10).await?.len(), 0, "tokens for held executions");
    Ok(())
}

/// What has ended can neither be held nor released.
pub(crate) async fn needs_a_living_execution(fx: Fixture) -> CaseResult {
    let id = fx.completed().await?.execution_id;
    let before = fx.snapshot().await;

    assert_state(fx.backend.hold(&fx.hold_request(id)).await, "already_terminal")?;
    let release = fx.release_hold_request(id);
    assert_state(fx.backend.release_hold(&release).await, "already_terminal")?;

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}
