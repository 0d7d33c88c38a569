//! Budgets: what may be used, who has to wait, and when they go on.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{
    EngineBackendExt, AdjustBudget, Amounts, Breach, BudgetLimit, BudgetView, BudgetWindow, CreateBudget,
    DelayRequest, ExplainReason, FlowNode, FlowSpec, Idempotency, ListBudgets, OnBreach,
    Submission, SuspendCondition, Task, UsageOutcome,
};
use ff_types::backend::{CapabilitySet, FailureClass, ScannerFilter, UsageDimensions};
use ff_types::ExecutionState::{Active, Blocked, Cancelled, Failed, Ready};
use ff_types::{
    BlockReason, BudgetId, ExecutionId, ExecutionPolicy, IdempotencyKey, NodeKey, Tags,
    TimestampMs, limits,
};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure,
    ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["budget":
    create_repeat_is_harmless,
    id_clash_is_a_conflict,
    limits_are_enforced,
    unknown_is_not_found,
    describe_shows_all,
    listing_is_stable,
    adjust_repeat_is_harmless,
    placement_is_checked,
    idempotency_key_counts_beside_the_budget,
    flow_members_draw_on_it,
    report_is_counted,
    report_is_all_or_nothing,
    report_counts_once,
    report_limits_are_enforced,
    soft_limit_is_told,
    no_overshoot,
    estimate_is_reserved_with_the_lease,
    repeated_claim_reserves_once,
    report_takes_from_the_reservation,
    reservation_goes_with_the_lease,
    resumed_attempt_reserves_the_rest,
    impossible_estimate_is_set_aside,
    reports_set_the_first_aside,
    cancelled_member_holds_up_nobody,
    untagged_is_looked_after_by_all,
    no_room_blocks,
    raise_lets_go_on,
    freed_room_lets_go_on,
    window_lets_go_on,
    one_reset_a_window,
    clock_steps_reset_once,
    waits_in_order,
    report_only_hands_out,
    used_up_fails_them,
    hold_and_budget_are_separate,
    waiting_can_be_cancelled,
];

/// The dimension that most cases count.
const TOKENS: &str = "output_tokens";

fn tokens(amount: u64) -> UsageDimensions {
    UsageDimensions::new().with_output_tokens(amount)
}

fn report(amount: u64, key: &str) -> UsageDimensions {
    tokens(amount).with_dedup_key(key)
}

impl Fixture {
    /// A budget of so many tokens, which is not made yet.
    fn budget(&self, hard: u64) -> CreateBudget {
        CreateBudget::new(self.ids.together(0).budget_id())
            .with_limit(TOKENS, BudgetLimit::hard(hard))
    }

    /// Makes such a budget.
    async fn budget_of(&self, hard: u64) -> CaseResult<BudgetId> {
        self.make(&self.budget(hard)).await
    }

    async fn make(&self, request: &CreateBudget) -> CaseResult<BudgetId> {
        self.backend.create_budget(request).await?;
        Ok(request.id)
    }

    /// A submission that draws on a budget and is expected to use so many tokens.
    fn spending(&self, budget: BudgetId, estimate: u64) -> CaseResult<Submission> {
        Ok(self.submission("task")?.with_budget(budget).with_estimate(tokens(estimate)))
    }

    /// Submits so many of these, a millisecond apart.
    async fn submit_spending(
        &self,
        budget: BudgetId,
        estimates: &[u64],
    ) -> CaseResult<Vec<ExecutionId>> {
        let mut ids = Vec::new();
        for estimate in estimates {
            ids.push(self.submit(&self.spending(budget, *estimate)?).await?);
            self.advance(1).await;
        }
        Ok(ids)
    }

    /// Reports once, so that the answer is that of the first time.
    async fn usage(&self, task: &Task, usage: &UsageDimensions) -> CaseResult<UsageOutcome> {
        Ok(self.faultless.report_usage(&task.handle, usage).await?)
    }

    async fn budget_view(&self, id: BudgetId) -> CaseResult<BudgetView> {
        Ok(self.backend.describe_budget(id).await?)
    }

    /// What is used and what is reserved of the tokens of a budget.
    async fn spent(&self, id: BudgetId) -> CaseResult<(u64, u64)> {
        let view = self.budget_view(id).await?;
        let tokens = view.dimensions.get(TOKENS);
        let tokens = tokens.ok_or_else(|| CaseError::new("it counts no tokens"))?;
        Ok((tokens.used, tokens.reserved))
    }

    fn adjusting(&self, id: BudgetId) -> AdjustBudget {
        AdjustBudget::new(self.ids.request_id(), id)
    }

    /// Gives a budget another hard limit, and lets time do what follows.
    async fn raise(&self, id: BudgetId, hard: u64) -> CaseResult {
        let request = self.adjusting(id).with_limit(TOKENS, BudgetLimit::hard(hard));
        self.backend.adjust_budget(&request).await?;
        self.settle().await?;
        Ok(())
    }

    /// It waits for room in this budget.
    async fn assert_waits(&self, id: ExecutionId, budget: BudgetId) -> CaseResult {
        let view = self.describe(id).await?;
        ensure_eq!((view.state, view.blocked_on), (Blocked, Some(budget)), "{id}");
        ensure!(view.reasons.contains(BlockReason::Budget), "the reasons are {:?}", view.reasons);
        Ok(())
    }
}

/// A repeat makes nothing and changes nothing, whatever became of the budget.
pub(crate) async fn create_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let request = fx.budget(10);
    let budget = fx.make(&request).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(3, "a")).await?;
    fx.raise(budget, 20).await?;
    let before = fx.snapshot().await;

    fx.backend.create_budget(&request).await?;

    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    ensure_eq!(fx.spent(budget).await?, (3, 0));
    Ok(())
}

/// The same id with other limits, another window or another action is refused.
pub(crate) async fn id_clash_is_a_conflict(fx: Fixture) -> CaseResult {
    let request = fx.budget(10);
    fx.make(&request).await?;
    let before = fx.snapshot().await;

    let window = BudgetWindow::every(ms(60_000));
    for other in [
        request.clone().with_limit(TOKENS, BudgetLimit::hard(11)),
        request.clone().with_limit("pages", BudgetLimit::COUNTED),
        request.clone().with_window(window),
        request.clone().with_on_breach(OnBreach::Fail),
        request.clone().with_tags(Tags::new().with("team", "red")?),
    ] {
        assert_code(fx.backend.create_budget(&other).await, "conflict_budget_id")?;
    }

    ensure_eq!(fx.snapshot().await, before, "a refused budget left something");
    Ok(())
}

/// Limits, windows, estimates and page sizes out of range are refused, and the field named.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let before = fx.snapshot().await;
    let of = |limit| fx.budget(1).with_limit(TOKENS, limit);
    let over = limits::USAGE_AMOUNT_MAX + 1;
    let nothing = CreateBudget::new(fx.ids.budget_id());
    assert_invalid(fx.backend.create_budget(&nothing).await, "limits")?;
    let limit = BudgetLimit::soft_and_hard(2, 1);
    assert_invalid(fx.backend.create_budget(&of(limit)).await, "limits")?;
    let named = of(BudgetLimit::COUNTED).with_limit("two words", BudgetLimit::COUNTED);
    assert_invalid(fx.backend.create_budget(&named).await, "limits")?;
    let refused = fx.backend.create_budget(&of(BudgetLimit::soft(over))).await;
    assert_too_large(refused, usize::try_from(over - 1)?, usize::try_from(over)?)?;
    let most = limits::BUDGET_DIMENSIONS_MAX;
    let many = (0..=most).fold(nothing, |one, i| one.with_limit(format!("d{i}"), BudgetLimit::COUNTED));
    assert_too_large(fx.backend.create_budget(&many).await, most, most + 1)?;
    for every in [limits::BUDGET_WINDOW_MIN_MS - 1, limits::BUDGET_WINDOW_MAX_MS + 1] {
        let window = fx.budget(1).with_window(BudgetWindow::every(ms(every)));
        assert_invalid(fx.backend.create_budget(&window).await, "window.every")?;
    }

    let adjust = || fx.adjusting(budget);
    let unknown = adjust().with_limit("pages", BudgetLimit::hard(1));
    assert_invalid(fx.backend.adjust_budget(&unknown).await, "limits")?;
    let inverted = adjust().with_limit(TOKENS, limit);
    assert_invalid(fx.backend.adjust_budget(&inverted).await, "limits")?;
    for limit in [0, limits::LIST_LIMIT_MAX + 1] {
        let request = ListBudgets::all().with_limit(limit);
        assert_invalid(fx.backend.list_budgets(&request).await, "limit")?;
    }

    let twice = fx.submission("task")?.with_budget(budget).with_budget(budget);
    assert_invalid(fx.backend.submit(&twice).await, "budgets")?;
    let most = limits::BUDGETS_PER_EXECUTION_MAX;
    let mut many = fx.submission("task")?;
    for _ in 0..=most {
        many = many.with_budget(fx.ids.together(0).budget_id());
    }
    assert_too_large(fx.backend.submit(&many).await, most, most + 1)?;
    let keyed = fx.spending(budget, 0)?.with_estimate(report(1, "a"));
    assert_invalid(fx.backend.submit(&keyed).await, "estimate")?;
    let large = fx.spending(budget, over)?;
    assert_code(fx.backend.submit(&large).await, "limit_exceeded")?;

    ensure_eq!(fx.snapshot().await, before, "a refused call left something");
    Ok(())
}

/// A budget that nobody made cannot be read, changed or drawn on, alone or in a flow.
pub(crate) async fn unknown_is_not_found(fx: Fixture) -> CaseResult {
    let unknown = fx.ids.budget_id();
    let flow = FlowSpec::new(fx.ids.flow_id()).with_budgets([unknown])?;
    let flow = flow.with_node(FlowNode::new(NodeKey::new("a")?, fx.submission("node")?));
    let mut large = FlowSpec::new(fx.ids.together(unknown.shard()).flow_id());
    for index in 0..=limits::FLOW_ONE_STEP_NODES_MAX {
        let key = NodeKey::new(format!("n{index}"))?;
        large.add_node(FlowNode::new(key, fx.submission("node")?));
    }
    let last = fx.submission("node")?.with_budget(unknown);
    large.add_node(FlowNode::new(NodeKey::new("last")?, last));
    let known = fx.submit_flow("a", "").await?;
    let extension = fx.extension(known, "", "").await?;
    let node = fx.submission("node")?.with_budget(fx.ids.together(known.shard()).budget_id());
    let extension = extension.with_node(FlowNode::new(NodeKey::new("b")?, node));
    let before = fx.snapshot().await;

    let code = "budget_not_found";
    assert_code(fx.backend.describe_budget(unknown).await, code)?;
    assert_code(fx.backend.adjust_budget(&fx.adjusting(unknown)).await, code)?;
    assert_code(fx.backend.submit(&fx.spending(unknown, 1)?).await, code)?;
    assert_code(fx.backend.submit_flow(&flow).await, code)?;
    assert_code(fx.backend.submit_flow(&large).await, code)?;
    assert_code(fx.backend.extend_flow(&extension).await, code)?;

    ensure_eq!(fx.snapshot().await, before, "a refused call left something");
    Ok(())
}

/// It shows the limits that hold, the window, the action and the tags, what is used and reserved, and how
/// many wait.
pub(crate) async fn describe_shows_all(fx: Fixture) -> CaseResult {
    let window = BudgetWindow::every(ms(60_000)).with_anchor(TimestampMs(7));
    let request = fx
        .budget(10)
        .with_limit(TOKENS, BudgetLimit::soft_and_hard(5, 10))
        .with_limit("pages", BudgetLimit::COUNTED)
        .with_window(window)
        .with_on_breach(OnBreach::Fail)
        .with_tags(Tags::new().with("team", "red")?);
    let made_at = fx.now().await;
    let budget = fx.make(&request).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 6)?).await?;
    fx.usage(&task, &report(2, "a").with_custom("pages", 3)).await?;
    fx.submit_spending(budget, &[5]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room");

    let view = fx.budget_view(budget).await?;

    ensure_eq!((view.budget_id, view.created_at, view.blocked), (budget, made_at, 1));
    ensure_eq!((view.window, view.on_breach, &view.tags), (Some(window), OnBreach::Fail, &request.tags));
    let start = window.start_at(made_at);
    ensure_eq!((view.window_started_at, view.resets_at()), (Some(start), Some(window.end_of(start))));
    let tokens = view.dimensions[TOKENS];
    ensure_eq!((tokens.limit, tokens.used, tokens.reserved), (BudgetLimit::soft_and_hard(5, 10), 2, 4));
    let pages = view.dimensions["pages"];
    ensure_eq!((pages.limit, pages.used, pages.reserved), (BudgetLimit::COUNTED, 3, 0));
    let plain = fx.budget_view(fx.budget_of(1).await?).await?;
    ensure_eq!((plain.window_started_at, plain.resets_at(), plain.blocked), (None, None, 0));
    Ok(())
}

/// Following the last ids gives each budget once, in the order of their ids, whatever partition they are in.
pub(crate) async fn listing_is_stable(fx: Fixture) -> CaseResult {
    let mut made = Vec::new();
    for hard in 1..=7 {
        let id = fx.ids.budget_id();
        let request = CreateBudget::new(id).with_limit(TOKENS, BudgetLimit::hard(hard));
        made.push(fx.make(&request).await?);
    }
    made.sort_unstable();

    for size in [1, 3, 7, 8] {
        let mut request = ListBudgets::all().with_limit(size);
        let mut seen = Vec::new();
        loop {
            let page = fx.backend.list_budgets(&request).await?;
            seen.extend(page.iter().map(|view| view.budget_id));
            match page.last() {
                Some(last) if page.len() == size as usize => {
                    request = request.with_after(last.budget_id);
                }
                _ => break,
            }
        }
        ensure_eq!(seen, made, "pages of {size}");
    }
    let all = fx.backend.list_budgets(&ListBudgets::all()).await?;
    ensure_eq!(all[2], fx.budget_view(made[2]).await?);
    Ok(())
}

/// A repeat of a request resets nothing that was used after it.
pub(crate) async fn adjust_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(6, "a")).await?;
    let reset = fx.adjusting(budget).with_reset().with_limit(TOKENS, BudgetLimit::hard(20));

    fx.backend.adjust_budget(&reset).await?;
    ensure_eq!(fx.spent(budget).await?, (0, 0));
    fx.usage(&task, &report(4, "b")).await?;
    let before = fx.snapshot().await;
    fx.backend.adjust_budget(&reset).await?;

    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    ensure_eq!(fx.spent(budget).await?, (4, 0));
    Ok(())
}

/// An execution is placed where its first budget is; another budget has to be placed there too.
pub(crate) async fn placement_is_checked(fx: Fixture) -> CaseResult {
    let here = CreateBudget::new(fx.ids.together(1).budget_id());
    let there = CreateBudget::new(fx.ids.together(2).budget_id());
    for request in [&here, &there] {
        fx.make(&request.clone().with_limit(TOKENS, BudgetLimit::hard(1))).await?;
    }
    let one = fx.submission("task")?.with_budget(here.id);
    ensure_eq!(one.id().shard(), here.id.shard());
    fx.submit(&one).await?;

    let both = fx.submission("task")?.with_budget(here.id).with_budget(there.id);
    assert_invalid(fx.backend.submit(&both).await, "budgets")?;
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([here.id])?;
    ensure_eq!(spec.id().shard(), here.id.shard());
    let node = FlowNode::new(NodeKey::new("a")?, fx.submission("node")?.with_budget(there.id));
    assert_invalid(fx.backend.submit_flow(&spec.with_node(node)).await, "budgets")
}

/// One key names one execution among those that name the same budget first, and another beside another.
pub(crate) async fn idempotency_key_counts_beside_the_budget(fx: Fixture) -> CaseResult {
    let (one, other) = (fx.budget_of(10).await?, fx.budget_of(10).await?);
    let keyed = || -> CaseResult<Submission> {
        Ok(fx.submission("task")?.with_idempotency(Idempotency::new(IdempotencyKey::new("order-7")?)))
    };
    let first = fx.submit(&keyed()?.with_budget(one)).await?;

    ensure_eq!(fx.submit(&keyed()?.with_budget(one)).await?, first);
    ensure!(fx.submit(&keyed()?.with_budget(other)).await? != first, "the budget does not count");
    ensure!(fx.submit(&keyed()?).await? != first, "a key without a budget names it too");
    Ok(())
}

/// Every member of a flow draws on the budgets of the flow, in front of its own.
pub(crate) async fn flow_members_draw_on_it(fx: Fixture) -> CaseResult {
    let (of_flow, own) = (fx.budget_of(5).await?, fx.budget_of(10).await?);
    let spec = FlowSpec::new(fx.ids.flow_id()).with_budgets([of_flow])?;
    let node = |key: &str| -> CaseResult<FlowNode> {
        let submission = fx.submission("node")?.with_budget(own).with_estimate(tokens(3));
        Ok(FlowNode::new(NodeKey::new(key)?, submission))
    };
    let spec = spec.with_node(node("a")?).with_node(node("b")?);
    let flow = fx.backend.submit_flow(&spec).await?.flow_id;

    let task = fx.claim_one().await?;
    ensure_eq!(fx.describe(task.execution_id).await?.budgets, [of_flow, own]);
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for both");
    fx.assert_waits(fx.member(flow, "b").await?, of_flow).await?;
    ensure_eq!((fx.spent(of_flow).await?, fx.spent(own).await?), ((0, 3), (0, 3)));
    fx.usage(&task, &report(2, "a")).await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;

    ensure_eq!((fx.spent(of_flow).await?, fx.spent(own).await?), ((2, 0), (2, 0)));
    ensure_eq!(fx.claim_one().await?.execution_id, fx.member(flow, "b").await?);
    Ok(())
}

/// Every dimension is counted where the budget counts it, and all of them with the execution, over its
/// attempts, until a replay. One without budgets reports as well, and nothing is an amount.
pub(crate) async fn report_is_counted(fx: Fixture) -> CaseResult {
    let budget = fx.make(&fx.budget(100).with_limit("pages", BudgetLimit::COUNTED)).await?;
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?.with_policy(policy)).await?;
    let usage = report(5, "a").with_input_tokens(7).with_custom("pages", 2);
    ensure_eq!(fx.usage(&task, &usage).await?, UsageOutcome::Ok);
    let before = fx.snapshot().await;
    ensure_eq!(fx.usage(&task, &UsageDimensions::new()).await?, UsageOutcome::Ok);
    ensure_eq!(fx.snapshot().await, before, "nothing was counted");
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    let task = fx.claim_one().await?;
    fx.usage(&task, &report(1, "b")).await?;

    let expected = [("input_tokens", 7), (TOKENS, 6), ("pages", 2)];
    let expected: Amounts = expected.map(|(name, n)| (name.to_owned(), n)).into();
    ensure_eq!(fx.describe(task.execution_id).await?.usage, expected);
    let view = fx.budget_view(budget).await?;
    ensure_eq!((view.dimensions[TOKENS].used, view.dimensions["pages"].used), (6, 2));
    fx.backend.complete(&task.handle, None).await?;
    ensure_eq!(fx.describe(task.execution_id).await?.usage, expected, "it stays to the end");
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    ensure_eq!(fx.describe(task.execution_id).await?.usage, Amounts::new());
    ensure_eq!(fx.spent(budget).await?, (6, 0), "what was used is used");

    let free = fx.submission("task")?.with_priority(1);
    let free = fx.submit_and_claim(&free).await?;
    ensure_eq!(fx.usage(&free, &report(3, "c")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.describe(free.execution_id).await?.usage, Amounts::from([(TOKENS.to_owned(), 3)]));
    Ok(())
}

/// When one dimension of one budget has no room, nothing is counted, neither in that budget nor in another
/// nor with the execution, and the answer says which.
pub(crate) async fn report_is_all_or_nothing(fx: Fixture) -> CaseResult {
    let (wide, narrow) = (fx.budget_of(100).await?, fx.budget(10).with_limit("pages", BudgetLimit::hard(2)));
    let narrow = fx.make(&narrow).await?;
    let submission = fx.submission("task")?.with_budget(wide).with_budget(narrow);
    let task = fx.submit_and_claim(&submission).await?;
    fx.usage(&task, &report(4, "a").with_custom("pages", 1)).await?;
    let before = fx.snapshot().await;

    let over = fx.usage(&task, &report(1, "b").with_custom("pages", 2)).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(narrow, "pages".into(), 2, 1, 0)));
    let over = fx.usage(&task, &report(7, "c")).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(narrow, TOKENS.into(), 10, 4, 0)));

    ensure_eq!(fx.snapshot().await, before, "a part of it was counted");
    ensure_eq!(fx.usage(&task, &report(6, "c")).await?, UsageOutcome::Ok);
    ensure_eq!((fx.spent(wide).await?, fx.spent(narrow).await?), ((10, 0), (10, 0)));
    Ok(())
}

/// A key counts once in a run, whatever the report says and whichever attempt makes it; a refused report
/// leaves the key free, and each execution has keys of its own.
pub(crate) async fn report_counts_once(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?.with_policy(policy)).await?;
    ensure_eq!(fx.usage(&task, &report(4, "a")).await?, UsageOutcome::Ok);

    for again in [report(4, "a"), report(1, "a"), report(100, "a")] {
        ensure_eq!(fx.usage(&task, &again).await?, UsageOutcome::AlreadyApplied);
    }
    ensure!(
        matches!(fx.usage(&task, &report(7, "b")).await?, UsageOutcome::HardBreach(_)),
        "there is no room"
    );
    ensure_eq!(fx.usage(&task, &report(1, "b")).await?, UsageOutcome::Ok);
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    let second = fx.claim_one().await?;
    ensure_eq!(fx.usage(&second, &report(4, "a")).await?, UsageOutcome::AlreadyApplied);
    let other = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    ensure_eq!(fx.usage(&other, &report(2, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.spent(budget).await?, (7, 0));
    fx.backend.complete(&second.handle, None).await?;
    fx.backend.replay(&fx.replay_request(second.execution_id)).await?;
    let third = fx.claim_one().await?;
    ensure_eq!(fx.usage(&third, &report(1, "a")).await?, UsageOutcome::Ok, "another run");
    ensure_eq!(fx.spent(budget).await?, (8, 0));
    Ok(())
}

/// A dimension that is named twice or malformed, an amount and a sum over 2^53 - 1, and too many dimensions
/// of one execution are refused, and leave nothing.
pub(crate) async fn report_limits_are_enforced(fx: Fixture) -> CaseResult {
    let budget = fx.make(&fx.budget(1).with_limit(TOKENS, BudgetLimit::COUNTED)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    let most = limits::USAGE_AMOUNT_MAX;
    ensure_eq!(fx.usage(&task, &report(most - 1, "a")).await?, UsageOutcome::Ok);
    let before = fx.snapshot().await;
    let backend = &fx.backend;

    let twice = report(1, "b").with_custom(TOKENS, 1);
    assert_invalid(backend.report_usage(&task.handle, &twice).await, "usage_dimension")?;
    let spaced = report(1, "b").with_custom("two words", 1);
    assert_invalid(backend.report_usage(&task.handle, &spaced).await, "usage_dimension")?;
    for over in [report(most + 1, "b"), report(u64::MAX, "b"), report(2, "b")] {
        let refused = backend.report_usage(&task.handle, &over).await;
        assert_code(refused, "limit_exceeded")?;
    }
    ensure_eq!(fx.snapshot().await, before, "a refused report left something");
    ensure_eq!(fx.usage(&task, &report(1, "b")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.spent(budget).await?, (most, 0));

    let many = |from: usize, key: &str| {
        let names = from..from + limits::USAGE_CUSTOM_DIMENSIONS_MAX;
        let usage = UsageDimensions::new().with_dedup_key(key);
        names.fold(usage, |usage, i| usage.with_custom(format!("d{i}"), 1))
    };
    fx.usage(&task, &many(0, "c")).await?;
    let over = backend.report_usage(&task.handle, &many(16, "d")).await;
    let most = limits::USAGE_DIMENSIONS_MAX;
    assert_too_large(over, most, most + 1)
}

/// A report that leaves usage above a soft limit is counted and says so, each time; one at the limit does
/// not, nor does one of another dimension.
pub(crate) async fn soft_limit_is_told(fx: Fixture) -> CaseResult {
    let request = fx.budget(10).with_limit(TOKENS, BudgetLimit::soft_and_hard(5, 10));
    let budget = fx.make(&request.with_limit("pages", BudgetLimit::COUNTED)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    let passed =
        |used| UsageOutcome::SoftBreach(Breach::new(budget, TOKENS.to_owned(), 5, used, 0));

    ensure_eq!(fx.usage(&task, &report(5, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.usage(&task, &report(1, "b")).await?, passed(6));
    ensure_eq!(fx.usage(&task, &report(4, "c")).await?, passed(10));
    let pages = UsageDimensions::new().with_custom("pages", 1).with_dedup_key("d");
    ensure_eq!(fx.usage(&task, &pages).await?, UsageOutcome::Ok);
    Ok(())
}

/// Sixteen that report at once, and as many that are claimed meanwhile, never use and reserve more than the
/// limit together, and the last unit goes to one of them.
pub(crate) async fn no_overshoot(fx: Fixture) -> CaseResult {
    const REPORTERS: usize = 16;
    let hard = REPORTERS as u64 * 2 + 1;
    let budget = fx.budget_of(hard).await?;
    let mut tasks = Vec::new();
    for _ in 0..REPORTERS {
        tasks.push(fx.submit_and_claim(&fx.spending(budget, 1)?).await?);
    }
    fx.submit_spending(budget, &[1; REPORTERS]).await?;
    let mut racing = Vec::new();
    for (task, number) in tasks.into_iter().zip(0..) {
        let (backend, fx) = (Arc::clone(&fx.backend), fx.clone());
        racing.push(tokio::spawn(async move {
            let mut counted = 0;
            for round in 0..4 {
                let usage = report(1, &format!("{number}-{round}"));
                let outcome = backend.report_usage(&task.handle, &usage).await?;
                counted += u64::from(matches!(outcome, UsageOutcome::Ok | UsageOutcome::AlreadyApplied));
                let (used, reserved) = fx.spent(budget).await?;
                ensure!(used + reserved <= hard, "{used} used and {reserved} reserved of {hard}");
            }
            CaseResult::Ok(counted)
        }));
    }
    let mut claimed = 0;
    while fx.claim_if_any().await?.is_some() {
        claimed += 1;
        let (used, reserved) = fx.spent(budget).await?;
        ensure!(used + reserved <= hard, "{used} used and {reserved} reserved of {hard}");
    }
    let mut counted = 0;
    for one in racing {
        counted += one.await??;
    }

    ensure_eq!(fx.spent(budget).await?, (counted, claimed));
    ensure_eq!(counted + claimed, hard, "the last unit");
    fx.check().await
}

/// A claim reserves what the execution is expected to use, of the dimensions that its budgets count, and
/// hands out as many as fit. A retry reserves anew.
pub(crate) async fn estimate_is_reserved_with_the_lease(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    for _ in 0..4 {
        let estimate = tokens(3).with_input_tokens(1_000);
        let submission = fx.spending(budget, 0)?.with_estimate(estimate).with_policy(policy);
        fx.submit(&submission).await?;
    }
    ensure_eq!(fx.spent(budget).await?, (0, 0), "waiting reserves nothing");

    let tasks = fx.claim_up_to(4).await?;

    ensure_eq!((tasks.len(), fx.spent(budget).await?), (3, (0, 9)));
    let view = fx.describe(tasks[0].execution_id).await?;
    let expected = [("input_tokens", 1_000), (TOKENS, 3)];
    ensure_eq!(view.estimate, expected.map(|(name, n)| (name.to_owned(), n)).into());
    ensure_eq!(view.reservation, Amounts::from([(TOKENS.to_owned(), 3)]));
    fx.backend.fail(&tasks[0].handle, &failure(FailureClass::Transient)).await?;
    ensure_eq!(fx.spent(budget).await?, (0, 6));
    fx.settle().await?;
    let next = fx.claim_up_to(4).await?;
    ensure_eq!((next.len(), fx.spent(budget).await?), (1, (0, 9)));
    Ok(())
}

/// A claim whose answer was lost and that is repeated has reserved once.
pub(crate) async fn repeated_claim_reserves_once(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    fx.submit_spending(budget, &[4, 4]).await?;
    let claim = fx.claim_request(crate::fixture::LANE)?;

    let first = fx.backend.claim(&claim).await?.tasks;
    let again = fx.backend.claim(&claim).await?.tasks;

    ensure_eq!(first[0].execution_id, again[0].execution_id);
    ensure_eq!(fx.spent(budget).await?, (0, 4));
    fx.usage(&again[0], &report(1, "a")).await?;
    fx.backend.complete(&first[0].handle, None).await?;
    fx.backend.complete(&again[0].handle, None).await?;
    ensure_eq!(fx.spent(budget).await?, (1, 0));
    Ok(())
}

/// What is reported comes out of the reservation, which others cannot take; what is over needs room.
pub(crate) async fn report_takes_from_the_reservation(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    fx.submit_spending(budget, &[6, 4]).await?;
    let [one, other] = [fx.claim_one().await?, fx.claim_one().await?];
    ensure_eq!(fx.spent(budget).await?, (0, 10));

    let over = fx.usage(&other, &report(5, "a")).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(budget, TOKENS.into(), 10, 0, 10)));
    ensure_eq!(fx.usage(&other, &report(4, "b")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.usage(&one, &report(2, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.spent(budget).await?, (6, 4));
    let left = fx.describe(one.execution_id).await?.reservation;
    ensure_eq!(left, Amounts::from([(TOKENS.to_owned(), 4)]));

    fx.raise(budget, 12).await?;
    ensure_eq!(fx.usage(&one, &report(6, "b")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.spent(budget).await?, (12, 0));
    ensure_eq!(fx.describe(one.execution_id).await?.reservation, Amounts::new());
    Ok(())
}

/// However a lease ends, what is left of its reservation goes back in the same step.
pub(crate) async fn reservation_goes_with_the_lease(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 600_000));
    for way in 0..10 {
        let submission = fx.spending(budget, 5)?.with_policy(policy.with_max_reclaims(way % 2));
        let task = fx.submit_and_claim(&submission).await?;
        let id = task.execution_id;
        let (used, reserved) = fx.spent(budget).await?;
        ensure_eq!((used, reserved), (u64::from(way), 5), "before end {way}");
        fx.usage(&task, &report(1, "a")).await?;
        match way {
            0 => fx.backend.complete(&task.handle, None).await?,
            1 => drop(fx.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?),
            2 => drop(fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?),
            3 => fx.backend.cancel(&task.handle, "enough").await?,
            4 => {
                let until = fx.in_ms(600_000).await;
                fx.backend.delay(&task.handle, &DelayRequest::until(until)).await?;
            }
            5 => {
                let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
                fx.suspend(&task.handle, &wait).await?;
            }
            6 => drop(fx.backend.revoke(&fx.revoke_request(id)).await?),
            7 | 8 => {
                fx.advance(LEASE_TTL_MS).await;
                fx.settle().await?;
            }
            _ => {
                fx.backend.cancel_execution(&fx.cancel_request(id, "enough")).await?;
                fx.backend.revoke(&fx.revoke_request(id)).await?;
            }
        }
        ensure_eq!(fx.spent(budget).await?, (u64::from(way) + 1, 0), "after end {way}");
        fx.backend.hold(&fx.hold_request(id)).await.ok();
        fx.raise(budget, 100).await?;
    }
    fx.check().await
}

/// A pause gives back what is left, and the resumed attempt reserves it again, not the whole estimate; with
/// nothing left it needs one unit of room.
pub(crate) async fn resumed_attempt_reserves_the_rest(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 8)?).await?;
    fx.usage(&task, &report(5, "a")).await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    ensure_eq!(fx.spent(budget).await?, (5, 0));
    let left = fx.describe(task.execution_id).await?.reservation;
    ensure_eq!(left, Amounts::from([(TOKENS.to_owned(), 3)]));

    let task = fx.reclaim_one().await?;
    ensure_eq!(fx.spent(budget).await?, (5, 3));
    fx.usage(&task, &report(5, "b")).await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    ensure_eq!(fx.spent(budget).await?, (10, 0));
    ensure_eq!(fx.tokens(1).await?.len(), 0, "it is used up");
    fx.assert_waits(task.execution_id, budget).await?;
    fx.raise(budget, 11).await?;
    fx.reclaim_one().await?;
    ensure_eq!(fx.spent(budget).await?, (10, 0));

    let other = fx.budget_of(10).await?;
    let first = fx.submit_and_claim(&fx.spending(other, 6)?).await?;
    fx.backend.delay(&first.handle, &DelayRequest::now()).await?;
    let token = fx.token().await?;
    ensure_eq!(fx.spent(other).await?, (0, 6), "a token reserves");
    fx.submit_spending(other, &[6]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
    fx.advance(limits::RECLAIM_GRANT_TTL_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.spent(other).await?, (0, 0), "a token that was not used gives it back");
    let void = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_code(void, "reclaim_token_void")?;
    let token = fx.token().await?;
    fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    ensure_eq!(fx.spent(other).await?, (0, 6));
    Ok(())
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

/// A maintainer that asks for one tag lets those go on that wait for a budget without tags; a budget with tags
/// is looked after by those that ask for them.
pub(crate) async fn untagged_is_looked_after_by_all(fx: Fixture) -> CaseResult {
    let tags = |value| Tags::new().with("instance", value);
    let filtered = |value: &str| ScannerFilter::new().with_instance_tag("instance", value);
    for (of_budget, asked, goes_on) in
        [(None, "one", true), (Some("one"), "one", true), (Some("one"), "two", false)]
    {
        let mut request = fx.budget(1);
        if let Some(value) = of_budget {
            request = request.with_tags(tags(value)?);
        }
        let budget = fx.make(&request).await?;
        let task = fx.submit_and_claim(&fx.spending(budget, 1)?).await?;
        let waiting = fx.submit(&fx.spending(budget, 1)?.with_tags(tags("one")?)).await?;
        ensure!(fx.claim_if_any().await?.is_none(), "it is reserved");
        fx.settle().await?;
        fx.backend.complete(&task.handle, None).await?;

        let quiet = fx.backend.tick_until_quiet(&filtered(asked)).await?;

        let state = fx.describe(waiting).await?.state;
        ensure_eq!(state == Ready, goes_on, "tagged {of_budget:?}, asked for {asked}");
        ensure!(goes_on || quiet.next_due.is_none_or(|at| at > TimestampMs(0)), "it is not theirs");
        fx.settle().await?;
        let task = fx.claim_one().await?;
        fx.backend.complete(&task.handle, None).await?;
    }
    Ok(())
}

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
        ensure_eq!(explained.reason, ExplainReason::AwaitingBudget { budget_id: budget });
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

/// Those that wait go on at the edge of the window, by a maintainer alone.
pub(crate) async fn window_lets_go_on(fx: Fixture) -> CaseResult {
    let window = BudgetWindow::every(ms(60_000));
    let budget = fx.make(&fx.budget(3).with_window(window)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(3, "a")).await?;
    fx.backend.complete(&task.handle, None).await?;
    let waiting = fx.submit_spending(budget, &[1, 2, 3]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it is used up");
    let view = fx.budget_view(budget).await?;
    let edge = view.resets_at().ok_or_else(|| CaseError::new("it has a window"))?;

    let due = fx.settle().await?.next_due;
    ensure_eq!(due, Some(edge));
    fx.advance(u64::try_from(edge.as_i64() - fx.now().await.as_i64())? - 1).await;
    fx.settle().await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 3);
    fx.advance(1).await;
    ensure_eq!(fx.spent(budget).await?, (0, 0), "before anybody looks at it");
    fx.settle().await?;

    ensure_eq!(fx.budget_view(budget).await?.blocked, 1);
    let tasks = fx.claim_up_to(3).await?;
    ensure_eq!(tasks.iter().map(|task| task.execution_id).collect::<Vec<_>>(), waiting[..2]);
    Ok(())
}

/// Five maintainers, claims and reports at the edge of a window reset it once: what is used after it stays.
pub(crate) async fn one_reset_a_window(fx: Fixture) -> CaseResult {
    let window = BudgetWindow::every(ms(60_000));
    let budget = fx.make(&fx.budget(100).with_window(window)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 0)?).await?;
    fx.usage(&task, &report(50, "a")).await?;
    fx.submit_spending(budget, &[60; 3]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room");
    let mut policy = fx.policy();
    policy.lease_ttl = Duration::from_mins(10);
    let edge = fx.budget_view(budget).await?.resets_at();
    let edge = edge.ok_or_else(|| CaseError::new("it has a window"))?;
    let mut claim = fx.claim_request(crate::fixture::LANE)?;
    claim.policy = policy;
    let long = fx.submit(&fx.submission("task")?.with_priority(1).with_budget(budget)).await?;
    ensure!(fx.claim_if_any().await?.is_some_and(|task| task.execution_id == long), "it goes first");
    fx.clock.set(edge).await;

    let mut maintainers = Vec::new();
    for _ in 0..5 {
        let fx = fx.clone();
        maintainers.push(tokio::spawn(async move { fx.settle().await }));
    }
    for one in maintainers {
        one.await??;
    }
    let one = fx.backend.claim(&claim).await?.tasks.pop();
    let one = one.ok_or_else(|| CaseError::new("the window let nobody go on"))?;
    fx.usage(&one, &report(10, "b")).await?;
    for _ in 0..5 {
        fx.settle().await?;
        fx.advance(1_000).await;
    }

    ensure_eq!(fx.spent(budget).await?, (10, 50));
    fx.check().await
}

/// A clock that steps back over the edge of a window and forward again resets nothing twice.
pub(crate) async fn clock_steps_reset_once(fx: Fixture) -> CaseResult {
    let window = BudgetWindow::every(ms(60_000));
    let budget = fx.make(&fx.budget(100).with_window(window)).await?;
    let mut claim = fx.claim_request(crate::fixture::LANE)?;
    claim.policy = claim.policy.with_lease_ttl(Duration::from_hours(1));
    fx.submit(&fx.spending(budget, 0)?).await?;
    let task = fx.backend.claim(&claim).await?.tasks.remove(0);
    fx.usage(&task, &report(50, "a")).await?;
    let edge = fx.budget_view(budget).await?.resets_at();
    let edge = edge.ok_or_else(|| CaseError::new("it has a window"))?;
    fx.clock.set(edge).await;
    fx.usage(&task, &report(10, "b")).await?;
    ensure_eq!(fx.spent(budget).await?, (10, 0));

    for (ms, used) in [(-1, 11), (-59_000, 12), (0, 13), (30_000, 14), (-1, 15), (59_999, 16)] {
        fx.clock.set(TimestampMs(edge.as_i64() + ms)).await;
        fx.usage(&task, &report(1, &format!("at {used}"))).await?;
        ensure_eq!(fx.spent(budget).await?, (used, 0), "at {ms} ms from the edge");
    }
    fx.clock.set(TimestampMs(edge.as_i64() + 60_000)).await;
    ensure_eq!(fx.spent(budget).await?, (0, 0));
    Ok(())
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

/// A budget that only reports lets everybody start and reserves nothing; its hard limit holds for reports.
pub(crate) async fn report_only_hands_out(fx: Fixture) -> CaseResult {
    let budget = fx.make(&fx.budget(3).with_on_breach(OnBreach::Report)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 100)?).await?;
    ensure_eq!(fx.spent(budget).await?, (0, 0));
    ensure_eq!(fx.usage(&task, &report(3, "a")).await?, UsageOutcome::Ok);

    let next = fx.submit_and_claim(&fx.spending(budget, 100)?).await?;

    let over = fx.usage(&next, &report(1, "a")).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(budget, TOKENS.into(), 3, 3, 0)));
    ensure_eq!(fx.spent(budget).await?, (3, 0));
    Ok(())
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
