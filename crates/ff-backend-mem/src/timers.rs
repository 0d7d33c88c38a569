//! What is due when: one entry an execution, flow, budget, lane or schedule, and the same entry under each of its
//! tags, so
//! that a filtered scanner finds what is its own without stepping over the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ff_types::{BudgetId, ExecutionId, FlowId, LaneId, ScheduleId, Tags, TimestampMs};
use tokio::sync::Notify;

/// Whose time has come. At one time executions come first, so that what members do by themselves
/// counts before what their flow does to them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timed {
    Execution(ExecutionId),
    Flow(FlowId),
    Budget(BudgetId),
    Lane(LaneId),
    Schedule(ScheduleId),
}

impl Timed {
    /// Whether every maintainer looks after it: a lane, and a budget or a schedule without tags.
    pub(crate) fn is_everybodys(&self, tags: &Tags) -> bool {
        matches!(self, Self::Budget(_) | Self::Lane(_) | Self::Schedule(_))
            && tags.iter().next().is_none()
    }
}

pub(crate) type Due = BTreeSet<(TimestampMs, Timed)>;

#[derive(Default)]
pub(crate) struct Timers {
    all: Due,
    by_tag: BTreeMap<(String, String), Due>,
    /// What every maintainer looks after, whatever its filter.
    everybodys: Due,
    sooner: Arc<Notify>,
}

impl Timers {
    pub(crate) fn insert(&mut self, tags: &Tags, timed: &Timed, at: Option<TimestampMs>) {
        let Some(at) = at else { return };
        let entry = (at, timed.clone());
        self.all.insert(entry.clone());
        let mut is_first = self.all.first() == Some(&entry);
        if timed.is_everybodys(tags) {
            self.everybodys.insert(entry.clone());
            is_first |= self.everybodys.first() == Some(&entry);
        }
        for (key, value) in tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            let due = self.by_tag.entry(tag).or_default();
            due.insert(entry.clone());
            is_first |= due.first() == Some(&entry);
        }
        if is_first {
            self.sooner.notify_waiters();
        }
    }

    pub(crate) fn remove(&mut self, tags: &Tags, timed: &Timed, at: Option<TimestampMs>) {
        let Some(at) = at else { return };
        let entry = (at, timed.clone());
        self.all.remove(&entry);
        self.everybodys.remove(&entry);
        for (key, value) in tags.iter() {
            let tag = (key.to_owned(), value.to_owned());
            if let Some(due) = self.by_tag.get_mut(&tag) {
                due.remove(&entry);
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

    /// All entries.
    pub(crate) const fn all(&self) -> &Due {
        &self.all
    }

    /// What every maintainer looks after.
    pub(crate) const fn everybodys(&self) -> &Due {
        &self.everybodys
    }

    /// What a maintainer looks after that asks for one tag, or for all, in its order.
    pub(crate) fn of(
        &self,
        tag: Option<&(String, String)>,
    ) -> impl Iterator<Item = &(TimestampMs, Timed)> {
        let (own, others) = match tag {
            None => (Some(&self.all), None),
            Some(tag) => (self.by_tag.get(tag), Some(&self.everybodys)),
        };
        let mut own = own.into_iter().flatten().peekable();
        let mut others = others.into_iter().flatten().peekable();
        std::iter::from_fn(move || match (own.peek(), others.peek()) {
            (Some(one), Some(other)) if other < one => others.next(),
            (Some(_), _) => own.next(),
            (None, _) => others.next(),
        })
    }

    /// Every entry with its tag, for comparing with the records.
    pub(crate) fn tagged(
        &self,
    ) -> impl Iterator<Item = (&(String, String), &(TimestampMs, Timed))> + '_ {
        self.by_tag.iter().flat_map(|(tag, due)| due.iter().map(move |entry| (tag, entry)))
    }
}
