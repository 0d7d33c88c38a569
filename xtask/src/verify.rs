//! `cargo xtask verify`: every check that reads sources only. It never writes to the work tree, and
//! it also warns, without failing, of files that grew long.

use std::process::ExitCode;

use crate::steps::{self, Options, Step};
use crate::{long_files, workspace_root};

/// Arguments of `cargo xtask verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

/// Runs every check and reports all of them.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = workspace_root();
    for warning in long_files::warnings(&root)? {
        println!("warning: {warning}");
    }
    let mut all = checks();
    all.extend(tools());
    steps::run_and_report(&root, &all, args.options)
}

/// The checks that need the pinned toolchain and nothing else.
pub(crate) fn checks() -> Vec<Step> {
    vec![
        Step::cargo("fmt", &["fmt", "--all", "--check"]),
        Step::cargo(
            "clippy",
            &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        ),
        Step::cargo("rustdoc", &["doc", "--workspace", "--no-deps"])
            .with_env("RUSTDOCFLAGS", "-D warnings"),
        Step::xtask("docs", &["docs", "--check"]),
        Step::xtask("lua", &["lua", "--check"]),
        Step::xtask("deps", &["deps"]),
    ]
}

/// The checks by tools that a machine may lack.
pub(crate) fn tools() -> Vec<Step> {
    vec![
        Step::optional_tool("typos", &[]),
        Step::optional_tool("luacheck", &["--quiet", "lua"]),
        Step::cargo("deny", &["deny", "check"]).if_installed("cargo-deny"),
    ]
}
