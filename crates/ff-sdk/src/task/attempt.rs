//! One attempt under its lease, shared by the handler and by whoever runs the handler.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_engine::{
    Clock, DelayRequest, EngineBackend, EngineError, FailRequest, IdSource, SavedState,
    SuspendOutcome, SuspendRequest, Task, UnavailableKind, WaitChildren, WaitChildrenOutcome,
};
use ff_types::backend::{FailOutcome, PendingWaitpoint};
use ff_types::{Payload, limits};

use super::lease::Lease;
use super::output::{HANDED_BACK_STORED_WITHIN, Output, STORED_WITHIN};
use super::resumed::LatestWait;
use super::saved::Saved;
use super::step::Steps;
use super::summary::Summary;
use crate::client::low_bits;
use crate::extensions::Extensions;
use crate::metrics::Outcome;
use crate::retry::{Backoff, CallRetry, repeat};

/// What every attempt of a worker needs.
pub(crate) struct Desk {
    pub(crate) backend: Arc<dyn EngineBackend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdSource,
    pub(crate) retry: CallRetry,
    pub(crate) state: Extensions,
}

/// One attempt.
pub(crate) struct Attempt {
    pub(crate) task: Task,
    pub(crate) lease: Lease,
    pub(crate) desk: Arc<Desk>,
    pub(crate) latest_wait: LatestWait,
    pub(crate) saved: Saved,
    pub(crate) steps: Steps,
    pub(crate) output: Output,
    pub(crate) summary: Summary,
    outcome: Mutex<Option<Outcome>>,
}

/// How a lease is given back.
#[derive(Debug, Clone)]
pub(crate) enum Release {
    Complete(Option<Payload>),
    Fail(FailRequest),
    Cancel(String),
    Delay(DelayRequest),
    Suspend(SuspendRequest),
    WaitChildren(WaitChildren),
    /// A delay that is no wish of the handler.
    HandBack,
}

impl Release {
    const fn operation(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::Fail(_) => "fail",
            Self::Cancel(_) => "cancel",
            Self::Delay(_) | Self::HandBack => "delay",
            Self::Suspend(_) => "suspend",
            Self::WaitChildren(_) => "wait_children",
        }
    }

    /// What is saved together with a wait.
    const fn state(&self) -> Option<&SavedState> {
        match self {
            Self::Suspend(request) => request.state.as_ref(),
            Self::WaitChildren(request) => request.state.as_ref(),
            _ => None,
        }
    }
}

/// What became of a release.
#[derive(Debug)]
pub(crate) enum Released {
    /// The lease is given back. A suspend tells its waitpoints.
    Ended(Outcome, Vec<PendingWaitpoint>),
    /// There is nothing to wait for: the lease is kept.
    AlreadySatisfied,
}

impl From<Outcome> for Released {
    fn from(outcome: Outcome) -> Self {
        Self::Ended(outcome, Vec::new())
    }
}

impl Attempt {
    pub(crate) fn new(task: Task, desk: Arc<Desk>) -> Arc<Self> {
        let expires_at_ms = u64::try_from(task.lease_expires_at.as_i64()).unwrap_or(0);
        let saved = Saved::new(task.state.clone());
        Arc::new(Self {
            task,
            lease: Lease::new(expires_at_ms),
            desk,
            latest_wait: LatestWait::default(),
            saved,
            steps: Steps::default(),
            output: Output::default(),
            summary: Summary::default(),
            outcome: Mutex::new(None),
        })
    }

    /// How it ended, once it was given back.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the lease lasts from its claim.
    pub(crate) const fn lease_ttl(&self) -> Duration {
        Duration::from_millis(self.task.lease_ttl_ms)
    }

    /// Makes a call of the holder that leaves it the lease, and repeats it while the backend does
    /// not answer.
    pub(crate) async fn ask<T, Fut>(&self, call: impl FnMut() -> Fut) -> Result<T, EngineError>
    where
        Fut: Future<Output = Result<T, EngineError>>,
    {
        let backoff = Backoff::new(self.desk.retry, low_bits(self.task.execution_id.as_u128()));
        let answer = repeat(self.desk.clock.as_ref(), backoff, call).await;
        if let Err(error @ EngineError::State { .. }) = &answer {
            self.lease.refuse(error);
        }
        answer
    }

    /// Makes a call of the holder that keeps what cannot be had again, and repeats it while the
    /// backend does not answer, until the lease is over or the time of a whole lease has passed.
    pub(crate) async fn insist<T, Fut>(
        &self,
        operation: &'static str,
        call: impl FnMut() -> Fut,
    ) -> Result<T, EngineError>
    where
        Fut: Future<Output = Result<T, EngineError>>,
    {
        let answer = self.until_answered(operation, self.desk.retry.endless(), call).await;
        if let Err(error @ EngineError::State { .. }) = &answer {
            self.lease.refuse(error);
        }
        answer
    }

    /// Gives the lease back. Repeated while the backend does not answer, until the lease is over or
    /// the time of a whole lease has passed: renewals that succeed do not make it endless.
    pub(crate) async fn release(&self, release: &Release) -> Result<Released, EngineError> {
        let stored_within = match release {
            Release::HandBack => HANDED_BACK_STORED_WITHIN,
            _ => STORED_WITHIN,
        };
        self.flush_for_release(stored_within).await;
        self.lease.begin_release();
        // Nothing is lost without it: the lease ends by itself.
        let policy = match release {
            Release::HandBack => self.desk.retry,
            _ => self.desk.retry.endless(),
        };
        let call = || self.call(release);
        let answer = self.until_answered(release.operation(), policy, call).await;
        match &answer {
            Ok(Released::Ended(outcome, _)) => {
                *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(*outcome);
            }
            Ok(Released::AlreadySatisfied) => {
                self.lease.end_release();
                self.latest_wait.is_another();
                if let Some(state) = release.state() {
                    self.saved.set(Some(state.clone()));
                }
            }
            Err(error) => {
                self.lease.end_release();
                if let EngineError::State { .. } = error {
                    self.lease.refuse(error);
                }
            }
        }
        answer
    }

    async fn until_answered<T, Fut>(
        &self,
        operation: &'static str,
        policy: CallRetry,
        call: impl FnMut() -> Fut,
    ) -> Result<T, EngineError>
    where
        Fut: Future<Output = Result<T, EngineError>>,
    {
        // A lease cut short by a timeout or a deadline still leaves time for an answer.
        let longest = self.lease_ttl().max(Duration::from_millis(limits::LEASE_TTL_MIN_MS));
        tokio::select! {
            biased;
            answer = self.while_held(policy, call) => answer,
            () = self.desk.clock.sleep(longest) => Err(EngineError::Unavailable {
                kind: UnavailableKind::Timeout,
                operation,
                source: None,
            }),
        }
    }

    async fn while_held<T, Fut>(
        &self,
        policy: CallRetry,
        mut call: impl FnMut() -> Fut,
    ) -> Result<T, EngineError>
    where
        Fut: Future<Output = Result<T, EngineError>>,
    {
        let mut backoff = Backoff::new(policy, low_bits(self.task.execution_id.as_u128()));
        loop {
            match call().await {
                Err(error) if error.is_retryable() && !self.lease.is_lost() => {
                    let Some(wait) = backoff.next_wait() else {
                        return Err(error);
                    };
                    tokio::select! {
                        () = self.desk.clock.sleep(wait) => {}
                        () = self.lease.lost() => return Err(error),
                    }
                }
                answer => return answer,
            }
        }
    }

    async fn call(&self, release: &Release) -> Result<Released, EngineError> {
        let backend = &self.desk.backend;
        let handle = &self.task.handle;
        match release {
            Release::Complete(result) => {
                backend.complete(handle, result.as_ref()).await?;
                Ok(Outcome::Completed.into())
            }
            Release::Fail(request) => match backend.fail(handle, request).await? {
                FailOutcome::RetryScheduled { .. } => Ok(Outcome::Retried.into()),
                FailOutcome::TerminalFailed => Ok(Outcome::Failed.into()),
            },
            Release::Cancel(reason) => {
                backend.cancel(handle, reason).await?;
                Ok(Outcome::Cancelled.into())
            }
            Release::Delay(request) => {
                backend.delay(handle, request).await?;
                Ok(Outcome::Paused.into())
            }
            Release::Suspend(request) => match backend.suspend(handle, request).await? {
                SuspendOutcome::Suspended { waitpoints, .. } => {
                    Ok(Released::Ended(Outcome::Suspended, waitpoints))
                }
                SuspendOutcome::AlreadySatisfied => Ok(Released::AlreadySatisfied),
                other => {
                    let problem = format!("an outcome of suspend that is not known: {other:?}");
                    Err(EngineError::Internal { problem })
                }
            },
            Release::WaitChildren(request) => match backend.wait_children(handle, request).await? {
                WaitChildrenOutcome::Waiting => Ok(Outcome::Suspended.into()),
                WaitChildrenOutcome::AlreadyEnded(_) => Ok(Released::AlreadySatisfied),
                other => {
                    let problem =
                        format!("an outcome of wait_children that is not known: {other:?}");
                    Err(EngineError::Internal { problem })
                }
            },
            Release::HandBack => {
                backend.delay(handle, &DelayRequest::now()).await?;
                Ok(Outcome::HandedBack.into())
            }
        }
    }
}
