//! Budgets and a limited lane while the server is killed, again and again, and leases are lost: usage and
//! reservations never pass the limit together, what is reserved is what is held, and every report counts once; no
//! more leases are held than the lane and the keys in it may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    AdjustBudget, AdjustLane, BudgetLimit, CreateBudget, EngineBackend, EngineError, LaneSettings,
    Submission, UsageOutcome,
};
use ff_types::backend::UsageDimensions;
use ff_types::{BudgetId, LaneKey};
use ff_valkey_server::{Options, Server};
use tokio::task::{JoinSet, block_in_place};

use crate::child::maintain;
use crate::site::{Site, ensure, patiently, until};

/// How often the server is killed.
const KILLS: u64 = 10;
const EXECUTIONS: u64 = 120;
const WORKERS: usize = 4;
/// What an execution reserves, and reports in two halves.
const ESTIMATE: u64 = 4;
/// Most leases in the lane at once, and of one key; fewer than there are workers.
const AT_ONCE_IN_LANE: u32 = 3;
const AT_ONCE_OF_KEY: u32 = 2;
/// For how many there is room before the limit is raised, again and again.
const AT_ONCE: u64 = 6;
/// How a submission draws on the budget.
type Drawing = fn(Submission, BudgetId) -> Submission;

const TOKENS: &str = "output_tokens";
const MAX_WAIT: Duration = Duration::from_secs(1);
const GOES_ON: Duration = Duration::from_secs(30);

fn tokens(amount: u64) -> UsageDimensions {
    UsageDimensions::new().with_output_tokens(amount)
}

/// What is used and reserved, and the limit.
async fn stands(backend: &dyn EngineBackend, id: BudgetId) -> Result<[u64; 3], EngineError> {
    let view = patiently(|| backend.describe_budget(id)).await?;
    let tokens = view.dimensions[TOKENS];
    Ok([tokens.used, tokens.reserved, tokens.limit.hard.unwrap_or(0)])
}

/// Claims, reports and completes; gives every seventh lease up without a word.
async fn work(site: Site, done: Arc<AtomicU64>) -> CaseResult {
    let backend = site.connect().await?;
    let worker = site.worker();
    let mut taken = 0_u32;
    while done.load(Ordering::Relaxed) < EXECUTIONS {
        for task in worker.take(backend.as_ref(), 1, MAX_WAIT).await? {
            taken += 1;
            for half in ["first", "second"] {
                let usage = tokens(ESTIMATE / 2).with_dedup_key(half);
                let told = patiently(|| backend.report_usage(&task.handle, &usage)).await;
                match told {
                    Ok(UsageOutcome::Ok | UsageOutcome::AlreadyApplied) => {}
                    // The lease was lost while the server was away.
                    Err(error) if error.state_kind().is_some() => break,
                    other => return Err(CaseError::new(format!("a report is answered {other:?}"))),
                }
            }
            if taken.is_multiple_of(7) {
                continue;
            }
            match patiently(|| backend.complete(&task.handle, None)).await {
                Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                Err(error) if error.state_kind().is_some() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_exact_over_kills_and_lost_leases() -> CaseResult {
    is_exact(1, Submission::with_budget).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_budget_is_exact_over_kills_and_lost_leases() -> CaseResult {
    is_exact(3, Submission::with_shared_budget).await
}

/// Drains a lane of as many partitions, whose executions draw on one budget, while the server is killed.
async fn is_exact(partitions: u16, drawing: Drawing) -> CaseResult {
    let options = Options::new().config("appendonly", "yes").config("appendfsync", "always");
    let mut server = Server::start(&options)?;
    let site = Site::new(server.url(), partitions)?;
    let backend = site.connect().await?;
    // Room for a part of it; the rest waits until it is raised, step by step.
    let budget = CreateBudget::new(site.ids.budget_id())
        .with_limit(TOKENS, BudgetLimit::hard(AT_ONCE * ESTIMATE));
    patiently(|| backend.create_budget(&budget)).await?;
    let lane = site.submission()?.lane;
    let settings = LaneSettings::unlimited().with_max_concurrency(AT_ONCE_IN_LANE);
    let settings = settings.with_key_max_concurrency(AT_ONCE_OF_KEY);
    let limit = AdjustLane::new(site.ids.request_id(), lane.clone()).with_settings(settings);
    patiently(|| backend.adjust_lane(&limit)).await?;
    for number in 0..EXECUTIONS {
        let key = LaneKey::new(format!("key-{}", number % 3))?;
        let submission = site.submission()?.with_lane_key(key);
        let submission = drawing(submission, budget.id).with_estimate(tokens(ESTIMATE));
        patiently(|| backend.submit(&submission)).await?;
    }
    let done = Arc::new(AtomicU64::new(0));
    let mut working = JoinSet::new();
    for _ in 0..WORKERS {
        working.spawn(work(site.clone(), Arc::clone(&done)));
    }
    let maintainer = site.connect().await?;
    let maintenance = tokio::spawn(async move { maintain(maintainer.as_ref()).await });

    let (mut hard, mut kills) = (AT_ONCE * ESTIMATE, 0);
    loop {
        // A lost lease may leave too little for the attempt that follows it.
        until("the budget is used up", GOES_ON, || async {
            let [used, reserved, _] = stands(backend.as_ref(), budget.id).await?;
            ensure(used + reserved <= hard, || format!("{used} + {reserved} of {hard}"))?;
            let view = patiently(|| backend.describe_lane(&lane)).await?;
            let held = view.leases + view.tokens;
            ensure(held <= u64::from(AT_ONCE_IN_LANE) * u64::from(partitions), || {
                format!("{view:?}")
            })?;
            let is_over = done.load(Ordering::Relaxed) >= EXECUTIONS;
            Ok((is_over || used + ESTIMATE > hard).then_some(()))
        })
        .await?;
        if done.load(Ordering::Relaxed) >= EXECUTIONS {
            break;
        }
        if kills < KILLS {
            kills += 1;
            block_in_place(|| server.restart())?;
        }
        hard += AT_ONCE * ESTIMATE;
        let raise = AdjustBudget::new(site.ids.request_id(), budget.id)
            .with_limit(TOKENS, BudgetLimit::hard(hard));
        patiently(|| backend.adjust_budget(&raise)).await?;
    }
    ensure(kills == KILLS, || format!("it was over after {kills} kills"))?;
    while let Some(worker) = working.join_next().await {
        worker??;
    }
    until("everything is settled", GOES_ON, || async {
        let [used, reserved, _] = stands(backend.as_ref(), budget.id).await?;
        ensure(used <= EXECUTIONS * ESTIMATE, || format!("{used} + {reserved}"))?;
        Ok(((used, reserved) == (EXECUTIONS * ESTIMATE, 0)).then_some(()))
    })
    .await?;
    maintenance.abort();
    // What it was about is done.
    let _aborted = maintenance.await;
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}
