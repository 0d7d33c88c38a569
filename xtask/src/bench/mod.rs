//! `cargo xtask bench`: measures, prints a table, and writes JSON on demand.
//!
//! Benches run in the release profile; started from a development build, the command builds and
//! starts a release one. They are not part of the tests. Those of the Valkey backend start private
//! servers on loopback and end them.

mod all;
mod budget;
mod budget_shares;
mod fairness;
mod flow;
mod idle;
mod instructions;
mod lifecycle;
mod lifecycle_valkey;
mod machine;
mod memory;
mod parts;
mod peers;
mod raw;
mod report;
mod resume;
mod rig;
mod routing;
mod schedule;
mod signal;
mod stream;
mod timers;
mod wake;

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
    /// From a submit to the first line of the handler, with idle workers.
    Wake(wake::WakeArgs),
    /// From the end of a lost lease until another worker holds the execution.
    Resume(resume::ResumeArgs),
    /// Requirement classes and workers with random capabilities.
    Routing(routing::RoutingArgs),
    /// Delayed executions that come due in the same second.
    Timers(timers::TimersArgs),
    /// Bytes kept per execution; server time and commands of each call.
    Memory(memory::MemoryArgs),
    /// What idle workers ask of the server.
    Idle(idle::IdleArgs),
    /// Instructions of the server for each call, counted by callgrind.
    Instructions(instructions::InstructionsArgs),
    /// Flows: chains, a fan-out with its join, cancellations, and what their calls cost.
    Flow(flow::FlowArgs),
    /// Streams of frames: appends, the way to those who follow, and what a frame keeps.
    Stream(stream::StreamArgs),
    /// Budgets: what they cost, and how soon a raise is felt.
    Budget(budget::BudgetArgs),
    /// Lanes: what limits and keys cost, and what a tenant that floods a lane does to the others.
    Fairness(fairness::FairnessArgs),
    /// Schedules that come due in the same second.
    Schedule(schedule::ScheduleArgs),
    /// All of these over Valkey, one after the other.
    All(all::AllArgs),
}

/// Arguments of every bench.
#[derive(Debug, ClapArgs)]
struct Common {
    /// How often each row is measured; the median is shown with the spread.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What ids, pauses and random sets follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the figures here, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Arguments of the lifecycle bench.
#[derive(Debug, ClapArgs)]
struct LifecycleArgs {
    /// The backend to measure.
    #[arg(long, default_value = "mem", value_parser = ["mem", "valkey"])]
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
    /// Executions a claim takes and, in the embedded engine, a submit hands in.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    batch: Vec<usize>,
    /// Handlers that the worker of the SDK runs at once, over Valkey.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Connections that claiming workers share, over Valkey.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Measures other systems, too, over Valkey: see `bench-peers/`. They get the largest payload
    /// and the smallest number of tasks.
    #[arg(long)]
    peers: bool,
    /// Measures one run of one row in this process and prints it as JSON.
    #[arg(long, hide = true)]
    single_run: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs a bench.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        return in_release();
    }
    args.bench.run()
}

impl Bench {
    fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Lifecycle(args) if args.backend == "mem" => lifecycle::run(args),
            Self::Lifecycle(args) => lifecycle_valkey::run(args),
            Self::Wake(args) => wake::run(args),
            Self::Resume(args) => resume::run(args),
            Self::Routing(args) => routing::run(args),
            Self::Timers(args) => timers::run(args),
            Self::Memory(args) => memory::run(args),
            Self::Idle(args) => idle::run(args),
            Self::Instructions(args) => instructions::run(args),
            Self::Flow(args) => flow::run(args),
            Self::Stream(args) => stream::run(args),
            Self::Budget(args) => budget::run(args),
            Self::Fairness(args) => fairness::run(args),
            Self::Schedule(args) => schedule::run(args),
            Self::All(args) => all::run(args),
        }
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
