//! The verbs of a lease holder as data, for rules that hold for every one of them.

use ff_engine::{
    CreateWaitpoint, DelayRequest, EngineBackend, EngineError, ProgressRequest, RecordStep,
    Released, SavedState, SuspendCondition, SuspendRequest, SuspendTimeout, TimeoutBehavior,
    UpdateSummary,
};
use ff_types::backend::{
    FailOutcome, FailureClass, Frame, FrameKind, Handle, UsageDimensions, WaitpointKind,
    WaitpointSpec,
};
use ff_types::{Payload, StepName, TerminalOutcome, TimestampMs, WaitpointId, WaitpointKey};

use crate::fixture::{failure, ms};

/// The waitpoint that these calls are about.
const WAITPOINT: WaitpointId = WaitpointId::from_u128(7);

/// A call that a lease holder can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HolderCall {
    Renew,
    RenewBatch,
    Progress,
    CreateWaitpoint,
    ObserveSignals,
    CloseWaitpoint,
    SaveState,
    RecordStep,
    Steps,
    AppendFrames,
    UpdateSummary,
    ReportUsage,
    Release(Release),
}

/// A call that gives the lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    Complete { result: Option<&'static str> },
    Fail(FailureClass),
    Cancel { reason: &'static str },
    Delay { until: TimestampMs, state: Option<&'static str> },
    Suspend { timeout_ms: u64, state: Option<&'static str> },
}

impl HolderCall {
    /// Every verb, each release once.
    pub(crate) const ALL: [Self; 17] = [
        Self::Renew,
        Self::RenewBatch,
        Self::Progress,
        Self::CreateWaitpoint,
        Self::ObserveSignals,
        Self::CloseWaitpoint,
        Self::SaveState,
        Self::RecordStep,
        Self::Steps,
        Self::AppendFrames,
        Self::UpdateSummary,
        Self::ReportUsage,
        Self::Release(Release::Complete { result: Some("done") }),
        Self::Release(Release::Fail(FailureClass::Transient)),
        Self::Release(Release::Cancel { reason: "enough" }),
        Self::Release(Release::Delay { until: TimestampMs::ZERO, state: None }),
        Self::Release(Release::Suspend { timeout_ms: 1_000, state: None }),
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
            Self::CreateWaitpoint => {
                let request = CreateWaitpoint::new(WAITPOINT, key()?);
                backend.create_waitpoint(handle, &request).await.map(drop)
            }
            Self::ObserveSignals => backend.observe_signals(handle).await.map(drop),
            Self::CloseWaitpoint => backend.close_waitpoint(handle, WAITPOINT).await.map(drop),
            Self::SaveState => backend.save_state(handle, Some(&SavedState::new("here"))).await,
            Self::RecordStep => {
                let request = RecordStep::new(StepName::new("charge")?, Payload::json("7"));
                backend.record_step(handle, &request).await.map(drop)
            }
            Self::Steps => backend.steps(handle).await.map(drop),
            Self::AppendFrames => {
                let frame = Frame::new("half way", FrameKind::Stdout).with_seq(7);
                backend.append_frames(handle, &[frame]).await.map(drop)
            }
            Self::UpdateSummary => {
                let request = UpdateSummary::new(0, "{}");
                backend.update_summary(handle, &request).await.map(drop)
            }
            Self::ReportUsage => {
                let usage = UsageDimensions::new().with_input_tokens(7).with_dedup_key("call-7");
                backend.report_usage(handle, &usage).await.map(drop)
            }
            Self::Release(release) => release.make(backend, handle).await.map(drop),
        }
    }
}

impl Release {
    /// Calls that differ in verb or arguments.
    pub(crate) const DISTINCT: [Self; 15] = [
        Self::Complete { result: None },
        Self::Complete { result: Some("a") },
        Self::Complete { result: Some("b") },
        Self::Fail(FailureClass::Transient),
        Self::Fail(FailureClass::Permanent),
        Self::Cancel { reason: "a" },
        Self::Cancel { reason: "b" },
        Self::Delay { until: TimestampMs::ZERO, state: None },
        Self::Delay { until: TimestampMs::MAX, state: None },
        Self::Delay { until: TimestampMs::ZERO, state: Some("") },
        Self::Delay { until: TimestampMs::ZERO, state: Some("a") },
        Self::Suspend { timeout_ms: 1_000, state: None },
        Self::Suspend { timeout_ms: 1_000_000, state: None },
        Self::Suspend { timeout_ms: 1_000, state: Some("a") },
        Self::Suspend { timeout_ms: 1_000, state: Some("b") },
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
            Self::Delay { until, state } => {
                let mut request = DelayRequest::until(until);
                request.state = state.map(SavedState::new);
                backend.delay(handle, &request).await.map(|()| None)
            }
            Self::Suspend { timeout_ms, state } => {
                let spec = WaitpointSpec::fresh(WAITPOINT, key()?, WaitpointKind::External, "");
                let mut request = SuspendRequest::new(vec![spec], SuspendCondition::Any)
                    .with_timeout(SuspendTimeout::new(ms(timeout_ms), TimeoutBehavior::Resume));
                request.state = state.map(SavedState::new);
                backend.suspend(handle, &request).await.map(|_| None)
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
            (Self::Delay { until, .. }, _) => Released::Delayed { until },
            (Self::Suspend { .. }, _) => Released::Suspended,
        }
    }
}

fn key() -> Result<WaitpointKey, EngineError> {
    Ok(WaitpointKey::new("approval")?)
}
