//! Counts the lines of a directory as one flow: a node for each file, one for each kind of file, and
//! a report.
//!
//! `cargo run --release --example pipeline -- <dir> [--break FILE] [--fail-fast] [--mermaid | --dot]
//! [--url URL]`, for a URL with `--features valkey`
//!
//! The flow begins with two nodes. The first walks the directory and extends its own flow by what it
//! finds, so that the report waits for that. With `--break` one file fails: the sums and the report
//! are made of the others, and the flow ends as failed; with `--fail-fast` it takes all with it. By
//! itself the program runs everything on the embedded engine. It exits with 1 when the end is not the
//! one that the arguments ask for.

mod args;
mod graph;
mod table;
mod walk;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use ff_engine::EngineBackend;
use ff_sdk::prelude::*;
use ff_types::Namespace;
use ff_types::backend::BackendConfig;

use args::{Args, Picture};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

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
            let _ = writeln!(io::stderr(), "pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open(url: &str) -> Result<Arc<dyn EngineBackend>, Failure> {
    let config = BackendConfig::from_url(url)?.with_namespace(Namespace::new("pipeline")?);
    Ok(ff_connect::open(&config).await?)
}

/// Answers whether the flow ended as it had to.
async fn run(args: &Args) -> Result<bool, Failure> {
    let backend = open(&args.url).await?;
    let client = Client::new(Arc::clone(&backend));
    // A lane of its own: in a store that is shared, other runs have jobs, too.
    let lane = format!("run-{}", std::process::id());
    let worker = Worker::builder(backend).lane(&lane).handlers(work::handlers()).build()?.start();

    let end = follow(&client, &graph::flow(args, &lane)).await;
    worker.shutdown().await;
    let end = end?;

    let mut out = io::stdout().lock();
    match args.picture {
        Some(Picture::Mermaid) => write!(out, "{}", ff_sdk::flow::mermaid(&end.graph().await?))?,
        Some(Picture::Dot) => write!(out, "{}", ff_sdk::flow::dot(&end.graph().await?))?,
        None => table::print(&mut out, &end).await?,
    }
    let expected = if args.broken.is_some() { FlowState::Failed } else { FlowState::Completed };
    Ok(end.state() == expected)
}

/// Runs the flow and tells what goes wrong while it does.
async fn follow(client: &Client, flow: &Flow) -> Result<FlowEnd, Failure> {
    let mut run = client.start_flow(flow).await?;
    let mut ended = 0;
    while let Some(event) = run.next().await? {
        if let FlowEvent::NodeEnded { key, outcome, .. } = event {
            ended += 1;
            if outcome.is_failure() {
                writeln!(io::stderr(), "{key} is {outcome} (node {ended} to end)")?;
            }
        }
    }
    Ok(run.end().await?)
}
