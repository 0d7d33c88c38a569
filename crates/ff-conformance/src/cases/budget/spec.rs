//! What a budget is, and what may draw on it.

use std::time::Duration;

use ff_engine::{
    Breach, BudgetLimit, BudgetWindow, CreateBudget, FlowNode, FlowSpec, Idempotency, ListBudgets,
    OnBreach, Submission, UsageOutcome,
};
use ff_types::{IdempotencyKey, NodeKey, Tags, TimestampMs, limits};

use crate::Fixture;
use crate::budgets::{TOKENS, report};
use crate::expect::{
    Case, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["budget":
    create_repeat_is_harmless,
    id_clash_is_a_conflict,
    limits_are_enforced,
    unknown_is_not_found,
    describe_shows_all,
    listing_is_stable,
    adjust_repeat_is_harmless,
    first_budget_places,
    idempotency_key_counts_beside_the_budget,
    report_only_hands_out,
];

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
    let field = format!("limits.{TOKENS}");
    assert_invalid(fx.backend.create_budget(&of(limit)).await, &field)?;
    let named = of(BudgetLimit::COUNTED).with_limit("two words", BudgetLimit::COUNTED);
    assert_invalid(fx.backend.create_budget(&named).await, "limits")?;
    let refused = fx.backend.create_budget(&of(BudgetLimit::soft(over))).await;
    assert_too_large(refused, usize::try_from(over - 1)?, usize::try_from(over)?)?;
    let most = limits::BUDGET_DIMENSIONS_MAX;
    let many =
        (0..=most).fold(nothing, |one, i| one.with_limit(format!("d{i}"), BudgetLimit::COUNTED));
    assert_too_large(fx.backend.create_budget(&many).await, most, most + 1)?;
    let (shortest, longest) = (limits::BUDGET_WINDOW_MIN_MS, limits::BUDGET_WINDOW_MAX_MS);
    let no_whole_ms = ms(shortest) + Duration::from_micros(1);
    for every in [ms(shortest - 1), ms(longest + 1), no_whole_ms] {
        let window = fx.budget(1).with_window(BudgetWindow::every(every));
        assert_invalid(fx.backend.create_budget(&window).await, "window.every")?;
    }

    let adjust = || fx.adjusting(budget);
    let unknown = adjust().with_limit("pages", BudgetLimit::hard(1));
    assert_invalid(fx.backend.adjust_budget(&unknown).await, "limits.pages")?;
    let inverted = adjust().with_limit(TOKENS, limit);
    assert_invalid(fx.backend.adjust_budget(&inverted).await, &field)?;
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
    let named = fx.ids.together(known.shard()).budget_id();
    let naming = fx.extension(known, "", "").await?.with_budgets([named])?;
    let naming = naming.with_node(FlowNode::new(NodeKey::new("b")?, fx.submission("node")?));
    let before = fx.snapshot().await;

    let code = "budget_not_found";
    assert_code(fx.backend.describe_budget(unknown).await, code)?;
    assert_code(fx.backend.adjust_budget(&fx.adjusting(unknown)).await, code)?;
    assert_code(fx.backend.submit(&fx.spending(unknown, 1)?).await, code)?;
    assert_code(fx.backend.submit_flow(&flow).await, code)?;
    assert_code(fx.backend.submit_flow(&large).await, code)?;
    assert_code(fx.backend.extend_flow(&extension).await, code)?;
    assert_code(fx.backend.extend_flow(&naming).await, code)?;

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
    ensure_eq!(
        (view.window, view.on_breach, &view.tags),
        (Some(window), OnBreach::Fail, &request.tags)
    );
    let start = window.start_at(made_at);
    ensure_eq!(
        (view.window_started_at, view.resets_at()),
        (Some(start), Some(window.end_of(start)))
    );
    let tokens = view.dimensions[TOKENS];
    ensure_eq!(
        (tokens.limit, tokens.used, tokens.reserved),
        (BudgetLimit::soft_and_hard(5, 10), 2, 4)
    );
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

/// An execution and a flow are placed where the budget is that they name first, and one that is shared places
/// nothing: an idempotency key does then, whichever budgets are shared.
pub(crate) async fn first_budget_places(fx: Fixture) -> CaseResult {
    let here = CreateBudget::new(fx.ids.together(1).budget_id());
    let there = CreateBudget::new(fx.ids.together(2).budget_id());
    for request in [&here, &there] {
        fx.make(&request.clone().with_limit(TOKENS, BudgetLimit::hard(1))).await?;
    }
    let both = fx.submission("task")?.with_shared_budget(there.id).with_budget(here.id);
    let both = both.with_budget(fx.budget_of(1).await?);
    ensure_eq!(both.id().shard(), here.id.shard());
    let id = fx.submit(&both).await?;
    ensure_eq!(fx.describe(id).await?.budgets, both.budgets());

    let spec = FlowSpec::new(fx.ids.together(7).flow_id()).with_shared_budgets([there.id])?;
    ensure_eq!(spec.id().shard(), 7);
    let spec = FlowSpec::new(spec.id()).with_budgets([here.id, there.id])?;
    ensure_eq!(spec.id().shard(), here.id.shard());

    let keyed = |budget| -> CaseResult<Submission> {
        let key = Idempotency::new(IdempotencyKey::new("order-8")?);
        Ok(fx.submission("task")?.with_shared_budget(budget).with_idempotency(key))
    };
    let (one, other) = (keyed(here.id)?, keyed(there.id)?);
    ensure_eq!(one.id().shard(), other.id().shard());
    let first = fx.submit(&one).await?;
    ensure_eq!(fx.submit(&other).await?, first, "a shared budget takes no part in the key");
    Ok(())
}

/// One key names one execution among those that name the same budget first, and another beside another.
pub(crate) async fn idempotency_key_counts_beside_the_budget(fx: Fixture) -> CaseResult {
    let (one, other) = (fx.budget_of(10).await?, fx.budget_of(10).await?);
    let keyed = || -> CaseResult<Submission> {
        Ok(fx
            .submission("task")?
            .with_idempotency(Idempotency::new(IdempotencyKey::new("order-7")?)))
    };
    let first = fx.submit(&keyed()?.with_budget(one)).await?;

    ensure_eq!(fx.submit(&keyed()?.with_budget(one)).await?, first);
    ensure!(fx.submit(&keyed()?.with_budget(other)).await? != first, "the budget does not count");
    ensure!(fx.submit(&keyed()?).await? != first, "a key without a budget names it too");
    Ok(())
}

/// A budget that only reports lets everybody start and reserves nothing; its hard limit holds for reports.
pub(crate) async fn report_only_hands_out(fx: Fixture) -> CaseResult {
    let budget = fx.make(&fx.budget(3).with_on_breach(OnBreach::Report)).await?;
    let task = fx.submit_and_claim(&fx.spending(budget, 100)?).await?;
    ensure_eq!(fx.spent(budget).await?, (0, 0));
    ensure_eq!(fx.usage(&task, &report(3, "a")).await?, UsageOutcome::Ok);

    let next = fx.submit_and_claim(&fx.spending(budget, 100)?).await?;

    let over = fx.usage(&next, &report(1, "a")).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(budget, TOKENS.into(), 3, 3, 0, 1)));
    ensure_eq!(fx.spent(budget).await?, (3, 0));
    Ok(())
}
