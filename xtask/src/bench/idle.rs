//! What workers of the SDK ask of the server while there is nothing to do: several in this process
//! over one connection of the backend, and one each in several processes.
//!
//! The time measured is a whole wait of a claim, so that what happens once a wait is seen. Commands
//! inside functions are counted among all, not among those that clients sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context;
use ff_backend_valkey::ValkeyBackend;
use ff_sdk::{ClaimedTask, TaskError, Worker, WorkerHandle};
use serde::Serialize;
use std::sync::Arc;

use super::Common;
use super::report::{Figure, Report, real};
use super::rig::{Counted, KIND, LANE, Rig, block_on, erased, server_version};

/// How long workers get to settle before anything is counted.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// What a client sends, rather than a function.
const SENT: &[&str] = &["fcall", "fcall_ro", "function", "ping", "ssubscribe", "sunsubscribe"];
/// What a process may send in a second.
const TARGET_PER_PROCESS: f64 = 2.0;
const READY: &str = "ready";

/// Arguments of the idle bench.
#[derive(Debug, clap::Args)]
pub(super) struct IdleArgs {
    /// How many workers are idle in this process.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    workers: Vec<usize>,
    /// How many processes with an idle worker each.
    #[arg(long, value_delimiter = ',', default_value = "10")]
    processes: Vec<usize>,
    /// How long is counted. A claim waits for 20 s by default.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Is an idle worker on the server with this URL until the standard input ends.
    #[arg(long, hide = true)]
    worker: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    processes: usize,
    workers: usize,
    sent_per_second: Figure,
    commands_per_second: Figure,
    by_command: BTreeMap<String, f64>,
}

/// Commands a second of one run.
struct Run {
    sent: f64,
    all: f64,
    by_command: BTreeMap<String, f64>,
}

pub(super) fn run(args: &IdleArgs) -> anyhow::Result<ExitCode> {
    if let Some(url) = &args.worker {
        block_on(stay(url))?;
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::ensure!(args.seconds > 0, "seconds start at 1");
    let mut report = Report::new("idle", "valkey", Some(server_version()?), &args.common)?;
    println!("counted for {} s", args.seconds);
    println!("| processes | workers | sent/s | all commands/s | by command, /s |");
    println!("|--:|--:|--:|--:|:--|");
    let here = args.workers.iter().map(|workers| (1, *workers));
    let elsewhere = args.processes.iter().map(|processes| (*processes, *processes));
    let cases = here.map(|case| (case, true)).chain(elsewhere.map(|case| (case, false)));
    for ((processes, workers), is_here) in cases {
        let mut runs = Vec::new();
        for run in 0..args.common.runs {
            let rig = Rig::start(args.common.seed, run)?;
            let run = if is_here {
                block_on(in_this_process(&rig, workers, args.seconds))?
            } else {
                in_processes(&rig, processes, args.seconds)?
            };
            runs.push(run);
        }
        let row = Row {
            processes,
            workers,
            sent_per_second: Figure::each(&runs, |run| run.sent),
            commands_per_second: Figure::each(&runs, |run| run.all),
            by_command: runs[0].by_command.clone(),
        };
        print(&row);
        report.rows.push(row);
        let name =
            format!("{workers} in {processes} processes: sent / the target of 2/s a process");
        let target = TARGET_PER_PROCESS * real(processes as u64);
        report.ratio(name, Figure::each(&runs, |run| run.sent / target));
    }
    report.finish(&args.common)
}

fn print(row: &Row) {
    let commands: Vec<_> =
        row.by_command.iter().map(|(name, rate)| format!("{name} {rate:.2}")).collect();
    println!(
        "| {} | {} | {:.2} | {:.2} | {} |",
        row.processes,
        row.workers,
        row.sent_per_second,
        row.commands_per_second,
        commands.join(", ")
    );
}

fn start(backend: &Arc<ValkeyBackend>) -> anyhow::Result<WorkerHandle> {
    let worker = Worker::builder(erased(backend))
        .lane(LANE)
        .raw_handler(KIND, async |task: ClaimedTask| Ok::<_, TaskError>(task.complete(None).await?))
        .build()?;
    Ok(worker.start())
}

/// The worker of one process.
async fn stay(url: &str) -> anyhow::Result<()> {
    let backend = Arc::new(ValkeyBackend::connect(url).await?);
    let worker = start(&backend)?;
    println!("{READY}");
    let ended = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(ended).await??;
    worker.shutdown().await;
    Ok(())
}

async fn in_this_process(rig: &Rig, workers: usize, seconds: u64) -> anyhow::Result<Run> {
    let backend = rig.backend().await?;
    let workers: Vec<_> = (0..workers).map(|_| start(&backend)).collect::<anyhow::Result<_>>()?;
    tokio::time::sleep(SETTLE).await;
    rig.reset_counts()?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let run = rates(&rig.counts()?, seconds);
    for worker in workers {
        worker.shutdown().await;
    }
    Ok(run)
}

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Its standard input ends here, and so does it; a process that does not is killed.
        drop(self.0.stdin.take());
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn in_processes(rig: &Rig, count: usize, seconds: u64) -> anyhow::Result<Run> {
    let mut processes = Vec::new();
    for _ in 0..count {
        let child = Command::new(std::env::current_exe()?)
            .args(["bench", "idle", "--worker", &rig.url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut process = Process(child);
        let output = process.0.stdout.take().context("the output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.trim() == READY, "a worker's process did not start");
        processes.push(process);
    }
    block_on(async {
        tokio::time::sleep(SETTLE).await;
        rig.reset_counts()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(rates(&rig.counts()?, seconds))
    })
}

/// Commands a second that clients sent, function calls counted as one.
pub(super) fn sent_per_second(counts: &BTreeMap<String, Counted>, watched: Duration) -> f64 {
    rates(counts, watched.as_secs()).sent
}

fn rates(counts: &BTreeMap<String, Counted>, seconds: u64) -> Run {
    let rate = |counted: &Counted| real(counted.calls) / real(seconds);
    let is_sent = |name: &str| SENT.iter().any(|sent| name.split('|').next() == Some(sent));
    Run {
        sent: counts
            .iter()
            .filter(|(name, _)| is_sent(name))
            .map(|(_, counted)| rate(counted))
            .sum(),
        all: counts.values().map(rate).sum(),
        by_command: counts.iter().map(|(name, counted)| (name.clone(), rate(counted))).collect(),
    }
}
