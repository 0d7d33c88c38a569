//! Where a record stands in a backend's indexes. Both places follow from the record alone, so that
//! an index can be rebuilt and compared at any time.

use ff_types::{BlockReason, ExecutionState, TimestampMs};

use super::record::{Entry, ExecutionRecord, RunState};
use crate::requests::millis;
use std::time::Duration;

/// The places of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The queue it stands in, exactly when it can be handed out.
    pub queue: Option<(Queue, QueueOrder)>,
    /// When time alone changes it. One timer an execution is enough: the earliest of all that
    /// could come due. A member of a flow that has ended stays until the flow goes.
    pub due: Option<TimestampMs>,
}

/// The two queues of a lane and requirement class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// What `claim` hands out.
    Ready,
    /// What the reclaim scanner hands out.
    Reclaim,
}

/// The order in a queue: highest priority first, then first in first out. Executions that became
/// ready in the same millisecond follow in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOrder {
    /// The negated priority.
    pub rank: i16,
    /// Since when it is ready.
    pub ready_at: TimestampMs,
}

impl QueueOrder {
    /// Where a record stands once it is in a queue.
    pub fn of(record: &ExecutionRecord) -> Self {
        Self { rank: -i16::from(record.submission.priority), ready_at: record.run.ready_at }
    }
}

impl Placement {
    /// Where `record` belongs.
    pub fn of(record: &ExecutionRecord) -> Self {
        let run = &record.run;
        let claimable = run.state == ExecutionState::Ready && run.grant.is_none();
        let queue = claimable.then(|| {
            let queue = match run.entry {
                Entry::Claim => Queue::Ready,
                Entry::Reclaim => Queue::Reclaim,
            };
            (queue, QueueOrder::of(record))
        });
        Self { queue, due: due_at(record) }
    }
}

fn due_at(record: &ExecutionRecord) -> Option<TimestampMs> {
    let run = &record.run;
    if let Some(ended_at) = run.ended_at {
        if record.node.is_some() {
            return None;
        }
        let retention = Duration::from_millis(millis(record.submission.policy.retention));
        return Some(ended_at.saturating_add(retention));
    }
    if let Some(lease) = &run.lease {
        return Some(lease.expires_at);
    }
    let delay = run.delay_until.filter(|_| run.reasons.contains(BlockReason::Delay));
    let grant = run.grant.map(|grant| grant.expires_at);
    let wait = (run.state == ExecutionState::Suspended).then(|| wait_due(run)).flatten();
    [delay, grant, wait, run.expires_at()].into_iter().flatten().min()
}

/// The timeout of the wait, or the first expiry of a waitpoint that it waits for.
fn wait_due(run: &RunState) -> Option<TimestampMs> {
    let waits = run.waits();
    let timeout = waits.suspension.as_ref().and_then(|suspension| suspension.timeout_at);
    timeout.into_iter().chain(waits.active_expiry()).min()
}
