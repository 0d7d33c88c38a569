//! `cargo xtask bench`: measures, prints a table, and writes JSON on demand.
//!
//! Benches run in the release profile; started from a development build, the command builds and
//! starts a release one. They are not part of the tests.

mod lifecycle;
mod machine;
mod report;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Args as ClapArgs, Subcommand};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Submit, claim and complete, with different queue sizes, payloads and batch sizes.
    Lifecycle(LifecycleArgs),
}

/// Arguments of the lifecycle bench.
#[derive(Debug, ClapArgs)]
struct LifecycleArgs {
    /// The backend to measure.
    #[arg(long, default_value = "mem", value_parser = ["mem"])]
    backend: String,
    /// How many executions are queued before the workers start.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    tasks: Vec<usize>,
    /// How many workers claim and complete.
    #[arg(long, default_value_t = 16)]
    workers: usize,
    /// Payload bytes.
    #[arg(long, value_delimiter = ',', default_value = "64,4096")]
    payload: Vec<usize>,
    /// Executions a claim takes and a submit hands in.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    batch: Vec<usize>,
    /// How often each row is measured; the median is shown with the spread.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Writes the figures here, too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures one run of one row in this process and prints it as JSON.
    #[arg(long, hide = true)]
    single_run: bool,
}

/// Runs a bench.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        return in_release();
    }
    match &args.bench {
        Bench::Lifecycle(args) => lifecycle::run(args),
    }
}

fn in_release() -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("cannot start the release build")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
