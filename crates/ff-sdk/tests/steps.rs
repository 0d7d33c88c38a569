//! Steps that run once, whatever becomes of the attempts.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{LEASE_TTL, Rig};
use ff_sdk::prelude::*;
use ff_types::{Backoff, Jitter};
use tokio::sync::Notify;

/// The key of each run of each step.
#[derive(Default)]
struct Runs(Mutex<Vec<String>>);

impl Runs {
    /// Notes a run; answers how many there were.
    fn note(&self, key: StepKey) -> usize {
        let mut runs = self.0.lock().expect("no test panics here");
        runs.push(key.into());
        runs.len()
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("no test panics here").clone()
    }
}

fn retried(job: Job) -> Job {
    let at_once = RetryPolicy::default()
        .with_backoff(Backoff::Fixed { delay_ms: 0 })
        .with_jitter(Jitter::None);
    job.retry(at_once)
}

fn rig(handlers: Handlers) -> (Rig, Arc<Runs>, WorkerHandle) {
    let (rig, runs) = (Rig::new(), Arc::new(Runs::default()));
    let handlers = handlers.shared_state(Arc::clone(&runs)).state(rig.client.clone());
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    (rig, runs, worker)
}

/// Two steps, each of which gives the number of its run.
async fn two(task: &ClaimedTask) -> Result<(usize, usize), TaskError> {
    let runs = task.state::<Runs>()?;
    let a = task.step("a", async |key| Ok(runs.note(key))).await?;
    let b = task.step("b", async |key| Ok(runs.note(key))).await?;
    Ok((a, b))
}

#[tokio::test]
async fn a_retry_and_a_pause_find_the_results_in_one_call() {
    let (rig, runs, worker) = rig(Handlers::new().handler("two", async |task, ()| {
        let result = two(&task).await?;
        match task.attempt().0 {
            0 => Err(TaskError::transient("once more")),
            _ if !task.is_resumed() => Err(TaskError::pause(Duration::ZERO)),
            _ => Ok(result),
        }
    }));

    let id = rig.submit(retried(Job::new("two", &()))).await;

    assert_eq!(rig.client.result::<(usize, usize)>(id).await.unwrap(), (1, 2));
    assert_eq!(runs.all(), [format!("{id}/a"), format!("{id}/b")]);
    assert_eq!(rig.backend.step_reads.load(Relaxed), 2, "none by the first of three runs");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_wait_finds_the_results_whether_it_is_over_at_once_or_later() {
    let (rig, runs, worker) = rig(Handlers::new().handler("two", async |task, early: bool| {
        let result = two(&task).await?;
        if task.resumed().await?.reason.is_none() {
            let ready = task.create_waitpoint("ready").await?;
            let client = task.state::<Client>()?.as_ref().clone();
            let send = async move { client.signal(ready.token(), "ready").await };
            if early {
                send.await?;
            } else {
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    send.await
                });
            }
            return Err(TaskError::suspend(Wait::any(["ready"])));
        }
        Ok(result)
    }));

    let early = rig.submit(Job::new("two", &true)).await;
    assert_eq!(rig.client.result::<(usize, usize)>(early).await.unwrap(), (1, 2));
    assert_eq!(rig.backend.step_reads.load(Relaxed), 0, "the attempt knows what it stored");
    let late = rig.submit(Job::new("two", &false)).await;
    assert_eq!(rig.client.result::<(usize, usize)>(late).await.unwrap(), (3, 4));

    assert_eq!(runs.all().len(), 4);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_dies_before_the_result_is_stored_has_the_step_run_again() {
    let go = Arc::new(Notify::new());
    let handlers = Handlers::new().shared_state(Arc::clone(&go));
    let (rig, runs, worker) = rig(handlers.handler("charge", async |task: ClaimedTask, ()| {
        let (runs, go) = (task.state::<Runs>()?, task.state::<Notify>()?);
        task.step("charge", async |key| {
            let run = runs.note(key);
            go.notified().await;
            Ok(run)
        })
        .await
    }));
    let id = rig.submit(Job::new("charge", &())).await;
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    go.notify_one();
    rig.pass(LEASE_TTL + Duration::from_secs(1)).await;
    rig.backend.away.store(false, Relaxed);
    go.notify_one();
    rig.pass(Duration::from_secs(5)).await;

    assert_eq!(rig.client.result::<usize>(id).await.unwrap(), 2);
    assert_eq!(runs.all(), [format!("{id}/charge"), format!("{id}/charge")], "one key");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_outlives_a_lost_answer_and_a_short_outage() {
    let go = Arc::new(Notify::new());
    let handlers = Handlers::new().shared_state(Arc::clone(&go));
    let (rig, runs, worker) = rig(handlers.handler("charge", async |task: ClaimedTask, ()| {
        let (runs, go) = (task.state::<Runs>()?, task.state::<Notify>()?);
        task.step("charge", async |key| {
            go.notified().await;
            Ok(runs.note(key))
        })
        .await
    }));

    rig.backend.lose_answer("record_step");
    let id = rig.submit(Job::new("charge", &())).await;
    rig.settle().await;
    rig.backend.away.store(true, Relaxed);
    go.notify_one();
    rig.pass(LEASE_TTL / 2).await;
    rig.backend.away.store(false, Relaxed);
    rig.pass(Duration::from_secs(2)).await;

    assert_eq!(rig.client.result::<usize>(id).await.unwrap(), 1);
    assert!(rig.backend.all_were_lost());
    assert_eq!(runs.all().len(), 1);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_that_was_stored_by_a_worker_that_never_learned_of_it_stands() {
    let (rig, runs, worker) = rig(Handlers::new().handler("charge", async |task, ()| {
        let task: ClaimedTask = task;
        let runs = task.state::<Runs>()?;
        task.step("charge", async |key| Ok(runs.note(key))).await
    }));
    rig.backend.lose_answer("record_step");
    let id = rig.submit(Job::new("charge", &())).await;
    rig.settle().await;

    rig.backend.away.store(true, Relaxed);
    rig.pass(LEASE_TTL + Duration::from_secs(1)).await;
    rig.backend.away.store(false, Relaxed);
    rig.pass(Duration::from_secs(5)).await;

    assert_eq!(rig.client.result::<usize>(id).await.unwrap(), 1);
    assert_eq!(runs.all().len(), 1);
    assert_eq!(rig.client.describe(id).await.unwrap().reclaims, 1);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_name_means_one_step_and_a_failed_one_stores_nothing() {
    let (rig, runs, worker) = rig(Handlers::new().handler("twice", async |task, ()| {
        let task: ClaimedTask = task;
        let runs = task.state::<Runs>()?;
        let first = task.step("one", async |key| Ok(runs.note(key))).await?;
        let again = task.step("one", async |key| Ok(runs.note(key))).await?;
        let failing = async |key| match runs.note(key) {
            2 => Err(TaskError::transient("not yet")),
            run => Ok(run),
        };
        let last = task.step("flaky", failing).await?;
        Ok::<_, TaskError>([first, again, last])
    }));

    let id = rig.submit(retried(Job::new("twice", &()))).await;

    assert_eq!(rig.client.result::<[usize; 3]>(id).await.unwrap(), [1, 1, 3]);
    assert_eq!(runs.all().len(), 3);
    let view = rig.client.describe(id).await.unwrap();
    assert_eq!((view.steps, view.retries), (0, 1), "steps end with the execution");
    worker.shutdown().await;
}

#[tokio::test]
async fn two_uses_at_once_agree() {
    let (rig, runs, worker) = rig(Handlers::new().handler("race", async |task, ()| {
        let task: ClaimedTask = task;
        let runs = task.state::<Runs>()?;
        let one = async |key| {
            let run = runs.note(key);
            tokio::task::yield_now().await;
            Ok(run)
        };
        let (a, b) = tokio::join!(task.step("one", one), task.step("one", one));
        Ok::<_, TaskError>((a?, b?))
    }));

    let id = rig.submit(Job::new("race", &())).await;

    let (a, b) = rig.client.result::<(usize, usize)>(id).await.unwrap();
    assert_eq!(a, b);
    assert_eq!(runs.all().len(), 2, "both had begun");
    worker.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_stored_or_read_fails_for_good() {
    let (rig, _, worker) = rig(Handlers::new()
        .handler("large", async |task: ClaimedTask, ()| {
            task.step("large", async |_| Ok("x".repeat(256 * 1024))).await
        })
        .handler("name", async |task: ClaimedTask, ()| task.step("a b", async |_| Ok(())).await)
        .handler("changed", async |task: ClaimedTask, ()| {
            task.step("one", async |_| Ok(7)).await?;
            task.step::<String, _, _>("one", async |_| Ok(String::new())).await
        }));

    for (kind, message) in [
        ("large", "result is 262146, the limit is 262144"),
        ("name", "step_name must be 1..=128 printable ASCII bytes without space"),
        (
            "changed",
            "the result of step one is not a alloc::string::String: the JSON has another shape at line 1 column 1",
        ),
    ] {
        let id = rig.submit(Job::new(kind, &())).await;
        match rig.client.result::<()>(id).await {
            Err(ResultError::Failed { message: told, .. }) => assert_eq!(told, message),
            other => panic!("{kind}: {other:?}"),
        }
    }
    worker.shutdown().await;
}
