//! Repeating a call whose outcome is unknown.
//!
//! The client and the worker share this one helper. It repeats only what
//! [`EngineError::is_retryable`] allows, and never decides what a call means.

use std::time::Duration;

use ff_engine::{Clock, EngineError};

/// How often a call is repeated while the backend does not answer, and how long it waits between.
///
/// Waits double from the first to the longest. Half of each is fixed and half is spread, so that
/// callers that failed together do not come back together.
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::CallRetry;
///
/// let impatient = CallRetry::default().with_calls(2).with_longest_wait(Duration::from_millis(10));
/// assert_eq!(impatient.calls, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallRetry {
    /// At most this many calls in all; at least one is made.
    pub calls: u32,
    /// The wait before the second call.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Default for CallRetry {
    /// 8 calls over about 4 s: from 50 ms to 1 s.
    fn default() -> Self {
        Self {
            calls: 8,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(1),
        }
    }
}

impl CallRetry {
    /// Sets the number of calls.
    #[must_use]
    pub const fn with_calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Sets the wait before the second call.
    #[must_use]
    pub const fn with_first_wait(mut self, first_wait: Duration) -> Self {
        self.first_wait = first_wait;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub const fn with_longest_wait(mut self, longest_wait: Duration) -> Self {
        self.longest_wait = longest_wait;
        self
    }

    /// As many calls as it takes: for loops that live as long as their worker.
    pub(crate) const fn endless(self) -> Self {
        self.with_calls(u32::MAX)
    }
}

/// The waits of one call. Counts the calls made.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: CallRetry,
    spread: u64,
    calls: u32,
}

impl Backoff {
    /// `spread` is any number that differs between callers.
    pub(crate) const fn new(policy: CallRetry, spread: u64) -> Self {
        Self { policy, spread, calls: 1 }
    }

    /// The wait before the next call, or `None` when the calls are used up.
    pub(crate) fn next_wait(&mut self) -> Option<Duration> {
        if self.calls >= self.policy.calls {
            return None;
        }
        let doublings = (self.calls - 1).min(31);
        self.calls += 1;
        let whole =
            self.policy.first_wait.saturating_mul(1 << doublings).min(self.policy.longest_wait);
        self.spread = scramble(self.spread);
        let share = u32::try_from(self.spread % 1_000).unwrap_or(0);
        Some(whole / 2 + whole / 2 / 1_000 * share)
    }

    /// Starts over after a call that was answered.
    pub(crate) const fn reset(&mut self) {
        self.calls = 1;
    }
}

/// One step of the `SplitMix64` finalizer.
const fn scramble(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 27)
}

/// Calls until an answer comes that a repeat would not change, or the back-off is used up.
pub(crate) async fn repeat<T, Fut>(
    clock: &dyn Clock,
    mut backoff: Backoff,
    mut call: impl FnMut() -> Fut,
) -> Result<T, EngineError>
where
    Fut: Future<Output = Result<T, EngineError>>,
{
    loop {
        match call().await {
            Err(error) if error.is_retryable() => match backoff.next_wait() {
                Some(wait) => clock.sleep(wait).await,
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest_and_end() {
        let policy = CallRetry::default().with_calls(6);
        let mut backoff = Backoff::new(policy, 7);

        let waits: Vec<u128> =
            std::iter::from_fn(|| backoff.next_wait().map(|wait| wait.as_millis())).collect();

        assert_eq!(waits.len(), 5);
        for (wait, whole) in waits.iter().zip([50, 100, 200, 400, 800]) {
            assert!((whole / 2..=whole).contains(wait), "{wait} of {whole}");
        }
    }

    #[test]
    fn an_endless_back_off_stays_at_the_longest_wait() {
        let mut backoff = Backoff::new(CallRetry::default().endless(), 1);

        let longest = (0..100).filter_map(|_| backoff.next_wait()).max();

        assert!(longest <= Some(Duration::from_secs(1)));
    }
}
