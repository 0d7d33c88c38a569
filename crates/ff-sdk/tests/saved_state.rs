//! State that outlives an attempt.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig};
use ff_sdk::prelude::*;
use ff_types::{Backoff, Jitter};

/// Where the handler was, one run after the other.
const PLACES: [&str; 5] = ["start", "saved", "paused", "waited", "waited at once"];

async fn travel(task: ClaimedTask, (): ()) -> Result<Vec<String>, TaskError> {
    let mut been: Vec<String> = task.saved_state_json()?.unwrap_or_default();
    let place = PLACES[been.len()];
    been.push(place.to_owned());
    let client = task.state::<Client>()?.as_ref().clone();
    match place {
        "start" => {
            task.save_state_json(&been).await?;
            assert_eq!(task.saved_state_json()?, Some(been));
            Err(TaskError::transient("a failure saves nothing").with_state_json(&[1, 2, 3]))
        }
        "saved" => Err(TaskError::pause(Duration::from_secs(1)).with_state_json(&been)),
        "paused" => {
            let ready = task.create_waitpoint("ready").await?;
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                client.signal(ready.token(), "ready").await
            });
            Err(TaskError::suspend(Wait::any(["ready"])).with_state_json(&been))
        }
        "waited" => {
            let ready = task.create_waitpoint("ready").await?;
            client.signal(ready.token(), "ready").await?;
            Err(TaskError::suspend(Wait::on(&ready).with_state_json(&been)))
        }
        _ => Ok(been),
    }
}

#[tokio::test]
async fn a_state_goes_with_a_failure_a_pause_and_waits() {
    let rig = Rig::new();
    let handlers = Handlers::new().handler("travel", travel).state(rig.client.clone());
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    let at_once = RetryPolicy::default()
        .with_backoff(Backoff::Fixed { delay_ms: 0 })
        .with_jitter(Jitter::None);
    rig.backend.lose_answer("save_state");
    rig.backend.lose_answer("suspend");

    let id = rig.submit(Job::new("travel", &()).retry(at_once)).await;
    rig.pass(Duration::from_secs(5)).await;

    assert_eq!(rig.client.result::<Vec<String>>(id).await.unwrap(), PLACES);
    assert!(rig.backend.all_were_lost());
    assert!(!rig.client.describe(id).await.unwrap().has_state);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_state_outlives_a_lost_lease_and_can_be_removed() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("stubborn", async |task: ClaimedTask, (): ()| {
            match task.saved_state().as_deref() {
                None if task.attempt().0 == 0 => task.save_state("hung").await?,
                Some(b"hung") => {
                    task.clear_state().await?;
                    assert_eq!(task.saved_state(), None);
                    return Err(TaskError::pause(Duration::ZERO));
                }
                other => return Ok(other.is_none()),
            }
            std::future::pending().await
        })
        .concurrency(2)
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("stubborn", &())).await;
    rig.settle().await;
    assert!(rig.client.describe(id).await.unwrap().has_state);

    rig.backend.away.store(true, Relaxed);
    rig.pass(LEASE_TTL).await;
    rig.backend.away.store(false, Relaxed);
    rig.pass(Duration::from_secs(3)).await;

    assert!(rig.client.result::<bool>(id).await.unwrap(), "the removed state came back");
    worker.kill().await;
}

fn no_json() -> HashMap<(u8, u8), u8> {
    HashMap::from([((1, 2), 3)])
}

fn large() -> Vec<u8> {
    vec![b'x'; 64 * 1024 + 1]
}

#[tokio::test]
async fn a_state_that_cannot_be_saved_ends_the_attempt_for_good() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("pause", async |_: ClaimedTask, json: bool| {
            let pause = TaskError::pause(Duration::ZERO);
            let error =
                if json { pause.with_state_json(&no_json()) } else { pause.with_state(large()) };
            Err::<(), _>(error)
        })
        .handler("wait", async |_: ClaimedTask, json: bool| {
            let wait = Wait::any(["a"]);
            let wait =
                if json { wait.with_state_json(&no_json()) } else { wait.with_state(large()) };
            Err::<(), _>(TaskError::suspend(wait))
        })
        .handler("save", async |task: ClaimedTask, json: bool| {
            if json {
                task.save_state_json(&no_json()).await?;
            }
            task.save_state(large()).await?;
            Ok::<(), TaskError>(())
        })
        .build()
        .unwrap()
        .start();

    for kind in ["pause", "wait", "save"] {
        for json in [true, false] {
            let id = rig.submit(Job::new(kind, &json)).await;
            match rig.client.result::<()>(id).await {
                Err(ResultError::Failed { message, .. }) => {
                    assert!(message.contains("state"), "{kind} {json}: {message}");
                }
                other => panic!("{kind} {json}: {other:?}"),
            }
        }
    }
    worker.shutdown().await;
}
