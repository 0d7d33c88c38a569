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

/// How often room is made for one report before it is a breach.
const TRIES_MAX: u32 = 4;

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
        made.await?.map(drop).map_err(|refusal| refused(OPERATION, refusal, request.id))
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
        let made = made.map_err(|refusal| refused(OPERATION, refusal, id))?;
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
fn refused(operation: &'static str, refusal: Refusal, id: BudgetId) -> EngineError {
    let Refusal { code, mut details } = refusal;
    match code {
        Code::BudgetNotFound => EngineError::budget_not_found(id),
        Code::BudgetId => EngineError::BudgetConflict { budget: id },
        Code::BudgetDimension => match details.text() {
            Ok(name) => EngineError::dimension_not_counted(&name),
            Err(bad) => bad_reply(operation, bad),
        },
        _ => bad_reply(operation, BadReply("code of a budget")),
    }
}

impl Inner {
    /// How a budget stands.
    pub(super) async fn budget(&self, id: BudgetId) -> Result<BudgetView, EngineError> {
        const OPERATION: &str = "describe_budget";
        let call = calls::DescribeBudget { budget: id.as_u128() };
        let answer = self.call(OPERATION, self.partition_of_budget(id), call).await?;
        let answer = answer.map_err(|refusal| refused(OPERATION, refusal, id))?;
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
        let mut tried = 0;
        while let Some(lack) = Lack::of(&outcome) {
            // Somebody else may take meanwhile what was made room for here.
            tried += 1;
            call.last = !self.make_room(OPERATION, fence, lack).await? || tried >= TRIES_MAX;
            outcome = self.about(OPERATION, fence.execution, call.clone()).await?.outcome;
        }
        outcome_of(&outcome).ok_or_else(|| bad_reply(OPERATION, BadReply("outcome")))
    }

    /// Gets room for a report that could not be counted yet. Answers whether there may be some now.
    async fn make_room(
        &self,
        operation: &'static str,
        fence: Fence,
        lack: Lack<'_>,
    ) -> Result<bool, EngineError> {
        let (budget, recalled) = match lack {
            Lack::AtHome(budget, recalled) => (budget, recalled.to_owned()),
            Lack::InShare(budget, missing) => {
                let partition = self.keyspace.of(fence.execution);
                let became = self.advance_share(operation, partition, budget, missing).await?;
                if became.granted {
                    return Ok(true);
                }
                (budget, became.recalled)
            }
        };
        self.advance_shares(operation, &recalled, budget).await?;
        Ok(!recalled.is_empty())
    }
}

/// Why a report could not be counted yet.
enum Lack<'a> {
    /// The share of a budget does not hold these amounts.
    InShare(BudgetId, &'a str),
    /// A budget has no room here, while its shares in these partitions may hold some that nobody uses.
    AtHome(BudgetId, &'a str),
}

impl<'a> Lack<'a> {
    /// Reads an outcome as `report_usage.lua` writes it.
    fn of(outcome: &'a str) -> Option<Self> {
        let (word, rest) = outcome.split_once(' ')?;
        let (budget, what) = rest.split_once(' ')?;
        match word {
            "short" => Some(Self::InShare(budget.parse().ok()?, what)),
            "recall" => Some(Self::AtHome(budget.parse().ok()?, what)),
            _ => None,
        }
    }
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
