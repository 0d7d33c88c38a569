//! The steps of a history that are about budgets, and what holds of these at any time.

use std::time::Duration;

use ff_engine::{
    AdjustBudget, BudgetLimit, BudgetView, BudgetWindow, CreateBudget, EngineError, ExecutionView,
    ListBudgets, OnBreach,
};
use ff_types::BudgetId;
use ff_types::backend::{Handle, UsageDimensions};

use super::op::Op;
use super::world::{Step, World, pick};

const TOKENS: &str = "output_tokens";

/// A call about budgets that can be made again.
#[derive(Debug, Clone)]
pub(super) enum SpendCall {
    Report(Handle, UsageDimensions),
    Adjust(AdjustBudget),
}

impl World {
    /// Makes the budgets: one that blocks, one that fails and has windows, and one that only reports.
    pub(super) async fn make_budgets(&mut self) -> Result<(), EngineError> {
        let soft = BudgetLimit::soft_and_hard(2, 4);
        let window = BudgetWindow::every(Duration::from_secs(5));
        let ids = self.ids.together(0);
        let blocking = CreateBudget::new(ids.budget_id()).with_limit(TOKENS, BudgetLimit::hard(6));
        let failing = CreateBudget::new(ids.budget_id()).with_limit(TOKENS, soft);
        let failing = failing.with_window(window).with_on_breach(OnBreach::Fail);
        let reporting = CreateBudget::new(ids.budget_id()).with_limit(TOKENS, soft);
        for request in [blocking, failing, reporting.with_on_breach(OnBreach::Report)] {
            self.opened.backend.create_budget(&request).await?;
            self.budgets.push(request.id);
        }
        Ok(())
    }

    /// The budgets of these bits.
    pub(super) fn budgets_of(&self, bits: u8) -> Vec<BudgetId> {
        let named = self.budgets.iter().zip([1, 2, 4]);
        named.filter(|(_, bit)| bits & bit != 0).map(|(budget, _)| *budget).collect()
    }

    /// The call of such a step; `None` when it means nothing yet.
    pub(super) fn spend_call(&self, op: &Op) -> Option<SpendCall> {
        Some(match op {
            Op::Report { handle, amount, key } => {
                let usage = UsageDimensions::new().with_output_tokens((*amount).into());
                let usage = usage.with_dedup_key(format!("key-{key}"));
                SpendCall::Report(self.handle(*handle)?, usage)
            }
            Op::Adjust { budget, hard, reset } => {
                let limit = BudgetLimit::hard((*hard).into());
                let budget = *pick(&self.budgets, *budget)?;
                let mut request = AdjustBudget::new(self.ids.request_id(), budget);
                request = request.with_limit(TOKENS, limit);
                SpendCall::Adjust(if *reset { request.with_reset() } else { request })
            }
            _ => return None,
        })
    }

    pub(super) async fn make_spend(&mut self, call: SpendCall) -> Step {
        let backend = &self.opened.backend;
        match call {
            SpendCall::Report(handle, usage) => {
                Step::quiet(&backend.report_usage(&handle, &usage).await).asked_by(handle)
            }
            SpendCall::Adjust(request) => Step::quiet(&backend.adjust_budget(&request).await),
        }
    }

    /// How the budgets stand.
    pub(super) async fn budget_views(&self) -> Result<Vec<BudgetView>, String> {
        let views = self.opened.backend.list_budgets(&ListBudgets::all()).await;
        views.map_err(|error| error.to_string())
    }
}

/// What is wrong with a budget by the executions there are, and by how it stood before.
pub(super) fn faults<'v>(
    earlier: Option<&BudgetView>,
    view: &BudgetView,
    executions: impl Iterator<Item = &'v ExecutionView> + Clone,
) -> Vec<String> {
    let id = view.budget_id;
    let drawing = executions.filter(|one| one.budgets.contains(&id));
    let waiting = drawing.clone().filter(|one| one.blocked_on == Some(id)).count();
    let holds = |one: &&ExecutionView| one.lease.is_some() || one.token_outstanding;
    let leased = drawing.filter(|one| holds(one) && view.on_breach != OnBreach::Report);
    let reserved: u64 = leased.filter_map(|one| one.reservation.get(TOKENS)).sum();
    let tokens = view.dimensions[TOKENS];
    let sum = tokens.used + tokens.reserved;
    let before = earlier.map_or(0, |earlier| {
        let tokens = earlier.dimensions[TOKENS];
        tokens.used + tokens.reserved
    });
    let holds = [
        (view.blocked == waiting as u64, "it counts those that wait"),
        (tokens.reserved == reserved, "what is reserved is what leases have reserved"),
        (
            sum <= before || tokens.limit.hard.is_none_or(|hard| sum <= hard),
            "what is used and reserved rises to the hard limit at most",
        ),
    ];
    let broken = holds.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| format!("budget {id}: {rule}: {view:?}")).collect()
}
