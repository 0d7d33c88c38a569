//! What single calls about flows cost the server.

use std::collections::BTreeMap;

use ff_engine::{AttemptOps as _, ClaimOps as _, ClaimRequest, FlowOps as _, SubmitOps as _};
use ff_types::LaneId;
use ff_types::backend::{CapabilitySet, ClaimPolicy};

use super::graph::{Graphs, PARKED};
use super::{FlowArgs, SENT};
use crate::bench::parts::Found;
use crate::bench::report::real;
use crate::bench::rig::{Counted, LANE, Rig};

/// How often each call is made.
const CALLS: usize = 200;
const LENGTH: usize = 10;
/// What the submit of a chain of 10 may keep.
const CHAIN_TARGET_BYTES: f64 = 6_000.0;

/// One call, on average.
struct Cost {
    sent: f64,
    micros: f64,
    inside: f64,
    commands: String,
}

pub(super) async fn measure(rig: &Rig, args: &FlowArgs) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let backend = rig.backend().await?;
    let parked = Graphs::new(rig, args.payload, PARKED);
    let flows: Vec<_> = (0..CALLS).map(|number| parked.chain(LENGTH, number)).collect();
    // What the server keeps once is not of a flow.
    backend.submit_flow(&parked.chain(LENGTH, 0)).await?;
    let before = rig.used_memory()?;
    rig.reset_counts()?;
    for flow in &flows {
        backend.submit_flow(flow).await?;
    }
    let submit = Cost::of(&rig.counts()?);
    let kept = real(rig.used_memory()?.saturating_sub(before)) / real(CALLS as u64);
    let named = |what: &str| format!("submit of a chain of {LENGTH}: {what}");
    found.add(named("round trips"), "", submit.sent);
    found.add(named("kept"), "B", kept);
    found.add(named("server time"), "µs", submit.micros);
    found.noted(named("commands inside"), "", submit.inside, submit.commands);
    found.ratio(named("kept / the target of 6 kB"), kept / CHAIN_TARGET_BYTES);

    let graphs = Graphs::new(rig, args.payload, LANE);
    for number in 0..CALLS {
        backend.submit(&graphs.task(number)).await?;
    }
    let flat = complete(rig).await?;
    for number in 0..CALLS {
        backend.submit_flow(&graphs.chain(2, number)).await?;
    }
    let promotes = complete(rig).await?;
    let ends = complete(rig).await?;
    found.ratio(
        "complete that promotes one / of a flat task, server time",
        promotes.micros / flat.micros,
    );
    found.ratio(
        "complete that ends a flow / of a flat task, server time",
        ends.micros / flat.micros,
    );
    let kinds =
        [("of a flat task", flat), ("that promotes one", promotes), ("that ends a flow", ends)];
    for (kind, cost) in kinds {
        found.add(format!("complete {kind}: server time"), "µs", cost.micros);
        found.noted(format!("complete {kind}: commands inside"), "", cost.inside, cost.commands);
    }
    Ok(found)
}

/// Claims what is ready, and then completes it.
async fn complete(rig: &Rig) -> anyhow::Result<Cost> {
    let backend = rig.backend().await?;
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id());
    let mut handles = Vec::with_capacity(CALLS);
    while handles.len() < CALLS {
        let (id, lane) = (rig.ids.request_id(), LaneId::new(LANE)?);
        let request = ClaimRequest::new(id, lane, CapabilitySet::new(), policy);
        let tasks = backend.claim(&request).await?.tasks;
        anyhow::ensure!(!tasks.is_empty(), "{} of {CALLS} are ready", handles.len());
        handles.extend(tasks.into_iter().map(|task| task.handle));
    }
    rig.reset_counts()?;
    for handle in &handles {
        backend.complete(handle, None).await?;
    }
    Ok(Cost::of(&rig.counts()?))
}

impl Cost {
    fn of(counts: &BTreeMap<String, Counted>) -> Self {
        let each = |count: u64| real(count) / real(CALLS as u64);
        let (mut cost, mut commands) =
            (Self { sent: 0.0, micros: 0.0, inside: 0.0, commands: String::new() }, Vec::new());
        for (name, counted) in counts {
            if SENT.contains(&name.as_str()) {
                cost.sent += each(counted.calls);
                cost.micros += each(counted.micros);
            } else {
                cost.inside += each(counted.calls);
                commands.push(format!("{name} {:.2}", each(counted.calls)));
            }
        }
        cost.commands = commands.join(", ");
        cost
    }
}
