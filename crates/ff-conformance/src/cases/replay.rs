//! `replay`: what ended runs again.

use ff_engine::{ResultOutcome, ResultRequest};
use ff_types::backend::FailureClass;
use ff_types::{AttemptIndex, ExecutionPolicy, ExecutionState, Payload};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_state, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["replay":
    starts_a_new_attempt,
    counters_do_not_leak,
    keeps_a_deadline_ahead,
    needs_an_end,
    forgets_waitpoints,
];

/// From every end an execution is ready at once for `claim`, behind what was ready before; attempts
/// and epochs count on, also from none.
pub(crate) async fn starts_a_new_attempt(fx: Fixture) -> CaseResult {
    let completed = fx.completed().await?.execution_id;
    let failed = fx.running().await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    let unstarted = fx.submit_default().await?;
    fx.backend.cancel_execution(&fx.cancel_request(unstarted, "not needed")).await?;
    let expired = fx.submission("task")?.with_deadline(fx.now().await);
    let expired = fx.submit(&expired).await?;
    fx.settle().await?;
    fx.assert_is(expired, ExecutionState::Expired).await?;
    let waiting = fx.submit_default().await?;
    fx.advance(1).await;

    let ended =
        [(completed, 1), (failed.execution_id, 1), (unstarted, 0), (expired, 0)];
    for (id, next) in ended {
        let outcome = fx.backend.replay(&fx.replay_request(id)).await?;
        ensure_eq!(outcome.next_attempt, AttemptIndex(next), "the next attempt of {id}");
        fx.assert_is(id, ExecutionState::Ready).await?;
    }

    ensure_eq!(fx.claim_one().await?.execution_id, waiting);
    for (id, next) in ended {
        let task = fx.claim_one().await?;
        ensure_eq!((task.execution_id, task.attempt), (id, AttemptIndex(next)));
        ensure_eq!(fx.describe(id).await?.epoch.0, u64::from(next) + 1);
        fx.backend.complete(&task.handle, None).await?;
    }
    Ok(())
}

/// Result, failure, cancellation, progress, retries and reclaims of the old run are gone, and the
/// new run has all of its own.
pub(crate) async fn counters_do_not_leak(fx: Fixture) -> CaseResult {
    let policy =
        ExecutionPolicy::default().with_retry(retry_after(1, 0)).with_max_reclaims(1);
    let first = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let id = first.execution_id;
    fx.backend.fail(&first.handle, &failure(FailureClass::Transient)).await?;
    fx.claim_one().await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let second = fx.reclaim_one().await?;
    ensure_eq!((second.retries, second.reclaims), (1, 1));
    fx.backend.progress(&second.handle, &ff_engine::ProgressRequest::new(90)).await?;
    fx.backend.cancel_execution(&fx.cancel_request(id, "too slow")).await?;
    fx.backend.complete(&second.handle, Some(&Payload::new("old"))).await?;

    fx.backend.replay(&fx.replay_request(id)).await?;

    let view = fx.describe(id).await?;
    ensure_eq!((view.retries, view.reclaims), (0, 0));
    ensure!(view.result.is_none() && view.last_failure.is_none(), "{view:?}");
    ensure!(view.cancel.is_none() && view.ended_at.is_none(), "{view:?}");
    ensure_eq!(view.attempt.and_then(|attempt| attempt.percent), None);
    let pending = fx.backend.result(&ResultRequest::new(id)).await?;
    ensure_eq!(pending, ResultOutcome::Pending(ExecutionState::Ready));

    let third = fx.claim_one().await?;
    ensure_eq!((third.retries, third.reclaims), (0, 0));
    fx.backend.renew(&third.handle).await?;
    fx.backend.fail(&third.handle, &failure(FailureClass::Transient)).await?;
    fx.claim_one().await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let last = fx.reclaim_one().await?;
    ensure_eq!((last.retries, last.reclaims), (1, 1));
    fx.backend.complete(&last.handle, None).await?;
    ensure_eq!(fx.describe(id).await?.result, None);
    Ok(())
}

/// A deadline that has passed is dropped; one that lies ahead still ends the execution.
pub(crate) async fn keeps_a_deadline_ahead(fx: Fixture) -> CaseResult {
    let deadline = fx.in_ms(10_000).await;
    let due = fx.submission("task")?.with_deadline(deadline);
    let task = fx.submit_and_claim(&due).await?;
    let id = task.execution_id;
    fx.backend.complete(&task.handle, None).await?;

    fx.backend.replay(&fx.replay_request(id)).await?;
    ensure_eq!(fx.describe(id).await?.deadline, Some(deadline));
    fx.clock.advance(ms(10_000)).await;
    fx.settle().await?;
    fx.assert_is(id, ExecutionState::Expired).await?;

    fx.backend.replay(&fx.replay_request(id)).await?;
    ensure_eq!(fx.describe(id).await?.deadline, None);
    let task = fx.claim_one().await?;
    ensure_eq!((task.execution_id, task.deadline), (id, None));
    Ok(())
}

/// What has not ended cannot be replayed: ready, delayed, held or running.
pub(crate) async fn needs_an_end(fx: Fixture) -> CaseResult {
    let running = fx.running().await?.execution_id;
    let delayed = fx.submission("task")?.with_delay_until(fx.in_ms(1_000).await);
    let delayed = fx.submit(&delayed).await?;
    let held = fx.submit_default().await?;
    fx.backend.hold(&fx.hold_request(held)).await?;
    let ready = fx.submit_default().await?;
    let before = fx.snapshot().await;

    for id in [running, delayed, held, ready] {
        assert_state(fx.backend.replay(&fx.replay_request(id)).await, "not_terminal")?;
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// The waitpoints of the old run, their signals and what ended its waits are gone: their tokens are
/// refused, and a waitpoint of the same key is another one.
pub(crate) async fn forgets_waitpoints(fx: Fixture) -> CaseResult {
    let (_, old) = fx.waiting().await?;
    fx.send(&old).await?;
    let task = fx.reclaim_one().await?;
    fx.backend.complete(&task.handle, None).await?;

    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;

    let answer = fx.backend.deliver_signal(&fx.signal(&old)).await;
    assert_code(answer, "waitpoint_not_found")?;
    let task = fx.claim_one().await?;
    ensure_eq!(fx.observed(&task).await?, (None, Vec::new()));
    let new = fx.pending(&task, "approval").await?;
    ensure!(new.waitpoint_id != old.waitpoint_id, "the old waitpoint was given again");
    Ok(())
}
