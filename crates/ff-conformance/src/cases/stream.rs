//! `append_frames` and `read_stream`: output that is watched while it is made.

use std::sync::Arc;

use bytes::Bytes;
use ff_engine::{EngineBackendExt as _, FrameView, ReadStream, StreamCursor, StreamEnd, StreamPage, Task};
use ff_types::backend::{AppendFrameOutcome, FailureClass, Frame, FrameKind};
use ff_types::{AttemptIndex, ExecutionPolicy, TerminalOutcome, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure,
    ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["stream":
    frames_come_back_as_they_were_written,
    repeat_of_a_number_appends_nothing,
    unnumbered_frames_are_all_kept,
    each_attempt_has_its_own_numbers,
    numbers_rise,
    number_is_bounded,
    bytes_are_bounded,
    goes_with_the_execution,
    cursor_misses_nothing,
    backwards_is_the_opposite,
    attempts_are_told_apart,
    wait_for_the_next,
    wait_ends_with_the_stream,
    many_wait_for_one,
    same_read_is_answered_anew,
    end_is_told_with_its_reason,
    attempt_that_is_over_is_superseded,
    stale_holder_appends_nothing,
    unknown_execution_is_not_found,
    limits_are_enforced,
];

/// Numbered frames of one byte each.
fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<Frame> {
    let frame = |number: u64| Frame::new(vec![number.to_le_bytes()[0]], FrameKind::Blob);
    numbers.into_iter().map(|number| frame(number).with_seq(number)).collect()
}

fn all(task: &Task) -> ReadStream {
    ReadStream::new(task.execution_id)
}

fn seqs(frames: &[FrameView]) -> Vec<u64> {
    frames.iter().filter_map(|view| view.frame.seq).collect()
}

fn ordinals(frames: &[FrameView]) -> Vec<u64> {
    frames.iter().map(|view| view.ordinal).collect()
}

impl Fixture {
    async fn append(&self, task: &Task, frames: &[Frame]) -> CaseResult<Vec<AppendFrameOutcome>> {
        Ok(self.backend.append_frames(&task.handle, frames).await?)
    }

    async fn page(&self, request: &ReadStream) -> CaseResult<StreamPage> {
        Ok(self.backend.read_stream(request).await?)
    }

    /// Every frame as asked for, page by page, and the last page.
    async fn pages(&self, mut request: ReadStream) -> CaseResult<(Vec<FrameView>, StreamPage)> {
        let mut frames = Vec::new();
        loop {
            let page = self.page(&request).await?;
            frames.extend(page.frames.iter().cloned());
            if page.frames.is_empty() {
                return Ok((frames, page));
            }
            request.from = Some(page.next);
        }
    }

    /// The execution of a task in its next attempt, which the failure of this one leads to.
    async fn next_attempt(&self, task: &Task) -> CaseResult<Task> {
        self.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
        self.claim_one().await
    }

    /// A running execution that may be tried again at once.
    async fn running_with_retries(&self) -> CaseResult<Task> {
        let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
        self.submit_and_claim(&self.submission("task")?.with_policy(policy)).await
    }
}

/// Frames come back in the order of their appends, with all they were given, and bytes of any kind as
/// they are; each outcome says how many there are, and where a reader goes on behind it.
pub(crate) async fn frames_come_back_as_they_were_written(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let bytes: Vec<u8> = (0..=255).collect();
    let frames = [
        Frame::new(bytes, FrameKind::Blob).with_seq(1).with_frame_type("a type"),
        Frame::new("", FrameKind::Stderr).with_seq(5).with_correlation_id("order 7"),
        Frame::new("canary", FrameKind::Stdout).with_seq(u64::MAX - 1),
        Frame::new("[]", FrameKind::Event).with_seq(u64::MAX),
    ];
    let first = fx.now().await;
    let outcomes = fx.append(&task, &frames[..3]).await?;
    fx.advance(10).await;
    let last = fx.append(&task, &frames[3..]).await?;

    let page = fx.page(&all(&task)).await?;

    let counts: Vec<_> = outcomes.iter().chain(&last).map(|outcome| outcome.frame_count).collect();
    ensure_eq!(counts, [1, 2, 3, 4]);
    let kept: Vec<_> = page.frames.iter().map(|view| view.frame.clone()).collect();
    ensure_eq!(kept, frames);
    let times: Vec<_> = page.frames.iter().map(|view| view.at).collect();
    let later = fx.now().await;
    ensure_eq!(times, [first, first, first, later]);
    ensure!(page.frames.iter().all(|view| view.attempt == task.attempt), "{page:?}");
    ensure_eq!((page.gap, page.end), (false, None));
    let behind: StreamCursor = outcomes[1].stream_id.parse()?;
    let rest = fx.page(&all(&task).with_from(behind)).await?;
    ensure_eq!(ordinals(&rest.frames), [3, 4]);
    Ok(())
}

/// A number that the attempt has used appends nothing, whatever comes with it, and is answered as it
/// was the first time; the other frames of the same append are new.
pub(crate) async fn repeat_of_a_number_appends_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let first = fx.append(&task, &numbered(1..=5)).await?;
    let before = fx.snapshot().await;

    ensure_eq!(fx.append(&task, &numbered(1..=5)).await?, first);
    let other = Frame::new("other", FrameKind::Stdout).with_seq(3);
    ensure_eq!(fx.append(&task, &[other]).await?, first[2..3]);
    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    let more = fx.append(&task, &numbered([4, 5, 6, 6])).await?;

    ensure_eq!(more[..2], first[3..]);
    ensure_eq!((more[2].frame_count, &more[3]), (6, &more[2]));
    ensure_eq!(seqs(&fx.page(&all(&task)).await?.frames), [1, 2, 3, 4, 5, 6]);
    Ok(())
}

/// Frames without a number are kept as often as they are appended, between numbered ones too.
pub(crate) async fn unnumbered_frames_are_all_kept(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let line = Frame::new("line", FrameKind::Stdout);
    let mut mixed = numbered([1, 2]);
    mixed.insert(1, line.clone());

    for frames in [&mixed[..], &[line.clone(), line]] {
        fx.faultless.append_frames(&task.handle, frames).await?;
    }
    let outcome = fx.append(&task, &numbered([2])).await?;

    ensure_eq!(outcome[0].frame_count, 3);
    let page = fx.page(&all(&task)).await?;
    let numbers: Vec<_> = page.frames.iter().map(|view| view.frame.seq).collect();
    ensure_eq!(numbers, [Some(1), None, Some(2), None, None]);
    Ok(())
}

/// Another attempt may use a number again; a holder that comes back to the same attempt may not.
pub(crate) async fn each_attempt_has_its_own_numbers(fx: Fixture) -> CaseResult {
    let first = fx.running_with_retries().await?;
    fx.append(&first, &numbered([7])).await?;
    fx.backend.delay(&first.handle, &ff_engine::DelayRequest::now()).await?;
    fx.settle().await?;
    let resumed = fx.reclaim_one().await?;
    ensure_eq!(fx.append(&resumed, &numbered([7])).await?[0].frame_count, 1);

    let second = fx.next_attempt(&resumed).await?;
    ensure_eq!(fx.append(&second, &numbered([7])).await?[0].frame_count, 2);

    let page = fx.page(&all(&first)).await?;
    let attempts: Vec<_> = page.frames.iter().map(|view| view.attempt.0).collect();
    ensure_eq!(attempts, [0, 1]);
    Ok(())
}

/// A number below the highest is refused unless it is found among the latest frames, and then no frame of
/// the append is kept.
pub(crate) async fn numbers_rise(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let first = fx.append(&task, &numbered([1, 10])).await?;
    let before = fx.snapshot().await;

    for frames in [numbered([5]), numbered([11, 12, 9]), numbered([0])] {
        assert_invalid(fx.backend.append_frames(&task.handle, &frames).await, "seq")?;
    }
    ensure_eq!(fx.snapshot().await, before, "a refused append left something");

    let most = u64::try_from(limits::FRAMES_REMEMBERED)?;
    for from in (11..11 + most).step_by(250) {
        fx.append(&task, &numbered(from..from + 250)).await?;
    }
    let eleven = numbered([11]).remove(0);
    ensure_eq!(fx.backend.append_frame(&task.handle, &eleven).await?.frame_count, 3);
    assert_invalid(fx.backend.append_frames(&task.handle, &numbered([10])).await, "seq")?;
    ensure_eq!(first[1].frame_count, 2);
    Ok(())
}

/// An execution keeps its latest 10,000 frames. A reader that begins in front of the oldest is told of a
/// gap; one that goes on behind it is not. Frames that are gone still count.
pub(crate) async fn number_is_bounded(fx: Fixture) -> CaseResult {
    const MORE: u64 = 300;
    let task = fx.running().await?;
    let most = u64::try_from(limits::FRAMES_KEPT_MAX)?;
    let start = fx.page(&all(&task)).await?.next;
    let mut from = 1;
    while from <= most + MORE {
        let to = (from + 249).min(most + MORE);
        let outcomes = fx.append(&task, &numbered(from..=to)).await?;
        ensure_eq!(outcomes.last().map(|last| last.frame_count), Some(to));
        from = to + 1;
    }

    for request in [all(&task), all(&task).with_from(start)] {
        let page = fx.page(&request.with_limit(2)).await?;
        ensure!(page.gap, "{page:?}");
        ensure_eq!(ordinals(&page.frames), [MORE + 1, MORE + 2]);
    }
    for (place, gap) in [(MORE - 1, true), (MORE, false)] {
        let place = StreamCursor::new(task.attempt, place);
        let page = fx.page(&all(&task).with_from(place).with_limit(1)).await?;
        ensure_eq!((page.gap, ordinals(&page.frames)), (gap, vec![MORE + 1]), "behind {place}");
    }
    let oldest = all(&task).newest_first().with_from(StreamCursor::new(task.attempt, MORE + 3));
    ensure!(!fx.page(&oldest.clone().with_limit(1)).await?.gap, "there is one in front of it");
    let page = fx.page(&oldest.with_limit(2)).await?;
    ensure_eq!((page.gap, ordinals(&page.frames)), (true, vec![MORE + 2, MORE + 1]));
    Ok(())
}

/// An execution keeps 8 MiB, each frame counted with 64 B more; the latest stays in any case.
pub(crate) async fn bytes_are_bounded(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let (large, small) = (limits::FRAME_MAX_BYTES, 1_000);
    let frame = |bytes: usize, seq: u64| {
        Frame::new(Bytes::from(vec![b'x'; bytes]), FrameKind::Blob).with_seq(seq)
    };
    let most = limits::FRAMES_KEPT_MAX_BYTES / (large + limits::FRAME_OVERHEAD_BYTES);
    let most = u64::try_from(most)?;
    for seq in 1..=most {
        fx.append(&task, &[frame(large, seq)]).await?;
    }
    ensure!(!fx.page(&all(&task).with_limit(1)).await?.gap, "all of it fits");
    let left = limits::FRAMES_KEPT_MAX_BYTES
        - usize::try_from(most)? * (large + limits::FRAME_OVERHEAD_BYTES);
    let fits = u64::try_from(left / (small + limits::FRAME_OVERHEAD_BYTES))?;
    for seq in most + 1..=most + fits {
        fx.append(&task, &[frame(small, seq)]).await?;
    }
    ensure!(!fx.page(&all(&task).with_limit(1)).await?.gap, "all of it still fits");

    fx.append(&task, &[frame(small, most + fits + 1)]).await?;

    let page = fx.page(&all(&task).with_limit(1)).await?;
    ensure_eq!((page.gap, ordinals(&page.frames)), (true, vec![2]));
    Ok(())
}

/// Frames are kept when the execution ends and over a replay, and go with its record.
pub(crate) async fn goes_with_the_execution(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retention(ms(1_000));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    fx.append(&task, &numbered([1])).await?;
    fx.backend.complete(&task.handle, None).await?;
    ensure_eq!(seqs(&fx.page(&all(&task)).await?.frames), [1]);
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    let again = fx.claim_one().await?;
    fx.append(&again, &numbered([2])).await?;
    fx.backend.complete(&again.handle, None).await?;
    ensure_eq!(seqs(&fx.page(&all(&task)).await?.frames), [1, 2]);

    fx.advance(1_000).await;
    fx.settle().await?;

    assert_code(fx.backend.read_stream(&all(&task)).await, "execution_not_found")?;
    fx.advance(limits::COMPLETIONS_KEPT_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}

/// Following the cursors gives each frame once, whatever the size of the pages, and also what was
/// appended behind the last.
pub(crate) async fn cursor_misses_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered(1..=7)).await?;
    for size in [1, 2, 3, 7, 8] {
        let (frames, last) = fx.pages(all(&task).with_limit(size)).await?;
        ensure_eq!(seqs(&frames), [1, 2, 3, 4, 5, 6, 7], "pages of {size}");
        ensure_eq!((last.end, last.gap, last.next.ordinal()), (None, false, 7));
    }

    let (_, last) = fx.pages(all(&task)).await?;
    fx.append(&task, &numbered(8..=9)).await?;

    let page = fx.page(&all(&task).with_from(last.next)).await?;
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
        let (frames, last) = fx.pages(all(&task).newest_first().with_limit(size)).await?;
        ensure_eq!(seqs(&frames), [7, 6, 5, 4, 3, 2, 1], "pages of {size}");
        ensure_eq!((last.end, last.gap), (None, false));
    }
    let place = StreamCursor::new(task.attempt, 3);
    let page = fx.page(&all(&task).newest_first().with_from(place)).await?;
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
        let request = all(&first).with_attempt(AttemptIndex(attempt));
        let (frames, _) = fx.pages(request.clone().with_limit(1)).await?;
        ensure_eq!(seqs(&frames), expected, "of attempt {attempt}");
        let (mut frames, _) = fx.pages(request.newest_first()).await?;
        frames.reverse();
        ensure_eq!(seqs(&frames), expected, "of attempt {attempt}, backwards");
    }
    let (frames, _) = fx.pages(all(&first).with_limit(2)).await?;
    ensure_eq!(seqs(&frames), [1, 2, 3, 4, 5]);
    let behind = StreamCursor::new(first.attempt, 1);
    let page = fx.page(&all(&first).with_attempt(second.attempt).with_from(behind)).await?;
    ensure_eq!(seqs(&page.frames), [3], "from a place in another attempt");
    Ok(())
}

/// A reader that waits is given the next frame as soon as there is one, and at the latest nothing when
/// its wait is over.
pub(crate) async fn wait_for_the_next(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered([1])).await?;
    let place = fx.page(&all(&task)).await?.next;
    let wait = |max_wait_ms| {
        let backend = Arc::clone(&fx.faultless);
        let request = all(&task).with_from(place).with_max_wait(ms(max_wait_ms));
        tokio::spawn(async move { backend.read_stream(&request).await })
    };
    let (brief, long) = (wait(50), wait(limits::MAX_WAIT_MAX_MS));
    fx.let_others_run().await;
    ensure!(!brief.is_finished() && !long.is_finished(), "they did not wait");
    let page = fx
        .promptly(async {
            while !brief.is_finished() {
                fx.let_others_run().await;
                fx.advance(50).await;
            }
            brief.await
        })
        .await???;
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
    let of_silent = wait(all(&silent));
    let task = fx.running_with_retries().await?;
    fx.append(&task, &numbered([1])).await?;
    let place = fx.page(&all(&task)).await?.next;
    let of_attempt = wait(all(&task).with_from(place).with_attempt(task.attempt));
    let of_all = wait(all(&task).with_from(place));
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
    let mut places = vec![fx.page(&all(&task)).await?.next; READERS];
    for seq in 1..=3 {
        let mut waiting = Vec::with_capacity(READERS);
        for place in &places {
            let backend = Arc::clone(&fx.faultless);
            let request =
                all(&task).with_from(*place).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
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

/// The same read that may wait, made again and again, is answered by what is there each time: more of it,
/// the end, and after a replay no end.
pub(crate) async fn same_read_is_answered_anew(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let read = all(&task).with_summary_after(0).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
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

/// The page that holds the last frame says how the execution ended, and so does one behind it; a page in
/// front of it does not. What is still to be written has no end.
pub(crate) async fn end_is_told_with_its_reason(fx: Fixture) -> CaseResult {
    let (completed, failed, cancelled) =
        (fx.running().await?, fx.running().await?, fx.running().await?);
    for task in [&completed, &failed, &cancelled] {
        fx.append(task, &numbered([1, 2])).await?;
        ensure_eq!(fx.page(&all(task)).await?.end, None);
    }
    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.cancel(&cancelled.handle, "enough").await?;

    for (task, outcome) in [
        (&completed, TerminalOutcome::Completed),
        (&failed, TerminalOutcome::Failed),
        (&cancelled, TerminalOutcome::Cancelled),
    ] {
        ensure_eq!(fx.page(&all(task).with_limit(1)).await?.end, None, "{outcome}");
        let page = fx.page(&all(task)).await?;
        ensure_eq!(page.end, Some(StreamEnd::Ended(outcome)));
        let behind = fx.page(&all(task).with_from(page.next)).await?;
        ensure_eq!((behind.frames.len(), behind.end), (0, page.end));
        let of_attempt = fx.page(&all(task).with_attempt(task.attempt)).await?;
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
    let of = |attempt| all(&task).with_attempt(AttemptIndex(attempt));
    fx.append(&task, &numbered([1])).await?;
    fx.backend.delay(&task.handle, &ff_engine::DelayRequest::now()).await?;
    ensure_eq!(fx.page(&of(0)).await?.end, None, "a pause is not the end");
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;

    ensure_eq!(fx.page(&of(0)).await?.end, Some(StreamEnd::Superseded));
    ensure_eq!(fx.page(&all(&task)).await?.end, None);
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

/// Whoever has lost the lease appends nothing, not even what it appended before.
pub(crate) async fn stale_holder_appends_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.append(&task, &numbered([1])).await?;
    fx.advance(LEASE_TTL_MS).await;
    let refused = fx.backend.append_frames(&task.handle, &numbered([2])).await;
    assert_code(refused, "lease_expired")?;
    fx.settle().await?;
    let holder = fx.reclaim_one().await?;
    fx.append(&holder, &numbered([1])).await?;
    let before = fx.snapshot().await;

    for frames in [numbered([1]), numbered([2])] {
        let refused = fx.backend.append_frames(&task.handle, &frames).await;
        assert_code(refused, "stale_lease")?;
    }
    ensure_eq!(fx.snapshot().await, before, "a late append left something");
    fx.backend.complete(&holder.handle, None).await?;
    let released = fx.backend.append_frames(&holder.handle, &numbered([2])).await;
    assert_code(released, "already_released")?;

    let (frames, _) = fx.pages(all(&task)).await?;
    let written: Vec<_> = frames.iter().map(|view| (view.attempt.0, view.frame.seq)).collect();
    ensure_eq!(written, [(0, Some(1)), (1, Some(1))]);
    Ok(())
}

/// There is no stream of an execution that is not there, and an empty one of one that wrote nothing.
pub(crate) async fn unknown_execution_is_not_found(fx: Fixture) -> CaseResult {
    let unknown = ReadStream::new(fx.ids.execution_id());
    for request in [unknown.clone(), unknown.clone().newest_first()] {
        assert_code(fx.backend.read_stream(&request).await, "execution_not_found")?;
    }
    let waits = unknown.with_max_wait(ms(1_000));
    assert_code(fx.backend.read_stream(&waits).await, "execution_not_found")?;
    let silent = ReadStream::new(fx.submit_default().await?);
    let page = fx.page(&silent).await?;
    ensure_eq!((page.frames.len(), page.gap, page.next), (0, false, StreamCursor::default()));
    Ok(())
}

/// What is too much or out of range is refused, and the field named, and nothing of it is kept.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let before = fx.snapshot().await;
    let append = |frames: Vec<Frame>| {
        let handle = &task.handle;
        let backend = &fx.backend;
        async move { backend.append_frames(handle, &frames).await }
    };
    assert_invalid(append(Vec::new()).await, "frames")?;
    let most = limits::FRAMES_PER_APPEND_MAX;
    let many = numbered(1..=u64::try_from(most)? + 1);
    assert_too_large(append(many.clone()).await, most, most + 1)?;
    let large = |bytes: usize| Frame::new(Bytes::from(vec![0; bytes]), FrameKind::Blob);
    let largest = limits::FRAME_MAX_BYTES;
    assert_too_large(append(vec![large(largest + 1)]).await, largest, largest + 1)?;
    let together = limits::FRAMES_PER_APPEND_MAX_BYTES;
    let mut frames = vec![large(largest); together / largest];
    frames.push(large(1));
    assert_too_large(append(frames).await, together, together + 1)?;
    let long = large(1).with_frame_type("x".repeat(limits::FRAME_TYPE_MAX_BYTES + 1));
    let refused = append(vec![large(1).with_seq(1), long.with_seq(2)]).await;
    ensure!(refused.is_err(), "a type that is too long was taken");
    ensure_eq!(fx.snapshot().await, before, "a refused append left something");

    fx.append(&task, &many[..most]).await?;
    for limit in [0, limits::LIST_LIMIT_MAX + 1] {
        let page = fx.backend.read_stream(&all(&task).with_limit(limit)).await;
        assert_invalid(page, "limit")?;
    }
    let too_long = all(&task).with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1));
    assert_invalid(fx.backend.read_stream(&too_long).await, "max_wait")?;
    let backwards = all(&task).newest_first().with_max_wait(ms(1));
    assert_invalid(fx.backend.read_stream(&backwards).await, "max_wait")?;
    let beyond = all(&task).with_from(StreamCursor::new(task.attempt, u64::MAX));
    for request in [beyond.clone(), beyond.newest_first()] {
        assert_invalid(fx.backend.read_stream(&request).await, "cursor")?;
    }
    let bad = "s1.x".parse::<StreamCursor>().err().ok_or_else(|| CaseError::new("no error"))?;
    ensure_eq!(bad.code(), "validation");
    Ok(())
}
