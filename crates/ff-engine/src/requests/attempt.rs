//! What a lease holder says about its attempt.

use std::time::Duration;

use bytes::Bytes;
use ff_types::backend::{FailureClass, FailureReason};
use ff_types::{TimestampMs, limits};

use super::{SavedState, at_most, millis, valid_time, validate_state};
use crate::error::EngineError;

/// How far the attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressRequest {
    /// 0..=100.
    pub percent: u8,
    /// What it is doing; at most 1 KiB.
    pub message: Option<String>,
}

impl ProgressRequest {
    /// Progress without a message.
    pub const fn new(percent: u8) -> Self {
        Self { percent, message: None }
    }

    /// Says what it is doing.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Checks both fields.
    pub fn validate(&self) -> Result<(), EngineError> {
        let max = limits::PROGRESS_PERCENT_MAX;
        if self.percent > max {
            let problem = format!("must be within 0..={max}, is {}", self.percent);
            return Err(EngineError::validation("percent", problem));
        }
        let length = self.message.as_ref().map_or(0, String::len);
        at_most("message", length, limits::PROGRESS_MESSAGE_MAX_BYTES)
    }
}

/// Why the attempt failed and what that means for the next one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FailRequest {
    /// Decides between another attempt and the end.
    pub class: FailureClass,
    /// What went wrong.
    pub reason: FailureReason,
    /// Replaces the back-off of a retry; at most 30 days.
    pub retry_after: Option<Duration>,
}

impl FailRequest {
    /// A failure whose retry, if any, follows the policy.
    pub const fn new(class: FailureClass, reason: FailureReason) -> Self {
        Self { class, reason, retry_after: None }
    }

    /// Retries after exactly this long, if at all.
    #[must_use]
    pub const fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Checks all fields.
    pub fn validate(&self) -> Result<(), EngineError> {
        self.reason.validate()?;
        let max = limits::BACKOFF_CAP_MAX_MS;
        match self.retry_after.map(millis) {
            Some(ms) if ms > max => {
                let problem = format!("must be within 0..={max} ms, is {ms}");
                Err(EngineError::validation("retry_after", problem))
            }
            _ => Ok(()),
        }
    }
}

/// Pauses the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DelayRequest {
    /// When it may resume; a time that has passed means now.
    pub until: TimestampMs,
    /// Saves this state in the same step; `None` leaves what was saved before.
    pub state: Option<SavedState>,
}

impl DelayRequest {
    /// Resumes at `until`.
    pub const fn until(until: TimestampMs) -> Self {
        Self { until, state: None }
    }

    /// Gives the attempt back at once, for another worker to resume.
    pub const fn now() -> Self {
        Self { until: TimestampMs::ZERO, state: None }
    }

    /// Saves this state in the same step; at most 64 KiB.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<Bytes>) -> Self {
        self.state = Some(SavedState::new(state));
        self
    }

    /// Checks the time and the state.
    pub fn validate(&self) -> Result<(), EngineError> {
        validate_state(self.state.as_ref())?;
        valid_time("until", self.until)
    }
}

/// Checks the reason text of a cancel, a hold or a revoke.
pub(crate) fn validate_reason(reason: &str) -> Result<(), EngineError> {
    at_most("reason", reason.len(), limits::REASON_MAX_BYTES)
}
