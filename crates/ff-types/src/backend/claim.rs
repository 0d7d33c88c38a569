//! Claims and the leases they give.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::duration_ms::{self, whole_ms};
use crate::error::ValueError;
use crate::ids::{WorkerId, WorkerInstanceId};
use crate::limits::{
    CLAIM_MAX_TASKS, LEASE_TTL_DEFAULT_MS, LEASE_TTL_MAX_MS, LEASE_TTL_MIN_MS, MAX_WAIT_MAX_MS,
};

/// Who claims, for how long, how many, and whether to wait.
///
/// Durations count whole milliseconds; on the wire they are the integers `lease_ttl_ms` and
/// `max_wait_ms`.
///
/// ```
/// use std::time::Duration;
/// use ff_types::backend::ClaimPolicy;
/// # use ff_types::{WorkerId, WorkerInstanceId};
/// # let worker = WorkerId::from_u128(1);
/// # let instance = WorkerInstanceId::from_u128(2);
///
/// let policy = ClaimPolicy::immediate(worker, instance)
///     .with_max_wait(Duration::from_secs(20))
///     .with_max_tasks(8);
/// assert_eq!(policy.validate(), Ok(()));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClaimPolicy {
    /// The worker.
    pub worker: WorkerId,
    /// The running process of the worker.
    pub instance: WorkerInstanceId,
    /// How long each lease lasts unless renewed: 1 s to 1 h.
    #[serde(rename = "lease_ttl_ms", with = "duration_ms")]
    pub lease_ttl: Duration,
    /// The longest wait for something to claim: at most 1 min. `None` never blocks.
    #[serde(rename = "max_wait_ms", with = "duration_ms::option", default)]
    pub max_wait: Option<Duration>,
    /// The most tasks handed out: 1..=256.
    pub max_tasks: u32,
}

impl ClaimPolicy {
    /// At most one task, with a lease of 30 s, without waiting.
    pub const fn immediate(worker: WorkerId, instance: WorkerInstanceId) -> Self {
        Self {
            worker,
            instance,
            lease_ttl: Duration::from_millis(LEASE_TTL_DEFAULT_MS),
            max_wait: None,
            max_tasks: 1,
        }
    }

    /// Sets how long each lease lasts.
    #[must_use]
    pub const fn with_lease_ttl(mut self, lease_ttl: Duration) -> Self {
        self.lease_ttl = lease_ttl;
        self
    }

    /// Waits for something to claim.
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Sets the most tasks handed out.
    #[must_use]
    pub const fn with_max_tasks(mut self, max_tasks: u32) -> Self {
        self.max_tasks = max_tasks;
        self
    }

    /// Refuses whatever lies outside the bounds stated at the fields.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::millis("lease_ttl", LEASE_TTL_MIN_MS, LEASE_TTL_MAX_MS, whole_ms(self.lease_ttl))?;
        check::range("max_tasks", 1, CLAIM_MAX_TASKS.into(), self.max_tasks.into())?;
        match self.max_wait {
            Some(max_wait) => check::millis("max_wait", 0, MAX_WAIT_MAX_MS, whole_ms(max_wait)),
            None => Ok(()),
        }
    }
}

/// A renewed lease.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseRenewal {
    /// When the lease now ends, by the store's clock, in Unix milliseconds.
    pub expires_at_ms: u64,
    /// The epoch of the lease, unchanged by the renewal.
    pub lease_epoch: u64,
}

impl LeaseRenewal {
    /// Puts a renewal together.
    pub const fn new(expires_at_ms: u64, lease_epoch: u64) -> Self {
        Self { expires_at_ms, lease_epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_enforced() {
        let policy = ClaimPolicy::immediate(WorkerId::from_u128(1), WorkerInstanceId::from_u128(2));
        let cases = [
            (policy.with_lease_ttl(Duration::from_millis(999)), "lease_ttl"),
            (policy.with_lease_ttl(Duration::from_millis(3_600_001)), "lease_ttl"),
            (policy.with_lease_ttl(Duration::MAX), "lease_ttl"),
            (policy.with_max_tasks(0), "max_tasks"),
            (policy.with_max_tasks(257), "max_tasks"),
            (policy.with_max_wait(Duration::from_millis(60_001)), "max_wait"),
        ];

        assert_eq!(policy.validate(), Ok(()));
        for (policy, field) in cases {
            assert_eq!(policy.validate().unwrap_err().field(), field);
        }
    }

    #[test]
    fn durations_travel_as_milliseconds() {
        let policy = ClaimPolicy::immediate(WorkerId::from_u128(1), WorkerInstanceId::from_u128(2));

        let json = serde_json::to_value(policy).unwrap();

        assert_eq!(json["lease_ttl_ms"], 30_000);
        assert_eq!(json["max_wait_ms"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<ClaimPolicy>(json).unwrap(), policy);
    }
}
