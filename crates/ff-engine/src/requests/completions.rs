//! The completion log: one event for every end of an execution or a flow.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::{CompletionPayload, ScannerFilter};
use ff_types::{FlowId, Namespace, Tags, limits};
use serde::{Deserialize, Serialize};

use super::valid_wait;
use crate::error::EngineError;

/// Asks for completions behind a place in the log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReadCompletions {
    /// Where to begin.
    pub from: CompletionsFrom,
    /// Leaves out what the filter does not match. A flow's end has the tags of the flow.
    pub filter: ScannerFilter,
    /// Leaves out what is not of this flow: the ends of its members and its own. A place that such a
    /// page gives is one in the log of this flow.
    pub flow: Option<FlowId>,
    /// At most this many items, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
    /// Waits this long inside the backend for the next completion when there is none; at most 60 s.
    /// `None` never waits.
    pub max_wait: Option<Duration>,
}

/// Where a reader of completions begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CompletionsFrom {
    /// With the oldest that is kept.
    Start,
    /// With the next that comes.
    Now,
    /// Behind a place that a page gave.
    Cursor(CompletionCursor),
}

impl ReadCompletions {
    /// Completions from there on, unfiltered, without a wait.
    pub const fn new(from: CompletionsFrom) -> Self {
        Self { from, filter: ScannerFilter::NOOP, flow: None, limit: None, max_wait: None }
    }

    /// Leaves out what `filter` does not match.
    #[must_use]
    pub fn with_filter(mut self, filter: ScannerFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Leaves out what is not of this flow.
    #[must_use]
    pub const fn with_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// At most `limit` items.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits up to `max_wait` for the next completion.
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Checks limit and wait, and answers the page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when one is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        valid_wait(self.max_wait)?;
        super::read::page_size(self.limit)
    }

    /// Whether an event of this flow, with these tags, is asked for. For backends.
    pub fn lets_through(&self, flow: Option<FlowId>, namespace: &Namespace, tags: &Tags) -> bool {
        (self.flow.is_none() || self.flow == flow) && self.filter.matches(namespace, tags)
    }
}

/// Some completions, and where to go on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CompletionPage {
    /// In the order in which one partition of the store wrote them; those of one execution are always
    /// in order.
    pub items: Vec<CompletionPayload>,
    /// Whether events between the given place and the first item are gone: too old, or lost with the
    /// store's data. The reader has to look at the executions themselves.
    pub gap: bool,
    /// Where to go on: behind the last item, or behind everything there is when there was nothing.
    pub next: CompletionCursor,
}

impl CompletionPage {
    /// A page of these parts. For backends.
    pub const fn new(items: Vec<CompletionPayload>, gap: bool, next: CompletionCursor) -> Self {
        Self { items, gap, next }
    }
}

/// A place in the completion log, over all partitions of the store. Opaque and versioned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CompletionCursor {
    places: Vec<LogPlace>,
}

/// A place in the log of one partition. For backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LogPlace {
    /// The number of the last event in front of it; events are counted from 1.
    pub seq: u64,
    /// Some bits of that event, which tell whether it is still the one that was read; 0 for none.
    pub check: u32,
}

impl CompletionCursor {
    const PREFIX: &'static str = "c1.";

    /// The place made of these, one for each partition. For backends.
    pub const fn new(places: Vec<LogPlace>) -> Self {
        Self { places }
    }

    /// The places, one for each partition. For backends.
    pub fn places(&self) -> &[LogPlace] {
        &self.places
    }
}

impl fmt::Display for CompletionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        for (index, place) in self.places.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{:x}-{:x}", place.seq, place.check)?;
        }
        Ok(())
    }
}

impl FromStr for CompletionCursor {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let malformed = || EngineError::validation("cursor", "is not one this version made");
        let rest = text.strip_prefix(Self::PREFIX).ok_or_else(malformed)?;
        let place = |part: &str| {
            let (seq, check) = part.split_once('-')?;
            Some(LogPlace {
                seq: u64::from_str_radix(seq, 16).ok()?,
                check: u32::from_str_radix(check, 16).ok()?,
            })
        };
        let places: Option<Vec<_>> = rest.split(',').map(place).collect();
        let places =
            places.filter(|all| all.len() <= limits::PARTITIONS_MAX).ok_or_else(malformed)?;
        let cursor = Self { places };
        if cursor.to_string() == text { Ok(cursor) } else { Err(malformed()) }
    }
}

impl From<CompletionCursor> for String {
    fn from(cursor: CompletionCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for CompletionCursor {
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
        let place = |seq, check| LogPlace { seq, check };
        let cursor = CompletionCursor::new(vec![place(0, 0), place(300, 0xdead_beef)]);
        assert_eq!(cursor.to_string(), "c1.0-0,12c-deadbeef");
        assert_eq!(cursor.to_string().parse::<CompletionCursor>().unwrap(), cursor);
        for bad in ["", "c1.", "c1.0", "c2.0-0", "c1.00-0", "c1.+1-0", "c1.0-0,", "c1.G-0"] {
            assert_eq!(bad.parse::<CompletionCursor>().unwrap_err().code(), "validation", "{bad}");
        }
    }
}
