//! A job that writes as a model does, and stops when its budget is used up.
//!
//! `cargo run --release --example agent -- [--words N] [--limit N] [--raise N] [--url URL]`, for a URL with
//! `--features valkey`
//!
//! The job streams words and pays for them from a budget. At the soft limit it says so and goes on; at the
//! hard limit it gives its worker back and waits. Somebody raises the limit, and it goes on where it was. In
//! the end the program shows what was spent, and exits with 1 unless every word was written and paid for
//! once. A second budget, which all agents would share, counts along.

mod args;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use ff_sdk::prelude::*;
use ff_sdk::{BudgetId, BudgetLimit, FrameKind, TailEvent, UsageDimensions};
use ff_types::Namespace;
use ff_types::backend::BackendConfig;

use args::Args;

/// How many words all agents may write.
const OF_EVERYBODY: u64 = 10_000_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

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
            let _ = writeln!(io::stderr(), "agent: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether every word was written and paid for once.
async fn run(args: &Args) -> Result<bool, Failure> {
    let config = BackendConfig::from_url(&args.url)?.with_namespace(Namespace::new("agent")?);
    let backend = ff_connect::open(&config).await?;
    let client = Client::new(Arc::clone(&backend));
    // A lane of its own: in a store that is shared, other runs have jobs, too.
    let lane = format!("run-{}", std::process::id());
    let worker =
        Worker::builder(backend).lane(&lane).handler(work::KIND, work::write).build()?.start();

    let limit = BudgetLimit::soft_and_hard(args.limit / 2, args.limit);
    let budget = client.new_budget().with_limit(work::WORDS, limit);
    client.create_budget(&budget).await?;
    let everybody = client.new_budget().with_limit(work::WORDS, BudgetLimit::hard(OF_EVERYBODY));
    client.create_budget(&everybody).await?;
    let estimate = UsageDimensions::new().with_custom(work::WORDS, work::PORTION);
    let job = Job::new(work::KIND, &args.words).lane(&lane);
    let job = job.budget(budget.id).shared_budget(everybody.id).estimate(estimate);
    let id = client.submit(&job).await?.id();

    let words = watch(&client, id, budget.id, args).await?;
    let written = client.result::<u64>(id).await;
    worker.shutdown().await;

    let spent = client.budget(budget.id).await?.dimensions[work::WORDS];
    let of_job = client.describe(id).await?.usage;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "spent: {} of {} words, {} reserved; by the job: {of_job:?}",
        spent.used,
        spent.limit.hard.unwrap_or_default(),
        spent.reserved
    )?;
    let all = client.budget(everybody.id).await?.dimensions[work::WORDS];
    // On a cluster the last of it may be told a second later, and counts as reserved until then.
    writeln!(out, "of the budget of everybody: {} words", all.used + all.reserved)?;
    Ok(written? == args.words && words == args.words && spent.used == args.words)
}

/// Prints what the job writes, and raises the limit whenever the job says that it is used up. Answers how
/// many words were seen.
async fn watch(
    client: &Client,
    id: ExecutionId,
    budget: BudgetId,
    args: &Args,
) -> Result<u64, Failure> {
    let (mut words, mut hard) = (0, args.limit);
    let mut tail = client.tail(id);
    while let Some(event) = tail.next().await? {
        let TailEvent::Frame(view) = event else { continue };
        let text = std::str::from_utf8(&view.frame.bytes)?.to_owned();
        if view.frame.kind == FrameKind::Stdout {
            words += 1;
            let mut out = io::stdout().lock();
            write!(out, "{text} ")?;
            out.flush()?;
            continue;
        }
        writeln!(io::stdout().lock(), "\n  [{text}]")?;
        if view.frame.frame_type == work::BUDGET && text.contains("used up") {
            hard += args.raise;
            let limit = BudgetLimit::soft_and_hard(hard, hard);
            client.limit_budget(budget, work::WORDS, limit).await?;
            writeln!(io::stdout().lock(), "  [raised to {hard} words]")?;
        }
    }
    writeln!(io::stdout().lock())?;
    Ok(words)
}
