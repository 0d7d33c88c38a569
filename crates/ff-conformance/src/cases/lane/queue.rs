//! How much may queue in a lane, and for how long.

use std::time::Duration;

use ff_engine::LaneSettings;
use ff_types::ExecutionState::{Active, Blocked, Expired, Ready};
use ff_types::backend::FailureClass;

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{failure, retry_after};
use crate::lanes::key;

pub(crate) const CASES: &[Case] = &cases!["lane":
    full_queue_refuses,
    time_to_live_ends_what_waits,
    time_to_live_ends_what_waits_for_a_budget,
];

/// One that would be too many is refused, and nothing of it stored; what is delayed or runs does not count.
pub(crate) async fn full_queue_refuses(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_max_queued(3)).await?;
    fx.submit_keys("- a b").await?;

    for refused in [fx.laned()?, fx.laned()?.with_lane_key(key("c")?)] {
        assert_code(fx.backend.submit(&refused).await, "lane_full")?;
        assert_code(fx.backend.describe_execution(refused.id()).await, "execution_not_found")?;
    }
    assert_code(fx.backend.submit_flow(&fx.laned_flow()?).await, "lane_full")?;

    fx.claim_one().await?;
    fx.submit(&fx.laned()?.with_delay_until(fx.in_ms(1_000).await)).await?;
    fx.submit(&fx.laned()?).await?;
    assert_code(fx.backend.submit(&fx.laned()?).await, "lane_full")?;
    fx.set_lane(LaneSettings::unlimited()).await?;
    fx.submit(&fx.laned()?).await?;
    fx.check().await
}

/// What is ready for longer than the time to live expires before its first attempt, by itself or when its
/// turn comes; a delay does not count, and what has started is left alone.
pub(crate) async fn time_to_live_ends_what_waits(fx: Fixture) -> CaseResult {
    let before = fx.submit_laned(1).await?[0];
    fx.set_lane(LaneSettings::unlimited().with_time_to_live(Duration::from_secs(10))).await?;
    let policy = fx.laned()?.policy.with_retry(retry_after(1, 0));
    let started = fx.submit(&fx.laned()?.with_policy(policy).with_priority(1)).await?;
    let task = fx.claim_one().await?;
    ensure_eq!(task.execution_id, started);
    let waiting = fx.submit_laned(2).await?;
    let delayed = fx.submit(&fx.laned()?.with_delay_until(fx.in_ms(10_000).await)).await?;
    let flow = fx.laned_flow()?;
    fx.backend.submit_flow(&flow).await?;
    let node = flow.id().member(0);

    fx.advance(9_000).await;
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    fx.settle().await?;
    fx.assert_is(waiting[1], Ready).await?;
    fx.advance(1_000).await;
    fx.settle().await?;
    for id in [waiting[0], waiting[1], node] {
        fx.assert_is(id, Expired).await?;
    }
    for id in [before, started, delayed] {
        fx.assert_is(id, Ready).await?;
    }
    let late = fx.submit(&fx.laned()?.with_priority(100)).await?;
    fx.advance(9_999).await;
    fx.assert_is(late, Ready).await?;
    fx.advance(1).await;
    let claimed = fx.claim_one().await?.execution_id;
    ensure!(claimed != late, "it started too late");
    fx.settle().await?;
    fx.assert_is(late, Expired).await?;
    fx.assert_is(delayed, Expired).await?;
    fx.assert_is(claimed, Active).await?;
    fx.check().await
}

/// Waiting for room in a budget counts as well, and does not outlive the time; a hold stops it.
pub(crate) async fn time_to_live_ends_what_waits_for_a_budget(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_time_to_live(Duration::from_secs(10))).await?;
    let budget = fx.budget_of(10).await?;
    let holder = fx.submit_and_claim(&fx.spending(budget, 6)?).await?;
    let waiting = fx.submit(&fx.spending(budget, 6)?).await?;
    let held = fx.submit(&fx.spending(budget, 6)?).await?;
    for _ in 0..2 {
        ensure!(fx.claim_if_any().await?.is_none(), "there is no room");
    }
    fx.backend.hold(&fx.hold_request(held)).await?;

    fx.advance(9_999).await;
    fx.settle().await?;
    fx.assert_waits(waiting, budget).await?;
    fx.advance(1).await;
    fx.settle().await?;

    fx.assert_is(waiting, Expired).await?;
    fx.assert_is(held, Blocked).await?;
    ensure_eq!(fx.budget_view(budget).await?.blocked, 0);
    fx.backend.complete(&holder.handle, None).await?;
    fx.check().await
}
