//! What may be used.

use async_trait::async_trait;
use ff_types::BudgetId;

use crate::error::EngineError;
use crate::requests::{AdjustBudget, BudgetView, CreateBudget, ListBudgets};

/// Budgets: how much the executions that draw on them may use.
///
/// An execution names its budgets when it is submitted, alone or as a member of a flow
/// `[budget.flow_members_draw_on_it]`, and its id takes the placement of the first, unless that is shared
/// `[budget.first_budget_places]`. An idempotency key counts beside the budget that places it
/// `[budget.idempotency_key_counts_beside_the_budget]`.
///
/// What follows holds at once of a budget that has the placement of what draws on it. A divided store may keep others
/// elsewhere, and reserves of those in two phases: first the place of the execution is granted some of the budget, which
/// counts as reserved from then on, and then a claim takes lease and reservation together. Of these the same holds, the
/// order among places included, within some milliseconds of maintenance, or a second and those where it says a while:
///
/// - An attempt starts when its estimate is reserved, and what it reports is used within a while
///   `[budget.shared_is_reserved_and_settled]`, as in flows, by extensions and by schedules
///   `[budget.shared_flow_draws_on_it]`. Without room it is blocked until there is some
///   `[budget.shared_without_room_blocks]`, as when a lease ends elsewhere `[budget.shared_goes_back_with_the_lease]`, or a window
///   begins `[budget.shared_window_lets_go_on]`, in the order of places `[budget.shared_waits_in_order]`.
/// - A report over the reservation is counted when the budget has room, and else a breach
///   `[budget.shared_report_needs_room]`; what places hold and nobody uses is called in for it before
///   `[budget.shared_idle_is_called_in]`; of a soft limit it says what is known at its place
///   `[budget.shared_soft_limit_is_told]`.
/// - One that cannot have room fails, if the budget says so `[budget.shared_used_up_fails_them]`, or holds up nobody
///   `[budget.shared_impossible_is_set_aside]`. Two that draw on the same budgets do not wait for each other
///   `[budget.shared_two_are_taken_in_one_order]`, and what one was let go on for is there when a worker comes
///   `[budget.shared_waits_for_slow_workers]`, and what is used is told soon all the same
///   `[budget.shared_usage_is_told_soon]`.
/// - Other limits hold wherever the budget is drawn on, but for what was granted before
///   `[budget.shared_new_limits_are_told]`.
/// - What is used and reserved never pass a hard limit together, not for a moment
///   `[budget.shared_never_overshoots]`. An unknown budget is not found `[budget.shared_unknown_is_not_found]`.
///
/// Of all of them:
///
/// - A claim takes the lease and reserves the estimate of the execution in one step
///   `[budget.estimate_is_reserved_with_the_lease]`, once, however often it is repeated
///   `[budget.repeated_claim_reserves_once]`. What is left of the reservation goes back with the lease, in the step that ends it,
///   however it ends `[budget.reservation_goes_with_the_lease]`; an attempt that resumes reserves what it
///   had left, with the token that lets it `[budget.resumed_attempt_reserves_the_rest]`. A token
///   that is not used leaves nothing reserved `[budget.token_not_used_leaves_no_reservation]`.
/// - What is used and what is reserved never pass a hard limit together `[budget.no_overshoot]`. One that
///   needs more than there can be is set aside until there can, and holds up nobody
///   `[budget.impossible_estimate_is_set_aside]`, also when reports have made it so
///   `[budget.reports_set_the_first_aside]`.
/// - Without room an execution is `Blocked` when its turn comes, and the budget is told as the reason
///   `[budget.no_room_blocks]`; it goes on when the budget is raised `[budget.raise_lets_go_on]`, gets
///   back what was reserved `[budget.freed_room_lets_go_on]` or starts a new window
///   `[budget.window_lets_go_on]`. Those that wait go on in the order of their places, and nobody
///   overtakes them `[budget.waits_in_order]`.
/// - A budget that only reports hands them out all the same `[budget.report_only_hands_out]`, and one
///   that fails them ends them when usage leaves no room `[budget.used_up_fails_them]`.
/// - Usage starts from nothing once a window, whoever looks at it and however often
///   `[budget.one_reset_a_window]`; a clock that steps back over the edge resets nothing
///   `[budget.clock_steps_reset_once]`.
/// - A budget without tags is looked after by every maintainer, whatever its filter, and one with tags by
///   those whose filter matches `[budget.untagged_is_looked_after_by_all]`. A member of a flow that was
///   cancelled holds up nobody `[budget.cancelled_member_holds_up_nobody]`, and goes on within a minute
///   `[budget.cancelled_member_ends_without_others]`.
/// - A hold stays when a budget has room, and the other way round
///   `[budget.hold_and_budget_are_separate]`; behind one that is
///   cancelled or held nobody waits `[budget.waiting_can_be_cancelled]`, also when it had gone on already
///   `[budget.who_goes_on_makes_room_if_not_started]`, or finds no room in another budget
///   `[budget.who_goes_on_may_wait_for_another_budget]`.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown budget, of a submission too `[budget.unknown_is_not_found]`.
#[async_trait]
pub trait BudgetOps: Send + Sync + 'static {
    /// Makes a budget.
    ///
    /// # Behavior
    /// - A repeat makes nothing `[budget.create_repeat_is_harmless]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[budget.limits_are_enforced]`; [`EngineError::BudgetConflict`] for an id that stands for another
    /// `[budget.id_clash_is_a_conflict]`.
    async fn create_budget(&self, request: &CreateBudget) -> Result<(), EngineError>;

    /// Changes limits, or lets usage start from nothing.
    ///
    /// # Behavior
    /// - A repeat of one of the latest eight requests changes nothing
    ///   `[budget.adjust_repeat_is_harmless]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a dimension that the budget does not count
    /// `[budget.limits_are_enforced]`.
    async fn adjust_budget(&self, request: &AdjustBudget) -> Result<(), EngineError>;

    /// Everything about a budget `[budget.describe_shows_all]`.
    async fn describe_budget(&self, id: BudgetId) -> Result<BudgetView, EngineError>;

    /// Budgets in the order of their ids, a page at a time; the last id of a page leads to the next. A
    /// page that is not full is the last `[budget.listing_is_stable]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range `[budget.limits_are_enforced]`.
    async fn list_budgets(&self, request: &ListBudgets) -> Result<Vec<BudgetView>, EngineError>;
}
