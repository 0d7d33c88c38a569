//! Calls that wait, over a connection that is lost meanwhile.

use std::time::Duration;

use ff_engine::{AttemptOps as _, ReadOps as _, ResultOutcome, ResultRequest, SubmitOps as _};

use crate::fixture::{
    FOREVER, Worker, claim, connect, is_armed, server, soon, until, waiting_claim,
};
use crate::script::{Fault, Script};

/// How long the other side takes to subscribe again.
const LATE: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_waiting_claim_looks_again_behind_a_reconnect() {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    let waiting = waiting_claim(&backend, &server).await;

    script.cut("SSUBSCRIBE");
    let id = direct.submit(&Worker::new().submission()).await.unwrap().id();

    let task = soon("the claim has looked again", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
}

#[tokio::test]
async fn what_waits_looks_again_only_once_it_is_subscribed_again() {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    let waiting = waiting_claim(&backend, &server).await;
    let subscribed = script.seen("SSUBSCRIBE");

    script.always("SSUBSCRIBE", Fault::Delay(LATE));
    script.cut("SSUBSCRIBE");
    // The subscription is on its way: nobody is told of what is submitted now.
    until("it subscribes again", || async { script.seen("SSUBSCRIBE") > subscribed }).await;
    let id = direct.submit(&Worker::new().submission()).await.unwrap().id();
    assert!(!is_armed(&server), "the wake-up has gone to nobody");

    let task = soon("the claim has looked again", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
}

#[tokio::test]
async fn a_wait_for_a_result_looks_again_behind_a_reconnect() {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    let worker = Worker::new();
    let id = direct.submit(&worker.submission()).await.unwrap().id();
    let task = claim(&direct, &worker).await.unwrap();
    let reading = backend.clone();
    let request = ResultRequest::new(id).with_max_wait(FOREVER);
    let waiting = tokio::spawn(async move { reading.result(&request).await });
    until("the result is waited for", || async { script.seen("ff_await") > 0 }).await;

    script.cut("SSUBSCRIBE");
    direct.complete(&task.handle, None).await.unwrap();

    let outcome = soon("the read has looked again", waiting).await.unwrap().unwrap();
    assert!(matches!(outcome, ResultOutcome::Ended(_)));
}

#[tokio::test]
async fn all_connections_may_go_at_once_again_and_again() {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    for _ in 0..5 {
        let waiting = waiting_claim(&backend, &server).await;

        script.cut("HELLO");
        let id = direct.submit(&Worker::new().submission()).await.unwrap().id();

        // A claim whose own call was under way at the loss fails, and its worker claims again.
        let task = soon("the claim has looked again", waiting).await;
        if let Ok(task) = task {
            assert_eq!(task.execution_id, id);
        } else {
            until("it is claimed", || async { claim(&backend, &Worker::new()).await.is_ok() })
                .await;
        }
    }
}
