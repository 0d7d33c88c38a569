//! A cancellation reaches running handlers at once, and not at the next renewal.

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig, until_stopped};
use ff_engine::Clock;
use ff_sdk::prelude::*;
use ff_sdk::{CancelFlowOutcome, WorkerHandle};

const SECOND: Duration = Duration::from_secs(1);

// region: heed
async fn render(task: ClaimedTask, frames: u32) -> Result<u32, TaskError> {
    let stop = task.cancellation();
    for frame in 0..frames {
        tokio::select! {
            () = stop.cancelled() => return Err(TaskError::cancelled(format!("at frame {frame}"))),
            () = draw(frame) => {}
        }
    }
    Ok(frames)
}
// endregion

async fn draw(_frame: u32) {
    std::future::pending::<()>().await;
}

fn worker(rig: &Rig) -> WorkerHandle {
    let worker = rig.worker().grace(SECOND).handler("run", until_stopped).handler("render", render);
    worker.build().expect("it is set up").start()
}

async fn stop(rig: &Rig, worker: WorkerHandle) {
    tokio::join!(worker.shutdown(), rig.pass(5 * SECOND));
}

#[tokio::test]
async fn a_running_handler_hears_of_a_cancel_while_no_time_passes() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let cancelled = rig.submit(Job::new("run", &())).await;
    let other = rig.submit(Job::new("run", &())).await;
    rig.settle().await;
    let now = rig.clock.now();

    rig.client.cancel(cancelled, "changed my mind").await.expect("the rig is up");
    rig.settle().await;

    assert_eq!(rig.clock.now(), now);
    assert_eq!(rig.state(cancelled).await, ExecutionState::Cancelled);
    assert_eq!(rig.state(other).await, ExecutionState::Active);
    assert_eq!(rig.backend.renewed_leases.load(Relaxed), 1, "only what is cancelled is renewed");
    stop(&rig, worker).await;
}

#[tokio::test]
async fn all_running_nodes_hear_of_the_cancel_of_their_flow_while_no_time_passes() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let mut flow = Flow::new();
    for key in ["a", "b", "c"] {
        flow.node(key, Job::new("run", &()));
    }
    flow.node("next", Job::new("run", &())).after(["a"]);
    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    rig.settle().await;
    let now = rig.clock.now();

    let outcome = rig.client.flow(id).cancel("not wanted").await.expect("the rig is up");
    rig.settle().await;

    assert_eq!(outcome, CancelFlowOutcome::Cancelled { open: 3 });
    assert_eq!(rig.clock.now(), now);
    let view = rig.client.flow(id).describe().await.expect("it is there");
    assert_eq!(view.summary.state, FlowState::Cancelled);
    assert_eq!(rig.backend.renewals.load(Relaxed), 1, "all are renewed by one call");
    stop(&rig, worker).await;
}

#[tokio::test]
async fn one_cancel_after_the_other_is_heard() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(rig.submit(Job::new("run", &())).await);
    }
    rig.settle().await;

    for id in ids {
        rig.client.cancel(id, "enough").await.expect("the rig is up");
        rig.settle().await;
        assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    }
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_cancel_that_is_not_heard_is_learned_at_the_next_renewal() {
    let rig = Rig::new();
    rig.backend.hang("await_cancels");
    let worker = worker(&rig);
    let id = rig.submit(Job::new("run", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "enough").await.expect("the rig is up");
    rig.settle().await;
    assert_eq!(rig.state(id).await, ExecutionState::Active);
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn waiting_for_cancels_is_no_polling_and_bears_an_outage() {
    let rig = Rig::new();
    let worker = worker(&rig);
    for _ in 0..6 {
        rig.settle().await;
        rig.clock.advance(30 * SECOND);
    }
    let waits = rig.backend.cancel_waits.load(Relaxed);
    assert!((3..=4).contains(&waits), "{waits} waits");

    rig.backend.away.store(true, Relaxed);
    rig.clock.advance(60 * SECOND);
    rig.pass(20 * SECOND).await;
    let calls = rig.backend.cancel_waits.load(Relaxed) - waits;
    assert!((10..=60).contains(&calls), "{calls} calls");
    rig.backend.away.store(false, Relaxed);
    rig.pass(2 * SECOND).await;

    let id = rig.submit(Job::new("run", &())).await;
    rig.pass(SECOND).await;
    rig.client.cancel(id, "enough").await.expect("the rig is up");
    rig.settle().await;
    assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn the_handler_of_the_guide_stops_in_the_middle_of_a_frame() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let id = rig.submit(Job::new("render", &90_000)).await;
    rig.settle().await;

    rig.client.cancel(id, "not wanted").await.expect("the rig is up");
    rig.settle().await;

    assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    stop(&rig, worker).await;
}
