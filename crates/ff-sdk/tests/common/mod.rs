//! A rig for worker tests: an embedded engine and workers on one manual clock, and a backend in
//! between that counts calls, loses answers and goes away on command.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod flaky;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::{Clock, EngineBackend, IdSource, ManualClock, SeededEntropy};
use ff_sdk::prelude::*;
use ff_sdk::{CallRetry, WaitpointToken, WorkerBuilder};
use ff_types::ExecutionState;

pub(crate) use flaky::Flaky;

/// The lease of every worker of the rig.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(10);

/// Far more turns than any chain of wake-ups in these tests takes.
const TURNS: usize = 500;

pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) backend: Arc<Flaky>,
    pub(crate) client: Client,
    ids: IdSource,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let mem = MemBackend::builder().clock(Arc::clone(&shared)).build();
        let backend = Arc::new(Flaky::new(Arc::new(mem)));
        let ids = IdSource::new(Arc::clone(&shared), Arc::new(SeededEntropy::new(7)));
        let client = Client::with_ids(backend.clone(), ids.clone());
        Self { clock, backend, client, ids }
    }

    /// A worker on the rig's clock.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        let backend: Arc<dyn EngineBackend> = self.backend.clone();
        Worker::builder(backend)
            .clock(Arc::new(self.clock.clone()))
            .ids(self.ids.clone())
            .lease_ttl(LEASE_TTL)
            .call_retry(CallRetry::default())
    }

    pub(crate) async fn submit(&self, job: Job) -> ExecutionId {
        self.client.submit(&job).await.expect("the rig is up").id()
    }

    pub(crate) async fn state(&self, id: ExecutionId) -> ExecutionState {
        self.client.describe(id).await.expect("the rig is up").state
    }

    /// Lets every task run until all of them wait.
    pub(crate) async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// Moves the clock by `by` in small steps, each followed by all it sets off.
    pub(crate) async fn pass(&self, by: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.settle().await;
            self.clock.advance(step);
            left -= step;
        }
        self.settle().await;
    }
}

/// Where handlers post the tokens that they hand out.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Vec<WaitpointToken>>);

impl Mailbox {
    pub(crate) fn post(&self, token: WaitpointToken) {
        self.0.lock().expect("no test panics here").push(token);
    }

    pub(crate) fn all(&self) -> Vec<WaitpointToken> {
        self.0.lock().expect("no test panics here").clone()
    }

    pub(crate) fn latest(&self) -> WaitpointToken {
        self.all().pop().expect("a token was posted")
    }
}

/// A handler that reports its start and then waits until its task is to stop.
pub(crate) async fn until_stopped(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    task.cancellation().cancelled().await;
    Err(TaskError::transient("stopped"))
}

/// A handler that never ends by itself.
pub(crate) async fn stubborn(_task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    std::future::pending().await
}
