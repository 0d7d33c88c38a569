//! Calls that wait: claims for work, reads for an end or for frames, workers for cancellations.
//!
//! A wait is a channel that the change itself completes. One ready execution completes one claim's
//! wait.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ff_engine::machine::{ExecutionRecord, Queue};
use ff_engine::{ExecutionResult, Submission};
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionId, Namespace, WorkerInstanceId};
use tokio::sync::{Notify, mpsc, oneshot};

/// Resolves with the execution that has become ready.
pub(crate) type Wakeup = oneshot::Receiver<ExecutionId>;

/// Resolves with the end of an execution.
pub(crate) type End = oneshot::Receiver<ExecutionResult>;

/// Gives the executions that are to be cancelled.
pub(crate) type Cancels = mpsc::Receiver<ExecutionId>;

/// Most cancellations that one wait is told of. What is beyond, the next renewal answers.
const CANCELS_MAX: usize = 1_024;

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
    reclaims: Option<ScannerFilter>,
    wake: oneshot::Sender<ExecutionId>,
}

impl ClaimWaiters {
    pub(crate) fn add(
        &mut self,
        offered: CapabilitySet,
        reclaims: Option<ScannerFilter>,
    ) -> (WaiterId, Wakeup) {
        let id = WaiterId(self.next_id);
        self.next_id += 1;
        let (wake, wakeup) = oneshot::channel();
        self.waiting.push_back(ClaimWaiter { id, offered, reclaims, wake });
        (id, wakeup)
    }

    pub(crate) fn remove(&mut self, id: WaiterId) {
        self.waiting.retain(|waiter| waiter.id != id);
    }

    /// Wakes the longest waiting claim that can take this execution from `queue`, and tells whether
    /// there was one.
    pub(crate) fn wake_one(
        &mut self,
        queue: Queue,
        submission: &Submission,
        namespace: &Namespace,
    ) -> bool {
        let suits = |waiter: &ClaimWaiter| {
            let wanted = match (queue, &waiter.reclaims) {
                (Queue::Ready, _) => true,
                (Queue::Reclaim, None) => false,
                (Queue::Reclaim, Some(filter)) => filter.matches(namespace, &submission.tags),
            };
            wanted && submission.capabilities.is_subset_of(&waiter.offered)
        };
        while let Some(at) = self.waiting.iter().position(suits) {
            let waiter = self.waiting.remove(at);
            if waiter.is_some_and(|waiter| waiter.wake.send(submission.id()).is_ok()) {
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
    waiting: HashMap<ExecutionId, Vec<oneshot::Sender<ExecutionResult>>>,
}

impl EndWaiters {
    pub(crate) fn add(&mut self, id: ExecutionId) -> End {
        let (wake, wakeup) = oneshot::channel();
        let waiting = self.waiting.entry(id).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(wake);
        wakeup
    }

    /// Tells every read of an execution how it ended.
    pub(crate) fn tell(&mut self, record: &ExecutionRecord) {
        let Some(waiting) = self.waiting.remove(&record.submission.id()) else { return };
        let Some(result) = ExecutionResult::of(record) else { return };
        for read in waiting {
            // A read that gave up has dropped its end.
            let _gone = read.send(result.clone());
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

/// Workers that wait to hear of cancellations.
#[derive(Default)]
pub(crate) struct CancelWaiters {
    waiting: HashMap<WorkerInstanceId, Vec<mpsc::Sender<ExecutionId>>>,
}

impl CancelWaiters {
    pub(crate) fn add(&mut self, instance: WorkerInstanceId) -> Cancels {
        let (tell, cancels) = mpsc::channel(CANCELS_MAX);
        let waiting = self.waiting.entry(instance).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(tell);
        cancels
    }

    /// Tells the holder of a lease whose execution is to be cancelled.
    pub(crate) fn tell(&mut self, record: &ExecutionRecord) {
        let Some(lease) = &record.run.lease else { return };
        for wait in self.waiting.get(&lease.instance).into_iter().flatten() {
            // A wait that is over has dropped its end, and one that is full is over soon.
            let _untold = wait.try_send(record.submission.id());
        }
    }

    /// Forgets waits that were given up.
    pub(crate) fn purge(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|wait| !wait.is_closed());
            !waiting.is_empty()
        });
    }
}

/// Reads that wait for the next frame of an execution.
#[derive(Default)]
pub(crate) struct StreamWaiters {
    waiting: HashMap<ExecutionId, Arc<Notify>>,
}

impl StreamWaiters {
    /// Is notified of every append, and when the stream ends.
    pub(crate) fn wait(&mut self, id: ExecutionId) -> Arc<Notify> {
        Arc::clone(self.waiting.entry(id).or_default())
    }

    /// Something has happened to the stream of an execution.
    pub(crate) fn tell(&mut self, id: ExecutionId) {
        let Some(changed) = self.waiting.get(&id) else { return };
        changed.notify_waiters();
        if Arc::strong_count(changed) == 1 {
            self.waiting.remove(&id);
        }
    }

    /// Forgets executions that nobody waits for.
    pub(crate) fn purge(&mut self) {
        self.waiting.retain(|_, changed| Arc::strong_count(changed) > 1);
    }
}
