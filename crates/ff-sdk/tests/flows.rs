//! Flows are built, submitted and run as they are written down.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::Rig;
use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{GraphProblem, ListFlows};

async fn number(_task: ClaimedTask, number: i64) -> Result<i64, TaskError> {
    if number < 0 {
        return Err(TaskError::permanent("negative"));
    }
    Ok(number)
}

fn engine() -> TestEngine {
    TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()))
        .handlers(Handlers::new().handler("number", number))
}

fn good() -> Job {
    Job::new("number", &1)
}

fn bad() -> Job {
    Job::new("number", &-1)
}

/// Runs a flow to its end; answers how it ended, and the nodes with their states in the order of
/// their keys.
async fn outcome(engine: &TestEngine, flow: &Flow) -> (FlowState, String) {
    let id = engine.client().submit_flow(flow).await.expect("it is accepted");
    engine.run_ready().await.expect("the engine is up");
    let handle = engine.client().flow(id);
    let mut nodes = handle.graph().await.expect("it is there").nodes;
    nodes.sort_by(|one, other| one.key.cmp(&other.key));
    let nodes: Vec<_> = nodes.iter().map(|node| format!("{}:{}", node.key, node.state)).collect();
    (handle.describe().await.expect("it is there").summary.state, nodes.join(" "))
}

#[tokio::test]
async fn nodes_run_after_their_parents() {
    let mut flow = Flow::new();
    flow.node("c", good()).after(["a", "b"]);
    flow.node("a", good());
    flow.node("b", good()).after(["a"]);

    let end = outcome(&engine(), &flow).await;

    assert_eq!(end, (FlowState::Completed, "a:completed b:completed c:completed".to_owned()));
}

#[tokio::test]
async fn a_failure_skips_what_depends_on_it_and_runs_what_asks_for_it() {
    let mut flow = Flow::new();
    flow.node("a", bad());
    flow.node("b", good()).after(["a"]);
    flow.node("c", good()).on_failure_of("a");
    flow.node("d", good()).always_after("b");

    let end = outcome(&engine(), &flow).await;

    let nodes = "a:failed b:skipped c:completed d:completed".to_owned();
    assert_eq!(end, (FlowState::Completed, nodes));
}

#[tokio::test]
async fn a_failure_that_nobody_takes_fails_the_flow() {
    let mut flow = Flow::new();
    flow.node("a", bad());
    flow.node("b", good()).always_after("a");

    let end = outcome(&engine(), &flow).await;

    assert_eq!(end, (FlowState::Failed, "a:failed b:completed".to_owned()));
}

#[tokio::test]
async fn joins_run_with_as_many_as_they_ask_for() {
    let mut flow = Flow::new();
    for (key, job) in [("a", bad()), ("b", good()), ("c", good())] {
        flow.node(key, job);
    }
    flow.node("any", good()).after_any(["a", "b"]);
    flow.node("some", good()).after(["a", "b", "c"]).quorum(2);
    flow.node("too-many", good()).after(["a", "b", "c"]).quorum(3);

    let (_, nodes) = outcome(&engine(), &flow).await;

    let joins = "any:completed b:completed c:completed some:completed too-many:skipped";
    assert_eq!(nodes, format!("a:failed {joins}"));
}

#[tokio::test]
async fn what_a_join_does_not_need_is_cancelled() {
    let later = Duration::from_hours(1);
    let mut flow = Flow::new();
    flow.node("now", good());
    flow.node("later", good().delay(later));
    flow.node("first", good()).after_any(["now", "later"]).cancel_remaining();

    let end = outcome(&engine(), &flow).await;

    let nodes = "first:completed later:cancelled now:completed".to_owned();
    assert_eq!(end, (FlowState::Completed, nodes));
}

#[tokio::test]
async fn a_flow_that_fails_fast_cancels_the_rest() {
    let mut flow = Flow::new().fail_fast();
    flow.node("a", bad().priority(1));
    flow.node("b", good());

    let end = outcome(&engine(), &flow).await;

    assert_eq!(end, (FlowState::Failed, "a:failed b:cancelled".to_owned()));
}

#[tokio::test]
async fn a_flow_fails_at_its_deadline() {
    let hour = Duration::from_hours(1);
    let engine = engine();
    let mut flow = Flow::new().deadline(hour);
    flow.node("a", good().delay(2 * hour));
    let id = engine.client().submit_flow(&flow).await.expect("it is accepted");

    engine.advance(hour);
    engine.run_ready().await.expect("the engine is up");

    let view = engine.client().flow(id).describe().await.expect("it is there");
    assert_eq!(view.summary.state, FlowState::Failed);
    assert_eq!(view.deadline, view.summary.ended_at);
}

#[tokio::test]
async fn retention_and_tags_are_those_of_the_flow() {
    let minute = Duration::from_mins(1);
    let engine = engine();
    let mut flow = Flow::new().retention(minute).tag("tenant", "acme");
    flow.node("a", good());
    let id = engine.client().submit_flow(&flow).await.expect("it is accepted");
    engine.run_ready().await.expect("the engine is up");

    let of_acme = ListFlows::new().with_tag("tenant", "acme").with_state(FlowState::Completed);
    let listed = engine.client().list_flows(&of_acme).await.expect("the engine is up");
    assert_eq!(listed.items.iter().map(|flow| flow.flow_id).collect::<Vec<_>>(), [id]);

    engine.advance(minute);
    engine.run_ready().await.expect("the engine is up");
    let gone = engine.client().flow(id).describe().await;
    assert_eq!(gone.expect_err("it is gone").code(), "flow_not_found");
}

#[tokio::test]
async fn a_repeat_is_the_same_flow_and_a_clone_another() {
    let engine = engine();
    let client = engine.client();
    let mut flow = Flow::new().deadline(Duration::from_mins(1));
    flow.node("a", good());

    let first = client.submit_flow(&flow).await.expect("it is accepted");
    engine.advance(Duration::from_secs(1));
    let again = client.submit_flow(&flow).await.expect("it is accepted");
    let other = client.submit_flow(&flow.clone()).await.expect("it is accepted");

    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn a_flow_that_is_built_again_under_its_id_is_the_same() {
    let engine = engine();
    let client = engine.client();
    let id = client.new_flow_id();
    let build = |key: &str| {
        let mut flow = Flow::new().id(id);
        flow.node(key, good());
        flow
    };

    let first = client.submit_flow(&build("a")).await.expect("it is accepted");
    let again = client.submit_flow(&build("a")).await.expect("it is the same");
    let other = client.submit_flow(&build("b")).await.expect_err("it is another one");

    assert_eq!((first, again), (id, id));
    assert_eq!(other.code(), "conflict_flow_id");
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_flow() {
    let rig = Rig::new();
    rig.backend.lose_answer("submit_flow");
    let mut flow = Flow::new();
    flow.node("a", good());

    let (submitted, ()) =
        tokio::join!(rig.client.submit_flow(&flow), rig.pass(Duration::from_secs(1)));

    let listed = rig.client.list_flows(&ListFlows::new()).await.expect("the rig is up");
    assert!(rig.backend.all_were_lost());
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0].flow_id, submitted.expect("it is accepted"));
    assert_eq!(rig.backend.flow_looks.load(Relaxed), 0);
}

#[tokio::test]
async fn errors_name_the_node() {
    let engine = engine();
    let refused = async |flow: Flow| {
        engine.client().submit_flow(&flow).await.expect_err("it is refused").to_string()
    };
    let of = |key: &str, job: Job| {
        let mut flow = Flow::new();
        flow.node(key, job);
        flow
    };

    let error = refused(of("two words\n", good())).await;
    assert!(error.starts_with(r"node two words\n: node_key must be 1..=128"), "{error}");
    let error = refused(of(&"k".repeat(129), good())).await;
    assert!(error.starts_with("node kkkk") && error.contains('…'), "{error}");
    let error = refused(of("a", good().lane("not a lane"))).await;
    assert!(error.starts_with("node a: lane"), "{error}");
    let error = refused(of("a", good().priority(101))).await;
    assert!(error.starts_with("node a: priority"), "{error}");
    let error = refused(of("a", good().idempotency_key("k"))).await;
    assert!(error.starts_with("node a: idempotency does not go with a flow"), "{error}");
    let mut flow = of("a", good());
    flow.node("b", good()).after(["a", "no key"]);
    let error = refused(flow).await;
    assert!(error.starts_with("node b: after no key: node_key"), "{error}");
    let error = refused(Flow::new().tag("", "x")).await;
    assert!(error.starts_with("tag"), "{error}");
    assert_eq!(refused(Flow::new()).await, "nodes must be at least one");
}

#[tokio::test]
async fn faults_of_the_graph_are_those_of_the_engine() {
    let engine = engine();
    let mut flow = Flow::new();
    flow.node("a", good()).after(["b"]);
    flow.node("b", good()).after(["a"]);

    let error = engine.client().submit_flow(&flow).await.expect_err("it is a circle");

    assert!(matches!(error, EngineError::Graph(GraphProblem::Cycle { path }) if path.len() == 3));
    let mut flow = Flow::new();
    flow.node("a", good()).after_any(Vec::<String>::new());
    let error = engine.client().submit_flow(&flow).await.expect_err("it waits for nobody");
    assert_eq!(error.code(), "graph_quorum");
}

#[tokio::test]
async fn a_node_that_is_not_there_is_not_found() {
    let engine = engine();
    let mut flow = Flow::new();
    flow.node("a", good());
    let id = engine.client().submit_flow(&flow).await.expect("it is a flow");

    let error = engine.client().flow(id).node("b").await.expect_err("there is no such node");

    assert_eq!((error.code(), error.to_string().as_str()), ("node_not_found", "node b not found"));
}
