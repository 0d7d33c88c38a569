//! Values go in and come out; errors come out as what they are.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Rig;
use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_types::ExecutionState;
use ff_types::backend::FailureClass;

async fn double(_task: ClaimedTask, number: u32) -> Result<u32, TaskError> {
    Ok(number * 2)
}

/// Runs one job of `kind` on a worker with these handlers, to its end.
async fn end_of(handlers: Handlers, job: Job) -> Result<serde_json::Value, ResultError> {
    let rig = Rig::new();
    let worker = rig.worker().handlers(handlers).build().unwrap().start();
    let id = rig.submit(job.retry(RetryPolicy::none())).await;
    rig.settle().await;
    let end = rig.client.try_result(id).await;
    worker.shutdown().await;
    end.map(|value| value.expect("it has ended"))
}

fn failed(end: Result<serde_json::Value, ResultError>) -> (FailureClass, String) {
    match end {
        Err(ResultError::Failed { class, message }) => (class, message),
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[tokio::test]
async fn a_typed_value_makes_the_round_trip() {
    let handlers = Handlers::new().handler("double", double);

    let end = end_of(handlers, Job::new("double", &21)).await;

    assert_eq!(end.unwrap(), 42);
}

#[tokio::test]
async fn a_handler_that_returns_nothing_stores_nothing() {
    let rig = Rig::new();
    let handlers =
        Handlers::new().handler("note", async |_: ClaimedTask, (): ()| Ok::<(), TaskError>(()));
    let worker = rig.worker().handlers(handlers).build().unwrap().start();

    let id = rig.submit(Job::new("note", &())).await;
    let end = rig.client.result_raw(id).await.unwrap();

    assert_eq!(end.payload, None);
    rig.client.result::<()>(id).await.unwrap();
    worker.shutdown().await;
}

#[tokio::test]
async fn a_result_of_another_type_is_a_decode_error() {
    let rig = Rig::new();
    let worker = rig.worker().handler("double", double).build().unwrap().start();
    let id = rig.submit(Job::new("double", &21)).await;

    let wrong = rig.client.result::<String>(id).await;

    assert!(matches!(wrong, Err(ResultError::Decode(_))));
    worker.shutdown().await;
}

#[tokio::test]
async fn a_payload_that_does_not_decode_fails_for_good_and_is_not_shown() {
    let handlers = Handlers::new().handler("double", double);

    let (class, message) = failed(end_of(handlers, Job::new("double", "secret")).await);

    assert_eq!(class, FailureClass::Permanent);
    assert!(message.starts_with("the payload is not a u32"), "{message}");
    assert!(!message.contains("secret"));
}

#[tokio::test]
async fn an_unknown_kind_fails_for_good() {
    let handlers =
        Handlers::new().handler("known", async |_: ClaimedTask, (): ()| Ok::<(), TaskError>(()));

    let (class, message) = failed(end_of(handlers, Job::new("mystery", &1)).await);

    assert_eq!(class, FailureClass::Permanent);
    assert_eq!(message, "no handler for kind mystery; this worker has known");
}

#[test]
fn a_worker_without_handlers_is_refused() {
    let refused = Worker::builder(Arc::new(MemBackend::new())).build().unwrap_err();

    assert_eq!(refused.code(), "validation");
    assert!(refused.to_string().starts_with("handlers "), "{refused}");
}

#[tokio::test]
async fn any_error_is_transient_by_default() {
    let handlers =
        Handlers::new().handler("parse", async |_: ClaimedTask, text: String| text.parse::<u32>());

    let (class, message) = failed(end_of(handlers, Job::new("parse", "x")).await);

    assert_eq!(class, FailureClass::Transient);
    assert_eq!(message, "invalid digit found in string");
}

#[tokio::test]
async fn an_error_can_be_made_permanent() {
    let handlers = Handlers::new()
        .handler("parse", async |_: ClaimedTask, text: String| text.parse::<u32>().permanent());

    let (class, _) = failed(end_of(handlers, Job::new("parse", "x")).await);

    assert_eq!(class, FailureClass::Permanent);
}

#[tokio::test]
async fn a_cancelled_error_cancels() {
    let handlers = Handlers::new().handler("drop", async |_: ClaimedTask, (): ()| {
        Err::<(), _>(TaskError::cancelled("not wanted"))
    });

    let end = end_of(handlers, Job::new("drop", &())).await;

    assert!(matches!(end, Err(ResultError::Cancelled { reason }) if reason == "not wanted"));
}

#[tokio::test]
async fn a_result_over_the_limit_fails_for_good() {
    let handlers = Handlers::new().handler("grow", async |_: ClaimedTask, (): ()| {
        Ok::<_, TaskError>("x".repeat(ff_types::limits::RESULT_MAX_BYTES))
    });

    let (class, message) = failed(end_of(handlers, Job::new("grow", &())).await);

    assert_eq!(class, FailureClass::Permanent);
    assert!(message.contains("limit"), "{message}");
}

#[tokio::test]
async fn a_panic_is_a_retry_and_the_worker_goes_on() {
    let rig = Rig::new();
    let worker = rig
        .worker()
        .handler("shaky", async |task: ClaimedTask, (): ()| {
            assert!(task.retries() > 0, "the first time");
            Ok::<_, TaskError>("fine")
        })
        .build()
        .unwrap()
        .start();

    let id = rig.submit(Job::new("shaky", &())).await;
    rig.settle().await;
    let failure = rig.client.describe(id).await.unwrap().last_failure.unwrap();
    rig.pass(Duration::from_secs(2)).await;

    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(failure.message, "handler panicked: the first time");
    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    worker.shutdown().await;
}

#[tokio::test]
async fn state_is_found_by_its_type() {
    let handlers =
        Handlers::new().state(7_u32).handler("lucky", async |task: ClaimedTask, (): ()| {
            task.state::<u32>().map(|number| *number)
        });

    assert_eq!(end_of(handlers, Job::new("lucky", &())).await.unwrap(), 7);
}
