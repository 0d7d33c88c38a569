//! What an operator does to an execution from outside.
//!
//! Every request carries an id. A repeat under the same id after a lost answer gives the first
//! outcome again; an execution remembers its latest eight requests that had an effect.

use ff_types::{AttemptIndex, ExecutionId, RequestId, TerminalOutcome};
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
