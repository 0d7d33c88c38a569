//! Budgets that lie elsewhere, over Valkey: what a keyspace of several partitions drains of work whose partitions share
//! one budget, against work that draws on one in its own partition, and how soon work starts whose share is empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AttemptOps as _, BudgetLimit, BudgetOps as _, ClaimOps as _, ClaimRequest, CreateBudget,
    Submission, TickRequest, TimerOps as _,
};
use ff_types::backend::{BackendConfig, CapabilitySet, ClaimPolicy};
use ff_types::{BudgetId, LaneId, Namespace, limits};
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::budget::{BudgetArgs, ESTIMATE, PAYLOAD_BYTES, TOKENS, WORKERS, tokens};
use super::parts::Found;
use super::report::real;
use super::rig::{LANE, Rig};

const PARTITIONS: u16 = 8;
/// How many executions a tight budget has room for at once: fewer than there are workers.
const TIGHT: u64 = 8;
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The rates of work with a budget in its partition, with a shared one, and with a shared one that is tight.
pub(super) async fn drains(rig: &Rig, args: &BudgetArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut own = None;
    let ample = limits::USAGE_AMOUNT_MAX;
    for (what, is_shared, hard) in [
        ("one in each partition", false, ample),
        ("one shared by all", true, ample),
        ("a tight one in each partition", false, TIGHT * ESTIMATE / u64::from(PARTITIONS)),
        ("a tight one shared by all", true, TIGHT * ESTIMATE),
    ] {
        let is_tight = hard != ample;
        let count = if is_tight { args.executions / 10 } else { args.executions };
        let backend = divided(rig, &what.replace(' ', "-")).await?;
        let mut budgets = Vec::new();
        for place in 0..if is_shared { 1 } else { PARTITIONS } {
            budgets.push(budget_at(rig, &backend, place, hard).await?);
        }
        let drawing = |(one, place): (Submission, usize)| {
            let budget = budgets[place % budgets.len()];
            let one =
                if is_shared { one.with_shared_budget(budget) } else { one.with_budget(budget) };
            one.with_estimate(tokens(ESTIMATE))
        };
        let submissions = rig.submissions(count, PAYLOAD_BYTES);
        let submissions: Vec<_> = submissions.into_iter().zip(0..).map(drawing).collect();
        rig.submit(&backend, &submissions).await?;
        let maintenance = maintained(&backend);
        rig.reset_counts()?;
        let start = Instant::now();
        drain(rig, &backend, count, !is_tight).await?;
        let rate = real(count as u64) / start.elapsed().as_secs_f64();
        maintenance.abort();
        let counts = rig.counts()?;
        let counted = counts.get("fcall").context("functions are counted")?;
        let [calls, micros] = [counted.calls, counted.micros].map(|n| real(n) / real(count as u64));
        let note = format!("{calls:.2} calls and {micros:.0} µs of the server each");
        found.noted(format!("drain with {what}"), "1/s", rate, note);
        if let (true, Some(own)) = (is_shared, own) {
            found.ratio(format!("drain with {what} / in each partition"), rate / own);
        }
        own = (!is_shared).then_some(rate);
    }
    Ok(found)
}

/// From the submit of work that draws on a budget elsewhere until a waiting worker has it: the share is made, asks and
/// is granted in between.
pub(super) async fn first_grants(rig: &Rig, args: &BudgetArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let backend = divided(rig, "grants").await?;
    let maintenance = maintained(&backend);
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_max_wait(MAX_WAIT);
    let mut took = Vec::with_capacity(args.samples);
    for _ in 0..args.samples {
        let budget = budget_at(rig, &backend, 0, ESTIMATE).await?;
        let one = rig.submissions(1, PAYLOAD_BYTES).remove(0);
        let one = one.with_shared_budget(budget).with_estimate(tokens(ESTIMATE));
        let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
        let claim = ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy);
        let waiting = Arc::clone(&backend);
        let claimed = tokio::spawn(async move { (waiting.claim(&claim).await, Instant::now()) });
        let start = Instant::now();
        rig.submit(&backend, &[one]).await?;
        let (outcome, at) = claimed.await?;
        let task = outcome?.tasks.pop().context("the wait was over first")?;
        took.push(at.saturating_duration_since(start).as_secs_f64() * 1_000.0);
        backend.complete(&task.handle, None).await?;
    }
    maintenance.abort();
    found.spread("submit to the task, of an empty share", &took);
    Ok(found)
}

/// A keyspace of several partitions.
async fn divided(rig: &Rig, namespace: &str) -> anyhow::Result<Arc<ValkeyBackend>> {
    let config = BackendConfig::from_url(&rig.url())?.with_namespace(Namespace::new(namespace)?);
    Ok(Arc::new(ValkeyBackend::builder(&config)?.partitions(PARTITIONS).connect().await?))
}

async fn budget_at(
    rig: &Rig,
    backend: &ValkeyBackend,
    place: u16,
    hard: u64,
) -> anyhow::Result<BudgetId> {
    let request = CreateBudget::new(rig.ids.together(place).budget_id())
        .with_limit(TOKENS, BudgetLimit::hard(hard));
    backend.create_budget(&request).await?;
    Ok(request.id)
}

fn maintained(backend: &Arc<ValkeyBackend>) -> JoinHandle<()> {
    let backend = Arc::clone(backend);
    tokio::spawn(async move {
        loop {
            let request = TickRequest::all().with_max_wait(Duration::from_secs(10));
            if backend.tick(&request).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    })
}

/// Claims, reports if asked to, and completes until nothing is left.
async fn drain(
    rig: &Rig,
    backend: &Arc<ValkeyBackend>,
    count: usize,
    reports: bool,
) -> anyhow::Result<()> {
    let left = AtomicUsize::new(count);
    let workers = (0..WORKERS).map(async |_| {
        let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
            .with_lease_ttl(Duration::from_mins(10))
            .with_max_wait(Duration::from_millis(200));
        while left.load(Ordering::Relaxed) > 0 {
            let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
            let request = ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy);
            for task in backend.claim(&request).await?.tasks {
                if reports {
                    let usage = tokens(ESTIMATE).with_dedup_key("all of it");
                    backend.report_usage(&task.handle, &usage).await?;
                }
                backend.complete(&task.handle, None).await?;
                left.fetch_sub(1, Ordering::Relaxed);
            }
        }
        anyhow::Ok(())
    });
    try_join_all(workers).await.map(drop)
}
