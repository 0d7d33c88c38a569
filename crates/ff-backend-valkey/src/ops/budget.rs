//! The verbs of budgets.

use async_trait::async_trait;
use ff_engine::{
    AdjustBudget, Breach, BudgetOps, BudgetView, CreateBudget, EngineError, Fence, ListBudgets,
    OnBreach, UsageOutcome, valid_usage,
};
use ff_types::BudgetId;
use ff_types::backend::{BackendTag, Handle, UsageDimensions};

use super::bits;
use super::submit::tag_lines;
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{self, Code};
use crate::codec::{self, Fields};
use crate::failures::{Refusal, bad_reply};
use crate::inner::Inner;
use crate::reply::Reply;

#[async_trait]
impl BudgetOps for ValkeyBackend {
    async fn create_budget(&self, request: &CreateBudget) -> Result<(), EngineError> {
        const OPERATION: &str = "create_budget";
        request.validate()?;
        let call = calls::CreateBudget {
            budget: request.id.as_u128(),
            fingerprint: &format!("{:016x}", request.fingerprint()),
            action: match request.on_breach {
                OnBreach::Report => "r",
                OnBreach::Fail => "f",
                _ => "b",
            },
            every: request
                .window
                .map_or(0, |window| u64::try_from(window.every.as_millis()).unwrap_or(u64::MAX)),
            anchor: request
                .window
                .map_or(0, |window| u64::try_from(window.anchor.as_i64()).unwrap_or(0)),
            tags: &tag_lines(&request.tags),
            limits: codec::limits_text(&request.limits),
        };
        let made = self.inner.call(OPERATION, self.inner.partition_of_budget(request.id), call);
        made.await?.map(drop).map_err(|refusal| refused(OPERATION, &refusal, request.id))
    }

    async fn adjust_budget(&self, request: &AdjustBudget) -> Result<(), EngineError> {
        const OPERATION: &str = "adjust_budget";
        request.validate()?;
        let id = request.budget_id;
        let call = calls::AdjustBudget {
            budget: id.as_u128(),
            request: bits(request.request_id.to_bytes()),
            reset: request.reset,
            limits: codec::limits_text(&request.limits),
        };
        let made = self.inner.call(OPERATION, self.inner.partition_of_budget(id), call).await?;
        let made = made.map_err(|refusal| refused(OPERATION, &refusal, id))?;
        // Who waits elsewhere hears of it now; a timer tells those that this does not reach.
        if let Err(error) = self.inner.advance_shares(OPERATION, &made.shares, id).await {
            tracing::warn!(%error, budget = %id, "a timer tells the shares of a budget");
        }
        Ok(())
    }

    async fn describe_budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        self.inner.budget(id).await
    }

    async fn list_budgets(&self, request: &ListBudgets) -> Result<Vec<BudgetView>, EngineError> {
        const OPERATION: &str = "list_budgets";
        let page_size = request.page_size()?;
        let after = request.after.map_or_else(String::new, |id| id.to_string());
        let mut views = Vec::new();
        for partition in &self.inner.keyspace.partitions {
            let call = calls::ListBudgets { after: &after, most: page_size as u64 };
            let answer = self.inner.call(OPERATION, partition, call).await?;
            let answer = answer.map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
            for item in answer.items {
                let (id, blocked, fields) =
                    listed(item).ok_or_else(|| bad_reply(OPERATION, BadReply("item")))?;
                views.push(codec::budget(id, &fields)?.view(blocked, answer.now));
            }
        }
        views.sort_unstable_by_key(|view| view.budget_id);
        views.truncate(page_size);
        Ok(views)
    }
}

fn listed(reply: Reply) -> Option<(BudgetId, u64, Fields)> {
    let mut values = Values::new(reply.into_array()?);
    let (id, blocked) = (values.text().ok()?.parse().ok()?, values.int().ok()?);
    Some((id, blocked, Fields::of(values.list().ok()?)?))
}

/// The error that a refusal about a budget means.
fn refused(operation: &'static str, refusal: &Refusal, id: BudgetId) -> EngineError {
    match refusal.code {
        Code::BudgetNotFound => EngineError::budget_not_found(id),
        Code::BudgetId => EngineError::BudgetConflict { budget: id },
        Code::BudgetDimension => {
            EngineError::validation("limits", "name a dimension it does not count")
        }
        _ => bad_reply(operation, BadReply("code of a budget")),
    }
}

impl Inner {
    /// How a budget stands.
    pub(super) async fn budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        const OPERATION: &str = "describe_budget";
        let call = calls::DescribeBudget { budget: id.as_u128() };
        let answer = self.call(OPERATION, self.partition_of_budget(id), call).await?;
        let answer = answer.map_err(|refusal| refused(OPERATION, &refusal, id))?;
        let fields = Fields::of(answer.fields);
        let fields = fields.ok_or_else(|| bad_reply(OPERATION, BadReply("list of fields")))?;
        Ok(codec::budget(id, &fields)?.view(answer.blocked, answer.now))
    }

    pub(super) async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        const OPERATION: &str = "report_usage";
        let fence = Fence::of(handle, BackendTag::Valkey)?;
        let amounts = valid_usage("usage", usage)?;
        let mut call = calls::ReportUsage {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            given: usage.dedup_key.is_some(),
            key: usage.dedup_key.as_deref().unwrap_or(""),
            used: &codec::amounts_text(&amounts),
            last: false,
        };
        let mut outcome = self.about(OPERATION, fence.execution, call.clone()).await?.outcome;
        let mut asked = Vec::new();
        while let Some((budget, missing)) = short(&outcome) {
            let partition = self.keyspace.of(fence.execution);
            let granted = self.advance_share(OPERATION, partition, budget, missing).await?;
            // Somebody else may have taken it meanwhile, which is tried once more.
            call.last = !granted || asked.iter().filter(|other| **other == budget).count() > 1;
            asked.push(budget);
            outcome = self.about(OPERATION, fence.execution, call.clone()).await?.outcome;
        }
        outcome_of(&outcome).ok_or_else(|| bad_reply(OPERATION, BadReply("outcome")))
    }
}

/// The budget of which a share does not hold enough, and what is missing, if the outcome says that.
fn short(outcome: &str) -> Option<(BudgetId, &str)> {
    let (budget, missing) = outcome.strip_prefix("short ")?.split_once(' ')?;
    Some((budget.parse().ok()?, missing))
}

/// Reads an outcome as `report_usage.lua` writes it.
fn outcome_of(text: &str) -> Option<UsageOutcome> {
    let words: Vec<_> = text.split(' ').collect();
    match words[..] {
        ["ok"] => Some(UsageOutcome::Ok),
        ["already"] => Some(UsageOutcome::AlreadyApplied),
        [kind, budget, limit, used, reserved, requested, dimension] => {
            let breach = Breach::new(
                budget.parse().ok()?,
                dimension.to_owned(),
                limit.parse().ok()?,
                used.parse().ok()?,
                reserved.parse().ok()?,
                requested.parse().ok()?,
            );
            match kind {
                "soft" => Some(UsageOutcome::SoftBreach(breach)),
                "hard" => Some(UsageOutcome::HardBreach(breach)),
                _ => None,
            }
        }
        _ => None,
    }
}
