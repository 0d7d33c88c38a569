//! The stream of an execution: the frames that its attempts write, bounded in number and bytes. A store
//! with streams of its own has these rules there.

use std::collections::VecDeque;

use ff_types::backend::{AppendFrameOutcome, Frame};
use ff_types::{AttemptIndex, TimestampMs, limits};

use super::fence_check::held;
use super::record::{ExecutionRecord, RunState};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{
    FrameView, ReadStream, StreamCursor, StreamEnd, StreamPage, validate_frames,
};

/// The attempt that appends these frames.
///
/// # Errors
/// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] for the frames, and
/// [`EngineError::State`] when the lease is not live.
pub fn append_frames(
    record: &ExecutionRecord,
    fence: &Fence,
    frames: &[Frame],
    now: TimestampMs,
) -> Result<AttemptIndex, EngineError> {
    validate_frames(frames)?;
    held(record, fence, now).map(|lease| lease.attempt)
}

/// Why nothing more is written by an attempt, or by the execution, if that is so.
pub fn stream_end(run: &RunState, attempt: Option<AttemptIndex>) -> Option<StreamEnd> {
    let ended = run.state.outcome().map(StreamEnd::Ended);
    match (attempt, &run.attempt) {
        (None, _) | (Some(_), None) => ended,
        (Some(asked), Some(latest)) if asked < latest.index => Some(StreamEnd::Superseded),
        (Some(asked), Some(latest)) if asked > latest.index || latest.open => ended,
        (Some(_), Some(_)) => ended.or(Some(StreamEnd::Superseded)),
    }
}

/// The frames that are kept, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameLog {
    kept: VecDeque<Kept>,
    /// What the kept ones count.
    bytes: usize,
    /// How many were written.
    written: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    view: FrameView,
    /// The number of the first frame of its attempt.
    began: u64,
    /// The highest number that the writer had given, with this frame.
    highest: Option<u64>,
}

impl FrameLog {
    /// Appends the frames that were not appended before, all or none.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a number that does not rise, and is none of those that are
    /// remembered.
    pub fn append(
        &mut self,
        attempt: AttemptIndex,
        frames: &[Frame],
        now: TimestampMs,
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let mut next = Writing::of(self, attempt);
        let mut outcomes = Vec::with_capacity(frames.len());
        for frame in frames {
            outcomes.push(outcome(attempt, next.write(self, frame)?));
        }
        let Writing { fresh, began, written, .. } = next;
        self.written = written;
        for (ordinal, highest, frame) in fresh {
            self.bytes += weight(frame);
            let view = FrameView::new(attempt, ordinal, now, frame.clone());
            self.kept.push_back(Kept { view, began, highest });
        }
        self.trim();
        Ok(outcomes)
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.written == 0
    }

    fn trim(&mut self) {
        while self.kept.len() > limits::FRAMES_KEPT_MAX
            || self.bytes > limits::FRAMES_KEPT_MAX_BYTES
        {
            let Some(gone) = self.kept.pop_front() else { return };
            self.bytes -= weight(&gone.view.frame);
        }
    }

    /// The page that is asked for, of the frames and the running summary of this execution.
    pub fn page_of(
        &self,
        record: &ExecutionRecord,
        request: &ReadStream,
        most: usize,
    ) -> StreamPage {
        let page = self.page(request, most, stream_end(&record.run, request.attempt));
        let summary = record.summary.as_deref().filter(|summary| {
            request.summary_after.is_some_and(|version| summary.version > version)
        });
        page.with_summary(summary.cloned())
    }

    /// Up to `most` frames as asked for. `end` says why nothing follows the last one there is.
    fn page(&self, request: &ReadStream, most: usize, end: Option<StreamEnd>) -> StreamPage {
        let place = request.from.unwrap_or_default();
        let asked = |view: &&FrameView| request.attempt.is_none_or(|one| one == view.attempt);
        let kept = self.kept.iter().map(|kept| &kept.view);
        let (mut frames, mut bytes) = (Vec::new(), 0);
        let mut take = |view: &FrameView| {
            let is_full = frames.len() == most
                || !frames.is_empty()
                    && bytes + view.frame.bytes.len() > limits::FRAMES_PAGE_MAX_BYTES;
            if !is_full {
                bytes += view.frame.bytes.len();
                frames.push(view.clone());
            }
            !is_full
        };
        let place_of = |view: &FrameView| (view.attempt, view.ordinal);
        let (from, is_start) = ((place.attempt(), place.ordinal()), place.ordinal() == 0);
        let is_through = if request.newest_first {
            let before = |view: &&FrameView| request.from.is_none() || place_of(view) < from;
            kept.rev().filter(before).filter(asked).all(&mut take)
        } else {
            let behind = |view: &&FrameView| is_start || place_of(view) > from;
            kept.filter(behind).filter(asked).all(&mut take)
        };
        let first_read = if request.newest_first { 0 } else { place.ordinal() };
        let gap = (!request.newest_first || is_through)
            && self.is_missing_behind(first_read, request.attempt);
        let end = end.filter(|_| is_through && !request.newest_first);
        let next = frames.last().map_or(place, FrameView::place);
        StreamPage::new(frames, gap, end, next)
    }

    /// Whether frames behind this one are gone, of the attempt when one is given.
    fn is_missing_behind(&self, ordinal: u64, attempt: Option<AttemptIndex>) -> bool {
        let Some(Kept { view: oldest, began, .. }) = self.kept.front() else { return false };
        let next = ordinal.saturating_add(1);
        match attempt {
            None => next < oldest.ordinal,
            Some(asked) if asked < oldest.attempt => next < *began,
            Some(asked) if asked > oldest.attempt => false,
            Some(_) => next.max(*began) < oldest.ordinal,
        }
    }
}

/// What an append comes to, before any of it is kept.
struct Writing<'f> {
    attempt: AttemptIndex,
    highest: Option<u64>,
    began: u64,
    written: u64,
    /// What is not kept yet: its number, and the highest of the writer's.
    fresh: Vec<(u64, Option<u64>, &'f Frame)>,
}

impl<'f> Writing<'f> {
    fn of(log: &FrameLog, attempt: AttemptIndex) -> Self {
        let latest = log.kept.back().filter(|latest| latest.view.attempt == attempt);
        let (highest, began) =
            latest.map_or((None, log.written + 1), |latest| (latest.highest, latest.began));
        Self { attempt, highest, began, written: log.written, fresh: Vec::new() }
    }

    /// The number of the frame, which was written before or is written now.
    fn write(&mut self, log: &FrameLog, frame: &'f Frame) -> Result<u64, EngineError> {
        if let Some(highest) =
            self.highest.filter(|highest| frame.seq.is_some_and(|seq| seq <= *highest))
        {
            return self
                .written_as(log, frame.seq)
                .ok_or_else(|| EngineError::frame_number(highest));
        }
        self.written += 1;
        self.highest = frame.seq.or(self.highest);
        self.fresh.push((self.written, self.highest, frame));
        Ok(self.written)
    }

    fn written_as(&self, log: &FrameLog, seq: Option<u64>) -> Option<u64> {
        let just_now = self.fresh.iter().rev().find(|(_, _, frame)| frame.seq == seq);
        let latest = || {
            let own = log.kept.iter().rev().map(|kept| &kept.view);
            let own = own.take_while(|view| view.attempt == self.attempt);
            own.take(limits::FRAMES_REMEMBERED).find(|view| view.frame.seq == seq)
        };
        just_now.map(|(ordinal, ..)| *ordinal).or_else(|| latest().map(|view| view.ordinal))
    }
}

fn outcome(attempt: AttemptIndex, ordinal: u64) -> AppendFrameOutcome {
    let stream_id = StreamCursor::new(attempt, ordinal).to_string();
    AppendFrameOutcome { stream_id, frame_count: ordinal }
}

/// What a frame counts towards the bound.
fn weight(frame: &Frame) -> usize {
    frame.bytes.len() + limits::FRAME_OVERHEAD_BYTES
}
