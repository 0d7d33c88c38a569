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
use ff_engine::{EngineBackend, EngineError};
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
    match &config.connection {
        BackendConnection::Mem => {
            let builder = MemBackend::builder().namespace(config.namespace.clone());
            Ok(Arc::new(builder.build()))
        }
        #[cfg(feature = "valkey")]
        BackendConnection::Valkey(_) => {
            let builder = ff_backend_valkey::ValkeyBackend::builder(config)?;
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
    use ff_types::Namespace;

    use super::*;

    #[tokio::test]
    async fn the_embedded_engine_opens_on_the_namespace() {
        let namespace = Namespace::new("here").unwrap();
        let config = BackendConfig::mem().with_namespace(namespace.clone());
        assert_eq!(*open(&config).await.unwrap().namespace(), namespace);
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
