//! Every verb but the claims: a request in, a decision, an answer out.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::BackendInfo;
use ff_engine::machine::{self, Decision, ExecutionRecord, KeyHolder, Placement, SubmitDecision};
use ff_engine::{
    AttemptOps, CancelExecution, CancelOutcome, CloseOutcome, CompletionPage, CreateWaitpoint,
    Cursor, DelayRequest, EngineError, ExecutionResult, ExecutionSummary, ExecutionView,
    Explanation, FailRequest, Fence, Hold, HoldOutcome, ListPage, ListRequest, ListWaitpoints,
    OperatorOps, ProgressRequest, ReadCompletions, ReadOps, ReadStream, RecordStep, ReleaseHold,
    ReleaseHoldOutcome, ReplayExecution, ReplayOutcome, ResultOutcome, ResultRequest,
    ResumeExecution, ResumeOutcome, ResumeView, RevokeLease, RevokeOutcome, SavedState, SetTags,
    StepOutcome, StepView, StreamPage, Submission, SubmitOps, Submitted, SummaryOutcome,
    SuspendOutcome, SuspendRequest, TickOutcome, TickRequest, TimerOps, UpdateSummary,
    UsageOutcome, WaitChildren, WaitChildrenOutcome, WaitpointPage, WithdrawWaitpoint, valid_wait,
};
use ff_types::backend::{
    AppendFrameOutcome, FailOutcome, Frame, Handle, LeaseRenewal, PendingWaitpoint, UsageDimensions,
};
use ff_types::{ExecutionId, Payload, Tags, TimestampMs, WaitpointId, WorkerInstanceId, limits};

use tokio::sync::oneshot;

use crate::claims::Due;
use crate::toy::{TAG, Table, Toy};

// region: submit
#[async_trait]
impl SubmitOps for Toy {
    async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError> {
        let mut table = self.table();
        let now = self.clock.now();
        let scope = submission.key_scope();
        let key = scope.map(|(kind, key, budget)| (kind.clone(), key.clone(), budget));
        let holder = key
            .as_ref()
            .and_then(|key| table.keys.get(key))
            .filter(|(_, ends_at)| *ends_at > now)
            .map(|(id, _)| KeyHolder {
                id: *id,
                state: table.rows.get(id).map(|row| row.run.state),
            });
        let same_id = table.rows.get(&submission.id());
        match machine::submit(submission, same_id, holder, &*table, now)? {
            SubmitDecision::Keep(submitted) => Ok(submitted),
            SubmitDecision::Create(row) => {
                if let (Some(key), Some(idempotency)) = (key, submission.idempotency()) {
                    let ends_at = now.saturating_add(idempotency.window);
                    table.keys.insert(key, (submission.id(), ends_at));
                }
                table.add(*row);
                self.changed.notify_waiters();
                Ok(Submitted::New(submission.id()))
            }
        }
    }
    // endregion

    async fn submit_batch(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        bounded("submissions", submissions.len(), limits::SUBMIT_BATCH_MAX)?;
        let mut outcomes = Vec::with_capacity(submissions.len());
        for submission in submissions {
            outcomes.push(self.submit(submission).await);
        }
        Ok(outcomes)
    }
}

// region: attempt
#[async_trait]
impl AttemptOps for Toy {
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let renewed = self.change(fence.execution, |row, now| machine::renew(row, &fence, now))?;
        self.table().offered_again(fence.execution, self.clock.now());
        Ok(renewed)
    }

    async fn complete(&self, handle: &Handle, result: Option<&Payload>) -> Result<(), EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::complete(row, &fence, result, now))
    }
    // endregion

    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError> {
        bounded("handles", handles.len(), limits::RENEW_BATCH_MAX)?;
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
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::progress(row, &fence, request, now))
    }

    async fn fail(
        &self,
        handle: &Handle,
        request: &FailRequest,
    ) -> Result<FailOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::fail(row, &fence, request, now))
    }

    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<(), EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::cancel(row, &fence, reason, now))
    }

    async fn delay(&self, handle: &Handle, request: &DelayRequest) -> Result<(), EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::delay(row, &fence, request, now))
    }

    async fn create_waitpoint(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError> {
        self.create_waitpoint_now(handle, request)
    }

    async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError> {
        self.suspend_now(handle, request)
    }

    async fn wait_children(
        &self,
        handle: &Handle,
        request: &WaitChildren,
    ) -> Result<WaitChildrenOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        request.validate()?;
        let mut table = self.table();
        let now = self.clock.now();
        let missing = || EngineError::execution_not_found(fence.execution);
        let row = table.rows.get(&fence.execution).ok_or_else(missing)?;
        let flow = table.flows.get(&request.flow_id);
        match machine::wait_children(row, &fence, request, flow, now)? {
            Decision::Keep(outcome) => Ok(outcome),
            Decision::Apply { next, outcome } => {
                table.apply(fence.execution, *next, now);
                Ok(outcome)
            }
        }
    }

    async fn await_cancels(
        &self,
        instance: WorkerInstanceId,
        max_wait: Duration,
    ) -> Result<Vec<ExecutionId>, EngineError> {
        valid_wait(Some(max_wait))?;
        let mut over = self.clock.sleep(max_wait);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let told = |row: &&ExecutionRecord| {
                let held = row.run.lease.is_some_and(|lease| lease.instance == instance);
                held && row.run.cancel.is_some()
            };
            let told: Vec<_> =
                self.table().rows.values().filter(told).map(|row| row.submission.id()).collect();
            if !told.is_empty() {
                return Ok(told);
            }
            tokio::select! {
                biased;
                () = &mut over => return Ok(Vec::new()),
                () = changed => {}
            }
        }
    }

    async fn observe_signals(&self, handle: &Handle) -> Result<ResumeView, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| {
            machine::observe_signals(row, &fence, now).map(Decision::Keep)
        })
    }

    async fn close_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_id: WaitpointId,
    ) -> Result<CloseOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let id = waitpoint_id;
        self.change(fence.execution, |row, now| machine::close_waitpoint(row, &fence, id, now))
    }

    async fn save_state(
        &self,
        handle: &Handle,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::save_state(row, &fence, state, now))
    }

    async fn record_step(
        &self,
        handle: &Handle,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| machine::record_step(row, &fence, request, now))
    }

    async fn append_frames(
        &self,
        handle: &Handle,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let (mut table, now) = (self.table(), self.clock.now());
        let missing = || EngineError::execution_not_found(fence.execution);
        let row = table.rows.get_mut(&fence.execution).ok_or_else(missing)?;
        let attempt = machine::append_frames(row, &fence, frames, now)?;
        let mut log = row.frames.take().unwrap_or_default();
        let outcomes = log.append(attempt, frames, now);
        row.frames = Some(log).filter(|log| !log.is_empty());
        self.changed.notify_waiters();
        outcomes
    }

    async fn update_summary(
        &self,
        handle: &Handle,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        let (mut table, now) = (self.table(), self.clock.now());
        let missing = || EngineError::execution_not_found(fence.execution);
        let row = table.rows.get_mut(&fence.execution).ok_or_else(missing)?;
        let (summary, outcome) = machine::update_summary(row, &fence, request, now)?;
        if summary.is_some() {
            row.summary = summary;
            self.changed.notify_waiters();
        }
        Ok(outcome)
    }

    async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError> {
        self.report(handle, usage)
    }

    async fn steps(&self, handle: &Handle) -> Result<Vec<StepView>, EngineError> {
        let fence = Fence::of(handle, TAG)?;
        self.change(fence.execution, |row, now| {
            machine::steps(row, &fence, now).map(Decision::Keep)
        })
    }
}

#[async_trait]
impl OperatorOps for Toy {
    async fn cancel_execution(
        &self,
        request: &CancelExecution,
    ) -> Result<CancelOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::cancel_execution(row, request, now))
    }

    async fn hold(&self, request: &Hold) -> Result<HoldOutcome, EngineError> {
        self.change(request.execution_id, |row, _| machine::hold(row, request))
    }

    async fn release_hold(&self, request: &ReleaseHold) -> Result<ReleaseHoldOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::release_hold(row, request, now))
    }

    async fn revoke(&self, request: &RevokeLease) -> Result<RevokeOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::revoke(row, request, now))
    }

    async fn withdraw_waitpoint(
        &self,
        request: &WithdrawWaitpoint,
    ) -> Result<CloseOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::withdraw_waitpoint(row, request, now))
    }

    async fn resume_execution(
        &self,
        request: &ResumeExecution,
    ) -> Result<ResumeOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::resume_execution(row, request, now))
    }

    async fn set_tags(&self, request: &SetTags) -> Result<Tags, EngineError> {
        let id = request.execution_id;
        let mut table = self.table();
        let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
        let Some(retagged) = machine::set_tags(row, request)? else {
            return Ok(row.submission.tags.clone());
        };
        table.unqueue(id);
        if let Some(row) = table.rows.get_mut(&id) {
            Arc::make_mut(&mut row.submission).tags = retagged.tags.clone();
            row.run = retagged.run;
        }
        table.queue(id);
        Ok(retagged.tags)
    }

    async fn replay(&self, request: &ReplayExecution) -> Result<ReplayOutcome, EngineError> {
        self.change(request.execution_id, |row, now| machine::replay(row, request, now))
    }
}

#[async_trait]
impl ReadOps for Toy {
    async fn describe_execution(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        let table = self.table();
        let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
        Ok(ExecutionView::of(row))
    }

    async fn list_executions(&self, request: &ListRequest) -> Result<ListPage, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let start = request.cursor.map_or(Bound::Unbounded, |at| Bound::Excluded(at.position()));
        let mut rest = table.rows.range((start, Bound::Unbounded));
        let mut items = Vec::new();
        let mut last = None;
        for (id, row) in rest.by_ref().take(limits::LIST_EXAMINED_MAX) {
            last = Some(Cursor::after(*id));
            if request.wants(row) {
                items.push(ExecutionSummary::of(row));
            }
            if items.len() == page_size {
                break;
            }
        }
        Ok(ListPage::new(items, rest.next().and(last)))
    }

    async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        self.waitpoints(request)
    }

    async fn result(&self, request: &ResultRequest) -> Result<ResultOutcome, EngineError> {
        request.validate()?;
        let id = request.execution_id;
        let (state, end) = {
            let mut table = self.table();
            let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
            if let Some(result) = ExecutionResult::of(row) {
                return Ok(ResultOutcome::Ended(result));
            }
            let state = row.run.state;
            let (waiter, end) = oneshot::channel();
            table.awaiting.retain(|(_, waiter)| !waiter.is_closed());
            table.awaiting.push((id, waiter));
            (state, end)
        };
        tokio::select! {
            biased;
            Ok(result) = end => Ok(ResultOutcome::Ended(result)),
            () = self.clock.sleep(request.max_wait.unwrap_or_default()) => {
                Ok(ResultOutcome::Pending(state))
            }
        }
    }

    async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError> {
        let page_size = request.page_size()?;
        let mut from = self.table().log.place(&request.from)?;
        let mut over = self.clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let page = {
                let table = self.table();
                let row = |id| table.rows.get(&id);
                table.log.page(from, page_size, request, self.namespace(), row)
            };
            if !page.items.is_empty() || page.gap || request.max_wait.is_none() {
                return Ok(page);
            }
            from = (page.next.places()[0], false);
            tokio::select! {
                biased;
                () = &mut over => return Ok(page),
                () = changed => {}
            }
        }
    }

    async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError> {
        let page_size = request.page_size()?;
        let mut over = self.clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let page = {
                let (table, id) = (self.table(), request.execution_id);
                let row =
                    table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
                row.frames.clone().unwrap_or_default().page_of(row, request, page_size)
            };
            if !page.is_empty() || request.max_wait.is_none() {
                return Ok(page);
            }
            tokio::select! {
                biased;
                () = &mut over => return Ok(page),
                () = changed => {}
            }
        }
    }

    async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError> {
        let table = self.table();
        let row = table.rows.get(&id).ok_or_else(|| EngineError::execution_not_found(id))?;
        let place = |row| Placement::of(row).queue;
        let ahead = || {
            let before = table.rows.values().filter(|other| {
                other.submission.lane == row.submission.lane
                    && other.submission.capabilities == row.submission.capabilities
                    && place(other).is_some()
                    && (place(other), other.submission.id()) < (place(row), id)
            });
            let count = before.take(limits::EXPLAIN_AHEAD_MAX as usize).count();
            u32::try_from(count).unwrap_or(limits::EXPLAIN_AHEAD_MAX)
        };
        let now = self.clock.now();
        let resets_at = |id| table.budgets.get(&id)?.view(0, now).resets_at();
        let submission = &row.submission;
        let barrier =
            || table.lanes.get(&submission.lane)?.record.barrier(submission.lane_key.as_ref(), now);
        let missing = || table.offers.missing(&submission.lane, &submission.capabilities, now);
        Ok(machine::explain(row, ahead, resets_at, barrier, missing, now))
    }
}

// region: tick
#[async_trait]
impl TimerOps for Toy {
    async fn tick(&self, request: &TickRequest) -> Result<TickOutcome, EngineError> {
        request.validate()?;
        let mut over = self.clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let outcome = self.tick_now(request);
            if request.max_wait.is_none() || outcome.handled() > 0 {
                return Ok(outcome);
            }
            let until_due = outcome.next_due.map(|at| at.saturating_since(self.clock.now()));
            let mut due = self.clock.sleep(until_due.unwrap_or(Duration::MAX));
            tokio::select! {
                () = &mut over => return Ok(outcome),
                () = changed => {}
                () = &mut due, if until_due.is_some() => {}
            }
        }
    }
}

impl Toy {
    fn tick_now(&self, request: &TickRequest) -> TickOutcome {
        let mut outcome = TickOutcome::default();
        let mut table = self.table();
        let now = self.clock.now();
        table.keys.retain(|_, (_, ends_at)| *ends_at > now);
        table.answers.retain(|_, answer| answer.ends_at > now);
        table.log.trim(now);

        let mut due = self.due(&table, request);
        due.sort_unstable();
        let reached = due.iter().take_while(|(at, _)| *at <= now).take(request.limit as usize);
        for (_, due) in reached {
            match due {
                Due::Row(id) => table.tick_row(*id, &mut outcome, now),
                Due::Flow(id) => table.tick_flow(*id, &mut outcome, now),
                Due::Budget(id) => table.tick_budget(*id, &mut outcome, now),
                Due::Lane(id) => table.tick_lane(id, &mut outcome, now),
                Due::Schedule(id) => table.tick_schedule(*id, &mut outcome, now),
            }
        }

        outcome.next_due = self.due(&table, request).iter().map(|(at, _)| *at).min();
        if outcome.handled() > 0 {
            self.changed.notify_waiters();
        }
        outcome
    }
}

impl Table {
    fn tick_row(&mut self, id: ExecutionId, outcome: &mut TickOutcome, now: TimestampMs) {
        let Some(event) = self.rows.get(&id).and_then(|row| machine::due(row, now)) else { return };
        outcome.count(&event);
        if let Some(next) = event.into_next() {
            self.apply(id, next, now);
        } else {
            self.unqueue(id);
            self.rows.remove(&id);
        }
    }
}
// endregion

fn bounded(field: &'static str, actual: usize, limit: usize) -> Result<(), EngineError> {
    if actual <= limit {
        return Ok(());
    }
    let (limit, actual) = (limit as u64, actual as u64);
    Err(EngineError::LimitExceeded { field: field.into(), limit, actual })
}
