//! Reads every file of a directory as one durable job each.
//!
//! `cargo run --release --example digest -- <dir> [--workers N] [--crash]`
//!
//! Each file becomes an execution; a few workers compute size, lines and SHA-256, and the table at
//! the end is read from the engine's results. With `--crash` one worker dies half-way without
//! giving its leases back, and the others take its files over. The program checks that every file
//! is in the results exactly once, and exits with 1 otherwise.

mod args;
mod crash;
mod digest;
mod table;
mod walk;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::ListRequest;
use ff_sdk::prelude::*;
use indicatif::ProgressBar;

use args::Args;
use crash::Crash;
use digest::{Digest, KIND, LANE};
use table::{Row, Table};

type Failure = Box<dyn std::error::Error>;

/// How many files one worker reads at once.
const FILES_AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(usage) => {
            let _ = writeln!(io::stderr(), "{usage}");
            return ExitCode::from(2);
        }
    };
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "digest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether the results are complete.
async fn run(args: &Args) -> Result<bool, Failure> {
    let files = walk::regular_files(&args.dir)?;
    let backend = Arc::new(MemBackend::new());
    let client = Client::new(backend.clone());
    let crash = Arc::new(Crash::half_way(files.len(), args.workers));
    let mut workers = Vec::new();
    for number in 0..args.workers {
        let dies = args.crash && number == 0;
        workers.push(start(backend.clone(), args, dies.then(|| Arc::clone(&crash)))?);
    }
    let crashing = args.crash.then(|| crash.watch(workers.remove(0)));

    let ids = submit(&client, &files).await?;
    let table = collect(&client, files, &ids).await?;

    let killed = match crashing {
        Some(crashing) => {
            crash.no_more();
            crashing.await?
        }
        None => None,
    };
    for worker in workers {
        worker.shutdown().await;
    }
    let complete = table.is_complete(&ids) && all_known(&client, &ids).await?;
    let mut out = io::stdout().lock();
    table.print(&mut out)?;
    if args.crash {
        crash::print(&mut out, killed, table.reclaimed())?;
    }
    let verdict =
        if complete { "every file exactly once" } else { "RESULTS DO NOT MATCH THE FILES" };
    writeln!(out, "{verdict}")?;
    Ok(complete)
}

fn start(
    backend: Arc<MemBackend>,
    args: &Args,
    crash: Option<Arc<Crash>>,
) -> Result<WorkerHandle, EngineError> {
    let mut builder = Worker::builder(backend)
        .lane(LANE)
        .concurrency(FILES_AT_ONCE)
        .raw_handler(KIND, digest::handle);
    if args.crash {
        builder = builder.lease_ttl(Duration::from_secs(1));
    }
    if let Some(crash) = crash {
        builder = builder.shared_state(crash);
    }
    Ok(builder.build()?.start())
}

async fn submit(client: &Client, files: &[PathBuf]) -> Result<Vec<ExecutionId>, EngineError> {
    let jobs: Vec<Job> = files.iter().map(|path| digest::job(path)).collect();
    let outcomes = client.submit_batch(&jobs).await;
    outcomes.into_iter().map(|outcome| Ok(outcome?.id())).collect()
}

async fn collect(
    client: &Client,
    files: Vec<PathBuf>,
    ids: &[ExecutionId],
) -> Result<Table, Failure> {
    let bar = ProgressBar::new(ids.len() as u64);
    let mut table = Table::default();
    for (path, id) in files.into_iter().zip(ids) {
        let result = match client.result::<Digest>(*id).await {
            Ok(digest) => Ok(digest),
            Err(ResultError::Failed { message, .. }) => Err(message),
            Err(other) => return Err(other.into()),
        };
        table.add(Row { id: *id, path, result });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(table)
}

/// Whether the engine holds exactly the executions that were submitted, and all have ended.
async fn all_known(client: &Client, ids: &[ExecutionId]) -> Result<bool, EngineError> {
    let listed = client.list_all(ListRequest::new(), usize::MAX).await?;
    let ended: BTreeSet<_> = listed
        .iter()
        .filter(|summary| summary.state.is_terminal())
        .map(|summary| summary.execution_id)
        .collect();
    Ok(listed.len() == ids.len() && ids.iter().all(|id| ended.contains(id)))
}
