//! A hundred thousand executions, many workers, lost calls and crashing handlers: everything ends,
//! and nothing ends twice.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_conformance::{FaultPlan, Faulty};
use ff_engine::{
    AttemptOps, ClaimOps, ClaimRequest, EngineBackendExt, EngineError, Entropy, IdSource,
    ListRequest, ManualClock, SeededEntropy, Submission, SubmitOps, Task, TickRequest, TimerOps,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, LaneId, Payload, TaskKind, limits};
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const EXECUTIONS: usize = 100_000;
const WORKERS: usize = 64;
const FAULT_PERCENT: u8 = 10;
/// One task in so many is dropped by its worker, which then knows nothing of it any more.
const CRASH_ONE_IN: u64 = 50;
const CLAIM_TASKS: u32 = 16;
/// How often maintenance lets the workers go first before it lets a second pass.
const YIELDS_PER_SECOND: u32 = 100;

/// The answer of a call that is repeated with the same arguments while it gets none.
async fn answered<T, A>(call: impl Fn() -> A) -> Result<T, EngineError>
where
    A: Future<Output = Result<T, EngineError>>,
{
    loop {
        match call().await {
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
}

struct Soak {
    backend: Faulty,
    ids: IdSource,
    lane: LaneId,
    completed: AtomicUsize,
}

impl Soak {
    fn is_over(&self) -> bool {
        self.completed.load(Ordering::Relaxed) >= EXECUTIONS
    }

    async fn submit_all(&self) -> Outcome {
        let kind = TaskKind::new("task")?;
        let policy = ExecutionPolicy::default()
            .with_max_reclaims(limits::RECLAIMS_MAX)
            .with_retention(Duration::from_millis(limits::RETENTION_MAX_MS));
        for _ in 0..EXECUTIONS / limits::SUBMIT_BATCH_MAX {
            let one = || {
                let id = self.ids.execution_id();
                Submission::new(id, self.lane.clone(), kind.clone(), Payload::default())
                    .with_policy(policy)
            };
            let batch: Vec<_> = (0..limits::SUBMIT_BATCH_MAX).map(|_| one()).collect();
            let outcomes = answered(|| self.backend.submit_batch(&batch)).await?;
            assert!(outcomes.iter().all(Result::is_ok));
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Works until everything is done, and answers what it completed.
    async fn work(&self, dice: SeededEntropy) -> Outcome<Vec<ExecutionId>> {
        let policy = ClaimPolicy::immediate(self.ids.worker_id(), self.ids.worker_instance_id())
            .with_max_tasks(CLAIM_TASKS);
        let mut completed = Vec::new();
        while !self.is_over() {
            for task in self.claim(&policy).await? {
                if dice.next_u64().is_multiple_of(CRASH_ONE_IN) {
                    continue;
                }
                match answered(|| self.backend.complete(&task.handle, None)).await {
                    Ok(()) => {
                        completed.push(task.execution_id);
                        self.completed.fetch_add(1, Ordering::Relaxed);
                    }
                    // The lease ran out before the call: another worker does the work.
                    Err(error) => assert!(error.state_kind().is_some(), "{error}"),
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(completed)
    }

    async fn claim(&self, policy: &ClaimPolicy) -> Outcome<Vec<Task>> {
        let (id, lane) = (self.ids.request_id(), self.lane.clone());
        let request = ClaimRequest::new(id, lane, CapabilitySet::new(), *policy)
            .with_reclaims(ScannerFilter::NOOP);
        let outcome = answered(|| self.backend.claim(&request)).await?;
        let mut tasks = outcome.tasks;
        for token in outcome.reclaims {
            match answered(|| self.backend.claim_from_reclaim(&token, policy)).await {
                Ok(task) => tasks.push(task),
                Err(error) => assert!(error.state_kind().is_some(), "{error}"),
            }
        }
        Ok(tasks)
    }

    /// Lets time pass, so that what crashed workers held is lost and found.
    async fn maintain(&self, clock: ManualClock) -> Outcome {
        let request = TickRequest::all();
        while !self.is_over() {
            for _ in 0..YIELDS_PER_SECOND {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_secs(1));
            answered(|| self.backend.tick(&request)).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_ends_once_under_faults_and_crashes() {
    let clock = ManualClock::default();
    let store = MemBackend::builder().clock(Arc::new(clock.clone())).build();
    let soak = Arc::new(Soak {
        backend: Faulty::new(Arc::new(store.clone()), FaultPlan::new(1, FAULT_PERCENT)),
        ids: IdSource::new(Arc::new(ManualClock::default()), Arc::new(SeededEntropy::new(2))),
        lane: LaneId::new("main").unwrap(),
        completed: AtomicUsize::new(0),
    });

    let mut workers = JoinSet::new();
    for seed in (3..).take(WORKERS) {
        let soak = Arc::clone(&soak);
        workers.spawn(async move { soak.work(SeededEntropy::new(seed)).await });
    }
    let maintenance = {
        let (soak, clock) = (Arc::clone(&soak), clock.clone());
        tokio::spawn(async move { soak.maintain(clock).await })
    };
    soak.submit_all().await.unwrap();
    let completed: Outcome<Vec<_>> = workers.join_all().await.into_iter().collect();
    let completed = completed.unwrap().concat();
    maintenance.await.unwrap().unwrap();

    let distinct: HashSet<_> = completed.iter().collect();
    assert_eq!((completed.len(), distinct.len()), (EXECUTIONS, EXECUTIONS));
    store.check().unwrap();
    let request = ListRequest::new().with_limit(limits::LIST_LIMIT_MAX);
    let listed = store.list_all(request, usize::MAX).await.unwrap();
    assert_eq!(listed.len(), EXECUTIONS);
    assert!(listed.iter().all(|item| item.state == ExecutionState::Completed));

    clock.advance(Duration::from_millis(limits::RETENTION_MAX_MS));
    store.tick_until_quiet(&ScannerFilter::NOOP).await.unwrap();
    assert_eq!(store.usage(), ff_backend_mem::Usage::default());
}
