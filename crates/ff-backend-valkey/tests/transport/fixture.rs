//! What the tests of the connection share: servers, short settings, and a job.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    AttemptOps, ClaimOps, ClaimRequest, EngineError, IdSource, ReadOps, ResultOutcome,
    ResultRequest, SeededEntropy, Submission, SubmitOps, SystemClock, Task,
};
use ff_types::backend::{BackendConfig, BackendRetry, BackendTimeouts, CapabilitySet, ClaimPolicy};
use ff_types::{ExecutionId, LaneId, Payload, TaskKind};
use ff_valkey_server::{Binary, Flavor, Options, Reply, Server};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a request of these tests may take.
pub(crate) const REQUEST: Duration = Duration::from_secs(1);
/// What a call may take beyond its timeout on a busy machine.
pub(crate) const A_LITTLE: Duration = Duration::from_millis(1_500);
/// After this time something that was to happen has not.
pub(crate) const BOUND: Duration = Duration::from_secs(20);
/// Longer than any test.
pub(crate) const FOREVER: Duration = Duration::from_secs(50);

/// How the server of `FF_TEST_SERVER` is run: Valkey unless that says `redis`.
pub(crate) fn options() -> Options {
    let flavor = match std::env::var("FF_TEST_SERVER").as_deref() {
        Ok("redis") => Flavor::Redis,
        _ => Flavor::Valkey,
    };
    Options::new().binary(Binary::find(flavor).expect("a server is installed"))
}

pub(crate) fn server() -> Server {
    Server::start(&options()).expect("the server starts")
}

/// A configuration with a short timeout and fast reconnects.
pub(crate) fn config(url: &str) -> BackendConfig {
    let retry = BackendRetry::new().with_factor(10).with_number_of_retries(4);
    BackendConfig::from_url(url)
        .expect("the URL is one")
        .with_timeouts(BackendTimeouts::new().with_request(REQUEST))
        .with_retry(retry)
}

pub(crate) async fn connect_as(config: &BackendConfig) -> Result<ValkeyBackend, EngineError> {
    ValkeyBackend::builder(config)?.connect().await
}

pub(crate) async fn connect(url: &str) -> ValkeyBackend {
    connect_as(&config(url)).await.expect("it connects")
}

/// The reply of a server to a command that succeeds, as text.
pub(crate) fn ask(server: &Server, words: &[&str]) -> String {
    let reply = server.command(words).and_then(Reply::into_result).expect("the server answers");
    reply.as_str().map(str::to_owned).unwrap_or_default()
}

/// Requests of one worker.
pub(crate) struct Worker(IdSource);

impl Worker {
    pub(crate) fn new() -> Self {
        Self(IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::from_os())))
    }

    pub(crate) fn submission(&self) -> Submission {
        let (lane, kind) = (LaneId::new("main").unwrap(), TaskKind::new("task").unwrap());
        Submission::new(self.0.execution_id(), lane, kind, Payload::default())
    }

    pub(crate) fn claim(&self, max_wait: Duration) -> ClaimRequest {
        let policy = ClaimPolicy::immediate(self.0.worker_id(), self.0.worker_instance_id());
        let lane = LaneId::new("main").unwrap();
        let policy = policy.with_max_wait(max_wait);
        ClaimRequest::new(self.0.request_id(), lane, CapabilitySet::new(), policy)
    }

    /// An id that nothing has.
    pub(crate) fn nobody(&self) -> ExecutionId {
        self.0.execution_id()
    }
}

/// A whole job: submitted, claimed, completed, and its result waited for.
pub(crate) async fn job(backend: &ValkeyBackend) -> Result<(), EngineError> {
    let worker = Worker::new();
    let id = backend.submit(&worker.submission()).await?.id();
    let task = claim(backend, &worker).await?;
    backend.complete(&task.handle, None).await?;
    let request = ResultRequest::new(id).with_max_wait(BOUND);
    assert!(matches!(backend.result(&request).await?, ResultOutcome::Ended(_)));
    Ok(())
}

pub(crate) async fn claim(backend: &ValkeyBackend, worker: &Worker) -> Result<Task, EngineError> {
    Ok(backend.claim(&worker.claim(BOUND)).await?.tasks.pop().expect("there is work"))
}

/// A claim that waits for work, once it does. It answers what it got.
pub(crate) async fn waiting_claim(backend: &ValkeyBackend, server: &Server) -> JoinHandle<Task> {
    let waiting = spawn_claim(backend);
    until("the claim waits", || async { is_armed(server) }).await;
    waiting
}

/// A claim that waits for work. It answers what it got.
pub(crate) fn spawn_claim(backend: &ValkeyBackend) -> JoinHandle<Task> {
    let claiming = backend.clone();
    tokio::spawn(async move {
        let outcome = claiming.claim(&Worker::new().claim(FOREVER)).await;
        outcome.expect("the claim is answered").tasks.pop().expect("it waits until there is work")
    })
}

/// Whether a claim waits in the store.
pub(crate) fn is_armed(server: &Server) -> bool {
    let key = "ff:{default/0}:w:main";
    server.command(&["EXISTS", key]).expect("the server answers").as_integer() == Some(1)
}

/// Whether some call answers, which is that there is no such execution.
pub(crate) async fn answers(backend: &ValkeyBackend) -> bool {
    let described = backend.describe_execution(Worker::new().nobody()).await;
    matches!(described, Err(EngineError::NotFound { .. }))
}

/// Asks until it holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < BOUND, "not within {BOUND:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The answer and the time it took.
pub(crate) async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let answer = tokio::time::timeout(FOREVER, call).await.expect("the call does not hang");
    (answer, start.elapsed())
}

/// The answer of something that has to come.
pub(crate) async fn soon<T>(what: &str, answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, answer).await.unwrap_or_else(|_| panic!("not in {BOUND:?}: {what}"))
}

/// The call failed for want of an answer.
#[track_caller]
pub(crate) fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, EngineError>) {
    let error = answer.expect_err("it has no answer");
    assert!(matches!(error.code(), "unavailable" | "unavailable_timeout"), "{error:?}");
    assert!(error.is_retryable(), "{error:?}");
}
