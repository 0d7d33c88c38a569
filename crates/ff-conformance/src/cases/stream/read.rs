//! What a read answers, page by page.

use ff_engine::{StreamCursor, StreamEnd};
use ff_types::{AttemptIndex, TerminalOutcome, limits};

use super::{numbered, seqs, whole};
use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["stream":
    cursor_misses_nothing,
    backwards_is_the_opposite,
    attempts_are_told_apart,
    same_read_is_answered_anew,
];

/// Following the cursors gives each frame once, whatever the size of the pages, and also what was
/// appended behind the last.
pub(crate) async fn cursor_misses_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered(1..=7)).await?;
    for size in [1, 2, 3, 7, 8] {
        let (frames, last) = fx.pages(whole(&task).with_limit(size)).await?;
        ensure_eq!(seqs(&frames), [1, 2, 3, 4, 5, 6, 7], "pages of {size}");
        ensure_eq!((last.end, last.gap, last.next.ordinal()), (None, false, 7));
    }

    let (_, last) = fx.pages(whole(&task)).await?;
    fx.append(&task, &numbered(8..=9)).await?;

    let page = fx.page(&whole(&task).with_from(last.next)).await?;
    ensure_eq!(seqs(&page.frames), [8, 9]);
    ensure_eq!(page.next.to_string().parse::<StreamCursor>()?, page.next);
    Ok(())
}

/// Backwards gives the same frames in the opposite order, from the newest or from a place, and is never
/// at the end of the stream.
pub(crate) async fn backwards_is_the_opposite(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered(1..=7)).await?;
    fx.backend.complete(&task.handle, None).await?;

    for size in [1, 3, 7, 8] {
        let (frames, last) = fx.pages(whole(&task).newest_first().with_limit(size)).await?;
        ensure_eq!(seqs(&frames), [7, 6, 5, 4, 3, 2, 1], "pages of {size}");
        ensure_eq!((last.end, last.gap), (None, false));
    }
    let place = StreamCursor::new(task.attempt, 3);
    let page = fx.page(&whole(&task).newest_first().with_from(place)).await?;
    ensure_eq!(seqs(&page.frames), [2, 1]);
    Ok(())
}

/// A reader of one attempt is given its frames only, also when frames of another one lie between, and
/// one of all attempts is given them in their order.
pub(crate) async fn attempts_are_told_apart(fx: Fixture) -> CaseResult {
    let first = fx.running_with_retries().await?;
    fx.append(&first, &numbered([1, 2])).await?;
    let second = fx.next_attempt(&first).await?;
    fx.append(&second, &numbered([3])).await?;
    let third = fx.next_attempt(&second).await?;
    fx.append(&third, &numbered([4, 5])).await?;

    for (attempt, expected) in [(0, vec![1, 2]), (1, vec![3]), (2, vec![4, 5]), (3, vec![])] {
        let request = whole(&first).with_attempt(AttemptIndex(attempt));
        let (frames, _) = fx.pages(request.clone().with_limit(1)).await?;
        ensure_eq!(seqs(&frames), expected, "of attempt {attempt}");
        let (mut frames, _) = fx.pages(request.newest_first()).await?;
        frames.reverse();
        ensure_eq!(seqs(&frames), expected, "of attempt {attempt}, backwards");
    }
    let (frames, _) = fx.pages(whole(&first).with_limit(2)).await?;
    ensure_eq!(seqs(&frames), [1, 2, 3, 4, 5]);
    let behind = StreamCursor::new(first.attempt, 1);
    let page = fx.page(&whole(&first).with_attempt(second.attempt).with_from(behind)).await?;
    ensure_eq!(seqs(&page.frames), [3], "from a place in another attempt");
    Ok(())
}

/// The same read that may wait, made again and again, is answered by what is there each time: more of it,
/// the end, and after a replay no end.
pub(crate) async fn same_read_is_answered_anew(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let read = whole(&task).with_summary_after(0).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
    let mut seen = Vec::new();
    for number in 1..=3 {
        fx.append(&task, &numbered([number])).await?;
        let summary = ff_engine::UpdateSummary::new(number - 1, number.to_string());
        fx.backend.update_summary(&task.handle, &summary).await?;
        let page = fx.promptly(fx.faultless.read_stream(&read)).await??;
        let version = page.summary.map(|summary| summary.version);
        seen.push((page.frames.len(), version, page.end));
    }
    ensure_eq!(seen, [(1, Some(1), None), (2, Some(2), None), (3, Some(3), None)]);

    fx.backend.complete(&task.handle, None).await?;
    let ended = Some(StreamEnd::Ended(TerminalOutcome::Completed));
    ensure_eq!(fx.promptly(fx.faultless.read_stream(&read)).await??.end, ended);
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    ensure_eq!(fx.promptly(fx.faultless.read_stream(&read)).await??.end, None);
    Ok(())
}
