//! From a submit to the first line of the handler, while workers are idle: all in one process, over
//! one connection of the backend. One execution at a time, with a pause in which the worker goes
//! back to waiting.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use ff_sdk::{ClaimedTask, Client, Job, TaskError, Worker};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::report::{Figure, Report, percentile};
use super::rig::{KIND, LANE, Random, Rig, block_on, erased, filler, server_version};
use super::{Common, raw};

/// How long a wake may take before it counts as lost.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(30);

/// Arguments of the wake bench.
#[derive(Debug, clap::Args)]
pub(super) struct WakeArgs {
    /// How many workers are idle.
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    idle: Vec<usize>,
    /// How many executions are submitted in a run.
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    system: &'static str,
    idle_workers: usize,
    p50_ms: Figure,
    p99_ms: Figure,
}

pub(super) fn run(args: &WakeArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.samples > 0 && !args.idle.contains(&0), "samples and idle start at 1");
    let mut report = Report::new("wake", "valkey", Some(server_version()?), &args.common)?;
    println!("| system | idle workers | p50, ms | p99, ms |\n|:--|--:|--:|--:|");
    for &idle in &args.idle {
        let mut runs: [Vec<Vec<f64>>; 2] = Default::default();
        for run in 0..args.common.runs {
            let rig = Rig::start(args.common.seed, run)?;
            let pauses = |random: Random| (0..args.samples).map(move |_| pause(&random));
            runs[0].push(block_on(raw::wakes(&rig, idle, pauses(rig.random())))?);
            let rig = Rig::start(args.common.seed, run)?;
            runs[1].push(block_on(wakes(&rig, idle, pauses(rig.random())))?);
        }
        for (system, runs) in ["raw", "sdk"].into_iter().zip(&runs) {
            let at = |percent| Figure::each(runs, |run| percentile(run, percent));
            let row = Row { system, idle_workers: idle, p50_ms: at(50), p99_ms: at(99) };
            println!("| {system} | {idle} | {:.2} | {:.2} |", row.p50_ms, row.p99_ms);
            report.rows.push(row);
        }
        for percent in [50, 99] {
            let pairs = runs[1].iter().zip(&runs[0]);
            let of_each =
                pairs.map(|(sdk, raw)| percentile(sdk, percent) / percentile(raw, percent));
            let name = format!("{idle} idle: sdk / raw, p{percent}");
            report.ratio(name, Figure::of(of_each.collect()));
        }
    }
    report.finish(&args.common)
}

/// Long enough for a worker to become idle again.
pub(super) fn pause(random: &Random) -> Duration {
    Duration::from_micros(5_000 + random.below(5_000) as u64)
}

async fn wakes(
    rig: &Rig,
    idle: usize,
    pauses: impl Iterator<Item = Duration>,
) -> anyhow::Result<Vec<f64>> {
    let backend = rig.backend().await?;
    let client = Client::with_ids(erased(&backend), rig.ids.clone());
    let (woken, mut wakes) = mpsc::channel::<Instant>(1);
    let mut workers = Vec::new();
    for _ in 0..idle {
        let worker = Worker::builder(erased(&backend))
            .lane(LANE)
            .ids(rig.ids.clone())
            .state(woken.clone())
            .raw_handler(KIND, async |task: ClaimedTask| {
                let at = Instant::now();
                task.state::<mpsc::Sender<Instant>>()?.send(at).await?;
                Ok::<_, TaskError>(task.complete(None).await?)
            })
            .build()?;
        workers.push(worker.start());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut taken = Vec::new();
    for pause in pauses {
        tokio::time::sleep(pause).await;
        let job = Job::raw(KIND, filler(64)).lane(LANE);
        let start = Instant::now();
        client.submit(&job).await?;
        let at = tokio::time::timeout(LOST_AFTER, wakes.recv()).await.context("a wake was lost")?;
        let at = at.context("the workers hold a sender")?;
        taken.push((at - start).as_secs_f64() * 1e3);
    }
    for worker in workers {
        worker.shutdown().await;
    }
    Ok(taken)
}
