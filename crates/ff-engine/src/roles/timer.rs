//! What time does.

use async_trait::async_trait;

use crate::error::EngineError;
use crate::requests::{TickOutcome, TickRequest};

/// The maintenance call. Any process may make it, and any number: an execution that is due is
/// handled once.
#[async_trait]
pub trait TimerOps: Send + Sync + 'static {
    /// Handles what is due, the longest due first, up to the request's limit.
    ///
    /// # Behavior
    /// - A delay that is over makes its execution ready, in the place its due time gives it
    ///   `[tick.ends_delays_in_order]`.
    /// - A lease that ran out is lost: another worker may hold the execution at once
    ///   `[reclaim.bounded]`, all of them when thousands run out together
    ///   `[reclaim.thousands_at_once]`. Beyond `max_reclaims` it is `Failed` with class
    ///   `InfraCrash` `[reclaim.cap_ends_it]`.
    /// - An attempt that ran past its timeout, which every claim arms anew, fails with class
    ///   `Timeout` `[timeout.is_armed_at_every_claim]`.
    /// - A deadline that passed ends the execution as `Expired` from any state
    ///   `[deadline.expires_it]` and fences its holder `[deadline.fences_the_holder]`.
    /// - A wait that has lasted too long, or whose waitpoints have expired so that its condition can
    ///   no longer hold, ends as its suspend asked `[wait.timeout_behaves_as_asked]`. At one time
    ///   the deadline comes first, then the timeout, then the expiry of a waitpoint
    ///   `[wait.deadline_then_timeout_then_expiry]`.
    /// - Records go after their retention, all of them `[retention.nothing_left]`, and not before
    ///   `[retention.keeps_until_then]`.
    /// - `next_due` is exactly when the next call has something to do `[tick.next_due_is_exact]`;
    ///   one call does a bounded amount `[tick.is_bounded]`.
    /// - With `max_wait` it waits for something to come due inside the backend, also for what
    ///   others make due meanwhile, and returns when it has handled something
    ///   `[tick.waits_for_what_comes_due]` or when the wait is over.
    /// - What the filter does not match is left alone `[tick.filter_is_honoured]` and does not
    ///   starve what it does `[tick.filter_is_not_starved]`.
    /// - The clock may step by an hour in either direction: nothing is lost and nothing runs twice
    ///   at once `[tick.survives_clock_steps]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a limit out of range `[tick.limits_are_enforced]`.
    async fn tick(&self, request: &TickRequest) -> Result<TickOutcome, EngineError>;
}
