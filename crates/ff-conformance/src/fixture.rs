//! What a case works with: one namespace, its clock, and the calls that most cases make.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ff_engine::{
    CancelExecution, ClaimRequest, EngineBackend, EngineBackendExt, ExecutionView, Hold, IdSource,
    ManualClock, ReclaimRequest, RecordStep, ReleaseHold, ReplayExecution, RevokeLease,
    SeededEntropy, Submission, Task, TickOutcome, TickRequest,
};
use ff_types::backend::{
    CapabilitySet, ClaimPolicy, FailureClass, FailureReason, ReclaimToken, ScannerFilter,
};
use ff_types::{
    ExecutionId, ExecutionState, LaneId, Payload, RetryPolicy, StepName, TaskKind, TimestampMs,
    WorkerId, WorkerInstanceId, limits,
};
use tokio::task::JoinHandle;

use crate::canary::CANARY;
use crate::coverage::Coverage;
use crate::expect::{CaseError, CaseResult, ensure, ensure_eq};
use crate::faults::{FaultPlan, Faulty, Patient};
use crate::harness::{Harness, Inspect, TestClock};
use crate::witness::Witness;

/// The lane that cases use unless the rule is about lanes.
pub const LANE: &str = "main";
/// The lease of a [`Fixture::policy`].
pub const LEASE_TTL_MS: u64 = limits::LEASE_TTL_DEFAULT_MS;
/// The real time after which a call that should have returned has not.
const PROMPTLY: Duration = Duration::from_secs(20);
/// The real time in which a call whose wait is over answers, unless the machine is busy.
const MOMENT: Duration = Duration::from_millis(20);
/// The real time that a call may take whose work grows with what is stored, and no faster.
const QUICKLY: Duration = Duration::from_secs(3);
/// How often a case lets its spawned tasks go first.
const YIELDS: u32 = 64;

/// How the backend of a fixture is wrapped.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where error codes are noted.
    pub coverage: Arc<Coverage>,
    /// Faults between case and backend, if any.
    pub faults: Option<FaultPlan>,
    /// Fixes the ids that the fixture makes.
    pub seed: u64,
    /// Whether the ids of executions are placed anywhere in a divided store, and not together.
    pub spread: bool,
}

/// One open namespace. Clones share it.
#[derive(Clone)]
pub struct Fixture {
    /// The backend under test, as the case sees it.
    pub backend: Arc<dyn EngineBackend>,
    /// The same backend without faults, for an answer that cannot be asked for again.
    pub faultless: Arc<dyn EngineBackend>,
    /// The clock that decides expiry.
    pub clock: Arc<dyn TestClock>,
    /// A look at what is stored.
    pub inspect: Arc<dyn Inspect>,
    /// Where ids come from; it shares no clock with the store.
    pub ids: IdSource,
    worker: WorkerId,
    instance: WorkerInstanceId,
    harness: Arc<dyn Harness>,
    setup: Setup,
    opened: Arc<AtomicU64>,
}

impl Fixture {
    /// Opens a fresh namespace of `harness`.
    pub async fn open(harness: Arc<dyn Harness>, setup: Setup) -> CaseResult<Self> {
        Self::open_nth(harness, setup, Arc::new(AtomicU64::new(0))).await
    }

    async fn open_nth(
        harness: Arc<dyn Harness>,
        setup: Setup,
        opened: Arc<AtomicU64>,
    ) -> CaseResult<Self> {
        let namespace = harness.open().await.map_err(|error| {
            CaseError::new(format!("{} opens no namespace: {error}", harness.name()))
        })?;
        let seed = setup.seed.wrapping_add(opened.fetch_add(1, Ordering::Relaxed));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let ids = IdSource::new(Arc::new(ManualClock::default()), entropy);
        let ids = if setup.spread { ids } else { ids.together(0) };
        let witness = |inner| Witness::new(inner, Arc::clone(&setup.coverage));
        let faultless: Arc<dyn EngineBackend> = Arc::new(witness(Arc::clone(&namespace.backend)));
        let backend: Arc<dyn EngineBackend> = match setup.faults {
            None => Arc::clone(&faultless),
            Some(plan) => {
                let faulty = Arc::new(Faulty::new(namespace.backend, plan));
                Arc::new(Patient::new(Arc::new(witness(faulty))))
            }
        };
        Ok(Self {
            backend,
            faultless,
            clock: namespace.clock,
            inspect: namespace.inspect,
            worker: ids.worker_id(),
            instance: ids.worker_instance_id(),
            ids,
            harness,
            setup,
            opened,
        })
    }

    /// Another fresh namespace of the same harness.
    pub async fn second(&self) -> CaseResult<Self> {
        let harness = Arc::clone(&self.harness);
        Self::open_nth(harness, self.setup.clone(), Arc::clone(&self.opened)).await
    }

    /// The same namespace as another worker sees it.
    #[must_use]
    pub fn worker(&self) -> Self {
        Self {
            worker: self.ids.worker_id(),
            instance: self.ids.worker_instance_id(),
            ..self.clone()
        }
    }

    /// The worker that claims through this fixture, and its instance.
    pub const fn worker_ids(&self) -> (WorkerId, WorkerInstanceId) {
        (self.worker, self.instance)
    }

    // Requests

    /// A submission of this kind to the lane [`LANE`], with a payload that
    /// no log may show.
    pub fn submission(&self, kind: &str) -> CaseResult<Submission> {
        let (lane, kind) = (LaneId::new(LANE)?, TaskKind::new(kind)?);
        Ok(Submission::new(self.ids.execution_id(), lane, kind, Payload::new(CANARY)))
    }

    /// A claim of one task from `lane`, offering nothing, under a new request id.
    pub fn claim_request(&self, lane: &str) -> CaseResult<ClaimRequest> {
        let (id, lane) = (self.ids.request_id(), LaneId::new(lane)?);
        Ok(ClaimRequest::new(id, lane, CapabilitySet::new(), self.policy()))
    }

    /// A request for up to `max_tokens` reclaim tokens of [`LANE`], under a new request id.
    pub fn reclaim_request(&self, max_tokens: u32) -> CaseResult<ReclaimRequest> {
        let (id, lane) = (self.ids.request_id(), LaneId::new(LANE)?);
        let request = ReclaimRequest::new(id, self.instance, lane, CapabilitySet::new());
        Ok(request.with_max_tokens(max_tokens))
    }

    /// One task, a lease of [`LEASE_TTL_MS`], no wait, in the name of this fixture's worker.
    pub fn policy(&self) -> ClaimPolicy {
        ClaimPolicy::immediate(self.worker, self.instance)
    }

    /// A hold under a new request id.
    pub fn hold_request(&self, id: ExecutionId) -> Hold {
        Hold::new(self.ids.request_id(), id)
    }

    /// The release of a hold under a new request id.
    pub fn release_hold_request(&self, id: ExecutionId) -> ReleaseHold {
        ReleaseHold::new(self.ids.request_id(), id)
    }

    /// A cancel under a new request id.
    pub fn cancel_request(&self, id: ExecutionId, reason: &str) -> CancelExecution {
        CancelExecution::new(self.ids.request_id(), id, reason)
    }

    /// A revoke under a new request id.
    pub fn revoke_request(&self, id: ExecutionId) -> RevokeLease {
        RevokeLease::new(self.ids.request_id(), id, "the case revokes it")
    }

    /// A replay under a new request id.
    pub fn replay_request(&self, id: ExecutionId) -> ReplayExecution {
        ReplayExecution::new(self.ids.request_id(), id)
    }

    /// The result of the step of this name, as bytes of no stated type.
    pub fn step(&self, name: &str, result: impl Into<bytes::Bytes>) -> CaseResult<RecordStep> {
        Ok(RecordStep::new(StepName::new(name)?, Payload::new(result)))
    }

    // Calls

    /// Submits and answers the id that the work has.
    pub async fn submit(&self, submission: &Submission) -> CaseResult<ExecutionId> {
        Ok(self.backend.submit(submission).await?.id())
    }

    /// Submits an execution with all defaults to [`LANE`].
    pub async fn submit_default(&self) -> CaseResult<ExecutionId> {
        self.submit(&self.submission("task")?).await
    }

    /// Submits `count` executions with all defaults, in the order of the answer.
    pub async fn submit_many(&self, count: usize) -> CaseResult<Vec<ExecutionId>> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let size = (count - ids.len()).min(limits::SUBMIT_BATCH_MAX);
            let batch: Vec<_> =
                (0..size).map(|_| self.submission("task")).collect::<CaseResult<_>>()?;
            for submitted in self.backend.submit_batch(&batch).await? {
                ids.push(submitted?.id());
            }
        }
        Ok(ids)
    }

    /// Claims up to `max_tasks` from [`LANE`].
    pub async fn claim_up_to(&self, max_tasks: u32) -> CaseResult<Vec<Task>> {
        let mut request = self.claim_request(LANE)?;
        request.policy = request.policy.with_max_tasks(max_tasks);
        Ok(self.backend.claim(&request).await?.tasks)
    }

    /// Claims the best task of [`LANE`], which must have one.
    pub async fn claim_one(&self) -> CaseResult<Task> {
        self.claim_if_any().await?.ok_or_else(|| CaseError::new("the lane has nothing to claim"))
    }

    /// Claims the best task of [`LANE`], if it has one.
    pub async fn claim_if_any(&self) -> CaseResult<Option<Task>> {
        Ok(self.claim_up_to(1).await?.pop())
    }

    /// Submits an execution and claims it.
    pub async fn submit_and_claim(&self, submission: &Submission) -> CaseResult<Task> {
        let id = self.submit(submission).await?;
        let task = self.claim_one().await?;
        ensure_eq!(task.execution_id, id, "the claimed execution");
        Ok(task)
    }

    /// Submits an execution with all defaults and claims it.
    pub async fn running(&self) -> CaseResult<Task> {
        self.submit_and_claim(&self.submission("task")?).await
    }

    /// An execution that has ended as `Completed`.
    pub async fn completed(&self) -> CaseResult<Task> {
        let task = self.running().await?;
        self.backend.complete(&task.handle, None).await?;
        Ok(task)
    }

    /// The tokens of everything the reclaim scanner has for [`LANE`], up to `max_tokens`.
    pub async fn tokens(&self, max_tokens: u32) -> CaseResult<Vec<ReclaimToken>> {
        Ok(self.backend.reclaimable(&self.reclaim_request(max_tokens)?).await?)
    }

    /// Takes up the best execution that the reclaim scanner has for [`LANE`].
    pub async fn reclaim_one(&self) -> CaseResult<Task> {
        let token = self.token().await?;
        Ok(self.backend.claim_from_reclaim(&token, &self.policy()).await?)
    }

    /// The token of the best execution that the reclaim scanner has for [`LANE`].
    pub async fn token(&self) -> CaseResult<ReclaimToken> {
        let token = self.tokens(1).await?.pop();
        token.ok_or_else(|| CaseError::new("the reclaim scanner has nothing"))
    }

    /// An execution whose lease was just lost, and the task of its old holder.
    pub async fn lost(&self) -> CaseResult<Task> {
        let task = self.running().await?;
        self.advance(LEASE_TTL_MS).await;
        self.settle().await?;
        Ok(task)
    }

    /// Everything about an execution.
    pub async fn describe(&self, id: ExecutionId) -> CaseResult<ExecutionView> {
        Ok(self.backend.describe_execution(id).await?)
    }

    /// The execution is in this state.
    pub async fn assert_is(&self, id: ExecutionId, state: ExecutionState) -> CaseResult {
        let view = self.describe(id).await?;
        ensure_eq!(view.state, state, "the state of {id}");
        Ok(())
    }

    // Time

    /// One maintenance call with the default limit.
    pub async fn tick(&self) -> CaseResult<TickOutcome> {
        Ok(self.backend.tick(&TickRequest::all()).await?)
    }

    /// Maintenance calls until nothing is due.
    pub async fn settle(&self) -> CaseResult<TickOutcome> {
        Ok(self.backend.tick_until_quiet(&ScannerFilter::NOOP).await?)
    }

    /// Lets this many milliseconds pass.
    pub async fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms)).await;
    }

    /// The present of the store.
    pub async fn now(&self) -> TimestampMs {
        self.clock.now().await
    }

    /// The present of the store and this many milliseconds.
    pub async fn in_ms(&self, ms: u64) -> TimestampMs {
        self.now().await.saturating_add(Duration::from_millis(ms))
    }

    /// Lets spawned tasks go on until they wait.
    pub async fn let_others_run(&self) {
        for _ in 0..YIELDS {
            tokio::task::yield_now().await;
        }
        self.inspect.at_rest().await;
    }

    /// The answer of something that has to happen without the clock being moved.
    pub async fn promptly<T>(&self, answer: impl Future<Output = T>) -> CaseResult<T> {
        tokio::time::timeout(PROMPTLY, answer)
            .await
            .map_err(|_| CaseError::new(format!("no answer within {PROMPTLY:?} of real time")))
    }

    /// The answer of a call whose wait ends with time: the clock moves on by this many milliseconds, and
    /// again when no answer has come in a moment.
    pub async fn as_time_passes<T>(&self, step_ms: u64, mut call: JoinHandle<T>) -> CaseResult<T> {
        self.let_others_run().await;
        let answer = self.promptly(async {
            loop {
                self.advance(step_ms).await;
                if let Ok(answer) = tokio::time::timeout(MOMENT, &mut call).await {
                    return answer;
                }
            }
        });
        Ok(answer.await??)
    }

    /// The answer of a call that has to scale, although much is stored.
    pub async fn quickly<T>(&self, answer: impl Future<Output = T>) -> CaseResult<T> {
        let start = tokio::time::Instant::now();
        let answer = answer.await;
        let took = start.elapsed();
        ensure!(took <= QUICKLY, "it took {took:?} of real time, expected at most {QUICKLY:?}");
        Ok(answer)
    }

    // The store

    /// The indexes of the store equal what its records say.
    pub async fn check(&self) -> CaseResult {
        let faults = self.inspect.check().await;
        faults.map_err(|faults| CaseError::new(format!("the store is inconsistent: {faults:#?}")))
    }

    /// Everything stored, as text.
    pub async fn snapshot(&self) -> String {
        self.inspect.snapshot().await
    }

    /// How many things are kept beyond what an empty namespace keeps.
    pub async fn leftovers(&self) -> u64 {
        self.inspect.leftovers().await
    }
}

/// A duration of `ms` milliseconds.
pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A failure of this class.
pub fn failure(class: FailureClass) -> ff_engine::FailRequest {
    ff_engine::FailRequest::new(class, FailureReason::new("the case fails it"))
}

/// Retries after exactly `delay_ms`.
pub fn retry_after(max_retries: u32, delay_ms: u64) -> RetryPolicy {
    RetryPolicy::default()
        .with_max_retries(max_retries)
        .with_backoff(ff_types::Backoff::Fixed { delay_ms })
        .with_jitter(ff_types::Jitter::None)
}
