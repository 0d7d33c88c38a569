//! Flows that a handler starts and waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::{TestEngine, TestError};
use ff_sdk::{ListFlows, TerminalOutcome};

const HOUR: Duration = Duration::from_hours(1);

/// How often handlers were called.
#[derive(Default)]
struct Calls {
    parent: AtomicU32,
    number: AtomicU32,
}

/// While it is down, `number` fails for good.
struct Downtime(AtomicBool);

/// Returns what it is given, and fails for what is negative.
async fn number(task: ClaimedTask, number: i64) -> Result<i64, TaskError> {
    task.state::<Calls>()?.number.fetch_add(1, Relaxed);
    if number < 0 && task.state::<Downtime>()?.0.load(Relaxed) {
        return Err(TaskError::permanent("negative"));
    }
    Ok(number.abs())
}

async fn sum(task: ClaimedTask, (): ()) -> Result<i64, TaskError> {
    let parents = task.parents().await?;
    parents.iter().map(|parent| Ok(parent.json::<i64>()?)).sum()
}

/// One node for each number, and one that adds them up. A zero takes an hour.
fn adding(numbers: &[i64]) -> Flow {
    let mut flow = Flow::new();
    let keys: Vec<_> = (0..numbers.len()).map(|index| format!("n{index}")).collect();
    for (key, number) in keys.iter().zip(numbers) {
        let job = Job::new("number", number);
        flow.node(key, if *number == 0 { job.delay(HOUR) } else { job });
    }
    flow.node("sum", Job::new("sum", &())).after(&keys);
    flow
}

/// Adds up in a child flow.
async fn total(task: ClaimedTask, numbers: Vec<i64>) -> Result<i64, TaskError> {
    task.state::<Calls>()?.parent.fetch_add(1, Relaxed);
    let end = task.run_flow("total", &adding(&numbers)).await?.completed()?;
    Ok(end.result::<i64>("sum").await?)
}

/// Tells how the child flow ended.
async fn state(task: ClaimedTask, numbers: Vec<i64>) -> Result<String, TaskError> {
    let end = task.run_flow("total", &adding(&numbers)).await?;
    let sum = end.result::<i64>("sum").await;
    Ok(format!(
        "{}: {}",
        end.state(),
        sum.map_or_else(|error| error.to_string(), |sum| sum.to_string())
    ))
}

/// Takes a result without a look at the end.
async fn careless(task: ClaimedTask, numbers: Vec<i64>) -> Result<i64, TaskError> {
    Ok(task.run_flow("total", &adding(&numbers)).await?.result::<i64>("sum").await?)
}

/// Fails once before the flow is started and once after its end, and never builds the same flow.
async fn shaky(task: ClaimedTask, numbers: Vec<i64>) -> Result<i64, TaskError> {
    if task.retries() == 0 {
        return Err(TaskError::transient("before"));
    }
    let mut flow = adding(&numbers).deadline(HOUR);
    flow.node("odd", Job::new("number", &i64::from(task.attempt().0)));
    let end = task.run_flow("total", &flow).await?;
    if task.retries() == 1 {
        return Err(TaskError::transient("after"));
    }
    Ok(end.result::<i64>("sum").await? + end.result::<i64>("odd").await?)
}

/// Two child flows at a time, and a third one after them.
async fn several(task: ClaimedTask, (): ()) -> Result<i64, TaskError> {
    let (one, two) = (adding(&[1]), adding(&[2]));
    let (one, two) = tokio::join!(task.run_flow("one", &one), task.run_flow("two", &two));
    let (one, two) = (one?.result::<i64>("sum").await?, two?.result::<i64>("sum").await?);
    let three = task.run_flow("three", &adding(&[one, two])).await?;
    Ok(three.result::<i64>("sum").await?)
}

/// A flow whose node has a child flow.
async fn nested(task: ClaimedTask, numbers: Vec<i64>) -> Result<i64, TaskError> {
    let mut flow = Flow::new();
    flow.node("inner", Job::new("total", &numbers));
    let end = task.run_flow("outer", &flow).await?.completed()?;
    Ok(end.result::<i64>("inner").await?)
}

struct Rig {
    engine: TestEngine,
    calls: Arc<Calls>,
    down: Arc<Downtime>,
}

impl Rig {
    fn new() -> Self {
        let calls = Arc::new(Calls::default());
        let down = Arc::new(Downtime(true.into()));
        let handlers = Handlers::new()
            .shared_state(Arc::clone(&calls))
            .shared_state(Arc::clone(&down))
            .handler("number", number)
            .handler("sum", sum)
            .handler("total", total)
            .handler("state", state)
            .handler("careless", careless)
            .handler("shaky", shaky)
            .handler("several", several)
            .handler("nested", nested);
        let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()));
        Self { engine: engine.handlers(handlers), calls, down }
    }

    async fn submit(&self, job: Job) -> ExecutionId {
        self.engine.client().submit(&job).await.expect("it is accepted").id()
    }

    /// Runs the job to its end, and answers what it returned or why it failed.
    async fn run<R: serde::de::DeserializeOwned>(&self, job: Job) -> Result<R, ResultError> {
        let id = self.submit(job).await;
        self.engine.run_until_ended(id).await.expect("it ends");
        self.engine.client().result(id).await
    }

    async fn flows(&self) -> Vec<FlowState> {
        let flows = self.engine.client().list_flows(&ListFlows::new()).await;
        flows.expect("the engine is up").items.iter().map(|flow| flow.state).collect()
    }
}

fn message<T: std::fmt::Debug>(end: Result<T, ResultError>) -> String {
    match end {
        Err(ResultError::Failed { message, .. }) => message,
        other => panic!("it failed, and not: {other:?}"),
    }
}

#[tokio::test]
async fn the_handler_goes_on_with_the_results() {
    let rig = Rig::new();

    let total: i64 = rig.run(Job::new("total", &[1, 2, 3])).await.expect("it completed");

    assert_eq!(total, 6);
    assert_eq!(rig.calls.parent.load(Relaxed), 2);
    assert_eq!(rig.flows().await, [FlowState::Completed]);
}

#[tokio::test]
async fn nothing_is_held_while_the_flow_runs_and_no_retry_is_used() {
    let rig = Rig::new();
    let id = rig.submit(Job::new("total", &[1, 0])).await;
    rig.engine.run_ready().await.expect("the engine is up");
    let waiting = rig.engine.client().describe(id).await.expect("it is there");
    assert_eq!((waiting.state, waiting.lease), (ExecutionState::WaitingChildren, None));

    rig.engine.run_until_ended(id).await.expect("it ends");

    let view = rig.engine.client().describe(id).await.expect("it is kept");
    assert_eq!(view.state, ExecutionState::Completed);
    assert_eq!((view.attempt.expect("it ran").index.0, view.retries, view.reclaims), (0, 0, 0));
}

#[tokio::test]
async fn a_flow_that_failed_is_a_value() {
    let rig = Rig::new();

    let state: String = rig.run(Job::new("state", &[1, -1])).await.expect("it completed");

    assert_eq!(state, "failed: skipped without running");
}

#[tokio::test]
async fn a_flow_that_failed_fails_a_handler_that_needs_it_for_good() {
    let rig = Rig::new();

    let needed = message(rig.run::<i64>(Job::new("total", &[1, -1])).await);
    let careless = message(rig.run::<i64>(Job::new("careless", &[1, -1])).await);

    assert!(needed.starts_with("flow ") && needed.ends_with(" is failed"), "{needed}");
    assert_eq!(careless, "skipped without running");
    assert_eq!(rig.calls.parent.load(Relaxed), 2, "no retry can change it");
}

#[tokio::test]
async fn a_retry_finds_the_flow_that_was_started() {
    let rig = Rig::new();

    let total: i64 = rig.run(Job::new("shaky", &[1, 2])).await.expect("it completed");

    assert_eq!(total, 3 + 1, "the flow of the attempt that started it stands");
    assert_eq!(rig.flows().await.len(), 1);
    assert_eq!(rig.calls.number.load(Relaxed), 3);
}

#[tokio::test]
async fn several_flows_run_side_by_side_and_one_after_the_other() {
    let rig = Rig::new();

    let total: i64 = rig.run(Job::new("several", &())).await.expect("it completed");

    assert_eq!(total, 3);
    assert_eq!(rig.flows().await, [FlowState::Completed; 3]);
}

#[tokio::test]
async fn the_cancel_of_the_parent_cancels_the_flow() {
    let rig = Rig::new();
    let id = rig.submit(Job::new("nested", &[0, 0])).await;
    rig.engine.run_ready().await.expect("the engine is up");
    assert_eq!(rig.flows().await, [FlowState::Open; 2]);

    rig.engine.client().cancel(id, "not wanted").await.expect("the engine is up");
    rig.engine.run_ready().await.expect("the engine is up");

    let end = rig.engine.client().result_raw(id).await.expect("it ended");
    assert_eq!(end.outcome, TerminalOutcome::Cancelled);
    assert_eq!(rig.flows().await, [FlowState::Cancelled; 2]);
    assert_eq!(rig.calls.number.load(Relaxed), 0);
}

#[tokio::test]
async fn flows_lie_within_each_other() {
    let rig = Rig::new();

    let total: i64 = rig.run(Job::new("nested", &[1, 2])).await.expect("it completed");

    assert_eq!(total, 3);
    assert_eq!(rig.flows().await, [FlowState::Completed; 2]);
}

#[tokio::test]
async fn a_failure_comes_up_through_all_levels() {
    let rig = Rig::new();

    let failure = message(rig.run::<i64>(Job::new("nested", &[1, -2])).await);

    assert!(failure.starts_with("flow ") && failure.ends_with(" is failed"), "{failure}");
    assert_eq!(rig.flows().await, [FlowState::Failed; 2]);
}

#[tokio::test]
async fn a_replayed_parent_finds_the_flow_that_was_replayed_before_it() {
    let rig = Rig::new();
    let id = rig.submit(Job::new("total", &[1, -2])).await;
    rig.engine.run_until_ended(id).await.expect("it ends");
    let client = rig.engine.client();
    let flows = client.list_flows(&ListFlows::new()).await.expect("the engine is up");
    rig.down.0.store(false, Relaxed);

    let replayed = client.flow(flows.items[0].flow_id).replay_failed().await;
    client.replay(id).await.expect("it had ended");
    rig.engine.run_until_ended(id).await.expect("it ends");

    assert_eq!(replayed.expect("the engine is up"), 1);
    assert_eq!(client.result::<i64>(id).await.expect("it completed"), 3);
    assert_eq!(rig.calls.number.load(Relaxed), 3, "what completed does not run again");
}

#[tokio::test]
async fn a_test_moves_the_clock_for_what_lies_within() {
    let rig = Rig::new();
    let start = rig.engine.now();

    let total: i64 = rig.run(Job::new("nested", &[0, 1])).await.expect("it completed");

    assert_eq!(total, 1);
    assert_eq!(rig.engine.now().saturating_since(start), HOUR);
}

#[tokio::test]
async fn a_test_knows_when_a_child_flow_will_never_end() {
    let rig = Rig::new();
    let id = rig.submit(Job::new("total", &[0])).await;
    rig.engine.run_ready().await.expect("the engine is up");
    let client = rig.engine.client();
    let flow =
        client.list_flows(&ListFlows::new()).await.expect("the engine is up").items.remove(0);
    let node = client.flow(flow.flow_id).node("n0").await.expect("it is there");
    client.hold(node).await.expect("the engine is up");

    let stuck = rig.engine.run_until_ended(id).await;

    assert!(matches!(stuck, Err(TestError::Stuck(_))));
}
