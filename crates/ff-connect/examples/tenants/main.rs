//! One tenant floods a lane, and the others do not wait for it.
//!
//! `cargo run --release --example tenants -- [--flood N] [--without-keys] [--url URL]`, for a URL with
//! `--features valkey`
//!
//! The flood is submitted first, then nine tenants with ten jobs each. They take turns by their keys, and no
//! tenant may have more than two jobs running. In the middle the lane is paused and resumed. The program shows
//! when each tenant was done, and exits with 1 unless all jobs ran once and, with keys, every small tenant was
//! done before the flood was half through.

mod args;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_sdk::LaneSettings;
use ff_sdk::prelude::*;
use ff_types::Namespace;
use ff_types::backend::BackendConfig;

use args::Args;

const KIND: &str = "work";
const FLOOD: &str = "flood";
const TENANTS: usize = 9;
const JOBS: usize = 10;
/// How long a job takes.
const TAKES: Duration = Duration::from_millis(5);
const AT_ONCE: usize = 8;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The tenants of the jobs that are done, in that order.
type Done = Arc<Mutex<Vec<String>>>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => run(&args).await,
        Err(usage) => {
            let _ = writeln!(io::stderr(), "{usage}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tenants: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<bool, Failure> {
    let config = BackendConfig::from_url(&args.url)?.with_namespace(Namespace::new("tenants")?);
    let backend = ff_connect::open(&config).await?;
    let client = Client::new(Arc::clone(&backend));
    // A lane of its own: in a store that is shared, other runs have jobs, too.
    let lane = format!("run-{}", std::process::id());
    client.set_lane(&lane, LaneSettings::unlimited().with_key_max_concurrency(2)).await?;

    let job = |tenant: &str| {
        let job = Job::new(KIND, tenant).lane(&lane);
        if args.without_keys { job } else { job.lane_key(tenant) }
    };
    let names: Vec<_> = (0..TENANTS).map(|tenant| format!("tenant-{tenant}")).collect();
    let mut jobs: Vec<_> = (0..args.flood).map(|_| job(FLOOD)).collect();
    jobs.extend((0..JOBS).flat_map(|_| names.iter().map(|name| job(name))));
    for batch in jobs.chunks(100) {
        for submitted in client.submit_batch(batch).await {
            submitted?;
        }
    }

    let done = Done::default();
    let ends = Arc::clone(&done);
    let start = tokio::time::Instant::now();
    let worker = Worker::builder(backend)
        .lane(&lane)
        .concurrency(AT_ONCE)
        .handler(KIND, move |_: ClaimedTask, tenant: String| {
            let ends = Arc::clone(&ends);
            async move {
                tokio::time::sleep(TAKES).await;
                ends.lock().unwrap_or_else(PoisonError::into_inner).push(tenant);
                Ok::<_, TaskError>(())
            }
        })
        .build()?
        .start();
    until(&done, TENANTS * JOBS / 3).await;
    client.pause_lane(&lane).await?;
    let view = client.lane(&lane).await?;
    writeln!(io::stdout(), "paused: {} ready, {} running", view.ready, view.leases)?;
    client.resume_lane(&lane).await?;
    until(&done, jobs.len()).await;
    let took = start.elapsed();
    worker.shutdown().await;

    let done = done.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut last = BTreeMap::new();
    for (number, tenant) in (1_usize..).zip(&done) {
        last.insert(tenant.as_str(), number);
    }
    let mut out = io::stdout().lock();
    for (tenant, number) in &last {
        writeln!(out, "{tenant:>10} was done after {number} of {} jobs", done.len())?;
    }
    writeln!(out, "in {} ms", took.as_millis())?;
    let half = args.flood / 2 + TENANTS * JOBS;
    let in_time = names.iter().all(|name| last.get(name.as_str()).is_some_and(|at| *at <= half));
    Ok(done.len() == jobs.len() && (in_time || args.without_keys))
}

/// Waits until so many jobs are done.
async fn until(done: &Done, count: usize) {
    while done.lock().unwrap_or_else(PoisonError::into_inner).len() < count {
        tokio::time::sleep(TAKES).await;
    }
}
