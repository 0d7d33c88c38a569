//! The verbs of an operator.

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, Decision, ExecutionRecord};
use ff_engine::{
    CancelExecution, CancelOutcome, CloseOutcome, EngineError, Hold, HoldOutcome, OperatorOps,
    ReleaseHold, ReleaseHoldOutcome, ReplayExecution, ReplayOutcome, ResumeExecution,
    ResumeOutcome, RevokeLease, RevokeOutcome, SetTags, WithdrawWaitpoint,
};
use ff_types::{ExecutionId, Tags, TimestampMs};

use crate::MemBackend;

#[async_trait]
impl OperatorOps for MemBackend {
    async fn cancel_execution(
        &self,
        request: &CancelExecution,
    ) -> Result<CancelOutcome, EngineError> {
        self.steer(Verb::CancelExecution, request.execution_id, |record, now| {
            machine::cancel_execution(record, request, now)
        })
    }

    async fn hold(&self, request: &Hold) -> Result<HoldOutcome, EngineError> {
        self.steer(Verb::Hold, request.execution_id, |record, _| machine::hold(record, request))
    }

    async fn release_hold(&self, request: &ReleaseHold) -> Result<ReleaseHoldOutcome, EngineError> {
        self.steer(Verb::ReleaseHold, request.execution_id, |record, now| {
            machine::release_hold(record, request, now)
        })
    }

    async fn revoke(&self, request: &RevokeLease) -> Result<RevokeOutcome, EngineError> {
        self.steer(Verb::Revoke, request.execution_id, |record, now| {
            machine::revoke(record, request, now)
        })
    }

    async fn withdraw_waitpoint(
        &self,
        request: &WithdrawWaitpoint,
    ) -> Result<CloseOutcome, EngineError> {
        self.steer(Verb::WithdrawWaitpoint, request.execution_id, |record, now| {
            machine::withdraw_waitpoint(record, request, now)
        })
    }

    async fn resume_execution(
        &self,
        request: &ResumeExecution,
    ) -> Result<ResumeOutcome, EngineError> {
        self.steer(Verb::ResumeExecution, request.execution_id, |record, now| {
            machine::resume_execution(record, request, now)
        })
    }

    async fn set_tags(&self, request: &SetTags) -> Result<Tags, EngineError> {
        let mut store = self.store();
        let record = store.record(request.execution_id)?;
        let Some(retagged) = machine::set_tags(record, request)? else {
            return Ok(record.submission.tags.clone());
        };
        let tags = retagged.tags.clone();
        store.retag(request.execution_id, retagged);
        Ok(tags)
    }

    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError> {
        self.steer(Verb::Replay, request.execution_id, |record, now| {
            machine::replay(record, request, now)
        })
    }
}

impl MemBackend {
    fn steer<T>(
        &self,
        verb: Verb,
        id: ExecutionId,
        decide: impl FnOnce(&ExecutionRecord, TimestampMs) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let mut store = self.store();
        let now = self.now();
        let decision = decide(store.record(id)?, now)?;
        Ok(store.settle(verb, id, decision, now))
    }
}
