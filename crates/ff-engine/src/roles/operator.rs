//! What operators do from outside.

use async_trait::async_trait;

use ff_types::Tags;

use crate::error::EngineError;
use crate::requests::{
    CancelExecution, CancelOutcome, CloseOutcome, Hold, HoldOutcome, ReleaseHold,
    ReleaseHoldOutcome, ReplayExecution, ReplayOutcome, ResumeExecution, ResumeOutcome,
    RevokeLease, RevokeOutcome, SetTags, WithdrawWaitpoint,
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
    ///   `[hold.takes_effect_after_a_running_attempt]`. A suspended one goes on waiting, and the
    ///   hold stands when the wait is over `[wait.hold_takes_effect_after_the_wait]`.
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

    /// Closes a waitpoint, whether its execution runs or is suspended.
    ///
    /// # Behavior
    /// - It takes no signal from now on; one that is closed is an outcome
    ///   `[waitpoint.withdrawn_takes_no_signal]`.
    /// - What it has kept still counts for a suspension that waits for others
    ///   `[waitpoint.withdrawn_still_counts]`. When the condition can no longer hold, the wait is
    ///   over at once `[wait.impossible_gives_up_at_once]`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for one that the execution does not know
    /// `[waitpoint.unknown_is_not_found]`.
    async fn withdraw_waitpoint(
        &self,
        request: &WithdrawWaitpoint,
    ) -> Result<CloseOutcome, EngineError>;

    /// Ends the wait of a suspended execution, whatever its condition says.
    ///
    /// # Behavior
    /// - The same attempt resumes and is told that an operator did it and why, without any signal;
    ///   its waitpoints are closed `[wait.operator_resumes]`. One that is not suspended is an
    ///   outcome.
    async fn resume_execution(
        &self,
        request: &ResumeExecution,
    ) -> Result<ResumeOutcome, EngineError>;

    /// Reopens an execution that ended, for a new attempt.
    ///
    /// # Behavior
    /// - It is ready at once; attempts and epochs count on `[replay.starts_a_new_attempt]`.
    /// - Result, failure, retry and reclaim counters of the old run are gone
    ///   `[replay.counters_do_not_leak]`.
    /// - Its waitpoints and their signals are gone, and their tokens are of no use
    ///   `[replay.forgets_waitpoints]`, and so are its state `[state.ends_with_the_run]` and its steps
    ///   `[step.ends_with_the_run]`.
    /// - A deadline that has passed is dropped, one that lies ahead stays
    ///   `[replay.keeps_a_deadline_ahead]`.
    /// - The flow of a member that had ended is open again, until it ends anew; a
    ///   deadline of the flow that has passed is dropped `[flow.replay_reopens_the_flow]`. The member waits for those parents that have not
    ///   ended `[flow.replay_waits_for_parents]`; children that were skipped because of it wait again
    ///   `[flow.replay_unskips_children]`, and so do those that have not started
    ///   `[flow.replay_holds_children_back]`. It takes the failures that it runs because of
    ///   `[flow.replay_takes_failures]`, and leaves those that it took before while it waits again
    ///   `[flow.failure_is_left_by_who_does_not_run]`. A flow that was cancelled and has ended is open again, too
    ///   `[flow.replay_lifts_a_cancellation]`.
    ///
    /// # Errors
    /// [`EngineError::State`] with `NotTerminal` when it has not ended `[replay.needs_an_end]`, and
    /// with `DependenciesUnmet` when its parents ended so that it cannot run
    /// `[flow.replay_of_a_skipped_node_is_refused]`; [`EngineError::Flow`] in a cancelled flow
    /// `[flow.replay_in_a_cancelled_flow_is_refused]`.
    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError>;

    /// Sets and removes tags, and answers all that the execution has then.
    ///
    /// # Behavior
    /// - It may wait, run or have ended `[tags.set_later]`. Listings, maintenance and the reclaim scanner go by the
    ///   tags that it has now `[tags.filters_follow]`.
    /// - A key has a namespace, `<namespace>.<name>`; tags without one are those of the submitter, and stay
    ///   `[tags.only_in_a_namespace]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[tags.limits_are_enforced]`.
    async fn set_tags(&self, request: &SetTags) -> Result<Tags, EngineError>;
}
