//! Waitpoints from the making of one to the listing of those that are open.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::backend::WaitpointKind;
use ff_types::{ExecutionId, RequestId, TimestampMs, WaitpointId, WaitpointKey, limits};
use serde::{Deserialize, Serialize};

use super::millis;
use crate::error::EngineError;

/// Makes a waitpoint while the attempt runs, so that its token can be handed out before the wait
/// begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateWaitpoint {
    /// The id of the waitpoint if there is none of this key; made by the caller, so that the call
    /// can be repeated.
    pub waitpoint_id: WaitpointId,
    /// The name by which the execution knows it, unique among its open waitpoints.
    pub key: WaitpointKey,
    /// How long a new one stays open: 1 s ..= 366 days.
    pub expires_in: Duration,
}

impl CreateWaitpoint {
    /// A waitpoint that stays open for 7 days.
    pub const fn new(waitpoint_id: WaitpointId, key: WaitpointKey) -> Self {
        let expires_in = Duration::from_millis(limits::WAITPOINT_EXPIRES_DEFAULT_MS);
        Self { waitpoint_id, key, expires_in }
    }

    /// Sets how long it stays open.
    #[must_use]
    pub const fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Checks how long it stays open.
    pub fn validate(&self) -> Result<(), EngineError> {
        let (min, max) = (limits::WAITPOINT_EXPIRES_MIN_MS, limits::WAITPOINT_EXPIRES_MAX_MS);
        let ms = millis(self.expires_in);
        if (min..=max).contains(&ms) {
            return Ok(());
        }
        let problem = format!("must be within {min}..={max} ms, is {ms}");
        Err(EngineError::validation("expires_in", problem))
    }
}

/// Closes a waitpoint from outside, whether its execution runs or is suspended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WithdrawWaitpoint {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// Whose waitpoint it is.
    pub execution_id: ExecutionId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
}

impl WithdrawWaitpoint {
    /// A request about a waitpoint of `execution_id`.
    pub const fn new(
        request_id: RequestId,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
    ) -> Self {
        Self { request_id, execution_id, waitpoint_id }
    }
}

/// What became of closing a waitpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CloseOutcome {
    /// It is closed, and takes no signal from now on.
    Closed,
    /// It was closed before.
    AlreadyClosed,
}

/// Where a waitpoint is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitpointState {
    /// It keeps every signal for a suspend to come.
    Pending,
    /// The suspension waits for it.
    Active,
    /// It takes no more signals.
    Closed,
}

impl WaitpointState {
    /// The stable spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Closed => "closed",
        }
    }
}

/// Asks for open waitpoints in the order of their ids. Tokens are never among the answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListWaitpoints {
    /// Only those of this execution.
    pub execution_id: Option<ExecutionId>,
    /// Continues behind this place.
    pub cursor: Option<WaitpointCursor>,
    /// At most this many items, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListWaitpoints {
    /// Those of all executions, a hundred a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those of this execution.
    #[must_use]
    pub const fn with_execution(mut self, execution_id: ExecutionId) -> Self {
        self.execution_id = Some(execution_id);
        self
    }

    /// Continues behind `cursor`.
    #[must_use]
    pub const fn with_cursor(mut self, cursor: WaitpointCursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// At most `limit` items.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        super::read::page_size(self.limit)
    }
}

/// An open waitpoint as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitpointView {
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The name by which the execution knows it.
    pub key: WaitpointKey,
    /// Where it is in its life.
    pub state: WaitpointState,
    /// What its matcher is compared with; `None` while it is pending.
    pub kind: Option<WaitpointKind>,
    /// When it was made, by the store's clock.
    pub created_at: TimestampMs,
    /// When it closes by itself.
    pub expires_at: TimestampMs,
    /// How many signals it keeps.
    pub signals: u32,
}

impl WaitpointView {
    /// A line of these parts. For backends that read no more than them.
    #[expect(clippy::too_many_arguments, reason = "one for each field, and each of a type its own")]
    pub const fn new(
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        key: WaitpointKey,
        state: WaitpointState,
        kind: Option<WaitpointKind>,
        created_at: TimestampMs,
        expires_at: TimestampMs,
        signals: u32,
    ) -> Self {
        Self { execution_id, waitpoint_id, key, state, kind, created_at, expires_at, signals }
    }
}

/// A page of open waitpoints. It may hold fewer items than asked for, even none, and still have a
/// successor: one call examines a bounded number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WaitpointPage {
    /// In the order of their ids, then of their executions.
    pub items: Vec<WaitpointView>,
    /// Where to go on; `None` when there is nothing behind.
    pub next: Option<WaitpointCursor>,
}

impl WaitpointPage {
    /// A page with its successor.
    pub const fn new(items: Vec<WaitpointView>, next: Option<WaitpointCursor>) -> Self {
        Self { items, next }
    }
}

/// A place in a listing of waitpoints. Opaque and versioned; it stays valid when they come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WaitpointCursor {
    waitpoint: WaitpointId,
    execution: ExecutionId,
}

impl WaitpointCursor {
    const PREFIX: &'static str = "v1.";

    /// The place behind this waitpoint. For backends.
    pub const fn after(waitpoint: WaitpointId, execution: ExecutionId) -> Self {
        Self { waitpoint, execution }
    }

    /// The last waitpoint in front of this place, and its execution. For backends.
    pub const fn position(self) -> (WaitpointId, ExecutionId) {
        (self.waitpoint, self.execution)
    }
}

impl fmt::Display for WaitpointCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}.{}", Self::PREFIX, self.waitpoint, self.execution)
    }
}

impl FromStr for WaitpointCursor {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(waitpoint, execution)| {
                Some(Self::after(waitpoint.parse().ok()?, execution.parse().ok()?))
            })
            .ok_or_else(|| EngineError::validation("cursor", "is not one this version made"))
    }
}

impl From<WaitpointCursor> for String {
    fn from(cursor: WaitpointCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for WaitpointCursor {
    type Error = EngineError;

    fn try_from(text: String) -> Result<Self, EngineError> {
        text.parse()
    }
}
