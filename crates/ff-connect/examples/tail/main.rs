//! Follows the lines of files while a job writes them.
//!
//! `cargo run --release --example tail -- FILE... [--url URL]`, for a URL with `--features valkey`
//!
//! One job writes the lines as frames. One follower is there from the start; another one comes when the
//! first has seen ten, and is given everything from the beginning as well. By itself the program runs
//! everything on the embedded engine. It exits with 1 unless both have seen every line.

mod args;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use ff_engine::EngineBackend;
use ff_sdk::prelude::*;
use ff_sdk::{FrameKind, Tail, TailEvent};
use ff_types::Namespace;
use ff_types::backend::BackendConfig;
use tokio::sync::oneshot;

use args::Args;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// When the late follower comes.
const LATE: usize = 10;

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
            let _ = writeln!(io::stderr(), "tail: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open(url: &str) -> Result<Arc<dyn EngineBackend>, Failure> {
    let config = BackendConfig::from_url(url)?.with_namespace(Namespace::new("tail")?);
    Ok(ff_connect::open(&config).await?)
}

/// Answers whether both followers have seen every line.
async fn run(args: &Args) -> Result<bool, Failure> {
    let backend = open(&args.url).await?;
    let client = Client::new(Arc::clone(&backend));
    // A lane of its own: in a store that is shared, other runs have jobs, too.
    let lane = format!("run-{}", std::process::id());
    let worker =
        Worker::builder(backend).lane(&lane).handler(work::KIND, work::read).build()?.start();
    let id = client.submit(&Job::new(work::KIND, &args.files).lane(&lane)).await?.id();

    let (come, comes) = oneshot::channel();
    let first = tokio::spawn(follow("first", client.tail(id), Some(come)));
    let tail = client.tail(id);
    let second = tokio::spawn(async move {
        // A job of fewer lines has ended by then.
        let _seen = comes.await;
        follow("late ", tail, None).await
    });
    let (first, second) = (first.await??, second.await??);
    let written = client.result::<usize>(id).await;
    let summary = client.summary(id).await?;
    worker.shutdown().await;

    let mut out = io::stdout().lock();
    if let Some(view) = summary {
        writeln!(out, "summary: {}", std::str::from_utf8(&view.document)?)?;
    }
    let written = written?;
    writeln!(
        out,
        "{written} lines were written; the first follower saw {first}, the late one {second}"
    )?;
    Ok(first == written && second == written)
}

/// Prints what comes, and answers how many lines that were.
async fn follow(
    who: &str,
    mut tail: Tail,
    mut come: Option<oneshot::Sender<()>>,
) -> Result<usize, Failure> {
    let mut lines = 0;
    while let Some(event) = tail.next().await? {
        let mut out = io::stdout().lock();
        match event {
            TailEvent::Frame(view) => {
                let text = std::str::from_utf8(&view.frame.bytes)?;
                if view.frame.kind == FrameKind::Stdout {
                    writeln!(out, "{who} | {text}")?;
                    lines += 1;
                } else {
                    writeln!(out, "{who} : {} {text}", view.frame.frame_type)?;
                }
            }
            TailEvent::Gap => writeln!(out, "{who} : what stood here is not kept any more")?,
            TailEvent::Superseded { attempt } => {
                writeln!(out, "{who} : attempt {attempt} is over")?;
            }
            other => writeln!(out, "{who} : {other:?}")?,
        }
        if lines == LATE
            && let Some(come) = come.take()
        {
            let _gone = come.send(());
        }
    }
    Ok(lines)
}
