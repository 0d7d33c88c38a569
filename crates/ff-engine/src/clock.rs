//! Time, from one place.
//!
//! A backend judges expiry by its store's clock only; the embedded engine's store clock is the
//! [`Clock`] it was built with. Nothing else in the workspace reads the wall clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ff_types::TimestampMs;

/// A boxed future that resolves when a wait is over.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of the present and a way to wait for later.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch. May step in either direction, as a wall clock does.
    fn now(&self) -> TimestampMs;

    /// Resolves once `duration` has elapsed. Elapsed time is monotonic: a step of [`Clock::now`]
    /// backwards never prolongs a wait.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's clock. Its waits need a Tokio runtime with time enabled.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> TimestampMs {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        TimestampMs::ZERO.saturating_add(since_epoch)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that moves only when told to. Clones share the same time.
///
/// ```
/// use std::time::Duration;
/// use ff_engine::{Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(clock.now().saturating_since(before), Duration::from_secs(7 * 24 * 3600));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    shared: Arc<Mutex<ManualTime>>,
}

#[derive(Debug)]
struct ManualTime {
    now: TimestampMs,
    elapsed: Duration,
    next_waiter: u64,
    waiters: BTreeMap<u64, (Duration, Waker)>,
}

impl Default for ManualTime {
    fn default() -> Self {
        Self {
            now: ManualClock::START,
            elapsed: Duration::ZERO,
            next_waiter: 0,
            waiters: BTreeMap::new(),
        }
    }
}

impl ManualClock {
    /// Where a new clock stands: 2030-01-01T00:00:00Z, so that tests may step well before it.
    pub const START: TimestampMs = TimestampMs(1_893_456_000_000);

    /// A clock that stands at `now`.
    pub fn starting_at(now: TimestampMs) -> Self {
        let clock = Self::default();
        clock.lock().now = now;
        clock
    }

    /// Moves forward and wakes every wait that is over.
    pub fn advance(&self, by: Duration) {
        let woken: Vec<Waker> = {
            let mut time = self.lock();
            time.now = time.now.saturating_add(by);
            time.elapsed = time.elapsed.saturating_add(by);
            let elapsed = time.elapsed;
            let over: Vec<u64> = time
                .waiters
                .iter()
                .filter(|(_, (until, _))| *until <= elapsed)
                .map(|(id, _)| *id)
                .collect();
            over.iter().filter_map(|id| time.waiters.remove(id)).map(|(_, waker)| waker).collect()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Steps the present to `now` in either direction, as a corrected wall clock does. Elapsed
    /// time does not change: no wait ends by it.
    pub fn set(&self, now: TimestampMs) {
        self.lock().now = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualTime> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> TimestampMs {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut time = self.lock();
        let until = time.elapsed.saturating_add(duration);
        let id = time.next_waiter;
        time.next_waiter += 1;
        Box::pin(ManualSleep { clock: self.clone(), id, until })
    }
}

struct ManualSleep {
    clock: ManualClock,
    id: u64,
    until: Duration,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = self.clock.lock();
        if time.elapsed >= self.until {
            return Poll::Ready(());
        }
        time.waiters.insert(self.id, (self.until, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        self.clock.lock().waiters.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_wait_ends_by_elapsed_time_only() {
        let clock = ManualClock::default();
        let mut wait = clock.sleep(Duration::from_secs(10));

        clock.set(clock.now().saturating_add(Duration::from_hours(1)));
        let stepped = std::future::poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
        assert!(stepped.is_pending());

        clock.advance(Duration::from_secs(10));
        wait.await;
        assert!(clock.lock().waiters.is_empty());
    }
}
