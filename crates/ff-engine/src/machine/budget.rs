//! Budgets: what usage and reservations leave, who is handed out, and who has to wait.
//!
//! A budget counts by dimension what was reported (`used`) and what running attempts may still report
//! (`reserved`). An execution is handed out when its estimate fits beside both, and no other waits in front
//! of it; from then on a report takes from its reservation first. The reservation counts exactly while the
//! lease, or the token that leads to one, is held, so a store brings it along with these: see
//! [`BudgetRecord::follow`].
//!
//! Those that find no room stand in line, in the order of their places. One that needs more than there could be
//! if everything came back is set aside, so that it holds nobody up, until the limit is raised or usage starts
//! from nothing: the budget counts these in its `generation`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ff_types::backend::{FailureClass, UsageDimensions};
use ff_types::{
    BlockReason, BudgetId, ExecutionId, ExecutionState, TerminalOutcome, TimestampMs, limits,
};

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
    /// How often limits were changed and usage started from nothing.
    pub generation: u64,
    /// The latest requests that changed it.
    pub marks: Recent<ff_types::RequestId>,
}

/// What a decision over budgets has to know of a store.
pub trait BudgetTables {
    /// The budget of this id.
    fn budget(&self, id: BudgetId) -> Option<&BudgetRecord>;

    /// The first of the line for a budget.
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
        generation: 0,
        marks: Recent::default(),
    })))
}

/// Decides a change of a budget; `None` when the request was made before. `waits` says whether some
/// execution waits for room in it, in line or set aside.
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
    next.generation += 1;
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
            self.generation += 1;
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
    /// reserved counts while it is held, and the line moves in time. `line` is how many stand in line, this
    /// one included.
    pub fn follow(&mut self, before: &RunState, run: &RunState, line: usize, now: TimestampMs) {
        let (was, is) = (before.blocked_on, run.blocked_on);
        let own = Some(self.spec.id);
        let starts = !holds(before) && holds(run);
        let begins_to_wait = is == own && was != own;
        if starts || begins_to_wait {
            self.roll(now);
        }
        let nothing = Amounts::new();
        let held = |run| held_reservation(run).unwrap_or(&nothing);
        let is_freed = self.settle(held(before), held(run));
        let leaves =
            was == own && (run.state.is_terminal() || (has_others(run) && !has_others(before)));
        let joins_others = begins_to_wait && run.set_aside.is_none() && line > 1;
        if line > 0 && (is_freed || leaves || joins_others || makes_room(before, run)) {
            self.look_at = Some(now);
        }
        if begins_to_wait {
            self.look_at = earlier(self.look_at, self.window_end());
        }
        // It may not start at all: its flow may be cancelled while it stands there.
        if begins_to_wait && run.set_aside.is_none() {
            let wait = Duration::from_millis(limits::BUDGET_LINE_LOOK_MS);
            self.look_at = earlier(self.look_at, Some(now.saturating_add(wait)));
        }
    }

    /// Whether this may be reserved: in each limited dimension, one at least.
    fn fits(&self, wanted: &Amounts) -> bool {
        self.dimensions.iter().all(|(name, dimension)| {
            dimension.room().is_none_or(|room| room >= amount(wanted, name).max(1))
        })
    }

    /// The limit that usage alone leaves no room below: also when everything that is reserved came back.
    fn used_up(&self, wanted: &Amounts) -> Option<Breach> {
        self.dimensions.iter().find_map(|(name, dimension)| {
            let limit = dimension.limit.hard?;
            let least = amount(wanted, name).max(1);
            let passed = dimension.used.saturating_add(least) > limit;
            passed.then(|| self.breach(name, dimension, limit, least))
        })
    }

    fn breach(
        &self,
        name: &str,
        dimension: &BudgetDimension,
        limit: u64,
        requested: u64,
    ) -> Breach {
        let (used, reserved) = (dimension.used, dimension.reserved);
        Breach::new(self.spec.id, name.to_owned(), limit, used, reserved, requested)
    }
}

/// What handing out an execution finds of its budgets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Admission {
    /// It may start, with this reservation.
    Admitted(Option<Arc<Amounts>>),
    /// It waits for room in this budget, set aside in this generation when there can be none.
    Blocked(BudgetId, Option<u64>),
    /// It fails: this is used up.
    UsedUp(Breach),
}

/// Whether a change of an execution means something for its budgets.
pub fn moves_budgets(before: &RunState, run: &RunState) -> bool {
    holds(before) != holds(run)
        || before.blocked_on != run.blocked_on
        || makes_room(before, run)
        || (run.blocked_on.is_some() && before.reasons != run.reasons)
}

/// Whether it was to start next, and does not: the room that it may have been let go on for is free.
fn makes_room(before: &RunState, run: &RunState) -> bool {
    let was_next = before.state == ExecutionState::Ready && !holds(before);
    was_next && !holds(run) && (run.state.is_terminal() || has_others(run))
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
fn wanted(record: &ExecutionRecord) -> Amounts {
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

/// Whether its reservation counts: it holds a lease, or a token that leads to one.
const fn holds(run: &RunState) -> bool {
    run.lease.is_some() || run.grant.is_some()
}

/// What an execution has reserved: something at most while it holds a lease or a token.
pub fn held_reservation(run: &RunState) -> Option<&Amounts> {
    run.reservation.as_deref().filter(|_| holds(run))
}

/// The run state of one that waits for room.
pub(super) fn blocked(run: &RunState, budget: BudgetId, aside: Option<u64>) -> RunState {
    let mut next = run.clone();
    next.reasons = next.reasons.with(BlockReason::Budget);
    next.blocked_on = Some(budget);
    next.set_aside = aside;
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
    /// And these executions this: let go on, set aside, or in line again.
    pub moved: Vec<(ExecutionId, RunState)>,
}

/// Decides a look at a budget that is due. `line` are those in line, in the order of their places, and
/// `aside` those that were set aside in an earlier generation than its next, oldest first; both as far as
/// asked for. `set_aside` is how many are set aside in all.
///
/// The line goes on in its order while the estimates fit together, and the first that does not fit is waited
/// for. One that something else keeps back, that fails when its turn comes, or whose flow is cancelled takes no
/// room; one that needs more than there can be is set aside. At most 32 move at once. When some went on, the
/// budget is looked at again after a second, in case they do not take what they were let go on for.
pub fn look<'r>(
    budget: &BudgetRecord,
    line: impl Iterator<Item = &'r ExecutionRecord>,
    aside: impl Iterator<Item = &'r ExecutionRecord>,
    set_aside: usize,
    now: TimestampMs,
) -> Look {
    let mut next = budget.clone();
    next.roll(now);
    let mut full = next.clone();
    let mut moved = Vec::new();
    let mut admitted = false;
    let mut stopped = None;
    let mut left_aside = set_aside;
    for record in line {
        if moved.len() == limits::BUDGET_MOVED_MAX {
            stopped = Some(true);
            break;
        }
        let mut run = record.run.clone();
        let wanted = wanted(record);
        if !has_turn(record, &next, &wanted) {
            if next.used_up(&wanted).is_some() {
                run.set_aside = Some(next.generation);
                left_aside += 1;
                moved.push((record.submission.id(), run));
                continue;
            }
            let takes = one_at_least(&next, wanted);
            if !full.fits(&takes) {
                stopped = Some(false);
                break;
            }
            full.settle(&Amounts::new(), &takes);
        }
        admitted = true;
        run.reasons = run.reasons.without(BlockReason::Budget);
        run.blocked_on = None;
        if run.state == ExecutionState::Blocked {
            run.state = state_of(run.reasons);
        }
        moved.push((record.submission.id(), run));
    }
    let mut again = stopped == Some(true);
    for record in aside {
        again = true;
        if moved.len() == limits::BUDGET_MOVED_MAX {
            break;
        }
        let mut run = record.run.clone();
        run.set_aside = None;
        moved.push((record.submission.id(), run));
    }
    let after = |ms| now.saturating_add(std::time::Duration::from_millis(ms));
    next.look_at = match stopped {
        _ if again => Some(now),
        None => next.window_end().filter(|_| left_aside > 0),
        Some(_) if admitted => {
            earlier(Some(after(limits::BUDGET_LOOK_AGAIN_MS)), next.window_end())
        }
        Some(_) => earlier(Some(after(limits::BUDGET_LINE_LOOK_MS)), next.window_end()),
    };
    Look { budget: next, moved }
}

/// Whether one in line goes on without taking room: it does not start then.
fn has_turn(record: &ExecutionRecord, budget: &BudgetRecord, wanted: &Amounts) -> bool {
    let fails = budget.spec.on_breach == OnBreach::Fail && budget.used_up(wanted).is_some();
    let is_over = record.flow_cancel.is_some() && !record.run.attempt.is_some_and(|one| one.open);
    fails || is_over || has_others(&record.run)
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
            let sum = dimension.used.saturating_add(dimension.reserved);
            if let Some(limit) = dimension.limit.hard.filter(|hard| reported > 0 && sum > *hard) {
                let was = &stands.dimensions[name];
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

fn amount(amounts: &Amounts, name: &str) -> u64 {
    amounts.get(name).copied().unwrap_or(0)
}

fn earlier(one: Option<TimestampMs>, other: Option<TimestampMs>) -> Option<TimestampMs> {
    one.into_iter().chain(other).min()
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
