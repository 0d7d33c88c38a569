//! The code of the guide to budgets, and what the SDK makes of budgets.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{
    BudgetId, BudgetLimit, BudgetWindow, EngineError, ExecutionState, ExplainReason, Extension,
    Flow, FlowState, UsageDimensions, UsageOutcome,
};

const TOKENS: &str = "output_tokens";
const SECOND: Duration = Duration::from_secs(1);

// region: create
async fn tenant(client: &Client) -> Result<BudgetId, EngineError> {
    let daily = BudgetWindow::every(Duration::from_hours(24));
    let budget = client
        .new_budget()
        .with_limit("input_tokens", BudgetLimit::COUNTED)
        .with_limit("output_tokens", BudgetLimit::soft_and_hard(800, 1_000))
        .with_window(daily);
    client.create_budget(&budget).await?;
    Ok(budget.id)
}
// endregion

// region: report
async fn answer(task: ClaimedTask, questions: Vec<String>) -> Result<usize, TaskError> {
    let from: usize = task.saved_state_json()?.unwrap_or(0);
    for (number, question) in questions.iter().enumerate().skip(from) {
        let usage = UsageDimensions::new()
            .with_output_tokens(question.len() as u64)
            .with_dedup_key(format!("question {number}"));
        match task.report_usage(usage).await? {
            UsageOutcome::HardBreach(_) => {
                let pause = TaskError::pause(Duration::from_mins(1));
                return Err(pause.with_state_json(&number));
            }
            UsageOutcome::SoftBreach(breach) => task.log(format!("running low: {breach}")).await?,
            _ => {}
        }
    }
    Ok(questions.len())
}
// endregion

// region: submit
fn job(questions: &[&str], tenant: BudgetId) -> Job {
    let estimate = UsageDimensions::new().with_output_tokens(400);
    Job::new("answer", questions).budget(tenant).estimate(estimate)
}
// endregion

// region: share
fn tenants_job(questions: &[&str], tenant: BudgetId, everybody: BudgetId) -> Job {
    job(questions, tenant).shared_budget(everybody)
}
// endregion

#[tokio::test]
async fn the_job_of_the_guide_stops_at_the_limit_and_goes_on() {
    let rig = Rig::new();
    let worker = rig.worker().handler("answer", answer).build().unwrap().start();
    let tenant = tenant(&rig.client).await.unwrap();
    let long = "q".repeat(400);
    let id = rig.submit(job(&[&long, &long, &long[..200], &long], tenant)).await;

    rig.pass(SECOND).await;
    let tokens = rig.client.budget(tenant).await.unwrap().dimensions[TOKENS];
    assert_eq!((tokens.used, tokens.reserved), (1_000, 0));
    assert_eq!(rig.state(id).await, ExecutionState::Delayed);
    rig.pass(Duration::from_secs(62)).await;
    assert_eq!(rig.state(id).await, ExecutionState::Blocked);
    let explained = rig.client.explain(id).await.unwrap();
    assert_eq!(
        explained.reason,
        ExplainReason::AwaitingBudget { budget_id: tenant, used_up: true }
    );

    let limit = BudgetLimit::hard(2_000);
    rig.client.limit_budget(tenant, TOKENS, limit).await.unwrap();
    rig.pass(2 * SECOND).await;
    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    let view = rig.client.describe(id).await.unwrap();
    assert_eq!((view.usage[TOKENS], view.budgets), (1_400, vec![tenant]));
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn a_shared_budget_limits_and_does_not_place() {
    let rig = Rig::new();
    let worker = rig.worker().handler("answer", answer).build().unwrap().start();
    let tenant = tenant(&rig.client).await.unwrap();
    let everybody = rig.client.new_budget().with_limit(TOKENS, BudgetLimit::hard(500));
    rig.client.create_budget(&everybody).await.unwrap();
    let long = "q".repeat(400);
    let first = rig.submit(tenants_job(&[&long], tenant, everybody.id)).await;
    rig.pass(SECOND).await;
    let second = rig.submit(tenants_job(&[&long], tenant, everybody.id)).await;
    rig.pass(SECOND).await;

    assert_eq!(first.shard(), tenant.shard());
    assert_eq!(rig.state(first).await, ExecutionState::Completed);
    let explained = rig.client.explain(second).await.unwrap();
    let reason = ExplainReason::AwaitingBudget { budget_id: everybody.id, used_up: true };
    assert_eq!(explained.reason, reason, "{:?}", rig.state(second).await);
    let client = &rig.client;
    let id = client.new_flow_id();
    let mut flow = Flow::new().shared_budget(everybody.id).id(id);
    flow.node("a", Job::new("answer", &[""]));
    assert_eq!(client.submit_flow(&flow).await.unwrap(), id, "it keeps the id that it was given");
    let view = client.flow(id).describe().await.unwrap();
    assert_eq!(view.budgets, [everybody.id]);
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

/// Reports without a key.
async fn spend(task: ClaimedTask, tokens: u64) -> Result<(), TaskError> {
    let usage = UsageDimensions::new().with_output_tokens(tokens);
    for _ in 0..2 {
        task.report_usage(usage.clone()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_counts_once() {
    let rig = Rig::new();
    let worker = rig.worker().handler("spend", spend).build().unwrap().start();
    let budget = rig.client.new_budget().with_limit(TOKENS, BudgetLimit::hard(100));
    rig.client.create_budget(&budget).await.unwrap();
    for _ in 0..3 {
        rig.backend.lose_answer("report_usage");
    }
    let id = rig.submit(Job::new("spend", &7).budget(budget.id)).await;

    rig.pass(10 * SECOND).await;

    assert_eq!(rig.state(id).await, ExecutionState::Completed);
    let view = rig.client.budget(budget.id).await.unwrap();
    assert_eq!(view.dimensions[TOKENS].used, 14);
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn a_flow_draws_on_its_budget_under_an_id_beside_it() {
    let rig = Rig::new();
    let worker = rig.worker().handler("spend", spend).build().unwrap().start();
    let client = &rig.client;
    let budget = client.new_budget().with_limit(TOKENS, BudgetLimit::hard(100));
    client.create_budget(&budget).await.unwrap();
    let flow = |id| {
        let mut flow = Flow::new().budget(budget.id).id(id);
        flow.node("a", Job::new("spend", &3));
        flow.node("b", Job::new("spend", &4)).after(["a"]);
        flow
    };
    let elsewhere = client.new_flow_id();
    assert_ne!(elsewhere.shard(), budget.id.shard(), "ids are spread");
    let refused = client.submit_flow(&flow(elsewhere)).await.unwrap_err();
    assert!(refused.to_string().starts_with("id is placed elsewhere"), "{refused}");

    let id = client.submit_flow(&flow(client.new_flow_id_beside(budget.id))).await.unwrap();
    rig.pass(2 * SECOND).await;

    let view = client.flow(id).describe().await.unwrap();
    assert_eq!(view.summary.state, FlowState::Completed);
    assert_eq!(client.budget(budget.id).await.unwrap().dimensions[TOKENS].used, 14);
    let beside = client.new_budget_beside(budget.id);
    assert_eq!(beside.id.shard(), budget.id.shard());
    client.reset_budget(budget.id).await.unwrap();
    assert_eq!(client.budget(budget.id).await.unwrap().dimensions[TOKENS].used, 0);
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn an_extension_draws_on_the_budgets_of_the_flow_and_on_its_own() {
    let rig = Rig::new();
    let client = &rig.client;
    let of_flow = client.new_budget().with_limit(TOKENS, BudgetLimit::hard(100));
    let more = client.new_budget_beside(of_flow.id).with_limit(TOKENS, BudgetLimit::hard(100));
    for budget in [&of_flow, &more] {
        client.create_budget(budget).await.unwrap();
    }
    let mut flow = Flow::new().budget(of_flow.id);
    flow.node("a", Job::new("spend", &3));
    let flow = client.flow(client.submit_flow(&flow).await.unwrap());
    let mut extension = Extension::new().budget(more.id);
    extension.node("b", Job::new("spend", &4)).after(["a"]);

    flow.extend(&extension).await.unwrap();
    let worker = rig.worker().handler("spend", spend).build().unwrap().start();
    rig.pass(2 * SECOND).await;

    let view = flow.describe().await.unwrap();
    assert_eq!((view.summary.state, view.budgets), (FlowState::Completed, vec![of_flow.id]));
    let mut used = Vec::new();
    for budget in [of_flow.id, more.id] {
        used.push(client.budget(budget).await.unwrap().dimensions[TOKENS].used);
    }
    assert_eq!(used, [14, 8]);
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}
