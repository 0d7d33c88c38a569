//! `tick`: what time does, in bounded steps.

use std::sync::Arc;

use ff_engine::{DelayRequest, TickRequest};
use ff_types::backend::ScannerFilter;
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, Namespace, Tags, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_invalid, assert_state, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["tick":
    ends_delays_in_order,
    next_due_is_exact,
    is_bounded,
    waits_for_what_comes_due,
    filter_is_honoured,
    filter_is_not_starved,
    survives_clock_steps,
    limits_are_enforced,
];

const HOUR_MS: u64 = 3_600_000;

async fn delayed(fx: &Fixture, until: TimestampMs, tag: &str) -> CaseResult<ExecutionId> {
    let tags = Tags::new().with("instance", tag)?;
    fx.submit(&fx.submission("task")?.with_delay_until(until).with_tags(tags)).await
}

fn only(tag: &str) -> ScannerFilter {
    ScannerFilter::new().with_instance_tag("instance", tag)
}

/// Delays that are over make their executions ready in the order of their due times, however late
/// maintenance comes, and among those that were ready at that time already.
pub(crate) async fn ends_delays_in_order(fx: Fixture) -> CaseResult {
    let second = delayed(&fx, fx.in_ms(20).await, "a").await?;
    let fourth = delayed(&fx, fx.in_ms(40).await, "a").await?;
    let first = delayed(&fx, fx.in_ms(10).await, "a").await?;
    fx.advance(30).await;
    let third = fx.submit_default().await?;
    fx.advance(30).await;
    let fifth = fx.submit_default().await?;

    fx.settle().await?;

    let claimed: Vec<_> =
        fx.claim_up_to(10).await?.into_iter().map(|task| task.execution_id).collect();
    ensure_eq!(claimed, [first, second, third, fourth, fifth]);
    Ok(())
}

/// `next_due` is the very millisecond at which the next call has something to do: one before it
/// does nothing, and at it something; with nothing ahead there is none.
pub(crate) async fn next_due_is_exact(fx: Fixture) -> CaseResult {
    ensure_eq!(fx.tick().await?.next_due, None, "in an empty namespace");
    let policy = ExecutionPolicy::default().with_retention(ms(7_000));
    let kept = |fx: &Fixture| CaseResult::Ok(fx.submission("task")?.with_policy(policy));
    fx.submit(&kept(&fx)?).await?;
    ensure_eq!(fx.tick().await?.next_due, None, "with a ready execution only");
    let task = fx.claim_one().await?;
    let paused = fx.submit_and_claim(&kept(&fx)?).await?;
    let until = fx.in_ms(1_000).await;
    fx.backend.delay(&paused.handle, &DelayRequest::until(until)).await?;
    let deadline = fx.in_ms(9_000).await;
    fx.submit(&kept(&fx)?.with_deadline(deadline).with_priority(-1)).await?;
    fx.submit(&kept(&fx)?.with_delay_until(fx.in_ms(100).await).with_priority(-2)).await?;
    let mut steps = Vec::new();

    while let Some(due) = fx.tick().await?.next_due {
        let now = fx.now().await;
        ensure!(due > now, "due at {due}, which is not ahead of {now}");
        fx.clock.advance(due.saturating_since(now).saturating_sub(ms(1))).await;
        ensure_eq!(fx.tick().await?.handled(), 0, "a millisecond before {due}");
        fx.advance(1).await;
        let outcome = fx.tick().await?;
        ensure!(outcome.handled() > 0, "nothing was due at {due}");
        steps.push(due);
        if outcome.delays_over > 0
            && let Some(token) = fx.tokens(1).await?.pop()
        {
            let resumed = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
            fx.backend.complete(&resumed.handle, None).await?;
        }
        if outcome.leases_lost > 0 {
            fx.token().await?;
        }
        if outcome.grants_returned > 0 {
            fx.backend
                .cancel_execution(&fx.cancel_request(task.execution_id, "enough"))
                .await?;
        }
    }

    let start = until.saturating_sub(ms(1_000));
    let expected = [
        100,
        1_000,
        8_000,
        9_000,
        16_000,
        LEASE_TTL_MS,
        LEASE_TTL_MS + limits::RECLAIM_GRANT_TTL_MS,
        LEASE_TTL_MS + limits::RECLAIM_GRANT_TTL_MS + 7_000,
    ];
    ensure_eq!(steps, expected.map(|after| start.saturating_add(ms(after))));
    Ok(())
}

/// One call handles at most as many executions as its limit says, the longest due first, and
/// `next_due` tells that more is due.
pub(crate) async fn is_bounded(fx: Fixture) -> CaseResult {
    let mut ids = Vec::new();
    for index in 0..25 {
        ids.push(delayed(&fx, fx.in_ms(100 - index).await, "a").await?);
    }
    fx.advance(1_000).await;

    for handled in [10, 20, 25] {
        let outcome = fx.backend.tick(&TickRequest::all().with_limit(10)).await?;
        ensure_eq!(outcome.delays_over, if handled == 25 { 5 } else { 10 });
        ensure_eq!(outcome.next_due.is_some_and(|due| due <= TimestampMs::MAX), handled < 25);
        for (index, id) in ids.iter().rev().enumerate() {
            let state = fx.describe(*id).await?.state;
            ensure_eq!(state == ExecutionState::Ready, index < handled, "the {index}th due");
        }
    }
    Ok(())
}

/// A tick that waits returns when something comes due, also something that was made while it waits,
/// and does it.
pub(crate) async fn waits_for_what_comes_due(fx: Fixture) -> CaseResult {
    let request = TickRequest::all().with_max_wait(ms(60_000));
    let backend = Arc::clone(&fx.backend);
    let waiting = tokio::spawn(async move { backend.tick(&request).await });
    fx.let_others_run().await;

    let id = delayed(&fx, fx.in_ms(20).await, "a").await?;
    fx.let_others_run().await;
    ensure!(!waiting.is_finished(), "it returned with nothing due");
    fx.advance(20).await;
    let outcome = fx.promptly(waiting).await???;

    ensure_eq!(outcome.delays_over, 1);
    ensure_eq!(fx.describe(id).await?.state, ExecutionState::Ready);
    Ok(())
}

/// What the filter does not match is left alone, in what is done and in `next_due`.
pub(crate) async fn filter_is_honoured(fx: Fixture) -> CaseResult {
    let (soon, later) = (fx.in_ms(10).await, fx.in_ms(5_000).await);
    let green = delayed(&fx, soon, "green").await?;
    let blue = delayed(&fx, soon, "blue").await?;
    let untagged = fx.submit(&fx.submission("task")?.with_delay_until(soon)).await?;
    delayed(&fx, later, "blue").await?;
    fx.advance(10).await;
    let tick = async |filter| fx.backend.tick(&TickRequest::all().with_filter(filter)).await;
    let before = fx.snapshot().await;

    let elsewhere = ScannerFilter::new().with_namespace(Namespace::new("another-namespace")?);
    tick(elsewhere).await?;
    tick(only("red")).await?;
    tick(ScannerFilter::new().with_instance_tag("other", "blue")).await?;
    ensure_eq!(fx.snapshot().await, before);

    let outcome = tick(only("blue")).await?;
    ensure_eq!(outcome.next_due, Some(later));
    fx.assert_is(blue, ExecutionState::Ready).await?;
    fx.assert_is(green, ExecutionState::Delayed).await?;
    fx.assert_is(untagged, ExecutionState::Delayed).await?;

    let own = fx.backend.namespace().clone();
    tick(ScannerFilter::new().with_namespace(own)).await?;
    fx.assert_is(green, ExecutionState::Ready).await?;
    fx.assert_is(untagged, ExecutionState::Ready).await
}

/// A filtered call does a full measure of its own work, however much that it must skip has been due
/// for longer.
pub(crate) async fn filter_is_not_starved(fx: Fixture) -> CaseResult {
    let mut batch = Vec::new();
    let tags = Tags::new().with("instance", "green")?;
    for _ in 0..500 {
        let green = fx.submission("task")?.with_tags(tags.clone());
        batch.push(green.with_delay_until(fx.in_ms(1).await));
    }
    for submitted in fx.backend.submit_batch(&batch).await? {
        submitted?;
    }
    let mut blue = Vec::new();
    for _ in 0..10 {
        blue.push(delayed(&fx, fx.in_ms(2).await, "blue").await?);
    }
    fx.advance(10).await;

    fx.backend.tick(&TickRequest::all().with_filter(only("blue")).with_limit(10)).await?;

    for id in blue {
        fx.assert_is(id, ExecutionState::Ready).await?;
    }
    fx.assert_is(batch[0].id(), ExecutionState::Delayed).await
}

/// The store's clock may step by an hour in either direction: every execution still runs to its end,
/// and no two holders can write.
pub(crate) async fn survives_clock_steps(fx: Fixture) -> CaseResult {
    for forward in [false, true] {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let start = fx.in_ms(10_000).await;
        let delayed = delayed(&fx, start, "a").await?;
        let ready = fx.submit(&fx.submission("task")?.with_priority(1)).await?;

        let now = fx.now().await;
        let stepped = if forward { now.saturating_add(ms(HOUR_MS)) } else { now.saturating_sub(ms(HOUR_MS)) };
        fx.clock.set(stepped).await;
        fx.settle().await?;
        fx.check().await?;

        let holder = if forward {
            let next = fx.reclaim_one().await?;
            assert_state(fx.backend.complete(&task.handle, None).await, "stale_lease")?;
            next
        } else {
            ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens while the lease lives");
            fx.backend.renew(&task.handle).await?;
            task
        };
        ensure_eq!(fx.claim_one().await?.execution_id, ready);
        ensure_eq!(fx.claim_if_any().await?.is_some(), forward, "the delay is over");

        fx.clock.set(now).await;
        fx.settle().await?;
        fx.check().await?;
        fx.clock.set(now.saturating_add(ms(2 * HOUR_MS))).await;
        assert_state(fx.backend.complete(&holder.handle, None).await, "lease_expired")?;
        fx.settle().await?;
        if let Some(task) = fx.claim_if_any().await? {
            fx.backend.complete(&task.handle, None).await?;
        }
        for token in fx.tokens(10).await? {
            let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
            fx.backend.complete(&task.handle, None).await?;
        }
        for id in [holder.execution_id, delayed, ready] {
            fx.assert_is(id, ExecutionState::Completed).await?;
        }
    }
    Ok(())
}

/// One call handles 1 to 10,000 executions.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let patient = TickRequest::all().with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1));
    assert_invalid(fx.backend.tick(&patient).await, "max_wait")?;
    fx.running().await?;
    fx.advance(LEASE_TTL_MS).await;
    let before = fx.snapshot().await;

    for limit in [0, limits::TICK_LIMIT_MAX + 1] {
        let request = TickRequest::all().with_limit(limit);
        assert_invalid(fx.backend.tick(&request).await, "limit")?;
    }
    ensure_eq!(fx.snapshot().await, before);

    for limit in [1, limits::TICK_LIMIT_MAX] {
        fx.backend.tick(&TickRequest::all().with_limit(limit)).await?;
    }
    Ok(())
}
