//! Frames: what an attempt writes to its stream.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{CORRELATION_ID_MAX_BYTES, FRAME_MAX_BYTES, FRAME_TYPE_MAX_BYTES};
use crate::text::text_enum;

text_enum! {
    /// What a frame holds.
    #[non_exhaustive]
    pub enum FrameKind as "frame_kind", "the name of a frame kind" {
        /// Standard output.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
        /// An event of the application.
        Event = "event",
        /// Bytes of any kind.
        Blob = "blob",
    }
}

/// One entry of an attempt's stream. `Debug` shows the length of the bytes, never the bytes.
///
/// ```
/// use ff_types::backend::{Frame, FrameKind};
///
/// let frame = Frame::new("half way", FrameKind::Stdout).with_seq(7);
/// assert_eq!(frame.validate(), Ok(()));
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// The content: at most 64 KiB.
    pub bytes: Bytes,
    /// What the content is.
    pub kind: FrameKind,
    /// The writer's number, which rises within the attempt. A repeated one appends nothing and returns
    /// the first outcome.
    pub seq: Option<u64>,
    /// The application's own type: at most 64 bytes without control characters. Empty defers to
    /// `kind`.
    pub frame_type: String,
    /// What the frame belongs to: 1..=256 bytes without control characters.
    pub correlation_id: Option<String>,
}

impl Frame {
    /// A frame without number, type and correlation id.
    pub fn new(bytes: impl Into<Bytes>, kind: FrameKind) -> Self {
        Self {
            bytes: bytes.into(),
            kind,
            seq: None,
            frame_type: String::new(),
            correlation_id: None,
        }
    }

    /// Numbers the frame, so that its append may be repeated.
    #[must_use]
    pub const fn with_seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Sets the application's own type.
    #[must_use]
    pub fn with_frame_type(mut self, frame_type: impl Into<String>) -> Self {
        self.frame_type = frame_type.into();
        self
    }

    /// Says what the frame belongs to.
    #[must_use]
    pub fn with_correlation_id(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    /// Refuses whatever lies outside the bounds stated at the fields.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::bytes("frame", FRAME_MAX_BYTES, self.bytes.len())?;
        if !self.frame_type.is_empty() {
            check::text(
                "frame_type",
                "at most 64 bytes without control characters",
                FRAME_TYPE_MAX_BYTES,
                &self.frame_type,
                |c| !c.is_control(),
            )?;
        }
        match &self.correlation_id {
            Some(correlation_id) => check::text(
                "correlation_id",
                "1..=256 bytes without control characters",
                CORRELATION_ID_MAX_BYTES,
                correlation_id,
                |c| !c.is_control(),
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("len", &self.bytes.len())
            .field("kind", &self.kind)
            .field("seq", &self.seq)
            .field("frame_type", &self.frame_type)
            .field("correlation_id", &self.correlation_id)
            .finish()
    }
}

/// What became of one frame of an append.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AppendFrameOutcome {
    /// The place of the frame in the stream of its execution, from which a reader can go on.
    pub stream_id: String,
    /// How many frames the execution had written with this one, those included that are not kept any
    /// more.
    pub frame_count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_enforced() {
        let frame = || Frame::new("x", FrameKind::Event);
        let cases = [
            (Frame::new(vec![0; FRAME_MAX_BYTES + 1], FrameKind::Blob), "frame"),
            (frame().with_frame_type("x".repeat(65)), "frame_type"),
            (frame().with_frame_type("a\n"), "frame_type"),
            (frame().with_correlation_id(""), "correlation_id"),
            (frame().with_correlation_id("x".repeat(257)), "correlation_id"),
        ];

        assert_eq!(frame().with_frame_type("über").with_correlation_id("c").validate(), Ok(()));
        for (frame, field) in cases {
            assert_eq!(frame.validate().unwrap_err().field(), field);
        }
    }

    #[test]
    fn binary_survives_json() {
        let frame = Frame::new((0..=255).collect::<Vec<u8>>(), FrameKind::Blob).with_seq(u64::MAX);

        let json = serde_json::to_string(&frame).unwrap();

        assert_eq!(serde_json::from_str::<Frame>(&json).unwrap(), frame);
    }
}
