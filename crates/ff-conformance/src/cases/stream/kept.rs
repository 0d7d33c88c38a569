//! How much is kept, and how long.

use bytes::Bytes;
use ff_engine::StreamCursor;
use ff_types::backend::{Frame, FrameKind};
use ff_types::{ExecutionPolicy, limits};

use super::{numbered, ordinals, seqs, whole};
use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["stream":
    number_is_bounded,
    bytes_are_bounded,
    goes_with_the_execution,
];

/// An execution keeps its latest 10,000 frames. A reader that begins in front of the oldest is told of a
/// gap; one that goes on behind it is not. Frames that are gone still count.
pub(crate) async fn number_is_bounded(fx: Fixture) -> CaseResult {
    const MORE: u64 = 300;
    let task = fx.running().await?;
    let most = u64::try_from(limits::FRAMES_KEPT_MAX)?;
    let start = fx.page(&whole(&task)).await?.next;
    let mut from = 1;
    while from <= most + MORE {
        let to = (from + 249).min(most + MORE);
        let outcomes = fx.append(&task, &numbered(from..=to)).await?;
        ensure_eq!(outcomes.last().map(|last| last.frame_count), Some(to));
        from = to + 1;
    }

    for request in [whole(&task), whole(&task).with_from(start)] {
        let page = fx.page(&request.with_limit(2)).await?;
        ensure!(page.gap, "{page:?}");
        ensure_eq!(ordinals(&page.frames), [MORE + 1, MORE + 2]);
    }
    for (place, gap) in [(MORE - 1, true), (MORE, false)] {
        let place = StreamCursor::new(task.attempt, place);
        let page = fx.page(&whole(&task).with_from(place).with_limit(1)).await?;
        ensure_eq!((page.gap, ordinals(&page.frames)), (gap, vec![MORE + 1]), "behind {place}");
    }
    let oldest = whole(&task).newest_first().with_from(StreamCursor::new(task.attempt, MORE + 3));
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
    ensure!(!fx.page(&whole(&task).with_limit(1)).await?.gap, "all of it fits");
    let left = limits::FRAMES_KEPT_MAX_BYTES
        - usize::try_from(most)? * (large + limits::FRAME_OVERHEAD_BYTES);
    let fits = u64::try_from(left / (small + limits::FRAME_OVERHEAD_BYTES))?;
    for seq in most + 1..=most + fits {
        fx.append(&task, &[frame(small, seq)]).await?;
    }
    ensure!(!fx.page(&whole(&task).with_limit(1)).await?.gap, "all of it still fits");

    fx.append(&task, &[frame(small, most + fits + 1)]).await?;

    let page = fx.page(&whole(&task).with_limit(1)).await?;
    ensure_eq!((page.gap, ordinals(&page.frames)), (true, vec![2]));
    Ok(())
}

/// Frames are kept when the execution ends and over a replay, and go with its record.
pub(crate) async fn goes_with_the_execution(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retention(ms(1_000));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    fx.append(&task, &numbered([1])).await?;
    fx.backend.complete(&task.handle, None).await?;
    ensure_eq!(seqs(&fx.page(&whole(&task)).await?.frames), [1]);
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    let again = fx.claim_one().await?;
    fx.append(&again, &numbered([2])).await?;
    fx.backend.complete(&again.handle, None).await?;
    ensure_eq!(seqs(&fx.page(&whole(&task)).await?.frames), [1, 2]);

    fx.advance(1_000).await;
    fx.settle().await?;

    assert_code(fx.backend.read_stream(&whole(&task)).await, "execution_not_found")?;
    fx.advance(limits::COMPLETIONS_KEPT_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}
