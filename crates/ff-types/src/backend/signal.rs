//! The signals that ended a wait, as the resumed worker sees them.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::SignalId;
use crate::types::TimestampMs;

/// One signal that satisfied the condition of a suspend.
///
/// These are all its fields, so it may be written as a struct literal. `Debug` shows the length of
/// the payload, never the payload.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResumeSignal {
    /// The signal.
    pub signal_id: SignalId,
    /// Its name, as the sender gave it.
    pub signal_name: String,
    /// Its category, as the sender gave it.
    pub signal_category: String,
    /// What kind of source sent it.
    pub source_type: String,
    /// Which source sent it.
    pub source_identity: String,
    /// What it belongs to, as the sender gave it.
    pub correlation_id: Option<String>,
    /// When it was recorded, by the store's clock.
    pub accepted_at: TimestampMs,
    /// What it brought: at most 64 KiB.
    pub payload: Option<Bytes>,
}

impl fmt::Debug for ResumeSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeSignal")
            .field("signal_id", &self.signal_id)
            .field("signal_name", &self.signal_name)
            .field("signal_category", &self.signal_category)
            .field("source_type", &self.source_type)
            .field("source_identity", &self.source_identity)
            .field("correlation_id", &self.correlation_id)
            .field("accepted_at", &self.accepted_at)
            .field("payload_len", &self.payload.as_ref().map(Bytes::len))
            .finish()
    }
}
