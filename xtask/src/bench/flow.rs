//! Flows over Valkey: chains beside flat tasks and the bare server, diamonds, a fan-out with its join,
//! the first of many, and cancellations until the last holder has heard.
//!
//! Each part of each run has a server of its own. Milliseconds are the client's, but for the longest
//! calls, which the server's slow log tells.

mod cancels;
mod chains;
mod costs;
mod fans;
mod graph;

pub(super) use graph::{Graphs, PARKED};

use std::process::ExitCode;

use super::Common;
use super::parts::part;
use super::report::Report;
use super::rig::server_version;

/// What clients send: a function, whatever it calls inside.
const SENT: &[&str] = &["fcall", "fcall_ro"];

/// Arguments of the flow bench.
#[derive(Debug, clap::Args)]
pub(super) struct FlowArgs {
    /// How many chains of 10 there are.
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    chains: Vec<usize>,
    /// Handlers that one worker of the SDK runs at once, for chains and flat tasks.
    #[arg(long, default_value_t = 16)]
    workers: usize,
    /// How many diamonds run, one at a time.
    #[arg(long, default_value_t = 200)]
    diamonds: usize,
    /// Nodes of a fan-out, the first and the join among them.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    fan: Vec<usize>,
    /// Handlers that one worker of the SDK runs at once, for a fan-out.
    #[arg(long, default_value_t = 64)]
    handlers: usize,
    /// Parents of a join of which the first to complete has the others cancelled.
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    siblings: Vec<usize>,
    /// Running members of a flow that is cancelled.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    members: Vec<usize>,
    /// Worker instances that share what runs when it is cancelled.
    #[arg(long, default_value_t = 16)]
    holders: usize,
    /// How often a run measures each cancellation.
    #[arg(long, default_value_t = 10)]
    samples: usize,
    /// Payload bytes of a node.
    #[arg(long, default_value_t = 64)]
    payload: usize,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &FlowArgs) -> anyhow::Result<ExitCode> {
    let counts = [args.workers, args.diamonds, args.handlers, args.holders, args.samples];
    anyhow::ensure!(!counts.contains(&0), "all counts start at 1");
    anyhow::ensure!(args.fan.iter().all(|nodes| *nodes > 2), "a fan-out starts at 3 nodes");
    anyhow::ensure!(args.siblings.iter().all(|siblings| *siblings > 1), "siblings start at 2");
    anyhow::ensure!(!args.chains.contains(&0) && !args.members.contains(&0), "sizes start at 1");

    let mut report = Report::new("flow", "valkey", Some(server_version()?), &args.common)?;
    println!(
        "payload of {} B; {} handlers for chains, {} for a fan-out; {} holders",
        args.payload, args.workers, args.handlers, args.holders
    );
    println!("| what | | unit | note |\n|:--|--:|:--|:--|");
    for &flows in &args.chains {
        part(&mut report, &args.common, &async |rig| chains::chains(rig, args, flows).await)?;
    }
    part(&mut report, &args.common, &async |rig| chains::diamonds(rig, args).await)?;
    for &nodes in &args.fan {
        part(&mut report, &args.common, &async |rig| fans::measure(rig, args, nodes).await)?;
    }
    for &siblings in &args.siblings {
        part(&mut report, &args.common, &async |rig| {
            cancels::first_wins(rig, args, siblings).await
        })?;
    }
    for &members in &args.members {
        part(&mut report, &args.common, &async |rig| {
            cancels::whole_flow(rig, args, members).await
        })?;
    }
    part(&mut report, &args.common, &async |rig| costs::measure(rig, args).await)?;
    report.finish(&args.common)
}
