//! `explain`: why an execution is not running.

use ff_engine::{
    AdjustLane, DelayRequest, ExplainReason, Explanation, LaneBarrier, LaneState, Submission, Task,
};
use ff_types::ExecutionState::{Active, Blocked, Completed, Delayed, Ready};
use ff_types::backend::CapabilitySet;
use ff_types::{LaneId, TerminalOutcome, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["explain":
    names_the_first_reason,
    agrees_with_claim,
    names_what_nobody_offers,
    offers_live_with_their_worker,
    a_waiting_worker_offers,
    an_offer_outlives_shorter_ones,
    a_token_leaves_no_offer_behind,
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
    ensure_eq!(ahead, nobody_offers(&["gpu"], &["gpu"])?);
    offer(&fx, LANE, &["gpu", "large"], None).await?;
    let second = fx.submit(&needing(&fx, &["gpu"])?.with_priority(40)).await?;
    let behind = fx.backend.explain(second).await?.reason;
    ensure_eq!(behind, queued_behind(0, &["gpu"])?, "counted among its own requirements");
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

fn nobody_offers(requires: &[&str], missing: &[&str]) -> CaseResult<ExplainReason> {
    let (requires, missing) =
        (CapabilitySet::from_tokens(requires)?, CapabilitySet::from_tokens(missing)?);
    Ok(ExplainReason::NoCapableWorker { lane: LaneId::new(LANE)?, requires, missing })
}

fn needing(fx: &Fixture, requires: &[&str]) -> CaseResult<Submission> {
    let requires = CapabilitySet::from_tokens(requires)?;
    Ok(fx.submission("task")?.with_capabilities(requires))
}

/// A claim by another worker of what there is, under leases of this length.
async fn offer(
    fx: &Fixture,
    lane: &str,
    tokens: &[&str],
    ttl_ms: Option<u64>,
) -> CaseResult<Vec<Task>> {
    let mut request = fx.worker().claim_request(lane)?;
    request.capabilities = CapabilitySet::from_tokens(tokens)?;
    request.policy.lease_ttl = ttl_ms.map_or(request.policy.lease_ttl, ms);
    Ok(fx.backend.claim(&request).await?.tasks)
}

/// What is ready and requires what no live worker of its lane offers is said to wait for that, with what is
/// missing; nothing is missing when each capability is offered, but not all by one worker. What
/// other lanes are offered does not count, nor does an offer without lease or claim for 2 min. A closed lane is
/// named first, and what waits for something else waits for that.
pub(crate) async fn names_what_nobody_offers(fx: Fixture) -> CaseResult {
    let told = async |id, expected: ExplainReason| {
        ensure_eq!(fx.backend.explain(id).await?.reason, expected);
        CaseResult::Ok(())
    };
    let id = fx.submit(&needing(&fx, &["gpu", "large"])?).await?;
    let plain = fx.submit_default().await?;
    told(id, nobody_offers(&["gpu", "large"], &["gpu", "large"])?).await?;
    told(plain, queued_behind(0, &[])?).await?;

    offer(&fx, "other", &["gpu", "large"], None).await?;
    offer(&fx, LANE, &[], None).await?;
    told(id, nobody_offers(&["gpu", "large"], &["gpu", "large"])?).await?;
    offer(&fx, LANE, &["fast", "gpu"], None).await?;
    told(id, nobody_offers(&["gpu", "large"], &["large"])?).await?;
    offer(&fx, LANE, &["large"], None).await?;
    told(id, nobody_offers(&["gpu", "large"], &[])?).await?;
    fx.backend.hold(&fx.hold_request(id)).await?;
    told(id, ExplainReason::Held).await?;
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;

    let task = offer(&fx, LANE, &["gpu", "large", "more"], None).await?.pop();
    let task = task.ok_or_else(|| CaseError::new("it can be claimed"))?;
    ensure_eq!(task.execution_id, id);
    fx.backend.complete(&task.handle, None).await?;
    let id = fx.submit(&needing(&fx, &["gpu", "large"])?).await?;
    told(id, queued_behind(0, &["gpu", "large"])?).await?;
    fx.advance(limits::OFFER_LIVES_MS - 1).await;
    told(id, queued_behind(0, &["gpu", "large"])?).await?;
    fx.advance(1).await;
    told(id, nobody_offers(&["gpu", "large"], &["gpu", "large"])?).await?;

    let lane = LaneId::new(LANE)?;
    let pause = AdjustLane::new(fx.ids.request_id(), lane.clone()).with_state(LaneState::Paused);
    fx.backend.adjust_lane(&pause).await?;
    told(id, ExplainReason::LaneClosed { lane, barrier: LaneBarrier::Paused }).await
}

/// A worker that renews a lease offers what it claimed it with, in its lane, for 2 min or as long as the lease lasts;
/// one that lost it does not, and what it lost waits for a worker that can take it up.
pub(crate) async fn offers_live_with_their_worker(fx: Fixture) -> CaseResult {
    let long: Vec<String> = (0..8).map(|n| format!("capability-{n}")).collect();
    let mut long: Vec<&str> = long.iter().map(String::as_str).collect();
    long.push("gpu");
    for (tokens, ttl_ms) in
        [(vec!["gpu"], LEASE_TTL_MS), (long, LEASE_TTL_MS), (vec!["gpu"], 600_000)]
    {
        let fx = fx.second().await?;
        let lives_ms = ttl_ms.max(limits::OFFER_LIVES_MS);
        fx.submit(&needing(&fx, &["gpu"])?).await?;
        let task = offer(&fx, LANE, &tokens, Some(ttl_ms)).await?.pop();
        let task = task.ok_or_else(|| CaseError::new("it can be claimed"))?;
        let next = fx.submit(&needing(&fx, &["gpu"])?).await?;
        let mut passed = 0;
        while passed <= lives_ms {
            fx.advance(ttl_ms / 2).await;
            fx.backend.renew(&task.handle).await?;
            passed += ttl_ms / 2;
        }
        ensure_eq!(fx.backend.explain(next).await?.reason, queued_behind(0, &["gpu"])?);
        fx.advance(lives_ms).await;
        fx.settle().await?;
        for id in [next, task.execution_id] {
            let told = fx.backend.explain(id).await?.reason;
            ensure_eq!(told, nobody_offers(&["gpu"], &["gpu"])?);
        }

        let mut scan = fx.reclaim_request(1)?;
        scan.capabilities = CapabilitySet::from_tokens(["gpu"])?;
        let token = fx.backend.reclaimable(&scan).await?.pop();
        let token = token.ok_or_else(|| CaseError::new("the lost one can be taken up"))?;
        let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
        for _ in 0..=limits::OFFER_LIVES_MS / LEASE_TTL_MS * 2 {
            fx.advance(LEASE_TTL_MS / 2).await;
            fx.backend.renew(&task.handle).await?;
        }
        ensure_eq!(fx.backend.explain(next).await?.reason, queued_behind(0, &["gpu"])?);
    }
    Ok(())
}

/// What is offered under a long lease counts as long as that lasts, also when others offer the same for
/// less.
pub(crate) async fn an_offer_outlives_shorter_ones(fx: Fixture) -> CaseResult {
    const LONG_MS: u64 = 600_000;
    fx.submit(&needing(&fx, &["gpu"])?).await?;
    let held = offer(&fx, LANE, &["gpu"], Some(LONG_MS)).await?;
    ensure_eq!(held.len(), 1);
    let mut scan = fx.reclaim_request(1)?;
    scan.capabilities = CapabilitySet::from_tokens(["gpu"])?;
    ensure!(fx.backend.reclaimable(&scan).await?.is_empty(), "nothing is lost");
    ensure!(offer(&fx, LANE, &["gpu"], None).await?.is_empty(), "there is nothing for it");
    let next = fx.submit(&needing(&fx, &["gpu"])?).await?;

    fx.advance(LONG_MS - 1).await;

    ensure_eq!(fx.backend.explain(next).await?.reason, queued_behind(0, &["gpu"])?);
    fx.advance(1).await;
    ensure_eq!(fx.backend.explain(next).await?.reason, nobody_offers(&["gpu"], &["gpu"])?);
    Ok(())
}

/// Who was handed out a reclaim token, and let it return, offers nothing through the lease of the one who takes
/// the execution up.
pub(crate) async fn a_token_leaves_no_offer_behind(fx: Fixture) -> CaseResult {
    let long: Vec<String> = (0..8).map(|n| format!("capability-{n}")).collect();
    for tokens in [vec!["gpu".to_owned()], long] {
        let fx = fx.second().await?;
        let id = fx.submit(&fx.submission("task")?).await?;
        fx.claim_one().await?;
        fx.advance(LEASE_TTL_MS).await;
        fx.settle().await?;
        let mut scan = fx.reclaim_request(1)?;
        scan.capabilities = CapabilitySet::from_tokens(&tokens)?;
        ensure_eq!(fx.backend.reclaimable(&scan).await?.len(), 1);
        fx.advance(limits::RECLAIM_GRANT_TTL_MS).await;
        fx.settle().await?;
        let token = fx.backend.reclaimable(&fx.reclaim_request(1)?).await?.pop();
        let token = token.ok_or_else(|| CaseError::new("the lost one can be taken up"))?;
        let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
        ensure_eq!(task.execution_id, id);
        for _ in 0..=limits::OFFER_LIVES_MS / LEASE_TTL_MS * 2 {
            fx.advance(LEASE_TTL_MS / 2).await;
            fx.backend.renew(&task.handle).await?;
        }

        let one = tokens[0].as_str();
        let next = fx.submit(&needing(&fx, &[one])?).await?;
        ensure_eq!(fx.backend.explain(next).await?.reason, nobody_offers(&[one], &[one])?);
    }
    Ok(())
}

/// A worker that waits for work offers what it asked with as long as it waits.
pub(crate) async fn a_waiting_worker_offers(fx: Fixture) -> CaseResult {
    let rounds = ["first", "second", "third"];
    let all = [&rounds[..], &["large"]].concat();
    let id = fx.submit(&needing(&fx, &all)?).await?;
    let is_offered = async |token| match fx.backend.explain(id).await?.reason {
        ExplainReason::NoCapableWorker { missing, .. } => Ok(!missing.contains(token)),
        other => Err(CaseError::new(format!("not offered by anybody: {other}"))),
    };
    let worker = fx.worker();
    for token in rounds {
        let mut request = worker.claim_request(LANE)?;
        request.capabilities = CapabilitySet::from_tokens([token])?;
        request.policy = request.policy.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        let backend = fx.backend.clone();
        let claim = tokio::spawn(async move { backend.claim(&request).await });
        fx.promptly(async {
            while !is_offered(token).await? {
                tokio::task::yield_now().await;
            }
            CaseResult::Ok(())
        })
        .await??;
        fx.advance(limits::MAX_WAIT_MAX_MS - 1).await;
        ensure!(is_offered(token).await?, "it waits");
        let outcome = fx.as_time_passes(1_000, claim).await??;
        ensure!(outcome.is_empty(), "there is nothing for it");
    }
    fx.advance(limits::OFFER_LIVES_MS).await;
    ensure_eq!(fx.backend.explain(id).await?.reason, nobody_offers(&all, &all)?);
    Ok(())
}
