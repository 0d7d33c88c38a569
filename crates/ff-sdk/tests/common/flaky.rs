//! A backend in front of another one.

mod budgets;
mod flows;
mod lanes;
mod schedules;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::*;
use ff_types::backend::{
    AppendFrameOutcome, BackendTag, ClaimPolicy, FailOutcome, Frame, Handle, LeaseRenewal,
    PendingWaitpoint, ReclaimToken, UsageDimensions,
};
use ff_types::{ExecutionId, Namespace, Payload, Tags, WaitpointId, WorkerInstanceId};

/// Passes every call on, unless told otherwise.
pub(crate) struct Flaky {
    inner: Arc<dyn EngineBackend>,
    /// While set, nothing is passed on and every call is unavailable.
    pub(crate) away: AtomicBool,
    /// The next so many submits are passed on and their answers lost.
    pub(crate) lost_submits: AtomicUsize,
    /// The next so many completes are not passed on and unavailable.
    pub(crate) failing_completes: AtomicUsize,
    /// Operations that never answer.
    hung: Mutex<Vec<&'static str>>,
    /// Operations that are unavailable.
    hung_up: Mutex<Vec<&'static str>>,
    /// Operations whose next calls are passed on and their answers lost, once for each time they
    /// are here.
    lost: Mutex<Vec<&'static str>>,
    /// The next pages of the completion log that have items lose them, and say that there is a gap.
    pub(crate) gaps: AtomicUsize,
    /// The same, and the items come again with the next page.
    pub(crate) gaps_in_front: AtomicUsize,
    /// What the next description of a flow is, instead of how it stands.
    pub(crate) old_view: Mutex<Option<FlowView>>,
    /// While set, graphs and parents come two at a time.
    pub(crate) small_pages: AtomicBool,
    pub(crate) flow_looks: AtomicUsize,
    pub(crate) upstream_reads: AtomicUsize,
    pub(crate) observations: AtomicUsize,
    pub(crate) step_reads: AtomicUsize,
    pub(crate) claims: AtomicUsize,
    pub(crate) renewals: AtomicUsize,
    pub(crate) renewed_leases: AtomicUsize,
    pub(crate) most_asked: AtomicUsize,
    pub(crate) cancel_waits: AtomicUsize,
    pub(crate) appends: AtomicUsize,
}

impl Flaky {
    pub(crate) fn new(inner: Arc<dyn EngineBackend>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            lost_submits: AtomicUsize::new(0),
            failing_completes: AtomicUsize::new(0),
            hung: Mutex::default(),
            hung_up: Mutex::default(),
            lost: Mutex::default(),
            gaps: AtomicUsize::new(0),
            gaps_in_front: AtomicUsize::new(0),
            old_view: Mutex::default(),
            small_pages: AtomicBool::new(false),
            flow_looks: AtomicUsize::new(0),
            upstream_reads: AtomicUsize::new(0),
            observations: AtomicUsize::new(0),
            step_reads: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
            renewed_leases: AtomicUsize::new(0),
            most_asked: AtomicUsize::new(0),
            cancel_waits: AtomicUsize::new(0),
            appends: AtomicUsize::new(0),
        }
    }

    /// Makes calls of `operation` unavailable, or available again.
    pub(crate) fn hang_up(&self, operation: &'static str, hangs_up: bool) {
        let mut hung_up = self.hung_up.lock().expect("no test panics here");
        hung_up.retain(|one| *one != operation);
        if hangs_up {
            hung_up.push(operation);
        }
    }

    /// The next calls of `operation` never get an answer.
    pub(crate) fn hang(&self, operation: &'static str) {
        self.hung.lock().expect("no test panics here").push(operation);
    }

    /// The next call of `operation` is passed on, and its answer lost.
    pub(crate) fn lose_answer(&self, operation: &'static str) {
        self.lost.lock().expect("no test panics here").push(operation);
    }

    /// Whether all answers were lost that were to be.
    pub(crate) fn all_were_lost(&self) -> bool {
        self.lost.lock().expect("no test panics here").is_empty()
    }

    fn or_lost<T>(
        &self,
        operation: &'static str,
        answer: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut lost = self.lost.lock().expect("no test panics here");
        match lost.iter().position(|next| *next == operation) {
            Some(at) => {
                lost.remove(at);
                Err(unavailable(operation))
            }
            None => answer,
        }
    }

    async fn there(&self, operation: &'static str) -> Result<&dyn EngineBackend, EngineError> {
        let hangs = self.hung.lock().expect("no test panics here").contains(&operation);
        if hangs {
            std::future::pending::<()>().await;
        }
        let hangs_up = self.hung_up.lock().expect("no test panics here").contains(&operation);
        if hangs_up || self.away.load(Relaxed) {
            return Err(unavailable(operation));
        }
        Ok(self.inner.as_ref())
    }

    fn loses_answer(&self) -> bool {
        takes_one(&self.lost_submits)
    }
}

fn takes_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn unavailable(operation: &'static str) -> EngineError {
    EngineError::Unavailable { kind: UnavailableKind::Unreachable, operation, source: None }
}

impl BackendInfo for Flaky {
    fn tag(&self) -> BackendTag {
        self.inner.tag()
    }

    fn namespace(&self) -> &Namespace {
        self.inner.namespace()
    }
}

#[async_trait]
impl SubmitOps for Flaky {
    async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError> {
        let answer = self.there("submit").await?.submit(submission).await;
        if self.loses_answer() {
            return Err(unavailable("submit"));
        }
        answer
    }

    async fn submit_batch(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        self.there("submit_batch").await?.submit_batch(submissions).await
    }
}

#[async_trait]
impl ClaimOps for Flaky {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError> {
        self.claims.fetch_add(1, Relaxed);
        self.most_asked.fetch_max(request.policy.max_tasks as usize, Relaxed);
        self.there("claim").await?.claim(request).await
    }

    async fn reclaimable(
        &self,
        request: &ReclaimRequest,
    ) -> Result<Vec<ReclaimToken>, EngineError> {
        self.there("reclaimable").await?.reclaimable(request).await
    }

    async fn claim_from_reclaim(
        &self,
        token: &ReclaimToken,
        policy: &ClaimPolicy,
    ) -> Result<Task, EngineError> {
        let inner = self.there("claim_from_reclaim").await?;
        inner.claim_from_reclaim(token, policy).await
    }
}

#[async_trait]
impl AttemptOps for Flaky {
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        self.there("renew").await?.renew(handle).await
    }

    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        self.renewals.fetch_add(1, Relaxed);
        self.renewed_leases.fetch_add(handles.len(), Relaxed);
        self.there("renew_batch").await?.renew_batch(handles).await
    }

    async fn progress(
        &self,
        handle: &Handle,
        request: &ProgressRequest,
    ) -> Result<(), EngineError> {
        self.there("progress").await?.progress(handle, request).await
    }

    async fn complete(&self, handle: &Handle, result: Option<&Payload>) -> Result<(), EngineError> {
        if takes_one(&self.failing_completes) {
            return Err(unavailable("complete"));
        }
        self.there("complete").await?.complete(handle, result).await
    }

    async fn fail(
        &self,
        handle: &Handle,
        request: &FailRequest,
    ) -> Result<FailOutcome, EngineError> {
        self.there("fail").await?.fail(handle, request).await
    }

    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<(), EngineError> {
        self.there("cancel").await?.cancel(handle, reason).await
    }

    async fn delay(&self, handle: &Handle, request: &DelayRequest) -> Result<(), EngineError> {
        self.there("delay").await?.delay(handle, request).await
    }

    async fn create_waitpoint(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError> {
        let inner = self.there("create_waitpoint").await?;
        self.or_lost("create_waitpoint", inner.create_waitpoint(handle, request).await)
    }

    async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        let inner = self.there("suspend").await?;
        self.or_lost("suspend", inner.suspend(handle, request).await)
    }

    async fn await_cancels(
        &self,
        instance: WorkerInstanceId,
        max_wait: Duration,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        self.cancel_waits.fetch_add(1, Relaxed);
        self.there("await_cancels").await?.await_cancels(instance, max_wait).await
    }

    async fn wait_children(
        &self,
        handle: &Handle,
        request: &WaitChildren,
    ) -> Result<WaitChildrenOutcome, EngineError> {
        let inner = self.there("wait_children").await?;
        self.or_lost("wait_children", inner.wait_children(handle, request).await)
    }

    async fn observe_signals(&self, handle: &Handle) -> Result<ResumeView, EngineError> {
        self.observations.fetch_add(1, Relaxed);
        self.there("observe_signals").await?.observe_signals(handle).await
    }

    async fn close_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_id: WaitpointId,
    ) -> Result<CloseOutcome, EngineError> {
        self.there("close_waitpoint").await?.close_waitpoint(handle, waitpoint_id).await
    }

    async fn save_state(
        &self,
        handle: &Handle,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError> {
        let inner = self.there("save_state").await?;
        self.or_lost("save_state", inner.save_state(handle, state).await)
    }

    async fn update_summary(
        &self,
        handle: &Handle,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError> {
        let inner = self.there("update_summary").await?;
        self.or_lost("update_summary", inner.update_summary(handle, request).await)
    }

    async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        let inner = self.there("report_usage").await?;
        self.or_lost("report_usage", inner.report_usage(handle, usage).await)
    }

    async fn append_frames(
        &self,
        handle: &Handle,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let inner = self.there("append_frames").await?;
        self.appends.fetch_add(1, Relaxed);
        self.or_lost("append_frames", inner.append_frames(handle, frames).await)
    }

    async fn record_step(
        &self,
        handle: &Handle,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError> {
        let inner = self.there("record_step").await?;
        self.or_lost("record_step", inner.record_step(handle, request).await)
    }

    async fn steps(&self, handle: &Handle) -> Result<Vec<StepView>, EngineError> {
        self.step_reads.fetch_add(1, Relaxed);
        self.there("steps").await?.steps(handle).await
    }
}

#[async_trait]
impl SignalOps for Flaky {
    async fn deliver_signal(&self, request: &DeliverSignal) -> Result<SignalOutcome, EngineError> {
        let inner = self.there("deliver_signal").await?;
        self.or_lost("deliver_signal", inner.deliver_signal(request).await)
    }
}

#[async_trait]
impl OperatorOps for Flaky {
    async fn cancel_execution(
        &self,
        request: &CancelExecution,
    ) -> Result<CancelOutcome, EngineError> {
        self.there("cancel_execution").await?.cancel_execution(request).await
    }

    async fn hold(&self, request: &Hold) -> Result<HoldOutcome, EngineError> {
        self.there("hold").await?.hold(request).await
    }

    async fn release_hold(&self, request: &ReleaseHold) -> Result<ReleaseHoldOutcome, EngineError> {
        self.there("release_hold").await?.release_hold(request).await
    }

    async fn revoke(&self, request: &RevokeLease) -> Result<RevokeOutcome, EngineError> {
        self.there("revoke").await?.revoke(request).await
    }

    async fn withdraw_waitpoint(
        &self,
        request: &WithdrawWaitpoint,
    ) -> Result<CloseOutcome, EngineError> {
        self.there("withdraw_waitpoint").await?.withdraw_waitpoint(request).await
    }

    async fn resume_execution(
        &self,
        request: &ResumeExecution,
    ) -> Result<ResumeOutcome, EngineError> {
        self.there("resume_execution").await?.resume_execution(request).await
    }

    async fn set_tags(&self, request: &SetTags) -> Result<Tags, EngineError> {
        let inner = self.there("set_tags").await?;
        self.or_lost("set_tags", inner.set_tags(request).await)
    }

    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError> {
        self.there("replay").await?.replay(request).await
    }
}

#[async_trait]
impl ReadOps for Flaky {
    async fn describe_execution(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        self.there("describe_execution").await?.describe_execution(id).await
    }

    async fn list_executions(&self, request: &ListRequest) -> Result<ListPage, EngineError> {
        self.there("list_executions").await?.list_executions(request).await
    }

    async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        self.there("list_waitpoints").await?.list_waitpoints(request).await
    }

    async fn result(&self, request: &ResultRequest) -> Result<ResultOutcome, EngineError> {
        self.there("result").await?.result(request).await
    }

    async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError> {
        let inner = self.there("read_stream").await?;
        self.or_lost("read_stream", inner.read_stream(request).await)
    }

    async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError> {
        let page = self.there("read_completions").await?.read_completions(request).await?;
        if !page.items.is_empty() && takes_one(&self.gaps) {
            return Ok(CompletionPage::new(Vec::new(), true, page.next));
        }
        if let CompletionsFrom::Cursor(place) = &request.from
            && !page.items.is_empty()
            && takes_one(&self.gaps_in_front)
        {
            return Ok(CompletionPage::new(Vec::new(), true, place.clone()));
        }
        Ok(page)
    }

    async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError> {
        self.there("explain").await?.explain(id).await
    }
}

#[async_trait]
impl TimerOps for Flaky {
    async fn tick(&self, request: &TickRequest) -> Result<TickOutcome, EngineError> {
        self.there("tick").await?.tick(request).await
    }
}
