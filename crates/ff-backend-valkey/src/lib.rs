//! FlowFabric on Valkey: every operation is one atomic call of a function library that lives on
//! the server.
//!
//! State, indexes and time are the server's. This side names partitions, writes arguments, reads
//! replies, and waits. It holds no state that anything depends on: a process that dies takes
//! nothing with it but its waits.
//!
//! ```no_run
//! use ff_backend_valkey::ValkeyBackend;
//!
//! # async fn example() -> Result<(), ff_engine::EngineError> {
//! let backend = ValkeyBackend::connect("valkey://127.0.0.1:6379").await?;
//! # drop(backend);
//! # Ok(()) }
//! ```

mod builder;
mod call;
#[allow(
    dead_code,
    reason = "a contract names all that a function answers; not every caller reads it"
)]
mod calls;
mod codec;
mod failures;
mod inner;
mod keyspace;
mod library;
mod ops;
mod reply;
mod ring;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
mod waits;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ff_engine::roles::BackendInfo;
use ff_engine::{Clock, EngineError, KeyRing, WaitpointSecret};
use ff_types::Namespace;
use ff_types::backend::{BackendConfig, BackendTag};

pub use builder::ValkeyBuilder;
use call::BadReply;
use calls::{Now, Open};
use failures::bad_reply;
use inner::Inner;
use keyspace::{Keyspace, PARTITIONS_MAX};
use library::Library;
use ring::Ring;
use transport::Transport;
use waits::Waits;

/// How many partitions a new keyspace gets on a cluster unless the builder says otherwise.
const CLUSTER_PARTITIONS: u16 = 16;

/// A connection to Valkey, opened on a namespace. Clones share it.
#[derive(Clone)]
pub struct ValkeyBackend {
    inner: Arc<Inner>,
}

impl ValkeyBackend {
    /// Connects to the server that a URL names, with everything else left at its default.
    ///
    /// # Errors
    /// Those of the URL, and of [`ValkeyBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, EngineError> {
        Self::builder(&BackendConfig::from_url(url)?)?.connect().await
    }

    /// A connection with other settings.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when `config` is for another backend.
    pub fn builder(config: &BackendConfig) -> Result<ValkeyBuilder, EngineError> {
        ValkeyBuilder::new(config)
    }

    /// How many partitions the keyspace has.
    pub fn partitions(&self) -> usize {
        self.inner.keyspace.partitions.len()
    }

    /// Signs new waitpoint tokens with another key. Those of the key before it are good for another
    /// `grace`, by the store's clock. It is this connection that changes; every process is given the
    /// same ring.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a malformed key id, [`EngineError::KeyConflict`] for a known
    /// one with another secret, [`EngineError::LimitExceeded`] for more than 8 keys that count.
    pub async fn rotate_key(
        &self,
        kid: &str,
        secret: WaitpointSecret,
        grace: Duration,
    ) -> Result<(), EngineError> {
        const OPERATION: &str = "rotate_key";
        let partition = &self.inner.keyspace.partitions[0];
        let present = self.inner.call(OPERATION, partition, Now {}).await?;
        let now = present.map_err(|_| bad_reply(OPERATION, BadReply("present")))?.now;
        self.inner.with_ring(OPERATION, |ring| ring.rotate(kid, secret, grace, now)).await?
    }

    async fn open(
        transport: Arc<dyn Transport>,
        namespace: Namespace,
        partitions: Option<u16>,
        clustered: bool,
        clock: Arc<dyn Clock>,
        library: Library,
        ring: Option<KeyRing>,
    ) -> Result<Self, EngineError> {
        if partitions.is_some_and(|count| !(1..=PARTITIONS_MAX).contains(&count)) {
            let problem = format!("must be within 1..={PARTITIONS_MAX}");
            return Err(EngineError::validation("partitions", problem));
        }
        let wanted = partitions.unwrap_or(if clustered { CLUSTER_PARTITIONS } else { 1 });
        let at = |count| Keyspace::new(namespace.clone(), count, clustered, transport.as_ref());
        let first = Inner {
            transport: Arc::clone(&transport),
            keyspace: at(1),
            library,
            clock: Arc::clone(&clock),
            waits: Waits::new(0),
            ring: Ring::default(),
            clustered,
            sent: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
        };
        library::ensure(&first).await?;
        let there = mark(&first, 0, wanted).await?;
        if partitions.is_some_and(|count| u64::from(count) != there) {
            let problem = format!(
                "the keyspace {namespace} has {there} partitions, {wanted} were asked for: connect \
                 with {there}, or use another namespace"
            );
            return Err(EngineError::Incompatible { problem });
        }
        let count = u16::try_from(there).unwrap_or(PARTITIONS_MAX).clamp(1, PARTITIONS_MAX);
        let inner = Inner {
            transport: Arc::clone(&transport),
            keyspace: at(count),
            library,
            clock,
            waits: Waits::new(usize::from(count)),
            ring: Ring::of(ring),
            clustered,
            sent: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
        };
        for number in 1..usize::from(count) {
            mark(&inner, number, count).await?;
        }
        let inner = Arc::new(inner);
        waits::listen(&inner);
        Ok(Self { inner })
    }
}

/// Makes the mark of a partition unless it is there, and answers how many partitions it tells of.
///
/// It is read first: a keyspace that is open is connected to by users who may not write, and while
/// the server has no room for more.
async fn mark(inner: &Inner, number: usize, wanted: u16) -> Result<u64, EngineError> {
    let open = Open { partitions: wanted.into(), protocol: library::PROTOCOL };
    let partition = &inner.keyspace.partitions[number];
    let answer = match library::mark(inner, partition).await? {
        Some(mark) => Ok(mark),
        None => inner.call("connect", partition, open).await?,
    };
    match answer {
        Ok(mark) if mark.protocol > library::PROTOCOL => {
            let problem = format!(
                "the keyspace {} was made for protocol {}, this client speaks {}: upgrade it",
                inner.keyspace.namespace,
                mark.protocol,
                library::PROTOCOL,
            );
            Err(EngineError::Incompatible { problem })
        }
        Ok(mark) => Ok(mark.partitions),
        Err(refusal) => {
            let problem = format!("a partition refused to open: {:?}", refusal.code);
            Err(EngineError::Internal { problem })
        }
    }
}

impl fmt::Debug for ValkeyBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValkeyBackend")
            .field("namespace", &self.inner.keyspace.namespace)
            .field("partitions", &self.partitions())
            .field("clustered", &self.inner.clustered)
            .finish_non_exhaustive()
    }
}

impl BackendInfo for ValkeyBackend {
    fn tag(&self) -> BackendTag {
        BackendTag::Valkey
    }

    fn namespace(&self) -> &Namespace {
        &self.inner.keyspace.namespace
    }
}
