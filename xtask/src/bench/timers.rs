//! Delayed executions that come due in the same second: how long after it until all are ready.
//!
//! Maintenance is the loop that a worker of the SDK runs; it counts what it made ready. At the end
//! all are claimed, so that ready means claimable.

use std::process::ExitCode;
use std::time::Duration;

use ff_engine::{ClaimOps as _, ClaimRequest, Clock as _, SystemClock, TickRequest, TimerOps as _};
use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{LaneId, TimestampMs, limits};
use serde::Serialize;

use super::Common;
use super::report::{Figure, Report, real};
use super::rig::{LANE, Rig, block_on, server_version};

/// What a tick of the SDK waits.
const TICK_WAIT: Duration = Duration::from_secs(1);
const SECOND_MS: usize = 1_000;
/// When all must be ready, after the second.
const TARGET_MS: f64 = 2_000.0;
/// When the bench gives up, after the second.
const GIVE_UP_MS: i64 = 60_000;

/// Arguments of the timers bench.
#[derive(Debug, clap::Args)]
pub(super) struct TimersArgs {
    /// How many executions come due.
    #[arg(long, default_value_t = 10_000)]
    due: usize,
    /// How long before the second they are submitted.
    #[arg(long, default_value_t = 5)]
    lead_seconds: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    due: usize,
    all_ready_after_ms: Figure,
    server_ms: Figure,
    ticks: Figure,
}

/// What one run measured.
struct Run {
    ready_after_ms: f64,
    server_ms: f64,
    ticks: u64,
}

pub(super) fn run(args: &TimersArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report::new("timers", "valkey", Some(server_version()?), &args.common)?;
    println!("| due in a second | all ready after it, ms | server time, ms | calls |");
    println!("|--:|--:|--:|--:|");
    let mut runs = Vec::new();
    for run in 0..args.common.runs {
        let rig = Rig::start(args.common.seed, run)?;
        runs.push(block_on(ready(&rig, args))?);
    }
    let row = Row {
        due: args.due,
        all_ready_after_ms: Figure::each(&runs, |run| run.ready_after_ms),
        server_ms: Figure::each(&runs, |run| run.server_ms),
        ticks: Figure::each(&runs, |run| real(run.ticks)),
    };
    println!("| {} | {} | {} | {} |", row.due, row.all_ready_after_ms, row.server_ms, row.ticks);
    report.rows.push(row);
    let name = "all ready / the target of 2 s";
    report.ratio(name, Figure::each(&runs, |run| run.ready_after_ms / TARGET_MS));
    report.finish(&args.common)
}

async fn ready(rig: &Rig, args: &TimersArgs) -> anyhow::Result<Run> {
    let (backend, random) = (rig.backend().await?, rig.random());
    let second = SystemClock.now().saturating_add(Duration::from_secs(args.lead_seconds));
    let submissions: Vec<_> = rig
        .submissions(args.due, 64)
        .into_iter()
        .map(|mut submission| {
            let within = Duration::from_millis(random.below(SECOND_MS) as u64);
            submission.delay_until = Some(second.saturating_add(within));
            submission
        })
        .collect();
    rig.submit(&backend, &submissions).await?;
    anyhow::ensure!(SystemClock.now() < second, "the submits took longer than the lead");

    rig.reset_counts()?;
    let over = second.saturating_add(Duration::from_secs(1));
    let request = TickRequest::all().with_max_wait(TICK_WAIT);
    let mut delays_over = 0;
    while delays_over < args.due {
        delays_over += usize::try_from(backend.tick(&request).await?.delays_over)?;
        let late = since(over) > GIVE_UP_MS;
        anyhow::ensure!(!late, "only {delays_over} are ready a minute later");
    }
    let ready_after_ms = real(u64::try_from(since(over).max(0))?);
    let fcall = rig.counts()?.get("fcall").copied().unwrap_or_default();

    let mut claimed = 0;
    loop {
        let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
            .with_max_tasks(limits::CLAIM_MAX_TASKS);
        let (id, lane) = (rig.ids.request_id(), LaneId::new(LANE)?);
        let request = ClaimRequest::new(id, lane, CapabilitySet::new(), policy);
        match backend.claim(&request).await?.tasks.len() {
            0 => break,
            some => claimed += some,
        }
    }
    anyhow::ensure!(claimed == args.due, "{claimed} of {} could be claimed", args.due);
    Ok(Run { ready_after_ms, server_ms: real(fcall.micros) / 1e3, ticks: fcall.calls })
}

fn since(time: TimestampMs) -> i64 {
    SystemClock.now().as_i64() - time.as_i64()
}
