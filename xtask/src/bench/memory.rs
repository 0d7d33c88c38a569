//! What an execution costs the server: bytes kept in each state, and for each call its time and the
//! commands inside. Calls are made one at a time, each for one execution.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{AttemptOps as _, ClaimOps as _, ClaimRequest, SubmitOps as _};
use ff_types::backend::{CapabilitySet, ClaimPolicy, Handle};
use ff_types::{LaneId, limits};
use fred::interfaces::ListInterface as _;
use fred::types::Value;
use fred::types::lists::LMoveDirection;
use serde::Serialize;

use super::Common;
use super::report::{Figure, Report, real};
use super::rig::{LANE, Rig, block_on, server_version};

/// Long enough that nothing expires meanwhile.
const TTL: Duration = Duration::from_millis(limits::LEASE_TTL_MAX_MS);

/// A library of functions that decide nothing: what any call costs, and what any function costs that
/// calls the same commands.
const FLOOR: &str = include_str!("floor.lua");
/// What is measured, and the function that calls the same commands.
const FLOORS: &[(&str, &str)] = &[
    ("submit", "floor_submit"),
    ("claim", "floor_claim"),
    ("renew", "floor_renew"),
    ("complete", "floor_complete"),
];
const LIFECYCLE: &[&str] = &["submit", "claim", "complete"];

/// Arguments of the memory bench.
#[derive(Debug, clap::Args)]
pub(super) struct MemoryArgs {
    /// How many executions there are.
    #[arg(long, value_delimiter = ',', default_value = "20000")]
    executions: Vec<usize>,
    /// Payload bytes.
    #[arg(long, default_value_t = 200)]
    payload: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    executions: usize,
    call: &'static str,
    server_micros: Figure,
    /// The part of it that the commands inside took; the rest is the function's own.
    micros_in_commands: Figure,
    commands: f64,
    inside: BTreeMap<String, f64>,
    /// What is kept of an execution after this call.
    bytes_kept: Figure,
}

/// What one call costs, on average over a run.
struct Cost {
    call: &'static str,
    micros: f64,
    micros_inside: f64,
    inside: BTreeMap<String, f64>,
    bytes: f64,
}

pub(super) fn run(args: &MemoryArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!args.executions.contains(&0), "executions start at 1");
    let mut report = Report::new("memory", "valkey", Some(server_version()?), &args.common)?;
    println!("payload of {} B", args.payload);
    println!(
        "| executions | call | server time, µs | in commands, µs | commands | B kept after it | inside |"
    );
    println!("|--:|:--|--:|--:|--:|--:|:--|");
    for &executions in &args.executions {
        let mut runs: Vec<Vec<Cost>> = Vec::new();
        for run in 0..args.common.runs {
            let rig = Rig::start(args.common.seed, run)?;
            let mut costs = block_on(raw(&rig, args, executions))?;
            let rig = Rig::start(args.common.seed, run)?;
            costs.extend(block_on(calls(&rig, args, executions))?);
            same_commands(&costs)?;
            runs.push(costs);
        }
        for index in 0..runs[0].len() {
            let each =
                |figure: &dyn Fn(&Cost) -> f64| Figure::each(&runs, |run| figure(&run[index]));
            let first = &runs[0][index];
            let row = Row {
                executions,
                call: first.call,
                server_micros: each(&|cost| cost.micros),
                micros_in_commands: each(&|cost| cost.micros_inside),
                // A sum of nothing is negative zero.
                commands: 0.0 + first.inside.values().sum::<f64>(),
                inside: first.inside.clone(),
                bytes_kept: each(&|cost| cost.bytes),
            };
            print(&row);
            report.rows.push(row);
        }
        let sum = |run: &[Cost], calls: &[&str]| -> f64 {
            run.iter().filter(|cost| calls.contains(&cost.call)).map(|cost| cost.micros).sum()
        };
        for (name, those) in
            [("push + pop", &["raw push", "raw pop"][..]), ("a bare call", &["bare call"])]
        {
            report.ratio(
                format!("{executions}: submit + claim + complete / {name}, server time"),
                Figure::each(&runs, |run| sum(run, LIFECYCLE) / sum(run, those)),
            );
        }
        for &(call, floor) in FLOORS {
            let micros = |run: &[Cost], name: &str| sum(run, &[name]);
            report.ratio(
                format!("{executions}: {call} / the same commands without a decision, server time"),
                Figure::each(&runs, |run| micros(run, call) / micros(run, floor)),
            );
        }
        let kept = |run: &[Cost], call| {
            run.iter().find(|cost| cost.call == call).map_or(f64::NAN, |cost| cost.bytes)
        };
        report.ratio(
            format!("{executions}: queued / pushed, bytes kept"),
            Figure::each(&runs, |run| kept(run, "submit") / kept(run, "raw push")),
        );
    }
    report.finish(&args.common)
}

fn print(row: &Row) {
    let inside: Vec<_> =
        row.inside.iter().map(|(command, calls)| format!("{command} {calls:.2}")).collect();
    println!(
        "| {} | {} | {:.1} | {:.1} | {:.2} | {} | {} |",
        row.executions,
        row.call,
        row.server_micros,
        row.micros_in_commands,
        row.commands,
        row.bytes_kept,
        inside.join(", ")
    );
}

/// What was counted since the last reset, by call. The function call itself is not inside.
fn cost(rig: &Rig, call: &'static str, count: usize, before: u64) -> anyhow::Result<Cost> {
    let counts = rig.counts()?;
    let count = real(count as u64);
    let outer = |name: &str| matches!(name, "fcall" | "fcall_ro" | "rpush" | "lmpop");
    let micros = |of_outer: bool| {
        let some = counts.iter().filter(|(name, _)| outer(name) == of_outer);
        some.map(|(_, counted)| counted.micros).sum::<u64>()
    };
    let (micros, micros_inside) = (real(micros(true)) / count, real(micros(false)) / count);
    let inside = counts
        .iter()
        .filter(|(name, _)| !outer(name))
        .map(|(name, counted)| (name.clone(), real(counted.calls) / count))
        .collect();
    let bytes = real(rig.used_memory()?.saturating_sub(before)) / count;
    rig.reset_counts()?;
    Ok(Cost { call, micros, micros_inside, inside, bytes })
}

async fn calls(rig: &Rig, args: &MemoryArgs, count: usize) -> anyhow::Result<Vec<Cost>> {
    let backend = rig.backend().await?;
    let submissions = rig.submissions(count, args.payload);
    let before = rig.used_memory()?;
    let mut costs = Vec::new();

    rig.reset_counts()?;
    for submission in &submissions {
        backend.submit(submission).await?;
    }
    costs.push(cost(rig, "submit", count, before)?);

    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_lease_ttl(TTL);
    let (id, lane) = (rig.ids.request_id(), LaneId::new(LANE)?);
    let mut request = ClaimRequest::new(id, lane, CapabilitySet::new(), policy);
    let mut handles: Vec<Handle> = Vec::with_capacity(count);
    for _ in 0..count {
        request.request_id = rig.ids.request_id();
        handles.extend(backend.claim(&request).await?.tasks.into_iter().map(|task| task.handle));
    }
    anyhow::ensure!(handles.len() == count, "{} of {count} were claimed", handles.len());
    costs.push(cost(rig, "claim", count, before)?);

    for handle in &handles {
        backend.renew(handle).await?;
    }
    costs.push(cost(rig, "renew", count, before)?);

    for handle in &handles {
        backend.complete(handle, None).await?;
    }
    costs.push(cost(rig, "complete", count, before)?);

    for _ in 0..count {
        request.request_id = rig.ids.request_id();
        backend.claim(&request).await?;
    }
    costs.push(cost(rig, "claim of nothing", count, before)?);
    Ok(costs)
}

/// A floor calls what its operation calls, once more or less in a run at the most.
fn same_commands(costs: &[Cost]) -> anyhow::Result<()> {
    let inside = |name: &str| {
        let cost = costs.iter().find(|cost| cost.call == name);
        let counts = cost.into_iter().flat_map(|cost| &cost.inside);
        let often = counts.filter(|(_, calls)| **calls > 0.01);
        often.map(|(command, calls)| (command.clone(), calls.round())).collect::<Vec<_>>()
    };
    for &(call, floor) in FLOORS {
        let (its, floors) = (inside(call), inside(floor));
        anyhow::ensure!(its == floors, "{call} calls {its:?}, and {floor} calls {floors:?}");
    }
    Ok(())
}

/// The same for functions that decide nothing, and for a list of payloads.
async fn raw(rig: &Rig, args: &MemoryArgs, count: usize) -> anyhow::Result<Vec<Cost>> {
    rig.command(&["FUNCTION", "LOAD", FLOOR])?;
    let client = rig.client().await?;
    let payload = Bytes::from(vec![7_u8; args.payload]);
    let before = rig.used_memory()?;
    rig.reset_counts()?;
    for _ in 0..count {
        rig.command(&["FCALL", "bare", "0"])?;
    }
    let bare = cost(rig, "bare call", count, before)?;
    for _ in 0..count {
        client.rpush::<(), _, _>("queue", payload.clone()).await?;
    }
    let push = cost(rig, "raw push", count, before)?;
    for _ in 0..count {
        client.lmpop::<Value, _>("queue", LMoveDirection::Left, Some(1)).await?;
    }
    let mut costs = vec![bare, push, cost(rig, "raw pop", count, before)?];
    let ids: Vec<_> = (0..count).map(|_| rig.ids.execution_id().to_string()).collect();
    let (payload, holder) = ("p".repeat(args.payload), "h".repeat(48));
    for &(_, floor) in FLOORS {
        for id in &ids {
            rig.command(&["FCALL", floor, "1", "ff:{floor/0}:", id, &payload, &holder])?;
        }
        costs.push(cost(rig, floor, count, before)?);
    }
    Ok(costs)
}
