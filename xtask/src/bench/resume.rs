//! How soon an attempt goes on: after the end of a lost lease, and after the signal it waits for.
//!
//! Of lost leases one connection claims and then does nothing more, as a killed process. A worker of the SDK on
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

use super::report::{Figure, Report, percentile, real};
use super::rig::{KIND, LANE, Rig, block_on, erased, server_version};
use super::wake::LOST_AFTER;
use super::{Common, signal};

const TTL: Duration = Duration::from_millis(limits::LEASE_TTL_MIN_MS);
/// What the takeover may take beyond the TTL.
const TARGET_MS: f64 = 1_000.0;
/// What a signal may take to the first line of the handler, in the middle and nearly always.
const SIGNAL_P50_TARGET_MS: f64 = 2.0;
const SIGNAL_P99_TARGET_MS: f64 = 10.0;

/// Arguments of the resume bench.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// How many leases are lost at once.
    #[arg(long, value_delimiter = ',', default_value = "1,1000")]
    lost: Vec<usize>,
    /// How many signals are delivered in a run, one at a time.
    #[arg(long, default_value_t = 1000)]
    signals: usize,
    /// How many executions are suspended at once, to see what they cost; 0 for none.
    #[arg(long, default_value_t = 100_000)]
    suspended: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    p50_ms: Figure,
    p99_ms: Figure,
    max_ms: Figure,
}

pub(super) fn run(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!args.lost.contains(&0) && args.signals > 0, "counts start at 1");
    let mut report = Report::new("resume", "valkey", Some(server_version()?), &args.common)?;
    println!("| until the handler runs | p50, ms | p99, ms | max, ms |\n|:--|--:|--:|--:|");
    for &lost in &args.lost {
        let runs = each_run(args, |rig| block_on(takeovers(rig, lost)))?;
        print(&mut report, format!("{lost} lost at once, from the end of the lease"), &runs);
        let name = format!("{lost} lost: max over TTL / the target of 1 s");
        report.ratio(name, Figure::each(&runs, |run| percentile(run, 100) / TARGET_MS));
    }
    let runs = each_run(args, |rig| block_on(signal::resumes(rig, args.signals)))?;
    print(&mut report, "a signal, from its delivery".to_owned(), &runs);
    for (percent, target) in [(50, SIGNAL_P50_TARGET_MS), (99, SIGNAL_P99_TARGET_MS)] {
        let name = format!("signal: p{percent} / the target of {target} ms");
        report.ratio(name, Figure::each(&runs, |run| percentile(run, percent) / target));
    }
    if args.suspended > 0 {
        let rig = Rig::start(args.common.seed, 0)?;
        let found = block_on(signal::waiting(&rig, args.suspended))?;
        println!(
            "{} suspended: {:.0} B each, {:.2} commands/s",
            args.suspended, found.bytes, found.sent
        );
        let name = |what: &str| format!("{} suspended: {what}", args.suspended);
        report.ratio(name("bytes each"), Figure::of(vec![found.bytes]));
        report.ratio(name("commands a second"), Figure::of(vec![found.sent]));
    }
    report.finish(&args.common)
}

/// What `measure` finds on a fresh server in each run.
fn each_run<T>(
    args: &ResumeArgs,
    measure: impl Fn(&Rig) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    (0..args.common.runs).map(|run| measure(&Rig::start(args.common.seed, run)?)).collect()
}

fn print(report: &mut Report<Row>, what: String, runs: &[Vec<f64>]) {
    let at = |percent| Figure::each(runs, |run| percentile(run, percent));
    let row = Row { what, p50_ms: at(50), p99_ms: at(99), max_ms: at(100) };
    println!("| {} | {:.2} | {:.2} | {:.2} |", row.what, row.p50_ms, row.p99_ms, row.max_ms);
    report.rows.push(row);
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
