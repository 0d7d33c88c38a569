//! A budget as a backend stores it: how it is made, changed, and brought along with what draws on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ff_types::{
    BlockReason, BudgetId, ExecutionId, ExecutionState, RequestId, TimestampMs, limits,
};

use crate::error::EngineError;
use crate::machine::placement::QueueOrder;
use crate::machine::recent::Recent;
use crate::machine::record::RunState;
use crate::requests::{
    AdjustBudget, Amounts, Breach, BudgetDimension, BudgetView, CreateBudget, OnBreach,
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
    pub marks: Recent<RequestId>,
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
            return Err(EngineError::dimension_not_counted(name));
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
    pub(super) fn settle(&mut self, before: &Amounts, after: &Amounts) -> bool {
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
        let makes_room = is != own && does_not_start(before, run);
        if line > 0 && (is_freed || leaves || joins_others || makes_room) {
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
    pub(super) fn fits(&self, wanted: &Amounts) -> bool {
        self.dimensions.iter().all(|(name, dimension)| {
            dimension.room().is_none_or(|room| room >= amount(wanted, name).max(1))
        })
    }

    /// The limit that usage alone leaves no room below: also when everything that is reserved came back.
    pub(super) fn used_up(&self, wanted: &Amounts) -> Option<Breach> {
        self.dimensions.iter().find_map(|(name, dimension)| {
            let limit = dimension.limit.hard?;
            let least = amount(wanted, name).max(1);
            let passed = dimension.used.saturating_add(least) > limit;
            passed.then(|| self.breach(name, dimension, limit, least))
        })
    }

    pub(super) fn breach(
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

/// Whether a change of an execution means something for its budgets.
pub fn moves_budgets(before: &RunState, run: &RunState) -> bool {
    holds(before) != holds(run)
        || before.blocked_on != run.blocked_on
        || does_not_start(before, run)
        || (run.blocked_on.is_some() && before.reasons != run.reasons)
}

/// Whether its reservation counts: it holds a lease, or a token that leads to one.
pub(super) const fn holds(run: &RunState) -> bool {
    run.lease.is_some() || run.grant.is_some()
}

/// What an execution has reserved: something at most while it holds a lease or a token.
pub fn held_reservation(run: &RunState) -> Option<&Amounts> {
    run.reservation.as_deref().filter(|_| holds(run))
}

/// Whether it was to start next, and does not: the room that it may have been let go on for is free.
fn does_not_start(before: &RunState, run: &RunState) -> bool {
    let was_next = before.state == ExecutionState::Ready && !holds(before);
    let waits = run.blocked_on.is_some() || has_others(run);
    was_next && !holds(run) && (run.state.is_terminal() || waits)
}

/// Whether more than a budget keeps it from being ready.
pub(super) fn has_others(run: &RunState) -> bool {
    !run.reasons.without(BlockReason::Budget).is_empty()
}

pub(super) fn amount(amounts: &Amounts, name: &str) -> u64 {
    amounts.get(name).copied().unwrap_or(0)
}

pub(super) fn earlier(one: Option<TimestampMs>, other: Option<TimestampMs>) -> Option<TimestampMs> {
    one.into_iter().chain(other).min()
}
