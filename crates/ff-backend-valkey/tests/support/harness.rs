//! The behaviour suite's namespaces on a real server, each with a clock that the test moves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ff_backend_valkey::ValkeyBackend;
use ff_conformance::{Harness, HarnessError, Inspect, Opened, TestClock, canary};
use ff_engine::{Clock, ManualClock};
use ff_types::{Namespace, TimestampMs};

use super::servers::Servers;
use super::store::Store;

/// Opens namespaces on one server.
pub(crate) struct ValkeyHarness {
    name: String,
    servers: Arc<Servers>,
    partitions: u16,
    opened: AtomicU64,
    /// One connection for each runtime: a trial has a runtime of its own.
    connections: Mutex<HashMap<tokio::runtime::Id, ValkeyBackend>>,
}

impl ValkeyHarness {
    /// A harness on `servers`, whose namespaces have this many partitions.
    pub(crate) fn new(name: impl Into<String>, servers: Servers, partitions: u16) -> Self {
        Self {
            name: name.into(),
            servers: Arc::new(servers),
            partitions,
            opened: AtomicU64::new(0),
            connections: Mutex::default(),
        }
    }

    async fn connection(&self) -> Result<ValkeyBackend, HarnessError> {
        let runtime = tokio::runtime::Handle::current().id();
        let known = |this: &Self| {
            let connections = this.connections.lock().unwrap_or_else(PoisonError::into_inner);
            connections.get(&runtime).cloned()
        };
        if let Some(connection) = known(self) {
            return Ok(connection);
        }
        let config = self.servers.config()?.with_namespace(self.namespace("root")?);
        let builder = ValkeyBackend::builder(&config)?.partitions(1);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let backend = builder.manual_clock(clock).connect().await?;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.insert(runtime, backend.clone());
        Ok(backend)
    }

    fn namespace(&self, word: &str) -> Result<Namespace, HarnessError> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Namespace::new(format!("{word}-{}-{number}", std::process::id()))?)
    }
}

#[async_trait]
impl Harness for ValkeyHarness {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_divided(&self) -> bool {
        self.partitions > 1
    }

    async fn open(&self) -> Result<Opened, HarnessError> {
        let local = ManualClock::default();
        let namespace = self.namespace("case")?;
        let store = Store::open(&self.servers, &namespace, self.partitions)?;
        let clock = Arc::new(StoreClock { local: local.clone(), store: store.clone() });
        clock.tell(Clock::now(&local));
        let connection = self.connection().await?;
        // With several partitions the backend keeps a key of its own.
        let ring = if self.partitions == 1 { Some(canary::key_ring()?) } else { None };
        let (partitions, local) = (self.partitions, Arc::new(local));
        let backend = connection.sibling(namespace, partitions, local, ring).await?;
        let inside = Inside { backend: backend.clone(), store };
        Ok(Opened::new(Arc::new(backend), clock, Arc::new(inside)))
    }
}

/// The clock in the store, and beside it the one that this process' waits are measured by.
struct StoreClock {
    local: ManualClock,
    store: Arc<Store>,
}

impl StoreClock {
    fn tell(&self, now: TimestampMs) {
        self.store.set_clock(now);
    }
}

#[async_trait]
impl TestClock for StoreClock {
    async fn now(&self) -> TimestampMs {
        Clock::now(&self.local)
    }

    async fn advance(&self, by: Duration) {
        self.tell(Clock::now(&self.local).saturating_add(by));
        ManualClock::advance(&self.local, by);
    }

    async fn set(&self, to: TimestampMs) {
        self.tell(to);
        ManualClock::set(&self.local, to);
    }
}

struct Inside {
    backend: ValkeyBackend,
    store: Arc<Store>,
}

#[async_trait]
impl Inspect for Inside {
    async fn check(&self) -> Result<(), Vec<String>> {
        self.store.check()
    }

    async fn snapshot(&self) -> String {
        self.store.snapshot()
    }

    async fn leftovers(&self) -> u64 {
        self.store.leftovers()
    }

    async fn at_rest(&self) {
        self.backend.at_rest().await;
    }
}
