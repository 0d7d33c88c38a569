//! A URL chooses the backend, in one line.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ff_engine::EngineError> {
//! let backend = ff_connect::connect("mem:").await?;
//! # drop(backend);
//! # Ok(()) }
//! ```
//!
//! | URL | backend |
//! |---|---|
//! | `mem:` | the embedded engine, in this process' memory |
//! | `valkey://host:6379`, `redis://…` | a server; `?cluster=true` for a cluster (feature `valkey`) |
//! | `valkeys://…`, `rediss://…` | the same, encrypted (feature `tls`) |
//!
//! It holds no setting of its own: what a URL cannot say, the builder of the backend takes.

use std::sync::Arc;

use ff_backend_mem::MemBackend;
use ff_engine::{EngineBackend, EngineError, KeyRing};
use ff_types::backend::{BackendConfig, BackendConnection};

/// Opens the backend that a URL names, on the namespace `default`.
///
/// # Errors
/// [`EngineError::Validation`] for a URL of another form; whatever connecting answers.
pub async fn connect(url: &str) -> Result<Arc<dyn EngineBackend>, EngineError> {
    open(&BackendConfig::from_url(url)?).await
}

/// Opens the backend that a configuration names.
///
/// # Errors
/// [`EngineError::Validation`] for a backend that this build does not have; whatever connecting
/// answers.
pub async fn open(config: &BackendConfig) -> Result<Arc<dyn EngineBackend>, EngineError> {
    open_with(config, None).await
}

/// The same, with the keys of waitpoint tokens.
///
/// # Errors
/// Those of [`open`].
pub async fn open_with_keys(
    config: &BackendConfig,
    ring: KeyRing,
) -> Result<Arc<dyn EngineBackend>, EngineError> {
    open_with(config, Some(ring)).await
}

#[cfg_attr(
    not(feature = "valkey"),
    expect(clippy::unused_async, reason = "a backend on a server is connected to")
)]
async fn open_with(
    config: &BackendConfig,
    ring: Option<KeyRing>,
) -> Result<Arc<dyn EngineBackend>, EngineError> {
    match &config.connection {
        BackendConnection::Mem => {
            let mut builder = MemBackend::builder().namespace(config.namespace.clone());
            if let Some(ring) = ring {
                builder = builder.key_ring(ring);
            }
            Ok(Arc::new(builder.build()))
        }
        #[cfg(feature = "valkey")]
        BackendConnection::Valkey(_) => {
            let mut builder = ff_backend_valkey::ValkeyBackend::builder(config)?;
            if let Some(ring) = ring {
                builder = builder.key_ring(ring);
            }
            Ok(Arc::new(builder.connect().await?))
        }
        _ => Err(EngineError::validation(
            "connection",
            "is to a backend this build does not have: see the features of ff-connect",
        )),
    }
}

#[cfg(test)]
mod tests {
    use ff_engine::{
        ClaimRequest, CreateWaitpoint, IdSource, SeededEntropy, Submission, SystemClock,
        WaitpointSecret,
    };
    use ff_types::backend::{CapabilitySet, ClaimPolicy};
    use ff_types::{LaneId, Namespace, Payload, TaskKind, WaitpointKey};

    use super::*;

    #[tokio::test]
    async fn the_embedded_engine_opens_on_the_namespace() {
        let namespace = Namespace::new("here").unwrap();
        let config = BackendConfig::mem().with_namespace(namespace.clone());
        assert_eq!(*open(&config).await.unwrap().namespace(), namespace);
    }

    #[tokio::test]
    async fn tokens_are_signed_with_the_keys_that_are_given() {
        let secret = WaitpointSecret::new(vec![7; 32]).unwrap();
        let ring = KeyRing::new("mine", secret).unwrap();
        let backend = open_with_keys(&BackendConfig::mem(), ring).await.unwrap();
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(7)));
        let (lane, kind) = (LaneId::new("main").unwrap(), TaskKind::new("task").unwrap());
        let submission =
            Submission::new(ids.execution_id(), lane.clone(), kind, Payload::default());
        backend.submit(&submission).await.unwrap();
        let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id());
        let request = ClaimRequest::new(ids.request_id(), lane, CapabilitySet::new(), policy);
        let task = backend.claim(&request).await.unwrap().tasks.remove(0);

        let key = WaitpointKey::new("approval").unwrap();
        let request = CreateWaitpoint::new(ids.waitpoint_id(), key);
        let waitpoint = backend.create_waitpoint(&task.handle, &request).await.unwrap();

        assert_eq!(waitpoint.hmac_token.kid(), "mine");
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused() {
        let refused = connect("postgres://db").await.err().expect("no such backend");
        assert_eq!(refused.code(), "validation");
    }

    #[cfg(not(feature = "valkey"))]
    #[tokio::test]
    async fn a_backend_that_is_not_built_is_refused() {
        let refused = connect("valkey://127.0.0.1:1").await.err().expect("it is not built");
        assert!(refused.to_string().contains("features of ff-connect"), "{refused}");
    }

    #[cfg(feature = "valkey")]
    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let refused = connect("valkey://127.0.0.1:1").await.err().expect("nothing listens there");
        assert_eq!(refused.code(), "unavailable");
    }
}
