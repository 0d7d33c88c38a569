//! Flows are followed to their ends, whatever happens to the log or to whoever reads it.

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{FlowRun, TerminalOutcome, WorkerHandle};

const SECOND: Duration = Duration::from_secs(1);

async fn number(_task: ClaimedTask, number: i64) -> Result<i64, TaskError> {
    if number < 0 { Err(TaskError::permanent("negative")) } else { Ok(number) }
}

async fn plan(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    let mut more = Extension::new();
    more.node("added", Job::new("number", &1)).after(["plan"]);
    task.extend_flow("more", &more).await?;
    Ok(())
}

fn worker(rig: &Rig) -> WorkerHandle {
    let worker = rig.worker().handler("number", number).handler("plan", plan);
    worker.build().expect("it is set up").start()
}

async fn stop(rig: &Rig, worker: WorkerHandle) {
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

/// a, then b; c is skipped because b fails.
fn chain() -> Flow {
    let mut flow = Flow::new();
    flow.node("a", Job::new("number", &1));
    flow.node("b", Job::new("number", &-1)).after(["a"]);
    flow.node("c", Job::new("number", &1)).after(["b"]);
    flow
}

/// Everything that happens until the end, as texts.
async fn events(mut run: FlowRun) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(event) = run.next().await.expect("the rig is up") {
        texts.push(match event {
            FlowEvent::NodeEnded { key, outcome, .. } => format!("{key}:{outcome}"),
            FlowEvent::Ended { state } => state.to_string(),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(run.next().await.expect("the rig is up"), None);
    texts
}

const OF_THE_CHAIN: [&str; 4] = ["a:completed", "b:failed", "c:skipped", "failed"];

#[tokio::test]
async fn a_run_gives_the_end_and_results_on_demand() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let flow = chain();

    let (end, ()) = tokio::join!(rig.client.run_flow(&flow), rig.pass(2 * SECOND));

    let end = end.expect("it ended");
    assert_eq!((end.state(), end.is_completed()), (FlowState::Failed, false));
    assert_eq!(end.result::<i64>("a").await.expect("it completed"), 1);
    let failed = end.result::<i64>("b").await.expect_err("it failed");
    assert!(matches!(failed, ResultError::Failed { message, .. } if message == "negative"));
    assert!(matches!(end.result::<i64>("c").await, Err(ResultError::Skipped)));
    let unknown = end.result::<i64>("d").await.expect_err("there is none");
    assert!(matches!(&unknown, ResultError::Engine(EngineError::NotFound { .. })), "{unknown}");
    let raw = end.result_raw("b").await.expect("it ended");
    assert_eq!(raw.outcome, TerminalOutcome::Failed);
    let view = end.describe().await.expect("it is kept");
    assert_eq!((view.summary.flow_id, view.summary.open), (end.id(), 0));
    stop(&rig, worker).await;
}

#[tokio::test]
async fn ends_are_told_in_their_order_and_without_a_look() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let run = rig.client.start_flow(&chain()).await.expect("it is accepted");

    let (told, ()) = tokio::join!(events(run), rig.pass(2 * SECOND));

    assert_eq!(told, OF_THE_CHAIN);
    assert_eq!(rig.backend.flow_looks.load(Relaxed), 0);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_wait_ends_with_the_end_and_not_with_its_time() {
    let rig = Rig::new();
    let flow = chain();
    let client = rig.client.clone();
    let run = tokio::spawn(async move { client.run_flow(&flow).await.map(|end| end.state()) });
    rig.pass(Duration::from_mins(1)).await;
    assert!(!run.is_finished());

    let worker = worker(&rig);
    rig.settle().await;

    assert!(run.is_finished(), "no time has passed since the end");
    assert_eq!(run.await.expect("it did not panic").expect("it ended"), FlowState::Failed);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn other_flows_and_jobs_are_passed_over() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let run = rig.client.start_flow(&chain()).await.expect("it is accepted");
    rig.client.submit_flow(&chain()).await.expect("it is accepted");
    rig.submit(Job::new("number", &1)).await;

    let (told, ()) = tokio::join!(events(run), rig.pass(2 * SECOND));

    assert_eq!(told, OF_THE_CHAIN);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_gap_in_the_log_loses_no_end() {
    for gaps in [1, 2, 100] {
        let rig = Rig::new();
        rig.backend.gaps.store(gaps, Relaxed);
        let run = rig.client.start_flow(&chain()).await.expect("it is accepted");
        let worker = worker(&rig);

        let (mut told, ()) = tokio::join!(events(run), rig.pass(2 * SECOND));

        // What is found by a look comes in the order of the nodes.
        assert_eq!(told.pop().as_deref(), Some("failed"), "{gaps} gaps");
        assert_eq!(told, OF_THE_CHAIN[..3], "{gaps} gaps");
        assert!(rig.backend.flow_looks.load(Relaxed) >= 1);
        stop(&rig, worker).await;
    }
}

#[tokio::test]
async fn what_was_found_by_a_look_is_not_told_again_by_the_log() {
    let rig = Rig::new();
    let mut flow = chain();
    flow.node("late", Job::new("number", &2).delay(10 * SECOND));
    rig.backend.gaps_in_front.store(1, Relaxed);
    let run = rig.client.start_flow(&flow).await.expect("it is accepted");
    let worker = worker(&rig);
    rig.pass(SECOND).await;

    let (told, ()) = tokio::join!(events(run), rig.pass(15 * SECOND));

    assert_eq!(told, ["a:completed", "b:failed", "c:skipped", "late:completed", "failed"]);
    assert_eq!(rig.backend.flow_looks.load(Relaxed), 1);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn what_the_log_has_told_is_not_told_again_by_a_look() {
    let rig = Rig::new();
    let mut flow = chain();
    flow.node("late", Job::new("number", &2).delay(10 * SECOND));
    let mut run = rig.client.start_flow(&flow).await.expect("it is accepted");
    let worker = worker(&rig);
    rig.pass(SECOND).await;
    let first = run.next().await.expect("the rig is up");
    assert!(matches!(first, Some(FlowEvent::NodeEnded { key, .. }) if key.as_str() == "a"));
    rig.backend.gaps.store(1, Relaxed);

    let (told, ()) = tokio::join!(events(run), rig.pass(15 * SECOND));

    assert_eq!(told, ["b:failed", "c:skipped", "late:completed", "failed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_flow_that_has_ended_is_followed_to_its_end() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let flow = chain();
    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    rig.pass(SECOND).await;

    let again = rig.client.start_flow(&flow).await.expect("it is the same");
    assert_eq!(events(again).await, OF_THE_CHAIN);
    let later = rig.client.flow(id).follow().await.expect("it is there");
    assert_eq!(events(later).await, OF_THE_CHAIN);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_follower_that_comes_late_hears_all_once() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let mut flow = chain();
    flow.node("late", Job::new("number", &2).delay(10 * SECOND));
    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    rig.pass(SECOND).await;
    let run = rig.client.flow(id).follow().await.expect("it is there");

    let (told, ()) = tokio::join!(events(run), rig.pass(15 * SECOND));

    assert_eq!(told, ["a:completed", "b:failed", "c:skipped", "late:completed", "failed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let rig = Rig::new();
    let mut run = rig.client.start_flow(&chain()).await.expect("it is accepted");
    for _ in 0..3 {
        let waiting = run.next();
        tokio::select! {
            biased;
            event = waiting => panic!("nobody works: {event:?}"),
            () = rig.settle() => {}
        }
    }
    let worker = worker(&rig);

    let (told, ()) = tokio::join!(events(run), rig.pass(2 * SECOND));

    assert_eq!(told, OF_THE_CHAIN);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn nodes_that_are_added_are_told_by_their_keys() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let mut flow = Flow::new();
    flow.node("plan", Job::new("plan", &()));
    let run = rig.client.start_flow(&flow).await.expect("it is accepted");

    let (told, ()) = tokio::join!(events(run), rig.pass(2 * SECOND));

    assert_eq!(told, ["plan:completed", "added:completed", "completed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_run_bears_an_outage() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let run = rig.client.start_flow(&chain()).await.expect("it is accepted");
    let outage = async {
        rig.backend.away.store(true, Relaxed);
        rig.pass(SECOND).await;
        rig.backend.away.store(false, Relaxed);
        rig.pass(30 * SECOND).await;
    };

    let (told, ()) = tokio::join!(events(run), outage);

    assert_eq!(told, OF_THE_CHAIN);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn following_a_flow_that_is_not_there_says_so() {
    let rig = Rig::new();
    let nobody = rig.client.flow(rig.client.new_flow_id());

    let error = nobody.follow().await.expect_err("it is not there");

    assert_eq!(error.code(), "flow_not_found");
}
