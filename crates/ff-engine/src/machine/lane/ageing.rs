//! The best of a queue when waiting counts as priority.
//!
//! The first of each priority has waited longest of it, so the best of all is among these, and a queue is
//! asked for one entry a priority, however many it has. With a step of `a` an execution of priority `p` is
//! handed out before everything that comes more than `(100 - p) * a` after it.

use std::collections::BTreeSet;
use std::ops::Bound;

use ff_types::{ExecutionId, TimestampMs};

use crate::machine::placement::QueueOrder;
use crate::requests::millis;
use std::time::Duration;

/// Where an execution stands when it has a choice of queues: smaller is handed out first. The first part is
/// the negated priority less the steps that it has waited.
pub(super) type Standing = (i64, TimestampMs, ExecutionId);

/// Where an entry of a queue stands.
pub(super) fn standing(
    (order, id): (QueueOrder, ExecutionId),
    ageing: Option<Duration>,
    now: TimestampMs,
) -> Standing {
    let steps = ageing.map_or(0, |step| {
        let waited = millis(now.saturating_since(order.ready_at));
        i64::try_from(waited / millis(step).max(1)).unwrap_or(i64::MAX)
    });
    (i64::from(order.rank).saturating_sub(steps), order.ready_at, id)
}

/// The entry of a queue that is handed out first, among those that `wanted` accepts.
pub(super) fn first(
    queue: &BTreeSet<(QueueOrder, ExecutionId)>,
    ageing: Option<Duration>,
    wanted: impl Fn(ExecutionId) -> bool,
    now: TimestampMs,
) -> Option<(Standing, (QueueOrder, ExecutionId))> {
    let heads = levels(queue, wanted).take(if ageing.is_some() { usize::MAX } else { 1 });
    heads.map(|place| (standing(place, ageing, now), place)).min()
}

/// The first entry of each priority: the one of it that has waited longest.
pub(super) fn level_heads(
    queue: &BTreeSet<(QueueOrder, ExecutionId)>,
) -> impl Iterator<Item = (QueueOrder, ExecutionId)> {
    levels(queue, |_| true)
}

fn levels(
    queue: &BTreeSet<(QueueOrder, ExecutionId)>,
    wanted: impl Fn(ExecutionId) -> bool,
) -> impl Iterator<Item = (QueueOrder, ExecutionId)> {
    let mut from = Bound::Unbounded;
    std::iter::from_fn(move || {
        let place = *queue.range((from, Bound::Unbounded)).find(|(_, id)| wanted(*id))?;
        let next = QueueOrder { rank: place.0.rank + 1, ready_at: TimestampMs(i64::MIN) };
        from = Bound::Included((next, ExecutionId::from_u128(0)));
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_counts_as_priority() {
        let place = |priority: i16, ready_at: u32| {
            let order = QueueOrder { rank: -priority, ready_at: TimestampMs(ready_at.into()) };
            (order, ExecutionId::from_u128(ready_at.into()))
        };
        let queue = BTreeSet::from([place(10, 9_000), place(5, 2_000), place(0, 1_000)]);
        let first = |ageing: Option<u64>, now| {
            let ageing = ageing.map(Duration::from_millis);
            first(&queue, ageing, |_| true, TimestampMs(now)).unwrap().1.0.ready_at
        };

        assert_eq!(first(None, 10_000), TimestampMs(9_000));
        assert_eq!(first(Some(2_000), 10_000), TimestampMs(9_000));
        assert_eq!(first(Some(1_000), 10_000), TimestampMs(2_000));
        assert_eq!(first(Some(50), 10_000), TimestampMs(1_000));
    }
}
