//! How a claim waits, and who is woken.

use std::collections::BTreeSet;

use ff_engine::{ClaimOutcome, ClaimRequest, DelayRequest};
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionState, limits};
use tokio::task::JoinHandle;

use super::{handed_out, ids, needing};
use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, ms};
use crate::ways::Way;

pub(crate) const CASES: &[Case] = &cases!["claim":
    wakes_promptly,
    wakes_who_is_able,
    every_way_of_becoming_ready_wakes,
    wait_ends,
    dropped_wait_loses_nothing,
    repeat_never_waits,
];

fn waiting(fx: &Fixture, mut request: ClaimRequest, max_wait_ms: u64) -> Waiting {
    request.policy = request.policy.with_max_wait(ms(max_wait_ms));
    let backend = fx.backend.clone();
    tokio::spawn(async move { backend.claim(&request).await })
}

type Waiting = JoinHandle<Result<ClaimOutcome, ff_engine::EngineError>>;

/// A claim that another worker makes, which offers these and waits as long as it may.
async fn another_waits<const N: usize>(
    fx: &Fixture,
    tokens: [&str; N],
    reclaims: Option<ScannerFilter>,
) -> CaseResult<Waiting> {
    let mut request = fx.worker().claim_request(LANE)?;
    request.capabilities = CapabilitySet::from_tokens(tokens)?;
    request.reclaims = reclaims;
    let claim = waiting(fx, request, limits::MAX_WAIT_MAX_MS);
    fx.let_others_run().await;
    Ok(claim)
}

/// A waiting claim returns by itself when work becomes ready: by a submit, by the end of a delay
/// and by a lost lease.
pub(crate) async fn wakes_promptly(fx: Fixture) -> CaseResult {
    let wait = || {
        let other = fx.worker();
        let request = other.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        CaseResult::Ok(waiting(&fx, request, limits::MAX_WAIT_MAX_MS))
    };

    let claim = wait()?;
    fx.let_others_run().await;
    let id = fx.submit_default().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(ids(&outcome), [id], "after a submit");

    let delayed = fx.submission("task")?.with_delay_until(fx.in_ms(10).await);
    fx.submit(&delayed).await?;
    let claim = wait()?;
    fx.let_others_run().await;
    fx.advance(10).await;
    fx.settle().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(ids(&outcome), [delayed.id()], "after a delay");

    fx.advance(LEASE_TTL_MS - 1_000).await;
    let claim = wait()?;
    fx.let_others_run().await;
    fx.advance(1_000).await;
    fx.settle().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(outcome.reclaims.len(), 1, "tokens after a lost lease");
    Ok(())
}

/// What becomes ready wakes a worker that can have it: those that lack a capability, take no
/// reclaims or filter them out wait on, however much longer they have waited. A worker woken for
/// one thing that then takes a better one leaves the first to another.
pub(crate) async fn wakes_who_is_able(fx: Fixture) -> CaseResult {
    let unable = another_waits(&fx, [], None).await?;
    let able = another_waits(&fx, ["gpu"], None).await?;
    let special = needing(&fx, ["gpu"]).await?;
    ensure_eq!(ids(&fx.promptly(able).await???), [special]);
    ensure!(!unable.is_finished(), "a worker got what it cannot run");
    let plain = fx.submit_default().await?;
    ensure_eq!(ids(&fx.promptly(unable).await???), [plain]);

    let foreign = ScannerFilter::new().with_instance_tag("instance", "blue");
    for lost in [false, true] {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let unable = [
            another_waits(&fx, [], None).await?,
            another_waits(&fx, [], Some(foreign.clone())).await?,
        ];
        let able = another_waits(&fx, [], Some(ScannerFilter::NOOP)).await?;
        if lost {
            fx.advance(LEASE_TTL_MS).await;
            fx.settle().await?;
        } else {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        }
        let outcome = fx.promptly(able).await???;
        ensure_eq!(outcome.reclaims.len(), 1, "tokens, lost: {lost}");
        ensure_eq!(handed_out(&fx, &outcome).await?, [task.execution_id]);
        let mut served = BTreeSet::new();
        ensure!(
            !unable.iter().any(JoinHandle::is_finished),
            "a worker got what it did not ask for"
        );
        let fresh: BTreeSet<_> = fx.submit_many(unable.len()).await?.into_iter().collect();
        for claim in unable {
            served.extend(ids(&fx.promptly(claim).await???));
        }
        ensure_eq!(served, fresh, "what was left for the others");
    }

    for paused in [false, true] {
        let fx = fx.second().await?;
        let urgent = fx.submission("task")?.with_priority(1);
        let task = if paused { Some(fx.submit_and_claim(&urgent).await?) } else { None };
        let versatile = another_waits(&fx, ["gpu"], Some(ScannerFilter::NOOP)).await?;
        let simple = another_waits(&fx, [], None).await?;
        let plain = fx.submit_default().await?;
        if let Some(task) = task {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        } else {
            let gpu = CapabilitySet::from_tokens(["gpu"])?;
            fx.submit(&urgent.clone().with_capabilities(gpu)).await?;
        }

        let first = handed_out(&fx, &fx.promptly(versatile).await???).await?;
        if first == [urgent.id()] {
            ensure_eq!(ids(&fx.promptly(simple).await???), [plain], "paused: {paused}");
        } else {
            // It ran before the second was there.
            ensure_eq!(first, [plain], "paused: {paused}");
            let again = another_waits(&fx, ["gpu"], Some(ScannerFilter::NOOP)).await?;
            let second = handed_out(&fx, &fx.promptly(again).await???).await?;
            ensure_eq!(second, [urgent.id()], "paused: {paused}");
            simple.abort();
        }
    }
    Ok(())
}

/// A waiting claim that takes reclaims returns with whatever becomes ready, in whichever way.
pub(crate) async fn every_way_of_becoming_ready_wakes(fx: Fixture) -> CaseResult {
    for way in Way::ALL {
        let fx = fx.second().await?;
        let (submission, handle) = way.prepare(&fx).await?;
        let claim = another_waits(&fx, [], Some(ScannerFilter::NOOP)).await?;
        ensure!(!claim.is_finished(), "{way:?} did not have to happen");

        way.happen(&fx, &submission, handle.as_ref()).await?;

        let outcome =
            fx.promptly(claim).await.map_err(|e| CaseError::new(format!("{way:?}: {e}")))?;
        ensure_eq!(handed_out(&fx, &outcome??).await?, [submission.id()], "{way:?}");
    }
    Ok(())
}

/// A waiting claim that gets nothing returns empty when its wait is over, and leaves nothing.
pub(crate) async fn wait_ends(fx: Fixture) -> CaseResult {
    let claim = waiting(&fx, fx.claim_request(LANE)?, 50);

    let outcome = fx.as_time_passes(50, claim).await??;

    ensure!(outcome.is_empty(), "found {outcome:?}");
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}

/// Every ready execution is handed out although some of the waiting workers disappear, before and
/// after they were woken.
pub(crate) async fn dropped_wait_loses_nothing(fx: Fixture) -> CaseResult {
    let mut claims = Vec::new();
    for _ in 0..12 {
        let request = fx.worker().claim_request(LANE)?;
        claims.push(waiting(&fx, request, limits::MAX_WAIT_MAX_MS));
    }
    fx.let_others_run().await;

    claims.drain(..4).for_each(|gone| gone.abort());
    let submitted = fx.submit_many(4).await?;
    claims.drain(..4).for_each(|gone| gone.abort());

    fx.promptly(async {
        for id in submitted {
            while fx.describe(id).await?.state != ExecutionState::Active {
                fx.let_others_run().await;
            }
        }
        CaseResult::Ok(())
    })
    .await??;
    claims.iter().for_each(JoinHandle::abort);

    for yields in 0..16 {
        let fx = fx.second().await?;
        let claims = [another_waits(&fx, [], None).await?, another_waits(&fx, [], None).await?];
        let id = fx.submit_default().await?;
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        claims[0].abort();
        fx.promptly(async {
            while fx.describe(id).await?.state != ExecutionState::Active {
                fx.let_others_run().await;
            }
            CaseResult::Ok(())
        })
        .await??;
        claims[1].abort();
    }
    Ok(())
}

/// A repeat answers at once although its policy lets it wait: when all it got is over, that answer
/// is empty, and what becomes ready is for those that do wait.
pub(crate) async fn repeat_never_waits(fx: Fixture) -> CaseResult {
    for resumed in [false, true] {
        let fx = fx.second().await?;
        let mut request = fx.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        request.policy = request.policy.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        if resumed {
            fx.lost().await?;
        } else {
            fx.submit_default().await?;
        }
        let mut first = fx.backend.claim(&request).await?;
        let task = match (first.tasks.pop(), first.reclaims.pop()) {
            (Some(task), None) if !resumed => task,
            (None, Some(token)) if resumed => {
                fx.backend.claim_from_reclaim(&token, &fx.policy()).await?
            }
            other => return Err(CaseError::new(format!("handed out {other:?}"))),
        };
        fx.backend.complete(&task.handle, None).await?;

        let repeat = waiting(&fx, request, limits::MAX_WAIT_MAX_MS);
        let other = another_waits(&fx, [], None).await?;
        let repeated = fx.promptly(repeat).await???;
        let id = fx.submit_default().await?;

        ensure!(repeated.is_empty(), "found {repeated:?}");
        ensure_eq!(ids(&fx.promptly(other).await???), [id]);
    }
    Ok(())
}
