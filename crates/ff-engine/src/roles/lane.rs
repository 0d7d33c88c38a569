//! What an operator allows of the work in a lane.

use async_trait::async_trait;
use ff_types::LaneId;

use crate::error::EngineError;
use crate::requests::{AdjustLane, LaneView, ListLanes};

/// Lanes: their state, their limits, and how keys take turns in them. A lane needs no making: one that nobody
/// has steered is active, and hands out whatever is ready.
///
/// - `Paused` takes in and hands out nothing, neither leases nor reclaim tokens; what runs goes on
///   `[lane.paused_hands_out_nothing]`. `Draining` hands out and takes nothing new in, alone or as a node of a
///   flow; a retry is nothing new `[lane.draining_takes_nothing_in]`.
/// - Concurrency counts leases: it goes up with a claim and down with the end of that lease, however it ends
///   `[lane.concurrency_is_leases]`, those from before there was a limit among them
///   `[lane.earlier_leases_count]`. A reclaim token counts as the lease that it leads to
///   `[lane.tokens_count_as_leases]`, until it is taken back
///   `[lane.token_taken_back_meanwhile_does_not_count]`.
/// - A rate spreads claims evenly over its interval and lets a burst through
///   `[lane.rate_spreads_claims]`; a clock that steps back waits for a burst at the most
///   `[lane.clock_steps_do_not_stop_the_rate]`.
/// - What is over a limit stays ready. It goes on, and a waiting claim gets it, when a lease ends
///   `[lane.freed_lease_lets_go_on]`, whoever of those that wait can use the room
///   `[lane.room_finds_who_can_use_it]`, also behind many full keys `[lane.room_is_found_behind_full_keys]` and classes
///   that it cannot take `[lane.room_is_found_behind_other_classes]`, the rate has room `[lane.rate_lets_go_on]`, or the lane is adjusted
///   `[lane.adjusting_lets_go_on]`.
/// - Executions with a key take turns by key, whatever each has waiting `[lane.keys_take_turns]`, by weight
///   `[lane.weights_count]`; in a key, priority and age decide `[lane.priority_counts_within_a_key]`. Those
///   without a key have turns together, like one key `[lane.keyless_have_turns_together]`. Each key can have
///   limits of its own, and one that is at its limit holds up no other `[lane.key_limits_hold_up_one_key]`,
///   until a lease of it ends or its rate has room `[lane.key_goes_on]`, whichever key
///   has the first turn `[lane.full_key_in_front_hides_no_other]`, or the lane is adjusted
///   `[lane.adjusting_frees_every_key]`; a clock that steps back holds it no longer
///   `[lane.clock_steps_do_not_hold_a_key]`. Attempts that resume take turns, too
///   `[lane.resumed_attempts_take_turns]`.
/// - With ageing a wait counts as priority, so that no execution waits for ever behind better ones of its key, or
///   of those without one `[lane.ageing_ends_starvation]`.
/// - While as many are ready as `max_queued` says, submissions are refused, and flows with a node in the lane
///   `[lane.full_queue_refuses]`. `time_to_live` ends what no worker starts in time, and nothing that has started
///   `[lane.time_to_live_ends_what_waits]`; waiting for a budget counts
///   `[lane.time_to_live_ends_what_waits_for_a_budget]`.
/// - What keeps a lane from handing an execution out is explained `[lane.barrier_is_explained]`.
///
/// Limits, turns and bounds hold in each partition of a store for itself.
#[async_trait]
pub trait LaneOps: Send + Sync + 'static {
    /// Changes the state of a lane, its settings, or both.
    ///
    /// # Behavior
    /// - A repeat of one of the latest eight requests changes nothing `[lane.adjust_repeat_is_harmless]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[lane.settings_are_checked]`.
    async fn adjust_lane(&self, request: &AdjustLane) -> Result<(), EngineError>;

    /// Everything about a lane, in one call: state, settings, how many are ready and since when, leases, and
    /// what its rate allows `[lane.describe_shows_all]`. One that nobody uses is active and empty.
    async fn describe_lane(&self, lane: &LaneId) -> Result<LaneView, EngineError>;

    /// The lanes that were adjusted, in the order of their names, a page at a time; the last name of a page
    /// leads to the next. A page that is not full is the last `[lane.listing_is_stable]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range.
    async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError>;
}
