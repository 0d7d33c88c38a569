//! The backend goes away and comes back.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig};
use ff_engine::ListRequest;
use ff_sdk::CallRetry;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;
use tokio::sync::Notify;

async fn quick(_task: ClaimedTask, number: u32) -> Result<u32, TaskError> {
    Ok(number)
}

#[tokio::test]
async fn a_worker_goes_on_by_itself_after_an_outage() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .max_wait(Duration::from_secs(1))
        .handler("quick", quick)
        .build()
        .unwrap()
        .start();
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    rig.pass(LEASE_TTL).await;
    rig.backend.away.store(false, Relaxed);
    let now = rig.submit(Job::new("quick", &1)).await;
    let later = rig.submit(Job::new("quick", &2).delay(Duration::from_secs(1))).await;
    rig.pass(Duration::from_secs(3)).await;

    assert_eq!(rig.client.result::<u32>(now).await.unwrap(), 1);
    assert_eq!(rig.client.result::<u32>(later).await.unwrap(), 2);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_made_during_an_outage_is_reported_after_it() {
    let rig = Rig::new();
    let go = Arc::new(Notify::new());
    let worker = rig
        .worker()
        .shared_state(Arc::clone(&go))
        .handler("wait", async |task: ClaimedTask, (): ()| {
            task.state::<Notify>()?.notified().await;
            Ok::<_, TaskError>("done")
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    go.notify_one();
    rig.pass(LEASE_TTL / 2).await;
    rig.backend.away.store(false, Relaxed);
    rig.pass(Duration::from_secs(2)).await;

    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    assert_eq!(rig.client.describe(id).await.unwrap().reclaims, 0);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_submit_whose_answer_was_lost_is_repeated_and_makes_one_execution() {
    let rig = Rig::new();
    rig.backend.lost_submits.store(2, Relaxed);
    let job = Job::new("quick", &1);

    let submitting = async { rig.client.submit(&job).await.unwrap() };
    let passing = rig.pass(Duration::from_secs(1));
    let (submitted, ()) = tokio::join!(submitting, passing);

    assert!(matches!(submitted, Submitted::New(_)));
    let all = rig.client.list_all(ListRequest::new(), 10).await.unwrap();
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_client_gives_up_after_its_calls() {
    let rig = Rig::new();
    rig.backend.away.store(true, Relaxed);
    let client = rig.client.clone().call_retry(CallRetry::default().with_calls(1));
    let job = Job::new("quick", &1);

    assert!(client.submit(&job).await.unwrap_err().is_retryable());
    rig.backend.away.store(false, Relaxed);
    let first = client.submit(&job).await.unwrap();
    let again = client.submit(&job).await.unwrap();

    assert_eq!(first.id(), again.id());
    assert_ne!(client.submit(&job.clone()).await.unwrap().id(), first.id());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_backend_that_is_away() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .grace(Duration::ZERO)
        .handler("wait", common::stubborn)
        .build()
        .unwrap()
        .start();
    rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    let stopping = tokio::spawn(worker.shutdown());
    rig.pass(Duration::from_millis(2_100)).await;

    assert!(stopping.is_finished());
}

#[tokio::test]
async fn a_result_that_is_not_taken_holds_its_slot_for_a_lease_and_others_take_over() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("quick", async |task: ClaimedTask, (): ()| Ok::<_, TaskError>(task.reclaims()))
        .build()
        .unwrap()
        .start();
    rig.backend.failing_completes.store(usize::MAX, Relaxed);
    let id = rig.submit(Job::new("quick", &())).await;

    rig.pass(LEASE_TTL * 3 / 2).await;
    assert_eq!(worker.in_hand(), 0);
    rig.backend.failing_completes.store(0, Relaxed);
    rig.pass(LEASE_TTL).await;

    assert_eq!(rig.client.result::<u32>(id).await.unwrap(), 1);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_report_that_hangs_holds_its_slot_for_a_lease() {
    let rig = Rig::new();
    let worker = rig.worker().handler("quick", quick).build().unwrap().start();
    rig.backend.hang("complete");
    rig.submit(Job::new("quick", &1)).await;
    rig.settle().await;
    assert_eq!(worker.in_hand(), 1);

    rig.pass(LEASE_TTL + Duration::from_secs(1)).await;

    assert_eq!(worker.in_hand(), 0);
    worker.shutdown().await;
}
