//! The verbs that end an attempt.
//!
//! Each consumes the task, so that no attempt is ended twice, and hands it back when the call may
//! be repeated.

use std::fmt;
use std::time::Duration;

use ff_engine::{DelayRequest, EngineError, Entity, WaitChildren};
use ff_types::backend::FailureClass;
use ff_types::{FlowId, Payload, TimestampMs, limits};
use serde::Serialize;

use super::ClaimedTask;
use super::attempt::{Attempt, Release};
use super::saved::StateToSave;
use crate::json;
use crate::task_error::{Disposition, Pause, TaskError, cut};

/// Proof that an attempt was ended. Only the verbs of [`ClaimedTask`] give one, so that a raw
/// handler cannot forget to.
#[derive(Debug)]
#[must_use = "a raw handler returns it"]
pub struct Settled(pub(super) ());

/// A verb that had no effect, or an unknown one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// The task, while its lease lives: another call can still end it, for instance a cancel after
    /// a delay that a pending cancellation refused. `None` when the lease is over.
    pub task: Option<ClaimedTask>,
    /// Why the call failed.
    pub error: EngineError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Every verb repeats its call while the backend does not answer, under a pending cancellation too,
/// until the lease is over or the time of a whole lease has passed.
impl ClaimedTask {
    /// Ends the execution as completed.
    pub async fn complete(self, result: Option<Payload>) -> Result<Settled, Refused> {
        self.release(Release::Complete(result)).await
    }

    /// Ends the execution as completed, with `result` as JSON; `()` is no result.
    pub async fn complete_json<R: Serialize + ?Sized + Sync>(
        self,
        result: &R,
    ) -> Result<Settled, Refused> {
        match json::encode("result", result) {
            Ok(payload) => self.complete(payload).await,
            Err(error) => Err(Refused { task: Some(self), error }),
        }
    }

    /// Ends the attempt with what `error` asks for: a retry, a failure, a cancellation or a pause.
    ///
    /// # Errors
    /// One that asks for a wait is refused as `validation`: [`ClaimedTask::suspend`] has a further
    /// answer, and the wait for a child flow is returned by the handler.
    pub async fn fail(self, error: TaskError) -> Result<Settled, Refused> {
        let problem = match error.disposition() {
            Disposition::Suspend(_) => Some("asks for a wait; call `suspend`"),
            Disposition::WaitChildren(_) => Some("asks for a wait; return it"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(self.refused(EngineError::validation("error", problem)));
        }
        let release = self.attempt.release_for(&error);
        self.release(release).await
    }

    /// Ends the execution as cancelled.
    pub async fn cancel(self, reason: impl Into<String> + Send) -> Result<Settled, Refused> {
        self.release(cancel(&reason.into())).await
    }

    /// Pauses the attempt; the handler is called again after `pause`. To save a state with it, pass
    /// [`TaskError::pause`] and [`TaskError::with_state`] to [`ClaimedTask::fail`].
    pub async fn delay(self, pause: Duration) -> Result<Settled, Refused> {
        let until = self.attempt.desk.clock.now().saturating_add(pause);
        self.delay_until(until).await
    }

    /// Pauses the attempt; the handler is called again at `until`.
    pub async fn delay_until(self, until: TimestampMs) -> Result<Settled, Refused> {
        self.release(Release::Delay(DelayRequest::until(until))).await
    }

    async fn release(self, release: Release) -> Result<Settled, Refused> {
        match self.attempt.release(&release).await {
            Ok(_) => Ok(Settled(())),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// The task goes back to the handler while its lease lives.
    pub(super) fn refused(self, error: EngineError) -> Refused {
        let gone = matches!(error, EngineError::NotFound { entity: Entity::Execution, .. });
        let over = gone || self.attempt.lease.is_lost();
        Refused { task: (!over).then_some(self), error }
    }
}

impl Attempt {
    /// The release that an error of the handler asks for.
    pub(crate) fn release_for(&self, error: &TaskError) -> Release {
        match error.disposition() {
            Disposition::Transient { .. } => {
                Release::Fail(error.to_request(FailureClass::Transient))
            }
            Disposition::Permanent => Release::Fail(error.to_request(FailureClass::Permanent)),
            Disposition::Cancelled => cancel(error.message()),
            Disposition::Pause(pause) => self.pause(*pause, error.state()),
            Disposition::WaitChildren(flow) => self.wait_children(**flow, error.state()),
            Disposition::Suspend(wait) => match self.latest_wait.request(wait, &self.desk.ids) {
                Ok(request) => Release::Suspend(request),
                Err(error) => self.release_for(&TaskError::permanent(format!("refused: {error}"))),
            },
        }
    }

    fn pause(&self, pause: Pause, state: Option<&StateToSave>) -> Release {
        let mut request = DelayRequest::until(match pause {
            Pause::For(pause) => self.desk.clock.now().saturating_add(pause),
            Pause::Until(until) => until,
        });
        match state.cloned().transpose() {
            Ok(state) => {
                request.state = state;
                Release::Delay(request)
            }
            Err(problem) => self.no_state(&problem),
        }
    }

    fn wait_children(&self, flow: FlowId, state: Option<&StateToSave>) -> Release {
        let mut request = WaitChildren::new(flow);
        match state.cloned().transpose() {
            Ok(state) => {
                request.state = state;
                Release::WaitChildren(request)
            }
            Err(problem) => self.no_state(&problem),
        }
    }

    fn no_state(&self, problem: &str) -> Release {
        self.release_for(&TaskError::permanent(format!("refused: state {problem}")))
    }
}

/// A cancel with a reason cut to its limit.
pub(crate) fn cancel(reason: &str) -> Release {
    Release::Cancel(cut(reason, limits::REASON_MAX_BYTES).to_owned())
}
