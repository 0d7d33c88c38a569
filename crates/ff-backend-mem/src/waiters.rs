//! Calls that wait: claims for work, reads for an end.
//!
//! A wait is a one-shot channel that the change itself completes. One ready execution completes
//! one claim's wait.

use std::collections::{HashMap, VecDeque};

use ff_engine::machine::Queue;
use ff_types::ExecutionId;
use ff_types::backend::CapabilitySet;
use tokio::sync::oneshot;

/// Resolves when there may be something.
pub(crate) type Wakeup = oneshot::Receiver<()>;

/// Names a waiting claim within its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

/// The waiting claims of a lane, longest wait first.
#[derive(Default)]
pub(crate) struct ClaimWaiters {
    next_id: u64,
    waiting: VecDeque<ClaimWaiter>,
}

struct ClaimWaiter {
    id: WaiterId,
    offered: CapabilitySet,
    reclaims: bool,
    wake: oneshot::Sender<()>,
}

impl ClaimWaiters {
    pub(crate) fn add(&mut self, offered: CapabilitySet, reclaims: bool) -> (WaiterId, Wakeup) {
        let id = WaiterId(self.next_id);
        self.next_id += 1;
        let (wake, wakeup) = oneshot::channel();
        self.waiting.push_back(ClaimWaiter { id, offered, reclaims, wake });
        (id, wakeup)
    }

    pub(crate) fn remove(&mut self, id: WaiterId) {
        self.waiting.retain(|waiter| waiter.id != id);
    }

    /// Wakes the longest waiting claim that covers `required` and takes from `queue`, and tells
    /// whether there was one.
    pub(crate) fn wake_one(&mut self, queue: Queue, required: &CapabilitySet) -> bool {
        let suits = |waiter: &ClaimWaiter| {
            (queue == Queue::Ready || waiter.reclaims) && required.is_subset_of(&waiter.offered)
        };
        while let Some(at) = self.waiting.iter().position(suits) {
            let woken = self.waiting.remove(at).is_some_and(|waiter| waiter.wake.send(()).is_ok());
            if woken {
                return true;
            }
        }
        false
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Reads that wait for the end of an execution.
#[derive(Default)]
pub(crate) struct EndWaiters {
    waiting: HashMap<ExecutionId, Vec<oneshot::Sender<()>>>,
}

impl EndWaiters {
    pub(crate) fn add(&mut self, id: ExecutionId) -> Wakeup {
        let (wake, wakeup) = oneshot::channel();
        let waiting = self.waiting.entry(id).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(wake);
        wakeup
    }

    /// Wakes every read of `id`.
    pub(crate) fn wake(&mut self, id: ExecutionId) {
        for wake in self.waiting.remove(&id).unwrap_or_default() {
            // A read that gave up has dropped its end.
            let _gone = wake.send(());
        }
    }

    /// Forgets reads that gave up.
    pub(crate) fn purge(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|wake| !wake.is_closed());
            !waiting.is_empty()
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
