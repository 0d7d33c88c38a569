//! Waits among lost answers, outages, cancels and shutdowns.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Mailbox, Rig};
use ff_sdk::prelude::*;
use ff_sdk::{ListWaitpoints, SignalOutcome};
use tokio::sync::Notify;

const GRACE: Duration = Duration::from_secs(5);

/// Makes a waitpoint, posts its token, goes on when told, and waits; answers with the names of what
/// came.
async fn ship(task: ClaimedTask, (): ()) -> Result<Vec<String>, TaskError> {
    let signals = task.resume_signals().await?;
    if signals.is_empty() {
        let payment = task.create_waitpoint("payment").await?;
        task.state::<Mailbox>()?.post(payment.token());
        task.state::<Notify>()?.notified().await;
        return Err(TaskError::suspend(Wait::on(&payment)));
    }
    Ok(signals.into_iter().map(|signal| signal.signal_name).collect())
}

struct Shop {
    rig: Rig,
    mailbox: Arc<Mailbox>,
    go: Arc<Notify>,
    handlers: Handlers,
}

fn shop() -> Shop {
    let (mailbox, go) = (Arc::new(Mailbox::default()), Arc::new(Notify::new()));
    let handlers = Handlers::new()
        .handler("ship", ship)
        .shared_state(Arc::clone(&mailbox))
        .shared_state(Arc::clone(&go));
    Shop { rig: Rig::new(), mailbox, go, handlers }
}

impl Shop {
    fn worker(&self) -> WorkerHandle {
        let handlers = self.handlers.clone();
        self.rig.worker().grace(GRACE).handlers(handlers).build().unwrap().start()
    }

    async fn submit(&self) -> ExecutionId {
        let id = self.rig.submit(Job::new("ship", &())).await;
        self.rig.settle().await;
        id
    }
}

#[tokio::test]
async fn lost_answers_leave_one_waitpoint_one_wait_and_one_signal() {
    let shop = shop();
    for operation in ["create_waitpoint", "suspend", "deliver_signal"] {
        shop.rig.backend.lose_answer(operation);
    }
    shop.go.notify_one();
    let worker = shop.worker();
    let id = shop.submit().await;
    shop.rig.pass(Duration::from_secs(1)).await;
    let open = ListWaitpoints::new();
    assert_eq!(shop.rig.client.list_waitpoints(&open).await.unwrap().items.len(), 1);
    assert_eq!(shop.rig.state(id).await, ExecutionState::Suspended);

    let client = shop.rig.client.clone();
    let token = shop.mailbox.latest();
    let sending = tokio::spawn(async move { client.signal(&token, "paid").await });
    shop.rig.pass(Duration::from_secs(1)).await;

    assert_eq!(sending.await.unwrap().unwrap(), SignalOutcome::Resumed);
    assert_eq!(shop.rig.client.result::<Vec<String>>(id).await.unwrap(), ["paid"]);
    assert!(shop.rig.backend.all_were_lost());
    worker.shutdown().await;
}

#[tokio::test]
async fn a_wait_that_is_over_already_outlives_a_lost_answer() {
    let shop = shop();
    let worker = shop.worker();
    let id = shop.submit().await;
    let token = shop.mailbox.latest();
    assert_eq!(shop.rig.client.signal(&token, "paid").await.unwrap(), SignalOutcome::Buffered);

    shop.rig.backend.lose_answer("suspend");
    shop.go.notify_one();
    shop.rig.pass(Duration::from_secs(1)).await;

    assert_eq!(shop.rig.client.result::<Vec<String>>(id).await.unwrap(), ["paid"]);
    assert!(shop.rig.backend.all_were_lost());
    worker.shutdown().await;
}

#[tokio::test]
async fn a_wait_that_begins_in_an_outage_begins_after_it() {
    let shop = shop();
    let worker = shop.worker();
    let id = shop.submit().await;

    shop.rig.backend.away.store(true, Relaxed);
    shop.go.notify_one();
    shop.rig.pass(LEASE_TTL / 2).await;
    shop.rig.backend.away.store(false, Relaxed);
    shop.rig.pass(Duration::from_secs(2)).await;

    assert_eq!(shop.rig.state(id).await, ExecutionState::Suspended);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_pending_cancel_wins_over_a_wait_and_ends_one() {
    let shop = shop();
    let worker = shop.worker();
    let running = shop.submit().await;
    shop.rig.client.cancel(running, "too late").await.unwrap();
    shop.go.notify_one();
    shop.rig.settle().await;
    let waiting = shop.submit().await;
    shop.go.notify_one();
    shop.rig.settle().await;
    assert_eq!(shop.rig.state(waiting).await, ExecutionState::Suspended);

    shop.rig.client.cancel(waiting, "no more").await.unwrap();

    for id in [running, waiting] {
        assert_eq!(shop.rig.state(id).await, ExecutionState::Cancelled);
    }
    let late = shop.rig.client.signal(shop.mailbox.latest(), "paid").await.unwrap();
    assert_eq!(late, SignalOutcome::Closed);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_refused_wait_hands_the_task_back() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .raw_handler("ship", async |task: ClaimedTask| {
            task.cancellation().cancelled().await;
            let refused = task.suspend(Wait::any(["payment"])).await.expect_err("it is cancelled");
            let task = refused.task.expect("the lease lives");
            let refused = task.suspend(Wait::any(["no key"])).await.expect_err("it is no key");
            assert_eq!(refused.error.code(), "validation");
            let task = refused.task.expect("the lease lives");
            Ok::<_, TaskError>(task.cancel("stopped").await?)
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("ship", &())).await;
    rig.settle().await;

    rig.client.cancel(id, "too late").await.unwrap();
    rig.pass(LEASE_TTL / 2).await;

    assert_eq!(rig.state(id).await, ExecutionState::Cancelled);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_wait_no_backend_can_take_ends_the_attempt() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("malformed", async |_: ClaimedTask, (): ()| {
            Err::<(), _>(TaskError::suspend(Wait::any(["no key"])))
        })
        .handler("closed", async |task: ClaimedTask, (): ()| {
            let payment = task.create_waitpoint("payment").await?;
            task.close_waitpoint(payment.waitpoint_id).await?;
            Err::<(), _>(TaskError::suspend(Wait::on(&payment))).permanent()
        })
        .build()
        .unwrap()
        .start();

    let malformed = rig.submit(Job::new("malformed", &())).await;
    let closed = rig.submit(Job::new("closed", &())).await;
    rig.settle().await;

    assert_eq!(rig.state(malformed).await, ExecutionState::Failed);
    let view = rig.client.describe(closed).await.unwrap();
    assert_eq!(view.last_failure.unwrap().message, "refused: waitpoint not found");
    assert_eq!(view.state, ExecutionState::Delayed, "another attempt makes another one");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_waits_and_another_worker_goes_on() {
    let shop = shop();
    shop.go.notify_one();
    let first = shop.worker();
    let id = shop.submit().await;
    first.shutdown().await;

    let second = shop.worker();
    shop.rig.client.signal(shop.mailbox.latest(), "paid").await.unwrap();

    assert_eq!(shop.rig.client.result::<Vec<String>>(id).await.unwrap(), ["paid"]);
    second.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_was_told_to_stop_leaves_its_answer_to_another_worker() {
    let shop = shop();
    let first = shop.worker();
    let id = shop.submit().await;
    shop.rig.client.signal(shop.mailbox.latest(), "paid").await.unwrap();

    let stopping = tokio::spawn(first.shutdown());
    shop.rig.pass(GRACE).await;
    shop.go.notify_one();
    shop.rig.settle().await;
    assert!(stopping.is_finished());
    assert_eq!(shop.rig.state(id).await, ExecutionState::Ready);
    let second = shop.worker();

    assert_eq!(shop.rig.client.result::<Vec<String>>(id).await.unwrap(), ["paid"]);
    assert_eq!(shop.mailbox.all().len(), 1);
    second.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_ends_although_a_suspend_hangs() {
    let shop = shop();
    let worker = shop.worker();
    shop.submit().await;
    shop.rig.backend.hang("suspend");
    shop.go.notify_one();
    shop.rig.settle().await;

    let stopping = tokio::spawn(worker.shutdown());
    shop.rig.pass(GRACE + Duration::from_millis(2_100)).await;

    assert!(stopping.is_finished());
}
