//! The verbs of a lease holder.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ff_engine::{
    AttemptOps, CloseOutcome, CreateWaitpoint, DelayRequest, EngineError, FailRequest, Fence,
    ProgressRequest, RecordStep, Released, ResumeView, SavedState, StepOutcome, StepView,
    SummaryOutcome, SuspendOutcome, SuspendRequest, UpdateSummary, UsageOutcome, WaitChildren,
    WaitChildrenOutcome, call_digest, valid_wait, validate_frames,
};
use ff_types::backend::{
    AppendFrameOutcome, BackendTag, FailOutcome, Frame, Handle, LeaseRenewal, PendingWaitpoint,
    UsageDimensions,
};
use ff_types::{ExecutionId, Payload, WaitpointId, WorkerInstanceId, limits};

use super::step::bytes_of;
use super::{at_most, bits, content_type, digest, wait};
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{self, Cancel, Complete, Delay, Fail, Progress, Renew, RenewItem};
use crate::failures::{Refusal, bad_reply, refused, released};
use crate::inner::{Inner, code};
use crate::reply::Reply;
use crate::waits::within;

/// Most leases that one call of the function renews.
const PER_CALL: usize = 100;

fn fence(handle: &Handle) -> Result<Fence, EngineError> {
    Fence::of(handle, BackendTag::Valkey)
}

#[async_trait]
impl AttemptOps for ValkeyBackend {
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        let fence = fence(handle)?;
        let mut answers = self.inner.renew_some(&[fence]).await?;
        answers.pop().unwrap_or_else(|| Err(bad_reply("renew", BadReply("answer"))))
    }

    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        at_most("handles", handles.len(), limits::RENEW_BATCH_MAX)?;
        let mut answers = Vec::with_capacity(handles.len());
        let mut fences = Vec::with_capacity(handles.len());
        for (index, handle) in handles.iter().enumerate() {
            match fence(handle) {
                Ok(fence) => {
                    fences.push((index, fence));
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        fences.sort_by_key(|(index, fence)| (self.inner.keyspace.of(fence.execution), *index));
        let same = |one: &(usize, Fence), other: &(usize, Fence)| {
            let of = |fence: &Fence| self.inner.keyspace.of(fence.execution);
            of(&one.1) == of(&other.1)
        };
        for some in fences.chunk_by(same).flat_map(|some| some.chunks(PER_CALL)) {
            let portion: Vec<Fence> = some.iter().map(|(_, fence)| *fence).collect();
            let renewed = self.inner.renew_some(&portion).await?;
            for ((index, _), answer) in some.iter().zip(renewed) {
                answers[*index] = Some(answer);
            }
        }
        let missing = || Err(bad_reply("renew", BadReply("answer")));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
    }

    async fn progress(
        &self,
        handle: &Handle,
        request: &ProgressRequest,
    ) -> Result<(), EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        let call = Progress {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            percent: request.percent.into(),
            message: request.message.as_deref().unwrap_or(""),
            told: request.message.is_some(),
        };
        self.inner.about("progress", fence.execution, call).await.map(drop)
    }

    async fn complete(&self, handle: &Handle, result: Option<&Payload>) -> Result<(), EngineError> {
        let fence = fence(handle)?;
        at_most("result", result.map_or(0, Payload::len), limits::RESULT_MAX_BYTES)?;
        let call = Complete {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_result(result)),
            given: result.is_some(),
            content_type: result.map_or("", content_type),
            result: result.map_or_else(Bytes::new, |result| result.bytes().clone()),
        };
        let answer = self.inner.about("complete", fence.execution, call).await?;
        self.inner.go_on(&answer.left).await;
        Ok(())
    }

    async fn fail(
        &self,
        handle: &Handle,
        request: &FailRequest,
    ) -> Result<FailOutcome, EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        let retry_after = request.retry_after.map(|after| after.as_millis().to_string());
        let call = Fail {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_failure(request)),
            class: request.class.as_str(),
            message: &request.reason.message,
            given: request.reason.detail.is_some(),
            detail: request.reason.detail.clone().unwrap_or_default(),
            retry_after: retry_after.as_deref().unwrap_or(""),
        };
        let answer = self.inner.about("fail", fence.execution, call).await?;
        self.inner.go_on(&answer.left).await;
        released(&answer.released)
            .map(Released::as_fail)
            .ok_or_else(|| bad_reply("fail", BadReply("release")))
    }

    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<(), EngineError> {
        let fence = fence(handle)?;
        at_most("reason", reason.len(), limits::REASON_MAX_BYTES)?;
        let call = Cancel {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_reason(reason)),
            reason,
        };
        let answer = self.inner.about("cancel", fence.execution, call).await?;
        self.inner.go_on(&answer.left).await;
        Ok(())
    }

    async fn delay(&self, handle: &Handle, request: &DelayRequest) -> Result<(), EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        let call = Delay {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_delay(request)),
            at: request.until,
            saves: request.state.is_some(),
            state: bytes_of(request.state.as_ref()),
        };
        self.inner.about("delay", fence.execution, call).await.map(drop)
    }

    async fn create_waitpoint(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError> {
        const OPERATION: &str = "create_waitpoint";
        let fence = fence(handle)?;
        request.validate()?;
        let call = calls::CreateWaitpoint {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            waitpoint: request.waitpoint_id.as_u128(),
            key: request.key.as_str(),
            expires_in: u64::try_from(request.expires_in.as_millis()).unwrap_or(u64::MAX),
            kids: &self.inner.kids(OPERATION).await?,
        };
        let made = self.inner.about(OPERATION, fence.execution, call).await?;
        self.inner.pending(OPERATION, fence.execution, made.waitpoint).await
    }

    async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        self.inner.suspend(&fence, request).await
    }

    async fn wait_children(
        &self,
        handle: &Handle,
        request: &WaitChildren,
    ) -> Result<WaitChildrenOutcome, EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        let call = calls::WaitChildren {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            digest: &digest(call_digest::of_wait_children(request)),
            flow: request.flow_id.as_u128(),
            saves: request.state.is_some(),
            state: bytes_of(request.state.as_ref()),
        };
        let answer = self.inner.about("wait_children", fence.execution, call).await?;
        let ended = |text: &str| text.strip_prefix("ended ")?.parse().ok();
        match answer.outcome.as_str() {
            "waiting" => Ok(WaitChildrenOutcome::Waiting),
            other => ended(other)
                .map(WaitChildrenOutcome::AlreadyEnded)
                .ok_or_else(|| bad_reply("wait_children", BadReply("outcome"))),
        }
    }

    async fn await_cancels(
        &self,
        instance: WorkerInstanceId,
        max_wait: Duration,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        valid_wait(Some(max_wait))?;
        let mut over = self.inner.clock.sleep(max_wait);
        let (told, is_new) = self.inner.waits.cancels.of(instance);
        if is_new {
            for partition in &self.inner.keyspace.partitions {
                let channel = partition.instance_channel(instance);
                if let Err(error) = self.inner.subscribe(&channel).await {
                    self.inner.waits.cancels.forget(instance);
                    return Err(error);
                }
            }
        }
        let mut told = told.lock().await;
        let mut cancelled: Vec<_> =
            within(told.recv(), over.as_mut()).await.flatten().into_iter().collect();
        while let Ok(another) = told.try_recv() {
            cancelled.push(another);
        }
        Ok(cancelled)
    }

    async fn observe_signals(&self, handle: &Handle) -> Result<ResumeView, EngineError> {
        let fence = fence(handle)?;
        let call = calls::ObserveSignals {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
        };
        wait::resume_view(self.inner.about("observe_signals", fence.execution, call).await?)
    }

    async fn save_state(
        &self,
        handle: &Handle,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError> {
        let fence = fence(handle)?;
        state.map_or(Ok(()), SavedState::validate)?;
        self.inner.save_state(&fence, state).await
    }

    async fn record_step(
        &self,
        handle: &Handle,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        self.inner.record_step(&fence, request).await
    }

    async fn append_frames(
        &self,
        handle: &Handle,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let fence = fence(handle)?;
        validate_frames(frames)?;
        self.inner.append_frames(&fence, frames).await
    }

    async fn update_summary(
        &self,
        handle: &Handle,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError> {
        let fence = fence(handle)?;
        request.validate()?;
        self.inner.update_summary(&fence, request).await
    }

    async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        self.inner.report_usage(handle, usage).await
    }

    async fn steps(&self, handle: &Handle) -> Result<Vec<StepView>, EngineError> {
        self.inner.steps(&fence(handle)?).await
    }

    async fn close_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_id: WaitpointId,
    ) -> Result<CloseOutcome, EngineError> {
        let fence = fence(handle)?;
        let call = calls::CloseWaitpoint {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            waitpoint: waitpoint_id.as_u128(),
        };
        let answer = self.inner.about("close_waitpoint", fence.execution, call).await?;
        match answer.outcome.as_str() {
            "closed" => Ok(CloseOutcome::Closed),
            "already_closed" => Ok(CloseOutcome::AlreadyClosed),
            _ => Err(bad_reply("close_waitpoint", BadReply("outcome"))),
        }
    }
}

impl Inner {
    /// Renews leases of one partition.
    async fn renew_some(
        &self,
        fences: &[Fence],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        let Some(first) = fences.first() else { return Ok(Vec::new()) };
        let item = |fence: &Fence| RenewItem {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
        };
        let call = Renew { items: fences.iter().map(item).collect() };
        let answer = self.about("renew", first.execution, call).await?;
        if answer.answers.len() != fences.len() {
            return Err(bad_reply("renew", BadReply("answer for each lease")));
        }
        let answers = answer.answers.into_iter().zip(fences);
        answers.map(|(reply, fence)| renewal(reply, fence)).collect()
    }
}

fn renewal(reply: Reply, fence: &Fence) -> Result<Result<LeaseRenewal, EngineError>, EngineError> {
    let bad = |bad| bad_reply("renew", bad);
    let mut values = Values::new(reply.into_array().ok_or_else(|| bad(BadReply("answer")))?);
    let id: ExecutionId = fence.execution;
    Ok(match code("renew", &mut values)? {
        Some(code) => Err(refused(Refusal { code, details: values }, id)),
        None => Ok(LeaseRenewal::new(values.int().map_err(bad)?, fence.epoch.0)),
    })
}
