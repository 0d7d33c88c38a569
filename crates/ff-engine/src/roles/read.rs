//! Looking, without changing anything.

use async_trait::async_trait;
use ff_types::ExecutionId;

use crate::error::EngineError;
use crate::requests::{
    CompletionPage, ExecutionView, Explanation, ListPage, ListRequest, ListWaitpoints,
    ReadCompletions, ReadStream, ResultOutcome, ResultRequest, StreamPage, WaitpointPage,
};

/// Reads.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown execution `[read.unknown_id_is_not_found]`.
#[async_trait]
pub trait ReadOps: Send + Sync + 'static {
    /// Everything about one execution.
    ///
    /// # Behavior
    /// - It shows the submission as given and the run as it stands `[read.describe_shows_all]`.
    async fn describe_execution(&self, id: ExecutionId) -> Result<ExecutionView, EngineError>;

    /// Executions in the order of their ids, a page at a time.
    ///
    /// # Behavior
    /// - Following the cursors gives each execution that is there throughout exactly once,
    ///   whatever comes and goes meanwhile `[list.cursor_is_stable]`.
    /// - States, lane, kind and tag narrow the list `[list.filters_narrow]`.
    /// - One call examines at most 10,000 executions; a page may hold few items, or none, and still
    ///   have a successor `[list.examines_a_bounded_number]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range `[list.limits_are_enforced]`. A text
    /// that no page gave does not become a cursor `[list.hostile_cursor_is_refused]`.
    async fn list_executions(&self, request: &ListRequest) -> Result<ListPage, EngineError>;

    /// Open waitpoints in the order of their ids, a page at a time; never their tokens.
    ///
    /// # Behavior
    /// - It shows which are open, whose they are and how many signals they keep, and those of one
    ///   execution when asked `[waitpoint.listing_shows_what_is_open]`.
    /// - Following the cursors gives each waitpoint that is open throughout exactly once
    ///   `[waitpoint.listing_is_stable]`. One call examines at most 10,000.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range. A text that no page gave does not
    /// become a cursor `[waitpoint.listing_limits_are_enforced]`.
    async fn list_waitpoints(&self, request: &ListWaitpoints)
    -> Result<WaitpointPage, EngineError>;

    /// How an execution ended.
    ///
    /// # Behavior
    /// - Payload, failure or reason of the end, with its time `[result.tells_how_it_ended]`.
    /// - With `max_wait` it waits for the end inside the backend `[result.waits_for_the_end]`, and
    ///   tells nothing of failures before it `[result.a_wait_tells_only_the_end]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a wait over 60 s `[result.limits_are_enforced]`.
    async fn result(&self, request: &ResultRequest) -> Result<ResultOutcome, EngineError>;

    /// The ends of executions and flows, in the order of a durable log.
    ///
    /// # Behavior
    /// - Every end makes exactly one event `[completions.one_event_an_end]`, with its time, its result
    ///   and its flow `[completions.event_is_filled]`; the end of a flow follows that of its last member
    ///   `[completions.flow_ends_make_one]`.
    /// - Following the cursors from the start or from a place gives each event once, in order for each
    ///   execution, over replays too `[completions.cursor_misses_nothing]`; from now, only what comes
    ///   `[completions.from_now_shows_what_comes]`.
    /// - With `max_wait` it waits for the next event inside the backend
    ///   `[completions.wait_for_the_next]`.
    /// - The filter narrows at the source, and what it leaves out does not hold a page up
    ///   `[completions.filter_narrows_at_the_source]` `[completions.what_is_left_out_does_not_hold_up]`;
    ///   so does the flow, whose log is read where the flow is kept
    ///   `[completions.flow_narrows_at_the_source]`.
    /// - At most 100,000 events of a partition are kept, for 24 h; a reader whose place is behind that is
    ///   told so `[completions.trimmed_place_is_a_gap]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size or a wait out of range, and for a cursor of a store
    /// with other partitions `[completions.limits_are_enforced]`.
    async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError>;

    /// Frames of an execution, in both directions.
    ///
    /// # Behavior
    /// - Following the cursors gives each frame once and in order, forwards and backwards, of one attempt
    ///   or of all `[stream.cursor_misses_nothing]` `[stream.backwards_is_the_opposite]`
    ///   `[stream.attempts_are_told_apart]`.
    /// - With `max_wait` it waits for the next frame or the end inside the backend
    ///   `[stream.wait_for_the_next]` `[stream.wait_ends_with_the_stream]`, and any number of readers do
    ///   `[stream.many_wait_for_one]`; what it answers is what is there `[stream.same_read_is_answered_anew]`.
    /// - The end is told with its reason, once nothing follows `[stream.end_is_told_with_its_reason]`; of an
    ///   attempt, when it is over `[stream.attempt_that_is_over_is_superseded]`.
    /// - When asked for, the running summary comes beside the frames once it is newer than the version
    ///   given, and a wait ends with it `[summary.is_read_beside_the_frames]`.
    /// - A place behind which frames are not kept any more is a gap, and never passed over in silence
    ///   `[stream.number_is_bounded]`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] `[stream.unknown_execution_is_not_found]`; [`EngineError::Validation`] for
    /// a page size or a wait out of range `[stream.limits_are_enforced]`.
    async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError>;

    /// The first reason why an execution is not running, and when time alone clears it.
    ///
    /// # Behavior
    /// - It names what stands in the way in every state `[explain.names_the_first_reason]`, by the
    ///   predicates of the claim: what it calls queued a claim can get
    ///   `[explain.agrees_with_claim]`.
    /// - What requires something that no live worker of its lane offers is told apart from what waits its turn,
    ///   with what is missing `[explain.names_what_nobody_offers]`. A worker is alive while it claims or
    ///   renews `[explain.offers_live_with_their_worker]`, and while it waits
    ///   `[explain.a_waiting_worker_offers]`. What counts longest counts
    ///   `[explain.an_offer_outlives_shorter_ones]`, and a token that was not used leaves nothing behind
    ///   `[explain.a_token_leaves_no_offer_behind]`.
    async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError>;
}
