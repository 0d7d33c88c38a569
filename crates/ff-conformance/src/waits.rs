//! What cases about waitpoints, suspends and signals make of a fixture.

use std::time::Duration;

use ff_engine::{
    CreateWaitpoint, DeliverSignal, Distinct, ResumeExecution, ResumeReason, ResumeView,
    SignalOutcome, SuspendCondition, SuspendOutcome, SuspendRequest, SuspendTimeout, Task,
    TimeoutBehavior, WithdrawWaitpoint,
};
use ff_types::backend::{Handle, PendingWaitpoint, WaitpointKind, WaitpointSpec};
use ff_types::{ExecutionId, SignalId, WaitpointId, WaitpointKey};

use crate::Fixture;
use crate::canary::CANARY;
use crate::expect::{CaseError, CaseResult, ensure_eq};

impl Fixture {
    /// A request for a waitpoint of this key, under a new id.
    pub(crate) fn waitpoint(&self, key: &str) -> CaseResult<CreateWaitpoint> {
        Ok(CreateWaitpoint::new(self.ids.waitpoint_id(), WaitpointKey::new(key)?))
    }

    /// Makes a pending waitpoint of this key.
    pub(crate) async fn pending(&self, task: &Task, key: &str) -> CaseResult<PendingWaitpoint> {
        Ok(self.backend.create_waitpoint(&task.handle, &self.waitpoint(key)?).await?)
    }

    /// A waitpoint that a suspend makes and that any signal matches.
    pub(crate) fn fresh(&self, key: &str) -> CaseResult<WaitpointSpec> {
        let (id, key) = (self.ids.waitpoint_id(), WaitpointKey::new(key)?);
        Ok(WaitpointSpec::fresh(id, key, WaitpointKind::External, ""))
    }

    /// A wait for fresh waitpoints of these keys.
    pub(crate) fn wait_for(
        &self,
        keys: &[&str],
        condition: SuspendCondition,
    ) -> CaseResult<SuspendRequest> {
        let specs = keys.iter().map(|key| self.fresh(key)).collect::<CaseResult<_>>()?;
        Ok(SuspendRequest::new(specs, condition))
    }

    /// Suspends, which has to release the lease, and answers the waitpoints.
    pub(crate) async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> CaseResult<Vec<PendingWaitpoint>> {
        match self.backend.suspend(handle, request).await? {
            SuspendOutcome::Suspended { waitpoints, .. } => Ok(waitpoints),
            other => Err(CaseError::new(format!("not suspended: {other:?}"))),
        }
    }

    /// A new execution that waits for fresh waitpoints of these keys.
    pub(crate) async fn suspended(
        &self,
        keys: &[&str],
        condition: SuspendCondition,
    ) -> CaseResult<(Task, Vec<PendingWaitpoint>)> {
        let task = self.running().await?;
        let waitpoints = self.suspend(&task.handle, &self.wait_for(keys, condition)?).await?;
        Ok((task, waitpoints))
    }

    /// A new execution that waits for any signal of one waitpoint.
    pub(crate) async fn waiting(&self) -> CaseResult<(Task, PendingWaitpoint)> {
        let (task, mut waitpoints) = self.suspended(&["approval"], SuspendCondition::Any).await?;
        Ok((task, waitpoints.remove(0)))
    }

    /// A signal of a new id.
    pub(crate) fn signal(&self, waitpoint: &PendingWaitpoint) -> DeliverSignal {
        DeliverSignal::new(waitpoint.token(), self.ids.signal_id(), "approved").with_payload(CANARY)
    }

    /// Delivers a signal of a new id.
    pub(crate) async fn send(&self, waitpoint: &PendingWaitpoint) -> CaseResult<SignalOutcome> {
        Ok(self.backend.deliver_signal(&self.signal(waitpoint)).await?)
    }

    /// Delivers a signal in the name of an authenticated sender.
    pub(crate) async fn send_as(
        &self,
        waitpoint: &PendingWaitpoint,
        principal: &str,
    ) -> CaseResult<SignalOutcome> {
        let signal = self.signal(waitpoint).with_principal(principal);
        Ok(self.backend.deliver_signal(&signal).await?)
    }

    /// What the holder sees of the latest wait: why it goes on, and by which signals.
    pub(crate) async fn observed(
        &self,
        task: &Task,
    ) -> CaseResult<(Option<ResumeReason>, Vec<SignalId>)> {
        let view: ResumeView = self.backend.observe_signals(&task.handle).await?;
        Ok((view.reason, view.signals.into_iter().map(|signal| signal.signal_id).collect()))
    }

    /// Takes up an execution whose wait is over by signals, and checks that they are these.
    pub(crate) async fn resumed_by(&self, signals: &[SignalId]) -> CaseResult<Task> {
        let task = self.reclaim_one().await?;
        let observed = self.observed(&task).await?;
        ensure_eq!(observed, (Some(ResumeReason::Signals), signals.to_vec()), "what was observed");
        Ok(task)
    }

    /// The withdrawal of a waitpoint under a new request id.
    pub(crate) fn withdraw_request(
        &self,
        execution: ExecutionId,
        waitpoint: WaitpointId,
    ) -> WithdrawWaitpoint {
        WithdrawWaitpoint::new(self.ids.request_id(), execution, waitpoint)
    }

    /// The resume of an execution under a new request id.
    pub(crate) fn resume_request(&self, id: ExecutionId) -> ResumeExecution {
        ResumeExecution::new(self.ids.request_id(), id, "the case resumes it")
    }
}

/// At least `n` of these.
pub(crate) const fn at_least(n: u32, distinct: Distinct) -> SuspendCondition {
    SuspendCondition::AtLeast { n, distinct }
}

/// After `ms` milliseconds, this.
pub(crate) const fn after(ms: u64, behavior: TimeoutBehavior) -> SuspendTimeout {
    SuspendTimeout::new(Duration::from_millis(ms), behavior)
}
