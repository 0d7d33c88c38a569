//! Budgets: how they are made, changed and read, and what becomes of a report of usage.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::UsageDimensions;
use ff_types::{BudgetId, RequestId, Tags, TimestampMs, limits};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::submit::{feed, feed_time};
use super::{millis, valid_time, whole_ms};
use crate::error::EngineError;

/// Amounts by dimension. A dimension that is not in it has none.
pub type Amounts = BTreeMap<String, u64>;

/// How much of one dimension may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetLimit {
    /// Reports that pass it are counted, and say so.
    pub soft: Option<u64>,
    /// Usage never passes it.
    pub hard: Option<u64>,
}

impl BudgetLimit {
    /// Counts, and limits nothing.
    pub const COUNTED: Self = Self { soft: None, hard: None };

    /// Usage never passes `hard`.
    pub const fn hard(hard: u64) -> Self {
        Self { soft: None, hard: Some(hard) }
    }

    /// Reports that pass `soft` say so.
    pub const fn soft(soft: u64) -> Self {
        Self { soft: Some(soft), hard: None }
    }

    /// Both.
    pub const fn soft_and_hard(soft: u64, hard: u64) -> Self {
        Self { soft: Some(soft), hard: Some(hard) }
    }
}

/// What a budget without room does to the executions that draw on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnBreach {
    /// They are handed out all the same; a report that would pass a hard limit is refused. Nothing is
    /// reserved.
    Report,
    /// They are not handed out until there is room.
    #[default]
    Block,
    /// They fail instead of being handed out when usage leaves no room, and wait while it is only
    /// reserved.
    Fail,
}

impl OnBreach {
    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Block => "block",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for OnBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OnBreach {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let all = [Self::Report, Self::Block, Self::Fail];
        let found = all.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| EngineError::validation("on_breach", "is no breach action"))
    }
}

/// When the usage of a budget starts from nothing again: at `anchor` and every `every` before and after
/// it, by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetWindow {
    /// 1 s ..= 366 days.
    pub every: Duration,
    /// One of the starts.
    pub anchor: TimestampMs,
}

impl BudgetWindow {
    /// Windows of this length, of which one starts at the Unix epoch.
    pub const fn every(every: Duration) -> Self {
        Self { every, anchor: TimestampMs::ZERO }
    }

    /// One starts at `anchor`.
    #[must_use]
    pub const fn with_anchor(mut self, anchor: TimestampMs) -> Self {
        self.anchor = anchor;
        self
    }

    /// The start of the window that `now` lies in: `anchor + floor((now - anchor) / every) * every`.
    pub fn start_at(&self, now: TimestampMs) -> TimestampMs {
        let every = self.every_ms();
        let past = now.as_i64().saturating_sub(self.anchor.as_i64()).rem_euclid(every);
        TimestampMs(now.as_i64() - past)
    }

    /// The end of the window that starts at `start`.
    pub fn end_of(&self, start: TimestampMs) -> TimestampMs {
        start.saturating_add(self.every)
    }

    fn every_ms(&self) -> i64 {
        i64::try_from(millis(self.every)).unwrap_or(i64::MAX).max(1)
    }
}

/// Makes a budget. Like a submission it carries its id, so that a repeat after a lost answer makes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateBudget {
    /// The id. Executions that name the budget first take its placement bits.
    pub id: BudgetId,
    /// What it counts, 1..=16 dimensions, and the limits of each.
    pub limits: BTreeMap<String, BudgetLimit>,
    /// When usage starts from nothing; never when `None`.
    pub window: Option<BudgetWindow>,
    /// What it does to executions when there is no room.
    pub on_breach: OnBreach,
    /// Labels, for scanner filters.
    pub tags: Tags,
}

impl CreateBudget {
    /// A budget that counts nothing yet.
    pub const fn new(id: BudgetId) -> Self {
        Self {
            id,
            limits: BTreeMap::new(),
            window: None,
            on_breach: OnBreach::Block,
            tags: Tags::new(),
        }
    }

    /// Counts a dimension, and limits it.
    #[must_use]
    pub fn with_limit(mut self, dimension: impl Into<String>, limit: BudgetLimit) -> Self {
        self.limits.insert(dimension.into(), limit);
        self
    }

    /// Starts from nothing at every start of a window.
    #[must_use]
    pub const fn with_window(mut self, window: BudgetWindow) -> Self {
        self.window = Some(window);
        self
    }

    /// Does this when there is no room.
    #[must_use]
    pub const fn with_on_breach(mut self, on_breach: OnBreach) -> Self {
        self.on_breach = on_breach;
        self
    }

    /// Labels the budget.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        if self.limits.is_empty() {
            return Err(EngineError::validation("limits", "must name a dimension at least"));
        }
        super::at_most("limits", self.limits.len(), limits::BUDGET_DIMENSIONS_MAX)?;
        self.limits.iter().try_for_each(|(name, limit)| valid_limit(name, *limit))?;
        if let Some(window) = &self.window {
            let (min, max) = (limits::BUDGET_WINDOW_MIN_MS, limits::BUDGET_WINDOW_MAX_MS);
            whole_ms("window.every", window.every, min, max)?;
            valid_time("window.anchor", window.anchor)?;
        }
        Ok(())
    }

    /// A 64-bit digest of everything, by which a repeat is told from another budget of the same id.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.id.to_bytes());
        for (name, limit) in &self.limits {
            feed(&mut hash, name.as_bytes());
            for amount in [limit.soft, limit.hard] {
                hash.update(&amount.unwrap_or(u64::MAX).to_le_bytes());
            }
        }
        feed_time(&mut hash, self.window.map(|window| window.anchor));
        hash.update(&self.window.map_or(0, |window| millis(window.every)).to_le_bytes());
        feed(&mut hash, self.on_breach.as_str().as_bytes());
        for (key, value) in self.tags.iter() {
            feed(&mut hash, key.as_bytes());
            feed(&mut hash, value.as_bytes());
        }
        hash.digest()
    }
}

fn valid_limit(dimension: &str, limit: BudgetLimit) -> Result<(), EngineError> {
    let (length, max) = (dimension.len(), limits::USAGE_DIMENSION_MAX_BYTES);
    if !(1..=max).contains(&length) || !dimension.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = format!(
            "names {dimension:?}, which is not 1..={max} printable ASCII bytes without space"
        );
        return Err(EngineError::validation("limits", problem));
    }
    let field = || format!("limits.{dimension}");
    for actual in [limit.soft, limit.hard].into_iter().flatten() {
        let limit = limits::USAGE_AMOUNT_MAX;
        if actual > limit {
            return Err(EngineError::LimitExceeded { field: field().into(), limit, actual });
        }
    }
    match (limit.soft, limit.hard) {
        (Some(soft), Some(hard)) if soft > hard => {
            let problem = format!("has a soft limit of {soft} over a hard one of {hard}");
            Err(EngineError::validation(field(), problem))
        }
        _ => Ok(()),
    }
}

fn valid_amount(field: &'static str, dimension: &str, actual: u64) -> Result<(), EngineError> {
    let limit = limits::USAGE_AMOUNT_MAX;
    if actual > limit {
        let field = format!("{field}.{dimension}").into();
        return Err(EngineError::LimitExceeded { field, limit, actual });
    }
    Ok(())
}

/// The amounts of a report or an estimate, after a check of them.
///
/// # Errors
/// [`EngineError::Validation`] for a dimension that is malformed or named twice, and
/// [`EngineError::LimitExceeded`] for too many dimensions or an amount over 2^53 - 1.
pub fn valid_usage(field: &'static str, usage: &UsageDimensions) -> Result<Amounts, EngineError> {
    usage.validate()?;
    let amounts = usage.amounts();
    amounts.iter().try_for_each(|(name, amount)| valid_amount(field, name, *amount))?;
    Ok(amounts)
}

/// Changes the limits of a budget, or lets it start from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdjustBudget {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// The budget.
    pub budget_id: BudgetId,
    /// New limits of dimensions that it counts; the others keep theirs.
    pub limits: BTreeMap<String, BudgetLimit>,
    /// Whether what was used so far in the window is forgotten.
    pub reset: bool,
}

impl AdjustBudget {
    /// Changes nothing yet.
    pub const fn new(request_id: RequestId, budget_id: BudgetId) -> Self {
        Self { request_id, budget_id, limits: BTreeMap::new(), reset: false }
    }

    /// Limits a dimension anew.
    #[must_use]
    pub fn with_limit(mut self, dimension: impl Into<String>, limit: BudgetLimit) -> Self {
        self.limits.insert(dimension.into(), limit);
        self
    }

    /// Forgets what was used so far. What running attempts have reserved stays.
    #[must_use]
    pub const fn with_reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        super::at_most("limits", self.limits.len(), limits::BUDGET_DIMENSIONS_MAX)?;
        self.limits.iter().try_for_each(|(name, limit)| valid_limit(name, *limit))
    }
}

/// Everything about a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetView {
    /// The id.
    pub budget_id: BudgetId,
    /// What it counts, by dimension.
    pub dimensions: BTreeMap<String, BudgetDimension>,
    /// When usage starts from nothing.
    pub window: Option<BudgetWindow>,
    /// What it does to executions when there is no room.
    pub on_breach: OnBreach,
    /// Labels.
    pub tags: Tags,
    /// When it was made.
    pub created_at: TimestampMs,
    /// Since when usage is counted, of one with windows.
    pub window_started_at: Option<TimestampMs>,
    /// How many executions wait for room.
    pub blocked: u64,
}

impl BudgetView {
    /// When usage starts from nothing next.
    pub fn resets_at(&self) -> Option<TimestampMs> {
        Some(self.window?.end_of(self.window_started_at?))
    }
}

/// One dimension of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetDimension {
    /// Its limits.
    pub limit: BudgetLimit,
    /// What was reported since the last reset.
    pub used: u64,
    /// What running attempts have reserved and not reported.
    pub reserved: u64,
}

impl BudgetDimension {
    /// Of these parts. For backends.
    pub const fn new(limit: BudgetLimit, used: u64, reserved: u64) -> Self {
        Self { limit, used, reserved }
    }

    /// How much there is left below the hard limit; `None` without one.
    pub fn room(&self) -> Option<u64> {
        let hard = self.limit.hard?;
        Some(hard.saturating_sub(self.used).saturating_sub(self.reserved))
    }
}

impl BudgetView {
    /// Of these parts. For backends.
    #[expect(clippy::too_many_arguments, reason = "one for each field")]
    pub const fn new(
        budget_id: BudgetId,
        dimensions: BTreeMap<String, BudgetDimension>,
        window: Option<BudgetWindow>,
        on_breach: OnBreach,
        tags: Tags,
        created_at: TimestampMs,
        window_started_at: Option<TimestampMs>,
        blocked: u64,
    ) -> Self {
        Self {
            budget_id,
            dimensions,
            window,
            on_breach,
            tags,
            created_at,
            window_started_at,
            blocked,
        }
    }
}

/// Asks for budgets in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListBudgets {
    /// Only those behind this one.
    pub after: Option<BudgetId>,
    /// At most this many, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListBudgets {
    /// The first of all.
    pub const fn all() -> Self {
        Self { after: None, limit: None }
    }

    /// Only those behind `id`, the last of the page before.
    #[must_use]
    pub const fn with_after(mut self, id: BudgetId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most `limit`.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        super::read::page_size(self.limit)
    }
}

/// What became of a report of usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageOutcome {
    /// It is counted.
    Ok,
    /// A report with this key was counted before; this one is not.
    AlreadyApplied,
    /// It is counted, and a soft limit is passed.
    SoftBreach(Breach),
    /// It would pass a hard limit: nothing of it is counted.
    HardBreach(Breach),
}

/// Which limit is in the way, and how the budget stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Breach {
    /// The budget.
    pub budget_id: BudgetId,
    /// The dimension.
    pub dimension: String,
    /// The limit.
    pub limit: u64,
    /// What is used: with this report when it is counted, and else without it.
    pub used: u64,
    /// What running attempts have reserved, this one among them.
    pub reserved: u64,
    /// What was asked for: by the report, or by the estimate of what was to start.
    pub requested: u64,
}

impl Breach {
    /// Of these parts. For backends.
    pub const fn new(
        budget_id: BudgetId,
        dimension: String,
        limit: u64,
        used: u64,
        reserved: u64,
        requested: u64,
    ) -> Self {
        Self { budget_id, dimension, limit, used, reserved, requested }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget_id, dimension, limit, used, reserved, requested } = self;
        write!(f, "budget {budget_id}: {requested} {dimension} asked for, ")?;
        write!(f, "{used} of {limit} used, {reserved} reserved")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_on_a_grid_on_both_sides_of_the_anchor() {
        let window = BudgetWindow::every(Duration::from_secs(10)).with_anchor(TimestampMs(3_000));

        for (now, start) in [(3_000, 3_000), (12_999, 3_000), (13_000, 13_000), (2_999, -7_000)] {
            assert_eq!(window.start_at(TimestampMs(now)), TimestampMs(start));
        }
    }

    #[test]
    fn a_budget_is_refused_by_the_field_at_fault() {
        let budget = || CreateBudget::new(BudgetId::from_u128(1));
        let of = |limit| budget().with_limit("input_tokens", limit);
        let window = |ms| of(BudgetLimit::hard(1)).with_window(BudgetWindow::every(ms));
        let many =
            (0..17).fold(budget(), |one, i| one.with_limit(format!("d{i}"), BudgetLimit::COUNTED));
        let cases = [
            (budget(), "limits must name"),
            (many, "limits is 17, the limit is 16"),
            (of(BudgetLimit::hard(1 << 53)), "limits.input_tokens is 9007199254740992"),
            (of(BudgetLimit::soft_and_hard(2, 1)), "limits.input_tokens has a soft limit of 2"),
            (budget().with_limit("a b", BudgetLimit::COUNTED), "limits names \"a b\""),
            (window(Duration::from_millis(999)), "window.every must be within 1000"),
            (window(Duration::from_micros(1_000_900)), "window.every must be within 1000"),
        ];

        for (budget, problem) in cases {
            let refusal = budget.validate().unwrap_err().to_string();
            assert!(refusal.starts_with(problem), "{refusal}");
        }
        assert!(of(BudgetLimit::soft_and_hard(1, 1)).validate().is_ok());
    }
}
