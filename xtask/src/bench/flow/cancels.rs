//! From what cancels many until the last of them is over, or until its holder has heard.
//!
//! What runs is held by worker instances with a connection each. They do nothing but listen; their
//! leases outlast the bench.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AttemptOps as _, CancelFlow, ClaimOps as _, ClaimRequest, CompletionsFrom, FlowOps as _,
    ReadCompletions, ReadOps as _, Task,
};
use ff_types::backend::{CancelFlowPolicy, CapabilitySet, ClaimPolicy, CompletionOf};
use ff_types::{ExecutionId, FlowId, LaneId, TerminalOutcome, WorkerInstanceId, limits};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::FlowArgs;
use super::graph::{Graphs, PARKED, SETTLE};
use crate::bench::parts::Found;
use crate::bench::report::percentile;
use crate::bench::rig::{LANE, Rig};

/// What the first of 100 and of 1,000 may take in the middle, and a cancel of 1,000 nearly always.
const FIRST_WINS_TARGETS_MS: &[(usize, f64)] = &[(100, 10.0), (1_000, 60.0)];
const WHOLE_FLOW_TARGET_MS: (usize, f64) = (1_000, 150.0);
const TTL: Duration = Duration::from_millis(limits::LEASE_TTL_MAX_MS);
/// How long nobody may hear anything before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(20);
const HEARING: Duration = Duration::from_millis(limits::MAX_WAIT_MAX_MS);

/// Siblings that wait, until the log has the last of their ends; siblings that run, until the last
/// holder has heard. The time starts with the call that completes the winner.
pub(super) async fn first_wins(
    rig: &Rig,
    args: &FlowArgs,
    siblings: usize,
) -> anyhow::Result<Found> {
    let mut holders = Holders::start(rig, args.holders).await?;
    let reader = rig.backend().await?;
    let (mut waiting, mut running) = (Vec::new(), Vec::new());
    for _ in 0..args.samples {
        let flow = Graphs::new(rig, args.payload, PARKED).race(siblings, LANE);
        holders.all[0].backend.submit_flow(&flow).await?;
        let winner = holders.claim(rig, 1).await?.remove(0);
        let from = reader.read_completions(&ReadCompletions::new(CompletionsFrom::Now)).await?.next;
        let start = Instant::now();
        let (end, completed) = tokio::join!(
            cancelled(&reader, CompletionsFrom::Cursor(from), flow.id(), siblings - 1),
            holders.all[0].backend.complete(&winner.handle, None),
        );
        completed?;
        waiting.push((end? - start).as_secs_f64() * 1e3);

        let flow = Graphs::new(rig, args.payload, LANE).race(siblings, LANE);
        holders.all[0].backend.submit_flow(&flow).await?;
        let tasks = holders.claim(rig, siblings).await?;
        let others = tasks[1..].iter().map(|task| task.execution_id).collect();
        let start = Instant::now();
        holders.all[0].backend.complete(&tasks[0].handle, None).await?;
        running.push((holders.heard(others).await? - start).as_secs_f64() * 1e3);
    }
    let mut found = Found::default();
    let named = |what: &str| format!("first of {siblings} wins, the others {what}");
    found.spread(&named("wait: to the last end"), &waiting);
    found.spread(&named("run: until the last holder has heard"), &running);
    for (_, target) in FIRST_WINS_TARGETS_MS.iter().filter(|(size, _)| *size == siblings) {
        for (what, millis) in [("wait", &waiting), ("run", &running)] {
            let name = named(&format!("{what}: p50 / the target of {target} ms"));
            found.ratio(name, percentile(millis, 50) / target);
        }
    }
    Ok(found)
}

/// A flow whose members all run is cancelled.
pub(super) async fn whole_flow(
    rig: &Rig,
    args: &FlowArgs,
    members: usize,
) -> anyhow::Result<Found> {
    let mut holders = Holders::start(rig, args.holders).await?;
    let operator = rig.backend().await?;
    let (mut answers, mut last) = (Vec::new(), Vec::new());
    for _ in 0..args.samples {
        let flow = Graphs::new(rig, args.payload, LANE).apart(members);
        operator.submit_flow(&flow).await?;
        let tasks = holders.claim(rig, members).await?;
        let all = tasks.iter().map(|task| task.execution_id).collect();
        let cancel = CancelFlow::new(rig.ids.request_id(), flow.id(), "the bench says so")
            .with_policy(CancelFlowPolicy::CancelAll);
        let start = Instant::now();
        operator.cancel_flow(&cancel).await?;
        answers.push(start.elapsed().as_secs_f64() * 1e3);
        last.push((holders.heard(all).await? - start).as_secs_f64() * 1e3);
    }
    let mut found = Found::default();
    let named = |what: &str| format!("cancel of {members} that run: {what}");
    found.spread(&named("answered"), &answers);
    found.spread(&named("until the last holder has heard"), &last);
    let (size, target) = WHOLE_FLOW_TARGET_MS;
    if members == size {
        let name = named(&format!("p99 / the target of {target} ms"));
        found.ratio(name, percentile(&last, 99) / target);
    }
    found.ratio(named("answered / heard, p50"), percentile(&answers, 50) / percentile(&last, 50));
    Ok(found)
}

/// When the log has shown so many cancelled members.
async fn cancelled(
    backend: &ValkeyBackend,
    mut from: CompletionsFrom,
    flow: FlowId,
    mut left: usize,
) -> anyhow::Result<Instant> {
    while left > 0 {
        let request =
            ReadCompletions::new(from).with_limit(limits::LIST_LIMIT_MAX).with_max_wait(PATIENCE);
        let page = backend.read_completions(&request).await?;
        anyhow::ensure!(!page.items.is_empty(), "{left} of {flow} do not end");
        left -= page
            .items
            .iter()
            .filter(|end| end.ended == CompletionOf::Execution && end.flow_id == Some(flow))
            .filter(|end| end.outcome == TerminalOutcome::Cancelled)
            .count();
        from = CompletionsFrom::Cursor(page.next);
    }
    Ok(Instant::now())
}

/// Worker instances that claim, and hear of cancellations.
struct Holders {
    all: Vec<Holder>,
    told: mpsc::Receiver<(ExecutionId, Instant)>,
    listeners: JoinSet<anyhow::Result<()>>,
}

struct Holder {
    backend: Arc<ValkeyBackend>,
    policy: ClaimPolicy,
}

impl Holders {
    async fn start(rig: &Rig, count: usize) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel(limits::FLOW_NODES_MAX);
        let (mut all, mut listeners) = (Vec::new(), JoinSet::new());
        for _ in 0..count {
            let (backend, instance) = (rig.backend().await?, rig.ids.worker_instance_id());
            let policy = ClaimPolicy::immediate(rig.ids.worker_id(), instance).with_lease_ttl(TTL);
            listeners.spawn(listen(Arc::clone(&backend), instance, tell.clone()));
            all.push(Holder { backend, policy });
        }
        tokio::time::sleep(SETTLE).await;
        Ok(Self { all, told, listeners })
    }

    /// Claims so many, each holder its share.
    async fn claim(&self, rig: &Rig, count: usize) -> anyhow::Result<Vec<Task>> {
        let mut tasks = Vec::with_capacity(count);
        let (share, lane) = (count.div_ceil(self.all.len()), LaneId::new(LANE)?);
        for holder in &self.all {
            let mut wanted = share.min(count - tasks.len());
            while wanted > 0 {
                let most = u32::try_from(wanted)?.min(limits::CLAIM_MAX_TASKS);
                let policy = holder.policy.with_max_tasks(most);
                let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
                let request = ClaimRequest::new(id, lane.clone(), offers, policy);
                let claimed = holder.backend.claim(&request).await?.tasks;
                anyhow::ensure!(!claimed.is_empty(), "{wanted} cannot be claimed");
                wanted -= claimed.len();
                tasks.extend(claimed);
            }
        }
        Ok(tasks)
    }

    /// When the last of these was heard of.
    async fn heard(&mut self, mut awaited: HashSet<ExecutionId>) -> anyhow::Result<Instant> {
        let mut last = Instant::now();
        while !awaited.is_empty() {
            let told = tokio::select! {
                told = tokio::time::timeout(PATIENCE, self.told.recv()) => told,
                Some(failed) = self.listeners.join_next() => {
                    failed??;
                    continue;
                }
            };
            let told = told.with_context(|| format!("{} were never heard of", awaited.len()))?;
            let (execution, at) = told.context("the holders listen")?;
            if awaited.remove(&execution) {
                last = at;
            }
        }
        Ok(last)
    }
}

async fn listen(
    backend: Arc<ValkeyBackend>,
    instance: WorkerInstanceId,
    tell: mpsc::Sender<(ExecutionId, Instant)>,
) -> anyhow::Result<()> {
    loop {
        for execution in backend.await_cancels(instance, HEARING).await? {
            tell.send((execution, Instant::now())).await?;
        }
    }
}
