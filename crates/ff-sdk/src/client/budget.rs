//! Budgets: how much executions may use.

use ff_engine::{AdjustBudget, BudgetLimit, BudgetView, CreateBudget, EngineError, ListBudgets};
use ff_types::BudgetId;

use super::Client;

impl Client {
    /// A budget that is not made yet, under a new id.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use std::time::Duration;
    /// use ff_sdk::{BudgetLimit, BudgetWindow, Client, Job};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ff_engine::EngineError> {
    /// # let client = Client::new(Arc::new(MemBackend::new()));
    /// let daily = BudgetWindow::every(Duration::from_secs(24 * 3_600));
    /// let limit = BudgetLimit::soft_and_hard(800_000, 1_000_000);
    /// let budget = client.new_budget().with_limit("output_tokens", limit).with_window(daily);
    /// client.create_budget(&budget).await?;
    ///
    /// client.submit(&Job::new("summarize", "a long text").budget(budget.id)).await?;
    /// assert_eq!(client.budget(budget.id).await?.dimensions["output_tokens"].used, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_budget(&self) -> CreateBudget {
        CreateBudget::new(self.ids.budget_id())
    }

    /// The same, in the place of another budget, so that one job can draw on both.
    pub fn new_budget_beside(&self, other: BudgetId) -> CreateBudget {
        CreateBudget::new(self.ids.together(other.shard()).budget_id())
    }

    /// Makes a budget. Making the same one again has no effect.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field;
    /// [`EngineError::BudgetConflict`] for an id that stands for another budget.
    pub async fn create_budget(&self, budget: &CreateBudget) -> Result<(), EngineError> {
        self.repeat(|| self.backend.create_budget(budget)).await
    }

    /// How a budget stands.
    pub async fn budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        self.repeat(|| self.backend.describe_budget(id)).await
    }

    /// A page of budgets in the order of their ids; the last id of a full page leads to the next.
    pub async fn list_budgets(
        &self,
        request: &ListBudgets,
    ) -> Result<Vec<BudgetView>, EngineError> {
        self.repeat(|| self.backend.list_budgets(request)).await
    }

    /// Gives one dimension of a budget another limit. What waits for room goes on as far as there is some.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a dimension that the budget does not count.
    pub async fn limit_budget(
        &self,
        id: BudgetId,
        dimension: impl Into<String>,
        limit: BudgetLimit,
    ) -> Result<(), EngineError> {
        let request = AdjustBudget::new(self.ids.request_id(), id).with_limit(dimension, limit);
        self.repeat(|| self.backend.adjust_budget(&request)).await
    }

    /// Lets the usage of a budget start from nothing, whatever its window says. What running attempts have
    /// reserved stays.
    pub async fn reset_budget(&self, id: BudgetId) -> Result<(), EngineError> {
        let request = AdjustBudget::new(self.ids.request_id(), id).with_reset();
        self.repeat(|| self.backend.adjust_budget(&request)).await
    }
}
