//! Setting a worker up.
//!
//! Setters never fail; `build` checks everything and answers the first problem.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::{Clock, EngineBackend, EngineError, IdSource, SeededEntropy, SystemClock};
use ff_types::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_types::{LaneId, ValueError, WorkerId, WorkerInstanceId, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::Worker;
use crate::handlers::Handlers;
use crate::metrics::{Guarded, Metrics, NoMetrics};
use crate::retry::CallRetry;
use crate::task::attempt::Desk;
use crate::task::{ClaimedTask, Settled};
use crate::task_error::TaskError;

const CONCURRENCY_DEFAULT: usize = 16;
const MAX_WAIT_DEFAULT: Duration = Duration::from_secs(20);
const GRACE_DEFAULT: Duration = Duration::from_secs(30);
const ABORT_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// What a worker was told.
pub(crate) struct Config {
    pub(crate) ids: IdSource,
    pub(crate) worker: WorkerId,
    pub(crate) instance: WorkerInstanceId,
    pub(crate) lanes: Vec<LaneId>,
    pub(crate) capabilities: CapabilitySet,
    pub(crate) concurrency: usize,
    pub(crate) lease_ttl: Duration,
    pub(crate) max_wait: Duration,
    pub(crate) grace: Duration,
    pub(crate) abort_after: Duration,
    pub(crate) maintenance: bool,
    pub(crate) filter: ScannerFilter,
    pub(crate) handlers: Handlers,
    pub(crate) metrics: Arc<dyn Metrics>,
}

/// Sets up a [`Worker`].
#[must_use = "a builder does nothing until `build`"]
pub struct WorkerBuilder {
    backend: Arc<dyn EngineBackend>,
    clock: Arc<dyn Clock>,
    ids: Option<IdSource>,
    worker: Option<WorkerId>,
    lanes: Vec<LaneId>,
    capabilities: CapabilitySet,
    concurrency: usize,
    lease_ttl: Duration,
    max_wait: Duration,
    grace: Duration,
    abort_after: Duration,
    maintenance: bool,
    filter: ScannerFilter,
    handlers: Handlers,
    metrics: Arc<dyn Metrics>,
    retry: CallRetry,
    problem: Option<ValueError>,
}

impl WorkerBuilder {
    pub(crate) fn new(backend: Arc<dyn EngineBackend>) -> Self {
        Self {
            backend,
            clock: Arc::new(SystemClock),
            ids: None,
            worker: None,
            lanes: Vec::new(),
            capabilities: CapabilitySet::new(),
            concurrency: CONCURRENCY_DEFAULT,
            lease_ttl: Duration::from_millis(limits::LEASE_TTL_DEFAULT_MS),
            max_wait: MAX_WAIT_DEFAULT,
            grace: GRACE_DEFAULT,
            abort_after: ABORT_AFTER_DEFAULT,
            maintenance: true,
            filter: ScannerFilter::NOOP,
            handlers: Handlers::new(),
            metrics: Arc::new(NoMetrics),
            retry: CallRetry::default(),
            problem: None,
        }
    }

    /// Adds a lane to work on; without any it is [`DEFAULT_LANE`](crate::DEFAULT_LANE).
    ///
    /// Lanes share the slots. While a lane is empty it keeps one slot for itself, so that a flood
    /// on one lane cannot shut the others out; a busy lane takes all the others.
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        match LaneId::new(lane) {
            Ok(lane) if !self.lanes.contains(&lane) => self.lanes.push(lane),
            Ok(_) => {}
            Err(problem) => self.refuse(problem),
        }
        self
    }

    /// How many handlers run at once: 16 unless set, and at least one for each lane.
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// What this worker offers to jobs that require capabilities.
    pub fn capabilities<I>(mut self, capabilities: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        match CapabilitySet::from_tokens(capabilities) {
            Ok(capabilities) => self.capabilities = capabilities,
            Err(problem) => self.refuse(problem),
        }
        self
    }

    /// How long a lease lasts unless renewed: 30 s unless set, 1 s to 1 h. The time after which
    /// others take over when this process dies.
    pub const fn lease_ttl(mut self, lease_ttl: Duration) -> Self {
        self.lease_ttl = lease_ttl;
        self
    }

    /// How long one claim waits for work inside the backend: 20 s unless set, at most 1 min.
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// How long handlers may go on after a shutdown begins: 30 s unless set.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long handlers may take to stop once they are told to: 1 s unless set.
    pub const fn abort_after(mut self, abort_after: Duration) -> Self {
        self.abort_after = abort_after;
        self
    }

    /// Whether this worker does maintenance, as it does unless told not to. Somebody has to.
    pub const fn maintenance(mut self, maintenance: bool) -> Self {
        self.maintenance = maintenance;
        self
    }

    /// Narrows to one instance tag what this worker does for executions that have run before: its
    /// maintenance, and its taking up of lost and paused ones, with maintenance or without. Fresh
    /// work is not narrowed; lanes separate it.
    pub fn scanner_filter(mut self, filter: ScannerFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Adds a typed handler; see [`Handlers::handler`].
    pub fn handler<T, R, E, F, Fut>(mut self, kind: impl Into<String>, handler: F) -> Self
    where
        T: DeserializeOwned + Send,
        R: Serialize,
        E: Into<TaskError>,
        F: Fn(ClaimedTask, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.handlers = self.handlers.handler(kind, handler);
        self
    }

    /// Adds a raw handler; see [`Handlers::raw_handler`].
    pub fn raw_handler<E, F, Fut>(mut self, kind: impl Into<String>, handler: F) -> Self
    where
        E: Into<TaskError>,
        F: Fn(ClaimedTask) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Settled, E>> + Send + 'static,
    {
        self.handlers = self.handlers.raw_handler(kind, handler);
        self
    }

    /// Replaces all handlers and their state by these.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.handlers = handlers;
        self
    }

    /// Shares state with the handlers; see [`ClaimedTask::state`].
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.handlers = self.handlers.state(state);
        self
    }

    /// Like [`WorkerBuilder::state`], for state that others hold too.
    pub fn shared_state<S: Send + Sync + 'static>(mut self, state: Arc<S>) -> Self {
        self.handlers = self.handlers.shared_state(state);
        self
    }

    /// Counts what the worker does.
    pub fn metrics(mut self, metrics: impl Metrics) -> Self {
        self.metrics = Arc::new(Guarded::new(metrics));
        self
    }

    /// Sets the waits between repeated calls while the backend does not answer.
    pub const fn call_retry(mut self, retry: CallRetry) -> Self {
        self.retry = retry;
        self
    }

    /// Sleeps on `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes ids from `ids`.
    pub fn ids(mut self, ids: IdSource) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Names the worker, for operators; each run of the process is an instance of its own.
    pub const fn worker_id(mut self, worker: WorkerId) -> Self {
        self.worker = Some(worker);
        self
    }

    /// The worker.
    ///
    /// # Errors
    /// [`EngineError::Validation`] or [`EngineError::LimitExceeded`] names the first setting that
    /// is out of bounds.
    pub fn build(mut self) -> Result<Worker, EngineError> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        self.handlers.validate()?;
        if self.handlers.is_empty() {
            let problem = "must name at least one kind; add one with `.handler(kind, handler)`";
            return Err(EngineError::validation("handlers", problem));
        }
        if self.lanes.is_empty() {
            self.lanes.push(LaneId::new(crate::DEFAULT_LANE)?);
        }
        let (least, most) = (self.lanes.len(), Semaphore::MAX_PERMITS);
        if !(least..=most).contains(&self.concurrency) {
            let problem = format!(
                "must be within {least}..={most}, at least one a lane, is {}",
                self.concurrency
            );
            return Err(EngineError::validation("concurrency", problem));
        }
        let ids = self.ids.unwrap_or_else(|| {
            let entropy = Arc::new(SeededEntropy::from_os());
            IdSource::new(Arc::clone(&self.clock), entropy)
        });
        let worker = self.worker.unwrap_or_else(|| ids.worker_id());
        let instance = ids.worker_instance_id();
        ClaimPolicy::immediate(worker, instance)
            .with_lease_ttl(self.lease_ttl)
            .with_max_wait(self.max_wait)
            .validate()?;
        let desk = Arc::new(Desk {
            backend: self.backend,
            clock: self.clock,
            ids: ids.clone(),
            retry: self.retry,
            state: self.handlers.extensions().clone(),
        });
        let config = Config {
            worker,
            instance,
            ids,
            lanes: self.lanes,
            capabilities: self.capabilities,
            concurrency: self.concurrency,
            lease_ttl: self.lease_ttl,
            max_wait: self.max_wait,
            grace: self.grace,
            abort_after: self.abort_after,
            maintenance: self.maintenance,
            filter: self.filter,
            handlers: self.handlers,
            metrics: self.metrics,
        };
        Ok(Worker { config, desk })
    }

    fn refuse(&mut self, problem: ValueError) {
        self.problem.get_or_insert(problem);
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("lanes", &self.lanes)
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
    }
}
