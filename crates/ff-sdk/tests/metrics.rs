//! Metrics that panic.

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig, stubborn};
use ff_engine::TickOutcome;
use ff_sdk::prelude::*;
use ff_sdk::{Metrics, Outcome};
use ff_types::{ExecutionState, LaneId, TaskKind};

struct Panicking;

impl Metrics for Panicking {
    fn claimed(&self, _: &LaneId, _: usize) {
        panic!("claimed");
    }

    fn finished(&self, _: &TaskKind, _: Outcome, _: Duration) {
        panic!("finished");
    }

    fn renewed(&self, _: usize, _: usize) {
        panic!("renewed");
    }

    fn maintenance(&self, _: &TickOutcome) {
        panic!("maintenance");
    }
}

#[tokio::test]
async fn a_worker_goes_on_when_its_metrics_panic() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .metrics(Panicking)
        .handler("wait", stubborn)
        .handler("quick", async |_: ClaimedTask, number: u32| Ok::<_, TaskError>(number))
        .build()
        .unwrap()
        .start();
    let long = rig.submit(Job::new("wait", &())).await;
    rig.settle().await;
    let later = rig.submit(Job::new("quick", &7).delay(LEASE_TTL)).await;

    rig.pass(LEASE_TTL * 5).await;

    assert!(rig.backend.renewals.load(Relaxed) > 10);
    let view = rig.client.describe(long).await.unwrap();
    assert_eq!((view.state, view.reclaims), (ExecutionState::Active, 0));
    assert_eq!(rig.client.result::<u32>(later).await.unwrap(), 7);
    worker.kill().await;
}
