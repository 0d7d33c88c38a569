//! What is due when: one entry an execution, and the same entry under each of its tags, so that a
//! filtered scanner finds what is its own without stepping over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ff_engine::Submission;
use ff_engine::machine::Placement;
use ff_types::{ExecutionId, TimestampMs};
use tokio::sync::Notify;

pub(crate) type Due = BTreeSet<(TimestampMs, ExecutionId)>;

#[derive(Default)]
pub(crate) struct Timers {
    all: Due,
    by_tag: BTreeMap<(String, String), Due>,
    sooner: Arc<Notify>,
}

impl Timers {
    pub(crate) fn insert(&mut self, submission: &Submission, placement: &Placement) {
        let Some(at) = placement.due else { return };
        let entry = (at, submission.id());
        self.all.insert(entry);
        let mut is_first = self.all.first() == Some(&entry);
        for (key, value) in submission.tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            let due = self.by_tag.entry(tag).or_default();
            due.insert(entry);
            is_first |= due.first() == Some(&entry);
        }
        if is_first {
            self.sooner.notify_waiters();
        }
    }

    pub(crate) fn remove(&mut self, submission: &Submission, placement: &Placement) {
        let Some(at) = placement.due else { return };
        self.all.remove(&(at, submission.id()));
        for (key, value) in submission.tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            if let Some(due) = self.by_tag.get_mut(&tag) {
                due.remove(&(at, submission.id()));
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
    ) -> impl Iterator<Item = (&(String, String), &(TimestampMs, ExecutionId))> + '_ {
        self.by_tag.iter().flat_map(|(tag, due)| due.iter().map(move |entry| (tag, entry)))
    }
}
