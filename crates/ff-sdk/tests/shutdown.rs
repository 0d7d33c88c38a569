//! Shutting down.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig, stubborn, until_stopped};
use ff_engine::TickRequest;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;
use tokio::sync::Notify;

const GRACE: Duration = Duration::from_secs(5);

/// The second to stop in, the second to give leases back in, and a step of the clock.
const AFTER_GRACE: Duration = Duration::from_millis(2_100);

#[tokio::test]
async fn a_drain_lets_running_handlers_finish() {
    let rig = Rig::new();
    let go = Arc::new(Notify::new());
    let worker = rig
        .worker()
        .shared_state(Arc::clone(&go))
        .concurrency(1)
        .handler("wait", async |task: ClaimedTask, (): ()| {
            task.state::<Notify>()?.notified().await;
            Ok::<_, TaskError>("finished")
        })
        .build()
        .unwrap()
        .start();
    let running = rig.submit(Job::new("wait", &())).await;
    let waiting = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    let draining = tokio::spawn(worker.shutdown());
    rig.settle().await;
    go.notify_one();
    draining.await.unwrap();

    assert_eq!(rig.client.result::<String>(running).await.unwrap(), "finished");
    assert_eq!(rig.state(waiting).await, ExecutionState::Ready);
}

#[tokio::test]
async fn a_handler_that_stops_when_told_gives_its_attempt_to_another_worker() {
    handed_back(|builder| builder.handler("wait", until_stopped)).await;
}

#[tokio::test]
async fn a_handler_that_does_not_stop_is_cut_off_and_its_attempt_given_to_another_worker() {
    handed_back(|builder| builder.handler("wait", stubborn)).await;
}

async fn handed_back(with_handler: fn(ff_sdk::WorkerBuilder) -> ff_sdk::WorkerBuilder) {
    let rig = Rig::new();
    let first = with_handler(rig.worker().grace(GRACE)).build().unwrap().start();
    let id = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;

    let stopping = tokio::spawn(first.shutdown());
    rig.pass(GRACE + Duration::from_millis(1_100)).await;
    stopping.await.unwrap();
    let second = rig
        .worker()
        .maintenance(false)
        .handler("wait", async |task: ClaimedTask, (): ()| {
            Ok::<_, TaskError>((task.attempt().0, task.retries(), task.reclaims()))
        })
        .build()
        .unwrap()
        .start();
    rig.settle().await;

    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    assert_eq!(rig.client.result::<(u32, u32, u32)>(id).await.unwrap(), (0, 0, 0));
    second.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_ends_although_a_result_is_not_taken_and_others_go_on() {
    let rig = Rig::new();
    let first = rig.worker().grace(GRACE).handler("quick", quick).build().unwrap().start();
    rig.backend.failing_completes.store(usize::MAX, Relaxed);
    let id = rig.submit(Job::new("quick", &())).await;
    rig.settle().await;

    let stopping = tokio::spawn(first.shutdown());
    rig.pass(GRACE).await;
    assert!(!stopping.is_finished());
    rig.pass(AFTER_GRACE).await;
    assert!(stopping.is_finished());

    rig.backend.failing_completes.store(0, Relaxed);
    let second = rig.worker().handler("quick", quick).build().unwrap().start();
    rig.settle().await;
    assert_eq!(rig.client.result::<u32>(id).await.unwrap(), 0);
    second.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_ends_although_a_call_hangs() {
    for operation in ["claim", "complete", "delay", "fail", "renew_batch", "tick"] {
        let rig = Rig::new();
        rig.submit(Job::new("quick", &())).await;
        rig.submit(Job::new("wait", &())).await;
        rig.submit(Job::new("stubborn", &())).await;
        let worker = rig
            .worker()
            .grace(GRACE)
            .handler("quick", quick)
            .handler("wait", until_stopped)
            .handler("stubborn", stubborn)
            .build()
            .unwrap()
            .start();
        if operation != "claim" {
            rig.backend.hang(operation);
        }
        rig.pass(LEASE_TTL / 2).await;
        rig.backend.hang(operation);
        rig.submit(Job::new("quick", &())).await;

        let stopping = tokio::spawn(worker.shutdown());
        rig.pass(GRACE + AFTER_GRACE).await;

        assert!(stopping.is_finished(), "{operation}");
    }
}

#[tokio::test]
async fn a_shutdown_ends_although_taking_an_execution_up_hangs() {
    let rig = Rig::new();
    let first = rig.worker().handler("wait", stubborn).build().unwrap().start();
    rig.submit(Job::new("wait", &())).await;
    rig.settle().await;
    first.kill().await;
    rig.clock.advance(LEASE_TTL);
    rig.client.backend().tick(&TickRequest::all()).await.unwrap();
    rig.backend.hang("claim_from_reclaim");
    let second = rig.worker().grace(GRACE).handler("wait", stubborn).build().unwrap().start();
    rig.settle().await;

    let stopping = tokio::spawn(second.shutdown());
    rig.pass(GRACE + AFTER_GRACE).await;

    assert!(stopping.is_finished());
}

async fn quick(task: ClaimedTask, (): ()) -> Result<u32, TaskError> {
    Ok(task.attempt().0)
}
