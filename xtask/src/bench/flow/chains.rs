//! Chains of 10 beside as many flat tasks and the baseline, and diamonds one at a time.

use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{FlowOps as _, FlowSpec, Submission, SubmitOps as _};
use tokio::time::Instant;

use super::graph::{Graphs, Progress, SETTLE, work};
use super::{FlowArgs, SENT};
use crate::bench::parts::Found;
use crate::bench::raw;
use crate::bench::report::{percentile, real};
use crate::bench::rig::{Counted, LANE, Rig};
use crate::bench::wake::pause;

/// Nodes of a chain, and flat tasks of a submit.
const LENGTH: usize = 10;
/// What chains have to come to; the middle and the slow end of few.
const FEW: usize = 100;
const FLOWS_TARGET: f64 = 1_000.0;
const P50_TARGET_MS: f64 = 15.0;
const P99_TARGET_MS: f64 = 60.0;
const NODE_TARGET: f64 = 1.5;

/// What one call hands in.
enum Unit {
    Flow(Box<FlowSpec>),
    Tasks(Vec<Submission>),
}

/// What one run took for chains or for flat tasks.
struct Timed {
    submit: Duration,
    drain: Duration,
    together: Duration,
    /// What the server did for a task in that time: calls, and microseconds in them.
    calls: f64,
    micros: f64,
    /// From each submit to the end, in milliseconds.
    waits: Vec<f64>,
}

pub(super) async fn chains(rig: &Rig, args: &FlowArgs, flows: usize) -> anyhow::Result<Found> {
    let graphs = Graphs::new(rig, args.payload, LANE);
    let chain = |number| Unit::Flow(Box::new(graphs.chain(LENGTH, number)));
    let flat = |number| Unit::Tasks((0..LENGTH).map(|_| graphs.task(number)).collect());
    let chains = time(rig, args, flows, &chain).await?;
    let flat = time(rig, args, flows, &flat).await?;
    let tasks = flows * LENGTH;
    let (pushed, popped) = raw::throughput(rig, tasks, args.payload, args.workers).await?;

    let mut found = Found::default();
    let named = |what: &str| format!("{flows} chains of {LENGTH}: {what}");
    let rate = |count: usize, time: Duration| real(count as u64) / time.as_secs_f64();
    found.add(named("submit"), "flows/s", rate(flows, chains.submit));
    found.add(named("run"), "flows/s", rate(flows, chains.drain));
    found.add(named("submit and run"), "flows/s", rate(flows, chains.together));
    found.spread(&named("submit to end"), &chains.waits);
    found.add(named("flat tasks, submit"), "tasks/s", rate(tasks, flat.submit));
    found.add(named("flat tasks, run"), "tasks/s", rate(tasks, flat.drain));
    found.add(named("flat tasks, submit and run"), "tasks/s", rate(tasks, flat.together));
    found.add(named("raw, push and pop"), "tasks/s", rate(tasks, pushed + popped));

    for (kind, timed) in [("node", &chains), ("flat task", &flat)] {
        found.add(named(&format!("calls for a {kind}, submit and run")), "", timed.calls);
        found.add(named(&format!("server time for a {kind}, submit and run")), "µs", timed.micros);
    }

    let times = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let node = times(chains.together, flat.together);
    found.ratio(named("a node / a flat task, submit"), times(chains.submit, flat.submit));
    found.ratio(named("a node / a flat task, run"), times(chains.drain, flat.drain));
    found.ratio(named("a node / a flat task, submit and run"), node);
    found.ratio(named("a node / a flat task / the target of 1.5"), node / NODE_TARGET);
    let nodes = times(pushed + popped, chains.together);
    found.ratio(named("nodes/s / raw, submit and run"), nodes);
    if flows == FEW {
        for (percent, target) in [(50, P50_TARGET_MS), (99, P99_TARGET_MS)] {
            let name = named(&format!("p{percent} / the target of {target} ms"));
            found.ratio(name, percentile(&chains.waits, percent) / target);
        }
    } else {
        let rate = rate(flows, chains.together);
        found.ratio(named("flows/s / the target of 1,000"), rate / FLOWS_TARGET);
    }
    Ok(found)
}

/// Submits all and runs them after that; then submits as many to a worker that waits.
async fn time(
    rig: &Rig,
    args: &FlowArgs,
    count: usize,
    unit: &impl Fn(usize) -> Unit,
) -> anyhow::Result<Timed> {
    let (producer, backend) = (rig.backend().await?, rig.backend().await?);
    let tasks = count * LENGTH;

    let units: Vec<Unit> = (0..count).map(unit).collect();
    let start = Instant::now();
    for unit in &units {
        unit.submit(&producer).await?;
    }
    let submit = start.elapsed();
    let start = Instant::now();
    let progress = Progress::of(count, tasks);
    let worker = work(rig, &backend, args.workers, &progress)?;
    progress.over().await?;
    let drain = start.elapsed();
    worker.shutdown().await;

    let units: Vec<Unit> = (0..count).map(unit).collect();
    let progress = Progress::of(count, tasks);
    let worker = work(rig, &backend, args.workers, &progress)?;
    tokio::time::sleep(SETTLE).await;
    rig.reset_counts()?;
    let (start, mut submitted) = (Instant::now(), Vec::new());
    for unit in &units {
        submitted.push(Instant::now());
        unit.submit(&producer).await?;
    }
    progress.over().await?;
    let together = start.elapsed();
    let counts = rig.counts()?;
    let of_a_task = |count: fn(&Counted) -> u64| {
        let calls = SENT.iter().filter_map(|name| counts.get(*name));
        real(calls.map(count).sum()) / real(tasks as u64)
    };
    worker.shutdown().await;
    Ok(Timed {
        submit,
        drain,
        together,
        calls: of_a_task(|counted| counted.calls),
        micros: of_a_task(|counted| counted.micros),
        waits: progress.waits(&submitted),
    })
}

impl Unit {
    async fn submit(&self, backend: &ValkeyBackend) -> anyhow::Result<()> {
        match self {
            Self::Flow(flow) => {
                backend.submit_flow(flow).await?;
            }
            Self::Tasks(tasks) => {
                for submitted in backend.submit_batch(tasks).await? {
                    submitted?;
                }
            }
        }
        Ok(())
    }
}

/// One node, two after it, and one after both, again and again while the worker is idle.
pub(super) async fn diamonds(rig: &Rig, args: &FlowArgs) -> anyhow::Result<Found> {
    const NODES: usize = 4;
    let graphs = Graphs::new(rig, args.payload, LANE);
    let (producer, backend) = (rig.backend().await?, rig.backend().await?);
    let random = rig.random();
    let mut submitted = Vec::new();
    let progress = Progress::of(args.diamonds, args.diamonds * NODES);
    let worker = work(rig, &backend, args.workers, &progress)?;
    tokio::time::sleep(SETTLE).await;
    for number in 0..args.diamonds {
        tokio::time::sleep(pause(&random)).await;
        let flow = graphs.fan(NODES, number);
        submitted.push(Instant::now());
        producer.submit_flow(&flow).await?;
    }
    progress.over().await?;
    worker.shutdown().await;
    let mut found = Found::default();
    found.spread("a diamond: submit to end", &progress.waits(&submitted));
    Ok(found)
}
