//! Flows that failed are replayed to completion.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{CancelFlowPolicy, FlowHandle};

/// What the nodes call.
#[derive(Default)]
struct Shop {
    is_open: AtomicBool,
    bought: AtomicU32,
}

async fn buy(task: ClaimedTask, needs_shop: bool) -> Result<(), TaskError> {
    let shop = task.state::<Shop>()?;
    if needs_shop && !shop.is_open.load(Relaxed) {
        return Err(TaskError::permanent("closed"));
    }
    shop.bought.fetch_add(1, Relaxed);
    Ok(())
}

fn engine() -> (TestEngine, Arc<Shop>) {
    let shop = Arc::new(Shop::default());
    let handlers = Handlers::new().shared_state(Arc::clone(&shop)).handler("buy", buy);
    let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()));
    (engine.handlers(handlers), shop)
}

/// `a` completes, `b` needs the shop, `late` runs an hour later, and `end` after all of them.
async fn started(engine: &TestEngine) -> FlowHandle {
    let mut flow = Flow::new().fail_fast();
    flow.node("a", Job::new("buy", &false));
    flow.node("b", Job::new("buy", &true)).after(["a"]);
    flow.node("late", Job::new("buy", &false).delay(Duration::from_hours(1)));
    flow.node("end", Job::new("buy", &false)).after(["b", "late"]);
    let id = engine.client().submit_flow(&flow).await.expect("it is accepted");
    engine.client().flow(id)
}

async fn states(flow: &FlowHandle) -> Vec<ExecutionState> {
    let graph = flow.graph().await.expect("it is there");
    graph.nodes.iter().map(|node| node.state).collect()
}

#[tokio::test]
async fn a_flow_that_failed_fast_is_replayed_to_completion() {
    use ExecutionState::{Cancelled, Completed, Failed, Skipped};
    let (engine, shop) = engine();
    let flow = started(&engine).await;
    let failed = engine.run_flow_until_ended(flow.id()).await.expect("it ends");
    assert_eq!(failed.summary.state, FlowState::Failed);
    assert_eq!(states(&flow).await, [Completed, Failed, Cancelled, Skipped]);
    shop.is_open.store(true, Relaxed);

    let replayed = flow.replay_failed().await.expect("it had ended");
    let again = flow.replay_failed().await.expect("nothing is left");
    let end = engine.run_flow_until_ended(flow.id()).await.expect("it ends");

    assert_eq!((replayed, again), (2, 0));
    assert_eq!(end.summary.state, FlowState::Completed);
    assert_eq!(states(&flow).await, [Completed; 4]);
    assert_eq!(shop.bought.load(Relaxed), 4, "what had completed does not run again");
}

#[tokio::test]
async fn what_fails_again_can_be_replayed_again() {
    let (engine, shop) = engine();
    let flow = started(&engine).await;
    for _ in 0..3 {
        let end = engine.run_flow_until_ended(flow.id()).await.expect("it ends");
        assert_eq!(end.summary.state, FlowState::Failed);
        flow.replay_failed().await.expect("it had ended");
    }
    shop.is_open.store(true, Relaxed);

    let end = engine.run_flow_until_ended(flow.id()).await.expect("it ends");

    assert_eq!(end.summary.state, FlowState::Completed);
}

#[tokio::test]
async fn a_flow_that_was_cancelled_is_replayed_when_it_has_ended() {
    let (engine, shop) = engine();
    shop.is_open.store(true, Relaxed);
    let flow = started(&engine).await;
    engine.run_ready().await.expect("the engine is up");
    let cancel = flow.cancel("not now").policy(CancelFlowPolicy::CancelAll);
    cancel.await.expect("the engine is up");

    let replayed = flow.replay_failed().await.expect("it had ended");
    let end = engine.run_flow_until_ended(flow.id()).await.expect("it ends");

    assert_eq!(replayed, 2);
    assert_eq!(end.summary.state, FlowState::Completed);
    assert_eq!(shop.bought.load(Relaxed), 4);
}

#[tokio::test]
async fn a_flow_that_is_not_there_is_not_replayed() {
    let (engine, _) = engine();
    let nobody = engine.client().flow(engine.client().new_flow_id());

    let error = nobody.replay_failed().await.expect_err("it is not there");

    assert_eq!(error.code(), "flow_not_found");
}
