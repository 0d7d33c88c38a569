//! The verbs of a lease holder.

use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, Decision, ExecutionRecord};
use ff_engine::roles::BackendInfo;
use ff_engine::{
    AttemptOps, CloseOutcome, CreateWaitpoint, DelayRequest, EngineError, FailRequest, Fence,
    ProgressRequest, RecordStep, ResumeView, SavedState, StepOutcome, StepView, SummaryOutcome,
    SuspendOutcome, SuspendRequest, UpdateSummary, UsageOutcome, WaitChildren, WaitChildrenOutcome,
    valid_wait,
};
use ff_types::backend::{
    AppendFrameOutcome, BackendTag, FailOutcome, Frame, Handle, LeaseRenewal, PendingWaitpoint,
    UsageDimensions,
};
use ff_types::{ExecutionId, Payload, TimestampMs, WaitpointId, WorkerInstanceId, limits};

use crate::MemBackend;

#[async_trait]
impl AttemptOps for MemBackend {
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        let renewed = self.held(handle, None, |record, fence, now| {
            let record = self.inner.distortion.renewed(record);
            machine::renew(&record, fence, now)
        })?;
        self.store().offered_again(Fence::of(handle, BackendTag::Mem)?.execution, self.now());
        Ok(renewed)
    }

    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        if handles.len() > limits::RENEW_BATCH_MAX {
            return Err(EngineError::LimitExceeded {
                field: "handles".into(),
                limit: limits::RENEW_BATCH_MAX as u64,
                actual: handles.len() as u64,
            });
        }
        let mut renewals = Vec::with_capacity(handles.len());
        for handle in handles {
            renewals.push(self.renew(handle).await);
        }
        Ok(renewals)
    }

    async fn progress(
        &self,
        handle: &Handle,
        request: &ProgressRequest,
    ) -> Result<(), EngineError> {
        Fence::of(handle, BackendTag::Mem)?;
        request.validate()?;
        self.held(handle, None, |record, fence, now| machine::progress(record, fence, request, now))
    }

    async fn complete(&self, handle: &Handle, result: Option<&Payload>) -> Result<(), EngineError> {
        self.held(handle, Some(Verb::Complete), |record, fence, now| {
            machine::complete(record, fence, result, now)
        })
    }

    async fn fail(
        &self,
        handle: &Handle,
        request: &FailRequest,
    ) -> Result<FailOutcome, EngineError> {
        self.held(handle, Some(Verb::Fail), |record, fence, now| {
            machine::fail(record, fence, request, now)
        })
    }

    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<(), EngineError> {
        self.held(handle, Some(Verb::Cancel), |record, fence, now| {
            machine::cancel(record, fence, reason, now)
        })
    }

    async fn delay(&self, handle: &Handle, request: &DelayRequest) -> Result<(), EngineError> {
        self.held(handle, Some(Verb::Delay), |record, fence, now| {
            machine::delay(record, fence, request, now)
        })
    }

    async fn create_waitpoint(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError> {
        let kids = self.inner.ring.kids(self.now());
        let parts = self.held(handle, None, |record, fence, now| {
            machine::create_waitpoint(record, fence, request, &kids, now)
        })?;
        self.inner.ring.with(|ring| parts.signed(ring, self.namespace()))
    }

    async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        request.validate()?;
        let (ring, namespace) = (&self.inner.ring, self.namespace());
        ring.with(|ring| request.verify(ring, namespace, fence.execution))?;
        let kids = ring.kids(self.now());
        let suspended = self.held(handle, Some(Verb::Suspend), |record, fence, now| {
            let record = self.inner.distortion.suspending(record);
            machine::suspend(&record, fence, request, &kids, now)
        })?;
        ring.with(|ring| suspended.into_outcome(&fence, BackendTag::Mem, ring, namespace))
    }

    async fn wait_children(
        &self,
        handle: &Handle,
        request: &WaitChildren,
    ) -> Result<WaitChildrenOutcome, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        request.validate()?;
        let mut store = self.store();
        let record = store.record(fence.execution)?;
        let (fence, now) = self.inner.distortion.fence(record, fence, self.now());
        let flow = store.flows.get(request.flow_id);
        let decision = machine::wait_children(record, &fence, request, flow, now)?;
        Ok(store.settle(Verb::WaitChildren, fence.execution, decision, now))
    }

    async fn await_cancels(
        &self,
        instance: WorkerInstanceId,
        max_wait: Duration,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        valid_wait(Some(max_wait))?;
        let mut over = self.inner.clock.sleep(max_wait);
        let mut told = self.store().cancel_waiters.add(instance);
        let first = tokio::select! {
            biased;
            first = told.recv() => first,
            () = over.as_mut() => None,
        };
        // Whoever cancels a whole flow holds the store until all its members are told of.
        let _told = self.store();
        let others = std::iter::from_fn(|| told.try_recv().ok());
        Ok(first.into_iter().chain(others).collect())
    }

    async fn observe_signals(&self, handle: &Handle) -> Result<ResumeView, EngineError> {
        self.held(handle, None, |record, fence, now| {
            machine::observe_signals(record, fence, now).map(Decision::Keep)
        })
    }

    async fn close_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_id: WaitpointId,
    ) -> Result<CloseOutcome, EngineError> {
        self.held(handle, None, |record, fence, now| {
            machine::close_waitpoint(record, fence, waitpoint_id, now)
        })
    }

    async fn save_state(
        &self,
        handle: &Handle,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError> {
        self.held(handle, None, |record, fence, now| machine::save_state(record, fence, state, now))
    }

    async fn record_step(
        &self,
        handle: &Handle,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError> {
        self.held(handle, None, |record, fence, now| {
            let record = self.inner.distortion.recording(record, request);
            machine::record_step(&record, fence, request, now)
        })
    }

    async fn append_frames(
        &self,
        handle: &Handle,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        let mut store = self.store();
        let record = store.record(fence.execution)?;
        let (fence, now) = self.inner.distortion.fence(record, fence, self.now());
        let fence = self.inner.distortion.writing(record, fence);
        let frames = self.inner.distortion.appending(frames);
        let attempt = machine::append_frames(record, &fence, &frames, now)?;
        store.append_frames(fence.execution, attempt, &frames, now)
    }

    async fn update_summary(
        &self,
        handle: &Handle,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        let mut store = self.store();
        let record = store.record(fence.execution)?;
        let (fence, now) = self.inner.distortion.fence(record, fence, self.now());
        let request = self.inner.distortion.summarizing(record, request);
        let (summary, outcome) = machine::update_summary(record, &fence, &request, now)?;
        if let Some(summary) = summary {
            store.set_summary(fence.execution, summary);
        }
        Ok(outcome)
    }

    async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        let mut store = self.store();
        let record = store.record(fence.execution)?;
        let (fence, now) = self.inner.distortion.fence(record, fence, self.now());
        let record = self.inner.distortion.reporting(record);
        let (reported, outcome) = machine::report_usage(&record, &fence, usage, &*store, now)?;
        if let Some(reported) = reported {
            store.report(fence.execution, reported, usage.dedup_key.as_deref());
        }
        Ok(outcome)
    }

    async fn steps(&self, handle: &Handle) -> Result<Vec<StepView>, EngineError> {
        self.held(handle, None, |record, fence, now| {
            machine::steps(record, fence, now).map(Decision::Keep)
        })
    }
}

impl MemBackend {
    /// Decides over the record behind a handle and stores the answer. A verb that never moves an
    /// execution is `None`.
    fn held<T>(
        &self,
        handle: &Handle,
        verb: Option<Verb>,
        decide: impl FnOnce(&ExecutionRecord, &Fence, TimestampMs) -> Result<Decision<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let fence = Fence::of(handle, BackendTag::Mem)?;
        let mut store = self.store();
        let record = store.record(fence.execution)?;
        let (fence, now) = self.inner.distortion.fence(record, fence, self.now());
        let decision = decide(record, &fence, now)?;
        Ok(store.settle(verb.unwrap_or(Verb::Claim), fence.execution, decision, now))
    }
}
