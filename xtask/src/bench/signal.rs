//! From a signal to the first line of the handler that it resumes, and what suspended executions
//! cost while they wait.

use std::time::Duration;

use anyhow::Context as _;
use ff_engine::{
    AttemptOps as _, ClaimOps as _, ClaimRequest, SuspendCondition, SuspendOutcome, SuspendRequest,
};
use ff_sdk::{ClaimedTask, Client, Job, Suspension, TaskError, Wait, Worker};
use ff_types::backend::{CapabilitySet, ClaimPolicy, WaitpointKind, WaitpointSpec, WaitpointToken};
use ff_types::{LaneId, WaitpointKey, limits};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::report::real;
use super::rig::{KIND, LANE, Rig, erased, filler};
use super::wake::{LOST_AFTER, pause};

/// How long what is sent for suspended executions is counted.
const WATCHED: Duration = Duration::from_secs(10);

/// What the handler tells the bench.
struct Told {
    suspended: mpsc::Sender<WaitpointToken>,
    resumed: mpsc::Sender<Instant>,
}

async fn wait_then_finish(task: ClaimedTask) -> Result<ff_sdk::Settled, TaskError> {
    let now = Instant::now();
    let told = task.state::<Told>()?;
    if task.is_resumed() {
        told.resumed.send(now).await?;
        return Ok(task.complete(None).await?);
    }
    match task.suspend(Wait::on("go")).await? {
        Suspension::Suspended(settled, mut waitpoints) => {
            let waitpoint = waitpoints.pop().ok_or_else(|| TaskError::permanent("no waitpoint"))?;
            told.suspended.send(waitpoint.token()).await?;
            Ok(settled)
        }
        Suspension::AlreadySatisfied(task) => Ok(task.complete(None).await?),
    }
}

/// In ms, each of so many signals to the first line of the handler, one at a time, with everything at
/// its default.
pub(super) async fn resumes(rig: &Rig, samples: usize) -> anyhow::Result<Vec<f64>> {
    let backend = rig.backend().await?;
    let client = Client::with_ids(erased(&backend), rig.ids.clone());
    let (suspended, mut tokens) = mpsc::channel(1);
    let (resumed, mut starts) = mpsc::channel(1);
    let worker = Worker::builder(erased(&backend))
        .lane(LANE)
        .ids(rig.ids.clone())
        .state(Told { suspended, resumed })
        .raw_handler(KIND, wait_then_finish)
        .build()?
        .start();
    let (random, mut took) = (rig.random(), Vec::with_capacity(samples));
    for _ in 0..samples {
        client.submit(&Job::raw(KIND, filler(64)).lane(LANE)).await?;
        let token = tokio::time::timeout(LOST_AFTER, tokens.recv()).await?;
        let token = token.context("the worker is there")?;
        tokio::time::sleep(pause(&random)).await;
        let sent = Instant::now();
        client.signal(token, "go").await?;
        let start = tokio::time::timeout(LOST_AFTER, starts.recv()).await?;
        let start = start.context("the worker is there")?;
        took.push(start.saturating_duration_since(sent).as_secs_f64() * 1_000.0);
    }
    worker.shutdown().await;
    Ok(took)
}

/// What suspended executions cost.
pub(super) struct Waiting {
    /// Bytes of each, with its submission of 64 B, its waitpoint and its timeout.
    pub(super) bytes: f64,
    /// Commands a second that are sent while an idle worker looks after them.
    pub(super) sent: f64,
}

/// Suspends so many executions, and watches them wait.
pub(super) async fn waiting(rig: &Rig, count: usize) -> anyhow::Result<Waiting> {
    let backend = rig.backend().await?;
    let before = rig.used_memory()?;
    rig.submit(&backend, &rig.submissions(count, 64)).await?;
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_max_tasks(limits::CLAIM_MAX_TASKS);
    let lane = LaneId::new(LANE)?;
    let mut left = count;
    while left > 0 {
        let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
        let outcome = backend.claim(&ClaimRequest::new(id, lane.clone(), offers, policy)).await?;
        anyhow::ensure!(!outcome.tasks.is_empty(), "{left} could not be claimed");
        let suspends = outcome.tasks.iter().map(|task| async {
            let (id, key) = (rig.ids.waitpoint_id(), WaitpointKey::new("approval")?);
            let spec = WaitpointSpec::fresh(id, key, WaitpointKind::External, "");
            let request = SuspendRequest::new(vec![spec], SuspendCondition::Any);
            let outcome = backend.suspend(&task.handle, &request).await?;
            anyhow::ensure!(matches!(outcome, SuspendOutcome::Suspended { .. }), "it did not wait");
            Ok(())
        });
        join_all(suspends).await.into_iter().collect::<anyhow::Result<()>>()?;
        left -= outcome.tasks.len();
    }
    let bytes = real(rig.used_memory()?.saturating_sub(before)) / real(count as u64);

    let worker = Worker::builder(erased(&backend))
        .lane(LANE)
        .raw_handler(KIND, async |task: ClaimedTask| Ok::<_, TaskError>(task.complete(None).await?))
        .build()?
        .start();
    tokio::time::sleep(super::idle::SETTLE).await;
    rig.reset_counts()?;
    tokio::time::sleep(WATCHED).await;
    let sent = super::idle::sent_per_second(&rig.counts()?, WATCHED);
    worker.shutdown().await;
    Ok(Waiting { bytes, sent })
}
