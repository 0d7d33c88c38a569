//! Reports of usage: what is counted, where, and how often.

use std::sync::Arc;

use ff_engine::{Amounts, Breach, BudgetLimit, UsageOutcome};
use ff_types::backend::{FailureClass, UsageDimensions};
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::budgets::{TOKENS, report};
use crate::expect::{
    Case, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::{failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["budget":
    report_is_counted,
    report_is_all_or_nothing,
    report_counts_once,
    report_limits_are_enforced,
    soft_limit_is_told,
    no_overshoot,
];

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
    ensure_eq!(
        fx.describe(free.execution_id).await?.usage,
        Amounts::from([(TOKENS.to_owned(), 3)])
    );
    Ok(())
}

/// When one dimension of one budget has no room, nothing is counted, neither in that budget nor in another
/// nor with the execution, and the answer says which.
pub(crate) async fn report_is_all_or_nothing(fx: Fixture) -> CaseResult {
    let (wide, narrow) =
        (fx.budget_of(100).await?, fx.budget(10).with_limit("pages", BudgetLimit::hard(2)));
    let narrow = fx.make(&narrow).await?;
    let submission = fx.submission("task")?.with_budget(wide).with_budget(narrow);
    let task = fx.submit_and_claim(&submission).await?;
    fx.usage(&task, &report(4, "a").with_custom("pages", 1)).await?;
    let before = fx.snapshot().await;

    let over = fx.usage(&task, &report(1, "b").with_custom("pages", 2)).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(narrow, "pages".into(), 2, 1, 0, 2)));
    let over = fx.usage(&task, &report(7, "c")).await?;
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(narrow, TOKENS.into(), 10, 4, 0, 7)));

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
        |used, by| UsageOutcome::SoftBreach(Breach::new(budget, TOKENS.to_owned(), 5, used, 0, by));

    ensure_eq!(fx.usage(&task, &report(5, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.usage(&task, &report(1, "b")).await?, passed(6, 1));
    ensure_eq!(fx.usage(&task, &report(4, "c")).await?, passed(10, 4));
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
                counted +=
                    u64::from(matches!(outcome, UsageOutcome::Ok | UsageOutcome::AlreadyApplied));
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
