//! The calls about budgets.

use async_trait::async_trait;
use ff_engine::{AdjustBudget, BudgetOps, BudgetView, CreateBudget, EngineError, ListBudgets};
use ff_types::BudgetId;

use super::Flaky;

#[async_trait]
impl BudgetOps for Flaky {
    async fn create_budget(&self, request: &CreateBudget) -> Result<(), EngineError> {
        let inner = self.there("create_budget").await?;
        self.or_lost("create_budget", inner.create_budget(request).await)
    }

    async fn adjust_budget(&self, request: &AdjustBudget) -> Result<(), EngineError> {
        let inner = self.there("adjust_budget").await?;
        self.or_lost("adjust_budget", inner.adjust_budget(request).await)
    }

    async fn describe_budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        self.there("describe_budget").await?.describe_budget(id).await
    }

    async fn list_budgets(&self, request: &ListBudgets) -> Result<Vec<BudgetView>, EngineError> {
        self.there("list_budgets").await?.list_budgets(request).await
    }
}
