//! Other systems on the same kind of server: small programs in `bench-peers/`, which print their
//! times as JSON. They are no part of the workspace.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio::time::Instant;

use super::Common;
use super::report::{Measured, Times};
use super::rig::Rig;
use crate::workspace_root;

/// How long one run of a peer may take.
const PATIENCE: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(20);

/// A system to compare with.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Most tasks that it is given: beyond, it is known not to finish.
    most_tasks: usize,
    /// What gets it ready, and what runs it before the port, the tasks and the payload bytes.
    prepare: &'static [&'static str],
    run: &'static [&'static str],
    /// What follows those.
    options: &'static [&'static str],
}

pub(super) const ALL: &[Peer] = &[
    Peer {
        name: "bullmq",
        most_tasks: usize::MAX,
        prepare: &["npm", "ci", "--no-audit", "--no-fund"],
        run: &["node", "bench.js"],
        options: &["16,64"],
    },
    Peer {
        name: "apalis",
        most_tasks: 10_000,
        prepare: &["cargo", "build", "--release", "--locked", "--quiet"],
        run: &["cargo", "run", "--release", "--locked", "--quiet", "--"],
        options: &[],
    },
];

#[derive(Deserialize)]
struct Printed {
    version: String,
    rows: Vec<PrintedRow>,
}

#[derive(Deserialize)]
struct PrintedRow {
    name: String,
    /// Seconds.
    submit: f64,
    drain: f64,
}

/// Runs a peer as often as the others are run, each time on a server of its own. Answers its version
/// and what it measured, a system for each of its settings.
pub(super) fn measure(
    peer: &Peer,
    common: &Common,
    tasks: usize,
    payload: usize,
) -> anyhow::Result<(String, Vec<Measured>)> {
    let folder = workspace_root().join("bench-peers").join(peer.name);
    output(peer.prepare, &[], &folder)?;
    let tasks = tasks.min(peer.most_tasks);
    let (mut version, mut found) = (String::new(), Vec::new());
    for run in 0..common.runs {
        let rig = Rig::start(common.seed, run)?;
        let mut args = vec![rig.port().to_string(), tasks.to_string(), payload.to_string()];
        args.extend(peer.options.iter().map(|option| (*option).to_owned()));
        let printed: Printed = serde_json::from_slice(&output(peer.run, &args, &folder)?.stdout)
            .context("it printed something else than times")?;
        version = printed.version;
        for (index, row) in printed.rows.into_iter().enumerate() {
            if found.len() == index {
                found.push(Measured { system: row.name, tasks, runs: Vec::new() });
            }
            found[index].runs.push(Times {
                submit: Duration::try_from_secs_f64(row.submit)?,
                drain: Duration::try_from_secs_f64(row.drain)?,
            });
        }
    }
    Ok((version, found))
}

/// Runs a program to its end. What goes wrong is said with the last line of what it complained.
fn output(program: &[&str], args: &[String], folder: &Path) -> anyhow::Result<Output> {
    let (name, first) = program.split_first().context("a peer has a program")?;
    let mut child = Command::new(name)
        .args(first)
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", workspace_root().join("target").join("bench-peers"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("{name} took longer than {} s", PATIENCE.as_secs());
        }
        #[expect(clippy::disallowed_methods, reason = "nothing else runs in this process")]
        std::thread::sleep(POLL);
    }
    let output = child.wait_with_output()?;
    let complaint = std::str::from_utf8(&output.stderr).unwrap_or("").trim();
    anyhow::ensure!(
        output.status.success(),
        "{name} failed, {}: {}",
        output.status,
        complaint.lines().last().unwrap_or("it said nothing")
    );
    Ok(output)
}
