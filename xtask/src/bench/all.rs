//! Every bench over Valkey, one after the other. `--quick` measures little of each: it shows that
//! they work, and its figures are of no use.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use super::Bench;

/// Arguments of all benches together.
#[derive(Debug, clap::Args)]
pub(super) struct AllArgs {
    /// Small sizes and single runs.
    #[arg(long)]
    quick: bool,
    /// Writes the figures into this folder, a file a bench.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    bench: Bench,
}

/// The benches, and what makes each quick.
const BENCHES: &[(&str, &str)] = &[
    ("lifecycle --backend valkey --peers", "--runs 1 --tasks 2000 --payload 64,4096"),
    ("wake", "--runs 1 --samples 100"),
    ("resume", "--runs 1 --lost 1,200 --signals 200 --suspended 2000"),
    ("routing", "--runs 1 --tasks 200 --samples 50"),
    ("timers", "--runs 1 --due 1000 --lead-seconds 2"),
    ("memory", "--runs 1 --executions 2000"),
    ("idle", "--runs 1 --workers 1,10 --processes 2 --seconds 3"),
    ("flow", FLOW_QUICK),
    ("budget", "--runs 1 --executions 64 --budgets 1,2 --samples 3"),
    ("fairness", "--runs 1 --executions 64 --flood 500 --others 9 --samples 3"),
    ("schedule", "--runs 1 --due 64 --maintainers 1,2 --lead-seconds 1"),
    ("stream", "--runs 1 --streams 1,4 --frames 400 --tails 1,20 --samples 10"),
];
const FLOW_QUICK: &str =
    "--runs 1 --chains 20 --diamonds 10 --fan 200 --siblings 20 --members 200 --samples 2";

pub(super) fn run(args: &AllArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.json {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut failed = Vec::new();
    for (bench, quick) in BENCHES {
        let name = bench.split(' ').next().unwrap_or(bench);
        let mut line: Vec<OsString> = vec!["bench".into()];
        line.extend(bench.split(' ').map(OsString::from));
        if args.quick {
            line.extend(quick.split(' ').map(OsString::from));
        }
        if let Some(folder) = &args.json {
            line.extend(["--json".into(), folder.join(format!("{name}-valkey.json")).into()]);
        }
        if let Err(error) = Line::try_parse_from(line)?.bench.run() {
            println!("{name} failed: {error:#}\n");
            failed.push(name);
        }
    }
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}
