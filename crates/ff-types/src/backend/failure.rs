//! Failures: what a worker reports, how it is classed, and what follows.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{FAILURE_DETAIL_MAX_BYTES, FAILURE_MESSAGE_MAX_BYTES};
use crate::text::text_enum;
use crate::types::TimestampMs;

text_enum! {
    /// What kind of failure it was. Decides whether the execution is tried again.
    #[non_exhaustive]
    pub enum FailureClass as "failure_class", "the name of a failure class" {
        /// May succeed next time: retried while retries are left.
        Transient = "transient",
        /// Will not succeed: fails at once.
        Permanent = "permanent",
        /// The worker was lost: reclaimed while reclaims are left.
        InfraCrash = "infra_crash",
        /// Took too long: retried while retries are left.
        Timeout = "timeout",
        /// Was cancelled: ends as cancelled.
        Cancelled = "cancelled",
    }
}

/// Why an attempt failed. `Debug` shows the message and the length of the detail.
///
/// The message is shown in logs and listings; secrets and payloads do not belong in it.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailureReason {
    /// For people: at most 4 KiB.
    pub message: String,
    /// For programs, such as a serialised error: at most 64 KiB.
    pub detail: Option<Bytes>,
}

impl FailureReason {
    /// A reason without detail.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None }
    }

    /// Adds the detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Bytes>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Refuses whatever lies outside the bounds stated at the fields.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::bytes("failure_message", FAILURE_MESSAGE_MAX_BYTES, self.message.len())?;
        match &self.detail {
            Some(detail) => check::bytes("failure_detail", FAILURE_DETAIL_MAX_BYTES, detail.len()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureReason")
            .field("message", &self.message)
            .field("detail_len", &self.detail.as_ref().map(Bytes::len))
            .finish()
    }
}

/// What followed a reported failure. Exhaustive, as a caller has to decide for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailOutcome {
    /// The attempt is closed; a new one may start.
    RetryScheduled {
        /// When the next attempt may start, by the store's clock.
        delay_until: TimestampMs,
    },
    /// The execution has ended.
    TerminalFailed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_enforced() {
        let at_limit = FailureReason::new("x".repeat(4_096)).with_detail(vec![0; 65_536]);
        assert_eq!(at_limit.validate(), Ok(()));

        let message = FailureReason::new("x".repeat(4_097));
        assert_eq!(message.validate().unwrap_err().field(), "failure_message");
        let detail = FailureReason::new("x").with_detail(vec![0; 65_537]);
        assert_eq!(detail.validate().unwrap_err().field(), "failure_detail");
    }

    #[test]
    fn outcomes_survive_json() {
        for outcome in [
            FailOutcome::RetryScheduled { delay_until: TimestampMs(5) },
            FailOutcome::TerminalFailed,
        ] {
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<FailOutcome>(&json).unwrap(), outcome);
        }
        assert_eq!(FailureClass::InfraCrash.to_string().parse(), Ok(FailureClass::InfraCrash));
    }
}
