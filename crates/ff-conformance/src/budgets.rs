//! What cases about budgets make of a fixture: budgets, what draws on them, and how they stand.

use ff_engine::{
    AdjustBudget, BudgetLimit, BudgetView, CreateBudget, Submission, Task, UsageOutcome,
};
use ff_types::ExecutionState::Blocked;
use ff_types::backend::UsageDimensions;
use ff_types::{BlockReason, BudgetId, ExecutionId};

use crate::Fixture;
use crate::expect::{CaseError, CaseResult, ensure, ensure_eq};

/// The dimension that most cases count.
pub(crate) const TOKENS: &str = "output_tokens";

pub(crate) fn tokens(amount: u64) -> UsageDimensions {
    UsageDimensions::new().with_output_tokens(amount)
}

pub(crate) fn report(amount: u64, key: &str) -> UsageDimensions {
    tokens(amount).with_dedup_key(key)
}

impl Fixture {
    /// A budget of so many tokens, which is not made yet.
    pub(crate) fn budget(&self, hard: u64) -> CreateBudget {
        CreateBudget::new(self.ids.together(0).budget_id())
            .with_limit(TOKENS, BudgetLimit::hard(hard))
    }

    /// Makes such a budget.
    pub(crate) async fn budget_of(&self, hard: u64) -> CaseResult<BudgetId> {
        self.make(&self.budget(hard)).await
    }

    pub(crate) async fn make(&self, request: &CreateBudget) -> CaseResult<BudgetId> {
        self.backend.create_budget(request).await?;
        Ok(request.id)
    }

    /// A submission that draws on a budget and is expected to use so many tokens.
    pub(crate) fn spending(&self, budget: BudgetId, estimate: u64) -> CaseResult<Submission> {
        Ok(self.submission("task")?.with_budget(budget).with_estimate(tokens(estimate)))
    }

    /// Submits so many of these, a millisecond apart.
    pub(crate) async fn submit_spending(
        &self,
        budget: BudgetId,
        estimates: &[u64],
    ) -> CaseResult<Vec<ExecutionId>> {
        let mut ids = Vec::new();
        for estimate in estimates {
            ids.push(self.submit(&self.spending(budget, *estimate)?).await?);
            self.advance(1).await;
        }
        Ok(ids)
    }

    /// Reports once, so that the answer is that of the first time.
    pub(crate) async fn usage(
        &self,
        task: &Task,
        usage: &UsageDimensions,
    ) -> CaseResult<UsageOutcome> {
        Ok(self.faultless.report_usage(&task.handle, usage).await?)
    }

    pub(crate) async fn budget_view(&self, id: BudgetId) -> CaseResult<BudgetView> {
        Ok(self.backend.describe_budget(id).await?)
    }

    /// What is used and what is reserved of the tokens of a budget.
    pub(crate) async fn spent(&self, id: BudgetId) -> CaseResult<(u64, u64)> {
        let view = self.budget_view(id).await?;
        let tokens = view.dimensions.get(TOKENS);
        let tokens = tokens.ok_or_else(|| CaseError::new("it counts no tokens"))?;
        Ok((tokens.used, tokens.reserved))
    }

    pub(crate) fn adjusting(&self, id: BudgetId) -> AdjustBudget {
        AdjustBudget::new(self.ids.request_id(), id)
    }

    /// Gives a budget another hard limit, and lets time do what follows.
    pub(crate) async fn raise(&self, id: BudgetId, hard: u64) -> CaseResult {
        let request = self.adjusting(id).with_limit(TOKENS, BudgetLimit::hard(hard));
        self.backend.adjust_budget(&request).await?;
        self.settle().await?;
        Ok(())
    }

    /// It waits for room in this budget.
    pub(crate) async fn assert_waits(&self, id: ExecutionId, budget: BudgetId) -> CaseResult {
        let view = self.describe(id).await?;
        ensure_eq!((view.state, view.blocked_on), (Blocked, Some(budget)), "{id}");
        ensure!(view.reasons.contains(BlockReason::Budget), "the reasons are {:?}", view.reasons);
        Ok(())
    }
}
