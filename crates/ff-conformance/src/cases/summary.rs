//! `update_summary`: one document that says how far an execution is.

use std::sync::Arc;

use ff_engine::{ReadStream, StreamCursor, SummaryOutcome, SummaryView, Task, UpdateSummary};
use ff_types::backend::{FailureClass, Frame, FrameKind};
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["summary":
    one_update_of_a_version_is_taken,
    repeat_is_harmless,
    stays_with_the_execution,
    stale_holder_changes_nothing,
    is_read_beside_the_frames,
    size_is_bounded,
];

impl Fixture {
    async fn update(&self, task: &Task, from: u64, document: &str) -> CaseResult<SummaryOutcome> {
        let request = UpdateSummary::new(from, document.to_owned());
        Ok(self.backend.update_summary(&task.handle, &request).await?)
    }

    async fn summary(&self, task: &Task) -> CaseResult<Option<SummaryView>> {
        let request = ReadStream::new(task.execution_id).with_summary_after(0);
        Ok(self.backend.read_stream(&request).await?.summary)
    }
}

fn standing(outcome: SummaryOutcome) -> CaseResult<Option<(u64, Vec<u8>)>> {
    match outcome {
        SummaryOutcome::Stands(stands) => {
            Ok(stands.map(|summary| (summary.version, summary.document.to_vec())))
        }
        other => Err(CaseError::new(format!("was taken: {other:?}"))),
    }
}

/// Versions are counted from 1. An update from another version than the one that stands changes nothing,
/// and is told what does.
pub(crate) async fn one_update_of_a_version_is_taken(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    ensure_eq!(fx.summary(&task).await?, None);
    ensure_eq!(standing(fx.update(&task, 1, "early").await?)?, None);
    ensure_eq!(fx.summary(&task).await?, None);
    for (from, document) in [(0, "one"), (1, "two"), (2, "")] {
        let outcome = fx.update(&task, from, document).await?;
        ensure_eq!(outcome, SummaryOutcome::Updated { version: from + 1 });
    }
    let before = fx.snapshot().await;

    for from in [0, 1, 2, 4, u64::MAX] {
        let stands = standing(fx.update(&task, from, "other").await?)?;
        ensure_eq!(stands, Some((3, Vec::new())), "from {from}");
    }

    ensure_eq!(fx.snapshot().await, before, "an update that was not taken changed something");
    Ok(())
}

/// The same update again is answered as the first time; once another one was taken, it is told of that.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.update(&task, 0, "canary").await?;
    let before = fx.snapshot().await;
    fx.advance(10).await;

    ensure_eq!(fx.update(&task, 0, "canary").await?, SummaryOutcome::Updated { version: 1 });
    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    fx.update(&task, 1, "next").await?;
    let stands = standing(fx.update(&task, 0, "canary").await?)?;

    ensure_eq!(stands, Some((2, b"next".to_vec())));
    Ok(())
}

/// It is given back byte for byte with version, attempt and time. Another attempt goes on from it, and so
/// does a replay; it goes with the record.
pub(crate) async fn stays_with_the_execution(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0)).with_retention(ms(1_000));
    let first = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let bytes: Vec<u8> = (0..=255).collect();
    let at = fx.now().await;
    let request = UpdateSummary::new(0, bytes.clone());
    fx.backend.update_summary(&first.handle, &request).await?;
    fx.advance(10).await;
    let summary = fx.summary(&first).await?.ok_or_else(|| CaseError::new("there is none"))?;
    ensure_eq!(
        (summary.version, summary.attempt, summary.at, summary.document.to_vec()),
        (1, first.attempt, at, bytes)
    );

    fx.backend.fail(&first.handle, &failure(FailureClass::Transient)).await?;
    let second = fx.claim_one().await?;
    ensure_eq!(fx.summary(&first).await?, Some(summary));
    fx.update(&second, 1, "second").await?;
    fx.backend.complete(&second.handle, None).await?;
    fx.backend.replay(&fx.replay_request(second.execution_id)).await?;
    let third = fx.claim_one().await?;
    ensure_eq!(fx.update(&third, 2, "third").await?, SummaryOutcome::Updated { version: 3 });
    let summary = fx.summary(&first).await?.ok_or_else(|| CaseError::new("there is none"))?;
    ensure_eq!((summary.version, summary.attempt), (3, third.attempt));

    fx.backend.complete(&third.handle, None).await?;
    fx.advance(limits::COMPLETIONS_KEPT_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}

/// Whoever has lost the lease changes nothing.
pub(crate) async fn stale_holder_changes_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.update(&task, 0, "first").await?;
    fx.advance(LEASE_TTL_MS).await;
    let late = UpdateSummary::new(1, "late");
    assert_code(fx.backend.update_summary(&task.handle, &late).await, "lease_expired")?;
    fx.settle().await?;
    let holder = fx.reclaim_one().await?;
    let before = fx.snapshot().await;

    for request in [late, UpdateSummary::new(0, "first")] {
        let refused = fx.backend.update_summary(&task.handle, &request).await;
        assert_code(refused, "stale_lease")?;
    }

    ensure_eq!(fx.snapshot().await, before, "a late update changed something");
    fx.backend.complete(&holder.handle, None).await?;
    let request = UpdateSummary::new(1, "later still");
    let released = fx.backend.update_summary(&holder.handle, &request).await;
    assert_code(released, "already_released")
}

/// A reader of frames that asks for it is given the summary when it is newer than what it has, a page of no
/// frames too, and its wait ends with that. Others are not.
pub(crate) async fn is_read_beside_the_frames(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let all = || ReadStream::new(task.execution_id);
    let wait = |request: ReadStream| {
        let backend = Arc::clone(&fx.faultless);
        let request = request.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        tokio::spawn(async move { backend.read_stream(&request).await })
    };
    let (of_frames, of_both) = (wait(all()), wait(all().with_summary_after(0)));
    fx.let_others_run().await;
    fx.update(&task, 0, "one").await?;

    let page = fx.promptly(of_both).await???;
    let version = page.summary.as_ref().map(|summary| summary.version);
    ensure_eq!((page.frames.len(), version, page.end), (0, Some(1), None));
    fx.let_others_run().await;
    ensure!(!of_frames.is_finished(), "it did not ask for the summary");
    let frame = Frame::new("frame", FrameKind::Stdout).with_seq(1);
    fx.backend.append_frames(&task.handle, &[frame]).await?;
    let page = fx.promptly(of_frames).await???;
    ensure_eq!((page.frames.len(), page.summary), (1, None));

    let behind = StreamCursor::new(task.attempt, 1);
    for (request, expected) in [
        (all().with_summary_after(0), (1, Some(1))),
        (all().with_summary_after(1), (1, None)),
        (all().with_summary_after(0).with_from(behind), (0, Some(1))),
        (all().with_summary_after(0).newest_first(), (1, Some(1))),
    ] {
        let page = fx.backend.read_stream(&request).await?;
        let seen = (page.frames.len(), page.summary.map(|summary| summary.version));
        ensure_eq!(seen, expected, "{request:?}");
    }
    Ok(())
}

/// A document over 64 KiB is refused, and the field named.
pub(crate) async fn size_is_bounded(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let most = limits::SUMMARY_MAX_BYTES;
    let before = fx.snapshot().await;
    let over = UpdateSummary::new(0, vec![0; most + 1]);
    assert_too_large(fx.backend.update_summary(&task.handle, &over).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before, "a refused update left something");
    let largest = UpdateSummary::new(0, vec![0; most]);
    let outcome = fx.backend.update_summary(&task.handle, &largest).await?;
    ensure_eq!(outcome, SummaryOutcome::Updated { version: 1 });
    Ok(())
}
