//! A fan-out with its join: how long it takes, what it keeps, and the longest call of its life.

use ff_engine::{CancelFlow, FlowOps as _, FlowSpec};
use ff_sdk::Client;
use tokio::time::Instant;

use super::FlowArgs;
use super::graph::{Graphs, PARKED, Progress, SETTLE, work};
use crate::bench::parts::Found;
use crate::bench::report::real;
use crate::bench::rig::{LANE, Rig, erased};

/// What a fan-out of 10,000 may take, what a node may keep above its payload, and the longest call.
const WALL_TARGET_MS: f64 = 3_000.0;
const NODE_TARGET_BYTES: f64 = 600.0;
const CALL_TARGET_MS: f64 = 5.0;

pub(super) async fn measure(rig: &Rig, args: &FlowArgs, nodes: usize) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let named = |what: &str| format!("fan-out of {nodes}: {what}");
    let (producer, backend) = (rig.backend().await?, rig.backend().await?);
    let count = real(nodes as u64);
    let payload = real(args.payload as u64);
    let mut longest = 0.0_f64;
    rig.watch_slow_calls()?;
    let mut slowest = |found: &mut Found, what: &str| -> anyhow::Result<()> {
        let (millis, call) = rig.slowest_call()?;
        longest = longest.max(millis);
        found.noted(named(&format!("longest call, {what}")), "ms", millis, call);
        Ok(())
    };

    let parked = Graphs::new(rig, args.payload, PARKED);
    let few = kept(args, |graphs| graphs.star(nodes)).await?;
    let many = kept(args, |graphs| graphs.chained_star(nodes)).await?;
    let edge = (many - few) / real(nodes as u64 - 2);
    let node = kept(args, |graphs| graphs.fan(nodes, 0)).await? / count - payload;
    found.add(named("kept of a node above its payload"), "B", node);
    found.add(named("kept of an edge"), "B", edge);
    found.ratio(named("kept of a node / the target of 600 B"), node / NODE_TARGET_BYTES);

    let fan = parked.fan(nodes, 0);
    let start = Instant::now();
    producer.submit_flow(&fan).await?;
    found.add(named("submit"), "ms", start.elapsed().as_secs_f64() * 1e3);
    slowest(&mut found, "submit")?;

    let start = Instant::now();
    let cancel = CancelFlow::new(rig.ids.request_id(), fan.id(), "the bench is done");
    producer.cancel_flow(&cancel).await?;
    found.add(named("cancel of what waits"), "ms", start.elapsed().as_secs_f64() * 1e3);
    slowest(&mut found, "cancel of what waits")?;

    let fan = Graphs::new(rig, args.payload, LANE).fan(nodes, 0);
    let progress = Progress::of(1, nodes);
    let worker = work(rig, &backend, args.handlers, &progress)?;
    tokio::time::sleep(SETTLE).await;
    let (before, start) = (rig.used_memory()?, Instant::now());
    producer.submit_flow(&fan).await?;
    progress.over().await?;
    let wall = start.elapsed().as_secs_f64() * 1e3;
    worker.shutdown().await;
    found.add(named("submit and run"), "ms", wall);
    found.ratio(named("submit and run / the target of 3 s for 10,000"), wall / WALL_TARGET_MS);
    let ended = real(rig.used_memory()?.saturating_sub(before)) / count - payload;
    found.add(named("kept of an ended node above its payload"), "B", ended);
    slowest(&mut found, "submit and run")?;

    let flow = Client::with_ids(erased(&producer), rig.ids.clone()).flow(fan.id());
    flow.describe().await?;
    flow.graph().await?;
    slowest(&mut found, "describe and read the graph")?;
    found.ratio(named("longest call / the target of 5 ms"), longest / CALL_TARGET_MS);
    Ok(found)
}

/// How many bytes a flow keeps on a server of its own that has one like it: so the buffers of the
/// connection have grown before, and the tables of two flows of as many nodes grow alike.
async fn kept(args: &FlowArgs, flow: impl Fn(&Graphs<'_>) -> FlowSpec) -> anyhow::Result<f64> {
    let rig = Rig::start(args.common.seed, 0)?;
    let (backend, graphs) = (rig.backend().await?, Graphs::new(&rig, args.payload, PARKED));
    backend.submit_flow(&flow(&graphs)).await?;
    let before = rig.used_memory()?;
    backend.submit_flow(&flow(&graphs)).await?;
    Ok(real(rig.used_memory()?.saturating_sub(before)))
}
