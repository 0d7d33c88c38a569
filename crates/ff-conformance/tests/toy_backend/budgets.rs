//! Budgets: a table more, whose waiting rows are found by their column `blocked_on`.

use std::ops::Bound;

use async_trait::async_trait;
use ff_engine::machine::{
    self, BudgetRecord, BudgetTables, ExecutionRecord, QueueOrder, RunState, moves_budgets,
};
use ff_engine::{
    AdjustBudget, BudgetOps, BudgetView, CreateBudget, EngineError, Fence, ListBudgets,
    TickOutcome, UsageOutcome,
};
use ff_types::backend::{Handle, UsageDimensions};
use ff_types::{BudgetId, ExecutionId, TimestampMs, limits};

use crate::toy::{TAG, Table, Toy};

// region: budgets
impl BudgetTables for Table {
    fn budget(&self, id: BudgetId) -> Option<&BudgetRecord> {
        self.budgets.get(&id)
    }

    fn first_blocked(&self, id: BudgetId) -> Option<(QueueOrder, ExecutionId)> {
        self.line_for(id).next().map(place)
    }
}

impl Table {
    /// The rows that wait for room in a budget.
    fn waiting_for(&self, id: BudgetId) -> impl Iterator<Item = &ExecutionRecord> {
        self.rows.values().filter(move |row| row.run.blocked_on == Some(id))
    }

    /// Those of them in line, in the order of their places.
    fn line_for(&self, id: BudgetId) -> impl Iterator<Item = &ExecutionRecord> {
        let mut line: Vec<_> =
            self.waiting_for(id).filter(|row| row.run.set_aside.is_none()).collect();
        line.sort_unstable_by_key(|row| place(row));
        line.into_iter()
    }

    /// Those that were set aside before a generation, oldest first.
    fn aside_for(&self, id: BudgetId, before: u64) -> impl Iterator<Item = &ExecutionRecord> {
        let earlier = |row: &&ExecutionRecord| row.run.set_aside.is_some_and(|at| at < before);
        let mut aside: Vec<_> = self.waiting_for(id).filter(earlier).collect();
        aside.sort_unstable_by_key(|row| (row.run.set_aside, row.submission.id()));
        aside.into_iter()
    }

    /// Brings the budgets of a row along whose run state was `earlier`.
    pub(crate) fn settle_budgets(&mut self, id: ExecutionId, earlier: &RunState, now: TimestampMs) {
        let Some(row) = self.rows.get(&id) else { return };
        if !moves_budgets(earlier, &row.run) {
            return;
        }
        let run = row.run.clone();
        for id in row.submission.budgets().to_vec() {
            let line = self.line_for(id).count();
            if let Some(budget) = self.budgets.get_mut(&id) {
                budget.follow(earlier, &run, line, now);
            }
        }
    }

    /// Lets go on what a budget that is due has room for.
    pub(crate) fn tick_budget(
        &mut self,
        id: BudgetId,
        outcome: &mut TickOutcome,
        now: TimestampMs,
    ) {
        // Those that the first look has put back in line may go on with the second.
        if self.look(id, now) {
            self.look(id, now);
            outcome.budgets_looked_at += 1;
        }
    }

    /// Looks at a budget, if it is due.
    fn look(&mut self, id: BudgetId, now: TimestampMs) -> bool {
        let Some(budget) = self.budgets.get(&id) else { return false };
        if budget.look_at.is_none_or(|at| at > now) {
            return false;
        }
        let most = limits::BUDGET_MOVED_MAX + 1;
        let mut rolled = budget.clone();
        rolled.roll(now);
        let line = self.line_for(id).take(most);
        let aside = self.aside_for(id, rolled.generation).take(most);
        let set_aside = self.aside_for(id, u64::MAX).count();
        let look = machine::look(budget, line, aside, set_aside, now);
        self.budgets.insert(id, look.budget);
        for (id, next) in look.moved {
            self.apply(id, next, now);
        }
        true
    }
}
// endregion

fn place(row: &ExecutionRecord) -> (QueueOrder, ExecutionId) {
    (QueueOrder::of(row), row.submission.id())
}

#[async_trait]
impl BudgetOps for Toy {
    async fn create_budget(&self, request: &CreateBudget) -> Result<(), EngineError> {
        let mut table = self.table();
        let same = table.budgets.get(&request.id);
        if let Some(budget) = machine::create_budget(request, same, self.clock.now())? {
            table.budgets.insert(request.id, *budget);
        }
        Ok(())
    }

    async fn adjust_budget(&self, request: &AdjustBudget) -> Result<(), EngineError> {
        request.validate()?;
        let mut table = self.table();
        let id = request.budget_id;
        let waits = table.waiting_for(id).next().is_some();
        let missing = || EngineError::budget_not_found(id);
        let budget = table.budgets.get(&id).ok_or_else(missing)?;
        if let Some(next) = machine::adjust_budget(budget, request, waits, self.clock.now())? {
            table.budgets.insert(id, *next);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    async fn describe_budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        let table = self.table();
        let budget = table.budgets.get(&id).ok_or_else(|| EngineError::budget_not_found(id))?;
        Ok(budget.view(table.waiting_for(id).count() as u64, self.clock.now()))
    }

    async fn list_budgets(&self, request: &ListBudgets) -> Result<Vec<BudgetView>, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let from = request.after.map_or(Bound::Unbounded, Bound::Excluded);
        let budgets = table.budgets.range((from, Bound::Unbounded)).take(page_size);
        let view = |(id, budget): (&BudgetId, &BudgetRecord)| {
            budget.view(table.waiting_for(*id).count() as u64, self.clock.now())
        };
        Ok(budgets.map(view).collect())
    }
}

impl Toy {
    pub(crate) fn report(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let mut table = self.table();
        let missing = || EngineError::execution_not_found(fence.execution);
        let row = table.rows.get(&fence.execution).ok_or_else(missing)?;
        let (reported, outcome) =
            machine::report_usage(row, &fence, usage, &*table, self.clock.now())?;
        if let (Some(reported), Some(row)) = (reported, table.rows.get_mut(&fence.execution)) {
            row.run = *reported.run;
            if let Some(key) = &usage.dedup_key {
                row.reports.get_or_insert_default().insert(key);
            }
            for budget in reported.budgets {
                table.budgets.insert(budget.spec.id, budget);
            }
        }
        Ok(outcome)
    }
}
