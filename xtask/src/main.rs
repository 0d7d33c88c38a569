//! `cargo xtask`: the entry point of every developer command. One module of the library per
//! command; this file only names them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands of FlowFabric")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs, in CI's order.
    Ci(xtask::ci::Args),
    /// Every check that reads sources only: formatting, lints, docs, dependencies. Never writes.
    Verify(xtask::verify::Args),
    /// Applies what can be corrected without a decision: lints, generated docs, formatting.
    Fix,
    /// Regenerates the pages under `docs/reference/`.
    Docs(xtask::docs::Args),
    /// Runs the behaviour suite against a backend, or against broken variants of one.
    Conformance(xtask::conformance::Args),
    /// Measures and reports; see `bench --help`.
    Bench(xtask::bench::Args),
    /// Bundles the Lua library and generates the Rust side of its contracts.
    Lua(xtask::lua::Args),
    /// Prints what a server has to allow to FlowFabric's users, as lines of an ACL file.
    Acl(xtask::acl::Args),
    /// Asserts which crate may depend on which.
    Deps,
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Ci(args) => xtask::ci::run(&args),
        Command::Verify(args) => xtask::verify::run(&args),
        Command::Fix => xtask::fix::run(),
        Command::Docs(args) => xtask::docs::run(&args),
        Command::Bench(args) => xtask::bench::run(&args),
        Command::Conformance(args) => xtask::conformance::run(&args),
        Command::Lua(args) => xtask::lua::run(&args),
        Command::Acl(args) => xtask::acl::run(&args),
        Command::Deps => xtask::deps::run(),
    }
}
