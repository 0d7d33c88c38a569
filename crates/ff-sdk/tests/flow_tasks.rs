//! What a handler knows of its flow, and does to it.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::Rig;
use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{FlowHandle, TerminalOutcome};

/// Returns what it is given, and fails for what is negative.
async fn number(_task: ClaimedTask, number: i64) -> Result<i64, TaskError> {
    if number < 0 { Err(TaskError::permanent("negative")) } else { Ok(number) }
}

/// The parents as one text.
async fn all(task: ClaimedTask, (): ()) -> Result<String, TaskError> {
    let parents = task.parents().await?;
    let text = |parent: &ff_sdk::Parent| match (parent.json::<i64>(), parent.outcome) {
        (Ok(number), _) => format!("{}={number}", parent.key),
        (Err(error), outcome) => format!("{}:{} ({error})", parent.key, outcome.is_some()),
    };
    Ok(parents.iter().map(text).collect::<Vec<_>>().join(" "))
}

/// Asks for one parent by its key.
async fn one(task: ClaimedTask, key: String) -> Result<i64, TaskError> {
    Ok(task.parent::<i64>(&key).await?)
}

async fn whoami(task: ClaimedTask, (): ()) -> Result<String, TaskError> {
    let node = task.node().map(|node| format!("{} of {}", node.key, node.flow_id));
    Ok(node.unwrap_or_else(|| "alone".to_owned()))
}

async fn text(_task: ClaimedTask, (): ()) -> Result<String, TaskError> {
    Ok("seven".to_owned())
}

/// Adds as many nodes as it is asked to, and fails the first time.
async fn plan(task: ClaimedTask, count: i64) -> Result<u64, TaskError> {
    let mut more = Extension::new();
    for index in 0..count {
        more.node(format!("part-{index}"), Job::new("number", &index)).after(["plan"]);
        more.edges_into("all").always_after(format!("part-{index}"));
    }
    let revision = task.extend_flow("parts", &more).await?;
    if task.retries() == 0 {
        return Err(TaskError::transient("once more"));
    }
    Ok(revision)
}

fn engine() -> TestEngine {
    let handlers = Handlers::new()
        .handler("number", number)
        .handler("all", all)
        .handler("one", one)
        .handler("whoami", whoami)
        .handler("text", text)
        .handler("plan", plan);
    TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build())).handlers(handlers)
}

async fn run(engine: &TestEngine, flow: &Flow) -> FlowHandle {
    let id = engine.client().submit_flow(flow).await.expect("it is accepted");
    engine.run_ready().await.expect("the engine is up");
    engine.client().flow(id)
}

#[tokio::test]
async fn a_task_knows_its_node() {
    let engine = engine();
    let mut flow = Flow::new();
    flow.node("me", Job::new("whoami", &()));
    let handle = run(&engine, &flow).await;
    let alone = engine.client().submit(&Job::new("whoami", &())).await.expect("it is accepted");
    engine.run_ready().await.expect("the engine is up");

    let me: String = handle.result("me").await.expect("it completed");
    assert_eq!(me, format!("me of {}", handle.id()));
    let alone: String = engine.client().result(alone.id()).await.expect("it completed");
    assert_eq!(alone, "alone");
}

#[tokio::test]
async fn results_of_parents_come_in_the_order_of_the_edges() {
    let mut flow = Flow::new();
    flow.node("b", Job::new("number", &2));
    flow.node("a", Job::new("number", &1));
    flow.node("bad", Job::new("number", &-1));
    flow.node("late", Job::new("number", &3).delay(Duration::from_mins(1)));
    let join = flow.node("join", Job::new("all", &())).after_any(["late"]);
    join.always_after("bad").after(["b", "a"]).quorum(3);

    let handle = run(&engine(), &flow).await;

    let late = "late:false (parent late has not ended)";
    let bad = "bad:true (parent bad has no result: it is failed)";
    let joined: String = handle.result("join").await.expect("it completed");
    assert_eq!(joined, format!("{late} {bad} b=2 a=1"));
}

#[tokio::test]
async fn one_parent_is_found_by_its_key() {
    let mut flow = Flow::new();
    flow.node("a", Job::new("number", &1));
    flow.node("bad", Job::new("number", &-1));
    flow.node("text", Job::new("text", &()));
    for key in ["a", "bad", "text", "nobody"] {
        let node = flow.node(format!("asks-{key}"), Job::new("one", key));
        node.after(["a", "text"]).on_failure_of("bad");
    }

    let handle = run(&engine(), &flow).await;

    let failure = async |key: &str| match handle.result::<i64>(key).await {
        Err(ResultError::Failed { message, .. }) => message,
        other => panic!("it failed permanently, and not: {other:?}"),
    };
    assert_eq!(handle.result::<i64>("asks-a").await.expect("it completed"), 1);
    assert_eq!(failure("asks-bad").await, "parent bad has no result: it is failed");
    assert!(failure("asks-text").await.starts_with("the result of parent text is not a i64"));
    assert_eq!(failure("asks-nobody").await, "there is no parent nobody");
}

#[tokio::test]
async fn pages_of_parents_are_read_behind_the_scenes() {
    let rig = Rig::new();
    rig.backend.small_pages.store(true, Relaxed);
    let worker = rig.worker().handler("number", number).handler("all", all).build();
    let worker = worker.expect("it is set up").start();
    let mut flow = Flow::new();
    let keys: Vec<_> = (0..5).map(|index| format!("n{index}")).collect();
    for (key, index) in keys.iter().zip(0..) {
        flow.node(key, Job::new("number", &index));
    }
    flow.node("join", Job::new("all", &())).after(&keys);

    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    rig.pass(Duration::from_secs(1)).await;

    let joined: String = rig.client.flow(id).result("join").await.expect("it completed");
    assert_eq!(joined, "n0=0 n1=1 n2=2 n3=3 n4=4");
    assert_eq!(rig.backend.upstream_reads.load(Relaxed), 3);
    tokio::join!(worker.shutdown(), rig.pass(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_handler_extends_its_flow_once() {
    let engine = engine();
    let mut flow = Flow::new();
    flow.node("plan", Job::new("plan", &3));
    flow.node("all", Job::new("all", &())).after(["plan"]);
    let handle = run(&engine, &flow).await;
    let joined = handle.node("all").await.expect("it is there");

    engine.run_until_ended(joined).await.expect("it ends");

    let view = handle.describe().await.expect("it is there");
    assert_eq!((view.summary.state, view.summary.nodes), (FlowState::Completed, 5));
    assert_eq!(handle.result::<u64>("plan").await.expect("it completed"), 2);
    let joined: String = handle.result("all").await.expect("it completed");
    assert_eq!(joined, "plan=2 part-0=0 part-1=1 part-2=2");
}

#[tokio::test]
async fn a_task_alone_has_neither_parents_nor_a_flow() {
    let engine = engine();
    let ids = [Job::new("all", &()), Job::new("one", "a"), Job::new("plan", &1)];
    let mut ends = Vec::new();
    for job in &ids {
        let id = engine.client().submit(job).await.expect("it is accepted").id();
        ends.push(engine.run_until_ended(id).await.expect("it ends"));
    }

    assert_eq!(ends[0].outcome, TerminalOutcome::Completed);
    let message = |index: usize| ends[index].failure.as_ref().map(|end| end.message.as_str());
    assert_eq!(message(1), Some("there is no parent a"));
    assert_eq!(message(2), Some("the task belongs to no flow"));
}
