//! The verbs of budgets.

use std::ops::Bound;

use async_trait::async_trait;
use ff_engine::machine;
use ff_engine::{AdjustBudget, BudgetOps, BudgetView, CreateBudget, EngineError, ListBudgets};
use ff_types::BudgetId;

use crate::MemBackend;

#[async_trait]
impl BudgetOps for MemBackend {
    async fn create_budget(&self, request: &CreateBudget) -> Result<(), EngineError> {
        let mut store = self.store();
        if let Some(budget) =
            machine::create_budget(request, store.budgets.get(request.id), self.now())?
        {
            store.put_budget(budget);
        }
        Ok(())
    }

    async fn adjust_budget(&self, request: &AdjustBudget) -> Result<(), EngineError> {
        let mut store = self.store();
        request.validate()?;
        let waits = store.waiting_for(request.budget_id) > 0;
        let budget = store.budget_record(request.budget_id)?;
        if let Some(budget) = machine::adjust_budget(budget, request, waits, self.now())? {
            store.put_budget(budget);
        }
        Ok(())
    }

    async fn describe_budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        let store = self.store();
        Ok(store.budget_record(id)?.view(store.waiting_for(id), self.now()))
    }

    async fn list_budgets(&self, request: &ListBudgets) -> Result<Vec<BudgetView>, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let now = self.now();
        let from = request.after.map_or(Bound::Unbounded, Bound::Excluded);
        let budgets = store.budgets.range((from, Bound::Unbounded)).take(page_size);
        Ok(budgets.map(|(budget, blocked)| budget.view(blocked, now)).collect())
    }
}
