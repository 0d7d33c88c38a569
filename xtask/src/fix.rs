//! `cargo xtask fix`: applies what can be corrected without a decision. Formatting comes last, so
//! that it sees what the other steps wrote.

use std::process::ExitCode;

use crate::steps::{self, Options, Step};
use crate::workspace_root;

/// Runs every correction and reports all of them.
pub fn run() -> anyhow::Result<ExitCode> {
    let steps = [
        Step::cargo(
            "clippy",
            &[
                "clippy",
                "--fix",
                "--allow-dirty",
                "--allow-staged",
                "--workspace",
                "--all-targets",
                "--all-features",
            ],
        ),
        Step::xtask("docs", &["docs"]),
        Step::cargo("fmt", &["fmt", "--all"]),
    ];
    steps::run_and_report(&workspace_root(), &steps, Options::default())
}
