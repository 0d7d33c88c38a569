//! Where the work is kept: a URL, and a namespace of this run alone.

use std::sync::Arc;

use ff_engine::EngineBackend;
use ff_sdk::prelude::*;
use ff_types::backend::BackendConfig;
use ff_types::{Namespace, RequestId};

use crate::Failure;

const EMBEDDED: &str = "mem:";

pub(crate) struct Place {
    url: String,
    namespace: Namespace,
}

impl Place {
    /// A namespace that no other run has, where `url` says or in this process.
    pub(crate) fn of_this_run(url: Option<&str>, run: RequestId) -> Result<Self, Failure> {
        let namespace = Namespace::new(format!("digest-{run}"))?;
        Ok(Self { url: url.unwrap_or(EMBEDDED).to_owned(), namespace })
    }

    /// The words that name it on a command line.
    pub(crate) fn words(&self) -> [&str; 2] {
        [&self.url, self.namespace.as_str()]
    }

    /// Reads such words.
    pub(crate) fn from_words(words: &mut impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (Some(url), Some(namespace)) = (words.next(), words.next()) else {
            return Err("a worker needs a URL and a namespace".into());
        };
        Ok(Self { url, namespace: Namespace::new(namespace)? })
    }

    /// Opens it.
    pub(crate) async fn open(&self) -> Result<Arc<dyn EngineBackend>, EngineError> {
        let config = BackendConfig::from_url(&self.url)?;
        ff_connect::open(&config.with_namespace(self.namespace.clone())).await
    }
}
