//! A worker that serves one instance takes up what is tagged for it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::{LEASE_TTL, Rig, stubborn};
use ff_engine::TickRequest;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;
use ff_types::backend::ScannerFilter;

/// A lost execution of the instance `green`, and its rig.
async fn lost() -> (Rig, ExecutionId) {
    let rig = Rig::new();
    let first = rig.worker().handler("job", stubborn).build().unwrap().start();
    let id = rig.submit(Job::new("job", &()).tag("instance", "green")).await;
    rig.settle().await;
    first.kill().await;
    rig.clock.advance(LEASE_TTL);
    rig.client.backend().tick(&TickRequest::all()).await.unwrap();
    (rig, id)
}

async fn state_after_a_worker_of(instance: &str, maintenance: bool) -> ExecutionState {
    let (rig, id) = lost().await;
    let worker = rig
        .worker()
        .maintenance(maintenance)
        .scanner_filter(ScannerFilter::new().with_instance_tag("instance", instance))
        .handler("job", async |_: ClaimedTask, (): ()| Ok::<_, TaskError>("done"))
        .build()
        .unwrap()
        .start();
    rig.pass(Duration::from_secs(2)).await;
    let fresh = rig.submit(Job::new("job", &())).await;
    assert_eq!(rig.client.result::<String>(fresh).await.unwrap(), "done");
    worker.shutdown().await;
    rig.state(id).await
}

#[tokio::test]
async fn a_worker_leaves_the_lost_executions_of_others_alone() {
    for maintenance in [true, false] {
        let state = state_after_a_worker_of("blue", maintenance).await;
        assert_eq!(state, ExecutionState::Ready, "{maintenance}");
    }
}

#[tokio::test]
async fn a_worker_takes_up_the_lost_executions_of_its_own_instance() {
    for maintenance in [true, false] {
        let state = state_after_a_worker_of("green", maintenance).await;
        assert_eq!(state, ExecutionState::Completed, "{maintenance}");
    }
}
