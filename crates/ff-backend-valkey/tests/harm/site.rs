//! A namespace on a real server by the real clock: backends, requests with ids, and waiting for
//! what other processes do.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    ClaimRequest, EngineBackend, EngineError, IdSource, SeededEntropy, Submission, SystemClock,
    Task,
};
use ff_types::backend::{
    BackendConfig, BackendTimeouts, CapabilitySet, ClaimPolicy, ScannerFilter,
};
use ff_types::{
    ExecutionPolicy, LaneId, Namespace, Payload, TaskKind, WorkerId, WorkerInstanceId, limits,
};
use tokio::time::Instant;

use crate::support::servers::Servers;
use crate::support::store::Store;

/// The lane of everything here.
pub(crate) const LANE: &str = "main";
/// The shortest lease there is.
pub(crate) const TTL: Duration = Duration::from_millis(limits::LEASE_TTL_MIN_MS);
/// How long one request may take: short, so that a server that is gone is noticed.
const REQUEST: Duration = Duration::from_secs(2);
/// Between two looks at something.
const PAUSE: Duration = Duration::from_millis(5);

/// A namespace behind an address.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) url: String,
    pub(crate) namespace: Namespace,
    pub(crate) ids: IdSource,
    pub(crate) partitions: u16,
}

impl Site {
    /// A namespace of its own.
    pub(crate) fn new(url: impl Into<String>, partitions: u16) -> CaseResult<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        Self::open(url, &format!("harm-{}-{number}", std::process::id()), partitions)
    }

    /// A namespace by its name.
    pub(crate) fn open(
        url: impl Into<String>,
        namespace: &str,
        partitions: u16,
    ) -> CaseResult<Self> {
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::from_os()));
        Ok(Self { url: url.into(), namespace: Namespace::new(namespace)?, ids, partitions })
    }

    /// The same namespace behind another address.
    pub(crate) fn at(&self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self.clone() }
    }

    pub(crate) fn config(&self) -> CaseResult<BackendConfig> {
        let timeouts = BackendTimeouts::new().with_request(REQUEST);
        let config = BackendConfig::from_url(&self.url)?.with_namespace(self.namespace.clone());
        Ok(config.with_timeouts(timeouts))
    }

    /// A backend with connections of its own, as another process has it.
    pub(crate) async fn connect(&self) -> CaseResult<Arc<dyn EngineBackend>> {
        let builder = ValkeyBackend::builder(&self.config()?)?.partitions(self.partitions);
        Ok(Arc::new(builder.connect().await?))
    }

    /// A look at what is stored on this one server. What is stored goes when it is dropped.
    pub(crate) fn store(&self) -> CaseResult<Arc<Store>> {
        let servers = Servers::Named(self.url.clone());
        Store::open(&servers, &self.namespace, self.partitions)
            .map_err(|error| CaseError::new(error.to_string()))
    }

    /// A submission that bears any number of lost leases.
    pub(crate) fn submission(&self) -> CaseResult<Submission> {
        let policy = ExecutionPolicy::default().with_max_reclaims(limits::RECLAIMS_MAX);
        let (lane, kind) = (LaneId::new(LANE)?, TaskKind::new("task")?);
        let payload = Payload::new("payload");
        Ok(Submission::new(self.ids.execution_id(), lane, kind, payload).with_policy(policy))
    }

    /// Another worker.
    pub(crate) fn worker(&self) -> Worker {
        Worker {
            ids: self.ids.clone(),
            id: self.ids.worker_id(),
            instance: self.ids.worker_instance_id(),
            ttl: TTL,
        }
    }
}

/// Who claims.
#[derive(Clone)]
pub(crate) struct Worker {
    ids: IdSource,
    id: WorkerId,
    pub(crate) instance: WorkerInstanceId,
    ttl: Duration,
}

impl Worker {
    /// Takes leases of this length.
    pub(crate) fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(crate) fn policy(&self) -> ClaimPolicy {
        ClaimPolicy::immediate(self.id, self.instance).with_lease_ttl(self.ttl)
    }

    /// A claim of up to `most` of what there is, reclaims too, under a new request id.
    pub(crate) fn request(
        &self,
        most: u32,
        max_wait: Option<Duration>,
    ) -> CaseResult<ClaimRequest> {
        let mut policy = self.policy().with_max_tasks(most);
        policy.max_wait = max_wait;
        let id = self.ids.request_id();
        let request = ClaimRequest::new(id, LaneId::new(LANE)?, CapabilitySet::new(), policy);
        Ok(request.with_reclaims(ScannerFilter::NOOP))
    }

    /// Claims until it has something, tokens used. Every call is repeated until it is answered.
    pub(crate) async fn take(
        &self,
        backend: &dyn EngineBackend,
        most: u32,
        max_wait: Duration,
    ) -> CaseResult<Vec<Task>> {
        let request = self.request(most, Some(max_wait))?;
        let outcome = patiently(|| backend.claim(&request)).await?;
        let mut tasks = outcome.tasks;
        let policy = self.policy();
        for token in outcome.reclaims {
            match patiently(|| backend.claim_from_reclaim(&token, &policy)).await {
                Ok(task) => tasks.push(task),
                // The token may have run out, or its execution ended, while the server was away.
                Err(EngineError::State { .. } | EngineError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(tasks)
    }
}

/// How long a call is repeated before the server counts as gone for good.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the same call again until it is answered.
pub(crate) async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && Instant::now() < end => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Looks until there is an answer.
pub(crate) async fn until<T, F>(
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> F,
) -> CaseResult<T>
where
    F: Future<Output = CaseResult<Option<T>>>,
{
    let end = Instant::now() + bound;
    loop {
        if let Some(answer) = look().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(CaseError::new(format!("not within {bound:?}: {what}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Fails the test with this message.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> CaseResult {
    if holds { Ok(()) } else { Err(CaseError::new(message())) }
}
