//! Worker processes that are killed or stopped while they hold leases: their work is done once, by
//! another, soon after the leases ran out, and what they write late is refused.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{EngineBackend, Task};
use ff_types::{ExecutionId, ExecutionState, Payload};
use ff_valkey_server::{Options, Server};
use tokio::time::Instant;

use crate::child::{Child, maintain};
use crate::site::{Site, TTL, Worker, ensure, until};

/// Executions that a worker holds.
const HELD: u32 = 4;
/// Renewals that keep a lease longer than its TTL.
const RENEWALS: &str = "renewed 6";
/// Beyond the TTL: one second is promised, one more is for a machine under load.
const SLACK: Duration = Duration::from_secs(2);
const PROMPTLY: Duration = Duration::from_secs(10);
/// Verbs that a late holder tries on each execution.
const LATE_VERBS: usize = 6;

/// A site with work that a child holds.
struct Scene {
    child: Child,
    ids: Vec<ExecutionId>,
    backend: Arc<dyn EngineBackend>,
    site: Site,
    server: Server,
}

impl Scene {
    async fn open(role: &str) -> CaseResult<Self> {
        let server = Server::start(&Options::new())?;
        let site = Site::new(server.url(), 1)?;
        let backend = site.connect().await?;
        let mut ids = Vec::new();
        for _ in 0..HELD {
            ids.push(backend.submit(&site.submission()?).await?.id());
        }
        let mut child = Child::start(role, &site)?;
        child.says(&format!("holds {HELD}")).await?;
        child.says(RENEWALS).await?;
        Ok(Self { child, ids, backend, site, server })
    }

    /// Takes everything over; a maintainer runs meanwhile.
    async fn take_over(&self, worker: &Worker) -> CaseResult<Vec<Task>> {
        let backend = self.backend.as_ref();
        let taking = async {
            let mut tasks = Vec::new();
            while tasks.len() < self.ids.len() {
                tasks.extend(worker.take(backend, HELD, PROMPTLY).await?);
            }
            Ok(tasks)
        };
        tokio::select! {
            tasks = taking => tasks,
            ended = maintain(backend) => Err(CaseError::new(format!("no maintenance: {ended:?}"))),
        }
    }

    /// Everything is completed once, by the attempt behind the lost one.
    async fn check_done(&self) -> CaseResult {
        for id in &self.ids {
            let view = self.backend.describe_execution(*id).await?;
            ensure(view.state == ExecutionState::Completed, || format!("{id}: {:?}", view.state))?;
            let result = view.result.as_ref().map(|result| result.bytes().to_vec());
            ensure(result.as_deref() == Some(&b"done"[..]), || format!("{id}: {result:?}"))?;
            let attempt = view.attempt.map(|attempt| attempt.index.0);
            ensure((attempt, view.reclaims) == (Some(1), 1), || {
                format!("{id}: attempt {attempt:?}, {} reclaims", view.reclaims)
            })?;
        }
        let store = self.site.store()?;
        store.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
    }

    /// The codes of the late writes of the child, one a verb and execution.
    async fn late_writes(&mut self) -> CaseResult<Vec<String>> {
        let mut codes = Vec::new();
        loop {
            let line = self.child.line().await?;
            if line == "over" {
                break;
            }
            if line.starts_with("late ") {
                codes.push(line.rsplit(' ').next().unwrap_or_default().to_owned());
            }
        }
        ensure(codes.len() == LATE_VERBS * self.ids.len(), || format!("late writes: {codes:?}"))?;
        Ok(codes)
    }
}

async fn complete(backend: &dyn EngineBackend, tasks: &[Task]) -> CaseResult {
    for task in tasks {
        backend.complete(&task.handle, Some(&Payload::new("done"))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_work_of_a_killed_worker_is_done_by_another() -> CaseResult {
    let mut scene = Scene::open("maintaining holder").await?;
    let survivor = scene.site.worker();

    let killed = Instant::now();
    scene.child.kill()?;
    let tasks = scene.take_over(&survivor).await?;
    let took = killed.elapsed();

    println!("taken over {took:?} after the kill, with a TTL of {TTL:?}");
    ensure(took <= TTL + SLACK, || format!("taken over only after {took:?}"))?;
    complete(scene.backend.as_ref(), &tasks).await?;
    scene.check_done().await
}

#[tokio::test]
async fn a_stopped_worker_that_goes_on_after_others_took_over_writes_nothing() -> CaseResult {
    let mut scene = Scene::open("maintaining holder").await?;
    let survivor = scene.site.worker().with_ttl(PROMPTLY);

    let stopped = Instant::now();
    scene.child.stop()?;
    let tasks = scene.take_over(&survivor).await?;
    let took = stopped.elapsed();
    // Some are done before the old holder goes on, the others while the new one works.
    complete(scene.backend.as_ref(), &tasks[..2]).await?;
    scene.child.go_on()?;
    let codes = scene.late_writes().await?;

    println!("taken over {took:?} after the stop, with a TTL of {TTL:?}");
    ensure(took <= TTL + SLACK, || format!("taken over only after {took:?}"))?;
    let refused = |code: &String| ["stale_lease", "lease_expired"].contains(&code.as_str());
    ensure(codes.iter().all(refused), || format!("late writes: {codes:?}"))?;
    let renewed = scene.backend.renew_batch(&handles(&tasks[2..])).await?;
    ensure(renewed.iter().all(Result::is_ok), || format!("the new leases: {renewed:?}"))?;
    complete(scene.backend.as_ref(), &tasks[2..]).await?;
    scene.check_done().await
}

fn handles(tasks: &[Task]) -> Vec<ff_types::backend::Handle> {
    tasks.iter().map(|task| task.handle.clone()).collect()
}

#[tokio::test]
async fn a_stopped_worker_that_nobody_replaced_writes_nothing_either() -> CaseResult {
    let mut scene = Scene::open("holder").await?;
    let store_now = async |server: &Server| -> CaseResult<i64> {
        let time = server.command(&["TIME"])?;
        let seconds =
            time.as_array().and_then(|parts| parts.first()?.as_str()?.parse::<i64>().ok());
        seconds.map(|seconds| seconds * 1_000).ok_or_else(|| CaseError::new("no time"))
    };

    scene.child.stop()?;
    until("the leases run out", PROMPTLY, || async {
        let now = store_now(&scene.server).await?;
        for id in &scene.ids {
            let lease = scene.backend.describe_execution(*id).await?.lease;
            if lease.is_some_and(|lease| lease.expires_at.as_i64() >= now) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    scene.child.go_on()?;
    let codes = scene.late_writes().await?;

    ensure(codes.iter().all(|code| code == "lease_expired"), || format!("late: {codes:?}"))?;
    let tasks = scene.take_over(&scene.site.worker()).await?;
    complete(scene.backend.as_ref(), &tasks).await?;
    scene.check_done().await
}
