//! Budgets that lie elsewhere than what draws on them. A divided store reserves in two phases there, so what holds at
//! once of others holds within a while.

use ff_engine::{
    Breach, BudgetLimit, BudgetWindow, FlowNode, FlowSpec, OnBreach, Submission, Task, UsageOutcome,
};
use ff_types::ExecutionState::{Blocked, Failed};
use ff_types::{BudgetId, ExecutionId, NodeKey, limits};

use crate::Fixture;
use crate::budgets::{TOKENS, report, tokens};
use crate::expect::{Case, CaseError, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["budget":
    shared_is_reserved_and_settled,
    shared_without_room_blocks,
    shared_goes_back_with_the_lease,
    shared_report_needs_room,
    shared_idle_is_called_in,
    shared_soft_limit_is_told,
    shared_waits_in_order,
    shared_used_up_fails_them,
    shared_impossible_is_set_aside,
    shared_window_lets_go_on,
    shared_flow_draws_on_it,
    shared_unknown_is_not_found,
    shared_two_are_taken_in_one_order,
    shared_new_limits_are_told,
    shared_waits_for_slow_workers,
    shared_usage_is_told_soon,
    shared_never_overshoots,
];

/// Where the budgets of these cases lie.
const HOME: u16 = 1;
/// For how long a divided store may keep what nobody uses, and then some.
const A_WHILE_MS: u64 = limits::BUDGET_SHARE_KEPT_MS + 500;
/// How often, and in what steps, a case waits for something that takes two phases.
const TRIES: u32 = 30;
const STEP_MS: u64 = 100;

impl Fixture {
    /// A budget of so many tokens that lies apart from what these cases submit.
    async fn home(&self, hard: u64) -> CaseResult<BudgetId> {
        let mut request = self.budget(hard);
        request.id = request.id.with_shard(HOME);
        self.make(&request).await
    }

    /// Work in a place that draws on a budget from there.
    fn drawing(&self, place: u16, budget: BudgetId, estimate: u64) -> CaseResult<Submission> {
        let one = self.submission("task")?;
        let id = one.id().with_shard(place);
        let (lane, kind, payload) = (one.lane.clone(), one.kind().clone(), one.payload.clone());
        let one = Submission::new(id, lane, kind, payload);
        Ok(one.with_shared_budget(budget).with_estimate(tokens(estimate)))
    }

    async fn submit_drawing(
        &self,
        place: u16,
        budget: BudgetId,
        estimate: u64,
    ) -> CaseResult<ExecutionId> {
        let id = self.submit(&self.drawing(place, budget, estimate)?).await?;
        self.advance(1).await;
        Ok(id)
    }

    /// What can be claimed within a while, maintenance running.
    async fn claim_soon(&self) -> CaseResult<Option<Task>> {
        for _ in 0..TRIES {
            if let Some(task) = self.claim_if_any().await? {
                return Ok(Some(task));
            }
            self.settle().await?;
            self.advance(STEP_MS).await;
        }
        Ok(None)
    }

    async fn soon(&self) -> CaseResult<Task> {
        self.claim_soon().await?.ok_or_else(|| CaseError::new("nothing could be claimed"))
    }

    /// Lets everything be told that a place keeps for a while.
    async fn rest(&self) -> CaseResult {
        for _ in 0..2 {
            self.settle().await?;
            self.advance(A_WHILE_MS).await;
        }
        self.settle().await?;
        self.check().await
    }
}

/// An attempt starts when its estimate is reserved where the budget lies; what it reports is used there within a while,
/// and what it has left goes back.
pub(crate) async fn shared_is_reserved_and_settled(fx: Fixture) -> CaseResult {
    let budget = fx.home(10).await?;
    let id = fx.submit_drawing(2, budget, 6).await?;

    let task = fx.soon().await?;

    ensure_eq!(task.execution_id, id);
    ensure_eq!(fx.spent(budget).await?, (0, 6));
    ensure_eq!(fx.usage(&task, &report(2, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.usage(&task, &report(2, "a")).await?, UsageOutcome::AlreadyApplied);
    let (used, reserved) = fx.spent(budget).await?;
    ensure_eq!(used + reserved, 6, "what is not told yet is reserved");
    fx.rest().await?;
    ensure_eq!(fx.spent(budget).await?, (2, 4));
    fx.backend.renew(&task.handle).await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.rest().await?;
    ensure_eq!(fx.spent(budget).await?, (2, 0));
    Ok(())
}

/// Without room it is blocked, and told why, from wherever; it goes on when the limit is raised.
pub(crate) async fn shared_without_room_blocks(fx: Fixture) -> CaseResult {
    let budget = fx.home(5).await?;
    fx.submit_drawing(2, budget, 5).await?;
    let first = fx.soon().await?;
    let near = fx.submit_drawing(HOME, budget, 1).await?;
    let far = fx.submit_drawing(3, budget, 1).await?;

    ensure!(fx.claim_soon().await?.is_none(), "there is no room");

    fx.assert_waits(near, budget).await?;
    fx.assert_waits(far, budget).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 2);
    fx.raise(budget, 7).await?;
    let mut next = [fx.soon().await?.execution_id, fx.soon().await?.execution_id];
    next.sort_unstable();
    let mut expected = [near, far];
    expected.sort_unstable();
    ensure_eq!(next, expected);
    ensure_eq!(fx.spent(budget).await?, (0, 7));
    ensure_eq!(fx.budget_view(budget).await?.blocked, 0);
    drop(first);
    fx.check().await
}

/// However a lease ends, others have what it had reserved within a while, wherever they are.
pub(crate) async fn shared_goes_back_with_the_lease(fx: Fixture) -> CaseResult {
    let budget = fx.home(4).await?;
    for (way, place) in [(0, 2), (1, 3), (2, HOME), (3, 2)] {
        fx.submit_drawing(place, budget, 4).await?;
        let task = fx.soon().await?;
        let other = fx.submit_drawing(place + 1, budget, 4).await?;
        ensure!(fx.claim_if_any().await?.is_none(), "way {way}: it is reserved");
        match way {
            0 => fx.backend.complete(&task.handle, None).await?,
            1 => fx.backend.cancel(&task.handle, "enough").await?,
            2 => {
                fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "no")).await?;
                fx.advance(LEASE_TTL_MS).await;
            }
            _ => drop(fx.backend.revoke(&fx.revoke_request(task.execution_id)).await?),
        }
        if way == 3 {
            fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "no")).await?;
        }

        let next = fx.soon().await?;

        ensure_eq!(next.execution_id, other, "way {way}");
        fx.backend.complete(&next.handle, None).await?;
        fx.rest().await?;
        ensure_eq!(fx.spent(budget).await?, (0, 0), "way {way}");
    }
    Ok(())
}

/// What is reported over the reservation needs room where the budget lies, and is a breach without; a budget that
/// only reports counts the same way.
pub(crate) async fn shared_report_needs_room(fx: Fixture) -> CaseResult {
    for on_breach in [OnBreach::Block, OnBreach::Report] {
        let mut request = fx.budget(10).with_on_breach(on_breach);
        request.id = request.id.with_shard(HOME);
        let budget = fx.make(&request).await?;
        fx.submit_drawing(2, budget, 2).await?;
        let task = fx.soon().await?;

        ensure_eq!(fx.usage(&task, &report(6, "a")).await?, UsageOutcome::Ok);
        let over = fx.usage(&task, &report(6, "b")).await?;
        let is = |breach: &Breach| (breach.budget_id, breach.limit, breach.requested);
        let UsageOutcome::HardBreach(breach) = &over else {
            return Err(CaseError::new(format!("it was counted: {over:?}")));
        };
        ensure_eq!((is(breach), breach.dimension.as_str()), ((budget, 10, 6), TOKENS));
        ensure!(breach.used == 6 && breach.used + breach.reserved <= 10, "{breach}");
        ensure_eq!(fx.usage(&task, &report(4, "c")).await?, UsageOutcome::Ok);
        fx.backend.complete(&task.handle, None).await?;
        fx.rest().await?;
        ensure_eq!(fx.spent(budget).await?, (10, 0));
    }
    Ok(())
}

/// What a place keeps and nobody uses is no reason to refuse a report, wherever that is made.
pub(crate) async fn shared_idle_is_called_in(fx: Fixture) -> CaseResult {
    for (place, is_refused) in [(3, true), (3, false), (HOME, true), (HOME, false)] {
        let budget = fx.home(10).await?;
        fx.submit_drawing(place, budget, 0).await?;
        let reporter = fx.soon().await?;
        fx.submit_drawing(2, budget, 6).await?;
        let idle = fx.soon().await?;
        if is_refused {
            let refused = fx.usage(&reporter, &report(8, "a")).await?;
            ensure!(matches!(refused, UsageOutcome::HardBreach(_)), "{refused:?}");
        }
        fx.backend.complete(&idle.handle, None).await?;

        ensure_eq!(fx.usage(&reporter, &report(8, "b")).await?, UsageOutcome::Ok, "in {place}");

        fx.backend.complete(&reporter.handle, None).await?;
        fx.rest().await?;
        ensure_eq!(fx.spent(budget).await?, (8, 0));
    }
    Ok(())
}

/// A soft limit is told with what the place knows of the budget; other dimensions are counted.
pub(crate) async fn shared_soft_limit_is_told(fx: Fixture) -> CaseResult {
    let soft = BudgetLimit::soft_and_hard(3, 10);
    let mut request = fx.budget(10).with_limit(TOKENS, soft);
    request = request.with_limit("pages", BudgetLimit::COUNTED);
    request.id = request.id.with_shard(HOME);
    let budget = fx.make(&request).await?;
    fx.submit_drawing(2, budget, 5).await?;
    let task = fx.soon().await?;

    let usage = report(3, "a").with_custom("pages", 7);
    ensure_eq!(fx.usage(&task, &usage).await?, UsageOutcome::Ok);
    fx.rest().await?;
    let over = fx.usage(&task, &report(1, "b")).await?;
    ensure!(matches!(over, UsageOutcome::SoftBreach(_)), "{over:?}");
    fx.rest().await?;
    let view = fx.budget_view(budget).await?;
    ensure_eq!((view.dimensions[TOKENS].used, view.dimensions["pages"].used), (4, 7));
    Ok(())
}

/// The first in line has the first room, wherever it is, and nobody overtakes it with a smaller estimate.
pub(crate) async fn shared_waits_in_order(fx: Fixture) -> CaseResult {
    let budget = fx.home(6).await?;
    fx.submit_drawing(2, budget, 6).await?;
    let task = fx.soon().await?;
    let mut waiting = Vec::new();
    for (place, estimate) in [(3, 4), (2, 4), (HOME, 4), (3, 1), (2, 1)] {
        waiting.push(fx.submit_drawing(place, budget, estimate).await?);
        ensure!(fx.claim_if_any().await?.is_none(), "there is no room");
        fx.settle().await?;
    }
    fx.backend.complete(&task.handle, None).await?;
    for expected in &waiting[..2] {
        let task = fx.soon().await?;
        ensure_eq!(task.execution_id, *expected);
        ensure!(fx.claim_soon().await?.is_none(), "another overtook those in front");
        fx.backend.complete(&task.handle, None).await?;
    }
    // There is room for all that are left.
    for _ in &waiting[2..] {
        ensure!(waiting[2..].contains(&fx.soon().await?.execution_id), "the others");
    }
    fx.check().await
}

/// With [`OnBreach::Fail`] it fails once usage leaves no room, and waits while room is only reserved.
pub(crate) async fn shared_used_up_fails_them(fx: Fixture) -> CaseResult {
    let mut request = fx.budget(4).with_on_breach(OnBreach::Fail);
    request.id = request.id.with_shard(HOME);
    let budget = fx.make(&request).await?;
    fx.submit_drawing(2, budget, 4).await?;
    let task = fx.soon().await?;
    let other = fx.submit_drawing(3, budget, 2).await?;
    ensure!(fx.claim_soon().await?.is_none(), "it is reserved");
    fx.assert_is(other, Blocked).await?;

    fx.usage(&task, &report(3, "a")).await?;
    fx.backend.renew(&task.handle).await?;
    ensure!(fx.claim_soon().await?.is_none(), "it is used up");
    fx.assert_is(other, Failed).await?;
    fx.raise(budget, 8).await?;
    let next = fx.submit_drawing(3, budget, 2).await?;
    ensure_eq!(fx.soon().await?.execution_id, next, "it was raised");
    fx.check().await
}

/// Who needs more than there can be holds up nobody, and goes on when the limit is raised.
pub(crate) async fn shared_impossible_is_set_aside(fx: Fixture) -> CaseResult {
    let budget = fx.home(4).await?;
    let large = fx.submit_drawing(2, budget, 9).await?;
    let others = [fx.submit_drawing(2, budget, 2).await?, fx.submit_drawing(3, budget, 2).await?];

    for _ in others {
        let task = fx.soon().await?;
        ensure!(others.contains(&task.execution_id), "they can run");
        fx.backend.complete(&task.handle, None).await?;
    }

    fx.rest().await?;
    fx.assert_waits(large, budget).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 1);
    fx.raise(budget, 9).await?;
    ensure_eq!(fx.soon().await?.execution_id, large);
    fx.check().await
}

/// A new window of the budget lets those go on that wait for it, wherever they are.
pub(crate) async fn shared_window_lets_go_on(fx: Fixture) -> CaseResult {
    let mut request = fx.budget(3).with_window(BudgetWindow::every(ms(3_600_000)));
    request.id = request.id.with_shard(HOME);
    let budget = fx.make(&request).await?;
    fx.submit_drawing(2, budget, 3).await?;
    let task = fx.soon().await?;
    fx.usage(&task, &report(3, "a")).await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.rest().await?;
    let waiting = [fx.submit_drawing(2, budget, 1).await?, fx.submit_drawing(3, budget, 2).await?];
    ensure!(fx.claim_soon().await?.is_none(), "it is used up");
    for id in waiting {
        fx.assert_waits(id, budget).await?;
    }

    let edge = fx.budget_view(budget).await?.resets_at();
    fx.clock.set(edge.ok_or_else(|| CaseError::new("it has a window"))?).await;
    fx.settle().await?;

    for _ in waiting {
        ensure!(waiting.contains(&fx.soon().await?.execution_id), "they wait for the window");
    }
    ensure_eq!(fx.spent(budget).await?, (0, 3));
    fx.check().await
}

/// A flow draws on a budget that lies elsewhere, as do nodes that an extension adds, and a schedule's executions.
pub(crate) async fn shared_flow_draws_on_it(fx: Fixture) -> CaseResult {
    let (budget, own) = (fx.home(2).await?, fx.home(9).await?);
    let spec = FlowSpec::new(fx.ids.together(2).flow_id()).with_shared_budgets([budget])?;
    let mut node = fx.submission("node")?.with_estimate(tokens(2));
    node = node.with_shared_budget(own);
    let flow = spec.with_node(FlowNode::new(NodeKey::new("a")?, node));
    fx.backend.submit_flow(&flow).await?;
    let task = fx.soon().await?;
    ensure_eq!((fx.spent(budget).await?, fx.spent(own).await?), ((0, 2), (0, 2)));

    let other = fx.home(5).await?;
    let node = fx.submission("node")?.with_estimate(tokens(1)).with_shared_budget(other);
    let extension = fx.extension(flow.id(), "", "").await?;
    let extension = extension.with_node(FlowNode::new(NodeKey::new("b")?, node));
    fx.backend.extend_flow(&extension).await?;
    ensure!(fx.claim_soon().await?.is_none(), "the budget of the flow has no room");
    fx.backend.complete(&task.handle, None).await.ok();
    let task = fx.soon().await?;
    let names: Vec<_> = fx.describe(task.execution_id).await?.budgets;
    ensure_eq!(names.first(), Some(&budget));
    fx.backend.complete(&task.handle, None).await?;

    let mut spec = fx.recurring().await?;
    spec.work = spec.work.clone().with_shared_budget(own).with_estimate(tokens(4));
    fx.schedule_of(spec).await?;
    fx.pass(1, crate::schedules::EVERY_MS).await?;
    let mut task = fx.soon().await?;
    while task.occurrence.is_none() {
        fx.backend.complete(&task.handle, None).await?;
        task = fx.soon().await?;
    }
    let (_, reserved) = fx.spent(own).await?;
    ensure!(reserved >= 4, "an occurrence reserves, {reserved} is reserved");
    fx.check().await
}

/// A budget that there is not cannot be drawn on from elsewhere, and nothing is left of the attempt.
pub(crate) async fn shared_unknown_is_not_found(fx: Fixture) -> CaseResult {
    let unknown = fx.ids.budget_id().with_shard(HOME);
    let code = "budget_not_found";
    let before = fx.snapshot().await;

    assert_code(fx.backend.submit(&fx.drawing(2, unknown, 1)?).await, code)?;
    let batch = [fx.drawing(2, unknown, 1)?];
    let outcomes = fx.backend.submit_batch(&batch).await?;
    assert_code(outcomes.into_iter().next().expect("an outcome each"), code)?;
    let spec = FlowSpec::new(fx.ids.together(2).flow_id()).with_shared_budgets([unknown])?;
    let spec = spec.with_node(FlowNode::new(NodeKey::new("a")?, fx.submission("node")?));
    assert_code(fx.backend.submit_flow(&spec).await, code)?;

    ensure_eq!(fx.snapshot().await, before, "a refused call left something");
    // One that is known is found for each of a batch, in whatever order.
    let known = fx.home(1).await?;
    let batch = [2, 3, 2].map(|place| fx.drawing(place, known, 1));
    let mut batch = batch.into_iter().collect::<CaseResult<Vec<_>>>()?;
    batch.insert(1, fx.drawing(2, unknown, 1)?);
    let outcomes = fx.backend.submit_batch(&batch).await?;
    let are_known: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    ensure_eq!(are_known, [true, false, true, true]);
    Ok(())
}

/// Two that draw on the same two budgets and name them in another order do not wait for each other, and what is reported
/// has room in both.
pub(crate) async fn shared_two_are_taken_in_one_order(fx: Fixture) -> CaseResult {
    let [one, other] = [fx.home(6).await?, fx.home(6).await?];
    let crossed = [
        fx.drawing(2, one, 4)?.with_shared_budget(other),
        fx.drawing(3, other, 4)?.with_shared_budget(one),
    ];
    for submission in &crossed {
        fx.submit(submission).await?;
    }

    for _ in crossed {
        let task = fx.soon().await?;
        ensure_eq!((fx.spent(one).await?.1, fx.spent(other).await?.1), (4, 4));
        fx.backend.complete(&task.handle, None).await?;
    }

    fx.rest().await?;
    fx.submit(&fx.drawing(2, one, 1)?.with_shared_budget(other)).await?;
    let task = fx.soon().await?;
    ensure_eq!(fx.usage(&task, &report(5, "a")).await?, UsageOutcome::Ok);
    ensure!(matches!(fx.usage(&task, &report(2, "b")).await?, UsageOutcome::HardBreach(_)), "2");
    fx.rest().await?;
    ensure_eq!((fx.spent(one).await?.0, fx.spent(other).await?.0), (5, 5));
    Ok(())
}

/// A limit that a budget is given later holds wherever it is drawn on, and one that is lowered lets nobody start until
/// there is room under it.
pub(crate) async fn shared_new_limits_are_told(fx: Fixture) -> CaseResult {
    let mut request = fx.budget(1).with_limit(TOKENS, BudgetLimit::COUNTED);
    request.id = request.id.with_shard(HOME);
    let budget = fx.make(&request).await?;
    fx.submit_drawing(2, budget, 2).await?;
    fx.raise(budget, 10).await?;
    let task = fx.soon().await?;
    ensure_eq!(fx.spent(budget).await?, (0, 2), "it reserves of what is limited now");
    let over = fx.usage(&task, &report(11, "a")).await?;
    ensure!(matches!(over, UsageOutcome::HardBreach(_)), "{over:?}");

    let mut running = vec![task];
    for _ in 0..8 {
        fx.submit_drawing(2, budget, 2).await?;
    }
    while running.len() < 5 {
        running.push(fx.soon().await?);
    }
    fx.raise(budget, 4).await?;
    fx.settle().await?;
    for left in (0..5_u64).rev() {
        let task = running.pop().ok_or_else(|| CaseError::new("five run"))?;
        fx.backend.complete(&task.handle, None).await?;
        let next = fx.claim_soon().await?;
        ensure_eq!(next.is_some(), left < 2, "{left} are left of those that ran before");
        running.splice(0..0, next);
    }
    fx.check().await
}

/// What one was let go on for is there when a worker comes that is slow to come.
pub(crate) async fn shared_waits_for_slow_workers(fx: Fixture) -> CaseResult {
    let budget = fx.home(10).await?;
    let id = fx.submit_drawing(2, budget, 1).await?;
    for _ in 0..TRIES {
        let other = fx.submission("task")?;
        let (lane, kind, payload) =
            (other.lane.clone(), other.kind().clone(), other.payload.clone());
        let place = other.id().with_shard(2);
        fx.submit(&Submission::new(place, lane, kind, payload)).await?;
        let task = fx.claim_one().await?;
        fx.backend.complete(&task.handle, None).await?;
        if task.execution_id == id {
            return fx.check().await;
        }
        for _ in 0..3 {
            fx.settle().await?;
            fx.advance(limits::BUDGET_SHARE_KEPT_MS / 2).await;
        }
    }
    Err(CaseError::new("it was never there when the worker came"))
}

/// However long room was kept for work that nobody took, what is used is told soon once somebody does, and what is left
/// goes back.
pub(crate) async fn shared_usage_is_told_soon(fx: Fixture) -> CaseResult {
    let budget = fx.home(10).await?;
    fx.submit_drawing(2, budget, 3).await?;
    let running = fx.soon().await?;
    fx.submit_drawing(2, budget, 5).await?;
    // An empty share blocks it, and lets it go on; whoever comes for it comes too late.
    let mut at_once = fx.claim_if_any().await?;
    for kept in [1, 2, 4] {
        fx.settle().await?;
        fx.advance(kept * limits::BUDGET_SHARE_KEPT_MS + STEP_MS).await;
        fx.settle().await?;
        if at_once.is_none() {
            at_once = fx.claim_if_any().await?;
        }
    }
    fx.settle().await?;

    ensure_eq!(fx.usage(&running, &report(2, "a")).await?, UsageOutcome::Ok);
    fx.rest().await?;
    ensure_eq!(fx.spent(budget).await?.0, 2, "nobody has come yet");
    let task = match at_once {
        Some(task) => task,
        None => fx.soon().await?,
    };
    ensure_eq!(fx.usage(&task, &report(3, "a")).await?, UsageOutcome::Ok);
    for ended in [running, task] {
        fx.backend.renew(&ended.handle).await?;
        fx.backend.complete(&ended.handle, None).await?;
    }

    fx.rest().await?;
    ensure_eq!(fx.spent(budget).await?, (5, 0));
    Ok(())
}

/// Whoever claims, reports, ends or loses a lease, wherever: what is used and reserved never passes the hard limit, and
/// everything that was reported is used in the end, and nothing reserved.
pub(crate) async fn shared_never_overshoots(fx: Fixture) -> CaseResult {
    let (budget, hard) = (fx.home(40).await?, 40);
    // Another run with another seed.
    let random = fx.ids.request_id().to_bytes();
    let mut seed = random.into_iter().fold(0_u64, |seed, byte| seed << 4 ^ u64::from(byte));
    let mut next = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    let (mut running, mut reported) = (Vec::<Task>::new(), 0);
    for step in 0..240_u64 {
        match next(8) {
            0..=2 => {
                let place = u16::try_from(next(4)).unwrap_or(0);
                let id = fx.drawing(place, budget, next(4))?;
                fx.submit(&id).await?;
            }
            3 | 4 => running.extend(fx.claim_if_any().await?),
            5 if !running.is_empty() => {
                let at = usize::try_from(next(running.len() as u64)).unwrap_or(0);
                let amount = next(3) + 1;
                let usage = report(amount, &format!("step {step}"));
                match fx.faultless.report_usage(&running[at].handle, &usage).await {
                    Ok(UsageOutcome::Ok) => reported += amount,
                    Ok(UsageOutcome::HardBreach(_)) | Err(_) => {}
                    Ok(other) => return Err(CaseError::new(format!("{other:?}"))),
                }
            }
            6 if !running.is_empty() => {
                let at = usize::try_from(next(running.len() as u64)).unwrap_or(0);
                let task = running.swap_remove(at);
                fx.backend.complete(&task.handle, None).await.ok();
            }
            _ => {
                fx.settle().await?;
                fx.advance(next(700)).await;
            }
        }
        let (used, reserved) = fx.spent(budget).await?;
        ensure!(used + reserved <= hard, "step {step}: {used} and {reserved} of {hard}");
        ensure!(used <= reported, "step {step}: {used} of {reported} that were reported");
    }
    for task in running {
        fx.backend.complete(&task.handle, None).await.ok();
    }
    fx.advance(LEASE_TTL_MS).await;
    // Those for which there is room go on, and all once there is room for all.
    for hard in [40, 10_000] {
        fx.raise(budget, hard).await?;
        while let Some(task) = fx.claim_soon().await? {
            fx.backend.complete(&task.handle, None).await?;
        }
        fx.rest().await?;
        ensure_eq!(fx.spent(budget).await?, (reported, 0));
    }
    ensure_eq!(fx.budget_view(budget).await?.blocked, 0);
    Ok(())
}
