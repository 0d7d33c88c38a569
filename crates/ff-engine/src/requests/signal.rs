//! A signal on its way to a waitpoint.

use std::fmt;

use bytes::Bytes;
use ff_types::backend::WaitpointToken;
use ff_types::{IdempotencyKey, SignalId, limits};
use serde::{Deserialize, Serialize};

use super::at_most;
use crate::error::EngineError;

/// Signals a waitpoint. `Debug` redacts the token and shows the length of the payload.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliverSignal {
    /// Which waitpoint, and the right to signal it.
    pub token: WaitpointToken,
    /// The signal; made by the sender, so that the call can be repeated.
    pub signal_id: SignalId,
    /// Its name, 1..=128 bytes. A waitpoint of kind `SignalName` compares it.
    pub name: String,
    /// What kind of signal it is; at most 64 bytes, may be empty.
    pub category: String,
    /// What it belongs to; at most 256 bytes. A waitpoint of kind `CorrelationId` compares it.
    pub correlation_id: Option<String>,
    /// Makes several sendings of different ids one signal of the waitpoint.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What it brings; at most 64 KiB.
    pub payload: Option<Bytes>,
    /// Who sends it, 1..=256 bytes. Set only by code that has authenticated the sender; never from
    /// what the sender wrote.
    pub principal: Option<String>,
}

impl DeliverSignal {
    /// A signal of this name with nothing else.
    pub fn new(token: WaitpointToken, signal_id: SignalId, name: impl Into<String>) -> Self {
        Self {
            token,
            signal_id,
            name: name.into(),
            category: String::new(),
            correlation_id: None,
            idempotency_key: None,
            payload: None,
            principal: None,
        }
    }

    /// Says what kind of signal it is.
    #[must_use]
    pub fn with_category(mut self, category: impl Into<String>) -> Self {
        self.category = category.into();
        self
    }

    /// Says what it belongs to.
    #[must_use]
    pub fn with_correlation_id(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    /// Makes it one with every other signal of this key at the same waitpoint.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Says what it brings.
    #[must_use]
    pub fn with_payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Says who sends it, as the caller has authenticated them.
    #[must_use]
    pub fn with_principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Checks the size of every field.
    pub fn validate(&self) -> Result<(), EngineError> {
        at_most("name", self.name.len(), limits::SIGNAL_NAME_MAX_BYTES)?;
        at_most("category", self.category.len(), limits::SIGNAL_CATEGORY_MAX_BYTES)?;
        let correlation = self.correlation_id.as_ref().map_or(0, String::len);
        at_most("correlation_id", correlation, limits::CORRELATION_ID_MAX_BYTES)?;
        let payload = self.payload.as_ref().map_or(0, Bytes::len);
        at_most("payload", payload, limits::SIGNAL_PAYLOAD_MAX_BYTES)?;
        let principal = self.principal.as_ref().map_or(0, String::len);
        at_most("principal", principal, limits::PRINCIPAL_MAX_BYTES)?;
        if self.name.is_empty() {
            return Err(EngineError::validation("name", "must not be empty"));
        }
        if self.principal.as_ref().is_some_and(String::is_empty) {
            return Err(EngineError::validation("principal", "must not be empty"));
        }
        Ok(())
    }
}

impl fmt::Debug for DeliverSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliverSignal")
            .field("token", &self.token)
            .field("signal_id", &self.signal_id)
            .field("name", &self.name)
            .field("category", &self.category)
            .field("correlation_id", &self.correlation_id)
            .field("idempotency_key", &self.idempotency_key)
            .field("payload_len", &self.payload.as_ref().map(Bytes::len))
            .field("principal", &self.principal)
            .finish()
    }
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalOutcome {
    /// It completed the condition: the execution goes on.
    Resumed,
    /// It counts, and the condition needs more.
    Recorded,
    /// It is kept for the suspend to come.
    Buffered,
    /// The waitpoint has had a signal of this idempotency key, which was this one.
    Duplicate(SignalId),
    /// It is not what the waitpoint waits for. Nothing was kept.
    NotMatched,
    /// The waitpoint takes no more signals. Nothing was kept.
    Closed,
}
