//! A worker claims what it can run, and asks only when it can.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use common::{Rig, until_stopped};
use ff_engine::ListRequest;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;
use tokio::sync::Semaphore;

#[tokio::test]
async fn no_more_run_and_no_more_are_claimed_than_there_are_slots() {
    let rig = Rig::new();
    let gate = Arc::new(Semaphore::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (open, seen) = (Arc::clone(&gate), Arc::clone(&most));
    let running = Arc::new(AtomicUsize::new(0));
    let worker = rig
        .worker()
        .concurrency(3)
        .handler("wait", move |_: ClaimedTask, (): ()| {
            let (open, seen, running) = (open.clone(), seen.clone(), running.clone());
            async move {
                seen.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
                open.acquire().await.expect("the gate stays").forget();
                running.fetch_sub(1, Relaxed);
                Ok::<(), TaskError>(())
            }
        })
        .build()
        .unwrap()
        .start();

    let jobs: Vec<Job> = (0..10).map(|_| Job::new("wait", &())).collect();
    let submitted = rig.client.submit_batch(&jobs).await;
    rig.settle().await;
    let active = ListRequest::new().with_state(ExecutionState::Active);
    assert_eq!(rig.client.list_all(active, 100).await.unwrap().len(), 3);

    gate.add_permits(10);
    for outcome in submitted {
        rig.client.result::<()>(outcome.unwrap().id()).await.unwrap();
    }
    assert_eq!(most.load(Relaxed), 3);
    assert!(rig.backend.most_asked.load(Relaxed) <= 3);
    worker.shutdown().await;
}

#[tokio::test]
async fn an_idle_worker_makes_no_claims() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("idle", until_stopped)
        .max_wait(Duration::from_mins(1))
        .build()
        .unwrap()
        .start();
    rig.settle().await;

    rig.pass(Duration::from_secs(59)).await;

    assert_eq!(rig.backend.claims.load(Relaxed), 1);
    assert_eq!(rig.backend.renewals.load(Relaxed), 0);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_busy_lane_does_not_shut_an_empty_one_out() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .lane("busy")
        .lane("quiet")
        .concurrency(2)
        .handler("wait", until_stopped)
        .handler("quick", async |_: ClaimedTask, (): ()| Ok::<_, TaskError>("done"))
        .build()
        .unwrap()
        .start();
    rig.settle().await;
    for _ in 0..5 {
        rig.submit(Job::new("wait", &()).lane("busy")).await;
    }
    rig.settle().await;

    let id = rig.submit(Job::new("quick", &()).lane("quiet")).await;

    assert_eq!(rig.client.result::<String>(id).await.unwrap(), "done");
    worker.kill().await;
}

#[tokio::test]
async fn fewer_slots_than_lanes_are_refused() {
    let refused = Rig::new()
        .worker()
        .handler("idle", until_stopped)
        .lane("a")
        .lane("b")
        .concurrency(1)
        .build();

    assert!(refused.unwrap_err().to_string().starts_with("concurrency"));
}
