//! What is due when: one entry an execution, flow or budget, and the same entry under each of its tags, so
//! that a filtered scanner finds what is its own without stepping over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ff_types::{BudgetId, ExecutionId, FlowId, Tags, TimestampMs};
use tokio::sync::Notify;

/// Whose time has come. At one time executions come first, so that what members do by themselves
/// counts before what their flow does to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timed {
    Execution(ExecutionId),
    Flow(FlowId),
    Budget(BudgetId),
}

pub(crate) type Due = BTreeSet<(TimestampMs, Timed)>;

#[derive(Default)]
pub(crate) struct Timers {
    all: Due,
    by_tag: BTreeMap<(String, String), Due>,
    sooner: Arc<Notify>,
}

impl Timers {
    pub(crate) fn insert(&mut self, tags: &Tags, timed: Timed, at: Option<TimestampMs>) {
        let Some(at) = at else { return };
        let entry = (at, timed);
        self.all.insert(entry);
        let mut is_first = self.all.first() == Some(&entry);
        for (key, value) in tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            let due = self.by_tag.entry(tag).or_default();
            due.insert(entry);
            is_first |= due.first() == Some(&entry);
        }
        if is_first {
            self.sooner.notify_waiters();
        }
    }

    pub(crate) fn remove(&mut self, tags: &Tags, timed: Timed, at: Option<TimestampMs>) {
        let Some(at) = at else { return };
        self.all.remove(&(at, timed));
        for (key, value) in tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            if let Some(due) = self.by_tag.get_mut(&tag) {
                due.remove(&(at, timed));
                if due.is_empty() {
                    self.by_tag.remove(&tag);
                }
            }
        }
    }

    /// Notified when something is due sooner than before.
    pub(crate) fn sooner(&self) -> Arc<Notify> {
        Arc::clone(&self.sooner)
    }

    /// The entries of one tag, or all; `None` when the tag has none.
    pub(crate) fn of(&self, tag: Option<&(String, String)>) -> Option<&Due> {
        match tag {
            None => Some(&self.all),
            Some(tag) => self.by_tag.get(tag),
        }
    }

    /// Every entry with its tag, for comparing with the records.
    pub(crate) fn tagged(
        &self,
    ) -> impl Iterator<Item = (&(String, String), &(TimestampMs, Timed))> + '_ {
        self.by_tag.iter().flat_map(|(tag, due)| due.iter().map(move |entry| (tag, entry)))
    }
}
