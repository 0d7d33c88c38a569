//! What operators do from outside.

use async_trait::async_trait;

use crate::error::EngineError;
use crate::requests::{
    CancelExecution, CancelOutcome, Hold, HoldOutcome, ReleaseHold, ReleaseHoldOutcome,
    ReplayExecution, ReplayOutcome, RevokeLease, RevokeOutcome,
};

/// Steers single executions.
///
/// A repeat under the same request id gives the first outcome again: an execution remembers its
/// latest eight operator requests with an effect `[operator.repeat_is_harmless]`. An id counts for its
/// verb: under another one it names another request `[operator.id_counts_for_its_verb]`.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown execution `[read.unknown_id_is_not_found]`;
/// [`EngineError::LimitExceeded`] for a reason over 1 KiB `[operator.limits_are_enforced]`.
#[async_trait]
pub trait OperatorOps: Send + Sync + 'static {
    /// Ends an execution that has not ended.
    ///
    /// # Behavior
    /// - One that nobody runs is cancelled at once `[cancel.idle_is_cancelled_at_once]`.
    /// - A running one is told at its next renewal `[cancel.running_is_told]`, and is cancelled at
    ///   the latest when its lease ends `[cancel.pending_ends_with_the_lease]`.
    /// - One that had ended is an outcome, and unchanged `[cancel.ended_is_an_outcome]`.
    async fn cancel_execution(
        &self,
        request: &CancelExecution,
    ) -> Result<CancelOutcome, EngineError>;

    /// Keeps an execution from being handed out until the hold is released.
    ///
    /// # Behavior
    /// - A waiting one is `Blocked` `[hold.keeps_it_from_being_claimed]`; an outstanding reclaim
    ///   token is withdrawn `[hold.withdraws_a_token]`.
    /// - A running attempt goes on, and the hold stands when it gives up its lease
    ///   `[hold.takes_effect_after_a_running_attempt]`.
    ///
    /// # Errors
    /// [`EngineError::State`] when it has ended `[hold.needs_a_living_execution]`.
    async fn hold(&self, request: &Hold) -> Result<HoldOutcome, EngineError>;

    /// Lifts a hold.
    ///
    /// # Behavior
    /// - Only the hold goes: a delay that is not over still counts, and the other way round
    ///   `[block.reasons_are_a_set]`.
    ///
    /// # Errors
    /// [`EngineError::State`] when it has ended.
    async fn release_hold(&self, request: &ReleaseHold) -> Result<ReleaseHoldOutcome, EngineError>;

    /// Takes the lease of the running attempt away.
    ///
    /// # Behavior
    /// - The holder is fenced off at once and told so; another attempt starts by way of the
    ///   reclaim scanner `[revoke.fences_the_holder]`, which is not counted as a reclaim
    ///   `[revoke.is_not_a_reclaim]`.
    /// - A pending cancellation takes effect at once `[revoke.ends_a_pending_cancel]`.
    async fn revoke(&self, request: &RevokeLease) -> Result<RevokeOutcome, EngineError>;

    /// Reopens an execution that ended, for a new attempt.
    ///
    /// # Behavior
    /// - It is ready at once; attempts and epochs count on `[replay.starts_a_new_attempt]`.
    /// - Result, failure, retry and reclaim counters of the old run are gone
    ///   `[replay.counters_do_not_leak]`.
    /// - A deadline that has passed is dropped, one that lies ahead stays
    ///   `[replay.keeps_a_deadline_ahead]`.
    ///
    /// # Errors
    /// [`EngineError::State`] with `NotTerminal` when it has not ended `[replay.needs_an_end]`.
    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError>;
}
