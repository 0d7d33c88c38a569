//! `cargo xtask ci`: exactly what CI runs, in CI's order: every check of
//! [`verify`], then the tests, among which is the conformance suite of every backend.

use std::process::ExitCode;

use crate::steps::{self, Options, Step};
use crate::{verify, workspace_root};

/// Arguments of `cargo xtask ci`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

/// Runs every step and reports all of them.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    steps::run_and_report(&workspace_root(), &all_steps(), args.options)
}

fn all_steps() -> Vec<Step> {
    let mut all = verify::checks();
    all.extend([
        Step::cargo("test", &["test", "--workspace", "--all-features"]),
        Step::xtask(
            "servers",
            &["conformance", "--backend", "valkey-divided,redis,valkey-cluster"],
        ),
        Step::xtask("mutants", &["conformance", "--mutants"]),
    ]);
    all.extend(verify::tools());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_runs_every_check_once_and_the_tests() {
        let names: Vec<_> = all_steps().iter().map(|step| step.name).collect();

        assert_eq!(
            names,
            [
                "fmt", "clippy", "rustdoc", "docs", "lua", "deps", "test", "servers", "mutants",
                "typos", "luacheck", "deny"
            ]
        );
    }
}
