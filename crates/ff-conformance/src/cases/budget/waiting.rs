//! Those that find no room: who waits, in which order, and what lets them go on.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{
    BudgetLimit, BudgetWindow, DelayRequest, ExplainReason, FlowNode, FlowSpec, OnBreach,
};
use ff_types::ExecutionState::{Active, Blocked, Cancelled, Failed, Ready};
use ff_types::backend::{CapabilitySet, FailureClass};
use ff_types::{BlockReason, NodeKey, limits};

use crate::Fixture;
use crate::budgets::{TOKENS, report, tokens};
use crate::expect::{Case, CaseError, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["budget":
    no_room_blocks,
    raise_lets_go_on,
    freed_room_lets_go_on,
    waits_in_order,
    used_up_fails_them,
    hold_and_budget_are_separate,
    waiting_can_be_cancelled,
    who_goes_on_makes_room_if_not_started,
    who_goes_on_may_wait_for_another_budget,
    impossible_estimate_is_set_aside,
    reports_set_the_first_aside,
    cancelled_member_holds_up_nobody,
    cancelled_member_ends_without_others,
];

/// One whose budget is used up is blocked when its turn comes, is told why and until when, and does not
/// hold up others; one that nobody can run is left alone.
pub(crate) async fn no_room_blocks(fx: Fixture) -> CaseResult {
    let window = BudgetWindow::every(Duration::from_hours(1));
    let budget = fx.make(&fx.budget(3).with_window(window)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(3, "a")).await?;
    let foreign = CapabilitySet::from_tokens(["gpu"])?;
    let foreign = fx.submit(&fx.spending(budget, 0)?.with_capabilities(foreign)).await?;
    let waiting = fx.submit_spending(budget, &[0, 2]).await?;
    let free = fx.submit_default().await?;
    fx.assert_is(waiting[0], Ready).await?;

    ensure_eq!(fx.claim_one().await?.execution_id, free);
    ensure!(fx.claim_if_any().await?.is_none(), "one of them was handed out");

    for id in &waiting {
        fx.assert_waits(*id, budget).await?;
        let explained = fx.backend.explain(*id).await?;
        let reason = ExplainReason::AwaitingBudget { budget_id: budget, used_up: true };
        ensure_eq!(explained.reason, reason);
        ensure_eq!(explained.clears_at, fx.budget_view(budget).await?.resets_at());
    }
    ensure_eq!(fx.budget_view(budget).await?.blocked, 2);
    fx.assert_is(foreign, Ready).await?;
    fx.check().await
}

/// Those that wait go on once the limit is raised far enough, or what was used is forgotten, in their order.
pub(crate) async fn raise_lets_go_on(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(3).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(3, "a")).await?;
    let waiting = fx.submit_spending(budget, &[2, 2, 2]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is used up");

    fx.raise(budget, 4).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 3, "there is no room for the first");
    fx.raise(budget, 7).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 1);
    let tasks = fx.claim_up_to(3).await?;
    ensure_eq!(tasks.iter().map(|task| task.execution_id).collect::<Vec<_>>(), waiting[..2]);
    ensure_eq!(fx.spent(budget).await?, (3, 4));

    let reset = fx.adjusting(budget).with_reset();
    fx.backend.adjust_budget(&reset).await?;
    fx.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, waiting[2]);
    ensure_eq!(fx.spent(budget).await?, (0, 6));
    fx.check().await
}

/// Those that wait go on when a running attempt gives back what it had reserved, however many they are, and
/// a worker that waits in its claim is woken.
pub(crate) async fn freed_room_lets_go_on(fx: Fixture) -> CaseResult {
    let many = limits::BUDGET_MOVED_MAX + 8;
    let budget = fx.budget_of(many as u64).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, many as u64)?).await?;
    let ones = vec![1; many];
    let waiting = fx.submit_spending(budget, &ones).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
    ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
    let mut request = fx.claim_request(crate::fixture::LANE)?;
    request.policy = request.policy.with_max_wait(ms(60_000));
    let worker = Arc::clone(&fx.faultless);
    let woken = tokio::spawn(async move { worker.claim(&request).await });
    fx.let_others_run().await;

    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;

    ensure_eq!(fx.budget_view(budget).await?.blocked, 0);
    let first = fx.promptly(woken).await???;
    ensure_eq!(first.tasks.len(), 1, "the worker that waited");
    let mut claimed = vec![first.tasks[0].execution_id];
    claimed.extend(fx.claim_up_to(64).await?.iter().map(|task| task.execution_id));
    ensure_eq!(claimed, waiting);
    ensure_eq!(fx.spent(budget).await?, (0, many as u64));
    fx.check().await
}

/// Nobody overtakes one that waits, also not with a smaller estimate; a higher priority goes first.
pub(crate) async fn waits_in_order(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let ids = fx.submit_spending(budget, &[6, 6, 1]).await?;
    let first = fx.claim_one().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the third overtook the second");
    fx.assert_waits(ids[2], budget).await?;
    let urgent = fx.spending(budget, 2)?.with_priority(1);
    let urgent = fx.submit_and_claim(&urgent).await?;
    let late = fx.submit_spending(budget, &[1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the late one overtook the second");

    fx.backend.complete(&urgent.handle, None).await?;
    fx.settle().await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 3, "there is no room for the second yet");
    fx.backend.complete(&first.handle, None).await?;
    fx.settle().await?;
    let rest = fx.claim_up_to(5).await?;
    let rest: Vec<_> = rest.iter().map(|task| task.execution_id).collect();
    ensure_eq!(rest, [ids[1], ids[2], late[0]]);
    fx.check().await
}

/// With that action one whose budget usage leaves no room fails when its turn comes, and says why, also when
/// it was to resume; while the room is only reserved it waits.
pub(crate) async fn used_up_fails_them(fx: Fixture) -> CaseResult {
    let budget = fx.make(&fx.budget(10).with_on_breach(OnBreach::Fail)).await?;
    let first = fx.submit_and_claim(&fx.spending(budget, 8)?).await?;
    let pausing = fx.submit_and_claim(&fx.spending(budget, 1)?).await?;
    let waiting = fx.submit_spending(budget, &[5]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
    fx.assert_waits(waiting[0], budget).await?;
    fx.usage(&first, &report(9, "a")).await?;
    fx.settle().await?;

    ensure!(fx.claim_if_any().await?.is_none(), "usage took the room that it waited for");
    let failing = fx.submit_spending(budget, &[1]).await?;
    let adjusted = fx.adjusting(budget).with_limit(TOKENS, BudgetLimit::hard(9));
    fx.backend.adjust_budget(&adjusted).await?;
    fx.backend.delay(&pausing.handle, &DelayRequest::now()).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is used up");
    ensure_eq!(fx.tokens(1).await?.len(), 0, "it is used up");

    for id in [waiting[0], failing[0], pausing.execution_id] {
        let view = fx.describe(id).await?;
        ensure_eq!(view.state, Failed);
        let failure = view.last_failure.ok_or_else(|| CaseError::new("it does not say why"))?;
        ensure_eq!(failure.class, FailureClass::Permanent);
        ensure!(failure.message.contains(&budget.to_string()), "it says {}", failure.message);
    }
    fx.check().await
}

/// A hold stays when there is room, and a budget stays a reason when the hold is gone.
pub(crate) async fn hold_and_budget_are_separate(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(1).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 1)?).await?;
    let ids = fx.submit_spending(budget, &[1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
    fx.backend.hold(&fx.hold_request(ids[0])).await?;
    fx.backend.release_hold(&fx.release_hold_request(ids[0])).await?;
    fx.assert_waits(ids[0], budget).await?;
    fx.backend.hold(&fx.hold_request(ids[0])).await?;

    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;

    let view = fx.describe(ids[0]).await?;
    ensure_eq!((view.state, view.blocked_on), (Blocked, None));
    ensure_eq!(view.reasons, BlockReason::Hold.into());
    fx.backend.release_hold(&fx.release_hold_request(ids[0])).await?;
    ensure_eq!(fx.claim_one().await?.execution_id, ids[0]);
    fx.assert_is(ids[0], Active).await
}

/// One that waits can be cancelled or held, and then nobody waits behind it.
pub(crate) async fn waiting_can_be_cancelled(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 6)?).await?;
    let ids = fx.submit_spending(budget, &[6, 1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for the first");
    ensure!(fx.claim_if_any().await?.is_none(), "the second waits behind it");

    fx.backend.cancel_execution(&fx.cancel_request(ids[0], "no longer needed")).await?;

    fx.assert_is(ids[0], Cancelled).await?;
    fx.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, ids[1], "there is room for the second");
    ensure_eq!(fx.spent(budget).await?, (0, 7));
    let ids = fx.submit_spending(budget, &[6, 1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for the first");
    ensure!(fx.claim_if_any().await?.is_none(), "the second waits behind it");
    fx.backend.hold(&fx.hold_request(ids[0])).await?;
    fx.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, ids[1], "the first is held, and not waited for");
    fx.backend.complete(&task.handle, None).await?;
    fx.check().await
}

/// One that went on and is cancelled or held before it starts leaves its room to the next in line at once,
/// and not by a time that a clock may put off.
pub(crate) async fn who_goes_on_makes_room_if_not_started(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 6)?).await?;
    let ids = fx.submit_spending(budget, &[6, 7, 8]).await?;
    for _ in &ids {
        ensure!(fx.claim_if_any().await?.is_none(), "there is no room");
    }
    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;
    fx.assert_is(ids[0], Ready).await?;
    fx.assert_waits(ids[1], budget).await?;

    fx.backend.cancel_execution(&fx.cancel_request(ids[0], "no longer needed")).await?;
    fx.settle().await?;
    fx.assert_is(ids[1], Ready).await?;
    fx.assert_waits(ids[2], budget).await?;
    fx.backend.hold(&fx.hold_request(ids[1])).await?;
    fx.settle().await?;

    ensure_eq!(fx.claim_one().await?.execution_id, ids[2]);
    ensure_eq!(fx.spent(budget).await?, (0, 8));
    fx.check().await
}

/// One that went on and then finds no room in another budget leaves the room in the first to the next.
pub(crate) async fn who_goes_on_may_wait_for_another_budget(fx: Fixture) -> CaseResult {
    let (one, other) = (fx.budget_of(10).await?, fx.budget_of(10).await?);
    let of_one = fx.submit_and_claim(&fx.spending(one, 10)?).await?;
    fx.submit_and_claim(&fx.spending(other, 10)?).await?;
    let both = fx.submit(&fx.spending(one, 10)?.with_budget(other)).await?;
    fx.advance(1).await;
    let behind = fx.submit_spending(one, &[10]).await?;
    for _ in 0..2 {
        ensure!(fx.claim_if_any().await?.is_none(), "there is no room");
    }
    fx.backend.complete(&of_one.handle, None).await?;
    fx.settle().await?;
    fx.assert_is(both, Ready).await?;

    ensure!(fx.claim_if_any().await?.is_none(), "there is no room in the other");
    fx.assert_waits(both, other).await?;
    fx.settle().await?;

    ensure_eq!(fx.claim_one().await?.execution_id, behind[0]);
    fx.check().await
}

/// One that needs more than there can be, even if everything came back, is set aside and holds up nobody, however
/// many they are; it goes on when the limit is raised or usage starts from nothing.
pub(crate) async fn impossible_estimate_is_set_aside(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let first = fx.submit_and_claim(&fx.spending(budget, 2)?).await?;
    fx.usage(&first, &report(2, "a")).await?;
    let many = limits::BUDGET_MOVED_MAX + 3;
    let large = fx.submit_spending(budget, &vec![9; many]).await?;
    let small = fx.submit_spending(budget, &[6, 1]).await?;
    ensure_eq!(fx.claim_one().await?.execution_id, small[0], "those in front can never start");
    ensure_eq!(fx.claim_one().await?.execution_id, small[1]);
    fx.settle().await?;
    fx.assert_waits(large[0], budget).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, many as u64);

    fx.raise(budget, 17).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it has to wait for what is reserved");
    fx.raise(budget, 18).await?;
    let next = fx.claim_one().await?;
    ensure_eq!(next.execution_id, large[0]);
    ensure_eq!(fx.spent(budget).await?, (2, 16));
    fx.usage(&next, &report(9, "a")).await?;
    fx.backend.complete(&next.handle, None).await?;
    fx.settle().await?;
    let free = fx.submit_spending(budget, &[1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "seven are reserved, and eleven used");
    fx.settle().await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, many as u64);
    let reset = fx.adjusting(budget).with_reset();
    fx.backend.adjust_budget(&reset).await?;
    fx.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, large[1], "it is its turn");
    fx.assert_is(free[0], Ready).await?;
    fx.check().await
}

/// What running attempts report may leave too little for the first in line: then it is set aside, and the next
/// one goes on.
pub(crate) async fn reports_set_the_first_aside(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 4)?).await?;
    let ids = fx.submit_spending(budget, &[7, 1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the first waits for what is reserved");
    ensure!(fx.claim_if_any().await?.is_none(), "and the second behind it");

    fx.usage(&task, &report(4, "a")).await?;
    fx.settle().await?;

    ensure_eq!(fx.claim_one().await?.execution_id, ids[1]);
    fx.assert_waits(ids[0], budget).await?;
    fx.check().await
}

/// A member of a flow that was cancelled, and that nobody ends before its turn, holds up nobody.
pub(crate) async fn cancelled_member_holds_up_nobody(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    fx.submit(&fx.spending(budget, 6)?).await?;
    let mut claim = fx.claim_request(crate::fixture::LANE)?;
    claim.policy = claim.policy.with_lease_ttl(Duration::from_mins(10));
    ensure_eq!(fx.backend.claim(&claim).await?.tasks.len(), 1);
    let node = FlowNode::new(NodeKey::new("a")?, fx.submission("node")?.with_estimate(tokens(6)));
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([budget])?.with_node(node);
    let flow = fx.backend.submit_flow(&spec).await?.flow_id;
    fx.advance(1).await;
    let behind = fx.submit_spending(budget, &[1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for the member");
    ensure!(fx.claim_if_any().await?.is_none(), "the other waits behind it");
    fx.settle().await?;

    fx.cancel_flow(flow, ff_types::backend::CancelFlowPolicy::FlowOnly).await?;
    fx.advance(limits::BUDGET_LINE_LOOK_MS).await;
    fx.settle().await?;

    ensure_eq!(fx.claim_one().await?.execution_id, behind[0]);
    let member = fx.member(flow, "a").await?;
    fx.assert_is(member, Cancelled).await?;
    ensure_eq!(fx.spent(budget).await?, (0, 7), "the first still runs");
    fx.check().await
}

/// Such a member also goes on when nobody stands behind it and no lease ends: the line is looked at.
pub(crate) async fn cancelled_member_ends_without_others(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    fx.submit(&fx.spending(budget, 6)?).await?;
    let mut claim = fx.claim_request(crate::fixture::LANE)?;
    claim.policy = claim.policy.with_lease_ttl(Duration::from_mins(10));
    ensure_eq!(fx.backend.claim(&claim).await?.tasks.len(), 1);
    let node = FlowNode::new(NodeKey::new("a")?, fx.submission("node")?.with_estimate(tokens(6)));
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([budget])?.with_node(node);
    let flow = fx.backend.submit_flow(&spec).await?.flow_id;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for the member");

    fx.cancel_flow(flow, ff_types::backend::CancelFlowPolicy::FlowOnly).await?;
    fx.advance(limits::BUDGET_LINE_LOOK_MS).await;
    fx.settle().await?;

    ensure!(fx.claim_if_any().await?.is_none(), "it was cancelled");
    fx.assert_is(fx.member(flow, "a").await?, Cancelled).await?;
    fx.assert_flow_is(flow, ff_types::FlowState::Cancelled).await?;
    fx.check().await
}
