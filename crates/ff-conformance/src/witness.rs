//! A layer that notes which errors a backend answers.

use std::sync::Arc;

use ff_engine::{EngineBackend, EngineError};

use crate::coverage::Coverage;
use crate::layer::{Call, forward_roles};

/// Passes every call through and records the code of every error.
///
/// Errors within the answer of a batch are not looked at: each also comes up in a single call.
pub struct Witness {
    inner: Arc<dyn EngineBackend>,
    coverage: Arc<Coverage>,
}

impl Witness {
    /// Watches `inner`.
    pub fn new(inner: Arc<dyn EngineBackend>, coverage: Arc<Coverage>) -> Self {
        Self { inner, coverage }
    }

    async fn around<T>(&self, _verb: &'static str, call: Call<'_, T>) -> Result<T, EngineError> {
        call().await.inspect_err(|error| self.coverage.record_code(error.code()))
    }
}

forward_roles!(Witness);
