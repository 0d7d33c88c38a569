//! What an append stores, and what it refuses.

use bytes::Bytes;
use ff_engine::{EngineBackendExt as _, ReadStream, StreamCursor};
use ff_types::backend::{Frame, FrameKind};
use ff_types::limits;

use super::{numbered, ordinals, seqs, whole};
use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure,
    ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["stream":
    frames_come_back_as_they_were_written,
    repeat_of_a_number_appends_nothing,
    unnumbered_frames_are_all_kept,
    each_attempt_has_its_own_numbers,
    numbers_rise,
    stale_holder_appends_nothing,
    unknown_execution_is_not_found,
    limits_are_enforced,
];

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

    let page = fx.page(&whole(&task)).await?;

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
    let rest = fx.page(&whole(&task).with_from(behind)).await?;
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
    ensure_eq!(seqs(&fx.page(&whole(&task)).await?.frames), [1, 2, 3, 4, 5, 6]);
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
    let page = fx.page(&whole(&task)).await?;
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

    let page = fx.page(&whole(&first)).await?;
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

    let (frames, _) = fx.pages(whole(&task)).await?;
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
        let page = fx.backend.read_stream(&whole(&task).with_limit(limit)).await;
        assert_invalid(page, "limit")?;
    }
    let too_long = whole(&task).with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1));
    assert_invalid(fx.backend.read_stream(&too_long).await, "max_wait")?;
    let backwards = whole(&task).newest_first().with_max_wait(ms(1));
    assert_invalid(fx.backend.read_stream(&backwards).await, "max_wait")?;
    let beyond = whole(&task).with_from(StreamCursor::new(task.attempt, u64::MAX));
    for request in [beyond.clone(), beyond.newest_first()] {
        assert_invalid(fx.backend.read_stream(&request).await, "cursor")?;
    }
    let bad = "s1.x".parse::<StreamCursor>().err().ok_or_else(|| CaseError::new("no error"))?;
    ensure_eq!(bad.code(), "validation");
    Ok(())
}
