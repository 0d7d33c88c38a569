//! How a reader waits, and is told of the end.

use std::sync::Arc;

use ff_engine::{ReadStream, StreamEnd};
use ff_types::backend::FailureClass;
use ff_types::{AttemptIndex, ExecutionPolicy, TerminalOutcome, limits};

use super::{numbered, seqs, whole};
use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["stream":
    wait_for_the_next,
    wait_ends_with_the_stream,
    many_wait_for_one,
    end_is_told_with_its_reason,
    attempt_that_is_over_is_superseded,
];

/// A reader that waits is given the next frame as soon as there is one, and at the latest nothing when
/// its wait is over.
pub(crate) async fn wait_for_the_next(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered([1])).await?;
    let place = fx.page(&whole(&task)).await?.next;
    let wait = |max_wait_ms| {
        let backend = Arc::clone(&fx.faultless);
        let request = whole(&task).with_from(place).with_max_wait(ms(max_wait_ms));
        tokio::spawn(async move { backend.read_stream(&request).await })
    };
    let (brief, long) = (wait(50), wait(limits::MAX_WAIT_MAX_MS));
    fx.let_others_run().await;
    ensure!(!brief.is_finished() && !long.is_finished(), "they did not wait");
    let page = fx.as_time_passes(50, brief).await??;
    ensure_eq!((page.frames.len(), page.end, page.next), (0, None, place));

    fx.append(&task, &numbered([2, 3])).await?;

    let page = fx.promptly(long).await???;
    ensure_eq!(seqs(&page.frames), [2, 3]);
    Ok(())
}

/// A reader that waits is told at once that nothing follows: the execution ended, or the attempt that it
/// reads is over, also when no frame was ever written.
pub(crate) async fn wait_ends_with_the_stream(fx: Fixture) -> CaseResult {
    let wait = |request: ReadStream| {
        let backend = Arc::clone(&fx.faultless);
        let request = request.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        tokio::spawn(async move { backend.read_stream(&request).await })
    };
    let silent = fx.running().await?;
    let of_silent = wait(whole(&silent));
    let task = fx.running_with_retries().await?;
    fx.append(&task, &numbered([1])).await?;
    let place = fx.page(&whole(&task)).await?.next;
    let of_attempt = wait(whole(&task).with_from(place).with_attempt(task.attempt));
    let of_all = wait(whole(&task).with_from(place));
    fx.let_others_run().await;

    fx.backend.complete(&silent.handle, None).await?;
    let page = fx.promptly(of_silent).await???;
    ensure_eq!(page.end, Some(StreamEnd::Ended(TerminalOutcome::Completed)));
    let second = fx.next_attempt(&task).await?;
    let page = fx.promptly(of_attempt).await???;
    ensure_eq!((page.frames.len(), page.end), (0, Some(StreamEnd::Superseded)));
    fx.let_others_run().await;
    ensure!(!of_all.is_finished(), "the execution goes on");
    fx.backend.fail(&second.handle, &failure(FailureClass::Permanent)).await?;
    let page = fx.promptly(of_all).await???;
    ensure_eq!(page.end, Some(StreamEnd::Ended(TerminalOutcome::Failed)));
    Ok(())
}

/// However many wait for the frames of one execution, all are given each.
pub(crate) async fn many_wait_for_one(fx: Fixture) -> CaseResult {
    const READERS: usize = 40;
    let task = fx.running().await?;
    let mut places = vec![fx.page(&whole(&task)).await?.next; READERS];
    for seq in 1..=3 {
        let mut waiting = Vec::with_capacity(READERS);
        for place in &places {
            let backend = Arc::clone(&fx.faultless);
            let request = whole(&task).with_from(*place).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
            waiting.push(tokio::spawn(async move { backend.read_stream(&request).await }));
        }
        fx.let_others_run().await;
        fx.append(&task, &numbered([seq])).await?;
        for (place, reader) in places.iter_mut().zip(waiting) {
            let page = fx.promptly(reader).await???;
            ensure_eq!(seqs(&page.frames), [seq]);
            *place = page.next;
        }
    }
    Ok(())
}

/// The page that holds the last frame says how the execution ended, and so does one behind it; a page in
/// front of it does not. What is still to be written has no end.
pub(crate) async fn end_is_told_with_its_reason(fx: Fixture) -> CaseResult {
    let (completed, failed, cancelled) =
        (fx.running().await?, fx.running().await?, fx.running().await?);
    for task in [&completed, &failed, &cancelled] {
        fx.append(task, &numbered([1, 2])).await?;
        ensure_eq!(fx.page(&whole(task)).await?.end, None);
    }
    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.cancel(&cancelled.handle, "enough").await?;

    for (task, outcome) in [
        (&completed, TerminalOutcome::Completed),
        (&failed, TerminalOutcome::Failed),
        (&cancelled, TerminalOutcome::Cancelled),
    ] {
        ensure_eq!(fx.page(&whole(task).with_limit(1)).await?.end, None, "{outcome}");
        let page = fx.page(&whole(task)).await?;
        ensure_eq!(page.end, Some(StreamEnd::Ended(outcome)));
        let behind = fx.page(&whole(task).with_from(page.next)).await?;
        ensure_eq!((behind.frames.len(), behind.end), (0, page.end));
        let of_attempt = fx.page(&whole(task).with_attempt(task.attempt)).await?;
        ensure_eq!(of_attempt.end, page.end);
    }
    let waiting = fx.submit_default().await?;
    ensure_eq!(fx.page(&ReadStream::new(waiting)).await?.end, None, "before the first attempt");
    fx.backend.cancel_execution(&fx.cancel_request(waiting, "enough")).await?;
    let page = fx.page(&ReadStream::new(waiting).with_attempt(AttemptIndex(0))).await?;
    ensure_eq!(page.end, Some(StreamEnd::Ended(TerminalOutcome::Cancelled)));
    Ok(())
}

/// An attempt that failed, or lost its lease, is superseded, whether or not the next one has begun; one
/// that is paused goes on.
pub(crate) async fn attempt_that_is_over_is_superseded(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 1_000));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let of = |attempt| whole(&task).with_attempt(AttemptIndex(attempt));
    fx.append(&task, &numbered([1])).await?;
    fx.backend.delay(&task.handle, &ff_engine::DelayRequest::now()).await?;
    ensure_eq!(fx.page(&of(0)).await?.end, None, "a pause is not the end");
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;

    ensure_eq!(fx.page(&of(0)).await?.end, Some(StreamEnd::Superseded));
    ensure_eq!(fx.page(&whole(&task)).await?.end, None);
    fx.advance(1_000).await;
    fx.settle().await?;
    let second = fx.claim_one().await?;
    ensure_eq!(fx.page(&of(0)).await?.end, Some(StreamEnd::Superseded));
    ensure_eq!(fx.page(&of(1)).await?.end, None);
    fx.append(&second, &numbered([1])).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.page(&of(1)).await?.end, Some(StreamEnd::Superseded), "a lost lease");
    Ok(())
}
