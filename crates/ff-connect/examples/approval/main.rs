//! A deployment that two of three people have to approve.
//!
//! `cargo run --release --example approval [-- --nobody] [--url URL [--interactive]]`, for a URL
//! with `--features valkey`
//!
//! One job builds, asks for two approvals from distinct people, waits without holding anything, and
//! deploys; when the deadline passes first, it is cancelled. By itself the program runs everything
//! on the embedded engine, with three scripted people; with `--nobody` none of them answers. With
//! `--interactive` it prints the token, and people answer from another terminal, by the command it
//! prints as well. It exits with 1 when the end is not the one that the answers ask for.

mod args;
mod people;
mod pipeline;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use ff_engine::EngineBackend;
use ff_sdk::prelude::*;
use ff_types::Namespace;
use ff_types::backend::BackendConfig;

use args::{Args, Command, Vote};
use pipeline::{Deployed, Inbox, Release};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Every terminal finds the work of the others here.
const NAMESPACE: &str = "approval";

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Run(args)) => run(&args).await,
        Ok(Command::Signal(vote)) => send(&vote).await.map(|()| true),
        Err(usage) => {
            let _ = writeln!(io::stderr(), "{usage}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "approval: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open(url: &str) -> Result<Arc<dyn EngineBackend>, Failure> {
    let config = BackendConfig::from_url(url)?.with_namespace(Namespace::new(NAMESPACE)?);
    Ok(ff_connect::open(&config).await?)
}

/// Answers whether the job ended as it had to.
async fn run(args: &Args) -> Result<bool, Failure> {
    let backend = open(&args.url).await?;
    let client = Client::new(Arc::clone(&backend));
    let (inbox, invitations) = Inbox::new();
    // A lane of its own: in a store that is shared, other runs have jobs, too.
    let lane = format!("run-{}", std::process::id());
    let worker = Worker::builder(backend)
        .lane(&lane)
        .state(inbox)
        .handler(pipeline::KIND, pipeline::deploy)
        .build()?
        .start();

    let release = Release { version: "v7".to_owned(), deadline_secs: args.deadline.as_secs() };
    let id = client.submit(&Job::new(pipeline::KIND, &release).lane(&lane)).await?.id();
    let people = tokio::spawn(people::answer(client.clone(), invitations, args.clone()));

    let end = client.result::<Deployed>(id).await;
    worker.shutdown().await;
    people.await??;

    let mut out = io::stdout().lock();
    let as_expected = match end {
        Ok(Deployed { version, build, approved_by }) => {
            writeln!(
                out,
                "{version} (build {build}) is out, approved by {}",
                approved_by.join(", ")
            )?;
            !args.nobody && approved_by.len() == pipeline::APPROVALS as usize
        }
        Err(ResultError::Cancelled { reason }) => {
            writeln!(out, "{} is cancelled: {reason}", release.version)?;
            args.nobody || args.interactive
        }
        Err(other) => return Err(other.into()),
    };
    Ok(as_expected)
}

/// One answer from another terminal.
async fn send(vote: &Vote) -> Result<(), Failure> {
    let client = Client::new(open(&vote.url).await?);
    let outcome = people::say(&client, &vote.token, &vote.name, vote.yes).await?;
    writeln!(io::stdout(), "{}", people::told(outcome))?;
    Ok(())
}
