//! The client: submits jobs, waits for their ends, and steers executions.
//!
//! It holds no state but a backend and a source of ids. Every call is repeated, with back-off and
//! a bound, while the backend does not answer; each request carries its identity, so that a repeat
//! has no second effect.

mod asking;
mod budget;
mod completions;
mod flow;
mod lane;
mod operate;
mod result;
mod schedule;
mod signal;
mod submit;
mod tail;

use std::fmt;
use std::sync::Arc;

use ff_engine::{EngineBackend, EngineError, IdSource, SeededEntropy, SystemClock};

pub use completions::{Completions, CompletionsError};
pub use result::ResultError;
pub use signal::{IntoToken, SendSignal};
pub use tail::{Tail, TailEvent};

use crate::retry::{Backoff, CallRetry, repeat};

/// Submits, signals and steers. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use ff_backend_mem::MemBackend;
/// use ff_sdk::{Client, Job};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ff_engine::EngineError> {
/// let client = Client::new(Arc::new(MemBackend::new()));
/// let job = Job::new("greet", &"Ada").idempotency_key("greeting-1");
/// let first = client.submit(&job).await?;
/// let again = client.submit(&job).await?;
/// assert_eq!(first.id(), again.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) backend: Arc<dyn EngineBackend>,
    pub(crate) ids: IdSource,
    pub(crate) retry: CallRetry,
}

impl Client {
    /// A client on the machine's clock.
    pub fn new(backend: Arc<dyn EngineBackend>) -> Self {
        let clock = Arc::new(SystemClock);
        let entropy = Arc::new(SeededEntropy::from_os());
        Self::with_ids(backend, IdSource::new(clock, entropy))
    }

    /// A client whose ids come from `ids`; it counts and waits by the clock of that source.
    pub fn with_ids(backend: Arc<dyn EngineBackend>, ids: IdSource) -> Self {
        Self { backend, ids, retry: CallRetry::default() }
    }

    /// Sets how calls are repeated while the backend does not answer.
    #[must_use]
    pub const fn call_retry(mut self, retry: CallRetry) -> Self {
        self.retry = retry;
        self
    }

    /// The backend it talks to.
    pub fn backend(&self) -> &Arc<dyn EngineBackend> {
        &self.backend
    }

    pub(crate) async fn repeat<T, Fut>(&self, call: impl FnMut() -> Fut) -> Result<T, EngineError>
    where
        Fut: Future<Output = Result<T, EngineError>>,
    {
        let spread = self.ids.request_id().as_u128();
        let backoff = Backoff::new(self.retry, low_bits(spread));
        repeat(self.ids.clock().as_ref(), backoff, call).await
    }
}

/// The random end of an id.
#[expect(clippy::cast_possible_truncation, reason = "the low half is the random one")]
pub(crate) const fn low_bits(id: u128) -> u64 {
    id as u64
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("backend", &self.backend.tag())
            .field("namespace", self.backend.namespace())
            .finish_non_exhaustive()
    }
}
