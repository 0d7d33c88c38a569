//! The verbs of a lease holder as data, for rules that hold for every one of them.

use ff_engine::{DelayRequest, EngineBackend, EngineError, ProgressRequest, Released};
use ff_types::backend::{FailOutcome, FailureClass, Handle};
use ff_types::{Payload, TerminalOutcome, TimestampMs};

use crate::fixture::failure;

/// A call that a lease holder can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HolderCall {
    Renew,
    RenewBatch,
    Progress,
    Release(Release),
}

/// A call that gives the lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    Complete { result: Option<&'static str> },
    Fail(FailureClass),
    Cancel { reason: &'static str },
    Delay { until: TimestampMs },
}

impl HolderCall {
    /// Every verb, each release once.
    pub(crate) const ALL: [Self; 7] = [
        Self::Renew,
        Self::RenewBatch,
        Self::Progress,
        Self::Release(Release::Complete { result: Some("done") }),
        Self::Release(Release::Fail(FailureClass::Transient)),
        Self::Release(Release::Cancel { reason: "enough" }),
        Self::Release(Release::Delay { until: TimestampMs::ZERO }),
    ];

    pub(crate) async fn make(
        self,
        backend: &dyn EngineBackend,
        handle: &Handle,
    ) -> Result<(), EngineError> {
        match self {
            Self::Renew => backend.renew(handle).await.map(drop),
            Self::RenewBatch => {
                let answers = backend.renew_batch(std::slice::from_ref(handle)).await?;
                answers.into_iter().try_for_each(|answer| answer.map(drop))
            }
            Self::Progress => {
                let request = ProgressRequest::new(50).with_message("half way");
                backend.progress(handle, &request).await
            }
            Self::Release(release) => release.make(backend, handle).await.map(drop),
        }
    }
}

impl Release {
    /// Calls that differ in verb or arguments.
    pub(crate) const DISTINCT: [Self; 9] = [
        Self::Complete { result: None },
        Self::Complete { result: Some("a") },
        Self::Complete { result: Some("b") },
        Self::Fail(FailureClass::Transient),
        Self::Fail(FailureClass::Permanent),
        Self::Cancel { reason: "a" },
        Self::Cancel { reason: "b" },
        Self::Delay { until: TimestampMs::ZERO },
        Self::Delay { until: TimestampMs::MAX },
    ];

    /// Makes the call. Only `fail` has an answer of its own.
    pub(crate) async fn make(
        self,
        backend: &dyn EngineBackend,
        handle: &Handle,
    ) -> Result<Option<FailOutcome>, EngineError> {
        match self {
            Self::Complete { result } => {
                let result = result.map(Payload::new);
                backend.complete(handle, result.as_ref()).await.map(|()| None)
            }
            Self::Fail(class) => backend.fail(handle, &failure(class)).await.map(Some),
            Self::Cancel { reason } => backend.cancel(handle, reason).await.map(|()| None),
            Self::Delay { until } => {
                backend.delay(handle, &DelayRequest::until(until)).await.map(|()| None)
            }
        }
    }

    /// What this call did, given its answer.
    pub(crate) fn released(self, answer: Option<FailOutcome>) -> Released {
        match (self, answer) {
            (_, Some(FailOutcome::RetryScheduled { delay_until })) => {
                Released::RetryScheduled { delay_until }
            }
            (Self::Complete { .. }, _) => Released::Ended(TerminalOutcome::Completed),
            (Self::Fail(_), _) => Released::Ended(TerminalOutcome::Failed),
            (Self::Cancel { .. }, _) => Released::Ended(TerminalOutcome::Cancelled),
            (Self::Delay { until }, _) => Released::Delayed { until },
        }
    }
}
