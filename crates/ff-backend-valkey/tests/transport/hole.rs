//! Connections that stay open and swallow everything.

use std::time::Duration;

use ff_engine::{ReadOps as _, SubmitOps as _};

use crate::fixture::{
    A_LITTLE, REQUEST, Worker, answers, assert_unavailable, config, connect, connect_as, server,
    soon, timed, until, waiting_claim,
};
use crate::script::{Fault, Script};

/// What connecting may take at most.
const CONNECT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_call_into_a_black_hole_fails_in_time() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;
    script.once("ff_describe", Fault::Swallow);

    let (lost, took) = timed(backend.describe_execution(Worker::new().nobody())).await;

    assert_unavailable(lost);
    assert!(took < REQUEST + A_LITTLE, "{took:?}");
    until("another connection took its place", || answers(&backend)).await;
}

#[tokio::test]
async fn a_connection_that_swallows_is_left_although_calls_go_on() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;
    let calling = backend.clone();
    // More often than a request may take: each is a sign of life to the client library.
    let traffic = tokio::spawn(async move {
        loop {
            let calling = calling.clone();
            tokio::spawn(async move { answers(&calling).await });
            tokio::time::sleep(REQUEST / 20).await;
        }
    });

    script.swallow("ff_version");

    assert!(!answers(&backend).await, "the connection swallows");
    until("another connection took its place", || answers(&backend)).await;
    traffic.abort();
}

#[tokio::test]
async fn connecting_to_a_black_hole_fails_in_time() {
    let server = server();
    let script = Script::before(&server).await;
    script.swallow_new(true);

    let (lost, took) = timed(connect_as(&config(&script.url()))).await;

    assert_unavailable(lost);
    assert!(took < CONNECT + A_LITTLE, "{took:?}");
}

#[tokio::test]
async fn connecting_to_nobody_fails_at_once() {
    let mut server = server();
    server.kill();

    let (lost, took) = timed(connect_as(&config(&server.url()))).await;

    assert_unavailable(lost);
    assert!(took < A_LITTLE, "{took:?}");
}

#[tokio::test]
async fn a_waiting_claim_survives_a_subscription_that_swallows() {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    let waiting = waiting_claim(&backend, &server).await;

    script.swallow("SSUBSCRIBE");
    let id = direct.submit(&Worker::new().submission()).await.unwrap().id();

    let task = soon("the claim has looked again", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
}

#[tokio::test]
async fn what_is_dropped_does_not_wait_for_a_black_hole() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;
    script.once("ff_describe", Fault::Swallow);
    let calling = backend.clone();
    let call = tokio::spawn(async move {
        drop(calling.describe_execution(Worker::new().nobody()).await);
    });
    until("the call is under way", || async { script.seen("ff_describe") == 1 }).await;

    call.abort();
    drop(backend);

    let clients = || server.command(&["CLIENT", "LIST"]).unwrap().as_str().unwrap().lines().count();
    // The one that asks is left.
    until("its connections are closed", || async { clients() == 1 }).await;
}
