//! Shares: what a partition holds of a budget that lies in another, its home. A reservation of it has two
//! phases: the home grants, and then a claim takes lease and reservation from the share in one step.

use std::future::Future;

use bytes::Bytes;
use ff_engine::{EngineError, Entity};
use ff_types::BudgetId;

use crate::call::BadReply;
use crate::calls::{self, Code};
use crate::codec::{self, Fields};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::ops::unpacked;

/// Most messages in a row. What is left is said by the next tick.
const MESSAGES_MAX: usize = 16;

/// What became of an amount that a share needed at once.
#[derive(Debug, Default)]
pub(super) struct Urgent {
    /// Whether something was granted to the message that asked for it.
    pub(super) granted: bool,
    /// The partitions whose shares may hold it and not use it, joined by spaces, when there is no room otherwise.
    pub(super) recalled: String,
}

impl Inner {
    /// Makes a call about the partition of this number, again once it has the shares of budgets that it
    /// was refused for: one that lies elsewhere is not found there before.
    pub(super) async fn sharing<T, F>(
        &self,
        operation: &'static str,
        partition: usize,
        call: impl Fn() -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let mut opened = None;
        loop {
            match call().await {
                Err(error)
                    if self.opened_for(operation, partition, &error, &mut opened).await? => {}
                answer => return answer,
            }
        }
    }

    /// Whether a call that was refused with this can go on by a share that is there now. `opened` is the budget
    /// for which that was said before: it is not said twice.
    pub(super) async fn opened_for(
        &self,
        operation: &'static str,
        partition: usize,
        refused: &EngineError,
        opened: &mut Option<BudgetId>,
    ) -> Result<bool, EngineError> {
        let EngineError::NotFound { entity: Entity::Budget, id: Some(id) } = refused else {
            return Ok(false);
        };
        let Ok(budget) = id.parse() else { return Ok(false) };
        if self.keyspace.of_budget(budget) == partition || opened.replace(budget) == Some(budget) {
            return Ok(false);
        }
        self.open_share(operation, partition, budget).await.map(|()| true)
    }

    /// Makes the share of a budget in a partition other than its own, unless it is there.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is no such budget.
    pub(super) async fn open_share(
        &self,
        operation: &'static str,
        partition: usize,
        budget: BudgetId,
    ) -> Result<(), EngineError> {
        let home = calls::DescribeBudget { budget: budget.as_u128() };
        let home = self.call(operation, self.partition_of_budget(budget), home).await?;
        let home = home.map_err(|_| EngineError::budget_not_found(budget))?;
        let fields = Fields::of(home.fields);
        let fields = fields.ok_or_else(|| bad_reply(operation, BadReply("list of fields")))?;
        let text = |name: &str| {
            let value = fields.get(name).map_or(Ok(""), |value| std::str::from_utf8(value));
            value.map_err(|_| bad_reply(operation, BadReply("text")))
        };
        let call = calls::OpenShare {
            budget: budget.as_u128(),
            made: text("s")?,
            generation: text("ge")?,
            tags: text("tg")?,
            figures: &codec::figures_text(&fields),
        };
        let opened = self.call(operation, &self.keyspace.partitions[partition], call).await?;
        let opened = opened.map_err(|_| bad_reply(operation, BadReply("flag")))?;
        if opened.made {
            // It hands nothing out before; a timer does it when this fails.
            self.advance_share(operation, partition, budget, "").await?;
        }
        Ok(())
    }

    /// Lets the share of a budget in a partition tell its home how it stands, and get what it needs: for
    /// those that wait in it, and `urgent` amounts, as text. Harmless when somebody else does the same.
    pub(super) async fn advance_share(
        &self,
        operation: &'static str,
        partition: usize,
        budget: BudgetId,
        urgent: &str,
    ) -> Result<Urgent, EngineError> {
        let (mut answer, mut urgent, mut became) = (Bytes::new(), urgent, Urgent::default());
        for _ in 0..MESSAGES_MAX {
            let call = calls::AdvanceShare { budget: budget.as_u128(), answer, urgent };
            let said = self.call(operation, &self.keyspace.partitions[partition], call).await?;
            let said = said.map_err(|_| bad_reply(operation, BadReply("message")))?;
            if said.message.is_empty() {
                break;
            } else if said.asked {
                urgent = "";
            }
            let share = partition.to_string();
            let (budget_id, message) = (budget.as_u128(), said.message);
            let call = calls::SettleShare { budget: budget_id, share: &share, message };
            let heard = self.call(operation, self.partition_of_budget(budget), call).await?;
            let recalled;
            (answer, recalled) = match heard {
                Ok(heard) => (heard.answer, heard.recalled),
                Err(refusal) if refusal.code == Code::BudgetNotFound => {
                    return Err(EngineError::budget_not_found(budget));
                }
                Err(_) => return Err(bad_reply(operation, BadReply("answer"))),
            };
            if said.asked {
                let granted = grants(&answer);
                let granted = granted.ok_or_else(|| bad_reply(operation, BadReply("answer")))?;
                became = Urgent { granted, recalled };
            }
        }
        Ok(became)
    }

    /// The same for shares in the partitions of these numbers, joined by spaces.
    pub(super) async fn advance_shares(
        &self,
        operation: &'static str,
        partitions: &str,
        budget: BudgetId,
    ) -> Result<(), EngineError> {
        let mut told = Ok(());
        for number in partitions.split_ascii_whitespace() {
            let known = number.parse().ok().filter(|at| *at < self.keyspace.partitions.len());
            let partition = known.ok_or_else(|| bad_reply(operation, BadReply("partition")))?;
            // One that cannot be reached holds up no other.
            told = told.and(self.advance_share(operation, partition, budget, "").await.map(drop));
        }
        told
    }
}

/// Whether an answer of a home grants something, see `share_messages.lua`.
fn grants(answer: &Bytes) -> Option<bool> {
    unpacked(answer)?.get(1).map(|granted| !granted.is_empty())
}
