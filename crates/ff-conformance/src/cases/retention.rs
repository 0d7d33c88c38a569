//! Retention: records of ended executions go by themselves.

use ff_engine::{DelayRequest, EngineBackendExt as _, Idempotency, ListRequest};
use ff_types::backend::{CapabilitySet, FailureClass};
use ff_types::{ExecutionPolicy, IdempotencyKey, LaneId, Tags, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, ms};

pub(crate) const CASES: &[Case] = &cases!["retention":
    keeps_until_then,
    nothing_left,
];

/// A record is kept to the last millisecond of its retention, counted from the end, and then gone
/// for every verb; what has not ended is kept however old it is.
pub(crate) async fn keeps_until_then(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retention(ms(10_000));
    let submission = fx.submission("task")?.with_policy(policy);
    let task = fx.submit_and_claim(&submission).await?;
    let id = task.execution_id;
    let default = fx.running().await?;
    let waiting = fx.submit_default().await?;
    fx.advance(20_000).await;
    fx.settle().await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.backend.complete(&default.handle, None).await?;

    fx.advance(9_999).await;
    fx.settle().await?;
    fx.describe(id).await?;

    fx.advance(1).await;
    fx.settle().await?;
    assert_code(fx.backend.describe_execution(id).await, "execution_not_found")?;
    assert_code(fx.backend.complete(&task.handle, None).await, "execution_not_found")?;
    assert_code(fx.backend.replay(&fx.replay_request(id)).await, "execution_not_found")?;

    fx.advance(limits::RETENTION_DEFAULT_MS - 10_001).await;
    fx.settle().await?;
    fx.describe(default.execution_id).await?;
    fx.advance(1).await;
    fx.settle().await?;
    let gone = fx.backend.describe_execution(default.execution_id).await;
    assert_code(gone, "execution_not_found")?;
    fx.describe(waiting).await?;
    Ok(())
}

/// When everything has ended, in every way there is, and retention and idempotency windows have
/// passed, the store holds what an empty one holds.
pub(crate) async fn nothing_left(fx: Fixture) -> CaseResult {
    for round in 0..25_u32 {
        let submission = |variant: u32| {
            let key = IdempotencyKey::new(format!("key-{round}-{variant}"))?;
            let capabilities = CapabilitySet::from_tokens([format!("c{}", variant % 3)])?;
            let mut submission = fx
                .submission("task")?
                .with_tags(Tags::new().with("round", round.to_string())?)
                .with_capabilities(capabilities)
                .with_policy(ExecutionPolicy::default().with_max_reclaims(0))
                .with_idempotency(Idempotency::new(key));
            submission.lane = LaneId::new(format!("lane-{}", round % 4))?;
            CaseResult::Ok(submission)
        };
        let lane = format!("lane-{}", round % 4);
        let all = CapabilitySet::from_tokens(["c0", "c1", "c2"])?;
        for variant in 0..8 {
            fx.submit(&submission(variant)?).await?;
        }
        let mut claim = fx.worker().claim_request(&lane)?;
        claim.capabilities = all;
        claim.policy = claim.policy.with_max_tasks(8);
        let tasks = fx.backend.claim(&claim).await?.tasks;
        ensure_eq!(tasks.len(), 8, "claimed in round {round}");
        fx.backend.complete(&tasks[0].handle, None).await?;
        fx.backend.fail(&tasks[1].handle, &failure(FailureClass::Permanent)).await?;
        fx.backend.fail(&tasks[2].handle, &failure(FailureClass::Transient)).await?;
        fx.backend.cancel(&tasks[3].handle, "enough").await?;
        let until = fx.in_ms(60_000).await;
        fx.backend.delay(&tasks[4].handle, &DelayRequest::until(until)).await?;
        let (retried, paused) = (tasks[2].execution_id, tasks[4].execution_id);
        for id in [retried, paused] {
            fx.backend.cancel_execution(&fx.cancel_request(id, "enough")).await?;
        }
        fx.backend.revoke(&fx.revoke_request(tasks[5].execution_id)).await?;
        let revoked = fx.cancel_request(tasks[5].execution_id, "enough");
        fx.backend.cancel_execution(&revoked).await?;
        let deadline = fx.in_ms(1_000 + u64::from(round)).await;
        fx.submit(&submission(8)?.with_deadline(deadline).with_priority(-1)).await?;
        fx.backend.claim(&fx.worker().claim_request("empty-lane")?).await?;
    }
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    // In a divided store the last of a round may have been claimed before another.
    for waiting in fx.backend.list_all(ListRequest::new(), usize::MAX).await? {
        fx.backend.cancel_execution(&fx.cancel_request(waiting.execution_id, "enough")).await?;
    }
    fx.settle().await?;

    fx.advance(limits::RETENTION_DEFAULT_MS.max(limits::IDEMPOTENCY_WINDOW_DEFAULT_MS)).await;
    fx.settle().await?;

    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}
