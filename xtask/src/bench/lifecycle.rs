//! Submit, claim, complete in the embedded engine: how many a second, and how many bytes each keeps.
//!
//! One producer queues all executions; then the workers drain them, each claiming and completing
//! in a loop. A lifecycle is one of each, so its rate counts the time of both phases.
//!
//! Every run has a process of its own and makes two passes. The first tells the bytes: it starts
//! from an empty heap, and the rate in front of which the kernel still has to hand out each page. The
//! second tells the other rates, of the engine in memory it has used before.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::{
    AttemptOps, ClaimOps, ClaimRequest, IdSource, SeededEntropy, Submission, SubmitOps, SystemClock,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy};
use ff_types::{LaneId, Payload, TaskKind};
use serde::{Deserialize, Serialize};

use super::LifecycleArgs;
use super::machine::resident_bytes;
use super::report::{Figure, Report, real};

#[derive(Debug, Serialize)]
struct Row {
    tasks: usize,
    payload_bytes: usize,
    batch: usize,
    submits_per_second: Figure,
    drains_per_second: Figure,
    lifecycles_per_second: Figure,
    first_pass_lifecycles_per_second: Figure,
    bytes_per_queued: Option<Figure>,
    bytes_per_ended: Option<Figure>,
}

/// What one run measured.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    submit: Duration,
    drain: Duration,
    first_pass: Duration,
    queued_bytes: Option<u64>,
    ended_bytes: Option<u64>,
}

pub(super) fn run(args: &LifecycleArgs) -> anyhow::Result<ExitCode> {
    if let (true, [tasks], [payload], [batch]) =
        (args.single_run, &args.tasks[..], &args.payload[..], &args.batch[..])
    {
        let run = twice(*tasks, *payload, *batch, args.workers)?;
        println!("{}", serde_json::to_string(&run)?);
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::ensure!(args.workers > 0, "workers start at 1");
    let mut report = Report::new("lifecycle", &args.backend, None, &args.common)?;
    println!("{} workers", args.workers);
    println!(
        "| queued | payload | batch | submits/s | drains/s | lifecycles/s | first pass | B/queued | B/ended |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for &payload in &args.payload {
        for &batch in &args.batch {
            for &tasks in &args.tasks {
                let row = measure(args, tasks, payload, batch)?;
                print(&row);
                report.rows.push(row);
            }
        }
    }
    report.finish(&args.common)
}

fn print(row: &Row) {
    let bytes =
        |figure: Option<Figure>| figure.map_or("–".to_owned(), |f| format!("{:.0}", f.median));
    println!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        row.tasks,
        row.payload_bytes,
        row.batch,
        row.submits_per_second,
        row.drains_per_second,
        row.lifecycles_per_second,
        row.first_pass_lifecycles_per_second,
        bytes(row.bytes_per_queued),
        bytes(row.bytes_per_ended),
    );
}

fn measure(
    args: &LifecycleArgs,
    tasks: usize,
    payload: usize,
    batch: usize,
) -> anyhow::Result<Row> {
    let mut runs = Vec::new();
    for _ in 0..args.common.runs {
        runs.push(in_a_process(args, tasks, payload, batch)?);
    }
    let count = real(tasks as u64);
    let rate = |time: &dyn Fn(&Run) -> Duration| {
        Figure::of(runs.iter().map(|run| count / time(run).as_secs_f64()).collect())
    };
    let bytes = |of: &dyn Fn(&Run) -> Option<u64>| {
        let each: Option<Vec<f64>> =
            runs.iter().map(|run| of(run).map(|bytes| real(bytes) / count)).collect();
        each.map(Figure::of)
    };
    Ok(Row {
        tasks,
        payload_bytes: payload,
        batch,
        submits_per_second: rate(&|run| run.submit),
        drains_per_second: rate(&|run| run.drain),
        lifecycles_per_second: rate(&|run| run.submit + run.drain),
        first_pass_lifecycles_per_second: rate(&|run| run.first_pass),
        bytes_per_queued: bytes(&|run| run.queued_bytes),
        bytes_per_ended: bytes(&|run| run.ended_bytes),
    })
}

fn in_a_process(
    args: &LifecycleArgs,
    tasks: usize,
    payload: usize,
    batch: usize,
) -> anyhow::Result<Run> {
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "lifecycle", "--single-run", "--backend", &args.backend])
        .args(["--tasks", &tasks.to_string(), "--payload", &payload.to_string()])
        .args(["--batch", &batch.to_string(), "--workers", &args.workers.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    anyhow::ensure!(output.status.success(), "a run failed: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn twice(tasks: usize, payload: usize, batch: usize, workers: usize) -> anyhow::Result<Run> {
    let cold = once(tasks, payload, batch, workers)?;
    let warm = once(tasks, payload, batch, workers)?;
    let first_pass = cold.submit + cold.drain;
    let (queued_bytes, ended_bytes) = (cold.queued_bytes, cold.ended_bytes);
    Ok(Run { first_pass, queued_bytes, ended_bytes, ..warm })
}

fn once(tasks: usize, payload: usize, batch: usize, workers: usize) -> anyhow::Result<Run> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        let backend = MemBackend::new();
        let lane = LaneId::new("bench")?;
        let before = resident_bytes();

        let start = tokio::time::Instant::now();
        produce(&backend, &ids, &lane, tasks, payload, batch).await?;
        let submit = start.elapsed();
        let queued_bytes = grown(before);

        let start = tokio::time::Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..workers {
            running.spawn(work(backend.clone(), ids.clone(), lane.clone(), batch));
        }
        let mut done = 0;
        while let Some(finished) = running.join_next().await {
            done += finished??;
        }
        let drain = start.elapsed();
        anyhow::ensure!(done == tasks, "{done} of {tasks} were completed");
        let ended_bytes = grown(before);
        Ok(Run { submit, drain, first_pass: submit + drain, queued_bytes, ended_bytes })
    })
}

fn grown(before: Option<u64>) -> Option<u64> {
    Some(resident_bytes()?.saturating_sub(before?))
}

async fn produce(
    backend: &MemBackend,
    ids: &IdSource,
    lane: &LaneId,
    tasks: usize,
    payload: usize,
    batch: usize,
) -> anyhow::Result<()> {
    let kind = TaskKind::new("noop")?;
    let mut left = tasks;
    while left > 0 {
        let submissions: Vec<Submission> = (0..batch.min(left))
            .map(|_| {
                let payload = Payload::new(vec![7_u8; payload]);
                Submission::new(ids.execution_id(), lane.clone(), kind.clone(), payload)
            })
            .collect();
        left -= submissions.len();
        match submissions.as_slice() {
            [one] => {
                backend.submit(one).await?;
            }
            many => {
                for submitted in backend.submit_batch(many).await? {
                    submitted?;
                }
            }
        }
    }
    Ok(())
}

async fn work(
    backend: MemBackend,
    ids: IdSource,
    lane: LaneId,
    batch: usize,
) -> anyhow::Result<usize> {
    let max_tasks = u32::try_from(batch)?;
    let policy =
        ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id()).with_max_tasks(max_tasks);
    let mut request = ClaimRequest::new(ids.request_id(), lane, CapabilitySet::new(), policy);
    let mut done = 0;
    loop {
        let outcome = backend.claim(&request).await?;
        if outcome.is_empty() {
            return Ok(done);
        }
        for task in outcome.tasks {
            backend.complete(&task.handle, None).await?;
            done += 1;
        }
        request.request_id = ids.request_id();
    }
}
