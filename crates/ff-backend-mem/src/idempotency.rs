//! Which execution an idempotency key names, for as long as its window lasts.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ff_engine::Submission;
use ff_types::{BudgetId, ExecutionId, IdempotencyKey, TaskKind, TimestampMs};

use crate::mutation::Distortion;

type Key = (TaskKind, IdempotencyKey, Option<BudgetId>);

pub(crate) struct Keys {
    distortion: Distortion,
    holders: HashMap<Key, Holder>,
    by_end: BTreeSet<(TimestampMs, Key)>,
}

#[derive(Clone, Copy)]
struct Holder {
    id: ExecutionId,
    ends_at: TimestampMs,
}

impl Keys {
    pub(crate) fn new(distortion: Distortion) -> Self {
        Self { distortion, holders: HashMap::new(), by_end: BTreeSet::new() }
    }

    /// The execution that holds the submission's key at `now`.
    pub(crate) fn holder(&self, submission: &Submission, now: TimestampMs) -> Option<ExecutionId> {
        let holder = self.holders.get(&key_of(submission)?)?;
        self.distortion.key_holds(holder.ends_at, now).then_some(holder.id)
    }

    /// Lets the submission's key, if it has one, name the submission from now on.
    pub(crate) fn take(&mut self, submission: &Submission, now: TimestampMs) {
        let (Some(key), Some(idempotency)) = (key_of(submission), submission.idempotency()) else {
            return;
        };
        let window_ms = u64::try_from(idempotency.window.as_millis()).unwrap_or(u64::MAX);
        let ends_at = now.saturating_add(Duration::from_millis(window_ms));
        let holder = Holder { id: submission.id(), ends_at };
        if let Some(before) = self.holders.insert(key.clone(), holder) {
            self.by_end.remove(&(before.ends_at, key.clone()));
        }
        self.by_end.insert((ends_at, key));
    }

    /// Forgets keys whose window has ended.
    pub(crate) fn purge(&mut self, now: TimestampMs) {
        while self.by_end.first().is_some_and(|(ends_at, _)| *ends_at <= now) {
            if let Some((_, key)) = self.by_end.pop_first() {
                self.holders.remove(&key);
            }
        }
    }

    /// When each window ends and whom the key names, in that order.
    pub(crate) fn entries(&self) -> Vec<(TimestampMs, Option<ExecutionId>)> {
        let holder = |key| self.holders.get(key).map(|holder: &Holder| holder.id);
        self.by_end.iter().map(|(ends_at, key)| (*ends_at, holder(key))).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }
}

fn key_of(submission: &Submission) -> Option<Key> {
    let (kind, key, budget) = submission.key_scope()?;
    Some((kind.clone(), key.clone(), budget))
}
