//! What a handler answers when it has no result.
//!
//! [`TaskError`] does not implement [`std::error::Error`], so that every type that does converts
//! into it and `?` works on any error. The conversion takes the error for transient.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{EngineError, Entity, FailRequest, FlowProblem, SavedState};
use ff_types::backend::{FailureClass, FailureReason};
use ff_types::{FlowId, TimestampMs, limits};
use serde::Serialize;

use crate::client::ResultError;
use crate::flow::FlowNotCompleted;
use crate::json::DecodeError;
use crate::task::saved::{StateToSave, as_json};
use crate::task::{ParentError, Refused, Wait};

/// Why a handler did not finish, and what is to happen next.
///
/// ```
/// use ff_sdk::prelude::*;
///
/// async fn charge(_task: ClaimedTask, cents: i64) -> Result<String, TaskError> {
///     if cents <= 0 {
///         return Err(TaskError::permanent("nothing to charge"));
///     }
///     // Any error is retried by default …
///     let table = std::fs::read_to_string("/etc/rates")?;
///     // … unless it is said to be permanent.
///     let rate: i64 = table.trim().parse().permanent()?;
///     Ok(format!("charged {}", cents * rate))
/// }
/// # let _ = charge;
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TaskError {
    disposition: Disposition,
    message: String,
    detail: Option<Bytes>,
    state: Option<StateToSave>,
}

/// What is to happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disposition {
    Transient {
        retry_after: Option<Duration>,
    },
    Permanent,
    Cancelled,
    Pause(Pause),
    Suspend(Box<Wait>),
    /// Boxed, so that what handlers return stays small.
    WaitChildren(Box<FlowId>),
}

impl Disposition {
    /// Whether nothing went wrong.
    const fn is_no_failure(&self) -> bool {
        matches!(self, Self::Pause(_) | Self::Suspend(_) | Self::WaitChildren(_))
    }
}

/// When a paused attempt goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    For(Duration),
    Until(TimestampMs),
}

impl TaskError {
    /// May succeed next time: retried with the job's back-off while retries are left.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Disposition::Transient { retry_after: None }, message)
    }

    /// Will not succeed: the execution fails at once.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(Disposition::Permanent, message)
    }

    /// Transient, with a wait of its own in place of the job's back-off, such as a server asked
    /// for; at most 30 days.
    pub fn retry_after(wait: Duration, message: impl Into<String>) -> Self {
        let retry_after = Some(wait);
        Self::new(Disposition::Transient { retry_after }, message)
    }

    /// The work is not wanted any more: the execution ends as cancelled.
    ///
    /// From a handler that was told to stop because its worker shuts down, it means that the
    /// handler has stopped, and another worker goes on with the attempt.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Disposition::Cancelled, message)
    }

    /// Not a failure: the attempt pauses, holds neither lease nor slot, and the handler is called
    /// again after `pause`. No retry is used.
    pub fn pause(pause: Duration) -> Self {
        Self::new(Disposition::Pause(Pause::For(pause)), "paused")
    }

    /// Like [`TaskError::pause`], until `at`.
    pub fn pause_until(at: TimestampMs) -> Self {
        Self::new(Disposition::Pause(Pause::Until(at)), "paused")
    }

    /// Not a failure: the attempt waits for signals, holds neither lease nor slot, and the handler
    /// is called again, from its first line, when the wait is over; at once when it is already.
    /// [`ClaimedTask::resumed`](crate::ClaimedTask::resumed) then tells what ended it.
    ///
    /// Waitpoints whose tokens are handed out are made before:
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn ship(task: ClaimedTask, order: u32) -> Result<String, TaskError> {
    ///     if let Some(paid) = task.resume_signals().await?.first() {
    ///         return Ok(format!("order {order}: {}", paid.json::<String>()?));
    ///     }
    ///     let payment = task.create_waitpoint("payment").await?;
    ///     Err(TaskError::suspend(Wait::on(&payment))) // after handing `payment.token()` out
    /// }
    /// # let _ = ship;
    /// ```
    pub fn suspend(wait: Wait) -> Self {
        Self::new(Disposition::Suspend(Box::new(wait)), "suspended")
    }

    /// Not a failure: the attempt waits for the end of a child flow, and the handler is called again
    /// then, from its first line.
    pub(crate) fn wait_children(flow: FlowId) -> Self {
        Self::new(Disposition::WaitChildren(Box::new(flow)), "waiting for a child flow")
    }

    /// Transient, from an error that is already boxed: `Box<dyn Error>` is no `Error` itself, so `?`
    /// alone does not convert it.
    #[expect(clippy::needless_pass_by_value, reason = "it is used by path in `map_err`")]
    pub fn from_boxed(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::transient(chain(error.as_ref()))
    }

    /// Adds bytes for a program to read, such as a serialised error: at most 64 KiB, more is left
    /// out.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Bytes>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Saves bytes for the next run of the handler, in the step that begins the pause or the wait; at
    /// most 64 KiB. [`ClaimedTask::saved_state`](crate::ClaimedTask::saved_state) gives them. A
    /// failure saves nothing.
    #[must_use]
    pub fn with_state(self, state: impl Into<Bytes>) -> Self {
        self.saving(Ok(SavedState::new(state)))
    }

    /// Saves a value as JSON, as [`TaskError::with_state`] does.
    #[must_use]
    pub fn with_state_json<T: Serialize + ?Sized>(self, state: &T) -> Self {
        self.saving(as_json(state))
    }

    fn saving(mut self, state: StateToSave) -> Self {
        match self.disposition {
            Disposition::Suspend(wait) => {
                self.disposition = Disposition::Suspend(Box::new(wait.saving(state)));
            }
            _ => self.state = Some(state),
        }
        self
    }

    /// The state to save with a pause or with the wait for a child flow.
    pub(crate) const fn state(&self) -> Option<&StateToSave> {
        self.state.as_ref()
    }

    /// What went wrong, as operators will read it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How the failure is classed, or `None` for a pause and a wait.
    pub const fn class(&self) -> Option<FailureClass> {
        match self.disposition {
            Disposition::Transient { .. } => Some(FailureClass::Transient),
            Disposition::Permanent => Some(FailureClass::Permanent),
            Disposition::Cancelled => Some(FailureClass::Cancelled),
            _ => None,
        }
    }

    pub(crate) const fn disposition(&self) -> &Disposition {
        &self.disposition
    }

    /// The request that reports this failure, cut to the limits so that it is never refused for
    /// its size.
    pub(crate) fn to_request(&self, class: FailureClass) -> FailRequest {
        let message = cut(&self.message, limits::FAILURE_MESSAGE_MAX_BYTES);
        let mut reason = FailureReason::new(message);
        reason.detail =
            self.detail.clone().filter(|detail| detail.len() <= limits::FAILURE_DETAIL_MAX_BYTES);
        let request = FailRequest::new(class, reason);
        let longest = Duration::from_millis(limits::BACKOFF_CAP_MAX_MS);
        match self.disposition {
            Disposition::Transient { retry_after: Some(wait) } => {
                request.with_retry_after(wait.min(longest))
            }
            _ => request,
        }
    }

    fn classed(self, disposition: Disposition) -> Self {
        if self.disposition.is_no_failure() { self } else { Self { disposition, ..self } }
    }

    fn new(disposition: Disposition, message: impl Into<String>) -> Self {
        Self { disposition, message: message.into(), detail: None, state: None }
    }
}

/// The longest prefix of `text` that has at most `limit` bytes.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// Any error is transient, with its message and those of its causes. The exceptions are refusals
/// of the engine that a repeat would meet again.
impl<E: Error + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        let parent = any.downcast_ref::<ParentError>();
        let result = any.downcast_ref::<ResultError>();
        let engine = any
            .downcast_ref::<EngineError>()
            .or_else(|| any.downcast_ref::<Refused>().map(|refused| &refused.error))
            .or_else(|| parent.and_then(ParentError::engine))
            .or_else(|| result.and_then(ResultError::engine));
        let message = chain(&error);
        if parent.is_some_and(ParentError::is_permanent)
            || result.is_some_and(|error| error.engine().is_none())
            || any.is::<FlowNotCompleted>()
            || any.is::<DecodeError>()
        {
            return Self::permanent(message);
        }
        match engine {
            Some(EngineError::Flow { kind: FlowProblem::Revision { .. }, .. }) => {
                Self::transient(message)
            }
            Some(
                EngineError::LimitExceeded { .. }
                | EngineError::Validation { .. }
                | EngineError::Graph(_)
                | EngineError::NotFound { entity: Entity::Node, .. }
                | EngineError::Flow { .. },
            ) => Self::permanent(message),
            _ => Self::transient(message),
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some errors repeat their cause in their own message.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("disposition", &self.disposition)
            .field("message", &self.message)
            .field("detail_len", &self.detail.as_ref().map(Bytes::len))
            .field("state", &self.state)
            .finish()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says of any error whether the task is worth another try. A pause and a wait are none.
///
/// ```
/// use ff_sdk::{ResultExt, TaskError};
///
/// let refused: Result<u32, TaskError> = "seven".parse::<u32>().permanent();
/// assert!(refused.is_err());
/// ```
pub trait ResultExt<T> {
    /// The error will not go away: the execution fails at once.
    fn permanent(self) -> Result<T, TaskError>;

    /// The error may go away: the attempt is retried.
    fn transient(self) -> Result<T, TaskError>;
}

impl<T, E: Into<TaskError>> ResultExt<T> for Result<T, E> {
    fn permanent(self) -> Result<T, TaskError> {
        self.map_err(|error| error.into().classed(Disposition::Permanent))
    }

    fn transient(self) -> Result<T, TaskError> {
        self.map_err(|error| error.into().classed(Disposition::Transient { retry_after: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no rates")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn any_error_is_transient_and_keeps_its_causes() {
        let cause = "x".parse::<u8>().unwrap_err();

        let error = TaskError::from(Outer(cause));

        assert_eq!(error.class(), Some(FailureClass::Transient));
        assert_eq!(error.message(), "no rates: invalid digit found in string");
    }

    #[test]
    fn a_limit_of_the_engine_is_permanent() {
        let no_node = EngineError::NotFound { entity: Entity::Node, id: Some("d".to_owned()) };
        for error in [EngineError::validation("percent", "is 101"), no_node] {
            assert_eq!(TaskError::from(error).class(), Some(FailureClass::Permanent));
        }
    }

    #[test]
    fn what_does_not_decode_is_permanent() {
        let payload = ff_types::Payload::new(b"no number".to_vec());
        let error = crate::json::decode::<u64>(Some(&payload)).unwrap_err();
        assert_eq!(TaskError::from(error).class(), Some(FailureClass::Permanent));
    }

    #[test]
    fn requests_are_cut_to_the_limits() {
        let error = TaskError::retry_after(Duration::MAX, "é".repeat(4_096))
            .with_detail(vec![0; limits::FAILURE_DETAIL_MAX_BYTES + 1]);

        let request = error.to_request(FailureClass::Transient);

        assert!(request.validate().is_ok());
        assert_eq!(request.reason.message.len(), 4_096);
        assert_eq!(request.reason.detail, None);
    }
}
