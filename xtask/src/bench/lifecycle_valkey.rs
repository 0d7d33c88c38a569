//! Submit, claim, complete over Valkey, beside the bare server and, on demand, other systems.
//!
//! Everything is queued first, then worked off; each row of each run has a server of its own. The
//! rows are:
//!
//! * raw: the baseline of [`super::raw`];
//! * claims of n: workers that claim up to n and complete them all at once, in a loop. With n = 1 the
//!   submits are single ones from as many producers, else one producer submits in batches;
//! * sdk: one client that submits in batches, one worker whose handlers return at once.

use std::process::ExitCode;
use std::sync::Arc;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{AttemptOps as _, ClaimOps as _, ClaimRequest, IdSource, SubmitOps as _};
use ff_sdk::{ClaimedTask, Client, Job, TaskError, Worker};
use ff_types::LaneId;
use ff_types::backend::{CapabilitySet, ClaimPolicy};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::report::{Figure, Measured, Report, Times, ratio};
use super::rig::{
    Countdown, KIND, LANE, Rig, SUBMIT_BATCH, block_on, erased, filler, server_version,
};
use super::{LifecycleArgs, peers, raw};

#[derive(Debug, Serialize)]
struct Row {
    system: String,
    tasks: usize,
    payload_bytes: usize,
    submits_per_second: Figure,
    drains_per_second: Figure,
    lifecycles_per_second: Figure,
}

pub(super) fn run(args: &LifecycleArgs) -> anyhow::Result<ExitCode> {
    let sane = args.workers > 0 && args.connections > 0 && !args.tasks.contains(&0);
    anyhow::ensure!(sane, "workers, connections and tasks start at 1");
    let mut report =
        Report::new("lifecycle", &args.backend, Some(server_version()?), &args.common)?;
    println!(
        "{} workers over {} connections, {} handlers",
        args.workers, args.connections, args.concurrency
    );
    println!("| system | queued | payload | submits/s | drains/s | lifecycles/s |");
    println!("|:--|--:|--:|--:|--:|--:|");
    let peers_at = (args.tasks.iter().min().copied(), args.payload.iter().max().copied());
    for &payload in &args.payload {
        let mut first = None;
        for &tasks in &args.tasks {
            let measured = measure(args, tasks, payload)?;
            for one in &measured {
                print(&mut report, one, payload);
            }
            compare(&mut report, &measured, payload, &mut first);
            if args.peers && peers_at == (Some(tasks), Some(payload)) {
                beside(&mut report, args, &measured, payload);
            }
        }
    }
    report.finish(&args.common)
}

fn print(report: &mut Report<Row>, measured: &Measured, payload: usize) {
    let row = Row {
        system: measured.system.clone(),
        tasks: measured.tasks,
        payload_bytes: payload,
        submits_per_second: Figure::of(measured.rate(|run| run.submit)),
        drains_per_second: Figure::of(measured.drains()),
        lifecycles_per_second: Figure::of(measured.wholes()),
    };
    println!(
        "| {} | {} | {} | {} | {} | {} |",
        row.system,
        row.tasks,
        row.payload_bytes,
        row.submits_per_second,
        row.drains_per_second,
        row.lifecycles_per_second,
    );
    report.rows.push(row);
}

/// Adds what each row is of the baseline, and of itself with the first number of tasks.
fn compare(
    report: &mut Report<Row>,
    measured: &[Measured],
    payload: usize,
    first: &mut Option<Vec<f64>>,
) {
    let Some((raw, others)) = measured.split_first() else { return };
    let at = format!("{} × {payload} B", raw.tasks);
    for one in others {
        let name = format!("{at}: {}", one.system);
        if one.system == "sdk" {
            report.ratio(format!("{name} / raw, lifecycles"), ratio(&one.wholes(), &raw.wholes()));
            let drains = raw.drains();
            report.ratio(format!("{name} lifecycles / raw drains"), ratio(&one.wholes(), &drains));
        } else {
            report.ratio(format!("{name} / raw, drains"), ratio(&one.drains(), &raw.drains()));
        }
    }
    let Some(sdk) = others.last() else { return };
    match first {
        Some(first) => {
            let name = format!("{at}: sdk / sdk with the first number queued, lifecycles");
            report.ratio(name, ratio(&sdk.wholes(), first));
        }
        None => *first = Some(sdk.wholes()),
    }
}

/// Measures the peers, and adds what the SDK's row is of them.
fn beside(report: &mut Report<Row>, args: &LifecycleArgs, measured: &[Measured], payload: usize) {
    let Some(sdk) = measured.last() else { return };
    for peer in peers::ALL {
        match peers::measure(peer, &args.common, sdk.tasks, payload) {
            Ok((version, found)) => {
                report.version(peer.name, version);
                for row in found {
                    print(report, &row, payload);
                    let name = format!("{} × {payload} B: sdk / {}", sdk.tasks, row.system);
                    let of_it = ratio(&sdk.wholes(), &row.wholes());
                    report.ratio(format!("{name}, lifecycles"), of_it);
                }
            }
            Err(error) => {
                println!("| {}: not measured: {error:#} |", peer.name);
                report.version(peer.name, format!("not measured: {error:#}"));
            }
        }
    }
}

fn measure(args: &LifecycleArgs, tasks: usize, payload: usize) -> anyhow::Result<Vec<Measured>> {
    let named = |system: String| Measured { system, tasks, runs: Vec::new() };
    let mut measured = vec![named("raw".to_owned())];
    measured.extend(args.batch.iter().map(|batch| named(format!("claims of {batch}"))));
    measured.push(named("sdk".to_owned()));
    let (last, seed) = (measured.len() - 1, args.common.seed);
    for run in 0..args.common.runs {
        for (index, one) in measured.iter_mut().enumerate() {
            let rig = Rig::start(seed, run)?;
            one.runs.push(block_on(async {
                if index == 0 {
                    let (submit, drain) =
                        raw::throughput(&rig, tasks, payload, args.workers).await?;
                    Ok(Times { submit, drain })
                } else if index == last {
                    whole(&rig, tasks, payload, args.concurrency).await
                } else {
                    let batch = args.batch[index - 1];
                    claims(&rig, args, tasks, payload, batch).await
                }
            })?);
        }
    }
    Ok(measured)
}

async fn claims(
    rig: &Rig,
    args: &LifecycleArgs,
    tasks: usize,
    payload: usize,
    batch: usize,
) -> anyhow::Result<Times> {
    let mut backends = Vec::new();
    for _ in 0..args.connections {
        backends.push(rig.backend().await?);
    }
    let backend = |worker: usize| Arc::clone(&backends[worker % backends.len()]);

    let submissions = rig.submissions(tasks, payload);
    let start = Instant::now();
    if batch == 1 {
        let share = tasks.div_ceil(args.workers);
        let producers = submissions.chunks(share).enumerate().map(|(worker, share)| {
            let backend = backend(worker);
            async move {
                for submission in share {
                    backend.submit(submission).await?;
                }
                anyhow::Ok(())
            }
        });
        join_all(producers).await.into_iter().collect::<anyhow::Result<()>>()?;
    } else {
        rig.submit(&backends[0], &submissions).await?;
    }
    let submit = start.elapsed();
    drop(submissions);

    let mut workers = JoinSet::new();
    let start = Instant::now();
    for worker in 0..args.workers {
        workers.spawn(work(backend(worker), rig.ids.clone(), batch));
    }
    let mut done = 0;
    while let Some(worked) = workers.join_next().await {
        done += worked??;
    }
    let drain = start.elapsed();
    anyhow::ensure!(done == tasks, "{done} of {tasks} were completed");
    Ok(Times { submit, drain })
}

/// Claims and completes until nothing is left.
async fn work(backend: Arc<ValkeyBackend>, ids: IdSource, batch: usize) -> anyhow::Result<usize> {
    let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id())
        .with_max_tasks(u32::try_from(batch)?);
    let lane = LaneId::new(LANE)?;
    let mut request = ClaimRequest::new(ids.request_id(), lane, CapabilitySet::new(), policy);
    let mut done = 0;
    loop {
        let outcome = backend.claim(&request).await?;
        if outcome.is_empty() {
            return Ok(done);
        }
        done += outcome.tasks.len();
        let completes = outcome.tasks.iter().map(|task| backend.complete(&task.handle, None));
        for completed in join_all(completes).await {
            completed?;
        }
        request.request_id = ids.request_id();
    }
}

/// The whole lifecycle as an application has it.
async fn whole(
    rig: &Rig,
    tasks: usize,
    payload: usize,
    concurrency: usize,
) -> anyhow::Result<Times> {
    let backend = rig.backend().await?;
    let client = Client::with_ids(erased(&backend), rig.ids.clone());
    let payload = filler(payload);
    let start = Instant::now();
    let mut left = tasks;
    while left > 0 {
        let size = left.min(SUBMIT_BATCH);
        let jobs: Vec<Job> =
            (0..size).map(|_| Job::raw(KIND, payload.clone()).lane(LANE)).collect();
        for submitted in client.submit_batch(&jobs).await {
            submitted?;
        }
        left -= size;
    }
    let submit = start.elapsed();

    let done = Countdown::of(tasks);
    let start = Instant::now();
    let worker = Worker::builder(erased(&backend))
        .lane(LANE)
        .concurrency(concurrency)
        .ids(rig.ids.clone())
        .shared_state(Arc::clone(&done))
        .raw_handler(KIND, async |task: ClaimedTask| {
            let done = task.state::<Countdown>()?;
            let settled = task.complete(None).await?;
            done.one();
            Ok::<_, TaskError>(settled)
        })
        .build()?
        .start();
    done.over().await?;
    let drain = start.elapsed();
    worker.shutdown().await;
    Ok(Times { submit, drain })
}
