//! What the latest claim of each worker instance gave out, for a repeat of it.

use std::collections::HashMap;
use std::time::Duration;

use ff_types::{ExecutionId, LaneId, RequestId, TimestampMs, WorkerInstanceId};

/// The latest claim and the latest reclaim request of each instance on each lane.
#[derive(Default)]
pub(crate) struct Repeats {
    latest: HashMap<(WorkerInstanceId, LaneId, Asked), Answer>,
}

/// Which verb asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Claim,
    Reclaimable,
}

/// What was given out, in order. The position of an item is the index its lease or grant id was
/// derived with.
pub(crate) struct Answer {
    pub(crate) request_id: RequestId,
    pub(crate) items: Vec<ExecutionId>,
    ends_at: TimestampMs,
}

impl Repeats {
    /// The answer given to this same request before, while it is remembered.
    pub(crate) fn find(
        &self,
        instance: WorkerInstanceId,
        lane: &LaneId,
        asked: Asked,
        request_id: RequestId,
        now: TimestampMs,
    ) -> Option<&Answer> {
        self.latest
            .get(&(instance, lane.clone(), asked))
            .filter(|answer| answer.request_id == request_id && answer.ends_at > now)
    }

    /// Remembers an answer for `ttl`.
    pub(crate) fn remember(
        &mut self,
        key: (WorkerInstanceId, LaneId, Asked),
        request_id: RequestId,
        items: Vec<ExecutionId>,
        now: TimestampMs,
        ttl: Duration,
    ) {
        let ends_at = now.saturating_add(ttl);
        self.latest.insert(key, Answer { request_id, items, ends_at });
    }

    /// Forgets answers that are too old to be repeated.
    pub(crate) fn purge(&mut self, now: TimestampMs) {
        self.latest.retain(|_, answer| answer.ends_at > now);
    }

    /// What is remembered, in a fixed order.
    pub(crate) fn entries(&self) -> Vec<(RequestId, &[ExecutionId], TimestampMs)> {
        let mut entries: Vec<_> = self
            .latest
            .values()
            .map(|answer| (answer.request_id, answer.items.as_slice(), answer.ends_at))
            .collect();
        entries.sort_unstable();
        entries
    }

    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }
}
