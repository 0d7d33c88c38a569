//! `wait_children`: an execution starts a flow, and waits for it with nothing held.

use std::time::Duration;

use ff_engine::{
    FlowEdge, FlowSpec, ListFlows, SavedState, Task, WaitChildren, WaitChildrenOutcome,
};
use ff_types::backend::FailureClass;
use ff_types::{
    ExecutionPolicy, ExecutionState, FlowId, FlowState, NodeKey, TerminalOutcome, limits,
};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, assert_too_large, cases, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure};
use crate::flows::nodes;

pub(crate) const CASES: &[Case] = &cases!["children":
    parent_resumes_with_the_end,
    ended_flow_is_an_outcome,
    end_with_their_parent,
    outlive_a_completed_parent,
    replayed_end_with_their_parent,
    replayed_may_be_more_than_are_started,
    start_needs_a_live_lease,
    start_is_refused_for_its_graph_first,
    number_and_depth_are_bounded,
    wait_is_ended_from_outside,
    hold_takes_effect_after_the_wait,
    repeat_is_harmless,
    foreign_flow_is_not_found,
];

impl Fixture {
    /// A flow of these nodes that the task starts.
    fn child_flow(&self, task: &Task, nodes_text: &str) -> CaseResult<FlowSpec> {
        let mut spec = FlowSpec::child_of(task, self.ids.flow_id());
        for node in nodes(self, nodes_text)? {
            spec.add_node(node);
        }
        Ok(spec)
    }

    async fn start_child(&self, task: &Task, nodes_text: &str) -> CaseResult<FlowId> {
        let spec = self.child_flow(task, nodes_text)?;
        Ok(self.backend.submit_flow(&spec).await?.flow_id)
    }

    async fn await_child(&self, task: &Task, flow: FlowId) -> CaseResult<WaitChildrenOutcome> {
        Ok(self.backend.wait_children(&task.handle, &WaitChildren::new(flow)).await?)
    }

    /// A running execution that waits for a child flow of these nodes.
    async fn awaiting_child(&self, nodes_text: &str) -> CaseResult<(Task, FlowId)> {
        let task = self.running().await?;
        let flow = self.start_child(&task, nodes_text).await?;
        ensure_eq!(self.await_child(&task, flow).await?, WaitChildrenOutcome::Waiting);
        Ok((task, flow))
    }
}

/// While it waits it holds nothing, and when the flow has ended, however it did, the same attempt goes on
/// with the state that was saved.
pub(crate) async fn parent_resumes_with_the_end(fx: Fixture) -> CaseResult {
    for outcome in [TerminalOutcome::Completed, TerminalOutcome::Failed] {
        let task = fx.running().await?;
        let flow = fx.start_child(&task, "a b").await?;
        let request = WaitChildren::new(flow).with_state(SavedState::new("here"));
        let waits = fx.backend.wait_children(&task.handle, &request).await?;
        ensure_eq!(waits, WaitChildrenOutcome::Waiting);
        let view = fx.describe(task.execution_id).await?;
        ensure_eq!(view.state, ExecutionState::WaitingChildren);
        ensure_eq!((view.waits_for, view.lease), (Some(flow), None));
        fx.advance(LEASE_TTL_MS + 1).await;
        fx.settle().await?;
        ensure_eq!(fx.backend.describe_flow(flow).await?.parent, Some(task.execution_id));

        fx.end(flow, "a", TerminalOutcome::Completed).await?;
        fx.assert_is(task.execution_id, ExecutionState::WaitingChildren).await?;
        fx.end(flow, "b", outcome).await?;

        let resumed = fx.reclaim_one().await?;
        ensure_eq!(resumed.execution_id, task.execution_id);
        ensure_eq!(resumed.attempt, task.attempt);
        ensure_eq!(resumed.state, Some(SavedState::new("here")));
        let state = fx.backend.describe_flow(flow).await?.summary.state;
        ensure_eq!(fx.await_child(&resumed, flow).await?, WaitChildrenOutcome::AlreadyEnded(state));
        ensure_eq!(state.outcome(), Some(outcome));
        fx.backend.complete(&resumed.handle, None).await?;
    }
    Ok(())
}

/// A flow that ended before the wait is told at once, and the worker keeps its lease.
pub(crate) async fn ended_flow_is_an_outcome(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let flow = fx.start_child(&task, "a").await?;
    fx.end(flow, "a", TerminalOutcome::Completed).await?;

    let outcome = fx.await_child(&task, flow).await?;

    ensure_eq!(outcome, WaitChildrenOutcome::AlreadyEnded(FlowState::Completed));
    fx.backend.complete(&task.handle, None).await?;
    Ok(())
}

/// When an execution fails, is cancelled or expires, the flows that it started are cancelled, and so are
/// those that their members started.
pub(crate) async fn end_with_their_parent(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let flow = fx.start_child(&task, "a b").await?;
    let a = fx.claim_node("a").await?;
    let deeper = fx.start_child(&a, "c").await?;
    ensure_eq!(fx.await_child(&a, deeper).await?, WaitChildrenOutcome::Waiting);

    fx.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?;

    fx.assert_flow_is(flow, FlowState::Cancelled).await?;
    fx.assert_states(flow, "a cancelled, b cancelled").await?;
    fx.assert_flow_is(deeper, FlowState::Cancelled).await?;

    let (waiting, flow) = fx.awaiting_child("a").await?;
    fx.backend.cancel_execution(&fx.cancel_request(waiting.execution_id, "enough")).await?;
    fx.assert_flow_is(flow, FlowState::Cancelled).await
}

/// A child flow that is open again because of a replay is one of those that end with the execution, like one
/// that has never ended.
pub(crate) async fn replayed_end_with_their_parent(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let flow = fx.start_child(&task, "a b").await?;
    fx.complete_nodes(flow, "a b").await?;
    fx.assert_flow_is(flow, FlowState::Completed).await?;
    let member = fx.member(flow, "a").await?;
    fx.backend.replay(&fx.replay_request(member)).await?;
    fx.assert_states(flow, "a ready, b completed").await?;

    fx.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?;

    fx.assert_states(flow, "a cancelled, b completed").await?;
    fx.assert_flow_is(flow, FlowState::Cancelled).await?;
    fx.backend.replay(&fx.replay_request(member)).await?;
    fx.complete_nodes(flow, "a").await?;
    fx.assert_flow_is(flow, FlowState::Completed).await?;
    fx.check().await
}

/// Flows that a replay opens again may be more than an execution may start: it can wait for each, starts no
/// other, and all end with it.
pub(crate) async fn replayed_may_be_more_than_are_started(fx: Fixture) -> CaseResult {
    let most = limits::CHILD_FLOWS_OPEN_MAX;
    let task = fx.running().await?;
    let mut flows = vec![fx.start_child(&task, "a").await?];
    fx.complete_nodes(flows[0], "a").await?;
    for _ in 0..most {
        flows.push(fx.start_child(&task, "a").await?);
    }
    fx.backend.replay(&fx.replay_request(fx.member(flows[0], "a").await?)).await?;
    let spec = fx.child_flow(&task, "a")?;
    assert_too_large(fx.backend.submit_flow(&spec).await, most, most + 2)?;
    ensure_eq!(fx.await_child(&task, flows[most]).await?, WaitChildrenOutcome::Waiting);

    fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "enough")).await?;
    fx.settle().await?;

    for flow in flows {
        fx.assert_flow_is(flow, FlowState::Cancelled).await?;
    }
    fx.check().await
}

/// An execution that completes leaves its flows to themselves.
pub(crate) async fn outlive_a_completed_parent(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let flow = fx.start_child(&task, "a").await?;

    fx.backend.complete(&task.handle, None).await?;

    fx.assert_states(flow, "a ready").await?;
    fx.complete_nodes(flow, "a").await?;
    fx.assert_flow_is(flow, FlowState::Completed).await
}

/// Only who holds the lease starts a flow; once it is stored, a repeat needs no lease any more.
pub(crate) async fn start_needs_a_live_lease(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let started = fx.child_flow(&task, "a")?;
    fx.backend.submit_flow(&started).await?;
    let cancelled = fx.running().await?;
    fx.backend.cancel_execution(&fx.cancel_request(cancelled.execution_id, "enough")).await?;
    let told = fx.backend.submit_flow(&fx.child_flow(&cancelled, "a")?).await;
    assert_code(told, "cancel_requested")?;
    fx.backend.delay(&task.handle, &ff_engine::DelayRequest::until(fx.in_ms(1_000).await)).await?;
    let before = fx.snapshot().await;

    let late = fx.backend.submit_flow(&fx.child_flow(&task, "b")?).await;

    assert_code(late, "already_released")?;
    ensure_eq!(fx.snapshot().await, before, "a refused start changed something");
    ensure_eq!(fx.backend.submit_flow(&started).await?.flow_id, started.id());
    ensure_eq!(fx.backend.list_flows(&ListFlows::new()).await?.items.len(), 1);
    Ok(())
}

/// A bad graph is refused as such, whatever has become of the execution that starts it.
pub(crate) async fn start_is_refused_for_its_graph_first(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retention(Duration::from_secs(1));
    let submission = fx.submission("task")?.with_policy(policy);
    let task = fx.submit_and_claim(&submission).await?;
    let mut bad = fx.child_flow(&task, "a b")?;
    bad.add_edge(FlowEdge::new(NodeKey::new("a")?, NodeKey::new("a")?));
    fx.backend.complete(&task.handle, None).await?;
    assert_code(fx.backend.submit_flow(&bad).await, "graph_self_edge")?;
    fx.advance(1_000).await;
    fx.settle().await?;

    assert_code(fx.backend.submit_flow(&bad).await, "graph_self_edge")?;
    let good = fx.backend.submit_flow(&fx.child_flow(&task, "a")?).await;
    assert_code(good, "execution_not_found")
}

/// An execution has a bounded number of open flows, of which one that ends makes room, and flows lie
/// within each other to a bounded depth.
pub(crate) async fn number_and_depth_are_bounded(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let mut first = None;
    for _ in 0..limits::CHILD_FLOWS_OPEN_MAX {
        let flow = fx.start_child(&task, "a").await?;
        first.get_or_insert(flow);
    }
    let spec = fx.child_flow(&task, "a")?;
    let most = limits::CHILD_FLOWS_OPEN_MAX;
    assert_too_large(fx.backend.submit_flow(&spec).await, most, most + 1)?;
    if let Some(first) = first {
        fx.cancel_flow(first, ff_types::backend::CancelFlowPolicy::CancelAll).await?;
    }
    fx.backend.submit_flow(&spec).await?;
    fx.backend.cancel(&task.handle, "enough").await?;

    let mut holder = fx.running().await?;
    for depth in 0..limits::FLOW_DEPTH_MAX {
        fx.start_child(&holder, &format!("d{depth}")).await?;
        holder = fx.claim_node(&format!("d{depth}")).await?;
    }
    let deeper = fx.backend.submit_flow(&fx.child_flow(&holder, "a")?).await;
    let most = limits::FLOW_DEPTH_MAX as usize;
    assert_too_large(deeper, most, most + 1)
}

/// A cancel and a deadline end the wait with the execution.
pub(crate) async fn wait_is_ended_from_outside(fx: Fixture) -> CaseResult {
    let submission = fx.submission("task")?.with_deadline(fx.in_ms(1_000).await);
    let task = fx.submit_and_claim(&submission).await?;
    let flow = fx.start_child(&task, "a").await?;
    fx.await_child(&task, flow).await?;
    fx.advance(1_000).await;
    fx.settle().await?;
    fx.assert_is(task.execution_id, ExecutionState::Expired).await?;
    fx.assert_flow_is(flow, FlowState::Cancelled).await?;

    let (cancelled, _) = fx.awaiting_child("a").await?;
    fx.backend.cancel_execution(&fx.cancel_request(cancelled.execution_id, "enough")).await?;
    fx.assert_is(cancelled.execution_id, ExecutionState::Cancelled).await?;

    let outer = fx.submit_flow("m", "").await?;
    let member = fx.claim_node("m").await?;
    let inner = fx.start_child(&member, "a").await?;
    fx.await_child(&member, inner).await?;
    fx.cancel_flow(outer, ff_types::backend::CancelFlowPolicy::CancelAll).await?;
    fx.assert_states(outer, "m cancelled").await?;
    fx.assert_flow_is(inner, FlowState::Cancelled).await
}

/// A hold on one that waits keeps it from resuming, and not from waiting.
pub(crate) async fn hold_takes_effect_after_the_wait(fx: Fixture) -> CaseResult {
    let (task, flow) = fx.awaiting_child("a").await?;
    let id = task.execution_id;
    fx.backend.hold(&fx.hold_request(id)).await?;
    fx.assert_is(id, ExecutionState::WaitingChildren).await?;

    fx.complete_nodes(flow, "a").await?;

    fx.assert_is(id, ExecutionState::Blocked).await?;
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;
    ensure_eq!(fx.reclaim_one().await?.execution_id, id);
    Ok(())
}

/// A wait that is made again under its lease gives the outcome that it had, also when the attempt has
/// resumed meanwhile.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let (task, flow) = fx.awaiting_child("a").await?;
    ensure_eq!(fx.await_child(&task, flow).await?, WaitChildrenOutcome::Waiting);
    fx.complete_nodes(flow, "a").await?;
    fx.reclaim_one().await?;

    ensure_eq!(fx.await_child(&task, flow).await?, WaitChildrenOutcome::Waiting);
    assert_code(fx.backend.complete(&task.handle, None).await, "already_released")
}

/// A flow that somebody else has started is not found, and neither is one that nobody has.
pub(crate) async fn foreign_flow_is_not_found(fx: Fixture) -> CaseResult {
    let (mine, theirs) = (fx.running().await?, fx.running().await?);
    let flow = fx.start_child(&theirs, "a").await?;
    let alone = fx.submit_flow("a b", "a>b").await?;

    for flow in [flow, alone, fx.ids.flow_id()] {
        let wait = fx.backend.wait_children(&mine.handle, &WaitChildren::new(flow)).await;
        assert_code(wait, "flow_not_found")?;
    }
    fx.backend.complete(&mine.handle, None).await?;
    Ok(())
}
