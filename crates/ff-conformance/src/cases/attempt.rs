//! Attempts: the runs of an execution.

use ff_engine::DelayRequest;
use ff_types::backend::FailureClass;
use ff_types::{AttemptIndex, ExecutionPolicy};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["attempt": indexes_are_dense];

/// Attempts are numbered 0, 1, 2 … without gaps: a claim, a retry, a lost lease, a revoke and a
/// replay start the next one, and a pause goes on with the same.
pub(crate) async fn indexes_are_dense(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    let first = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let id = first.execution_id;
    fx.backend.fail(&first.handle, &failure(FailureClass::Transient)).await?;
    let retried = fx.claim_one().await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let reclaimed = fx.reclaim_one().await?;
    fx.backend.revoke(&fx.revoke_request(id)).await?;
    let revived = fx.reclaim_one().await?;
    fx.backend.delay(&revived.handle, &DelayRequest::now()).await?;
    let resumed = fx.reclaim_one().await?;
    fx.backend.complete(&resumed.handle, None).await?;
    fx.backend.replay(&fx.replay_request(id)).await?;
    let replayed = fx.claim_one().await?;

    let attempts =
        [first, retried, reclaimed, revived, resumed, replayed].map(|task| task.attempt.0);
    ensure_eq!(attempts, [0, 1, 2, 3, 3, 4]);
    let shown = fx.describe(id).await?.attempt;
    ensure_eq!(shown.map(|attempt| attempt.index), Some(AttemptIndex(4)));
    Ok(())
}
