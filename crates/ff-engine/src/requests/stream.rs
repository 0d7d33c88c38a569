//! The stream of an execution: the frames that its attempts write.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::Frame;
use ff_types::{AttemptIndex, ExecutionId, TerminalOutcome, TimestampMs, limits};
use serde::{Deserialize, Serialize};

use super::{SummaryView, at_most, valid_wait};
use crate::error::EngineError;

/// Refuses frames that cannot be appended together. For backends.
///
/// # Errors
/// [`EngineError::Validation`] and [`EngineError::LimitExceeded`], which name the field.
pub fn validate_frames(frames: &[Frame]) -> Result<(), EngineError> {
    if frames.is_empty() {
        return Err(EngineError::validation("frames", "must not be empty"));
    }
    at_most("frames", frames.len(), limits::FRAMES_PER_APPEND_MAX)?;
    frames.iter().try_for_each(Frame::validate)?;
    let bytes = frames.iter().map(|frame| frame.bytes.len()).sum();
    at_most("frames_bytes", bytes, limits::FRAMES_PER_APPEND_MAX_BYTES)
}

/// Asks for frames of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReadStream {
    /// Whose.
    pub execution_id: ExecutionId,
    /// Only those of this attempt; `None` follows the execution over its attempts.
    pub attempt: Option<AttemptIndex>,
    /// The place to go on from; from the oldest, or with `newest_first` from the newest, when `None`.
    pub from: Option<StreamCursor>,
    /// Reads backwards.
    pub newest_first: bool,
    /// Also gives the running summary when its version is above this one. `None` leaves it out.
    pub summary_after: Option<u64>,
    /// At most this many frames, 1..=1,000; 100 when `None`. A page has at most 1 MiB besides.
    pub limit: Option<u32>,
    /// Waits this long inside the backend when there is nothing behind the place yet; at most 60 s.
    /// `None` never waits, and backwards there is nothing to wait for.
    pub max_wait: Option<Duration>,
}

impl ReadStream {
    /// All frames of all attempts, oldest first, without a wait.
    pub const fn new(execution_id: ExecutionId) -> Self {
        Self {
            execution_id,
            attempt: None,
            from: None,
            newest_first: false,
            summary_after: None,
            limit: None,
            max_wait: None,
        }
    }

    /// Only frames of this attempt.
    #[must_use]
    pub const fn with_attempt(mut self, attempt: AttemptIndex) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Goes on from a place.
    #[must_use]
    pub const fn with_from(mut self, from: StreamCursor) -> Self {
        self.from = Some(from);
        self
    }

    /// Reads backwards, from the newest or from the place.
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    /// Also gives the running summary when its version is above this one: 0 for any.
    #[must_use]
    pub const fn with_summary_after(mut self, version: u64) -> Self {
        self.summary_after = Some(version);
        self
    }

    /// At most `limit` frames.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits up to `max_wait` for what comes next.
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Checks limit, wait and direction, and answers the page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when one is out of range, or a wait is backwards.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        valid_wait(self.max_wait)?;
        if self.from.is_some_and(|from| from.ordinal > StreamCursor::ORDINAL_MAX) {
            return Err(EngineError::validation("cursor", "lies behind every frame there can be"));
        }
        if self.newest_first && self.max_wait.is_some() {
            return Err(EngineError::validation("max_wait", "must be none with newest_first"));
        }
        super::read::page_size(self.limit)
    }
}

/// A frame as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrameView {
    /// The attempt that wrote it.
    pub attempt: AttemptIndex,
    /// Its number within the execution, counted from 1 over all attempts.
    pub ordinal: u64,
    /// When it was appended, by the store's clock.
    pub at: TimestampMs,
    /// What was written.
    pub frame: Frame,
}

impl FrameView {
    /// A frame of these parts. For backends.
    pub const fn new(attempt: AttemptIndex, ordinal: u64, at: TimestampMs, frame: Frame) -> Self {
        Self { attempt, ordinal, at, frame }
    }

    /// Its place: a reader that goes on from here gets what was written behind it.
    pub const fn place(&self) -> StreamCursor {
        StreamCursor { attempt: self.attempt, ordinal: self.ordinal }
    }
}

/// Why nothing is written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamEnd {
    /// The execution has ended.
    Ended(TerminalOutcome),
    /// The attempt is over, and another one takes or has taken its place.
    Superseded,
}

/// Some frames, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamPage {
    /// In the order in which they were written, or with `newest_first` in the opposite one.
    pub frames: Vec<FrameView>,
    /// Whether frames next to the given place, or at the beginning, are not kept any more. Of an attempt
    /// that is over, and of which no frame is kept, it may be that there was none.
    pub gap: bool,
    /// Set when nothing follows the last of these frames, and nothing will: the execution has ended, or
    /// the attempt that was asked for is over. Never set on a page that was read backwards.
    pub end: Option<StreamEnd>,
    /// Where to go on; the given place when there was nothing.
    pub next: StreamCursor,
    /// The running summary, when it was asked for and is newer than the given version.
    pub summary: Option<SummaryView>,
}

impl StreamPage {
    /// A page of these parts. For backends.
    pub const fn new(
        frames: Vec<FrameView>,
        gap: bool,
        end: Option<StreamEnd>,
        next: StreamCursor,
    ) -> Self {
        Self { frames, gap, end, next, summary: None }
    }

    /// Puts the summary beside the frames. For backends.
    #[must_use]
    pub fn with_summary(mut self, summary: Option<SummaryView>) -> Self {
        self.summary = summary;
        self
    }

    /// Whether a reader that waits has been given nothing to go on with. For backends.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.gap && self.end.is_none() && self.summary.is_none()
    }
}

/// A place in the stream of an execution: behind one of its frames. Opaque and versioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StreamCursor {
    attempt: AttemptIndex,
    ordinal: u64,
}

impl StreamCursor {
    const PREFIX: &'static str = "s1.";
    /// The highest number a frame can have: what a double still counts.
    const ORDINAL_MAX: u64 = (1 << 53) - 1;

    /// The place behind a frame; in front of all for an ordinal of 0. For backends.
    pub const fn new(attempt: AttemptIndex, ordinal: u64) -> Self {
        Self { attempt, ordinal }
    }

    /// The attempt of the frame.
    pub const fn attempt(self) -> AttemptIndex {
        self.attempt
    }

    /// The number of the frame within the execution.
    pub const fn ordinal(self) -> u64 {
        self.ordinal
    }
}

impl fmt::Display for StreamCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}-{}", Self::PREFIX, self.attempt.0, self.ordinal)
    }
}

impl FromStr for StreamCursor {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let malformed = || EngineError::validation("cursor", "is not one this version made");
        let rest = text.strip_prefix(Self::PREFIX).ok_or_else(malformed)?;
        let (attempt, ordinal) = rest.split_once('-').ok_or_else(malformed)?;
        let attempt = AttemptIndex(attempt.parse().map_err(|_| malformed())?);
        let cursor = Self { attempt, ordinal: ordinal.parse().map_err(|_| malformed())? };
        let is_place = cursor.ordinal <= Self::ORDINAL_MAX && cursor.to_string() == text;
        if is_place { Ok(cursor) } else { Err(malformed()) }
    }
}

impl From<StreamCursor> for String {
    fn from(cursor: StreamCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for StreamCursor {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, EngineError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_text() {
        let cursor = StreamCursor::new(AttemptIndex(2), 300);
        assert_eq!(cursor.to_string(), "s1.2-300");
        assert_eq!("s1.2-300".parse::<StreamCursor>().unwrap(), cursor);
        for bad in [
            "",
            "s1.",
            "s1.2",
            "s2.2-3",
            "s1.02-3",
            "s1.+2-3",
            "s1.2-3-4",
            "s1.4294967296-1",
            "s1.0-9007199254740992",
        ] {
            assert_eq!(bad.parse::<StreamCursor>().unwrap_err().code(), "validation", "{bad}");
        }
    }
}
