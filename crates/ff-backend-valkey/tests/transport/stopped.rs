//! Servers that stop, go on, die and come back.

use std::time::Duration;

use ff_engine::{ReadOps as _, SubmitOps as _};
use ff_types::backend::BackendTimeouts;
use ff_valkey_server::Server;
use tokio::task::JoinSet;

use crate::fixture::{
    A_LITTLE, BOUND, Worker, answers, assert_unavailable, config, connect, connect_as, job,
    options, server, soon, timed, until, waiting_claim,
};

/// More calls than the connection takes without sending them.
const TOO_MANY: usize = 20_000;

#[tokio::test]
async fn a_call_to_a_stopped_server_takes_the_configured_time() {
    let server = server();
    for timeout in [300, 1_200].map(Duration::from_millis) {
        let timeouts = BackendTimeouts::new().with_request(timeout);
        let config = config(&server.url()).with_timeouts(timeouts);
        let backend = connect_as(&config).await.unwrap();

        server.pause();
        let (lost, took) = timed(backend.describe_execution(Worker::new().nobody())).await;
        server.resume();

        assert_unavailable(lost);
        assert!((timeout * 9 / 10..timeout + A_LITTLE).contains(&took), "{took:?} of {timeout:?}");
    }
}

#[tokio::test]
async fn a_timeout_of_nothing_is_not_forever() {
    let server = server();
    let timeouts = BackendTimeouts::new().with_request(Duration::ZERO);
    // A millisecond may be too short to connect at all.
    let (_, took) = timed(connect_as(&config(&server.url()).with_timeouts(timeouts))).await;
    assert!(took < BOUND);
}

#[tokio::test]
async fn everything_goes_on_once_a_stopped_server_does() {
    let server = server();
    let backend = connect(&server.url()).await;
    let waiting = waiting_claim(&backend, &server).await;

    server.pause();
    for _ in 0..3 {
        assert_unavailable(backend.describe_execution(Worker::new().nobody()).await);
    }
    server.resume();

    until("calls are answered again", || answers(&backend)).await;
    let id = backend.submit(&Worker::new().submission()).await.unwrap().id();
    let task = soon("the claim that waits gets it", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
    job(&backend).await.unwrap();
}

#[tokio::test]
async fn everything_goes_on_once_a_dead_server_is_back() {
    let options = options().config("appendonly", "yes").config("appendfsync", "always");
    let mut server = Server::start(&options).unwrap();
    let backend = connect(&server.url()).await;
    let waiting = waiting_claim(&backend, &server).await;

    server.kill();
    assert_unavailable(backend.describe_execution(Worker::new().nobody()).await);
    server.restart().unwrap();

    until("calls are answered again", || answers(&backend)).await;
    let id = backend.submit(&Worker::new().submission()).await.unwrap().id();
    let task = soon("the claim that waits gets it", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
    job(&backend).await.unwrap();
}

#[tokio::test]
async fn a_server_that_lost_everything_is_given_the_library_again() {
    let mut server = server();
    let backend = connect(&server.url()).await;

    server.restart().unwrap();

    until("a job is done", || async { job(&backend).await.is_ok() }).await;
}

#[tokio::test]
async fn a_dead_server_gives_back_pressure() {
    let mut server = server();
    let backend = connect(&server.url()).await;
    server.kill();
    until("the connection is lost", || async { !answers(&backend).await }).await;

    let mut calls = JoinSet::new();
    for _ in 0..TOO_MANY {
        let backend = backend.clone();
        calls.spawn(async move {
            let (answer, took) = timed(backend.describe_execution(Worker::new().nobody())).await;
            assert_unavailable(answer);
            took
        });
    }
    let mut at_once = 0;
    while let Some(took) = soon("all calls end", calls.join_next()).await {
        at_once += usize::from(took.unwrap() < Duration::from_millis(500));
    }

    assert!(at_once > TOO_MANY / 20, "{at_once} calls were turned away at once");
    server.restart().unwrap();
    until("a job is done", || async { job(&backend).await.is_ok() }).await;
}
