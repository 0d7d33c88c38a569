//! Leases: renewed while handlers run, and what happens when they end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig, stubborn, until_stopped};
use ff_engine::Clock;
use ff_sdk::StopReason;
use ff_sdk::prelude::*;
use ff_types::{ExecutionPolicy, ExecutionState, TimestampMs};
use tokio::sync::mpsc;

const ALMOST_LEASE_TTL: Duration = Duration::from_millis(9_900);

/// A handler that reports why it was stopped.
fn reporting(
    reasons: mpsc::Sender<Option<StopReason>>,
) -> impl Fn(ClaimedTask, ()) -> std::pin::Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>
+ Send
+ Sync {
    move |task, ()| {
        let reasons = reasons.clone();
        Box::pin(async move {
            task.cancellation().cancelled().await;
            reasons.send(task.stop_reason()).await.permanent()?;
            Err(TaskError::transient("stopped"))
        })
    }
}

#[tokio::test]
async fn renewals_keep_a_long_handler_alive_in_one_call_a_beat() {
    let rig = Rig::new();
    let worker = rig.worker().concurrency(20).handler("wait", stubborn).build().unwrap().start();
    let jobs: Vec<Job> = (0..20).map(|_| Job::new("wait", &())).collect();
    let ids = rig.client.submit_batch(&jobs).await;

    rig.pass(LEASE_TTL * 3).await;

    let calls = rig.backend.renewals.load(Relaxed);
    assert!((8..=9).contains(&calls), "{calls} calls");
    assert_eq!(rig.backend.renewed_leases.load(Relaxed), calls * 20);
    for id in ids {
        let view = rig.client.describe(id.unwrap().id()).await.unwrap();
        assert_eq!((view.state, view.reclaims), (ExecutionState::Active, 0));
    }
    worker.kill().await;
}

#[tokio::test]
async fn a_revoked_lease_trips_the_token() {
    let rig = Rig::new();
    let (reasons, mut reported) = mpsc::channel(8);
    let worker = rig.worker().handler("wait", reporting(reasons)).build().unwrap().start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.client.revoke(id, "moved").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(reported.recv().await, Some(Some(StopReason::LeaseLost)));
    worker.kill().await;
}

#[tokio::test]
async fn a_cancelled_execution_trips_the_token_and_ends_cancelled() {
    let rig = Rig::new();
    let (reasons, mut reported) = mpsc::channel(8);
    let worker = rig.worker().handler("wait", reporting(reasons)).build().unwrap().start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "changed my mind").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(reported.recv().await, Some(Some(StopReason::CancelRequested)));
    let end = rig.client.result::<()>(id).await;
    assert!(matches!(end, Err(ResultError::Cancelled { reason }) if reason == "changed my mind"));
    worker.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_ignores_a_cancel_loses_its_lease() {
    let rig = Rig::new();
    let worker = rig.worker().handler("wait", stubborn).build().unwrap().start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "enough").await.unwrap();
    rig.pass(LEASE_TTL + Duration::from_secs(1)).await;

    assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    worker.kill().await;
}

#[tokio::test]
async fn work_that_is_done_counts_although_a_cancel_is_pending() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("finish", async |task: ClaimedTask, (): ()| {
            task.cancellation().cancelled().await;
            Ok::<_, TaskError>("done anyway")
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("finish", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "too late").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(rig.client.result::<String>(id).await.unwrap(), "done anyway");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_under_a_pending_cancel_outlives_a_call_without_an_answer() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("finish", async |task: ClaimedTask, (): ()| {
            task.cancellation().cancelled().await;
            Ok::<_, TaskError>("done anyway")
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("finish", &())).await;
    rig.settle().await;
    rig.backend.failing_completes.store(3, Relaxed);

    rig.client.cancel(id, "too late").await.unwrap();
    rig.pass(LEASE_TTL).await;

    assert_eq!(rig.client.result::<String>(id).await.unwrap(), "done anyway");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_under_a_pending_cancel_is_given_up_when_the_lease_has_run_out() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("finish", async |task: ClaimedTask, (): ()| {
            task.cancellation().cancelled().await;
            Ok::<_, TaskError>("done anyway")
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("finish", &())).await;
    rig.settle().await;
    rig.backend.failing_completes.store(usize::MAX, Relaxed);

    rig.client.cancel(id, "too late").await.unwrap();
    rig.pass(ALMOST_LEASE_TTL).await;
    assert_eq!(worker.in_hand(), 1);
    rig.pass(Duration::from_millis(200)).await;

    assert_eq!(worker.in_hand(), 0);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_verb_refused_under_a_pending_cancel_hands_its_task_back() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .raw_handler("delay", async |task: ClaimedTask| {
            task.cancellation().cancelled().await;
            let refused = match task.delay(Duration::from_mins(1)).await {
                Ok(settled) => return Ok(settled),
                Err(refused) => refused,
            };
            match refused.task {
                Some(task) => Ok(task.complete_json("cleaned up").await?),
                None => Err(TaskError::permanent("the task is gone")),
            }
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("delay", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "enough").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(rig.client.result::<String>(id).await.unwrap(), "cleaned up");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_verb_refused_because_the_lease_is_over_keeps_its_task() {
    let rig = Rig::new();
    let (kept, mut told) = mpsc::channel(1);
    let worker = rig
        .worker()
        .raw_handler("delay", move |task: ClaimedTask| {
            let kept = kept.clone();
            async move {
                task.cancellation().cancelled().await;
                let refused = match task.delay(Duration::from_mins(1)).await {
                    Ok(settled) => return Ok(settled),
                    Err(refused) => refused,
                };
                kept.send(refused.task.is_none()).await.permanent()?;
                Err(TaskError::from(refused))
            }
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("delay", &())).await;
    rig.settle().await;

    rig.client.revoke(id, "moved").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(told.recv().await, Some(true));
    worker.kill().await;
}

#[tokio::test]
async fn a_handler_is_told_when_its_capped_lease_ends_in_the_store() {
    let policy = ExecutionPolicy::default().with_attempt_timeout(Duration::from_secs(11));

    let told = told_after_an_outage_at(Duration::from_millis(3_500), policy).await;

    assert!((10_900..=11_000).contains(&told.as_millis()), "{told:?}");
}

#[tokio::test]
async fn a_handler_is_told_one_lease_after_the_last_renewal() {
    // The fourth renewal is at 13.6 s, by the steps of the rig's clock.
    let told = told_after_an_outage_at(Duration::from_secs(15), ExecutionPolicy::default()).await;

    assert!((23_300..=23_600).contains(&told.as_millis()), "{told:?}");
}

#[tokio::test]
async fn a_step_of_the_stores_clock_does_not_end_leases_here() {
    for step in [Duration::ZERO, Duration::from_secs(2), Duration::from_mins(1)] {
        let rig = Rig::new();
        let (reasons, mut reported) = mpsc::channel(8);
        let worker = rig
            .worker()
            .maintenance(false)
            .handler("wait", reporting(reasons))
            .build()
            .unwrap()
            .start();
        let id = rig.submit(Job::new("wait", &())).await;
        rig.pass(LEASE_TTL / 2).await;

        let back = i64::try_from(step.as_millis()).unwrap();
        rig.clock.set(TimestampMs(rig.clock.now().as_i64() - back));
        rig.pass(LEASE_TTL * 3).await;

        assert!(reported.try_recv().is_err(), "{step:?}");
        assert_eq!(rig.state(id).await, ExecutionState::Active);
        worker.kill().await;
    }
}

/// When a handler was told that its lease is lost, if the backend goes away at `away`.
async fn told_after_an_outage_at(away: Duration, policy: ExecutionPolicy) -> Duration {
    const STEP: Duration = Duration::from_millis(100);
    let rig = Rig::new();
    let (reasons, mut reported) = mpsc::channel(8);
    let worker = rig.worker().handler("wait", reporting(reasons)).build().unwrap().start();
    rig.submit(Job::new("wait", &()).policy(policy)).await;
    rig.settle().await;

    rig.pass(away).await;
    rig.backend.away.store(true, Relaxed);
    let mut now = away;
    while reported.try_recv().is_err() {
        assert!(now < LEASE_TTL * 6, "nobody was told");
        rig.pass(STEP).await;
        now += STEP;
    }
    worker.kill().await;
    now
}

#[tokio::test]
async fn a_worker_that_cannot_renew_stops_when_the_lease_has_run_out() {
    let rig = Rig::new();
    let (reasons, mut reported) = mpsc::channel(8);
    let worker = rig.worker().handler("wait", reporting(reasons)).build().unwrap().start();
    rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    rig.pass(ALMOST_LEASE_TTL).await;
    assert!(reported.try_recv().is_err());
    rig.pass(Duration::from_millis(200)).await;

    assert_eq!(reported.recv().await, Some(Some(StopReason::LeaseLost)));
    worker.kill().await;
}

#[tokio::test]
async fn the_task_of_a_killed_worker_is_reclaimed_within_its_ttl_and_a_second() {
    let rig = Rig::new();
    let first = rig.worker().handler("wait", until_stopped).build().unwrap().start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;
    first.kill().await;
    let second = rig
        .worker()
        .handler("wait", async |task: ClaimedTask, (): ()| {
            Ok::<_, TaskError>((task.attempt().0, task.reclaims()))
        })
        .build()
        .unwrap()
        .start();

    rig.pass(ALMOST_LEASE_TTL).await;
    assert_eq!(rig.state(id).await, ExecutionState::Active);
    rig.pass(Duration::from_millis(1_100)).await;

    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    assert_eq!(rig.client.result::<(u32, u32)>(id).await.unwrap(), (1, 1));
    second.shutdown().await;
}
