//! Answers that get lost: the call fails, was sent once, and the next one is answered.

use ff_engine::{EngineError, ReadOps as _, SubmitOps as _, Submitted};
use tokio::task::JoinSet;

use crate::fixture::{A_LITTLE, REQUEST};
use crate::fixture::{Worker, answers, assert_unavailable, connect, server, soon, timed, until};
use crate::script::{Fault, Script};

/// Loses a submission in some way, and answers whether it took effect.
async fn took_effect(fault: Fault) -> bool {
    let server = server();
    let script = Script::before(&server).await;
    let (backend, direct) = (connect(&script.url()).await, connect(&server.url()).await);
    let submission = Worker::new().submission();
    script.once("ff_submit", fault);

    let (lost, took) = timed(backend.submit(&submission)).await;

    assert_unavailable(lost);
    assert!(took < REQUEST + A_LITTLE, "{took:?}");
    until("calls are answered again", || answers(&backend)).await;
    assert_eq!(script.seen("ff_submit"), 1, "it was sent once");
    let took_effect = match direct.describe_execution(submission.id()).await {
        Ok(_) => true,
        Err(EngineError::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    let again = backend.submit(&submission).await.unwrap();
    assert!(matches!(again, Submitted::New(id) if id == submission.id()));
    assert_eq!(script.seen("ff_submit"), 2);
    took_effect
}

#[tokio::test]
async fn a_request_that_is_lost_has_no_effect_and_is_not_sent_again() {
    assert!(!took_effect(Fault::LoseRequest).await);
}

#[tokio::test]
async fn a_request_whose_connection_is_reset_is_not_sent_again() {
    assert!(!took_effect(Fault::Reset).await);
}

#[tokio::test]
async fn a_request_whose_reply_is_lost_is_not_sent_again() {
    assert!(took_effect(Fault::LoseReply).await);
}

#[tokio::test]
async fn half_a_reply_is_none() {
    assert!(took_effect(Fault::HalfReply).await);
}

#[tokio::test]
async fn many_requests_under_way_are_each_sent_once_and_fail_as_unavailable() {
    const CALLS: usize = 200;

    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;
    let mut calls = JoinSet::new();
    script.always("ff_describe", Fault::LoseReply);

    for _ in 0..CALLS {
        let backend = backend.clone();
        calls.spawn(async move { backend.describe_execution(Worker::new().nobody()).await });
    }

    while let Some(call) = soon("all calls end", calls.join_next()).await {
        assert_unavailable(call.unwrap());
    }
    let seen = script.seen("ff_describe");
    assert!((1..=CALLS).contains(&seen), "{seen} requests of {CALLS} calls");
    script.heal();
    until("calls are answered again", || answers(&backend)).await;
}

#[tokio::test]
async fn a_call_that_no_reconnect_can_help_ends_in_time() {
    let mut server = server();
    let backend = connect(&server.url()).await;
    server.kill();

    for _ in 0..3 {
        let (lost, took) = timed(backend.describe_execution(Worker::new().nobody())).await;
        assert_unavailable(lost);
        assert!(took < REQUEST + A_LITTLE, "{took:?}");
    }
}
