//! The budgets of a store, and who waits for room in them.

use std::collections::{BTreeMap, BTreeSet};

use ff_engine::EngineError;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{
    self, BudgetRecord, BudgetTables, ExecutionRecord, QueueOrder, Reported, RunState,
    moves_budgets,
};
use ff_types::{BudgetId, ExecutionId, TimestampMs, limits};

use crate::store::Store;
use crate::timers::Timed;
use ff_engine::machine::lane::Place;

/// The budgets, in the order of ids, which is the order of listings.
#[derive(Default)]
pub(crate) struct Budgets {
    records: BTreeMap<BudgetId, Kept>,
}

struct Kept {
    budget: Box<BudgetRecord>,
    /// Those that wait for room, in the order of their places.
    line: BTreeSet<Place>,
    /// Those that were set aside, by the generation in which they were.
    aside: BTreeSet<(u64, ExecutionId)>,
    /// The time under which it stands among the timers.
    timed_at: Option<TimestampMs>,
}

impl Kept {
    fn waiting(&self) -> u64 {
        (self.line.len() + self.aside.len()) as u64
    }
}

/// Where a run stands for a budget.
fn stand(run: &RunState) -> Option<(BudgetId, Option<u64>, TimestampMs)> {
    run.blocked_on.map(|budget| (budget, run.set_aside, run.ready_at))
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
        self.records.range(range).map(|(_, kept)| (kept.budget.as_ref(), kept.waiting()))
    }

    /// Every wait, for comparing with the records: those in line by their places, those aside by their
    /// generation.
    pub(crate) fn waits(
        &self,
    ) -> impl Iterator<Item = (BudgetId, Result<Place, (u64, ExecutionId)>)> {
        self.records.iter().flat_map(|(id, kept)| {
            let line = kept.line.iter().map(|place| (*id, Ok(*place)));
            let aside = kept.aside.iter().map(|one| (*id, Err(*one)));
            line.chain(aside)
        })
    }

    /// Brings the places of a record along whose run state was `earlier`.
    pub(crate) fn follow(&mut self, earlier: &RunState, record: &ExecutionRecord) {
        let id = record.submission.id();
        let (was, is) = (stand(earlier), stand(&record.run));
        if was == is {
            return;
        }
        let rank = QueueOrder::of(record).rank;
        for (stand, is_new) in [(was, false), (is, true)] {
            let Some((budget, aside, ready_at)) = stand else { continue };
            let Some(kept) = self.records.get_mut(&budget) else { continue };
            let place = (QueueOrder { rank, ready_at }, id);
            match (aside, is_new) {
                (None, true) => kept.line.insert(place),
                (None, false) => kept.line.remove(&place),
                (Some(generation), true) => kept.aside.insert((generation, id)),
                (Some(generation), false) => kept.aside.remove(&(generation, id)),
            };
        }
    }
}

impl BudgetTables for Store {
    fn budget(&self, id: BudgetId) -> Option<&BudgetRecord> {
        self.budgets.get(id)
    }

    fn first_blocked(&self, id: BudgetId) -> Option<Place> {
        let kept = self.budgets.records.get(&id)?;
        kept.line.first().copied().filter(|_| self.distortion.keeps_order_in_budgets())
    }
}

impl Store {
    /// The record of a budget.
    pub(crate) fn budget_record(&self, id: BudgetId) -> Result<&BudgetRecord, EngineError> {
        self.budgets.get(id).ok_or_else(|| EngineError::budget_not_found(id))
    }

    /// How many wait for room in a budget.
    pub(crate) fn waiting_for(&self, id: BudgetId) -> u64 {
        self.budgets.records.get(&id).map_or(0, Kept::waiting)
    }

    /// Stores a budget, a new one or in place of what it was.
    pub(crate) fn put_budget(&mut self, budget: Box<BudgetRecord>) {
        let (id, due) = (budget.spec.id, budget.look_at);
        let tags = budget.spec.tags.clone();
        let before = if let Some(kept) = self.budgets.records.get_mut(&id) {
            kept.budget = budget;
            std::mem::replace(&mut kept.timed_at, due)
        } else {
            let (line, aside) = (BTreeSet::new(), BTreeSet::new());
            let kept = Kept { budget, line, aside, timed_at: due };
            self.budgets.records.insert(id, kept);
            None
        };
        if before != due {
            self.timers.remove(&tags, &Timed::Budget(id), before);
            self.timers.insert(&tags, &Timed::Budget(id), due);
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
            let mut next = kept.budget.clone();
            next.follow(&before, &run, kept.line.len(), now);
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
                record.reports.get_or_insert_default().insert(key);
            }
        }
        for budget in reported.budgets {
            self.put_budget(Box::new(budget));
        }
    }

    /// Looks at a budget that is due, and once more when it is due again at once: those that are back in line
    /// may go on.
    pub(crate) fn look_at_budget(&mut self, id: BudgetId, now: TimestampMs) -> bool {
        let is_due = self.look_once(id, now);
        if is_due {
            self.look_once(id, now);
        }
        is_due
    }

    fn look_once(&mut self, id: BudgetId, now: TimestampMs) -> bool {
        let Some(kept) = self.budgets.records.get(&id) else { return false };
        if kept.budget.look_at.is_none_or(|at| at > now) {
            return false;
        }
        let most = limits::BUDGET_MOVED_MAX + 1;
        let mut rolled = kept.budget.clone();
        rolled.roll(now);
        let record = |id: &ExecutionId| self.records.get(id).map(Box::as_ref);
        let line = kept.line.iter().take(most).filter_map(|(_, id)| record(id));
        let earlier = kept.aside.range(..(rolled.generation, ExecutionId::from_u128(0)));
        let aside = earlier.take(most).filter_map(|(_, id)| record(id));
        let look = machine::look(&kept.budget, line, aside, kept.aside.len(), now);
        self.put_budget(Box::new(look.budget));
        for (id, next) in look.moved {
            self.apply(Verb::Tick, id, next, now);
        }
        true
    }
}
