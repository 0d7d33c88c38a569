//! Getting work.

use async_trait::async_trait;
use ff_types::backend::{ClaimPolicy, ReclaimToken};

use crate::error::EngineError;
use crate::requests::{ClaimOutcome, ClaimRequest, ReclaimRequest, Task};

/// Hands out leases.
#[async_trait]
pub trait ClaimOps: Send + Sync + 'static {
    /// Hands out up to `max_tasks` ready executions of a lane, each under a lease.
    ///
    /// # Behavior
    /// - Highest priority first, then first in first out by when they became ready, then by id
    ///   `[claim.priority_then_fifo]`. Lanes are separate `[claim.lanes_are_separate]`.
    /// - Only executions whose required capabilities the worker offers
    ///   `[claim.capabilities_are_a_subset]`; others neither block those behind them nor are
    ///   touched `[claim.mismatch_is_invisible]`, and however many they are, an offer of a few
    ///   capabilities finds what it covers `[claim.class_is_found_among_many]`.
    /// - At most one live lease an execution, however many workers ask `[lease.single_owner]`; the
    ///   epoch rises by one with every lease and never resets `[lease.epoch_rises]`.
    /// - Up to `max_tasks` in one call `[claim.takes_up_to_max_tasks]`; none is an outcome, not an
    ///   error `[claim.empty_lane_is_an_outcome]`.
    /// - A task carries all a worker needs to start `[claim.task_is_complete]`, with a `Fresh`
    ///   handle and a new attempt, numbered from 0 without gaps `[attempt.indexes_are_dense]`.
    /// - With `max_wait` it waits for work inside the backend and returns as soon as there is some
    ///   `[claim.wakes_promptly]`, at the latest when the wait is over `[claim.wait_ends]`. Each
    ///   execution wakes a worker that can have it `[claim.wakes_who_is_able]`, in whichever way it
    ///   became ready `[claim.every_way_of_becoming_ready_wakes]`, and every one is handed out
    ///   although waiting workers disappear `[claim.dropped_wait_loses_nothing]`.
    /// - With [`ClaimRequest::with_reclaims`] the answer may hold reclaim tokens, in the same order
    ///   of priority and age as the tasks `[claim.carries_reclaims_when_asked]`; its filter decides
    ///   about tokens and leaves fresh tasks alone `[claim.reclaims_follow_the_filter]`.
    /// - A repeat under the same `request_id` gives those leases of the first call that are still
    ///   live `[claim.repeat_gives_the_same_leases]`, until the same instance makes another claim
    ///   on the lane or the lease TTL has passed. It answers at once, empty when they are all over
    ///   `[claim.repeat_never_waits]`.
    /// - An execution whose deadline has passed expires instead of starting
    ///   `[deadline.never_starts_late]`, and is not in the way of those behind it
    ///   `[claim.looks_past_expired]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a policy out of range `[claim.limits_are_enforced]`.
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError>;

    /// The reclaim scanner: tokens for executions whose lease was lost or whose wait is over.
    ///
    /// # Behavior
    /// - A token goes to one caller `[reclaim.token_goes_to_one_caller]`; unused, its execution
    ///   returns to its place after 5 s `[reclaim.token_expires_back]`.
    /// - Order, lanes and capabilities as in [`ClaimOps::claim`] `[reclaim.order_and_capabilities]`.
    /// - What the filter does not match is skipped and does not starve what it does
    ///   `[reclaim.filter_is_honoured]`.
    /// - A repeat under the same `request_id` gives the tokens of the first call that are still
    ///   outstanding `[reclaim.repeat_gives_the_same_tokens]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a number of tokens out of range
    /// `[reclaim.limits_are_enforced]`.
    async fn reclaimable(&self, request: &ReclaimRequest)
    -> Result<Vec<ReclaimToken>, EngineError>;

    /// Uses a token: the execution is leased to the caller under a `Resumed` handle. Of the
    /// policy, worker, instance and TTL count.
    ///
    /// # Behavior
    /// - After a lost lease it is a new attempt `[reclaim.lost_lease_is_a_new_attempt]`; after a
    ///   wait it is the same one `[delay.resumes_the_same_attempt]`.
    /// - A token is used once; its user may repeat the call while the lease lives
    ///   `[reclaim.token_is_used_once]`.
    ///
    /// # Errors
    /// [`EngineError::State`] with `ReclaimTokenVoid` for a token that was used, has expired or was
    /// withdrawn; [`EngineError::Validation`] for bytes that are no token
    /// `[reclaim.hostile_token_is_refused]`.
    async fn claim_from_reclaim(
        &self,
        token: &ReclaimToken,
        policy: &ClaimPolicy,
    ) -> Result<Task, EngineError>;
}
