//! The verbs of an operator.

use async_trait::async_trait;
use ff_engine::{
    CancelExecution, CancelOutcome, CloseOutcome, EngineError, Hold, HoldOutcome, OperatorOps,
    ReleaseHold, ReleaseHoldOutcome, ReplayExecution, ReplayOutcome, ResumeExecution,
    ResumeOutcome, RevokeLease, RevokeOutcome, SetTags, WithdrawWaitpoint,
};
use ff_types::{AttemptIndex, Tags, TerminalOutcome};

use super::{Packed, bits};
use crate::ValkeyBackend;
use crate::call::BadReply;
use crate::calls;
use crate::codec;
use crate::failures::bad_reply;

#[async_trait]
impl OperatorOps for ValkeyBackend {
    async fn cancel_execution(
        &self,
        request: &CancelExecution,
    ) -> Result<CancelOutcome, EngineError> {
        request.validate()?;
        let call = calls::CancelExecution {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
            reason: &request.reason,
        };
        let answer = self.inner.about("cancel_execution", request.execution_id, call).await?;
        self.inner.go_on(&answer.left).await;
        let ended = |text: &str| {
            let outcome: Option<TerminalOutcome> = text.strip_prefix("ended ")?.parse().ok();
            outcome.map(CancelOutcome::AlreadyTerminal)
        };
        match answer.outcome.as_str() {
            "cancelled" => Ok(CancelOutcome::Cancelled),
            "requested" => Ok(CancelOutcome::Requested),
            other => ended(other).ok_or_else(|| bad_reply("cancel_execution", BadReply("outcome"))),
        }
    }

    async fn hold(&self, request: &Hold) -> Result<HoldOutcome, EngineError> {
        let call = calls::Hold {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
        };
        match self.inner.about("hold", request.execution_id, call).await?.outcome.as_str() {
            "held" => Ok(HoldOutcome::Held),
            "already" => Ok(HoldOutcome::AlreadyHeld),
            _ => Err(bad_reply("hold", BadReply("outcome"))),
        }
    }

    async fn release_hold(&self, request: &ReleaseHold) -> Result<ReleaseHoldOutcome, EngineError> {
        let call = calls::ReleaseHold {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
        };
        match self.inner.about("release_hold", request.execution_id, call).await?.outcome.as_str() {
            "released" => Ok(ReleaseHoldOutcome::Released),
            "not_held" => Ok(ReleaseHoldOutcome::NotHeld),
            _ => Err(bad_reply("release_hold", BadReply("outcome"))),
        }
    }

    async fn revoke(&self, request: &RevokeLease) -> Result<RevokeOutcome, EngineError> {
        request.validate()?;
        let call = calls::Revoke {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
        };
        match self.inner.about("revoke", request.execution_id, call).await?.outcome.as_str() {
            "revoked" => Ok(RevokeOutcome::Revoked),
            "not_active" => Ok(RevokeOutcome::NotActive),
            _ => Err(bad_reply("revoke", BadReply("outcome"))),
        }
    }

    async fn withdraw_waitpoint(
        &self,
        request: &WithdrawWaitpoint,
    ) -> Result<CloseOutcome, EngineError> {
        let call = calls::WithdrawWaitpoint {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
            waitpoint: request.waitpoint_id.as_u128(),
        };
        let answer = self.inner.about("withdraw_waitpoint", request.execution_id, call).await?;
        match answer.outcome.as_str() {
            "withdrawn" => Ok(CloseOutcome::Closed),
            "already_closed" => Ok(CloseOutcome::AlreadyClosed),
            _ => Err(bad_reply("withdraw_waitpoint", BadReply("outcome"))),
        }
    }

    async fn resume_execution(
        &self,
        request: &ResumeExecution,
    ) -> Result<ResumeOutcome, EngineError> {
        request.validate()?;
        let call = calls::ResumeExecution {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
            reason: &request.reason,
        };
        let answer = self.inner.about("resume_execution", request.execution_id, call).await?;
        let state = |text: &str| text.strip_prefix("not_suspended ")?.parse().ok();
        match answer.outcome.as_str() {
            "resumed" => Ok(ResumeOutcome::Resumed),
            other => state(other)
                .map(ResumeOutcome::NotSuspended)
                .ok_or_else(|| bad_reply("resume_execution", BadReply("outcome"))),
        }
    }

    async fn set_tags(&self, request: &SetTags) -> Result<Tags, EngineError> {
        const OPERATION: &str = "set_tags";
        request.validate()?;
        let mut changes = Packed::default();
        for (key, value) in &request.tags {
            changes.push(key);
            changes.push(if value.is_some() { "1" } else { "0" });
            changes.push(value.as_deref().unwrap_or_default());
        }
        let call = calls::SetTags {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
            changes: changes.freeze(),
        };
        let answer = self.inner.about(OPERATION, request.execution_id, call).await?;
        let tags = codec::tags(&answer.tags);
        tags.ok_or_else(|| bad_reply(OPERATION, BadReply("list of tags")))
    }

    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError> {
        let call = calls::Replay {
            id: request.execution_id.as_u128(),
            request: bits(request.request_id.to_bytes()),
        };
        let answer = self.inner.about("replay", request.execution_id, call).await?;
        self.inner.go_on(&answer.left).await;
        let attempt = answer.outcome.strip_prefix("replayed ").and_then(|text| text.parse().ok());
        attempt
            .map(|attempt| ReplayOutcome::new(AttemptIndex(attempt)))
            .ok_or_else(|| bad_reply("replay", BadReply("outcome")))
    }
}
