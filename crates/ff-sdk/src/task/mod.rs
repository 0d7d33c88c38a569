//! Claimed tasks: what a handler is given.

mod approval;
pub(crate) mod attempt;
mod child_flow;
pub(crate) mod lease;
pub(crate) mod output;
mod parents;
pub(crate) mod resumed;
pub(crate) mod saved;
mod settle;
pub(crate) mod step;
pub(crate) mod summary;
mod suspend;
mod usage;
mod wait;
mod waitpoint;

use std::fmt;
use std::sync::Arc;

use ff_engine::{EngineError, Occurrence, ProgressRequest};
use ff_types::{AttemptIndex, ExecutionId, LaneId, Payload, Tags, TaskKind, TimestampMs};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

pub use approval::{APPROVE, Approval, Decision, REJECT};
use attempt::Attempt;
pub use lease::StopReason;
pub use output::FrameWriter;
pub use parents::{Parent, ParentError, Parents};
pub use resumed::SignalExt;
pub(crate) use settle::cancel;
pub use settle::{Refused, Settled};
pub use step::StepKey;
pub use suspend::Suspension;
pub use wait::{Wait, WaitOn};
pub use waitpoint::NewWaitpoint;

use crate::json::{self, DecodeError};
use crate::task_error::TaskError;
use ff_types::backend::HandleKind;

/// An attempt, under a lease that the worker keeps renewing while the handler runs.
///
/// A typed handler returns a value or a [`TaskError`] and never needs more than the reading half.
/// A raw handler ends the attempt itself, with one of the verbs that consume the task:
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::prelude::*;
///
/// async fn poll_invoice(task: ClaimedTask) -> Result<Settled, TaskError> {
///     let number: u32 = task.json()?;
///     if number % 2 == 0 {
///         return Ok(task.delay(Duration::from_secs(3600)).await?);
///     }
///     Ok(task.complete_json(&"paid").await?)
/// }
/// # let _ = poll_invoice;
/// ```
pub struct ClaimedTask {
    attempt: Arc<Attempt>,
}

impl ClaimedTask {
    pub(crate) const fn new(attempt: Arc<Attempt>) -> Self {
        Self { attempt }
    }

    /// The execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.attempt.task.execution_id
    }

    /// The task name that selected the handler.
    pub fn kind(&self) -> &TaskKind {
        &self.attempt.task.kind
    }

    /// The lane it came from.
    pub fn lane(&self) -> &LaneId {
        &self.attempt.task.lane
    }

    /// The payload as submitted.
    pub fn payload(&self) -> &Payload {
        &self.attempt.task.payload
    }

    /// The payload read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        json::decode(Some(self.payload()))
    }

    /// Which attempt this is, from 0.
    pub fn attempt(&self) -> AttemptIndex {
        self.attempt.task.attempt
    }

    /// Retries used so far.
    pub fn retries(&self) -> u32 {
        self.attempt.task.retries
    }

    /// Leases lost so far, to crashed or silent workers.
    pub fn reclaims(&self) -> u32 {
        self.attempt.task.reclaims
    }

    /// The job's tags.
    pub fn tags(&self) -> &Tags {
        &self.attempt.task.tags
    }

    /// The job's priority.
    pub fn priority(&self) -> i8 {
        self.attempt.task.priority
    }

    /// The occurrence that it is, if a schedule submitted it.
    pub fn occurrence(&self) -> Option<Occurrence> {
        self.attempt.task.occurrence
    }

    /// The time that it stands for, if a schedule submitted it: without jitter, and the same however late
    /// it runs.
    pub fn scheduled_for(&self) -> Option<TimestampMs> {
        self.occurrence().map(|occurrence| occurrence.at)
    }

    /// By when the execution must have ended.
    pub fn deadline(&self) -> Option<TimestampMs> {
        self.attempt.task.deadline
    }

    /// Whether it goes on after a pause, a wait or a lost lease, instead of starting fresh from its lane.
    /// Whether a wait is over is told by [`ClaimedTask::resumed`].
    pub fn is_resumed(&self) -> bool {
        self.attempt.task.handle.kind == HandleKind::Resumed
            || self.attempt.latest_wait.was_over_at_once()
    }

    /// State that the worker was built with, by its type. What the execution itself has saved is
    /// [`ClaimedTask::saved_state`].
    ///
    /// # Errors
    /// A permanent [`TaskError`] when the worker has none of this type.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// struct Rates { vat_percent: i64 }
    ///
    /// async fn gross(task: ClaimedTask, net: i64) -> Result<i64, TaskError> {
    ///     let rates = task.state::<Rates>()?;
    ///     Ok(net + net * rates.vat_percent / 100)
    /// }
    /// # let _ = gross;
    /// ```
    pub fn state<S: Send + Sync + 'static>(&self) -> Result<Arc<S>, TaskError> {
        self.attempt.desk.state.get().ok_or_else(|| {
            let name = std::any::type_name::<S>();
            TaskError::permanent(format!("the worker was built without state of type {name}"))
        })
    }

    /// Reports how far the attempt is: 0..=100 percent, and what it is doing.
    ///
    /// # Errors
    /// [`EngineError::State`] when the lease is over, which trips [`ClaimedTask::cancellation`]
    /// too. Any other error may be ignored: progress is for people.
    pub async fn progress(
        &self,
        percent: u8,
        message: impl Into<String>,
    ) -> Result<(), EngineError> {
        let request = ProgressRequest::new(percent).with_message(message);
        let Attempt { task, lease, desk, .. } = self.attempt.as_ref();
        let answer = desk.backend.progress(&task.handle, &request).await;
        if let Err(error @ EngineError::State { .. }) = &answer {
            lease.refuse(error);
        }
        answer
    }

    /// Trips when the handler should stop: the lease is lost, the execution is cancelled, or the
    /// worker shuts down. [`ClaimedTask::stop_reason`] tells which.
    ///
    /// A cancel by an operator trips it within milliseconds: the worker waits for it inside the
    /// backend. One that it does not hear of, because the backend was away, is learned at the next
    /// renewal, so within a third of the lease TTL: 10 s unless set otherwise.
    pub fn cancellation(&self) -> CancellationToken {
        self.attempt.lease.token().child_token()
    }

    /// Why the handler should stop; `None` while it should go on.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.attempt.lease.reason()
    }
}

impl fmt::Debug for ClaimedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedTask")
            .field("execution_id", &self.execution_id())
            .field("kind", self.kind())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
