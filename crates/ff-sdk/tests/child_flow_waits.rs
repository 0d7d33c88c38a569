//! Waits for child flows: together with other waits, in raw handlers, and when answers are lost.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Rig;
use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{Decision, ListFlows};

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

async fn number(_task: ClaimedTask, number: i64) -> Result<i64, TaskError> {
    Ok(number)
}

fn one_node(number: i64) -> Flow {
    let mut flow = Flow::new();
    flow.node("number", Job::new("number", &number));
    flow
}

/// Asks people before and after.
async fn asking(task: ClaimedTask, (): ()) -> Result<i64, TaskError> {
    let post = async |_| Ok::<_, TaskError>(());
    let asked = task.step("before", async |_| {
        Ok(task.approval("before").ask(post).await? != Decision::TimedOut)
    });
    let before = asked.await?;
    let end = task.run_flow("total", &one_node(i64::from(before))).await?;
    let after = task.approval("after").deadline(HOUR).ask(post).await?;
    Ok(end.result::<i64>("number").await? + i64::from(after == Decision::TimedOut))
}

async fn with_id(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    let flow = one_node(1).id(task.client().new_flow_id());
    task.run_flow("total", &flow).await?;
    Ok(())
}

async fn keeping(task: ClaimedTask, (): ()) -> Result<Option<u32>, TaskError> {
    let wait = task.run_flow("total", &one_node(1)).await;
    wait.map_err(|wait| wait.with_state_json(&7))?;
    Ok(task.saved_state_json()?)
}

async fn raw(task: ClaimedTask) -> Result<Settled, TaskError> {
    let end = task.run_flow("total", &one_node(5)).await?;
    let sum = end.result::<i64>("number").await?;
    Ok(task.complete_json(&sum).await?)
}

async fn refused(task: ClaimedTask) -> Result<Settled, TaskError> {
    let Err(wait) = task.run_flow("total", &one_node(1)).await else {
        return Ok(task.complete(None).await?);
    };
    match task.fail(wait).await {
        Ok(settled) => Ok(settled),
        Err(refused) => Err(TaskError::permanent(refused.to_string())),
    }
}

/// Starts the flow, and does something else before it waits.
async fn slow(task: ClaimedTask, (): ()) -> Result<i64, TaskError> {
    let end = task.run_flow("one", &one_node(4)).await;
    if end.is_err() {
        task.client().flow(only_flow(&task.client()).await).follow().await?.end().await?;
    }
    Ok(end?.result::<i64>("number").await?)
}

async fn only_flow(client: &Client) -> FlowId {
    let flows = client.list_flows(&ListFlows::new()).await.expect("the backend is up").items;
    assert_eq!(flows.len(), 1);
    flows[0].flow_id
}

fn handlers() -> Handlers {
    Handlers::new()
        .handler("number", number)
        .handler("asking", asking)
        .handler("with-id", with_id)
        .handler("keeping", keeping)
        .handler("slow", slow)
        .raw_handler("raw", raw)
        .raw_handler("refused", refused)
}

/// Runs the job to its end, and answers what it returned or why it failed.
async fn run<R: serde::de::DeserializeOwned>(job: Job) -> Result<R, ResultError> {
    let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()));
    let engine = engine.handlers(handlers());
    let id = engine.client().submit(&job).await.expect("it is accepted").id();
    engine.run_until_ended(id).await.expect("it ends");
    engine.client().result(id).await
}

fn message<T: std::fmt::Debug>(end: Result<T, ResultError>) -> String {
    match end {
        Err(ResultError::Failed { message, .. }) => message,
        other => panic!("it failed, and not: {other:?}"),
    }
}

#[tokio::test]
async fn waits_for_people_and_for_flows_go_together() {
    let total: i64 = run(Job::new("asking", &())).await.expect("it completed");

    assert_eq!(total, 1);
}

#[tokio::test]
async fn a_state_is_saved_with_the_wait() {
    let saved: Option<u32> = run(Job::new("keeping", &())).await.expect("it completed");

    assert_eq!(saved, Some(7));
}

#[tokio::test]
async fn a_raw_handler_passes_the_wait_on() {
    let sum: i64 = run(Job::new("raw", &())).await.expect("it completed");
    let refused = message(run::<()>(Job::new("refused", &())).await);

    assert_eq!(sum, 5);
    assert_eq!(refused, "error asks for a wait; return it");
}

#[tokio::test]
async fn a_flow_with_an_id_of_its_own_is_refused() {
    let refused = message(run::<()>(Job::new("with-id", &())).await);

    assert!(refused.starts_with("id does not go with a child flow"), "{refused}");
}

#[tokio::test]
async fn a_flow_that_ends_before_the_wait_is_not_waited_for() {
    let rig = Rig::new();
    let worker = rig.worker().handlers(handlers()).build().expect("it is set up").start();
    let id = rig.submit(Job::new("slow", &())).await;

    rig.pass(2 * SECOND).await;

    assert_eq!(rig.client.result::<i64>(id).await.expect("it completed"), 4);
    let view = rig.client.describe(id).await.expect("it is kept");
    assert_eq!(view.epoch.0, 1, "the lease was never given back");
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn lost_answers_start_no_second_flow_and_lose_no_wait() {
    let rig = Rig::new();
    rig.backend.lose_answer("submit_flow");
    rig.backend.lose_answer("wait_children");
    let worker = rig.worker().handlers(handlers()).build().expect("it is set up").start();
    let id = rig.submit(Job::new("raw", &())).await;

    rig.pass(5 * SECOND).await;

    assert_eq!(rig.client.result::<i64>(id).await.expect("it completed"), 5);
    assert!(rig.backend.all_were_lost());
    only_flow(&rig.client).await;
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}
