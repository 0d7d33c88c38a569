//! What a backend author supplies: namespaces to test in, a clock to move, and a look inside.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::{Clock, EngineBackend, ManualClock};
use ff_types::TimestampMs;

/// Why a harness could not open a namespace.
pub type HarnessError = Box<dyn std::error::Error + Send + Sync>;

/// Opens namespaces of one backend for the suite.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// What the backend is called in reports.
    fn name(&self) -> &str;

    /// A fresh, empty namespace with a clock the test can move; dropped with everything in it.
    async fn open(&self) -> Result<Opened, HarnessError>;

    /// Whether its namespaces are divided, so that order holds for what shares the placement bits
    /// of its ids, and is free between others.
    fn is_divided(&self) -> bool {
        false
    }
}

/// One opened namespace.
#[non_exhaustive]
pub struct Opened {
    /// The backend, opened on the namespace.
    pub backend: Arc<dyn EngineBackend>,
    /// The clock that decides expiry in it.
    pub clock: Arc<dyn TestClock>,
    /// A look at what is stored in it.
    pub inspect: Arc<dyn Inspect>,
}

impl Opened {
    /// A namespace of these parts.
    pub fn new(
        backend: Arc<dyn EngineBackend>,
        clock: Arc<dyn TestClock>,
        inspect: Arc<dyn Inspect>,
    ) -> Self {
        Self { backend, clock, inspect }
    }
}

/// The clock of a namespace, which stands still unless the test moves it.
#[async_trait]
pub trait TestClock: Send + Sync {
    /// What the store takes for the present.
    async fn now(&self) -> TimestampMs;

    /// Lets time pass.
    async fn advance(&self, by: Duration);

    /// Steps the present in either direction, as a corrected wall clock does.
    async fn set(&self, to: TimestampMs);
}

/// What the suite wants to know of a store beyond the seam.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Whether the indexes rebuilt from the records equal those kept.
    ///
    /// # Errors
    /// One sentence for each difference.
    async fn check(&self) -> Result<(), Vec<String>>;

    /// Everything stored, in a text that is equal exactly when nothing changed.
    async fn snapshot(&self) -> String;

    /// How many things are kept beyond what an empty namespace keeps.
    async fn leftovers(&self) -> u64;

    /// Returns once everything is at rest that the calls so far have set going: the calls of other
    /// tasks wait, and no message is under way. A backend in this process is at rest whenever no
    /// task can run.
    async fn at_rest(&self) {}
}

/// A backend in this process is tested on a manual clock.
#[async_trait]
impl TestClock for ManualClock {
    async fn now(&self) -> TimestampMs {
        Clock::now(self)
    }

    async fn advance(&self, by: Duration) {
        Self::advance(self, by);
    }

    async fn set(&self, to: TimestampMs) {
        Self::set(self, to);
    }
}
