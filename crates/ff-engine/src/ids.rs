//! Where ids come from: an injected clock and injected randomness.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ff_types::{
    BudgetId, ExecutionId, FlowId, RequestId, ScheduleId, SignalId, WaitpointId, WorkerId,
    WorkerInstanceId,
};

use crate::clock::Clock;

/// A source of random numbers.
pub trait Entropy: Send + Sync + 'static {
    /// 64 uniformly distributed bits.
    fn next_u64(&self) -> u64;
}

/// The `SplitMix64` generator (Steele, Lea and Flood, OOPSLA 2014): lock-free, and the same
/// sequence for the same seed. Its output names things; it keeps no secret.
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A generator whose sequence is fixed by `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A generator seeded by the operating system.
    pub fn from_os() -> Self {
        Self::new(getrandom::u64().expect("the operating system provides randomness"))
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        let mut z =
            self.state.fetch_add(Self::INCREMENT, Ordering::Relaxed).wrapping_add(Self::INCREMENT);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Mints ids whose text order is the order in which this source made them.
///
/// Clones share one sequence.
#[derive(Clone)]
pub struct IdSource {
    inner: Arc<Inner>,
    shard: Option<u16>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    last: Mutex<(u64, u16)>,
}

impl fmt::Debug for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdSource").finish_non_exhaustive()
    }
}

impl IdSource {
    /// A source over the given clock and randomness.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let inner = Inner { clock, entropy, last: Mutex::new((0, 0)) };
        Self { inner: Arc::new(inner), shard: None }
    }

    /// The same sequence, with these placement bits in every id, so that a divided store keeps what
    /// the ids name together.
    #[must_use]
    pub fn together(&self, shard: u16) -> Self {
        Self { inner: Arc::clone(&self.inner), shard: Some(shard) }
    }

    /// The clock that its ids are stamped by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// An id for a new execution.
    pub fn execution_id(&self) -> ExecutionId {
        let (ms, sequence, shard, random) = self.parts();
        ExecutionId::from_parts(ms, sequence, shard, random)
    }

    /// An id for a new flow.
    pub fn flow_id(&self) -> FlowId {
        let (ms, sequence, shard, random) = self.parts();
        FlowId::from_parts(ms, sequence, shard, random)
    }

    /// An id for a new budget.
    pub fn budget_id(&self) -> BudgetId {
        let (ms, sequence, shard, random) = self.parts();
        BudgetId::from_parts(ms, sequence, shard, random)
    }

    /// An id for a new schedule.
    pub fn schedule_id(&self) -> ScheduleId {
        let (ms, sequence, shard, random) = self.parts();
        ScheduleId::from_parts(ms, sequence, shard, random)
    }

    /// An id for one request, kept by the caller while it repeats that request.
    pub fn request_id(&self) -> RequestId {
        let (ms, sequence, shard, random) = self.parts();
        RequestId::from_parts(ms, sequence, shard, random)
    }

    /// An id for a new waitpoint, kept by the caller while it repeats the call that makes it.
    pub fn waitpoint_id(&self) -> WaitpointId {
        let (ms, sequence, shard, random) = self.parts();
        WaitpointId::from_parts(ms, sequence, shard, random)
    }

    /// An id for one signal, kept by the sender while it repeats the sending.
    pub fn signal_id(&self) -> SignalId {
        let (ms, sequence, shard, random) = self.parts();
        SignalId::from_parts(ms, sequence, shard, random)
    }

    /// An id for a worker.
    pub fn worker_id(&self) -> WorkerId {
        let (ms, sequence, shard, random) = self.parts();
        WorkerId::from_parts(ms, sequence, shard, random)
    }

    /// An id for one run of a worker process.
    pub fn worker_instance_id(&self) -> WorkerInstanceId {
        let (ms, sequence, shard, random) = self.parts();
        WorkerInstanceId::from_parts(ms, sequence, shard, random)
    }

    /// Milliseconds, sequence, shard and randomness of the next id. A clock that steps back, or a
    /// millisecond with more than 65,536 ids, continues from the last id instead of repeating it.
    fn parts(&self) -> (u64, u16, u16, u64) {
        let now = u64::try_from(self.inner.clock.now().as_i64()).unwrap_or(0);
        let random = self.inner.entropy.next_u64();
        let spread = (self.inner.entropy.next_u64() >> 48) as u16;
        let shard = self.shard.unwrap_or(spread);
        let mut last = self.inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if now > last.0 {
            (now, 0)
        } else {
            match last.1.checked_add(1) {
                Some(sequence) => (last.0, sequence),
                None => (last.0 + 1, 0),
            }
        };
        (last.0, last.1, shard, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn ids_are_ordered_through_bursts_and_clock_steps() {
        let clock = ManualClock::default();
        let ids = IdSource::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
        let mut previous = ids.execution_id();

        for i in 0..200_000 {
            if i == 100_000 {
                clock.set(ff_types::TimestampMs(1_000));
            }
            let next = ids.execution_id();
            assert!(next > previous);
            previous = next;
        }
    }
}
