//! Streams of frames: appended under the fence, and read by any number of readers.

use std::sync::Arc;

use bytes::Bytes;
use ff_engine::{
    EngineError, Fence, FrameView, ReadStream, StreamCursor, StreamEnd, StreamPage, SummaryOutcome,
    SummaryView, UpdateSummary,
};
use ff_types::backend::{AppendFrameOutcome, Frame, FrameKind};
use ff_types::{AttemptIndex, ExecutionId, TimestampMs};

use super::bits;
use super::packed::Packed;
use crate::call::BadReply;
use crate::calls;
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::reply::Reply;
use crate::waits::within;

/// The longest wait for a message before the store is asked again.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(10);
const OPERATION: &str = "read_stream";

impl Inner {
    pub(super) async fn append_frames(
        &self,
        fence: &Fence,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        const OPERATION: &str = "append_frames";
        let mut packed = Packed::default();
        for frame in frames {
            packed.push(letter(frame.kind)?);
            packed.push(frame.seq.map(|seq| seq.to_string()).unwrap_or_default());
            packed.push(&frame.frame_type);
            packed.push(frame.correlation_id.as_deref().unwrap_or_default());
            packed.push(&frame.bytes);
        }
        let call = calls::AppendFrames {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            frames: packed.freeze(),
        };
        let answer = self.about(OPERATION, fence.execution, call).await?;
        let outcomes: Option<Vec<_>> = answer
            .ordinals
            .split(',')
            .map(|ordinal| {
                let frame_count = ordinal.parse().ok()?;
                let stream_id = StreamCursor::new(fence.attempt, frame_count).to_string();
                Some(AppendFrameOutcome { stream_id, frame_count })
            })
            .collect();
        outcomes
            .filter(|outcomes| outcomes.len() == frames.len())
            .ok_or_else(|| bad_reply(OPERATION, BadReply("ordinals")))
    }

    pub(super) async fn update_summary(
        &self,
        fence: &Fence,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError> {
        const OPERATION: &str = "update_summary";
        let call = calls::UpdateSummary {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            expected: request.expected_version,
            document: request.document.clone(),
        };
        let answer = self.about(OPERATION, fence.execution, call).await?;
        match answer.outcome.as_str() {
            "updated" => {
                Ok(SummaryOutcome::Updated { version: request.expected_version.saturating_add(1) })
            }
            "stands" => summary_of(fence.execution, &answer.stands).map(SummaryOutcome::Stands),
            _ => Err(bad_reply(OPERATION, BadReply("outcome"))),
        }
    }

    pub(super) async fn read_stream(
        self: &Arc<Self>,
        request: &ReadStream,
    ) -> Result<StreamPage, EngineError> {
        let page_size = request.page_size()?;
        let Some(max_wait) = request.max_wait else {
            return self.stream_page(request, page_size).await;
        };
        let mut over = self.clock.sleep(max_wait);
        let mut wait = self.waits.frames.listen(self, request.execution_id).await?;
        loop {
            let ask = || self.awaited_page(request, page_size);
            let page = wait.ask(request, page_size, ask).await?;
            if !page.is_empty() {
                return Ok(page);
            }
            let mut pause = self.clock.sleep(LOOK_AGAIN);
            let heard = async {
                tokio::select! {
                    biased;
                    () = wait.news() => {}
                    () = &mut pause => {}
                }
            };
            if within(heard, over.as_mut()).await.is_none() {
                return Ok(page);
            }
        }
    }

    async fn stream_page(
        &self,
        request: &ReadStream,
        page_size: usize,
    ) -> Result<StreamPage, EngineError> {
        let place = request.from.unwrap_or_default();
        // In front of all there is nothing to be read backwards.
        let first = u64::from(request.newest_first && request.from.is_some());
        let call = calls::ReadFrames {
            id: request.execution_id.as_u128(),
            asked: &asked(request),
            attempt: place.attempt().0.into(),
            ordinal: place.ordinal().max(first),
            back: request.newest_first,
            most: page_size as u64,
            seen: &seen(request),
        };
        let answer = self.about(OPERATION, request.execution_id, call).await?;
        page(request, answer.gap, &answer.end, answer.items, &answer.summary)
    }

    /// The same, which is announced when there is nothing yet.
    async fn awaited_page(
        &self,
        request: &ReadStream,
        page_size: usize,
    ) -> Result<StreamPage, EngineError> {
        let place = request.from.unwrap_or_default();
        let call = calls::AwaitFrames {
            id: request.execution_id.as_u128(),
            asked: &asked(request),
            attempt: place.attempt().0.into(),
            ordinal: place.ordinal(),
            most: page_size as u64,
            seen: &seen(request),
        };
        let answer = self.about(OPERATION, request.execution_id, call).await?;
        page(request, answer.gap, &answer.end, answer.items, &answer.summary)
    }
}

/// The version of the summary that a reader knows, or nothing when it wants none.
fn seen(request: &ReadStream) -> String {
    request.summary_after.map(|version| version.to_string()).unwrap_or_default()
}

fn asked(request: &ReadStream) -> String {
    request.attempt.map(|attempt| attempt.0.to_string()).unwrap_or_default()
}

fn page(
    request: &ReadStream,
    gap: bool,
    end: &str,
    items: Vec<Reply>,
    summary: &Bytes,
) -> Result<StreamPage, EngineError> {
    let end = match end {
        "" => None,
        "superseded" => Some(StreamEnd::Superseded),
        outcome => {
            let outcome = outcome.parse().map_err(|_| bad_reply(OPERATION, BadReply("end")))?;
            Some(StreamEnd::Ended(outcome))
        }
    };
    let mut frames = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(id), Some(field)) = (items.next(), items.next()) {
        let view = id.into_bytes().zip(field.into_bytes());
        let view = view.and_then(|(id, field)| view_of(&id, &field));
        frames.push(view.ok_or_else(|| corrupt(request.execution_id))?);
    }
    let next = frames.last().map_or(request.from.unwrap_or_default(), FrameView::place);
    let page = StreamPage::new(frames, gap, end, next);
    Ok(page.with_summary(summary_of(request.execution_id, summary)?))
}

/// A summary as `summary.lua` stores it, or nothing.
fn summary_of(id: ExecutionId, stored: &Bytes) -> Result<Option<SummaryView>, EngineError> {
    if stored.is_empty() {
        return Ok(None);
    }
    let corrupt = || EngineError::Corrupt { what: format!("the summary of execution {id}") };
    let view = || {
        let head = stored.iter().position(|byte| *byte == b'\n')?;
        let mut words = std::str::from_utf8(&stored[..head]).ok()?.split(' ');
        let (version, attempt) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let at = TimestampMs(words.next()?.parse().ok()?);
        Some(SummaryView::new(version, AttemptIndex(attempt), at, stored.slice(head + 1..)))
    };
    view().map(Some).ok_or_else(corrupt)
}

fn corrupt(id: ExecutionId) -> EngineError {
    EngineError::Corrupt { what: format!("a frame of execution {id}") }
}

fn letter(kind: FrameKind) -> Result<&'static str, EngineError> {
    match kind {
        FrameKind::Stdout => Ok("o"),
        FrameKind::Stderr => Ok("e"),
        FrameKind::Event => Ok("v"),
        FrameKind::Blob => Ok("b"),
        _ => Err(EngineError::validation("kind", "is not one that this version knows")),
    }
}

/// A frame as `frame.lua` stores it: the field is
/// `<when> <counted> <began> <highest> <kind> <numbered> <length> <length> <type><correlation id><bytes>`.
fn view_of(id: &Bytes, field: &Bytes) -> Option<FrameView> {
    let (attempt, ordinal) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let attempt = AttemptIndex(attempt.parse::<u32>().ok()?.checked_sub(1)?);
    let mut at = 0;
    let mut word = || {
        let end = at + field.get(at..)?.iter().position(|byte| *byte == b' ')?;
        let word = std::str::from_utf8(&field[at..end]).ok()?;
        at = end + 1;
        Some(word)
    };
    let when = TimestampMs(word()?.parse().ok()?);
    let (_counted, _began, highest) = (word()?, word()?, word()?);
    let kind = match word()? {
        "o" => FrameKind::Stdout,
        "e" => FrameKind::Stderr,
        "v" => FrameKind::Event,
        "b" => FrameKind::Blob,
        _ => return None,
    };
    let is_numbered = word()? == "n";
    let (of_type, of_correlation) =
        (word()?.parse::<usize>().ok()?, word()?.parse::<usize>().ok()?);
    let middle = at.checked_add(of_type)?;
    let bytes = middle.checked_add(of_correlation).filter(|from| *from <= field.len())?;
    let text = |from: usize, to: usize| std::str::from_utf8(&field[from..to]).ok();
    let mut frame = Frame::new(field.slice(bytes..), kind).with_frame_type(text(at, middle)?);
    if is_numbered {
        frame = frame.with_seq(highest.parse().ok()?);
    }
    if of_correlation > 0 {
        frame = frame.with_correlation_id(text(middle, bytes)?);
    }
    Some(FrameView::new(attempt, ordinal.parse().ok()?, when, frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_and_a_damaged_one_is_not() {
        let id = Bytes::from_static(b"3-7");
        let stored = Bytes::from_static(b"1700000000000 70 5 41 e n 4 2 typeid a b");
        let view = view_of(&id, &stored).unwrap();

        assert_eq!((view.attempt.0, view.ordinal, view.at.0), (2, 7, 1_700_000_000_000));
        let frame = Frame::new(" a b", FrameKind::Stderr).with_seq(41).with_frame_type("type");
        assert_eq!(view.frame, frame.with_correlation_id("id"));
        for damaged in ["1 1 1 - o u 0 9 ", "1 1 1 - x u 0 0 ", "1 1 1 - o n 0 0 ", "1 1", ""] {
            assert!(view_of(&id, &damaged.into()).is_none(), "{damaged}");
        }
        for damaged in ["", "0-1", "x-1", "1"] {
            assert!(view_of(&damaged.into(), &stored).is_none(), "{damaged}");
        }
    }
}
