//! Executions that depend on each other.

use async_trait::async_trait;
use ff_types::FlowId;

use crate::error::EngineError;
use crate::requests::{
    CancelFlow, CancelFlowOutcome, ExtendFlow, ExtendOutcome, FlowPage, FlowSpec, FlowView,
    GraphPage, ListFlows, ReadGraph, SubmittedFlow, UpstreamPage, UpstreamRequest,
};

/// Flows: graphs of executions that are handed in, steered and read as a whole.
///
/// A member is an execution like any other: it is described, held, cancelled and replayed by itself.
/// What its end means for the rest is done in the same step.
///
/// - A task says which node it is `[flow.claim_tells_the_node]`; a member that is submitted by itself is
///   the one that is there `[flow.member_can_be_submitted_again]`.
/// - A node is ready when its parents let it run, its delay is over
///   `[flow.delay_and_dependencies_are_separate]` and nobody holds it
///   `[flow.hold_and_dependencies_are_separate]`, also when it was skipped in between
///   `[flow.skipped_keeps_its_hold_and_delay]`; what it waits for is explained
///   `[flow.explain_names_the_parents]`.
/// - One that ends while it waits for parents is over `[flow.member_ends_while_it_waits]`.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown flow `[flow.unknown_id_is_not_found]`.
#[async_trait]
pub trait FlowOps: Send + Sync + 'static {
    /// Stores a flow.
    ///
    /// # Behavior
    /// - Nodes without parents are ready at once, the others blocked until their edges let them run
    ///   `[flow.roots_are_ready_and_others_blocked]`. No node can be claimed before all its edges are
    ///   there `[flow.sealed]`, however large the flow `[flow.large_flows_are_like_small_ones]`.
    /// - A node runs as soon as its join is satisfied: by all its edges
    ///   `[flow.all_waits_for_every_parent]`, by any `[flow.any_runs_with_the_first]`, or by a quorum
    ///   `[flow.quorum_runs_with_enough]`; once, whatever else its parents do `[flow.fires_once]`.
    /// - An edge is satisfied by success, failure or any end of the parent, as it says
    ///   `[flow.conditions_decide]`. What runs depends on how the parents ended and not on the order
    ///   `[flow.order_independent]`.
    /// - A node that cannot run any more is `Skipped` at once, and so is what depends on it, at any
    ///   depth `[flow.skip_spreads]`.
    /// - Once its join is decided a node may have the rest of its parents cancelled, except those that
    ///   another node needs `[flow.remaining_are_cancelled]` `[flow.needed_siblings_are_spared]`.
    /// - A flow ends by itself when its last member does: `Failed` when a failure was left to itself
    ///   `[flow.failure_fails_the_flow]`, and `Completed` when each was taken, by a node that ran
    ///   because of it or by a join that ran in spite of it `[flow.taken_failure_does_not_count]`.
    /// - With `FailFast` a failure that no node may take cancels the rest
    ///   `[flow.fail_fast_cancels_the_rest]`.
    /// - At the deadline the rest is cancelled and the flow fails `[flow.deadline_fails_it]`, unless it
    ///   has ended before `[flow.deadline_of_an_ended_flow_does_nothing]`.
    /// - Flow and members are kept for the flow's retention, and go together
    ///   `[flow.retention_takes_all]`.
    /// - Scanners find what is due of a flow by the flow's tags `[flow.scanner_filter_is_honoured]`.
    /// - A repeat makes nothing `[flow.repeat_is_harmless]`; the id with other content is a conflict
    ///   `[flow.id_clash_is_a_conflict]`.
    ///
    /// # Errors
    /// [`EngineError::Graph`] names the nodes at fault `[flow.bad_graphs_are_refused]`;
    /// [`EngineError::LimitExceeded`] and [`EngineError::Validation`] name the field
    /// `[flow.limits_are_enforced]`.
    async fn submit_flow(&self, spec: &FlowSpec) -> Result<SubmittedFlow, EngineError>;

    /// Adds nodes and edges to an open flow, in one step.
    ///
    /// # Behavior
    /// - An edge from a node that has ended counts at once `[flow.extension_counts_ended_parents]`.
    /// - An edge into a node that has not started makes it wait again
    ///   `[flow.extension_holds_back_what_has_not_started]`; one into a node that has is refused
    ///   `[flow.extension_refuses_started_nodes]`.
    /// - A repeat of the request gives the first outcome `[flow.extension_repeat_is_harmless]`, also when it was made anew for
    ///   a later revision `[flow.extension_is_known_by_its_request]`, or the flow has budgets
    ///   `[budget.extension_repeat_draws_once]`.
    /// - New nodes draw on the budgets of the flow first, then on those of the extension, then on their
    ///   own `[budget.extensions_draw_on_the_flows]`, also when they are many
    ///   `[budget.large_extensions_draw_on_them_too]`.
    ///
    /// # Errors
    /// [`EngineError::Flow`] when the flow has another revision `[flow.extension_needs_the_revision]`, also while
    /// another extension is just making it `[flow.extensions_that_race_add_all_or_nothing]`, has ended or is being cancelled `[flow.extension_needs_an_open_flow]`; [`EngineError::Graph`] as
    /// for a new flow `[flow.extension_is_checked]`; [`EngineError::LimitExceeded`] when more than 128
    /// nodes that are there get new edges `[flow.extension_touches_few_nodes]`, or a node would draw on
    /// more budgets than it may `[budget.extension_over_the_most_is_refused]`.
    async fn extend_flow(&self, request: &ExtendFlow) -> Result<ExtendOutcome, EngineError>;

    /// Cancels a flow.
    ///
    /// # Behavior
    /// - Once this returns, no member starts a new attempt `[flow.cancel_is_a_barrier]`.
    /// - `CancelPending` ends what has not started and lets the rest go on
    ///   `[flow.cancel_pending_spares_what_started]`; `CancelAll` also ends what waits and tells
    ///   running workers at their next renewal `[flow.cancel_all_tells_workers]`; `FlowOnly` leaves
    ///   members alone until their turn comes `[flow.cancel_flow_only_marks_it]`.
    /// - The flow ends as `Cancelled` once its members have ended `[flow.cancelled_ends_as_such]`.
    /// - It waits as asked, and tells how many are open `[flow.cancel_waits_for_the_members]`. A flow
    ///   that had ended is an outcome `[flow.cancel_of_an_ended_flow_is_an_outcome]`.
    /// - A repeat of the request cancels nothing more `[flow.cancel_repeat_is_harmless]`; another one
    ///   may go further `[flow.cancel_can_go_further]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a reason over 1 KiB `[flow.cancel_limits_the_reason]`.
    async fn cancel_flow(&self, request: &CancelFlow) -> Result<CancelFlowOutcome, EngineError>;

    /// Everything about one flow but its graph.
    ///
    /// # Behavior
    /// - It counts the nodes by state, and names what the flow waits for `[flow.describe_shows_all]` and
    ///   what it draws on `[budget.flow_budgets_are_part_of_it]`.
    async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError>;

    /// The nodes of a flow with their outgoing edges, a page at a time
    /// `[flow.graph_shows_nodes_and_edges]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range `[flow.reads_are_bounded]`.
    async fn read_graph(&self, request: &ReadGraph) -> Result<GraphPage, EngineError>;

    /// Flows in the order of their ids, a page at a time `[flow.listing_is_stable]`, narrowed by state
    /// and tag `[flow.listing_filters_narrow]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a page size out of range. A text that no page gave does not
    /// become a cursor `[flow.reads_are_bounded]`.
    async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError>;

    /// How the parents of a node ended, by key, in the order of its edges
    /// `[flow.upstream_results_by_key]`; none of an execution that belongs to no flow. A page ends
    /// before its results get too large `[flow.upstream_pages_are_bounded]`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for an unknown execution; [`EngineError::Validation`] for a page size
    /// out of range `[flow.reads_are_bounded]`.
    async fn upstream_results(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError>;
}
