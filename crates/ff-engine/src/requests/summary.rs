//! The running summary of an execution: one document, replaced as a whole.

use bytes::Bytes;
use ff_types::{AttemptIndex, TimestampMs, limits};
use serde::{Deserialize, Serialize};
use std::fmt;

use super::at_most;
use crate::error::EngineError;

/// Replaces the running summary, if it is still the one that was read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateSummary {
    /// The version that this one is made from; 0 when there was none.
    pub expected_version: u64,
    /// The summary: at most 64 KiB. The seam takes any bytes; the SDK writes JSON.
    pub document: Bytes,
}

impl UpdateSummary {
    /// This document in place of that version.
    pub fn new(expected_version: u64, document: impl Into<Bytes>) -> Self {
        Self { expected_version, document: document.into() }
    }

    /// Checks the size.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`].
    pub fn validate(&self) -> Result<(), EngineError> {
        at_most("summary", self.document.len(), limits::SUMMARY_MAX_BYTES)
    }
}

impl fmt::Debug for UpdateSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateSummary")
            .field("expected_version", &self.expected_version)
            .field("len", &self.document.len())
            .finish()
    }
}

/// A running summary. `Debug` shows the length of the document, never the document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SummaryView {
    /// How often it was written, counted from 1.
    pub version: u64,
    /// The attempt that wrote it.
    pub attempt: AttemptIndex,
    /// When, by the store's clock.
    pub at: TimestampMs,
    /// What was written.
    pub document: Bytes,
}

impl SummaryView {
    /// A summary of these parts. For backends.
    pub const fn new(
        version: u64,
        attempt: AttemptIndex,
        at: TimestampMs,
        document: Bytes,
    ) -> Self {
        Self { version, attempt, at, document }
    }
}

impl fmt::Debug for SummaryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummaryView")
            .field("version", &self.version)
            .field("attempt", &self.attempt)
            .field("at", &self.at)
            .field("len", &self.document.len())
            .finish()
    }
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SummaryOutcome {
    /// The document stands as this version, by this call or by the same one before.
    Updated {
        /// The version.
        version: u64,
    },
    /// Another version stands; `None` when there is none at all. Nothing was written.
    Stands(Option<SummaryView>),
}
