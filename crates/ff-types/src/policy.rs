//! Policies: how often an execution is tried, how long, and how long it is kept.
//!
//! They state wishes only; delays are computed by the engine.

mod backoff;

pub use backoff::{Backoff, Jitter};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::duration_ms::{self, whole_ms};
use crate::error::ValueError;
use crate::limits::{
    ATTEMPT_TIMEOUT_MAX_MS, ATTEMPT_TIMEOUT_MIN_MS, RECLAIMS_DEFAULT, RECLAIMS_MAX,
    RETENTION_DEFAULT_MS, RETENTION_MAX_MS, RETRIES_DEFAULT, RETRIES_MAX,
};

/// How often and after which delays a failed execution is tried again.
///
/// ```
/// use ff_types::{Backoff, RetryPolicy};
///
/// let policy = RetryPolicy::default()
///     .with_max_retries(5)
///     .with_backoff(Backoff::Fixed { delay_ms: 250 });
/// assert_eq!(policy.validate(), Ok(()));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries after the first attempt: 0..=1000.
    pub max_retries: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// How the delay is spread.
    pub jitter: Jitter,
}

impl RetryPolicy {
    /// No retries: the first failure ends the execution.
    pub fn none() -> Self {
        Self::default().with_max_retries(0)
    }

    /// Sets the retries after the first attempt.
    #[must_use]
    pub const fn with_max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = max_retries;
        self
    }

    /// Sets how the delay grows.
    #[must_use]
    pub const fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets how the delay is spread.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Refuses more than 1000 retries and a back-off outside its bounds.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::range("max_retries", 0, RETRIES_MAX.into(), self.max_retries.into())?;
        self.backoff.validate()
    }
}

impl Default for RetryPolicy {
    /// Three retries, after 1 s doubling to 1 min, fully jittered.
    fn default() -> Self {
        Self { max_retries: RETRIES_DEFAULT, backoff: Backoff::default(), jitter: Jitter::Full }
    }
}

/// What an execution may cost and how long it is kept.
///
/// Durations count whole milliseconds; on the wire they are the integers `attempt_timeout_ms` and
/// `retention_ms`.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExecutionPolicy {
    /// What happens after a failure.
    pub retry: RetryPolicy,
    /// New attempts after a lost lease before the execution fails: 0..=1000.
    pub max_reclaims: u32,
    /// The longest one attempt may run, armed at every claim: 1 ms to 30 days, or no limit.
    #[serde(rename = "attempt_timeout_ms", with = "duration_ms::option", default)]
    pub attempt_timeout: Option<Duration>,
    /// How long the records stay after the end: at most 366 days.
    #[serde(rename = "retention_ms", with = "duration_ms")]
    pub retention: Duration,
}

impl ExecutionPolicy {
    /// Sets what happens after a failure.
    #[must_use]
    pub const fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many lost leases are made good.
    #[must_use]
    pub const fn with_max_reclaims(mut self, max_reclaims: u32) -> Self {
        self.max_reclaims = max_reclaims;
        self
    }

    /// Limits how long one attempt may run.
    #[must_use]
    pub const fn with_attempt_timeout(mut self, attempt_timeout: Duration) -> Self {
        self.attempt_timeout = Some(attempt_timeout);
        self
    }

    /// Sets how long the records stay after the end.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Refuses whatever lies outside the bounds stated at the fields.
    pub fn validate(&self) -> Result<(), ValueError> {
        self.retry.validate()?;
        check::range("max_reclaims", 0, RECLAIMS_MAX.into(), self.max_reclaims.into())?;
        if let Some(timeout) = self.attempt_timeout {
            let (min, max) = (ATTEMPT_TIMEOUT_MIN_MS, ATTEMPT_TIMEOUT_MAX_MS);
            check::millis("attempt_timeout", min, max, whole_ms(timeout))?;
        }
        check::millis("retention", 0, RETENTION_MAX_MS, whole_ms(self.retention))
    }
}

impl Default for ExecutionPolicy {
    /// Default retries, 10 reclaims, no attempt timeout, kept for 24 h.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            max_reclaims: RECLAIMS_DEFAULT,
            attempt_timeout: None,
            retention: Duration::from_millis(RETENTION_DEFAULT_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(ExecutionPolicy::default().validate(), Ok(()));
        assert_eq!(RetryPolicy::none().validate(), Ok(()));
        assert_eq!(RetryPolicy::none().max_retries, 0);
    }

    #[test]
    fn bounds_are_enforced() {
        let retry = RetryPolicy::default();
        let policy = ExecutionPolicy::default();
        let exponential = |base_ms, factor, cap_ms| {
            policy.with_retry(retry.with_backoff(Backoff::Exponential { base_ms, factor, cap_ms }))
        };
        let cases = [
            (policy.with_retry(retry.with_max_retries(1_001)), "max_retries"),
            (
                policy.with_retry(retry.with_backoff(Backoff::Fixed { delay_ms: u64::MAX })),
                "backoff_delay_ms",
            ),
            (exponential(u64::MAX, 2, 1), "backoff_base_ms"),
            (exponential(1, 0, 1), "backoff_factor"),
            (exponential(1, 101, 1), "backoff_factor"),
            (exponential(1, 2, u64::MAX), "backoff_cap_ms"),
            (policy.with_max_reclaims(1_001), "max_reclaims"),
            (policy.with_attempt_timeout(Duration::from_micros(999)), "attempt_timeout"),
            (policy.with_attempt_timeout(Duration::MAX), "attempt_timeout"),
            (policy.with_retention(Duration::MAX), "retention"),
        ];

        for (policy, field) in cases {
            assert_eq!(policy.validate().unwrap_err().field(), field);
        }
    }

    #[test]
    fn durations_travel_as_milliseconds() {
        let policy = ExecutionPolicy::default().with_attempt_timeout(Duration::from_secs(5));

        let json = serde_json::to_value(policy).unwrap();

        assert_eq!(json["attempt_timeout_ms"], 5_000);
        assert_eq!(json["retention_ms"], 86_400_000);
        assert_eq!(json["retry"]["jitter"], "full");
        assert_eq!(serde_json::from_value::<ExecutionPolicy>(json).unwrap(), policy);
    }
}
