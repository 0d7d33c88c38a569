//! `explain`: why an execution is not running.

use ff_engine::{DelayRequest, ExplainReason, Explanation};
use ff_types::backend::CapabilitySet;
use ff_types::ExecutionState::{Active, Blocked, Completed, Delayed, Ready};
use ff_types::{LaneId, TerminalOutcome, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["explain":
    names_the_first_reason,
    agrees_with_claim,
];

/// In every state the first thing that stands in the way is named, with the time at which it clears
/// by itself.
pub(crate) async fn names_the_first_reason(fx: Fixture) -> CaseResult {
    let told = async |id, state, reason, clears_at: Option<TimestampMs>| {
        let expected = Explanation::new(state, reason, clears_at);
        ensure_eq!(fx.backend.explain(id).await?, expected);
        CaseResult::Ok(())
    };
    let start = fx.in_ms(60_000).await;
    let id = fx.submit(&fx.submission("task")?.with_delay_until(start)).await?;
    told(id, Delayed, ExplainReason::Delayed, Some(start)).await?;
    fx.backend.hold(&fx.hold_request(id)).await?;
    told(id, Blocked, ExplainReason::Held, None).await?;
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;
    told(id, Delayed, ExplainReason::Delayed, Some(start)).await?;

    fx.advance(60_000).await;
    told(id, Delayed, ExplainReason::AwaitingMaintenance, Some(start)).await?;
    fx.settle().await?;
    told(id, Ready, queued_behind(0, &[])?, None).await?;

    let task = fx.claim_one().await?;
    let (worker, instance) = fx.worker_ids();
    told(id, Active, ExplainReason::Running { worker, instance }, None).await?;
    fx.advance(LEASE_TTL_MS).await;
    let expiry = Some(task.lease_expires_at);
    told(id, Active, ExplainReason::AwaitingMaintenance, expiry).await?;
    fx.settle().await?;
    told(id, Ready, awaiting_reclaim()?, None).await?;

    fx.token().await?;
    let back = fx.in_ms(limits::RECLAIM_GRANT_TTL_MS).await;
    told(id, Ready, ExplainReason::TokenOutstanding, Some(back)).await?;
    fx.advance(limits::RECLAIM_GRANT_TTL_MS - 1).await;
    told(id, Ready, ExplainReason::TokenOutstanding, Some(back)).await?;
    fx.advance(1).await;
    told(id, Ready, ExplainReason::AwaitingMaintenance, Some(back)).await?;
    fx.settle().await?;
    told(id, Ready, awaiting_reclaim()?, None).await?;
    let token = fx.token().await?;
    let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    let until = fx.in_ms(1_000).await;
    fx.backend.delay(&task.handle, &DelayRequest::until(until)).await?;
    told(id, Delayed, ExplainReason::Delayed, Some(until)).await?;

    let ended = fx.completed().await?.execution_id;
    told(ended, Completed, ExplainReason::Ended(TerminalOutcome::Completed), None).await
}

/// What is called queued a claim gets, after exactly as many as are said to be ahead; what is
/// called anything else it does not get.
pub(crate) async fn agrees_with_claim(fx: Fixture) -> CaseResult {
    let later = fx.in_ms(60_000).await;
    let mut all = vec![fx.lost().await?.execution_id];
    all.extend(fx.submit_many(3).await?);
    for priority in [5, -5, 0] {
        all.push(fx.submit(&fx.submission("task")?.with_priority(priority)).await?);
    }
    all.push(fx.submit(&fx.submission("task")?.with_delay_until(later)).await?);
    let held = fx.submit_default().await?;
    fx.backend.hold(&fx.hold_request(held)).await?;
    let missed = fx.submission("task")?.with_deadline(fx.in_ms(1).await);
    let foreign = CapabilitySet::from_tokens(["gpu"])?;
    let foreign = fx.submission("task")?.with_capabilities(foreign).with_priority(50);
    let foreign = fx.submit(&foreign).await?;
    all.extend([held, fx.submit(&missed).await?]);
    fx.clock.advance(ms(1)).await;
    let last = fx.submission("task")?.with_priority(-10);
    all.push(fx.submit(&last).await?);

    let mut queued = Vec::new();
    for id in &all {
        if let ExplainReason::Queued { ahead, .. } = fx.backend.explain(*id).await?.reason {
            queued.push((ahead, *id));
        }
    }
    queued.sort_unstable();
    let ahead = fx.backend.explain(foreign).await?.reason;

    let claimed: Vec<_> =
        fx.claim_up_to(100).await?.into_iter().map(|task| task.execution_id).collect();
    ensure_eq!(queued.iter().map(|(_, id)| *id).collect::<Vec<_>>(), claimed);
    ensure_eq!(ahead, queued_behind(0, &["gpu"])?, "counted among its own requirements");
    ensure!(queued.iter().all(|(ahead, _)| *ahead < 100), "{queued:?}");
    Ok(())
}

fn queued_behind(ahead: u32, requires: &[&str]) -> CaseResult<ExplainReason> {
    let requires = CapabilitySet::from_tokens(requires)?;
    Ok(ExplainReason::Queued { lane: LaneId::new(LANE)?, requires, ahead })
}

fn awaiting_reclaim() -> CaseResult<ExplainReason> {
    let requires = CapabilitySet::new();
    Ok(ExplainReason::AwaitingReclaim { lane: LaneId::new(LANE)?, requires })
}
