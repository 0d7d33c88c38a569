//! Whether the budgets of an execution let it start, and what becomes of one that they do not.

use std::sync::Arc;

use ff_types::backend::FailureClass;
use ff_types::{BlockReason, BudgetId, TerminalOutcome, TimestampMs};

use super::record::{BudgetRecord, BudgetTables};
use crate::machine::placement::QueueOrder;
use crate::machine::record::{ExecutionRecord, RunState, state_of};
use crate::requests::{Amounts, Breach, OnBreach};

/// What handing out an execution finds of its budgets.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) enum Admission {
    /// It may start, with this reservation.
    Admitted(Option<Arc<Amounts>>),
    /// It waits for room in this budget, set aside in this generation when there can be none.
    Blocked(BudgetId, Option<u64>),
    /// It fails: this is used up.
    UsedUp(Breach),
}

/// Whether the budgets of a record let it start now.
pub(in crate::machine) fn admit(
    record: &ExecutionRecord,
    tables: &impl BudgetTables,
    now: TimestampMs,
) -> Admission {
    if record.submission.budgets().is_empty() {
        return Admission::Admitted(None);
    }
    let mut budgets = Vec::new();
    for id in record.submission.budgets() {
        if let Some(budget) = tables.budget(*id) {
            let mut budget = budget.clone();
            budget.roll(now);
            budgets.push(budget);
        }
    }
    budgets.retain(|budget| budget.spec.on_breach != OnBreach::Report);
    let wanted = wanted(record);
    let place = (QueueOrder::of(record), record.submission.id());
    for budget in &budgets {
        let waits_behind = tables.first_blocked(budget.spec.id).is_some_and(|first| first < place);
        if !waits_behind && budget.fits(&wanted) {
            continue;
        }
        return match budget.used_up(&wanted) {
            Some(breach) if budget.spec.on_breach == OnBreach::Fail => Admission::UsedUp(breach),
            beyond => {
                let aside = beyond.map(|_| budget.generation);
                Admission::Blocked(budget.spec.id, aside)
            }
        };
    }
    let wanted = reservable(wanted, &budgets);
    Admission::Admitted(Some(wanted).filter(|wanted| !wanted.is_empty()).map(Arc::new))
}

/// What is to be reserved for the next lease: what is left of that of a paused attempt, or the estimate.
pub(super) fn wanted(record: &ExecutionRecord) -> Amounts {
    let paused = record.run.attempt.is_some_and(|attempt| attempt.open);
    match &record.run.reservation {
        Some(left) if paused => left.as_ref().clone(),
        None if paused => Amounts::new(),
        _ => record.submission.estimate.amounts(),
    }
}

/// What of it is reserved: the dimensions that some budget limits.
fn reservable(mut wanted: Amounts, budgets: &[BudgetRecord]) -> Amounts {
    let is_limited = |name: &str| {
        let mut counted = budgets.iter().filter_map(|budget| budget.dimensions.get(name));
        counted.any(|dimension| dimension.limit.hard.is_some())
    };
    wanted.retain(|name, amount| *amount > 0 && is_limited(name));
    wanted
}

/// The run state of one that waits for room.
pub(in crate::machine) fn blocked(
    run: &RunState,
    budget: BudgetId,
    aside: Option<u64>,
) -> RunState {
    let mut next = run.clone();
    next.reasons = next.reasons.with(BlockReason::Budget);
    next.blocked_on = Some(budget);
    next.set_aside = aside;
    next.state = state_of(next.reasons);
    next
}

/// The run state of one that fails instead of starting.
pub(in crate::machine) fn failed(run: &RunState, breach: &Breach, now: TimestampMs) -> RunState {
    let mut next = run.clone();
    next.record_failure(FailureClass::Permanent, breach.to_string(), None, now);
    next.end(TerminalOutcome::Failed, now);
    next
}
