//! `cargo xtask lua`: bundles the sources under `lua/` into the function library that the Valkey
//! backend loads, and generates the Rust side of its contracts.
//!
//! What it writes is committed; with `--check` it writes nothing and names what is stale.

mod bundle;
mod contract;
mod generate;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    let mut stale = 0;
    for (file, text) in outputs(&root)? {
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

/// Every generated file with what it should hold.
fn outputs(root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let sources = Sources::read(&root.join("lua"))?;
    let contracts = contract::all(&sources)?;
    let target = root.join(TARGET);
    Ok(vec![
        (target.join("library/ff.lua"), bundle::library(&sources, &contracts, &bundle::PRODUCTION)?),
        (target.join("library/ff_test.lua"), bundle::library(&sources, &contracts, &bundle::TESTING)?),
        (target.join("calls.rs"), generate::rust(&sources, &contracts)?),
    ])
}
