//! Leases: one holder at a time, by the store's clock, and nobody else can write.

use std::collections::BTreeSet;

use ff_engine::{DelayRequest, EngineError, Fence, StateKind, Task};
use ff_types::backend::{BackendTag, FailureClass, Handle};
use ff_types::{
    AttemptIndex, ExecutionId, ExecutionPolicy, ExecutionState, LeaseEpoch, LeaseId, RetryPolicy,
    limits,
};
use tokio::task::JoinSet;

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_state, assert_too_large, cases, ensure,
    ensure_eq, refused,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};
use crate::verbs::HolderCall;

pub(crate) const CASES: &[Case] = &cases!["lease":
    single_owner,
    stale_holder_is_fenced,
    every_part_of_the_fence_counts,
    expires_at_the_boundary,
    epoch_rises,
    renew_extends,
    renew_is_capped,
    renew_never_revives,
    renew_reports_cancel,
    renew_batch_answers_each,
    renew_batch_is_bounded,
];

/// However many workers ask at once, an execution has one live lease: nothing is handed out twice
/// and nothing is left behind.
pub(crate) async fn single_owner(fx: Fixture) -> CaseResult {
    const WORKERS: usize = 16;
    let submitted: BTreeSet<_> = fx.submit_many(400).await?.into_iter().collect();
    let mut race: JoinSet<CaseResult<Vec<Task>>> = JoinSet::new();
    for worker in 0..WORKERS {
        let (fx, at_a_time) = (fx.worker(), 1 + u32::try_from(worker % 4)?);
        race.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let tasks = fx.claim_up_to(at_a_time).await?;
                if tasks.is_empty() {
                    return Ok(mine);
                }
                mine.extend(tasks);
                tokio::task::yield_now().await;
            }
        });
    }

    let mut claimed = BTreeSet::new();
    while let Some(worker) = race.join_next().await {
        for task in worker?? {
            let id = task.execution_id;
            ensure!(claimed.insert(id), "{id} was handed out twice");
        }
    }

    ensure_eq!(claimed == submitted, true, "every execution is handed out");
    Ok(())
}

/// A holder whose lease expired, was revoked or was taken over, or whose execution ended without
/// it, changes nothing by any verb.
pub(crate) async fn stale_holder_is_fenced(fx: Fixture) -> CaseResult {
    let expired = fx.running().await?;
    fx.advance(LEASE_TTL_MS).await;
    assert_fenced(&fx, &expired, "lease_expired").await?;
    fx.settle().await?;
    assert_fenced(&fx, &expired, "lease_expired").await?;

    let next = fx.reclaim_one().await?;
    assert_fenced(&fx, &expired, "stale_lease").await?;
    fx.backend.complete(&next.handle, None).await?;
    assert_fenced(&fx, &expired, "stale_lease").await?;

    let revoked = fx.running().await?;
    fx.backend.revoke(&fx.revoke_request(revoked.execution_id)).await?;
    assert_fenced(&fx, &revoked, "lease_revoked").await?;
    let next = fx.reclaim_one().await?;
    assert_fenced(&fx, &revoked, "stale_lease").await?;
    fx.backend.complete(&next.handle, None).await?;

    let deadline = fx.in_ms(5_000).await;
    let ended = fx.submit_and_claim(&fx.submission("task")?.with_deadline(deadline)).await?;
    fx.advance(5_000).await;
    fx.settle().await?;
    fx.assert_is(ended.execution_id, ExecutionState::Expired).await?;
    assert_fenced(&fx, &ended, "already_terminal").await
}

async fn assert_fenced(fx: &Fixture, holder: &Task, code: &str) -> CaseResult {
    let before = fx.snapshot().await;
    for call in HolderCall::ALL {
        let answer = call.make(fx.backend.as_ref(), &holder.handle).await;
        assert_state(answer, code)
            .map_err(|error| CaseError::new(format!("{call:?}, to be {code}: {error}")))?;
        ensure_eq!(fx.snapshot().await, before, "the store after {call:?} as {code}");
    }
    Ok(())
}

/// A handle that differs from the live lease in execution, attempt, epoch or lease id is refused by
/// every verb and changes nothing.
pub(crate) async fn every_part_of_the_fence_counts(fx: Fixture) -> CaseResult {
    let (task, other) = (fx.running().await?, fx.running().await?);
    let tag = fx.backend.tag();
    let fence = Fence::of(&task.handle, tag)?;
    let forged = [
        Fence { execution: other.execution_id, ..fence },
        Fence { attempt: fence.attempt.next(), ..fence },
        Fence { attempt: AttemptIndex(u32::MAX), ..fence },
        Fence { epoch: fence.epoch.next(), ..fence },
        Fence { epoch: LeaseEpoch::ZERO, ..fence },
        Fence { lease: LeaseId::from_u128(fence.lease.as_u128() ^ 1), ..fence },
    ];
    let unknown = Fence { execution: ExecutionId::from_u128(1), ..fence };
    let before = fx.snapshot().await;

    for call in HolderCall::ALL {
        for fence in forged {
            let handle = fence.handle(tag, task.handle.kind);
            assert_state(call.make(fx.backend.as_ref(), &handle).await, "stale_lease")?;
        }
        let handle = unknown.handle(tag, task.handle.kind);
        assert_code(call.make(fx.backend.as_ref(), &handle).await, "execution_not_found")?;
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A lease lives to the millisecond before its expiry and is over at that very millisecond, although
/// no maintenance has run.
pub(crate) async fn expires_at_the_boundary(fx: Fixture) -> CaseResult {
    for call in HolderCall::ALL {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        HolderCall::CreateWaitpoint.make(fx.backend.as_ref(), &task.handle).await?;
        fx.advance(LEASE_TTL_MS - 1).await;
        call.make(fx.backend.as_ref(), &task.handle).await?;
    }

    for call in HolderCall::ALL {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        fx.advance(LEASE_TTL_MS).await;
        let before = fx.snapshot().await;
        let answer = call.make(fx.backend.as_ref(), &task.handle).await;
        assert_state(answer, "lease_expired")?;
        ensure_eq!(fx.snapshot().await, before, "the store after {call:?}");
    }
    Ok(())
}

/// Every lease has the epoch behind the last one: after a retry, a lost lease, a revoke, a pause
/// and a replay alike.
pub(crate) async fn epoch_rises(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(1, 0));
    let id = fx.submit(&fx.submission("task")?.with_policy(policy)).await?;
    let epoch = async || CaseResult::Ok(fx.describe(id).await?.epoch);
    ensure_eq!(epoch().await?, LeaseEpoch::ZERO, "before the first lease");

    let first = fx.claim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(1), "after a claim");
    fx.backend.fail(&first.handle, &failure(FailureClass::Transient)).await?;
    fx.claim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(2), "after a retry");
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    fx.reclaim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(3), "after a lost lease");
    fx.backend.revoke(&fx.revoke_request(id)).await?;
    let revived = fx.reclaim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(4), "after a revoke");
    fx.backend.delay(&revived.handle, &DelayRequest::now()).await?;
    let resumed = fx.reclaim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(5), "after a pause");
    let renewal = fx.backend.renew(&resumed.handle).await?;
    ensure_eq!(renewal.lease_epoch, 5, "a renewal is no new lease");
    fx.backend.complete(&resumed.handle, None).await?;
    fx.backend.replay(&fx.replay_request(id)).await?;
    fx.claim_one().await?;
    ensure_eq!(epoch().await?, LeaseEpoch(6), "after a replay");
    Ok(())
}

/// A renewal lets the lease live for its own TTL from now, as often as it is asked for.
pub(crate) async fn renew_extends(fx: Fixture) -> CaseResult {
    fx.submit_default().await?;
    let mut request = fx.claim_request(crate::fixture::LANE)?;
    request.policy = request.policy.with_lease_ttl(ms(5_000));
    let task = fx.backend.claim(&request).await?.tasks.pop();
    let task = task.ok_or_else(|| CaseError::new("nothing was claimed"))?;

    for _ in 0..5 {
        fx.advance(4_999).await;
        let renewal = fx.backend.renew(&task.handle).await?;
        let expiry = fx.in_ms(5_000).await;
        ensure_eq!(i64::try_from(renewal.expires_at_ms)?, expiry.as_i64());
        let lease = fx.describe(task.execution_id).await?.lease;
        ensure_eq!(lease.map(|lease| lease.expires_at), Some(expiry));
        fx.settle().await?;
    }
    fx.backend.complete(&task.handle, None).await?;
    Ok(())
}

/// A renewal never takes the lease past the attempt's timeout or the execution's deadline.
pub(crate) async fn renew_is_capped(fx: Fixture) -> CaseResult {
    let timeout = ExecutionPolicy::default().with_attempt_timeout(ms(40_000));
    let (start, deadline) = (fx.now().await, fx.in_ms(35_000).await);
    let timed = fx.submit_and_claim(&fx.submission("task")?.with_policy(timeout)).await?;
    let due = fx.submit_and_claim(&fx.submission("task")?.with_deadline(deadline)).await?;
    fx.advance(20_000).await;

    let timed = fx.backend.renew(&timed.handle).await?;
    let due = fx.backend.renew(&due.handle).await?;

    let capped = [timed, due].map(|renewal| renewal.expires_at_ms);
    let expected = [start.saturating_add(ms(40_000)), deadline];
    ensure_eq!(capped.map(u128::from), expected.map(|at| u128::from(at.as_i64().unsigned_abs())));
    Ok(())
}

/// A lease that is over stays over: before maintenance saw it, after, and when another holds the
/// execution.
pub(crate) async fn renew_never_revives(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.advance(LEASE_TTL_MS).await;
    assert_state(fx.backend.renew(&task.handle).await, "lease_expired")?;

    fx.settle().await?;
    assert_state(fx.backend.renew(&task.handle).await, "lease_expired")?;

    let next = fx.reclaim_one().await?;
    assert_state(fx.backend.renew(&task.handle).await, "stale_lease")?;
    fx.backend.renew(&next.handle).await?;
    Ok(())
}

/// Under a pending cancellation a renewal is refused and leaves the lease as it was, so that its
/// holder stops and can still cancel.
pub(crate) async fn renew_reports_cancel(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "stop")).await?;
    fx.advance(10_000).await;
    let before = fx.snapshot().await;

    let error = refused(fx.backend.renew(&task.handle).await)?;

    ensure_eq!(error.state_kind(), Some(StateKind::CancelRequested));
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.cancel(&task.handle, "told to").await?;
    fx.assert_is(task.execution_id, ExecutionState::Cancelled).await
}

/// Each handle of a batch has its own answer, in order, and a refused one touches no other.
pub(crate) async fn renew_batch_answers_each(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(RetryPolicy::none());
    let failed = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let (first, cancelled, last) =
        (fx.running().await?, fx.running().await?, fx.running().await?);
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.cancel_execution(&fx.cancel_request(cancelled.execution_id, "stop")).await?;
    let foreign = Handle::new(
        BackendTag::Custom("elsewhere"),
        last.handle.kind,
        last.handle.opaque.clone(),
    );
    fx.advance(1_000).await;
    let handles = [&first.handle, &failed.handle, &foreign, &cancelled.handle, &last.handle];

    let answers = fx.backend.renew_batch(&handles.map(Clone::clone)).await?;

    let told: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|r| r.expires_at_ms).map_err(EngineError::code))
        .collect();
    let renewed = Ok(u64::try_from(fx.in_ms(LEASE_TTL_MS).await.as_i64())?);
    let expected = [
        renewed,
        Err("already_released"),
        Err("validation"),
        Err("cancel_requested"),
        renewed,
    ];
    ensure_eq!(told, expected);
    let lease = fx.describe(last.execution_id).await?.lease;
    ensure_eq!(lease.map(|lease| lease.expires_at), Some(fx.in_ms(LEASE_TTL_MS).await));
    Ok(())
}

/// A batch of 1,000 handles is renewed, one more is refused and nothing of it is renewed.
pub(crate) async fn renew_batch_is_bounded(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.advance(1_000).await;
    let before = fx.snapshot().await;
    let most = limits::RENEW_BATCH_MAX;

    let over = fx.backend.renew_batch(&vec![task.handle.clone(); most + 1]).await;
    assert_too_large(over, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    let answers = fx.backend.renew_batch(&vec![task.handle.clone(); most]).await?;
    ensure_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), most, "renewals");
    ensure_eq!(fx.backend.renew_batch(&[]).await?.len(), 0, "answers to an empty batch");
    Ok(())
}
