//! Numbers with a meaning: instants, lease epochs, attempt indices.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::TIMESTAMP_MAX_MS;

/// An instant by the store's clock, in Unix milliseconds.
///
/// Arithmetic stays within the Unix epoch and the end of the year 9999 and counts whole
/// milliseconds.
///
/// ```
/// use std::time::Duration;
/// use ff_types::TimestampMs;
///
/// let at = TimestampMs(1_000).saturating_add(Duration::from_secs(2));
/// assert_eq!(at, TimestampMs(3_000));
/// assert_eq!(at.saturating_since(TimestampMs(500)), Duration::from_millis(2_500));
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// The Unix epoch.
    pub const ZERO: Self = Self(0);
    /// The end of the year 9999, the last instant arithmetic reaches.
    pub const MAX: Self = Self(TIMESTAMP_MAX_MS);

    /// Unix milliseconds.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The instant `duration` later, kept within `ZERO..=MAX`.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(signed_ms(duration)).clamp(0, TIMESTAMP_MAX_MS))
    }

    /// The instant `duration` earlier, kept within `ZERO..=MAX`.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(signed_ms(duration)).clamp(0, TIMESTAMP_MAX_MS))
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let ms = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

fn signed_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many leases an execution has had. It rises by one with every lease and never resets, so a
/// holder of an older one is told apart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LeaseEpoch(pub u64);

impl LeaseEpoch {
    /// The epoch before the first lease.
    pub const ZERO: Self = Self(0);

    /// The epoch of the next lease. The largest epoch is its own successor.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for LeaseEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which run of an execution: 0, 1, 2 … without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AttemptIndex(pub u32);

impl AttemptIndex {
    /// The first run.
    pub const FIRST: Self = Self(0);

    /// The run after this one. The largest index is its own successor.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for AttemptIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_stay_in_their_range() {
        assert_eq!(TimestampMs(5).saturating_add(Duration::MAX), TimestampMs::MAX);
        assert_eq!(TimestampMs(i64::MAX).saturating_add(Duration::ZERO), TimestampMs::MAX);
        assert_eq!(TimestampMs(5).saturating_sub(Duration::MAX), TimestampMs::ZERO);
        assert_eq!(TimestampMs(i64::MIN).saturating_sub(Duration::ZERO), TimestampMs::ZERO);
        assert_eq!(TimestampMs(i64::MIN).saturating_since(TimestampMs(1)), Duration::ZERO);
        assert_eq!(
            TimestampMs(i64::MAX).saturating_since(TimestampMs(i64::MIN)),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
    }

    #[test]
    fn counters_stop_at_their_end() {
        assert_eq!(LeaseEpoch::ZERO.next(), LeaseEpoch(1));
        assert_eq!(LeaseEpoch(u64::MAX).next(), LeaseEpoch(u64::MAX));
        assert_eq!(AttemptIndex::FIRST.next(), AttemptIndex(1));
        assert_eq!(AttemptIndex(u32::MAX).next(), AttemptIndex(u32::MAX));
    }

    #[test]
    fn numbers_are_plain_integers_on_the_wire() {
        assert_eq!(serde_json::to_string(&TimestampMs(-3)).unwrap(), "-3");
        assert_eq!(serde_json::from_str::<LeaseEpoch>("7").unwrap(), LeaseEpoch(7));
        assert_eq!(AttemptIndex(4).to_string(), "4");
    }
}
