//! `cargo xtask lua`: bundles the sources under `lua/` into the function library that the Valkey
//! backend loads, and generates the Rust side of its contracts.
//!
//! What it writes is committed; with `--check` it writes nothing and names what is stale.

mod bundle;
mod check;
mod contract;
mod generate;
mod source;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;

use crate::workspace_root;
use source::Sources;

/// Arguments of `cargo xtask lua`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Names what is stale instead of writing it.
    #[arg(long)]
    check: bool,
}

/// Where the bundles and the generated Rust live.
const TARGET: &str = "crates/ff-backend-valkey/src";

/// Bundles, or checks what was bundled.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = workspace_root();
    let sources = Sources::read(&root.join("lua"))?;
    let faults = check::faults(&sources, &contract::all(&sources)?)?;
    for fault in &faults {
        println!("{fault}");
    }
    let mut stale = faults.len();
    for (file, text) in outputs(&root, &sources)? {
        let there = std::fs::read_to_string(&file).unwrap_or_else(|_| String::new());
        if there == text {
            continue;
        }
        if args.check {
            println!("stale: {} (run `cargo xtask lua`)", file.display());
            stale += 1;
        } else {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            println!("wrote {}", file.display());
        }
    }
    Ok(if stale == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Rust source as `cargo fmt` would leave it.
fn formatted(root: &Path, text: &str) -> anyhow::Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    let mut input = rustfmt.stdin.take().context("rustfmt has no input")?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = rustfmt.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("writing to rustfmt panicked"))??;
    anyhow::ensure!(output.status.success(), "rustfmt refused the generated source");
    Ok(String::from_utf8(output.stdout)?)
}

/// Every generated file with what it should hold.
fn outputs(root: &Path, sources: &Sources) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let contracts = contract::all(sources)?;
    let target = root.join(TARGET);
    Ok(vec![
        (target.join("library/ff.lua"), bundle::library(sources, &contracts, &bundle::PRODUCTION)?),
        (
            target.join("library/ff_test.lua"),
            bundle::library(sources, &contracts, &bundle::TESTING)?,
        ),
        (target.join("calls.rs"), formatted(root, &generate::rust(sources, &contracts)?)?),
    ])
}
