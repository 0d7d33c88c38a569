//! The code of the guide about flows, compiled and run.

#![allow(
    clippy::duration_suboptimal_units,
    clippy::print_stdout,
    clippy::unused_async,
    reason = "the guide shows seconds throughout, prints, and has systems that may fail"
)]

use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{CancelFlowOutcome, TerminalOutcome};

async fn build(_task: ClaimedTask, commit: String) -> Result<String, TaskError> {
    if commit.starts_with("bad") { Err(TaskError::permanent(commit)) } else { Ok(commit) }
}

async fn check(_task: ClaimedTask, kind: String) -> Result<u32, TaskError> {
    Ok(if kind == "unit" { 40 } else { 2 })
}

// region: release
fn release(commit: &str) -> Flow {
    let mut flow = Flow::new().deadline(Duration::from_secs(3_600)).tag("commit", commit);
    flow.node("build", Job::new("build", commit));
    flow.node("unit", Job::new("check", "unit")).after(["build"]);
    flow.node("e2e", Job::new("check", "e2e")).after(["build"]);
    flow.node("publish", Job::new("publish", &())).after(["unit", "e2e"]);
    flow.node("page", Job::new("page", "build")).on_failure_of("build");
    flow
}
// endregion

// region: parents
async fn publish(task: ClaimedTask, (): ()) -> Result<String, TaskError> {
    let unit: u32 = task.parent("unit").await?; // what the node `unit` returned
    let mut checks = 0;
    for parent in task.parents().await? {
        checks += parent.json::<u32>()?;
    }
    Ok(format!("out after {checks} checks, {unit} of them units"))
}
// endregion

async fn page(_task: ClaimedTask, what: String) -> Result<String, TaskError> {
    Ok(format!("{what} is broken"))
}

/// Runs a flow, and tells what happens on the way.
async fn watch(client: &Client) -> Result<String, Box<dyn std::error::Error>> {
    // region: run
    let mut run = client.start_flow(&release("c0ffee")).await?;
    while let Some(event) = run.next().await? {
        if let FlowEvent::NodeEnded { key, outcome, .. } = event {
            println!("{key} {outcome}");
        }
    }
    let end = run.end().await?;
    if end.is_completed() {
        println!("{}", end.result::<String>("publish").await?);
    }
    // endregion
    Ok(end.result("publish").await?)
}

// region: joins
fn quotes() -> Flow {
    let mut flow = Flow::new();
    for region in ["eu", "us", "asia"] {
        flow.node(region, Job::new("quote", region));
    }
    let regions = ["eu", "us", "asia"];
    flow.node("compare", Job::new("compare", &())).after(regions).quorum(2).cancel_remaining();
    flow.node("log", Job::new("log", &())).always_after("compare");
    flow
}
// endregion

async fn quote(_task: ClaimedTask, region: String) -> Result<usize, TaskError> {
    if region == "us" { Err(TaskError::permanent("closed")) } else { Ok(region.len()) }
}

async fn compare(task: ClaimedTask, (): ()) -> Result<usize, TaskError> {
    Ok(task.parents().await?.iter().filter_map(|parent| parent.json().ok()).min().unwrap_or(0))
}

async fn nothing(_task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    Ok(())
}

// region: grow
async fn index(task: ClaimedTask, pages: u32) -> Result<(), TaskError> {
    let mut more = Extension::new();
    for page in 1..=pages {
        let key = format!("page-{page}");
        more.node(&key, Job::new("fetch", &page)).after(["index"]);
        more.edges_into("report").after([key]);
    }
    task.extend_flow("pages", &more).await?; // once, whatever becomes of this attempt
    Ok(())
}

fn crawl(pages: u32) -> Flow {
    let mut flow = Flow::new();
    flow.node("index", Job::new("index", &pages));
    flow.node("report", Job::new("report", &())).after(["index"]);
    flow
}
// endregion

async fn fetch(_task: ClaimedTask, page: u32) -> Result<u32, TaskError> {
    Ok(page)
}

async fn report(task: ClaimedTask, (): ()) -> Result<usize, TaskError> {
    Ok(task.parents().await?.len())
}

// region: child
async fn ship(task: ClaimedTask, commits: Vec<String>) -> Result<String, TaskError> {
    let mut checks = Flow::new();
    for commit in &commits {
        checks.node(commit, Job::new("build", commit));
    }
    let end = task.run_flow("checks", &checks).await?; // started once, waited for with nothing held
    if !end.is_completed() {
        return Ok(format!("nothing: the checks are {}", end.state()));
    }

    let release = release(&commits.join("+"));
    let end = task.run_flow("release", &release).await?.completed()?; // or fails for good
    Ok(end.result("publish").await?)
}
// endregion

async fn steer(client: &Client, id: FlowId) -> Result<CancelFlowOutcome, EngineError> {
    // region: steer
    let flow = client.flow(id);
    let view = flow.describe().await?;
    println!("{} of {} nodes are open", view.summary.open, view.summary.nodes);
    for node in &view.critical {
        println!("it waits for {}: {}", node.key, client.explain(node.execution_id).await?);
    }
    println!("{}", ff_sdk::flow::mermaid(&flow.graph().await?));
    let outcome = flow.cancel("not wanted any more").await?;
    // endregion
    Ok(outcome)
}

fn engine() -> TestEngine {
    let handlers = Handlers::new()
        .handler("build", build)
        .handler("check", check)
        .handler("publish", publish)
        .handler("page", page)
        .handler("quote", quote)
        .handler("compare", compare)
        .handler("log", nothing)
        .handler("index", index)
        .handler("fetch", fetch)
        .handler("report", report)
        .handler("ship", ship);
    TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build())).handlers(handlers)
}

// region: test
#[tokio::test]
async fn a_broken_build_is_paged_and_skips_the_rest() {
    let engine = engine(); // a TestEngine with the handlers
    let id = engine.client().submit_flow(&release("bad")).await.expect("it is accepted");

    let end = engine.run_flow_until_ended(id).await.expect("it ends");

    assert_eq!(end.summary.state, FlowState::Completed); // `page` has taken the failure
    let graph = engine.client().flow(id).graph().await.expect("it is kept");
    let skipped = graph.node("publish").expect("it is there");
    assert_eq!(skipped.state, ExecutionState::Skipped);
}
// endregion

#[tokio::test]
async fn the_release_of_the_guide_is_followed_to_its_end() {
    let backend = Arc::new(MemBackend::new());
    let client = Client::new(backend.clone());
    let worker = Worker::builder(backend)
        .handler("build", build)
        .handler("check", check)
        .handler("publish", publish)
        .build()
        .expect("it is set up")
        .start();

    let published = watch(&client).await.expect("it is published");

    assert_eq!(published, "out after 42 checks, 40 of them units");
    worker.shutdown().await;
}

#[tokio::test]
async fn two_quotes_are_enough() {
    let engine = engine();
    let id = engine.client().submit_flow(&quotes()).await.expect("it is accepted");

    let end = engine.run_flow_until_ended(id).await.expect("it ends");

    assert_eq!(end.summary.state, FlowState::Completed);
    let best: usize = engine.client().flow(id).result("compare").await.expect("it completed");
    assert_eq!(best, 2);
}

#[tokio::test]
async fn the_report_waits_for_the_pages_that_were_added() {
    let engine = engine();
    let id = engine.client().submit_flow(&crawl(3)).await.expect("it is accepted");

    engine.run_flow_until_ended(id).await.expect("it ends");

    let parents: usize = engine.client().flow(id).result("report").await.expect("it completed");
    assert_eq!(parents, 4);
}

#[tokio::test]
async fn what_is_not_wanted_is_cancelled() {
    let engine = engine();
    let mut flow = Flow::new();
    flow.node("later", Job::new("fetch", &1).delay(Duration::from_secs(60)));
    let id = engine.client().submit_flow(&flow).await.expect("it is accepted");

    let outcome = steer(engine.client(), id).await.expect("it is there");

    assert_eq!(outcome, CancelFlowOutcome::Cancelled { open: 0 });
    let node = engine.client().flow(id).node("later").await.expect("it is there");
    let end = engine.client().result_raw(node).await.expect("it ended");
    assert_eq!(end.outcome, TerminalOutcome::Cancelled);
    assert_eq!(end.cancel_reason.as_deref(), Some("not wanted any more"));
}

#[tokio::test]
async fn what_is_shipped_is_checked_and_released_by_child_flows() {
    let engine = engine();
    let mut ends = Vec::new();
    for commits in [["c0", "c1"], ["c0", "bad"]] {
        let id =
            engine.client().submit(&Job::new("ship", &commits)).await.expect("it is accepted").id();
        engine.run_until_ended(id).await.expect("it ends");
        ends.push(engine.client().result::<String>(id).await.expect("it completed"));
    }

    assert_eq!(ends[0], "out after 42 checks, 40 of them units");
    assert_eq!(ends[1], "nothing: the checks are failed");
}

#[tokio::test]
async fn a_test_moves_the_clock_of_a_flow_and_knows_when_that_is_no_use() {
    let engine = engine();
    let day = Duration::from_secs(24 * 3_600);
    let mut flow = Flow::new();
    flow.node("later", Job::new("fetch", &1).delay(day));
    flow.node("report", Job::new("report", &())).after(["later"]);
    let start = engine.now();
    let id = engine.client().submit_flow(&flow).await.expect("it is accepted");
    engine.run_flow_until_ended(id).await.expect("it ends");
    assert_eq!(engine.now().saturating_since(start), day);

    let mut held = Flow::new();
    held.node("held", Job::new("fetch", &1));
    let id = engine.client().submit_flow(&held).await.expect("it is accepted");
    let node = engine.client().flow(id).node("held").await.expect("it is there");
    engine.client().hold(node).await.expect("the engine is up");
    let stuck = engine.run_flow_until_ended(id).await;
    assert!(matches!(stuck, Err(ff_sdk::testing::TestError::Stuck(_))));
}
