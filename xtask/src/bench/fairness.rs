//! Lanes over Valkey: what limits and keys take of the server, what becomes of small tenants beside one that
//! floods their lane, and how soon somebody goes on when a lease ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AdjustLane, AttemptOps as _, ClaimOps as _, ClaimRequest, LaneOps as _, LaneSettings, Rate,
    Submission,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{LaneId, LaneKey, limits};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::Common;
use super::budget::{
    CLAIM_RATIO_TARGET, PAYLOAD_BYTES, WORKERS, budget, claimed, each, server_time, tokens,
};
use super::parts::{Found, part};
use super::report::Report;
use super::rig::{LANE, Rig, server_version};

/// What a small tenant has waiting.
const SMALL: usize = 10;
/// In how many turns the costs of each kind of lane are measured.
const ROUNDS: usize = 20;
/// Of the time that the small tenants take alone.
const FAIRNESS_TARGET: f64 = 2.0;
/// How long the end of a lease may take to be felt before the bench gives up.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Arguments of the fairness bench.
#[derive(Debug, clap::Args)]
pub(super) struct FairnessArgs {
    /// Executions that are submitted, claimed and completed for each row of costs.
    #[arg(long, default_value_t = 10_000)]
    executions: usize,
    /// Executions of the tenant that floods the lane.
    #[arg(long, default_value_t = 100_000)]
    flood: usize,
    /// Tenants beside it, with ten executions each.
    #[arg(long, default_value_t = 99)]
    others: usize,
    /// Ends of leases whose way to a waiting worker is measured.
    #[arg(long, default_value_t = 200)]
    samples: usize,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &FairnessArgs) -> anyhow::Result<ExitCode> {
    let counts = [args.executions, args.flood, args.others, args.samples];
    anyhow::ensure!(counts.into_iter().all(|count| count > 0), "all counts start at 1");

    let mut report = Report::new("fairness", "valkey", Some(server_version()?), &args.common)?;
    println!("payloads of {PAYLOAD_BYTES} B; {WORKERS} workers, one claim at a time");
    println!("| what | | unit | note |\n|:--|--:|:--|:--|");
    part(&mut report, &args.common, &async |rig| costs(rig, args).await)?;
    part(&mut report, &args.common, &async |rig| flood(rig, args).await)?;
    part(&mut report, &args.common, &async |rig| freed(rig, args).await)?;
    report.finish(&args.common)
}

fn keyed(one: Submission, tenant: usize) -> Submission {
    one.with_lane_key(LaneKey::new(format!("tenant-{tenant}")).expect("the key is valid"))
}

async fn set_lane(
    rig: &Rig,
    backend: &ValkeyBackend,
    settings: LaneSettings,
) -> anyhow::Result<()> {
    let request = AdjustLane::new(rig.ids.request_id(), LaneId::new(LANE)?);
    Ok(backend.adjust_lane(&request.with_settings(settings)).await?)
}

/// What lanes are measured with, each with what the ones before it have.
pub(super) const KINDS: [&str; 5] =
    ["as it is", "with keys", "with a limit besides", "with a budget besides", "with all limits"];
/// The one that has a target: a limit of the lane, a key, and a budget with a reservation.
const TARGET_KIND: usize = 3;

/// Sets the lane as a kind wants it, and answers what is to be submitted to it.
pub(super) async fn prepared(
    rig: &Rig,
    backend: &ValkeyBackend,
    kind: usize,
    executions: usize,
) -> anyhow::Result<Vec<Submission>> {
    let limited = LaneSettings::unlimited().with_max_concurrency(1_000_000);
    if kind == 2 || kind == 3 {
        set_lane(rig, backend, limited).await?;
    } else if kind == 4 {
        let rate = Rate::new(1_000_000, Duration::from_secs(1));
        let all = limited.with_rate(rate).with_key_max_concurrency(1_000_000).with_key_rate(rate);
        set_lane(rig, backend, all).await?;
    }
    let spends = budget(rig, backend, limits::USAGE_AMOUNT_MAX).await?;
    let made = |(one, number): (Submission, usize)| match kind {
        0 => one,
        1 | 2 => keyed(one, number % 100),
        _ => keyed(one, number % 100).with_budget(spends).with_estimate(tokens(1)),
    };
    let submissions = rig.submissions(executions, PAYLOAD_BYTES);
    Ok(submissions.into_iter().zip(0..).map(made).collect())
}

/// What each step of a life takes in a lane of each kind. All kinds take turns, each in a keyspace of its own, so that
/// what else the machine does meets them alike.
async fn costs(rig: &Rig, args: &FairnessArgs) -> anyhow::Result<Found> {
    const STEPS: [&str; 3] = ["submit", "claim", "complete"];
    let mut kinds = Vec::new();
    for kind in 0..KINDS.len() {
        let backend = rig.backend_of(&format!("kind-{kind}")).await?;
        let submissions = prepared(rig, &backend, kind, args.executions).await?;
        kinds.push((backend, submissions));
    }
    let mut took = [[0.0; STEPS.len()]; KINDS.len()];
    let portion = args.executions.div_ceil(ROUNDS);
    for round in 0..args.executions.div_ceil(portion) {
        for ((backend, submissions), took) in kinds.iter().zip(&mut took) {
            let portion =
                &submissions[round * portion..submissions.len().min((round + 1) * portion)];
            rig.reset_counts()?;
            rig.submit(backend, portion).await?;
            took[0] += server_time(rig, args.executions)?;
            rig.reset_counts()?;
            let tasks = claimed(rig, backend, portion.len()).await?;
            took[1] += server_time(rig, args.executions)?;
            rig.reset_counts()?;
            each(&tasks, async |task| Ok(backend.complete(&task.handle, None).await?)).await?;
            took[2] += server_time(rig, args.executions)?;
        }
    }
    let mut found = Found::default();
    let plain = took[0][1];
    for (kind, (name, took)) in KINDS.into_iter().zip(took).enumerate() {
        for (step, took) in STEPS.into_iter().zip(took) {
            found.add(format!("{step}, {name}"), "µs", took);
        }
        let ratio = took[1] / plain;
        if kind > 0 {
            found.ratio(format!("claim, {name} / as it is"), ratio);
        }
        if kind == TARGET_KIND {
            found.ratio(
                format!("claim, {name} / as it is / the target of {CLAIM_RATIO_TARGET}"),
                ratio / CLAIM_RATIO_TARGET,
            );
        }
    }
    Ok(found)
}

/// How long the small tenants take alone, and beside one that floods the lane.
async fn flood(rig: &Rig, args: &FairnessArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let small = |rig: &Rig| {
        let all = rig.submissions(args.others * SMALL, PAYLOAD_BYTES);
        all.into_iter().zip(0..).map(|(one, at)| keyed(one, at % args.others)).collect::<Vec<_>>()
    };
    let backend = rig.backend().await?;
    let others = small(rig);
    rig.submit(&backend, &others).await?;
    let alone = until_done(rig, &backend, &others).await?;
    found.add("small tenants alone", "ms", alone);

    let flooding = rig.submissions(args.flood, PAYLOAD_BYTES);
    let flooding: Vec<_> = flooding.into_iter().map(|one| keyed(one, args.others)).collect();
    rig.submit(&backend, &flooding).await?;
    let others = small(rig);
    rig.submit(&backend, &others).await?;
    let beside = until_done(rig, &backend, &others).await?;
    found.add(format!("small tenants beside one with {}", args.flood), "ms", beside);
    found.ratio("small tenants beside the flood / alone".to_owned(), beside / alone);
    found.ratio(
        format!("small tenants beside the flood / alone / the target of {FAIRNESS_TARGET}"),
        beside / alone / FAIRNESS_TARGET,
    );
    Ok(found)
}

/// How long workers that claim and complete take until all of these have been completed, in ms.
async fn until_done(
    rig: &Rig,
    backend: &Arc<ValkeyBackend>,
    all: &[Submission],
) -> anyhow::Result<f64> {
    let left: std::collections::BTreeSet<_> = all.iter().map(Submission::id).collect();
    let left = std::sync::Mutex::new(left);
    let start = Instant::now();
    let workers = (0..WORKERS).map(async |_| {
        let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id());
        while !left.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?.is_empty() {
            let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
            let request = ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy);
            if let Some(task) = backend.claim(&request).await?.tasks.pop() {
                backend.complete(&task.handle, None).await?;
                let mut left = left.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
                left.remove(&task.execution_id);
            }
        }
        anyhow::Ok(())
    });
    try_join_all(workers).await?;
    Ok(start.elapsed().as_secs_f64() * 1_000.0)
}

/// From the call that ends a lease in a full lane until a worker that waits has the next task.
async fn freed(rig: &Rig, args: &FairnessArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let (holder, worker) = (rig.backend().await?, rig.backend().await?);
    set_lane(rig, &holder, LaneSettings::unlimited().with_max_concurrency(1)).await?;
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_max_wait(LOST_AFTER);
    let request = || -> anyhow::Result<ClaimRequest> {
        let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
        Ok(ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy))
    };
    let mut took = Vec::with_capacity(args.samples);
    for _ in 0..args.samples {
        rig.submit(&holder, &rig.submissions(2, PAYLOAD_BYTES)).await?;
        let task = holder.claim(&request()?).await?.tasks.pop().context("there is one")?;
        let (claim, backend) = (request()?, Arc::clone(&worker));
        let claimed = tokio::spawn(async move {
            let outcome = backend.claim(&claim).await;
            (outcome, Instant::now())
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        let start = Instant::now();
        holder.complete(&task.handle, None).await?;
        let (outcome, at) = tokio::time::timeout(LOST_AFTER, claimed).await??;
        let next = outcome?.tasks.pop().context("the wait was over first")?;
        took.push(at.saturating_duration_since(start).as_secs_f64() * 1_000.0);
        worker.complete(&next.handle, None).await?;
    }
    found.spread("end of a lease to the next task", &took);
    Ok(found)
}
