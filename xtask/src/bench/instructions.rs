//! What each call takes of the server in instructions, which do not depend on what else the machine does. The
//! server runs under callgrind (`valgrind`), which makes it about fifty times slower.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use ff_engine::{AttemptOps as _, CancelFlow, FlowOps as _, SubmitOps as _};
use ff_types::backend::CancelFlowPolicy;

use super::Common;
use super::budget::{PAYLOAD_BYTES, claimed, each};
use super::fairness::{KINDS, prepared};
use super::flow::{Graphs, PARKED};
use super::parts::{Found, part_on};
use super::report::{Report, real};
use super::rig::{LANE, Rig, server_version};

/// What the server runs under. The counts stand in its folder.
pub(super) const COUNTER: [&str; 3] =
    ["valgrind", "--tool=callgrind", "--callgrind-out-file=counted"];
/// Nodes of a chain.
const LENGTH: usize = 10;
/// Members that one call ends.
const SIBLINGS: usize = 300;

/// Arguments of the instructions bench.
#[derive(Debug, clap::Args)]
pub(super) struct InstructionsArgs {
    /// Executions that go through each call.
    #[arg(long, default_value_t = 500)]
    executions: usize,
    /// Flows, each a chain of 10.
    #[arg(long, default_value_t = 50)]
    flows: usize,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &InstructionsArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.executions > 0 && args.flows > 0, "all counts start at 1");
    let installed = Command::new("callgrind_control").arg("--version").output();
    installed.context("callgrind_control is not there: install valgrind")?;

    let mut report = Report::new("instructions", "valkey", Some(server_version()?), &args.common)?;
    println!(
        "payloads of {PAYLOAD_BYTES} B; instructions of the server for one execution, in thousands"
    );
    println!("| what | | unit | note |\n|:--|--:|:--|:--|");
    let common = &args.common;
    part_on(Rig::start_counted, &mut report, common, &async |rig| lanes(rig, args).await)?;
    part_on(Rig::start_counted, &mut report, common, &async |rig| flows(rig, args).await)?;
    part_on(Rig::start_counted, &mut report, common, &async |rig| ends(rig).await)?;
    report.finish(common)
}

/// Counts what the server does between two looks.
struct Instructions<'r> {
    rig: &'r Rig,
    looks: usize,
}

impl<'r> Instructions<'r> {
    fn of(rig: &'r Rig) -> Self {
        Self { rig, looks: 0 }
    }

    /// Starts from nothing.
    fn reset(&self) -> anyhow::Result<()> {
        control(&["--zero", &self.rig.pid().to_string()])
    }

    /// Thousands for each of so many since the last look or reset.
    fn each(&mut self, of: usize) -> anyhow::Result<f64> {
        control(&["--dump", &self.rig.pid().to_string()])?;
        self.looks += 1;
        let file: PathBuf = self.rig.dir().join(format!("counted.{}", self.looks));
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let total = text.lines().find_map(|line| line.strip_prefix("summary: ")?.parse().ok());
        let total: u64 = total.with_context(|| format!("{} has no summary", file.display()))?;
        Ok(real(total) / real(of as u64) / 1e3)
    }
}

fn control(words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("callgrind_control").args(words).output()?;
    anyhow::ensure!(output.status.success(), "callgrind_control {words:?}: {output:?}");
    Ok(())
}

/// A life in a lane of each kind.
async fn lanes(rig: &Rig, args: &InstructionsArgs) -> anyhow::Result<Found> {
    let (mut found, mut counter) = (Found::default(), Instructions::of(rig));
    let mut plain = None;
    for (kind, name) in KINDS.into_iter().enumerate() {
        let backend = rig.backend().await?;
        let submissions = prepared(rig, &backend, kind, args.executions).await?;
        counter.reset()?;
        for submission in &submissions {
            backend.submit(submission).await?;
        }
        found.add(format!("submit, {name}"), "k", counter.each(args.executions)?);
        let tasks = claimed(rig, &backend, args.executions).await?;
        let claim = counter.each(args.executions)?;
        found.add(format!("claim, {name}"), "k", claim);
        match plain {
            Some(plain) => found.ratio(format!("claim, {name} / as it is"), claim / plain),
            None => plain = Some(claim),
        }
        each(&tasks, async |task| Ok(backend.renew(&task.handle).await.map(drop)?)).await?;
        found.add(format!("renew, {name}"), "k", counter.each(args.executions)?);
        each(&tasks, async |task| Ok(backend.complete(&task.handle, None).await.map(drop)?))
            .await?;
        found.add(format!("complete, {name}"), "k", counter.each(args.executions)?);
    }
    Ok(found)
}

/// Chains: what a node takes.
async fn flows(rig: &Rig, args: &InstructionsArgs) -> anyhow::Result<Found> {
    let (mut found, mut counter) = (Found::default(), Instructions::of(rig));
    let (backend, graphs) = (rig.backend().await?, Graphs::new(rig, PAYLOAD_BYTES, LANE));
    counter.reset()?;
    for number in 0..args.flows {
        backend.submit_flow(&graphs.chain(LENGTH, number)).await?;
    }
    found.add("submit, a node of a chain", "k", counter.each(args.flows * LENGTH)?);
    let (mut claims, mut completes) = (0.0, 0.0);
    for _ in 0..LENGTH {
        let tasks = claimed(rig, &backend, args.flows).await?;
        claims += counter.each(args.flows * LENGTH)?;
        each(&tasks, async |task| Ok(backend.complete(&task.handle, None).await.map(drop)?))
            .await?;
        completes += counter.each(args.flows * LENGTH)?;
    }
    found.add("claim, a node of a chain", "k", claims);
    found.add("complete, a node of a chain", "k", completes);
    Ok(found)
}

/// What it takes to end a member that waits, because another was first or its flow is cancelled.
async fn ends(rig: &Rig) -> anyhow::Result<Found> {
    let (mut found, mut counter) = (Found::default(), Instructions::of(rig));
    let (backend, parked) = (rig.backend().await?, Graphs::new(rig, PAYLOAD_BYTES, PARKED));

    let race = parked.race(SIBLINGS, LANE);
    backend.submit_flow(&race).await?;
    let winner = claimed(rig, &backend, 1).await?.remove(0);
    counter.reset()?;
    backend.complete(&winner.handle, None).await?;
    found.add("end of a sibling that another was first of", "k", counter.each(SIBLINGS - 1)?);
    // What is left is the node that the first one started.
    let race = backend.describe_flow(race.id()).await?;
    anyhow::ensure!(race.summary.open == 1, "not all have ended: {race:?}");

    let members = parked.apart(SIBLINGS);
    backend.submit_flow(&members).await?;
    let id = rig.ids.request_id();
    let cancel = CancelFlow::new(id, members.id(), "the bench says so")
        .with_policy(CancelFlowPolicy::CancelAll);
    counter.reset()?;
    backend.cancel_flow(&cancel).await?;
    found.add("end of a member that is cancelled", "k", counter.each(SIBLINGS)?);
    let members = backend.describe_flow(members.id()).await?;
    anyhow::ensure!(members.summary.open == 0, "not all have ended: {members:?}");
    Ok(found)
}
