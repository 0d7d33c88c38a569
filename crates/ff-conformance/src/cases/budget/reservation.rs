//! Reservations: taken with the lease, spent by reports, and given back with the lease.

use ff_engine::{Amounts, Breach, DelayRequest, SuspendCondition, UsageOutcome};
use ff_types::backend::FailureClass;
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::budgets::{TOKENS, report, tokens};
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["budget":
    estimate_is_reserved_with_the_lease,
    repeated_claim_reserves_once,
    report_takes_from_the_reservation,
    reservation_goes_with_the_lease,
    resumed_attempt_reserves_the_rest,
    token_not_used_leaves_no_reservation,
    report_within_its_reservation_needs_no_room,
];

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
    ensure_eq!(over, UsageOutcome::HardBreach(Breach::new(budget, TOKENS.into(), 10, 0, 10, 5)));
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

/// What a token has reserved for a new attempt is not there any more, in the budget and in the view of the
/// execution, once the token is over.
pub(crate) async fn token_not_used_leaves_no_reservation(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let submission = fx.spending(budget, 0)?.with_estimate(tokens(6).with_input_tokens(9));
    let id = fx.submit_and_claim(&submission).await?.execution_id;
    let six = Amounts::from([(TOKENS.to_owned(), 6)]);
    ensure_eq!(fx.describe(id).await?.reservation, six);
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.describe(id).await?.reservation, Amounts::new(), "the lease is lost");

    fx.token().await?;
    ensure_eq!(
        (fx.describe(id).await?.reservation, fx.spent(budget).await?),
        (six.clone(), (0, 6))
    );
    fx.advance(limits::RECLAIM_GRANT_TTL_MS).await;
    fx.settle().await?;
    let none = (Amounts::new(), (0, 0));
    ensure_eq!(
        (fx.describe(id).await?.reservation, fx.spent(budget).await?),
        none,
        "it has returned"
    );

    fx.token().await?;
    fx.backend.hold(&fx.hold_request(id)).await?;
    ensure_eq!((fx.describe(id).await?.reservation, fx.spent(budget).await?), none, "it is held");
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;
    let token = fx.token().await?;
    fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    ensure_eq!((fx.describe(id).await?.reservation, fx.spent(budget).await?), (six, (0, 6)));
    fx.check().await
}

/// What a report takes of its reservation is granted already, also when the limit was lowered below what is reserved
/// meanwhile. Usage stays within the limit as it is now, and what is not reserved needs room.
pub(crate) async fn report_within_its_reservation_needs_no_room(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(10).await?;
    let one = fx.submit_and_claim(&fx.spending(budget, 5)?).await?;
    let other = fx.submit_and_claim(&fx.spending(budget, 5)?).await?;
    fx.raise(budget, 6).await?;

    ensure_eq!(fx.usage(&one, &report(4, "a")).await?, UsageOutcome::Ok);
    ensure_eq!(fx.spent(budget).await?, (4, 6));
    let over = fx.usage(&one, &report(2, "b")).await?;
    ensure!(matches!(over, UsageOutcome::HardBreach(_)), "one is reserved: {over:?}");
    ensure_eq!(fx.usage(&other, &report(2, "a")).await?, UsageOutcome::Ok);
    let beyond = fx.usage(&other, &report(1, "b")).await?;
    ensure!(matches!(beyond, UsageOutcome::HardBreach(_)), "it is used up: {beyond:?}");
    ensure_eq!(fx.spent(budget).await?, (6, 4));
    fx.check().await
}
