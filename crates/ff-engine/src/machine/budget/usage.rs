//! Reports of usage: what is counted, once, and what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_types::backend::UsageDimensions;
use ff_types::{TimestampMs, limits};

use super::record::{BudgetRecord, BudgetTables, amount};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::machine::fence_check::held;
use crate::machine::record::{ExecutionRecord, RunState};
use crate::requests::{Amounts, BudgetDimension, UsageOutcome, at_most, valid_usage};

/// What a report does.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The run state of the execution.
    pub run: Box<RunState>,
    /// Its budgets.
    pub budgets: Vec<BudgetRecord>,
}

/// Decides a report of usage: what becomes of the execution and its budgets, if it is counted, and the
/// answer. When it is counted, the store remembers its key.
///
/// # Errors
/// Those of [`valid_usage`]; [`EngineError::State`] when the lease is not live;
/// [`EngineError::LimitExceeded`] for too many dimensions of one execution, and for a sum over 2^53 - 1.
pub fn report_usage(
    record: &ExecutionRecord,
    fence: &Fence,
    usage: &UsageDimensions,
    tables: &impl BudgetTables,
    now: TimestampMs,
) -> Result<(Option<Reported>, UsageOutcome), EngineError> {
    let amounts = valid_usage("usage", usage)?;
    held(record, fence, now)?;
    if let (Some(key), Some(reports)) = (&usage.dedup_key, &record.reports)
        && reports.contains(key)
    {
        return Ok((None, UsageOutcome::AlreadyApplied));
    }
    let mut run = record.run.clone();
    let total = Arc::make_mut(run.usage.get_or_insert_default());
    add(total, &amounts)?;
    at_most("usage_dimensions", total.len(), limits::USAGE_DIMENSIONS_MAX)?;

    let empty = Amounts::new();
    let before = run.reservation.as_deref().unwrap_or(&empty);
    let after: Amounts = before
        .iter()
        .map(|(name, left)| (name.clone(), left.saturating_sub(amount(&amounts, name))))
        .filter(|(_, left)| *left > 0)
        .collect();
    let mut budgets = Vec::new();
    let mut soft = None;
    for id in record.submission.budgets() {
        let Some(budget) = tables.budget(*id) else { continue };
        let mut next = budget.clone();
        next.roll(now);
        let stands = next.clone();
        next.settle(before, &after);
        for (name, dimension) in &mut next.dimensions {
            let reported = amount(&amounts, name);
            dimension.used = dimension.used.saturating_add(reported);
            let was = &stands.dimensions[name];
            let sum = |of: &BudgetDimension| of.used.saturating_add(of.reserved);
            let grows = sum(dimension) > sum(was);
            let passes = |hard: u64| dimension.used > hard || (grows && sum(dimension) > hard);
            if let Some(limit) = dimension.limit.hard.filter(|hard| reported > 0 && passes(*hard)) {
                let breach = stands.breach(name, was, limit, reported);
                return Ok((None, UsageOutcome::HardBreach(breach)));
            }
            if dimension.used > limits::USAGE_AMOUNT_MAX {
                return Err(too_much(dimension.used));
            }
        }
        soft = soft.or_else(|| {
            next.dimensions.iter().find_map(|(name, dimension)| {
                let limit = dimension.limit.soft.filter(|soft| dimension.used > *soft)?;
                let reported = amount(&amounts, name);
                (reported > 0).then(|| next.breach(name, dimension, limit, reported))
            })
        });
        if tables.first_blocked(*id).is_some() {
            next.look_at = Some(now);
        }
        budgets.push(next);
    }
    run.reservation = Some(after).filter(|after| !after.is_empty()).map(Arc::new);
    let outcome = soft.map_or(UsageOutcome::Ok, UsageOutcome::SoftBreach);
    Ok((Some(Reported { run: Box::new(run), budgets }), outcome))
}

/// The keys of the latest reports that were counted in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reports {
    keys: BTreeMap<String, u64>,
    order: BTreeMap<u64, String>,
    count: u64,
}

impl Reports {
    /// Whether a report with this key is among them.
    pub fn contains(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Remembers a key; of more than 10,000 the oldest is forgotten.
    pub fn insert(&mut self, key: &str) {
        self.keys.insert(key.to_owned(), self.count);
        self.order.insert(self.count, key.to_owned());
        self.count += 1;
        if self.keys.len() > limits::USAGE_REPORTS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.keys.remove(&oldest);
        }
    }
}

fn add(total: &mut Amounts, amounts: &Amounts) -> Result<(), EngineError> {
    for (name, amount) in amounts {
        let sum = total.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
        if *sum > limits::USAGE_AMOUNT_MAX {
            return Err(too_much(*sum));
        }
    }
    Ok(())
}

fn too_much(actual: u64) -> EngineError {
    EngineError::LimitExceeded { field: "usage".into(), limit: limits::USAGE_AMOUNT_MAX, actual }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_keys_are_remembered() {
        let mut reports = Reports::default();
        for number in 0..=limits::USAGE_REPORTS_MAX {
            reports.insert(&format!("key-{number}"));
        }

        assert!(!reports.contains("key-0"));
        assert!(reports.contains("key-1"));
        assert!(reports.contains(&format!("key-{}", limits::USAGE_REPORTS_MAX)));
    }
}
