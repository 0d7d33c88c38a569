//! Flows are cancelled, extended and read.

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig, until_stopped};
use ff_sdk::prelude::*;
use ff_sdk::{CancelFlowOutcome, CancelFlowPolicy, FlowHandle, GraphProblem};

const SECOND: Duration = Duration::from_secs(1);

async fn nothing(_task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    Ok(())
}

/// Two nodes: one that runs until it is stopped, and one after it.
async fn running(rig: &Rig) -> (FlowHandle, ff_sdk::WorkerHandle) {
    let worker =
        rig.worker().grace(SECOND).handler("run", until_stopped).handler("nothing", nothing);
    let worker = worker.build().expect("it is set up").start();
    let mut flow = Flow::new();
    flow.node("run", Job::new("run", &()));
    flow.node("next", Job::new("nothing", &())).always_after("run");
    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    rig.settle().await;
    (rig.client.flow(id), worker)
}

async fn stop(rig: &Rig, worker: ff_sdk::WorkerHandle) {
    tokio::join!(worker.shutdown(), rig.pass(5 * SECOND));
}

async fn state(flow: &FlowHandle, key: &str) -> ExecutionState {
    flow.graph().await.expect("it is there").node(key).expect("it is there").state
}

#[tokio::test]
async fn a_cancel_that_waits_tells_the_workers_and_ends_with_them() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;

    let cancel = flow.cancel("not wanted").wait();
    let (outcome, ()) = tokio::join!(cancel.into_future(), rig.pass(LEASE_TTL));

    assert_eq!(outcome.expect("the rig is up"), CancelFlowOutcome::Cancelled { open: 0 });
    let view = flow.describe().await.expect("it is there");
    assert_eq!(view.summary.state, FlowState::Cancelled);
    assert_eq!(view.cancel.expect("it is cancelled").reason, "not wanted");
    let again = flow.cancel("once more").await.expect("the rig is up");
    assert_eq!(again, CancelFlowOutcome::AlreadyEnded(FlowState::Cancelled));
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_cancel_may_spare_what_runs() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;

    let outcome = flow.cancel("no more").pending_only().await.expect("the rig is up");
    rig.pass(LEASE_TTL).await;

    assert_eq!(outcome, CancelFlowOutcome::Cancelled { open: 1 });
    assert_eq!(state(&flow, "run").await, ExecutionState::Active);
    assert_eq!(state(&flow, "next").await, ExecutionState::Cancelled);
    flow.cancel("now").policy(CancelFlowPolicy::CancelAll).await.expect("the rig is up");
    rig.pass(LEASE_TTL).await;
    assert_eq!(state(&flow, "run").await, ExecutionState::Cancelled);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_cancel_waits_no_longer_than_it_is_told() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;

    let cancel = flow.cancel("no more").pending_only().wait_at_most(SECOND);
    let (outcome, ()) = tokio::join!(cancel.into_future(), rig.pass(2 * SECOND));

    assert_eq!(outcome.expect("the rig is up"), CancelFlowOutcome::Cancelled { open: 1 });
    stop(&rig, worker).await;
}

#[tokio::test]
async fn an_extension_whose_answer_is_lost_is_made_once() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;
    rig.backend.lose_answer("extend_flow");
    let mut more = Extension::new();
    more.node("more", Job::new("nothing", &())).on_failure_of("run");
    more.edges_into("next").always_after("more");

    let (revision, ()) = tokio::join!(flow.extend(&more), rig.pass(SECOND));
    let again = flow.extend(&more).await.expect("it is the same");

    assert_eq!((revision.expect("it is accepted"), again), (2, 2));
    assert!(rig.backend.all_were_lost());
    assert_eq!(flow.describe().await.expect("it is there").summary.nodes, 3);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn extensions_at_the_same_time_are_no_conflict() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;
    let more = |key: &str| {
        let mut more = Extension::new();
        more.node(key, Job::new("nothing", &())).always_after("run");
        more
    };
    let before = flow.describe().await.expect("it is there");

    let one = flow.extend(&more("one")).await.expect("it is accepted");
    *rig.backend.old_view.lock().expect("no test panics here") = Some(before);
    let other = flow.extend(&more("other")).await.expect("it is made for what is there now");

    assert_eq!((one, other), (2, 3));
    let nodes = flow.graph().await.expect("it is there").nodes;
    let keys: Vec<_> = nodes.iter().map(|node| node.key.as_str()).collect();
    assert_eq!(keys, ["run", "next", "one", "other"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn what_is_wrong_with_an_extension_is_named() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;
    let refused = async |more: Extension| flow.extend(&more).await.expect_err("it is refused");

    let mut more = Extension::new();
    more.node("no key", Job::new("nothing", &()));
    assert!(refused(more).await.to_string().starts_with("node no key: node_key"));
    let mut more = Extension::new();
    more.edges_into("run").after(["next"]);
    assert_eq!(refused(more).await.code(), "graph_cycle");
    let mut more = Extension::new();
    more.node("new", Job::new("nothing", &()));
    more.edges_into("run").after(["new"]);
    let error = refused(more).await;
    assert!(matches!(error, EngineError::Graph(GraphProblem::NodeStarted { .. })), "{error}");
    assert_eq!(refused(Extension::new()).await.code(), "validation");

    flow.cancel("over").await.expect("the rig is up");
    let mut more = Extension::new();
    more.node("new", Job::new("nothing", &()));
    assert_eq!(refused(more).await.code(), "flow_cancelled");
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_graph_is_read_whole_whatever_its_pages() {
    let rig = Rig::new();
    let mut flow = Flow::new();
    let keys: Vec<_> = (0..5).map(|index| format!("n{index}")).collect();
    for key in &keys {
        flow.node(key, Job::new("nothing", &()));
    }
    flow.node("join", Job::new("nothing", &())).after(&keys);
    let id = rig.client.submit_flow(&flow).await.expect("it is accepted");
    let flow = rig.client.flow(id);
    let whole = flow.graph().await.expect("it is there");

    rig.backend.small_pages.store(true, Relaxed);
    let in_pages = flow.graph().await.expect("it is there");

    assert_eq!(in_pages, whole);
    assert_eq!((whole.nodes.len(), whole.edges.len()), (6, 5));
    let join = whole.node("join").expect("it is there");
    let parents: Vec<_> = whole.parents_of(join).map(ToString::to_string).collect();
    assert_eq!(parents, keys);
    assert_eq!(flow.node("join").await.expect("it is there"), join.execution_id);
    let unknown = flow.node("nobody").await.expect_err("there is none");
    assert_eq!(unknown.code(), "node_not_found");
}

#[tokio::test]
async fn a_picture_shows_the_flow_as_it_stands() {
    let rig = Rig::new();
    let (flow, worker) = running(&rig).await;

    let graph = flow.graph().await.expect("it is there");

    let picture = ff_sdk::flow::mermaid(&graph);
    assert!(picture.contains("n0[\"run\"]:::active\n"), "{picture}");
    assert!(picture.contains("n0 -. always .-> n1\n"), "{picture}");
    let picture = ff_sdk::flow::dot(&graph);
    assert!(picture.contains(r#"n1 [label="next\nblocked","#), "{picture}");
    stop(&rig, worker).await;
}
