//! Attempts that wait for signals and go on.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Mailbox, Rig};
use ff_sdk::prelude::*;
use ff_sdk::{ListWaitpoints, ResumeOutcome, ResumeReason, SignalOutcome, TimeoutBehavior};

type Told = (u32, u32, u32, Vec<u64>);

/// Waits for a payment and answers with the counters of the attempt and what was paid.
async fn ship(task: ClaimedTask, (): ()) -> Result<Told, TaskError> {
    let paid = task.resume_signals().await?;
    if paid.is_empty() {
        let payment = task.create_waitpoint("payment").await?;
        task.state::<Mailbox>()?.post(payment.token());
        return Err(TaskError::suspend(Wait::on(&payment)));
    }
    let again = task.resume_signals().await?;
    let amounts = again.iter().map(SignalExt::json).collect::<Result<_, _>>()?;
    Ok((task.attempt().0, task.retries(), task.reclaims(), amounts))
}

/// A rig, a mailbox, and handlers that use it.
fn rig(handlers: Handlers) -> (Rig, Arc<Mailbox>, Handlers) {
    let mailbox = Arc::new(Mailbox::default());
    (Rig::new(), Arc::clone(&mailbox), handlers.shared_state(mailbox))
}

#[tokio::test]
async fn a_wait_holds_nothing_and_resumes_the_same_attempt() {
    let (rig, mailbox, handlers) = rig(Handlers::new().handler("ship", ship));
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    let id = rig.submit(Job::new("ship", &())).await;
    rig.settle().await;
    assert_eq!(rig.state(id).await, ExecutionState::Suspended);
    assert_eq!(worker.in_hand(), 0);

    rig.pass(LEASE_TTL * 2).await;
    assert_eq!(rig.backend.renewals.load(Relaxed), 0);
    let sent = rig.client.signal(mailbox.latest(), "paid").payload(&250_u64).await.unwrap();
    rig.settle().await;

    assert_eq!(sent, SignalOutcome::Resumed);
    assert_eq!(rig.client.result::<Told>(id).await.unwrap(), (0, 0, 0, vec![250]));
    assert_eq!(mailbox.all().len(), 1);
    assert_eq!(rig.backend.observations.load(Relaxed), 1, "asked once, by the second run");
    worker.shutdown().await;
}

#[tokio::test]
async fn a_wait_that_is_over_already_calls_the_handler_again_at_once() {
    let (rig, mailbox, handlers) = rig(Handlers::new().handler("ship", async |task, ()| {
        if task.resumed().await?.reason.is_none() {
            let payment = task.create_waitpoint("payment").await?;
            let client = task.state::<Client>()?;
            client.signal(payment.token(), "paid").payload(&7_u64).await?;
            return Err(TaskError::suspend(Wait::on(&payment)));
        }
        ship(task, ()).await
    }));
    let handlers = handlers.state(rig.client.clone());
    let worker = rig.worker().handlers(handlers).build().unwrap().start();

    let id = rig.submit(Job::new("ship", &())).await;

    assert_eq!(rig.client.result::<Told>(id).await.unwrap(), (0, 0, 0, vec![7]));
    let view = rig.client.describe(id).await.unwrap();
    assert_eq!(view.epoch.0, 1, "under the first lease");
    assert!(mailbox.all().is_empty());
    worker.shutdown().await;
}

#[tokio::test]
async fn a_raw_handler_gets_the_tokens_or_its_task_back() {
    let (rig, mailbox, handlers) =
        rig(Handlers::new().raw_handler("ship", async |mut task: ClaimedTask| {
            if task.resumed().await?.reason.is_none() {
                let mailbox = task.state::<Mailbox>()?;
                task = match task.suspend(Wait::any(["paid", "refused"])).await? {
                    Suspension::AlreadySatisfied(task) => task,
                    Suspension::Suspended(settled, tokens) => {
                        for waitpoint in &tokens {
                            mailbox.post(waitpoint.token());
                        }
                        return Ok::<_, TaskError>(settled);
                    }
                };
            }
            let names = task.resume_signals().await?.into_iter().map(|signal| signal.signal_name);
            let names = names.collect::<Vec<_>>();
            Ok(task.complete_json(&names).await?)
        }));
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    let id = rig.submit(Job::new("ship", &())).await;
    rig.settle().await;

    let keys: Vec<_> = mailbox.all().iter().map(|token| token.address().key.to_string()).collect();
    assert_eq!(keys, ["paid", "refused"]);
    rig.client.signal(mailbox.latest().as_str(), "no money").await.unwrap();

    assert_eq!(rig.client.result::<Vec<String>>(id).await.unwrap(), ["no money"]);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_task_that_is_satisfied_already_goes_on_under_its_lease() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .state(rig.client.clone())
        .raw_handler("ship", async |task: ClaimedTask| {
            let payment = task.create_waitpoint("payment").await?;
            let early = task.state::<Client>()?.signal(payment.token(), "paid").await?;
            assert_eq!(early, SignalOutcome::Buffered);
            match task.suspend(Wait::on(&payment)).await? {
                Suspension::Suspended(settled, _) => Ok::<_, TaskError>(settled),
                Suspension::AlreadySatisfied(task) => {
                    let told = (task.resume_signals().await?.len(), task.is_resumed());
                    Ok(task.complete_json(&told).await?)
                }
            }
        })
        .build()
        .unwrap()
        .start();

    let id = rig.submit(Job::new("ship", &())).await;

    assert_eq!(rig.client.result::<(usize, bool)>(id).await.unwrap(), (1, true));
    worker.shutdown().await;
}

#[tokio::test]
async fn an_answer_is_not_lost_with_its_worker_nor_by_a_retry() {
    let (rig, mailbox, handlers) = rig(Handlers::new().handler("ship", async |task, ()| {
        let crashes = task.resumed().await?.reason.is_some();
        let (reclaims, retries) = (task.reclaims(), task.retries());
        let told = ship(task, ()).await?;
        match (crashes, reclaims, retries) {
            (true, 0, 0) => std::future::pending().await,
            (true, 1, 0) => Err(TaskError::transient("no wind")),
            _ => Ok::<Told, TaskError>(told),
        }
    }));
    let first = rig.worker().handlers(handlers.clone()).build().unwrap().start();
    let id = rig.submit(Job::new("ship", &())).await;
    rig.settle().await;
    rig.client.signal(mailbox.latest(), "paid").payload(&9_u64).await.unwrap();
    rig.settle().await;

    first.kill().await;
    let second = rig.worker().handlers(handlers).build().unwrap().start();
    rig.pass(LEASE_TTL + Duration::from_secs(5)).await;

    let told = rig.client.result::<Told>(id).await.unwrap();
    assert_eq!((told.1, told.2, told.3), (1, 1, vec![9]));
    assert_eq!(mailbox.all().len(), 1);
    second.shutdown().await;
}

#[tokio::test]
async fn operators_see_close_and_end_waits() {
    let (rig, mailbox, handlers) = rig(Handlers::new().handler("ship", async |task, ()| {
        let reason = task.resumed().await?.reason;
        if reason.is_none() {
            let payment = task.create_waitpoint("payment").await?;
            task.state::<Mailbox>()?.post(payment.token());
            let day = Duration::from_hours(24);
            let wait = Wait::on(&payment).timeout(day, TimeoutBehavior::Resume);
            return Err(TaskError::suspend(wait));
        }
        Ok::<_, TaskError>(reason)
    }));
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(rig.submit(Job::new("ship", &())).await);
    }
    rig.settle().await;

    let page =
        rig.client.list_waitpoints(&ListWaitpoints::new().with_execution(ids[0])).await.unwrap();
    let open = page.items.first().expect("it is open").clone();
    rig.client.withdraw_waitpoint(ids[0], open.waitpoint_id).await.unwrap();
    let resumed = rig.client.resume_execution(ids[1], "paid in cash").await.unwrap();
    rig.pass(Duration::from_secs(1)).await;

    assert_eq!((page.items.len(), open.signals), (1, 0));
    assert_eq!(resumed, ResumeOutcome::Resumed);
    let by_hand = ResumeReason::Operator { reason: "paid in cash".to_owned() };
    let reasons = [Some(ResumeReason::Unsatisfiable), Some(by_hand)];
    for (id, reason) in ids.iter().zip(reasons) {
        assert_eq!(rig.client.result::<Option<ResumeReason>>(*id).await.unwrap(), reason);
    }
    assert_eq!(rig.state(ids[2]).await, ExecutionState::Suspended);
    assert_eq!(mailbox.all().len(), 3);
    worker.shutdown().await;
}

#[tokio::test]
async fn a_text_that_is_no_token_is_refused_as_a_wrong_token_is() {
    let (rig, mailbox, handlers) = rig(Handlers::new().handler("ship", ship));
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    rig.submit(Job::new("ship", &())).await;
    rig.settle().await;
    let good = mailbox.latest();
    let last = if good.as_str().ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &good.as_str()[..good.as_str().len() - 1]);

    for bad in ["", "w1", forged.as_str()] {
        let refused = rig.client.signal(bad, "paid").await.unwrap_err();
        assert_eq!(refused.code(), "waitpoint_not_found");
        assert_eq!(refused.to_string(), "waitpoint not found");
    }
    let refused = rig.client.signal(&good, "paid").idempotency_key("").await.unwrap_err();
    assert_eq!(refused.code(), "validation");
    worker.shutdown().await;
}
