//! The test engine, and batches.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Rig;
use ff_backend_mem::MemBackend;
use ff_engine::ListRequest;
use ff_sdk::prelude::*;
use ff_sdk::testing::{TestEngine, TestError};
use ff_types::TerminalOutcome;

fn engine(handlers: Handlers) -> TestEngine {
    TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build())).handlers(handlers)
}

async fn weekly(task: ClaimedTask, (): ()) -> Result<u32, TaskError> {
    if task.retries() < 2 {
        return Err(TaskError::retry_after(Duration::from_hours(7 * 24), "not yet"));
    }
    Ok(task.retries())
}

#[tokio::test]
async fn weeks_pass_at_once() {
    let engine = engine(Handlers::new().handler("weekly", weekly));
    let start = engine.now();
    let id = engine.client().submit(&Job::new("weekly", &())).await.unwrap().id();

    let end = engine.run_until_ended(id).await.unwrap();

    assert_eq!(end.outcome, TerminalOutcome::Completed);
    assert_eq!(engine.now().saturating_since(start), Duration::from_hours(14 * 24));
}

#[tokio::test]
async fn a_held_execution_is_stuck() {
    let engine = engine(Handlers::new().handler("weekly", weekly));
    let id = engine.client().submit(&Job::new("weekly", &())).await.unwrap().id();
    engine.client().hold(id).await.unwrap();

    let stuck = engine.run_until_ended(id).await;

    assert!(matches!(stuck, Err(TestError::Stuck(_))));
}

#[tokio::test]
async fn a_deadline_is_reached() {
    let engine = engine(Handlers::new());
    let job = Job::new("weekly", &()).deadline(Duration::from_hours(1));
    let id = engine.client().submit(&job).await.unwrap().id();
    engine.client().hold(id).await.unwrap();

    let end = engine.run_until_ended(id).await.unwrap();

    assert_eq!(end.outcome, TerminalOutcome::Expired);
}

#[tokio::test]
async fn a_batch_has_any_length_and_an_outcome_for_each_job() {
    let rig = Rig::new();
    let mut jobs: Vec<Job> = (0..2_100).map(|number| Job::new("count", &number)).collect();
    jobs[1_500] = Job::new("count", &0).lane("no lane");

    let outcomes = rig.client.submit_batch(&jobs).await;
    let again = rig.client.submit_batch(&jobs).await;

    let refused: Vec<usize> = (0..outcomes.len()).filter(|at| outcomes[*at].is_err()).collect();
    assert_eq!(refused, [1_500]);
    assert_eq!(again[2_099].as_ref().unwrap(), outcomes[2_099].as_ref().unwrap());
    let all = rig.client.list_all(ListRequest::new(), usize::MAX).await.unwrap();
    assert_eq!(all.len(), 2_099);
}

#[tokio::test]
async fn a_kind_with_two_handlers_is_refused() {
    let refused = Rig::new().worker().handler("weekly", weekly).handler("weekly", weekly).build();

    assert_eq!(refused.unwrap_err().to_string(), "handler for kind weekly was given twice");
}
