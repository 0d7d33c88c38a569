//! Requirement classes, and workers with random capabilities, all drawn from the seed.
//!
//! A class is a set of tokens; at least one worker covers each. One class, the scarce one, is covered
//! by a single worker. First a burst of executions of random classes must all reach capable workers;
//! then, with all workers idle, executions of the scarce class and of random ones are submitted one
//! at a time, and their wakes measured. The workers are spread over several connections, as over as
//! many processes.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ff_sdk::{ClaimedTask, Client, Job, Payload, TaskError, Worker, WorkerHandle};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Common;
use super::report::{Figure, Report, percentile};
use super::rig::{KIND, LANE, Random, Rig, block_on, erased, server_version};
use super::wake::{LOST_AFTER, pause};

const TOKENS: usize = 60;
const TOKENS_OF_A_CLASS: usize = 3;
const TOKENS_OF_A_WORKER: usize = 20;
/// The class that one worker covers, and the token that only it offers.
const SCARCE: usize = 0;
const SCARCE_TOKEN: &str = "scarce";
/// The slowest wake of the scarce class that is wanted, at p99.
const TARGET_MS: f64 = 10.0;

/// Arguments of the routing bench.
#[derive(Debug, clap::Args)]
pub(super) struct RoutingArgs {
    /// How many requirement classes there are.
    #[arg(long, default_value_t = 100)]
    classes: usize,
    /// How many workers there are.
    #[arg(long, default_value_t = 100)]
    workers: usize,
    /// How many connections the workers are spread over.
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// How many executions are submitted at once in the burst.
    #[arg(long, default_value_t = 1000)]
    tasks: usize,
    /// How many wakes of the scarce class, and how many of others, are measured.
    #[arg(long, default_value_t = 500)]
    samples: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    executions: usize,
    p50_ms: Figure,
    p99_ms: Figure,
    misrouted: usize,
    lost: usize,
}

/// What one run measured: milliseconds, and executions that went to the wrong worker or nowhere.
#[derive(Default)]
struct Part {
    wakes: Vec<f64>,
    misrouted: usize,
    lost: usize,
}

/// Who offers and who requires what.
struct Sets {
    classes: Vec<Vec<String>>,
    workers: Vec<Vec<String>>,
}

/// An execution has reached a worker.
struct Reached {
    class: usize,
    worker: usize,
    at: Instant,
}

pub(super) fn run(args: &RoutingArgs) -> anyhow::Result<ExitCode> {
    let sane = args.classes > 1 && args.workers > 0 && args.connections > 0 && args.samples > 0;
    anyhow::ensure!(sane, "there are at least two classes, one worker, connection and sample");
    let mut report = Report::new("routing", "valkey", Some(server_version()?), &args.common)?;
    println!("{} classes, {} workers", args.classes, args.workers);
    println!("| part | executions | p50, ms | p99, ms | misrouted | lost |");
    println!("|:--|--:|--:|--:|--:|--:|");
    let mut parts: [Vec<Part>; 3] = Default::default();
    for run in 0..args.common.runs {
        let rig = Rig::start(args.common.seed, run)?;
        for (all, one) in parts.iter_mut().zip(block_on(route(&rig, args))?) {
            all.push(one);
        }
    }
    let names = ["burst", "wake, any class", "wake, scarce class"];
    for (part, runs) in names.into_iter().zip(&parts) {
        let at = |percent| Figure::each(runs, |run: &Part| percentile(&run.wakes, percent));
        let executions = if part == "burst" { args.tasks } else { args.samples };
        let misrouted = runs.iter().map(|run| run.misrouted).sum();
        let lost = runs.iter().map(|run| run.lost).sum();
        let row = Row { part, executions, p50_ms: at(50), p99_ms: at(99), misrouted, lost };
        println!(
            "| {part} | {executions} | {:.2} | {:.2} | {misrouted} | {lost} |",
            row.p50_ms, row.p99_ms
        );
        report.rows.push(row);
    }
    let slowest = |run: &Part| percentile(&run.wakes, 99) / TARGET_MS;
    report.ratio("scarce class: p99 / the target of 10 ms", Figure::each(&parts[2], slowest));
    report.finish(&args.common)
}

impl Sets {
    fn draw(args: &RoutingArgs, random: &Random) -> Self {
        let draw = |count| -> Vec<String> {
            let mut tokens: Vec<String> = Vec::new();
            while tokens.len() < count {
                let token = format!("t{}", random.below(TOKENS));
                if !tokens.contains(&token) {
                    tokens.push(token);
                }
            }
            tokens
        };
        let mut classes: Vec<_> = (0..args.classes).map(|_| draw(TOKENS_OF_A_CLASS)).collect();
        let mut workers: Vec<_> = (0..args.workers).map(|_| draw(TOKENS_OF_A_WORKER)).collect();
        classes[SCARCE] = vec![SCARCE_TOKEN.to_owned()];
        workers[random.below(args.workers)].push(SCARCE_TOKEN.to_owned());
        for class in &classes {
            if !workers.iter().any(|worker| covers(worker, class)) {
                let worker = &mut workers[random.below(args.workers)];
                let missing: Vec<_> =
                    class.iter().filter(|token| !worker.contains(token)).cloned().collect();
                worker.extend(missing);
            }
        }
        Self { classes, workers }
    }

    fn job(&self, class: usize) -> Job {
        let payload = Payload::new(class.to_string().into_bytes());
        Job::raw(KIND, payload).lane(LANE).capabilities(&self.classes[class])
    }
}

fn covers(worker: &[String], class: &[String]) -> bool {
    class.iter().all(|token| worker.contains(token))
}

async fn route(rig: &Rig, args: &RoutingArgs) -> anyhow::Result<[Part; 3]> {
    let random = rig.random();
    let sets = Sets::draw(args, &random);
    let (reached, mut arrivals) = mpsc::channel::<Reached>(args.tasks.max(1));
    let workers = start(rig, args, &sets, &reached).await?;
    drop(reached);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let client = Client::with_ids(erased(&rig.backend().await?), rig.ids.clone());

    let jobs: Vec<Job> = (0..args.tasks).map(|_| sets.job(random.below(args.classes))).collect();
    let mut burst = Part::default();
    let start = Instant::now();
    for submitted in client.submit_batch(&jobs).await {
        submitted?;
    }
    for left in (1..=args.tasks).rev() {
        if !burst.take(&sets, &mut arrivals, start).await? {
            burst.lost = left;
            break;
        }
    }

    let (mut any, mut scarce) = (Part::default(), Part::default());
    for _ in 0..args.samples {
        let other = 1 + random.below(args.classes - 1);
        for (class, part) in [(other, &mut any), (SCARCE, &mut scarce)] {
            tokio::time::sleep(pause(&random)).await;
            let start = Instant::now();
            client.submit(&sets.job(class)).await?;
            if !part.take(&sets, &mut arrivals, start).await? {
                part.lost += 1;
            }
        }
    }
    for worker in workers {
        worker.shutdown().await;
    }
    Ok([burst, any, scarce])
}

impl Part {
    /// Waits for the next arrival; false when there is none for long.
    async fn take(
        &mut self,
        sets: &Sets,
        arrivals: &mut mpsc::Receiver<Reached>,
        start: Instant,
    ) -> anyhow::Result<bool> {
        let Ok(arrival) = tokio::time::timeout(LOST_AFTER, arrivals.recv()).await else {
            return Ok(false);
        };
        let Reached { class, worker, at } = arrival.context("the workers are there")?;
        self.wakes.push((at - start).as_secs_f64() * 1e3);
        self.misrouted += usize::from(!covers(&sets.workers[worker], &sets.classes[class]));
        Ok(true)
    }
}

async fn start(
    rig: &Rig,
    args: &RoutingArgs,
    sets: &Sets,
    reached: &mpsc::Sender<Reached>,
) -> anyhow::Result<Vec<WorkerHandle>> {
    let mut backends = Vec::new();
    for _ in 0..args.connections {
        backends.push(rig.backend().await?);
    }
    let mut workers = Vec::new();
    for (number, capabilities) in sets.workers.iter().enumerate() {
        let worker = Worker::builder(erased(&backends[number % backends.len()]))
            .lane(LANE)
            .ids(rig.ids.clone())
            .capabilities(capabilities)
            .shared_state(Arc::new((number, reached.clone())))
            .raw_handler(KIND, async |task: ClaimedTask| {
                let at = Instant::now();
                let state = task.state::<(usize, mpsc::Sender<Reached>)>()?;
                let class = std::str::from_utf8(task.payload().bytes())?.parse()?;
                state.1.send(Reached { class, worker: state.0, at }).await?;
                Ok::<_, TaskError>(task.complete(None).await?)
            })
            .build()?;
        workers.push(worker.start());
    }
    Ok(workers)
}
