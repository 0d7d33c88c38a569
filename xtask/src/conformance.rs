//! `cargo xtask conformance`: runs the behaviour suite against a backend, or against deliberately
//! broken variants of one, to prove that the suite notices.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use cargo_metadata::Message;
use ff_valkey_server::{Binary, Flavor};

use crate::{steps, workspace_root};

/// Arguments of `cargo xtask conformance`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The backends under test, with commas between.
    #[arg(long, value_delimiter = ',', default_value = "mem", value_parser = names())]
    backend: Vec<String>,
    /// How many random histories to run; each backend has a number of its own unless given.
    #[arg(long)]
    histories: Option<u32>,
    /// The seed of ids, faults and histories; a failing run prints its own.
    #[arg(long)]
    seed: Option<u64>,
    /// Counts a backend that this machine cannot run as failed.
    #[arg(long)]
    require: bool,
    /// Runs the suite against broken variants, each of which has to fail a case.
    #[arg(long, conflicts_with_all = ["histories", "seed"])]
    mutants: bool,
    /// Only trials whose name contains this; with `--mutants`, only variants of this name.
    filter: Option<String>,
}

/// One way to run the suite.
struct Run {
    name: &'static str,
    package: &'static str,
    /// The server it needs, if any, with how it is called in `FF_TEST_SERVER`.
    server: Option<(&'static str, Flavor)>,
    partitions: u32,
    /// Histories unless the command line says otherwise; `None` leaves it to the suite.
    histories: Option<u32>,
    /// Whether each rule also runs behind faults, which are made in front of the backend: the same for servers
    /// that differ in no more than what stores it.
    faults: bool,
}

const RUNS: &[Run] = &[
    Run {
        name: "mem",
        package: "ff-backend-mem",
        server: None,
        partitions: 1,
        histories: None,
        faults: true,
    },
    Run {
        name: "valkey",
        package: "ff-backend-valkey",
        server: Some(("valkey", Flavor::Valkey)),
        partitions: 1,
        histories: None,
        faults: true,
    },
    Run {
        name: "valkey-divided",
        package: "ff-backend-valkey",
        server: Some(("valkey", Flavor::Valkey)),
        partitions: 8,
        histories: Some(30),
        faults: false,
    },
    Run {
        name: "redis",
        package: "ff-backend-valkey",
        server: Some(("redis", Flavor::Redis)),
        partitions: 1,
        histories: Some(30),
        faults: false,
    },
    Run {
        name: "valkey-cluster",
        package: "ff-backend-valkey",
        server: Some(("cluster", Flavor::Any)),
        partitions: 8,
        histories: Some(30),
        faults: true,
    },
];

fn names() -> Vec<&'static str> {
    RUNS.iter().map(|run| run.name).chain(["all"]).collect()
}

/// How many histories a broken variant gets that no rule has noticed.
const HISTORIES_OF_A_SURVIVOR: &str = "400";

/// After how long a case that hangs under a broken variant has failed.
const WATCHDOG_SECONDS: &str = "10";

/// Runs the suite.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.mutants {
        return mutants(args.filter.as_deref());
    }
    let all = args.backend.iter().any(|name| name == "all");
    let wanted = RUNS.iter().filter(|run| all || args.backend.iter().any(|name| name == run.name));
    let (mut passed, mut failed) = (0, 0);
    let mut missing = Vec::new();
    for run in wanted {
        if let Some(reason) = lacking(run) {
            missing.push(format!("not run: {}: {reason}", run.name));
        } else if one(run, args)? {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    failed += if args.require { missing.len() } else { 0 };
    for line in &missing {
        println!("{line}");
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What this machine lacks to make a run. A server that is named stands for all.
fn lacking(run: &Run) -> Option<String> {
    if std::env::var_os("FF_VALKEY_URL").is_some() {
        return None;
    }
    let (_, flavor) = run.server?;
    Binary::find(flavor).err().map(|error| error.to_string())
}

fn one(run: &Run, args: &Args) -> anyhow::Result<bool> {
    println!("== {}", run.name);
    let mut cargo = cargo();
    cargo.args(["test", "--quiet", "--package", run.package, "--test", "conformance", "--"]);
    cargo.args(&args.filter);
    cargo.env("FF_TEST_PARTITIONS", run.partitions.to_string());
    if let Some((server, _)) = run.server {
        cargo.env("FF_TEST_SERVER", server);
    }
    if !run.faults {
        cargo.env("FF_CONFORMANCE_FAULTS", "0");
    }
    if let Some(histories) = args.histories.or(run.histories) {
        cargo.env("FF_CONFORMANCE_HISTORIES", histories.to_string());
    }
    if let Some(seed) = args.seed {
        cargo.env("FF_CONFORMANCE_SEED", seed.to_string());
    }
    Ok(cargo.status().context("cannot start cargo")?.success())
}

fn mutants(only: Option<&str>) -> anyhow::Result<ExitCode> {
    let suite = built_suite()?;
    let listed = Command::new(&suite).env("FF_MUTATION", "list").output()?;
    let names = String::from_utf8(listed.stdout)?;
    let names: Vec<&str> =
        names.lines().filter(|name| only.is_none_or(|only| only == *name)).collect();
    ensure!(!names.is_empty(), "no such variant");
    let mut survivors = 0;
    for name in &names {
        let start = steps::now();
        let caught = match caught_by(&suite, name, "0")? {
            None => caught_by(&suite, name, HISTORIES_OF_A_SURVIVOR)?,
            caught => caught,
        };
        let took = start.elapsed();
        if let Some(case) = caught {
            println!("{name}: caught by {case} ({took:.1?})");
        } else {
            survivors += 1;
            println!("{name}: SURVIVED ({took:.1?})");
        }
    }
    println!("{} passed, {survivors} failed", names.len() - survivors);
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The case that failed under a broken variant, if one did.
fn caught_by(suite: &PathBuf, name: &str, histories: &str) -> anyhow::Result<Option<String>> {
    let output = Command::new(suite)
        .env("FF_MUTATION", name)
        .env("FF_CONFORMANCE_HISTORIES", histories)
        .env("FF_CONFORMANCE_FAULTS", "0")
        .env("FF_CONFORMANCE_FAIL_FAST", "1")
        .env("FF_CONFORMANCE_WATCHDOG_SECONDS", WATCHDOG_SECONDS)
        .stderr(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8(output.stdout)?;
    let mut failed = text
        .lines()
        .filter(|line| line.starts_with("test ") && line.ends_with("FAILED"))
        .filter_map(|line| line.split_whitespace().nth(1));
    let first = failed.next().with_context(|| format!("{name} failed without a case:\n{text}"))?;
    Ok(Some(first.to_owned()))
}

/// The suite's executable, built with the broken variants in it.
fn built_suite() -> anyhow::Result<PathBuf> {
    let output = cargo()
        .args(["test", "--package", "ff-backend-mem", "--features", "mutants"])
        .args(["--test", "conformance", "--no-run", "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the suite does not build");
    Message::parse_stream(output.stdout.as_slice())
        .filter_map(|message| match message {
            Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == "conformance" => {
                artifact.executable
            }
            _ => None,
        })
        .last()
        .map(PathBuf::from)
        .context("cargo named no executable")
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace_root());
    cargo
}
