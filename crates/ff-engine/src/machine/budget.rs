//! Budgets: what usage and reservations leave, who is handed out, and who has to wait.
//!
//! A budget counts by dimension what was reported (`used`) and what running attempts may still report
//! (`reserved`). An execution is handed out when its estimate fits beside both, and no other waits in front
//! of it; from then on a report takes from its reservation first. The reservation counts exactly while the
//! lease is held, so a store brings it along with the lease: see [`BudgetRecord::follow`].

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_types::backend::{FailureClass, UsageDimensions};
use ff_types::{BlockReason, BudgetId, ExecutionId, TerminalOutcome, TimestampMs, limits};

use super::fence_check::held;
use super::placement::QueueOrder;
use super::recent::Recent;
use super::record::{ExecutionRecord, RunState, state_of};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{
    AdjustBudget, Amounts, Breach, BudgetDimension, BudgetView, CreateBudget, OnBreach,
    UsageOutcome, at_most, valid_usage,
};

/// One budget as a backend stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRecord {
    /// As it was made. The limits that hold are those of `dimensions`.
    pub spec: Arc<CreateBudget>,
    /// Digest of `spec`; tells a repeat from a clash of ids.
    pub fingerprint: u64,
    /// When it was made, by the store's clock.
    pub created_at: TimestampMs,
    /// What it counts.
    pub dimensions: BTreeMap<String, BudgetDimension>,
    /// The start of the window whose usage it has counted last; set exactly when it has windows.
    pub window_start: Option<TimestampMs>,
    /// When it has to be looked at: some executions that wait for it may be let go on.
    pub look_at: Option<TimestampMs>,
    /// The latest requests that changed it.
    pub marks: Recent<ff_types::RequestId>,
}

/// What a decision over budgets has to know of a store.
pub trait BudgetTables {
    /// The budget of this id.
    fn budget(&self, id: BudgetId) -> Option<&BudgetRecord>;

    /// The first of those that wait for room in a budget.
    fn first_blocked(&self, id: BudgetId) -> Option<(QueueOrder, ExecutionId)>;
}

/// Decides the making of a budget; `None` when the same one is there.
///
/// # Errors
/// Those of [`CreateBudget::validate`]; [`EngineError::BudgetConflict`].
pub fn create_budget(
    request: &CreateBudget,
    same_id: Option<&BudgetRecord>,
    now: TimestampMs,
) -> Result<Option<Box<BudgetRecord>>, EngineError> {
    request.validate()?;
    let fingerprint = request.fingerprint();
    match same_id {
        Some(budget) if budget.fingerprint == fingerprint => return Ok(None),
        Some(_) => return Err(EngineError::BudgetConflict { budget: request.id }),
        None => {}
    }
    let dimension = |limit: &_| BudgetDimension { limit: *limit, ..BudgetDimension::default() };
    Ok(Some(Box::new(BudgetRecord {
        spec: Arc::new(request.clone()),
        fingerprint,
        created_at: now,
        dimensions: request.limits.iter().map(|(name, l)| (name.clone(), dimension(l))).collect(),
        window_start: request.window.map(|window| window.start_at(now)),
        look_at: None,
        marks: Recent::default(),
    })))
}

/// Decides a change of a budget; `None` when the request was made before. `waits` says whether some
/// execution waits for room in it.
///
/// # Errors
/// Those of [`AdjustBudget::validate`]; [`EngineError::Validation`] for a dimension that it does not count.
pub fn adjust_budget(
    budget: &BudgetRecord,
    request: &AdjustBudget,
    waits: bool,
    now: TimestampMs,
) -> Result<Option<Box<BudgetRecord>>, EngineError> {
    request.validate()?;
    if budget.marks.iter().any(|mark| *mark == request.request_id) {
        return Ok(None);
    }
    let mut next = Box::new(budget.clone());
    next.roll(now);
    for (name, limit) in &request.limits {
        let Some(dimension) = next.dimensions.get_mut(name) else {
            return Err(EngineError::validation("limits", "name a dimension it does not count"));
        };
        dimension.limit = *limit;
    }
    if request.reset {
        next.dimensions.values_mut().for_each(|dimension| dimension.used = 0);
    }
    next.marks.push(request.request_id);
    if waits {
        next.look_at = Some(now);
    }
    Ok(Some(next))
}

impl BudgetRecord {
    /// Starts from nothing when a later window has begun than the one counted last. A clock that steps
    /// back into an earlier one changes nothing.
    pub fn roll(&mut self, now: TimestampMs) {
        let start = self.spec.window.map(|window| window.start_at(now));
        if start > self.window_start {
            self.window_start = start;
            self.dimensions.values_mut().for_each(|dimension| dimension.used = 0);
        }
    }

    /// The end of the window that is counted.
    pub fn window_end(&self) -> Option<TimestampMs> {
        Some(self.spec.window?.end_of(self.window_start?))
    }

    /// The view of it at `now`. `blocked` execution wait for room.
    pub fn view(&self, blocked: u64, now: TimestampMs) -> BudgetView {
        let mut rolled = self.clone();
        rolled.roll(now);
        BudgetView::new(
            self.spec.id,
            rolled.dimensions,
            self.spec.window,
            self.spec.on_breach,
            self.spec.tags.clone(),
            self.created_at,
            rolled.window_start,
            blocked,
        )
    }

    /// Replaces one reservation by another. Answers whether there is more room by it.
    fn settle(&mut self, before: &Amounts, after: &Amounts) -> bool {
        if self.spec.on_breach == OnBreach::Report {
            return false;
        }
        let mut freed = false;
        for (name, dimension) in &mut self.dimensions {
            let (was, is) = (amount(before, name), amount(after, name));
            dimension.reserved = dimension.reserved.saturating_sub(was).saturating_add(is);
            freed |= is < was;
        }
        freed
    }

    /// Brings it along with an execution that draws on it and whose run state was `before`: what that has
    /// reserved counts while it holds a lease, and those that wait are let go on in time. `waits` says
    /// whether some do, this one included.
    pub fn follow(&mut self, before: &RunState, run: &RunState, waits: bool, now: TimestampMs) {
        let (was, is) = (before.blocked_on, run.blocked_on);
        let own = Some(self.spec.id);
        let starts = before.lease.is_none() && run.lease.is_some();
        let begins_to_wait = is == own && was != own;
        if starts || begins_to_wait {
            self.roll(now);
        }
        let nothing = Amounts::new();
        let held = |run| held_reservation(run).unwrap_or(&nothing);
        let is_freed = self.settle(held(before), held(run));
        let leaves =
            was == own && (run.state.is_terminal() || (has_others(run) && !has_others(before)));
        if waits && (is_freed || leaves) {
            self.look_at = Some(now);
        }
        if begins_to_wait {
            self.look_at = earlier(self.look_at, self.window_end());
        }
    }

    /// Whether this may be reserved: in each limited dimension, one at least.
    fn fits(&self, wanted: &Amounts) -> bool {
        self.dimensions.iter().all(|(name, dimension)| {
            dimension.room().is_none_or(|room| room >= amount(wanted, name).max(1))
        })
    }

    /// The limit that usage alone leaves no room below.
    fn used_up(&self, wanted: &Amounts) -> Option<Breach> {
        self.dimensions.iter().find_map(|(name, dimension)| {
            let limit = dimension.limit.hard?;
            let passed = dimension.used.saturating_add(amount(wanted, name).max(1)) > limit;
            passed.then(|| self.breach(name, dimension, limit))
        })
    }

    fn breach(&self, name: &str, dimension: &BudgetDimension, limit: u64) -> Breach {
        let (used, reserved) = (dimension.used, dimension.reserved);
        Breach::new(self.spec.id, name.to_owned(), limit, used, reserved)
    }
}

/// What handing out an execution finds of its budgets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Admission {
    /// It may start, with this reservation.
    Admitted(Option<Arc<Amounts>>),
    /// It waits for room in this budget.
    Blocked(BudgetId),
    /// It fails: this is used up.
    UsedUp(Breach),
}

/// Whether a change of an execution means something for its budgets.
pub fn moves_budgets(before: &RunState, run: &RunState) -> bool {
    before.lease.is_some() != run.lease.is_some()
        || before.blocked_on != run.blocked_on
        || (run.blocked_on.is_some() && before.reasons != run.reasons)
}

/// Whether more than a budget keeps it from being ready.
fn has_others(run: &RunState) -> bool {
    !run.reasons.without(BlockReason::Budget).is_empty()
}

/// Whether the budgets of a record let it start now.
pub(super) fn admit(
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
    let wanted = reservable(wanted(record), &budgets);
    let place = (QueueOrder::of(record), record.submission.id());
    for budget in &budgets {
        let waits_behind = tables.first_blocked(budget.spec.id).is_some_and(|first| first < place);
        if !waits_behind && budget.fits(&wanted) {
            continue;
        }
        return match budget.used_up(&wanted).filter(|_| budget.spec.on_breach == OnBreach::Fail) {
            Some(breach) => Admission::UsedUp(breach),
            None => Admission::Blocked(budget.spec.id),
        };
    }
    Admission::Admitted(Some(wanted).filter(|wanted| !wanted.is_empty()).map(Arc::new))
}

/// What is to be reserved for the next lease: what is left of that of a paused attempt, or the estimate.
fn wanted(record: &ExecutionRecord) -> Amounts {
    let paused = record.run.attempt.is_some_and(|attempt| attempt.open);
    match &record.run.reservation {
        Some(left) if paused => left.as_ref().clone(),
        None if paused => Amounts::new(),
        _ => record.submission.estimate.amounts(),
    }
}

/// As much of it as some budget counts and none limits.
fn reservable(mut wanted: Amounts, budgets: &[BudgetRecord]) -> Amounts {
    wanted.retain(|name, amount| {
        let counted = budgets.iter().filter_map(|budget| budget.dimensions.get(name));
        let hard = counted.clone().filter_map(|dimension| dimension.limit.hard).min();
        *amount = (*amount).min(hard.unwrap_or(u64::MAX));
        counted.count() > 0 && *amount > 0
    });
    wanted
}

/// What an execution has reserved: something exactly while it holds a lease.
pub fn held_reservation(run: &RunState) -> Option<&Amounts> {
    run.reservation.as_deref().filter(|_| run.lease.is_some())
}

/// The run state of one that waits for room.
pub(super) fn blocked(run: &RunState, budget: BudgetId) -> RunState {
    let mut next = run.clone();
    next.reasons = next.reasons.with(BlockReason::Budget);
    next.blocked_on = Some(budget);
    next.state = state_of(next.reasons);
    next
}

/// The run state of one that fails instead of starting.
pub(super) fn failed(run: &RunState, breach: &Breach, now: TimestampMs) -> RunState {
    let mut next = run.clone();
    next.record_failure(FailureClass::Permanent, breach.to_string(), None, now);
    next.end(TerminalOutcome::Failed, now);
    next
}

/// What a look at a budget does.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The budget becomes this.
    pub budget: BudgetRecord,
    /// These are let go on, with these run states.
    pub admitted: Vec<(ExecutionId, RunState)>,
}

/// Decides a look at a budget that is due. `waiting` are those that wait for room in it, in the order of
/// their places, as far as asked for.
///
/// They go on in that order while their estimates fit together, at most 32 at once, and the first that does
/// not fit is waited for; one that something else keeps back takes no room, and neither does one that fails when its turn comes. When some went on, the budget is looked at again after a second, in case they do
/// not take what they were let go on for.
pub fn look<'r>(
    budget: &BudgetRecord,
    waiting: impl Iterator<Item = &'r ExecutionRecord>,
    now: TimestampMs,
) -> Look {
    let mut next = budget.clone();
    next.roll(now);
    let mut full = next.clone();
    let mut admitted = Vec::new();
    let mut left = None;
    for record in waiting {
        let wanted = reservable(wanted(record), std::slice::from_ref(&next));
        let fails = next.spec.on_breach == OnBreach::Fail && next.used_up(&wanted).is_some();
        let takes = if fails || has_others(&record.run) {
            Amounts::new()
        } else {
            one_at_least(&next, wanted)
        };
        let is_full = admitted.len() == limits::BUDGET_ADMITTED_MAX;
        if is_full || (!takes.is_empty() && !full.fits(&takes)) {
            left = Some(is_full);
            break;
        }
        full.settle(&Amounts::new(), &takes);
        let mut run = record.run.clone();
        run.reasons = run.reasons.without(BlockReason::Budget);
        run.blocked_on = None;
        if run.state == ff_types::ExecutionState::Blocked {
            run.state = state_of(run.reasons);
        }
        admitted.push((record.submission.id(), run));
    }
    let again = now.saturating_add(std::time::Duration::from_millis(limits::BUDGET_LOOK_AGAIN_MS));
    next.look_at = match left {
        None => None,
        Some(true) => Some(now),
        Some(false) if admitted.is_empty() => next.window_end(),
        Some(false) => earlier(Some(again), next.window_end()),
    };
    Look { budget: next, admitted }
}

/// What one takes for certain: one of each limited dimension, if it is expected to use less.
fn one_at_least(budget: &BudgetRecord, mut wanted: Amounts) -> Amounts {
    for (name, dimension) in &budget.dimensions {
        if dimension.limit.hard.is_some() {
            let amount = wanted.entry(name.clone()).or_default();
            *amount = (*amount).max(1);
        }
    }
    wanted
}

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
/// [`EngineError::LimitExceeded`] for too many keys or dimensions of one execution, and for a sum over
/// 2^53 - 1.
pub fn report_usage(
    record: &ExecutionRecord,
    fence: &Fence,
    usage: &UsageDimensions,
    tables: &impl BudgetTables,
    now: TimestampMs,
) -> Result<(Option<Reported>, UsageOutcome), EngineError> {
    let amounts = valid_usage("usage", usage)?;
    held(record, fence, now)?;
    if let Some(key) = &usage.dedup_key {
        if record.reports.as_ref().is_some_and(|keys| keys.contains(key.as_str())) {
            return Ok((None, UsageOutcome::AlreadyApplied));
        }
        let reports = record.reports.as_ref().map_or(0, |keys| keys.len());
        at_most("usage_reports", reports + 1, limits::USAGE_REPORTS_MAX)?;
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
            let sum = dimension.used.saturating_add(dimension.reserved);
            if let Some(limit) = dimension.limit.hard.filter(|hard| reported > 0 && sum > *hard) {
                let was = &stands.dimensions[name];
                return Ok((None, UsageOutcome::HardBreach(stands.breach(name, was, limit))));
            }
            if dimension.used > limits::USAGE_AMOUNT_MAX {
                return Err(too_much(dimension.used));
            }
        }
        soft = soft.or_else(|| {
            next.dimensions.iter().find_map(|(name, dimension)| {
                let limit = dimension.limit.soft.filter(|soft| dimension.used > *soft)?;
                (amount(&amounts, name) > 0).then(|| next.breach(name, dimension, limit))
            })
        });
        if next.spec.on_breach == OnBreach::Fail && tables.first_blocked(*id).is_some() {
            next.look_at = Some(now);
        }
        budgets.push(next);
    }
    run.reservation = Some(after).filter(|after| !after.is_empty()).map(Arc::new);
    let outcome = soft.map_or(UsageOutcome::Ok, UsageOutcome::SoftBreach);
    Ok((Some(Reported { run: Box::new(run), budgets }), outcome))
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

fn amount(amounts: &Amounts, name: &str) -> u64 {
    amounts.get(name).copied().unwrap_or(0)
}

fn earlier(one: Option<TimestampMs>, other: Option<TimestampMs>) -> Option<TimestampMs> {
    one.into_iter().chain(other).min()
}
