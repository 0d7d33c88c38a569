//! From the end of a lost lease until another worker holds the execution.
//!
//! One connection claims and then does nothing more, as a killed process. A worker of the SDK on
//! another connection takes over. Times are the server's, to whole milliseconds: both run on one
//! machine.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ff_engine::{ClaimOps as _, ClaimRequest, Clock as _, SystemClock};
use ff_sdk::{ClaimedTask, TaskError, Worker};
use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{ExecutionId, LaneId, TimestampMs, limits};
use serde::Serialize;
use tokio::sync::mpsc;

use super::Common;
use super::report::{Figure, Report, percentile, real};
use super::rig::{KIND, LANE, Rig, block_on, erased, server_version};
use super::wake::LOST_AFTER;

const TTL: Duration = Duration::from_millis(limits::LEASE_TTL_MIN_MS);
/// What the takeover may take beyond the TTL.
const TARGET_MS: f64 = 1_000.0;

/// Arguments of the resume bench.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// How many leases are lost at once.
    #[arg(long, value_delimiter = ',', default_value = "1,1000")]
    lost: Vec<usize>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    lost: usize,
    over_ttl_p50_ms: Figure,
    over_ttl_max_ms: Figure,
}

pub(super) fn run(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!args.lost.contains(&0), "lost leases start at 1");
    let mut report = Report::new("resume", "valkey", Some(server_version()?), &args.common)?;
    println!("| lost leases | p50 over TTL, ms | max over TTL, ms |\n|--:|--:|--:|");
    for &lost in &args.lost {
        let mut runs = Vec::new();
        for run in 0..args.common.runs {
            let rig = Rig::start(args.common.seed, run)?;
            runs.push(block_on(takeovers(&rig, lost))?);
        }
        let at = |percent| Figure::each(&runs, |run| percentile(run, percent));
        let row = Row { lost, over_ttl_p50_ms: at(50), over_ttl_max_ms: at(100) };
        println!("| {lost} | {} | {} |", row.over_ttl_p50_ms, row.over_ttl_max_ms);
        report.rows.push(row);
        let name = format!("{lost} lost: max over TTL / the target of 1 s");
        report.ratio(name, Figure::each(&runs, |run| percentile(run, 100) / TARGET_MS));
    }
    report.finish(&args.common)
}

async fn takeovers(rig: &Rig, lost: usize) -> anyhow::Result<Vec<f64>> {
    let expiries = lose(rig, lost).await?;
    let survivor = rig.backend().await?;
    let (taken, mut arrivals) = mpsc::channel::<(ExecutionId, TimestampMs)>(lost);
    let worker = Worker::builder(erased(&survivor))
        .lane(LANE)
        .concurrency(lost)
        .ids(rig.ids.clone())
        .state(taken)
        .raw_handler(KIND, async |task: ClaimedTask| {
            let now = SystemClock.now();
            let taken = task.state::<mpsc::Sender<(ExecutionId, TimestampMs)>>()?;
            taken.send((task.execution_id(), now)).await?;
            Ok::<_, TaskError>(task.complete(None).await?)
        })
        .build()?
        .start();
    let mut over = Vec::new();
    while over.len() < lost {
        let take = tokio::time::timeout(LOST_AFTER, arrivals.recv()).await;
        let (id, at) = take.context("an execution was lost")?.context("the worker is there")?;
        let expired = expiries.get(&id).context("this one was claimed")?;
        over.push(real(u64::try_from((at.as_i64() - expired.as_i64()).max(0))?));
    }
    worker.shutdown().await;
    Ok(over)
}

/// Claims executions and forgets them; answers when each lease runs out.
async fn lose(rig: &Rig, lost: usize) -> anyhow::Result<HashMap<ExecutionId, TimestampMs>> {
    let backend = rig.backend().await?;
    rig.submit(&backend, &rig.submissions(lost, 64)).await?;
    let mut expiries = HashMap::new();
    while expiries.len() < lost {
        let left = u32::try_from(lost - expiries.len())?;
        let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
            .with_lease_ttl(TTL)
            .with_max_tasks(left.min(limits::CLAIM_MAX_TASKS));
        let lane = LaneId::new(LANE)?;
        let offers = CapabilitySet::new();
        let request = ClaimRequest::new(rig.ids.request_id(), lane, offers, policy);
        let outcome = backend.claim(&request).await?;
        anyhow::ensure!(!outcome.is_empty(), "only {} could be claimed", expiries.len());
        expiries
            .extend(outcome.tasks.iter().map(|task| (task.execution_id, task.lease_expires_at)));
    }
    drop(Arc::try_unwrap(backend));
    Ok(expiries)
}
