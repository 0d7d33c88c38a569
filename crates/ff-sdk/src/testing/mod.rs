//! Testing handlers in virtual time.
//!
//! A [`TestEngine`] runs jobs through the same handlers as a worker, one at a time, on a clock that
//! moves only when nothing is left to do now. A week of retries passes in milliseconds, and the
//! same test gives the same history every time.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{
    ClaimOutcome, ClaimRequest, Clock, EngineBackend, EngineError, ExecutionResult, Explanation,
    FlowView, IdSource, ListRequest, ManualClock, SeededEntropy, TickRequest,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_types::{ExecutionId, ExecutionState, FlowId, LaneId, TimestampMs, ValueError, limits};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::client::Client;
use crate::handlers::Handlers;
use crate::retry::CallRetry;
use crate::task::attempt::{Attempt, Desk};
use crate::worker::attempt;

const SEED: u64 = 0x5EED;

/// Why an execution did not end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// Nothing will ever happen to it again by itself.
    #[error("the execution will never end: {0}")]
    Stuck(Explanation),
    /// The backend refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A backend, a clock and handlers, driven by the test.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ff_backend_mem::MemBackend;
/// use ff_sdk::prelude::*;
/// use ff_sdk::testing::TestEngine;
/// use ff_sdk::{Backoff, Jitter, RetryPolicy};
///
/// async fn charge(task: ClaimedTask, cents: u64) -> Result<u64, TaskError> {
///     match task.retries() {
///         0..=6 => Err(TaskError::transient("the bank is closed")),
///         _ => Ok(cents),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()))
///     .handlers(Handlers::new().handler("charge", charge));
/// let daily = RetryPolicy::default()
///     .with_max_retries(7)
///     .with_backoff(Backoff::Fixed { delay_ms: 24 * 3_600_000 })
///     .with_jitter(Jitter::None);
///
/// let start = engine.now();
/// let job = Job::new("charge", &1_250).retry(daily);
/// let id = engine.client().submit(&job).await?.id();
/// engine.run_until_ended(id).await?;
///
/// assert_eq!(engine.client().result::<u64>(id).await?, 1_250);
/// assert_eq!(engine.now().saturating_since(start), Duration::from_secs(7 * 24 * 3_600));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestEngine {
    clock: ManualClock,
    ids: IdSource,
    client: Client,
    handlers: Handlers,
    capabilities: CapabilitySet,
    policy: ClaimPolicy,
}

impl TestEngine {
    /// An engine over the backend that `backend` makes on the test's clock.
    pub fn new(backend: impl FnOnce(Arc<dyn Clock>) -> Arc<dyn EngineBackend>) -> Self {
        let clock = ManualClock::default();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let ids = IdSource::new(Arc::clone(&shared), Arc::new(SeededEntropy::new(SEED)));
        let client = Client::with_ids(backend(Arc::clone(&shared)), ids.clone());
        let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id())
            .with_lease_ttl(Duration::from_millis(limits::LEASE_TTL_MAX_MS));
        Self {
            clock,
            ids,
            client,
            handlers: Handlers::new(),
            capabilities: CapabilitySet::new(),
            policy,
        }
    }

    /// Runs jobs with these handlers.
    #[must_use]
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.handlers = handlers;
        self
    }

    /// Offers these capabilities.
    pub fn capabilities<I>(mut self, capabilities: I) -> Result<Self, ValueError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.capabilities = CapabilitySet::from_tokens(capabilities)?;
        Ok(self)
    }

    /// A client on the same backend and clock.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The virtual present.
    pub fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// Moves the clock. What becomes due by it happens in the next run.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Runs everything that is ready now, and whatever that makes ready, on all lanes. Answers how
    /// many attempts ran. The clock does not move.
    pub async fn run_ready(&self) -> Result<usize, EngineError> {
        let mut ran = 0;
        loop {
            self.tick().await?;
            let before = ran;
            for lane in self.ready_lanes().await? {
                while let Some(attempt) = self.claim(&lane).await? {
                    self.run(attempt).await;
                    ran += 1;
                }
            }
            if ran == before {
                return Ok(ran);
            }
        }
    }

    /// Runs what is ready, and moves the clock to what is due next, until the execution has ended.
    ///
    /// # Errors
    /// [`TestError::Stuck`] when it waits for something that time does not bring, such as the
    /// release of a hold.
    pub async fn run_until_ended(&self, id: ExecutionId) -> Result<ExecutionResult, TestError> {
        loop {
            self.run_ready().await?;
            if self.client.describe(id).await?.state.is_terminal() {
                return Ok(self.client.result_raw(id).await?);
            }
            match self.tick().await? {
                Some(due) if self.waits_for_time(id).await? => {
                    self.advance(due.saturating_since(self.now()));
                }
                _ => return Err(TestError::Stuck(self.client.explain(id).await?)),
            }
        }
    }

    /// The same for a whole flow; answers how it stands at its end.
    ///
    /// # Errors
    /// [`TestError::Stuck`] when one of its nodes waits for something that time does not bring.
    pub async fn run_flow_until_ended(&self, id: FlowId) -> Result<FlowView, TestError> {
        loop {
            self.run_ready().await?;
            let view = self.client.flow(id).describe().await?;
            if view.summary.state.is_terminal() {
                return Ok(view);
            }
            match self.tick().await? {
                Some(due) if self.flow_waits_for_time(&view).await? => {
                    self.advance(due.saturating_since(self.now()));
                }
                _ => {
                    let node = view.critical.first().expect("an open flow waits for a node");
                    return Err(TestError::Stuck(self.client.explain(node.execution_id).await?));
                }
            }
        }
    }

    async fn flow_waits_for_time(&self, view: &FlowView) -> Result<bool, EngineError> {
        for node in &view.critical {
            if self.waits_for_time(node.execution_id).await? {
                return Ok(true);
            }
        }
        Ok(view.deadline.is_some())
    }

    /// Whether time alone can change anything about the execution, or about one it may wait for.
    async fn waits_for_time(&self, id: ExecutionId) -> Result<bool, EngineError> {
        if self.client.explain(id).await?.clears_at.is_some() {
            return Ok(true);
        }
        let view = self.client.describe(id).await?;
        if let Some(flow) = view.waits_for {
            let flow = self.client.flow(flow).describe().await?;
            if Box::pin(self.flow_waits_for_time(&flow)).await? {
                return Ok(true);
            }
        }
        let delayed = ListRequest::new().with_state(ExecutionState::Delayed);
        Ok(view.deadline.is_some() || !self.client.list_all(delayed, 1).await?.is_empty())
    }

    /// Does what is due now; answers when something is due next.
    async fn tick(&self) -> Result<Option<TimestampMs>, EngineError> {
        loop {
            let outcome = self.client.backend().tick(&TickRequest::all()).await?;
            if outcome.handled() == 0 {
                return Ok(outcome.next_due);
            }
        }
    }

    async fn ready_lanes(&self) -> Result<Vec<LaneId>, EngineError> {
        let ready =
            ListRequest::new().with_state(ExecutionState::Ready).with_limit(limits::LIST_LIMIT_MAX);
        let items = self.client.list_all(ready, usize::MAX).await?;
        let mut lanes: Vec<LaneId> = items.into_iter().map(|item| item.lane).collect();
        lanes.sort();
        lanes.dedup();
        Ok(lanes)
    }

    async fn claim(&self, lane: &LaneId) -> Result<Option<Arc<Attempt>>, EngineError> {
        let request = ClaimRequest::new(
            self.ids.request_id(),
            lane.clone(),
            self.capabilities.clone(),
            self.policy,
        )
        .with_reclaims(ScannerFilter::NOOP);
        let backend = self.client.backend();
        let ClaimOutcome { mut tasks, mut reclaims, .. } = backend.claim(&request).await?;
        let task = match (tasks.pop(), reclaims.pop()) {
            (Some(task), _) => task,
            (None, Some(token)) => backend.claim_from_reclaim(&token, &self.policy).await?,
            (None, None) => return Ok(None),
        };
        let desk = Desk {
            backend: Arc::clone(backend),
            clock: Arc::new(self.clock.clone()),
            ids: self.ids.clone(),
            retry: CallRetry::default(),
            state: self.handlers.extensions().clone(),
        };
        Ok(Some(Attempt::new(task, Arc::new(desk))))
    }

    async fn run(&self, attempt: Arc<Attempt>) {
        let span = attempt::span(&attempt.task);
        attempt::run(&self.handlers, &attempt, &CancellationToken::new()).instrument(span).await;
    }
}
