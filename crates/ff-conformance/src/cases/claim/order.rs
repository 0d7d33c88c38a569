//! Who gets what, and in which order.

use ff_engine::DelayRequest;
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionState, LaneId, limits};

use super::{ids, needing, offering};
use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::LANE;

pub(crate) const CASES: &[Case] = &cases!["claim":
    priority_then_fifo,
    lanes_are_separate,
    capabilities_are_a_subset,
    class_is_found_among_many,
    mismatch_is_invisible,
    looks_past_expired,
];

/// Higher priority goes first; among equals, what became ready first; among those of one
/// millisecond, the smaller id. It does not matter what a worker has to offer for it.
pub(crate) async fn priority_then_fifo(fx: Fixture) -> CaseResult {
    let mut expected = Vec::new();
    for (priority, required) in
        [(0, None), (100, None), (-100, None), (0, Some("gpu")), (1, Some("gpu")), (0, None)]
    {
        let mut submission = fx.submission("task")?.with_priority(priority);
        if let Some(token) = required {
            submission = submission.with_capabilities(CapabilitySet::from_tokens([token])?);
        }
        expected.push((-i16::from(priority), fx.now().await, fx.submit(&submission).await?));
        fx.advance(1).await;
    }
    let (smaller, larger) = (fx.submission("task")?, fx.submission("task")?);
    for submission in [larger, smaller] {
        let id = fx.submit(&submission).await?;
        expected.push((0, fx.now().await, id));
    }
    expected.sort_unstable();

    let outcome = fx.backend.claim(&offering(&fx, ["gpu"])?).await?;

    ensure_eq!(ids(&outcome), expected.iter().map(|(.., id)| *id).collect::<Vec<_>>());
    Ok(())
}

/// A claim sees its own lane only.
pub(crate) async fn lanes_are_separate(fx: Fixture) -> CaseResult {
    let mut elsewhere = fx.submission("task")?;
    elsewhere.lane = LaneId::new("other")?;
    fx.submit(&elsewhere).await?;

    let here = fx.backend.claim(&fx.claim_request(LANE)?).await?;
    let there = fx.backend.claim(&fx.claim_request("other")?).await?;

    ensure!(here.is_empty(), "claimed {here:?} from another lane");
    ensure_eq!(ids(&there), [elsewhere.id()]);
    ensure_eq!(there.tasks[0].lane, elsewhere.lane);
    Ok(())
}

/// A worker gets exactly the executions whose required capabilities it offers.
pub(crate) async fn capabilities_are_a_subset(fx: Fixture) -> CaseResult {
    let none = needing(&fx, []).await?;
    let gpu = needing(&fx, ["gpu"]).await?;
    let both = needing(&fx, ["gpu", "eu"]).await?;
    let longer = needing(&fx, ["gpu-large"]).await?;
    let other = needing(&fx, ["tpu"]).await?;

    let nothing_offered = fx.backend.claim(&offering(&fx, [])?).await?;
    let one_offered = fx.backend.claim(&offering(&fx, ["gpu"])?).await?;
    let more_offered = fx.backend.claim(&offering(&fx, ["eu", "gpu", "us"])?).await?;
    let rest = fx.backend.claim(&offering(&fx, ["gpu-large", "tpu"])?).await?;

    ensure_eq!(ids(&nothing_offered), [none]);
    ensure_eq!(ids(&one_offered), [gpu]);
    ensure_eq!(ids(&more_offered), [both]);
    ensure_eq!(ids(&rest), [longer, other]);
    Ok(())
}

/// However many others there are that a worker cannot run, it finds what requires one of the few things that it offers.
pub(crate) async fn class_is_found_among_many(fx: Fixture) -> CaseResult {
    const CLASSES: usize = 1_500;
    let mut submissions = Vec::new();
    for class in 0..CLASSES {
        let required = CapabilitySet::from_tokens([format!("tenant-{class}").as_str(), "gpu"])?;
        submissions.push(fx.submission("task")?.with_capabilities(required));
    }
    for batch in submissions.chunks(limits::SUBMIT_BATCH_MAX) {
        for one in fx.backend.submit_batch(batch).await? {
            one?;
        }
    }

    for class in (0..CLASSES).step_by(CLASSES / 20) {
        let tenant = format!("tenant-{class}");
        let outcome = fx.backend.claim(&offering(&fx, ["eu", "gpu", &tenant])?).await?;
        ensure_eq!(ids(&outcome), [submissions[class].id()], "{tenant}");
    }
    fx.check().await
}

/// What a worker cannot run, however much of it and however urgent, neither blocks what is behind
/// nor is touched.
pub(crate) async fn mismatch_is_invisible(fx: Fixture) -> CaseResult {
    let mut foreign = Vec::new();
    for index in 0..50 {
        let required = CapabilitySet::from_tokens([format!("special-{}", index % 5)])?;
        let submission = fx.submission("task")?.with_priority(100).with_capabilities(required);
        foreign.push(fx.submit(&submission).await?);
    }
    fx.advance(1).await;
    let own = fx.submit_default().await?;
    let mut before = Vec::new();
    for id in &foreign {
        before.push(fx.describe(*id).await?);
    }

    ensure_eq!(fx.claim_one().await?.execution_id, own);
    ensure!(fx.claim_if_any().await?.is_none(), "claimed what the worker cannot run");

    for (id, before) in foreign.iter().zip(before) {
        ensure_eq!(fx.describe(*id).await?, before, "the foreign execution {id}");
    }
    Ok(())
}

/// However many executions past their deadline stand in front, a claim finds the good one behind
/// them, and so does the reclaim scanner, without waiting and without maintenance.
pub(crate) async fn looks_past_expired(fx: Fixture) -> CaseResult {
    const MISSED: usize = 100;
    let deadline = fx.in_ms(1_000).await;
    let missed: Vec<_> = (0..MISSED)
        .map(|_| Ok(fx.submission("task")?.with_priority(1).with_deadline(deadline)))
        .collect::<CaseResult<_>>()?;

    let ready = fx.second().await?;
    ready.backend.submit_batch(&missed).await?;
    let good = ready.submit_default().await?;
    ready.advance(1_000).await;
    ensure_eq!(ready.claim_one().await?.execution_id, good);

    let paused = fx.second().await?;
    let with_claim = paused.second().await?;
    for fx in [&paused, &with_claim] {
        fx.backend.submit_batch(&missed).await?;
        fx.submit_default().await?;
        for task in fx.claim_up_to(limits::CLAIM_MAX_TASKS).await? {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        }
        fx.advance(1_000).await;
    }
    let token = paused.token().await?;
    let resumed = paused.backend.claim_from_reclaim(&token, &paused.policy()).await?;
    ensure_eq!((resumed.priority, resumed.deadline), (0, None), "resumed by the scanner's token");
    let request = with_claim.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
    let outcome = with_claim.backend.claim(&request).await?;
    ensure_eq!((outcome.tasks.len(), outcome.reclaims.len()), (0, 1), "tasks and tokens");
    let token = &outcome.reclaims[0];
    let resumed = with_claim.backend.claim_from_reclaim(token, &with_claim.policy()).await?;
    ensure_eq!((resumed.priority, resumed.deadline), (0, None), "resumed by the claim's token");

    for fx in [&ready, &paused, &with_claim] {
        fx.settle().await?;
        for submission in &missed {
            fx.assert_is(submission.id(), ExecutionState::Expired).await?;
        }
    }
    Ok(())
}
