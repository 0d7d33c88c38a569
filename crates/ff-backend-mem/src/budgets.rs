//! The budgets of a store, and who waits for room in them.

use std::collections::{BTreeMap, BTreeSet};

use ff_engine::EngineError;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{
    self, BudgetRecord, BudgetTables, ExecutionRecord, QueueOrder, Reported, RunState,
    moves_budgets,
};
use ff_types::{BudgetId, ExecutionId, TimestampMs, limits};

use crate::queues::Place;
use crate::store::Store;
use crate::timers::Timed;

/// The budgets, in the order of ids, which is the order of listings.
#[derive(Default)]
pub(crate) struct Budgets {
    records: BTreeMap<BudgetId, Kept>,
}

struct Kept {
    budget: Box<BudgetRecord>,
    /// Those that wait for room, in the order of their places.
    blocked: BTreeSet<Place>,
    /// The time under which it stands among the timers.
    timed_at: Option<TimestampMs>,
}

impl Budgets {
    pub(crate) fn get(&self, id: BudgetId) -> Option<&BudgetRecord> {
        self.records.get(&id).map(|kept| kept.budget.as_ref())
    }

    /// Budgets in the order of ids, each with how many wait for room in it.
    pub(crate) fn range(
        &self,
        range: impl std::ops::RangeBounds<BudgetId>,
    ) -> impl Iterator<Item = (&BudgetRecord, u64)> {
        self.records.range(range).map(|(_, kept)| (kept.budget.as_ref(), kept.blocked.len() as u64))
    }

    /// Every wait, for comparing with the records.
    pub(crate) fn waits(&self) -> impl Iterator<Item = (BudgetId, Place)> + '_ {
        let each = |(id, kept): (&BudgetId, &'_ Kept)| {
            let id = *id;
            kept.blocked.iter().map(move |place| (id, *place)).collect::<Vec<_>>()
        };
        self.records.iter().flat_map(each)
    }

    /// Brings the places of a record along whose run state was `earlier`.
    pub(crate) fn follow(&mut self, earlier: &RunState, record: &ExecutionRecord) {
        let id = record.submission.id();
        let was = earlier.blocked_on.map(|budget| (budget, earlier.ready_at));
        let is = record.run.blocked_on.map(|budget| (budget, record.run.ready_at));
        if was == is {
            return;
        }
        let rank = QueueOrder::of(record).rank;
        if let Some((budget, ready_at)) = was
            && let Some(kept) = self.records.get_mut(&budget)
        {
            kept.blocked.remove(&(QueueOrder { rank, ready_at }, id));
        }
        if let Some((budget, ready_at)) = is
            && let Some(kept) = self.records.get_mut(&budget)
        {
            kept.blocked.insert((QueueOrder { rank, ready_at }, id));
        }
    }
}

impl BudgetTables for Store {
    fn budget(&self, id: BudgetId) -> Option<&BudgetRecord> {
        self.budgets.get(id)
    }

    fn first_blocked(&self, id: BudgetId) -> Option<Place> {
        let kept = self.budgets.records.get(&id)?;
        kept.blocked.first().copied().filter(|_| self.distortion.keeps_order_in_budgets())
    }
}

impl Store {
    /// The record of a budget.
    pub(crate) fn budget_record(&self, id: BudgetId) -> Result<&BudgetRecord, EngineError> {
        self.budgets.get(id).ok_or_else(|| EngineError::budget_not_found(id))
    }

    /// How many wait for room in a budget.
    pub(crate) fn waiting_for(&self, id: BudgetId) -> u64 {
        self.budgets.records.get(&id).map_or(0, |kept| kept.blocked.len() as u64)
    }

    /// Stores a budget, a new one or in place of what it was.
    pub(crate) fn put_budget(&mut self, budget: Box<BudgetRecord>) {
        let (id, due) = (budget.spec.id, budget.look_at);
        let tags = budget.spec.tags.clone();
        let before = if let Some(kept) = self.budgets.records.get_mut(&id) {
            kept.budget = budget;
            std::mem::replace(&mut kept.timed_at, due)
        } else {
            let kept = Kept { budget, blocked: BTreeSet::new(), timed_at: due };
            self.budgets.records.insert(id, kept);
            None
        };
        if before != due {
            self.timers.remove(&tags, Timed::Budget(id), before);
            self.timers.insert(&tags, Timed::Budget(id), due);
        }
    }

    /// Brings the budgets of an execution along whose run state was `earlier`.
    pub(crate) fn settle_budgets(&mut self, id: ExecutionId, earlier: &RunState, now: TimestampMs) {
        let Some(record) = self.records.get(&id) else { return };
        if record.submission.budgets().is_empty() {
            return;
        }
        let (before, run) = self.distortion.budgeting(earlier, &record.run);
        if !moves_budgets(&before, &run) {
            return;
        }
        let mut changed = Vec::new();
        for budget in record.submission.budgets() {
            let Some(kept) = self.budgets.records.get(budget) else { continue };
            let (mut next, waits) = (kept.budget.clone(), !kept.blocked.is_empty());
            next.follow(&before, &run, waits, now);
            next.look_at = self.distortion.look_at(kept.budget.look_at, next.look_at);
            changed.push(next);
        }
        for budget in changed {
            self.put_budget(budget);
        }
    }

    /// Stores what a report does to an execution and its budgets, and remembers its key.
    pub(crate) fn report(&mut self, id: ExecutionId, reported: Reported, key: Option<&str>) {
        if let Some(record) = self.records.get_mut(&id) {
            record.run = *reported.run;
            if let Some(key) = key {
                record.reports.get_or_insert_default().insert(key.to_owned());
            }
        }
        for budget in reported.budgets {
            self.put_budget(Box::new(budget));
        }
    }

    /// Looks at a budget that is due.
    pub(crate) fn look_at_budget(&mut self, id: BudgetId, now: TimestampMs) -> bool {
        let Some(kept) = self.budgets.records.get(&id) else { return false };
        if kept.budget.look_at.is_none_or(|at| at > now) {
            return false;
        }
        let waiting = kept.blocked.iter().take(limits::BUDGET_ADMITTED_MAX + 1);
        let waiting = waiting.filter_map(|(_, id)| self.records.get(id)).map(Box::as_ref);
        let look = machine::look(&kept.budget, waiting, now);
        self.put_budget(Box::new(look.budget));
        for (id, next) in look.admitted {
            self.apply(Verb::Tick, id, next, now);
        }
        true
    }
}
