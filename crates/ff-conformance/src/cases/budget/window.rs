//! Windows, and who looks after them.

use std::time::Duration;

use ff_engine::{BudgetWindow, EngineBackendExt};
use ff_types::ExecutionState::Ready;
use ff_types::backend::ScannerFilter;
use ff_types::{Tags, TimestampMs};

use crate::Fixture;
use crate::budgets::report;
use crate::expect::{Case, CaseError, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["budget":
    window_lets_go_on,
    one_reset_a_window,
    clock_steps_reset_once,
    untagged_is_looked_after_by_all,
];

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
    ensure!(
        fx.claim_if_any().await?.is_some_and(|task| task.execution_id == long),
        "it goes first"
    );
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
