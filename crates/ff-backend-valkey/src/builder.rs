//! Connecting: what is configured, and what is checked before the first call.

use std::sync::Arc;

use ff_engine::{Clock, EngineError, KeyRing, SystemClock};
use ff_types::Namespace;
use ff_types::backend::{
    BackendConfig, BackendConnection, BackendRetry, BackendTimeouts, ValkeyConnection,
};

use crate::ValkeyBackend;
use crate::failures::unavailable;
use crate::library::{self, Library};
use crate::server;
use crate::transport::{FredTransport, Settings, Transport};

/// How a backend is connected.
#[must_use]
pub struct ValkeyBuilder {
    connection: ValkeyConnection,
    timeouts: BackendTimeouts,
    retry: BackendRetry,
    namespace: Namespace,
    partitions: Option<u16>,
    ca_pem: Option<Vec<u8>>,
    ring: Option<KeyRing>,
    clock: Arc<dyn Clock>,
    library: Library,
}

impl std::fmt::Debug for ValkeyBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValkeyBuilder")
            .field("connection", &self.connection)
            .field("namespace", &self.namespace)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl ValkeyBuilder {
    /// Connects as `config` says.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is a configuration for another backend.
    pub fn new(config: &BackendConfig) -> Result<Self, EngineError> {
        let BackendConnection::Valkey(connection) = &config.connection else {
            return Err(EngineError::validation("connection", "is not one to Valkey"));
        };
        Ok(Self {
            connection: connection.clone(),
            timeouts: config.timeouts,
            retry: config.retry,
            namespace: config.namespace.clone(),
            partitions: None,
            ca_pem: None,
            ring: None,
            clock: Arc::new(SystemClock),
            library: library::PRODUCTION,
        })
    }

    /// How many partitions a new keyspace gets, 1..=1,024; 1 on a server and 16 on a cluster unless
    /// set. The number is fixed when the keyspace is made; to connect with another is an error.
    pub const fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Trusts these certificates, in PEM, in place of the system's.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Signs and verifies waitpoint tokens with this ring, which is never stored. Without one a random
    /// key is made on first use and kept in the keyspace, readable to whoever may read its keys.
    pub fn key_ring(mut self, ring: KeyRing) -> Self {
        self.ring = Some(ring);
        self
    }

    /// Uses the library whose present is the key `clock` of each partition, and measures waits by
    /// `clock`. For tests.
    #[cfg(feature = "testing")]
    pub fn manual_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self.library = library::TESTING;
        self
    }

    /// Connects, checks the server, loads the function library and opens the keyspace.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when the server cannot be reached or is still loading;
    /// [`EngineError::Incompatible`] says what to change: a server that is too old or would evict
    /// durable state, a library of a newer protocol, a keyspace with another number of partitions.
    pub async fn connect(self) -> Result<ValkeyBackend, EngineError> {
        let settings = Settings {
            connection: &self.connection,
            timeouts: self.timeouts,
            retry: self.retry,
            ca_pem: self.ca_pem.as_deref(),
        };
        let transport: Arc<dyn Transport> = FredTransport::connect(&settings)
            .await
            .map_err(|error| unavailable("connect", error))?;
        server::check(transport.as_ref()).await?;
        ValkeyBackend::open(
            transport,
            self.namespace,
            self.partitions,
            self.connection.cluster,
            self.clock,
            self.library,
            self.ring,
        )
        .await
    }
}
