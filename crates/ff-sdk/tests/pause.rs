//! Attempts that pause and go on.

mod common;

use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;

#[tokio::test]
async fn a_pause_resumes_the_same_attempt() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("wait", async |task: ClaimedTask, (): ()| {
            if task.is_resumed() {
                Ok((task.attempt().0, task.retries(), task.reclaims()))
            } else {
                Err(TaskError::pause(Duration::from_mins(1)))
            }
        })
        .build()
        .unwrap()
        .start();

    let id = rig.submit(Job::new("wait", &())).await;
    rig.pass(Duration::from_secs(59)).await;
    assert_eq!(rig.state(id).await, ExecutionState::Delayed);
    assert_eq!(worker.in_hand(), 0);

    rig.pass(Duration::from_secs(2)).await;
    assert_eq!(rig.client.result::<(u32, u32, u32)>(id).await.unwrap(), (0, 0, 0));
    worker.shutdown().await;
}

#[tokio::test]
async fn a_raw_handler_delays_and_completes() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .raw_handler("wait", async |task: ClaimedTask| {
            if task.is_resumed() {
                task.complete_json("done").await
            } else {
                task.delay(Duration::from_mins(1)).await
            }
        })
        .build()
        .unwrap()
        .start();

    let id = rig.submit(Job::new("wait", &())).await;
    rig.pass(Duration::from_secs(61)).await;

    assert_eq!(rig.client.result::<String>(id).await.unwrap(), "done");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_raw_handler_that_drops_its_task_fails_transiently() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .raw_handler("drop", async |task: ClaimedTask| {
            drop(task);
            Err::<Settled, _>(TaskError::transient("gave up"))
        })
        .build()
        .unwrap()
        .start();

    let id = rig.submit(Job::new("drop", &()).retry(RetryPolicy::none())).await;
    let end = rig.client.result::<()>(id).await;

    assert!(matches!(end, Err(ResultError::Failed { message, .. }) if message == "gave up"));
    worker.shutdown().await;
}

#[tokio::test]
async fn a_timer_that_others_set_is_served_on_time() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("soon", async |_: ClaimedTask, (): ()| Ok::<(), TaskError>(()))
        .build()
        .unwrap()
        .start();
    rig.settle().await;

    let id = rig.submit(Job::new("soon", &()).delay(Duration::from_millis(50))).await;
    rig.settle().await;
    rig.clock.advance(Duration::from_millis(50));
    rig.settle().await;

    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    worker.shutdown().await;
}
