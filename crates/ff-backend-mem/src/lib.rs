//! The embedded engine.
//!
//! It is three things at once: the executable specification of what every backend does, the
//! engine that runs without a server, and the oracle that other backends are compared with.
//!
//! It holds everything in one process' memory and makes nothing durable beyond it. All rules are
//! in `ff_engine::machine`; this crate loads a record, asks for a decision, and stores the answer
//! under one lock, with its indexes brought along. Waiting claims wait for an event; nothing
//! polls. The present comes from the [`Clock`] it is given, so that under a manual clock the same
//! calls give the same answers every time.

mod budgets;
mod check;
mod flows;
mod idempotency;
mod lanes;
#[cfg(feature = "mutants")]
mod mutation;
#[cfg(not(feature = "mutants"))]
#[path = "no_mutation.rs"]
mod mutation;
mod ops;
mod queues;
mod repeats;
mod ring;
mod schedules;
mod store;
mod timers;
mod waiters;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_engine::roles::BackendInfo;
use ff_engine::{Clock, EngineError, KeyRing, SystemClock, WaitpointSecret};
use ff_types::Namespace;
use ff_types::backend::BackendTag;

pub use check::Usage;
#[cfg(feature = "mutants")]
pub use mutation::Mutation;
use mutation::{Distortion, NONE};
use ring::Ring;
use store::Store;

/// An engine in this process' memory. Clones share it.
///
/// ```
/// use ff_backend_mem::MemBackend;
/// use ff_engine::{ReadOps, ListRequest};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let backend = MemBackend::new();
/// let page = backend.list_executions(&ListRequest::new()).await?;
/// assert!(page.items.is_empty());
/// # Ok::<(), ff_engine::EngineError>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemBackend {
    inner: Arc<Inner>,
}

struct Inner {
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    distortion: Distortion,
    ring: Ring,
    store: Mutex<Store>,
}

/// How an embedded engine is set up.
pub struct MemBuilder {
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    distortion: Distortion,
    ring: Ring,
}

impl MemBackend {
    /// An empty engine on the system's clock, in the namespace `default`.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An engine with other settings.
    pub fn builder() -> MemBuilder {
        MemBuilder {
            namespace: Namespace::new("default").expect("the default namespace is valid"),
            clock: Arc::new(SystemClock),
            distortion: NONE,
            ring: Ring::default(),
        }
    }

    /// Signs new waitpoint tokens with another key. Those of the key before it are good for another
    /// `grace`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a malformed key id, [`EngineError::KeyConflict`] for a known
    /// one with another secret, [`EngineError::LimitExceeded`] for more than 8 keys that count.
    pub fn rotate_key(
        &self,
        kid: &str,
        secret: WaitpointSecret,
        grace: Duration,
    ) -> Result<(), EngineError> {
        self.inner.ring.with(|ring| ring.rotate(kid, secret, grace, self.now()))
    }

    fn now(&self) -> ff_types::TimestampMs {
        self.inner.clock.now()
    }

    /// The store, locked. No lock is held across an await, and nothing between lock and unlock
    /// panics on input, so that a poisoned lock still guards a whole state.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.inner.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemBuilder {
    /// Opens this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Takes the present from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Signs and verifies waitpoint tokens with this ring. Without one, a random key is made on
    /// first use and is gone with the engine, as the waitpoints are.
    #[must_use]
    pub fn key_ring(mut self, ring: KeyRing) -> Self {
        self.ring = Ring::of(ring);
        self
    }

    /// Breaks one rule, for proving that the conformance suite notices.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn mutation(mut self, mutation: Mutation) -> Self {
        self.distortion = Distortion::of(mutation);
        self
    }

    /// The engine.
    pub fn build(self) -> MemBackend {
        let store = Mutex::new(Store::new(self.namespace.clone(), self.distortion));
        let Self { namespace, clock, distortion, ring } = self;
        MemBackend { inner: Arc::new(Inner { namespace, clock, distortion, ring, store }) }
    }
}

impl Default for MemBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemBackend")
            .field("namespace", &self.inner.namespace)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemBuilder").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl BackendInfo for MemBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Mem
    }

    fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }
}
