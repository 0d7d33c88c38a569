//! Budgets over Valkey: what a claim, a report and an end take of the server with and without one, and how
//! soon somebody goes on when there is room again.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AdjustBudget, AttemptOps as _, BudgetLimit, BudgetOps as _, ClaimOps as _, ClaimRequest,
    CreateBudget, Submission, Task, TickRequest, TimerOps as _,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, UsageDimensions};
use ff_types::{BudgetId, LaneId, limits};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::parts::{Found, part};
use super::report::{Report, real};
use super::rig::{LANE, Rig, server_version};
use super::{Common, budget_shares};

pub(super) const WORKERS: usize = 16;
pub(super) const PAYLOAD_BYTES: usize = 200;
pub(super) const TOKENS: &str = "output_tokens";
/// What an attempt reserves and reports.
pub(super) const ESTIMATE: u64 = 10;
/// Of a claim that reserves, against one that does not.
pub(super) const CLAIM_RATIO_TARGET: f64 = 1.6;
/// How long a raise may take to be felt before the bench gives up.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Arguments of the budget bench.
#[derive(Debug, clap::Args)]
pub(super) struct BudgetArgs {
    /// Executions that are submitted, claimed, reported on and completed.
    #[arg(long, default_value_t = 10_000)]
    pub(super) executions: usize,
    /// On how many budgets they draw, in turn.
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    budgets: Vec<usize>,
    /// Raises whose way to a waiting worker is measured.
    #[arg(long, default_value_t = 200)]
    pub(super) samples: usize,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &BudgetArgs) -> anyhow::Result<ExitCode> {
    let counts = args.budgets.iter().chain([&args.executions, &args.samples]);
    anyhow::ensure!(counts.into_iter().all(|count| *count > 0), "all counts start at 1");

    let mut report = Report::new("budget", "valkey", Some(server_version()?), &args.common)?;
    println!("payloads of {PAYLOAD_BYTES} B; {WORKERS} workers, one claim at a time");
    println!("| what | | unit | note |\n|:--|--:|:--|:--|");
    part(&mut report, &args.common, &async |rig| costs(rig, args).await)?;
    part(&mut report, &args.common, &async |rig| raises(rig, args).await)?;
    part(&mut report, &args.common, &async |rig| budget_shares::drains(rig, args).await)?;
    part(&mut report, &args.common, &async |rig| budget_shares::first_grants(rig, args).await)?;
    report.finish(&args.common)
}

pub(super) fn tokens(amount: u64) -> UsageDimensions {
    UsageDimensions::new().with_output_tokens(amount)
}

pub(super) async fn budget(
    rig: &Rig,
    backend: &ValkeyBackend,
    hard: u64,
) -> anyhow::Result<BudgetId> {
    let request =
        CreateBudget::new(rig.ids.budget_id()).with_limit(TOKENS, BudgetLimit::hard(hard));
    backend.create_budget(&request).await?;
    Ok(request.id)
}

/// Server time of an operation, in µs, since the counts were reset.
pub(super) fn server_time(rig: &Rig, calls: usize) -> anyhow::Result<f64> {
    let counts = rig.counts()?;
    let counted = counts.get("fcall").context("functions are counted")?;
    Ok(real(counted.micros) / real(calls as u64))
}

/// What each step of a life takes without a budget, and drawing on as many as asked for.
async fn costs(rig: &Rig, args: &BudgetArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut plain_claim = None;
    for count in std::iter::once(0).chain(args.budgets.iter().copied()) {
        let backend = rig.backend().await?;
        let mut budgets = Vec::new();
        for _ in 0..count {
            budgets.push(budget(rig, &backend, limits::USAGE_AMOUNT_MAX).await?);
        }
        let with = match count {
            0 => "without a budget".to_owned(),
            1 => "with a budget".to_owned(),
            count => format!("with one of {count} budgets"),
        };
        let drawing = |(one, number): (Submission, usize)| match budgets.len() {
            0 => one,
            count => one.with_budget(budgets[number % count]).with_estimate(tokens(ESTIMATE)),
        };
        let submissions = rig.submissions(args.executions, PAYLOAD_BYTES);
        let submissions: Vec<_> = submissions.into_iter().zip(0..).map(drawing).collect();
        rig.reset_counts()?;
        rig.submit(&backend, &submissions).await?;
        found.add(format!("submit {with}"), "µs", server_time(rig, args.executions)?);

        rig.reset_counts()?;
        let tasks = claimed(rig, &backend, args.executions).await?;
        let claim = server_time(rig, args.executions)?;
        found.add(format!("claim {with}"), "µs", claim);
        if let Some(plain) = plain_claim {
            let ratio = claim / plain;
            found.ratio(format!("claim {with} / claim without"), ratio);
            found.ratio(
                format!("claim {with} / claim without / the target of {CLAIM_RATIO_TARGET}"),
                ratio / CLAIM_RATIO_TARGET,
            );
        } else {
            plain_claim = Some(claim);
        }

        rig.reset_counts()?;
        each(&tasks, async |task| {
            let usage = tokens(ESTIMATE).with_dedup_key("all of it");
            backend.report_usage(&task.handle, &usage).await?;
            Ok(())
        })
        .await?;
        found.add(format!("report {with}"), "µs", server_time(rig, args.executions)?);
        rig.reset_counts()?;
        each(&tasks, async |task| Ok(backend.complete(&task.handle, None).await?)).await?;
        found.add(format!("complete {with}"), "µs", server_time(rig, args.executions)?);
    }
    Ok(found)
}

/// Everything there is, claimed one at a time by as many as there are workers.
pub(super) async fn claimed(
    rig: &Rig,
    backend: &Arc<ValkeyBackend>,
    count: usize,
) -> anyhow::Result<Vec<Task>> {
    let left = AtomicUsize::new(count);
    let one_less = |left: usize| left.checked_sub(1);
    let claims = (0..WORKERS).map(async |_| {
        let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
            .with_lease_ttl(Duration::from_mins(10));
        let mut tasks = Vec::new();
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
            let request = ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy);
            tasks.extend(backend.claim(&request).await?.tasks);
        }
        anyhow::Ok(tasks)
    });
    let tasks: Vec<_> = try_join_all(claims).await?.into_iter().flatten().collect();
    anyhow::ensure!(tasks.len() == count, "{} of {count} were claimed", tasks.len());
    Ok(tasks)
}

/// Does something with each task, as many at once as there are workers.
pub(super) async fn each(
    tasks: &[Task],
    does: impl AsyncFn(&Task) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let portions = tasks.chunks(tasks.len().div_ceil(WORKERS));
    let does = &does;
    try_join_all(portions.map(async |portion| {
        for task in portion {
            does(task).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// From the call that raises a limit until a worker that waits has the task that waited for it.
async fn raises(rig: &Rig, args: &BudgetArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let (operator, worker) = (rig.backend().await?, rig.backend().await?);
    let backend = Arc::clone(&worker);
    let maintenance = tokio::spawn(async move {
        loop {
            let request = TickRequest::all().with_max_wait(Duration::from_secs(10));
            if backend.tick(&request).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let budget = budget(rig, &operator, 0).await?;
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_max_wait(LOST_AFTER);
    let mut took = Vec::with_capacity(args.samples);
    for sample in 1..=args.samples as u64 {
        let submission = rig.submissions(1, PAYLOAD_BYTES).remove(0).with_budget(budget);
        rig.submit(&operator, &[submission.with_estimate(tokens(ESTIMATE))]).await?;
        let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
        let claim = ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy);
        let backend = Arc::clone(&worker);
        let claimed = tokio::spawn(async move {
            let outcome = backend.claim(&claim).await;
            (outcome, Instant::now())
        });
        while operator.describe_budget(budget).await?.blocked == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let raise = AdjustBudget::new(rig.ids.request_id(), budget)
            .with_limit(TOKENS, BudgetLimit::hard(sample * ESTIMATE));
        let start = Instant::now();
        operator.adjust_budget(&raise).await?;
        let (outcome, at) = tokio::time::timeout(LOST_AFTER, claimed).await??;
        let task = outcome?.tasks.pop().context("the wait was over first")?;
        took.push(at.saturating_duration_since(start).as_secs_f64() * 1_000.0);
        worker.report_usage(&task.handle, &tokens(ESTIMATE).with_dedup_key("all")).await?;
        worker.complete(&task.handle, None).await?;
    }
    maintenance.abort();
    found.spread("raise to the task that waited", &took);
    Ok(found)
}
