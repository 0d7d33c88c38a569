//! Reads every file of a directory as one durable job each.
//!
//! `cargo run --release --example digest -- <dir> [--url URL] [--workers N] [--crash]`, for a URL
//! with `--features valkey`
//!
//! Each file becomes an execution; a few workers compute size, lines and SHA-256, and the table at
//! the end is read from the engine's results. Without a URL everything happens in this process, on
//! the embedded engine; with the URL of a Valkey server each worker is a process of its own. With
//! `--crash` one worker dies half-way without giving its leases back, and the others take its files
//! over. The program checks that every file is in the results exactly once, and exits with 1
//! otherwise.

mod args;
mod crash;
mod digest;
mod fleet;
mod place;
mod table;
mod walk;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use ff_engine::{IdSource, ListRequest, SeededEntropy, SystemClock};
use ff_sdk::prelude::*;
use indicatif::ProgressBar;

use args::Args;
use digest::Digest;
use fleet::Fleet;
use place::Place;
use table::{Row, Table};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    let done = if words.next_if(|word| word == fleet::WORKER).is_some() {
        fleet::work(words.filter_map(|word| word.into_string().ok())).await.map(|()| true)
    } else {
        match Args::parse(words) {
            Ok(args) => run(&args).await,
            Err(usage) => {
                let _ = writeln!(io::stderr(), "{usage}");
                return ExitCode::from(2);
            }
        }
    };
    match done {
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
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()));
    let place = Place::of_this_run(args.url.as_deref(), ids.request_id())?;
    let backend = place.open().await?;
    let client = Client::with_ids(Arc::clone(&backend), ids);
    let fleet = match args.url {
        None => Fleet::tasks(&backend, args, files.len())?,
        Some(_) => Fleet::processes(&place, args, files.len())?,
    };

    let ids = submit(&client, &files).await?;
    let table = collect(&client, files, &ids).await?;

    let killed = fleet.stop().await?;
    let complete = table.is_complete(&ids) && all_known(&client, &ids).await?;
    let mut out = io::stdout().lock();
    table.print(&mut out)?;
    if args.crash {
        crash::print(&mut out, killed.as_ref(), table.reclaimed())?;
    }
    let verdict =
        if complete { "every file exactly once" } else { "RESULTS DO NOT MATCH THE FILES" };
    writeln!(out, "{verdict}")?;
    Ok(complete)
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
