//! What an operator does to an execution from outside.
//!
//! Every request carries an id. A repeat under the same id after a lost answer gives the first
//! outcome again; an execution remembers its latest eight requests that had an effect.

use std::collections::BTreeMap;

use ff_types::{AttemptIndex, ExecutionId, RequestId, Tags, TerminalOutcome};
use serde::{Deserialize, Serialize};

use super::attempt::validate_reason;
use crate::error::EngineError;

macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            /// Names this request, so that it can be repeated.
            pub request_id: RequestId,
            /// What it is about.
            pub execution_id: ExecutionId,
            $($(#[$field_doc])* pub $field: String,)*
        }

        impl $name {
            /// A request about `execution_id`.
            pub fn new(
                request_id: RequestId,
                execution_id: ExecutionId,
                $($field: impl Into<String>,)*
            ) -> Self {
                Self { request_id, execution_id, $($field: $field.into(),)* }
            }

            /// Checks the text fields.
            pub fn validate(&self) -> Result<(), EngineError> {
                $(validate_reason(&self.$field)?;)*
                Ok(())
            }
        }
    };
}

request! {
    /// Ends an execution that has not ended.
    CancelExecution {
        /// Why; at most 1 KiB.
        reason
    }
}

request! {
    /// Keeps an execution from being claimed until the hold is released.
    Hold {}
}

request! {
    /// Lifts a hold.
    ReleaseHold {}
}

/// Sets and removes tags of an execution, whatever its state. Tags set at submit without a namespace stay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetTags {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// What it is about.
    pub execution_id: ExecutionId,
    /// By key, `<namespace>.<name>`, the value to set, or `None` to remove it; 1..=16 of them.
    pub tags: BTreeMap<String, Option<String>>,
}

impl SetTags {
    /// Changes nothing yet.
    pub const fn new(request_id: RequestId, execution_id: ExecutionId) -> Self {
        Self { request_id, execution_id, tags: BTreeMap::new() }
    }

    /// Sets a tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes a tag, if it is there.
    #[must_use]
    pub fn without_tag(mut self, key: impl Into<String>) -> Self {
        self.tags.insert(key.into(), None);
        self
    }

    /// Checks keys and values: a key is `<namespace>.<name>`, a namespace a small letter followed by any of
    /// `[a-z0-9_-]`, and the whole a key of [`Tags`].
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        let max = ff_types::limits::TAGS_MAX;
        super::at_most("tags", self.tags.len(), max)?;
        if self.tags.is_empty() {
            return Err(EngineError::validation("tags", "must name a tag at least"));
        }
        for (key, value) in &self.tags {
            let namespaced = key.split_once('.').is_some_and(|(namespace, name)| {
                namespace.starts_with(|c: char| c.is_ascii_lowercase())
                    && namespace.chars().all(|c| {
                        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')
                    })
                    && !name.is_empty()
            });
            if !namespaced {
                let problem = "set later have keys of the form <namespace>.<name>";
                return Err(EngineError::validation("tags", problem));
            }
            Tags::new().with(key, value.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

request! {
    /// Takes the lease of the running attempt away.
    RevokeLease {
        /// Why; at most 1 KiB.
        reason
    }
}

request! {
    /// Reopens an execution that ended.
    ReplayExecution {}
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelOutcome {
    /// Nobody was running it: it is cancelled.
    Cancelled,
    /// A worker holds it and is told at its next renewal. It ends at the latest when that lease
    /// does.
    Requested,
    /// It had ended before.
    AlreadyTerminal(TerminalOutcome),
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldOutcome {
    /// It is held. A running attempt goes on; the hold takes effect when that gives up its lease.
    Held,
    /// It was held before.
    AlreadyHeld,
}

/// What became of the release of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReleaseHoldOutcome {
    /// The hold is lifted.
    Released,
    /// There was no hold.
    NotHeld,
}

/// What became of a revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevokeOutcome {
    /// The lease is gone and its holder fenced off.
    Revoked,
    /// No attempt was running.
    NotActive,
}

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplayOutcome {
    /// The index the next attempt will have.
    pub next_attempt: AttemptIndex,
}

impl ReplayOutcome {
    /// The next attempt will have this index.
    pub const fn new(next_attempt: AttemptIndex) -> Self {
        Self { next_attempt }
    }
}
