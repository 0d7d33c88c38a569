//! A history under way on one backend: what was made so far, and how a step is done.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::{
    AdjustLane, CancelExecution, ClaimOutcome, ClaimRequest, DelayRequest, EngineError,
    ExecutionView, FailRequest, Fence, Hold, IdSource, ListRequest, ManualClock, ProgressRequest,
    ReclaimRequest, ReleaseHold, ReplayExecution, ResultRequest, RevokeLease, SeededEntropy,
    SetTags, Submission, Task, TickRequest,
};
use ff_types::backend::{
    CapabilitySet, ClaimPolicy, FailureClass, FailureReason, Handle, ReclaimToken, ScannerFilter,
};
use ff_types::{
    BudgetId, ExecutionId, ExecutionState, FlowId, LaneId, Payload, ScheduleId, TimestampMs,
    WorkerId, WorkerInstanceId,
};

use super::flows::{FlowCall, Flows};
use super::keeps::{KeepCall, Keeps, saved};
use super::op::{EXECUTIONS_MAX, Op};
use super::recurring::RecurCall;
use super::spending::SpendCall;
use super::waits::{WaitCall, Waits};
use crate::harness::Opened;

/// How long leases of a history last.
const LEASE_TTL: Duration = Duration::from_secs(1);

/// One backend with what a history made on it.
pub(super) struct World {
    pub(super) opened: Opened,
    pub(super) ids: IdSource,
    worker: WorkerId,
    instances: [WorkerInstanceId; 2],
    submissions: Vec<Submission>,
    /// Every execution that was submitted, by itself or in a flow.
    pub(super) executions: Vec<ExecutionId>,
    /// Every task that was handed out, the latest last.
    pub(super) tasks: Vec<Task>,
    tokens: Vec<ReclaimToken>,
    pub(super) waits: Waits,
    pub(super) keeps: Keeps,
    pub(super) flows: Flows,
    /// The budgets that executions may draw on.
    pub(super) budgets: Vec<BudgetId>,
    /// The schedules that were made.
    pub(super) schedules: Vec<ScheduleId>,
    latest: Option<Call>,
    latest_answer: Option<String>,
}

/// What a step did.
#[derive(Debug)]
pub(super) struct Step {
    /// The verb, when the step is one that may move executions.
    pub(super) verb: Option<Verb>,
    /// The execution it was about, when it was about one.
    pub(super) about: Option<ExecutionId>,
    /// The flow it was about, when it was about one.
    pub(super) flow: Option<FlowId>,
    /// Whether the backend refused it.
    pub(super) refused: bool,
    /// The answer in a form that is the same on every backend.
    pub(super) answer: String,
    /// The holder of which lease asked.
    pub(super) by: Option<Handle>,
    /// The answer of the same call, made immediately before.
    pub(super) first_answer: Option<String>,
    /// What is wrong with the answer itself.
    pub(super) faults: Vec<String>,
}

/// A call that can be made again.
#[derive(Debug, Clone)]
enum Call {
    Submit(Box<Submission>),
    Claim(ClaimRequest),
    Reclaimable(ReclaimRequest),
    TakeUp(ReclaimToken, ClaimPolicy),
    Renew(Handle),
    Progress(Handle, ProgressRequest),
    Complete(Handle, Option<Payload>),
    Fail(Handle, FailRequest),
    Cancel(Handle),
    Delay(Handle, DelayRequest),
    Wait(WaitCall),
    Keep(KeepCall),
    Flow(FlowCall),
    Spend(SpendCall),
    Steer(AdjustLane),
    Recur(RecurCall),
    CancelExecution(CancelExecution),
    Hold(Hold),
    ReleaseHold(ReleaseHold),
    Revoke(RevokeLease),
    Replay(ReplayExecution),
    Tag(SetTags),
}

impl World {
    /// An empty world whose ids depend on nothing but the steps.
    pub(super) fn new(opened: Opened) -> Self {
        let clock = Arc::new(ManualClock::default());
        let ids = IdSource::new(clock, Arc::new(SeededEntropy::new(0)));
        let worker = ids.worker_id();
        let instances = [ids.worker_instance_id(), ids.worker_instance_id()];
        Self {
            opened,
            ids,
            worker,
            instances,
            submissions: Vec::new(),
            executions: Vec::new(),
            tasks: Vec::new(),
            tokens: Vec::new(),
            waits: Waits::default(),
            keeps: Keeps::default(),
            flows: Flows::default(),
            budgets: Vec::new(),
            schedules: Vec::new(),
            latest: None,
            latest_answer: None,
        }
    }

    /// Does one step; `None` when it means nothing yet.
    pub(super) async fn step(&mut self, op: &Op) -> Option<Step> {
        let first_answer = self.latest_answer.take().filter(|_| *op == Op::Again);
        let now = self.opened.clock.now().await;
        let call = match op {
            Op::Submit(_) if self.submissions.len() >= EXECUTIONS_MAX => return None,
            Op::Submit(spec) => {
                let submission = self.submission(spec, now);
                self.submissions.push(submission.clone());
                self.executions.push(submission.id());
                Call::Submit(Box::new(submission))
            }
            Op::Resubmit(which) => Call::Submit(Box::new(pick(&self.submissions, *which)?.clone())),
            Op::Claim { lane, offered, max_tasks, reclaims, instance } => {
                let policy = self.policy(*instance).with_max_tasks(u32::from(*max_tasks));
                let id = self.ids.request_id();
                let request = ClaimRequest::new(id, lane_id(*lane), capabilities(*offered), policy);
                Call::Claim(if *reclaims {
                    request.with_reclaims(ScannerFilter::NOOP)
                } else {
                    request
                })
            }
            Op::Reclaimable { lane, offered, max_tokens, filtered } => {
                let (id, instance) = (self.ids.request_id(), self.instances[0]);
                let (lane, offered) = (lane_id(*lane), capabilities(*offered));
                let request = ReclaimRequest::new(id, instance, lane, offered)
                    .with_max_tokens(u32::from(*max_tokens))
                    .with_filter(filter(*filtered));
                Call::Reclaimable(request)
            }
            Op::TakeUp(which) => {
                Call::TakeUp(pick(&self.tokens, *which)?.clone(), self.policy(*which))
            }
            Op::Renew(which) => Call::Renew(self.handle(*which)?),
            Op::Progress { handle, percent } => {
                Call::Progress(self.handle(*handle)?, ProgressRequest::new(*percent))
            }
            Op::Complete { handle, result } => {
                let payload = result.map(|byte| Payload::new(vec![byte; 3]));
                Call::Complete(self.handle(*handle)?, payload)
            }
            Op::Fail { handle, class, retry_after } => {
                let request =
                    FailRequest::new(CLASSES[usize::from(*class)], FailureReason::new("x"));
                let request = match retry_after {
                    Some(ms) => request.with_retry_after(Duration::from_millis(u64::from(*ms))),
                    None => request,
                };
                Call::Fail(self.handle(*handle)?, request)
            }
            Op::Cancel(which) => Call::Cancel(self.handle(*which)?),
            Op::Delay { handle, ms, state } => {
                let mut request = DelayRequest::until(after(now, *ms));
                request.state = saved(*state);
                Call::Delay(self.handle(*handle)?, request)
            }
            Op::SaveState { .. }
            | Op::RecordStep { .. }
            | Op::Steps(_)
            | Op::Append { .. }
            | Op::Summarize { .. }
            | Op::Follow { .. } => Call::Keep(self.keep_call(op)?),
            Op::CreateWaitpoint { .. }
            | Op::Suspend(_)
            | Op::Observe(_)
            | Op::CloseWaitpoint { .. }
            | Op::Signal(_)
            | Op::SignalAgain
            | Op::Withdraw(_)
            | Op::Resume(_)
            | Op::Waitpoints { .. } => Call::Wait(self.wait_call(op)?),
            Op::CancelExecution(which) => {
                let (request, id) = (self.ids.request_id(), self.execution(*which)?);
                Call::CancelExecution(CancelExecution::new(request, id, "no longer needed"))
            }
            Op::Hold(which) => Call::Hold(Hold::new(self.ids.request_id(), self.recent(*which)?)),
            Op::ReleaseHold(which) => {
                Call::ReleaseHold(ReleaseHold::new(self.ids.request_id(), self.execution(*which)?))
            }
            Op::Revoke(which) => {
                let (request, id) = (self.ids.request_id(), self.recent(*which)?);
                Call::Revoke(RevokeLease::new(request, id, "stuck"))
            }
            Op::Replay(which) => {
                Call::Replay(ReplayExecution::new(self.ids.request_id(), self.execution(*which)?))
            }
            Op::Tag { which, set } => {
                let request = SetTags::new(self.ids.request_id(), self.execution(*which)?);
                Call::Tag(if *set {
                    request.with_tag(TAG.0, TAG.1)
                } else {
                    request.without_tag(TAG.0)
                })
            }
            Op::Again => self.latest.clone()?,
            Op::Tick { limit, filtered } => return Some(self.tick(*limit, *filtered).await),
            Op::Advance(ms) => {
                self.opened.clock.advance(Duration::from_millis(u64::from(*ms))).await;
                return Some(Step::silent());
            }
            Op::Step(ms) => {
                let to = now.as_i64().saturating_add(i64::from(*ms)).max(0);
                self.opened.clock.set(TimestampMs(to)).await;
                return Some(Step::silent());
            }
            Op::Flow(op) => Call::Flow(self.flow_call(op, now)?),
            Op::Steer(_) => Call::Steer(self.steer_call(op)?),
            Op::Recur(op) => Call::Recur(self.recur_call(op, now)?),
            Op::Report { .. } | Op::Adjust { .. } => Call::Spend(self.spend_call(op)?),
            Op::Read(which) => return Some(self.read(self.execution(*which)?).await),
            Op::List { limit, state } => return Some(self.list(*limit, *state).await),
        };
        self.latest = Some(call.clone());
        let step = self.make(call).await;
        // The answer to a report that was counted says that it was.
        let first_answer = first_answer.map(|first| match step.answer.as_str() {
            "AlreadyApplied" => step.answer.clone(),
            _ => first,
        });
        let step = Step { first_answer, ..step };
        self.latest_answer = Some(step.answer.clone());
        Some(step)
    }

    async fn make(&mut self, call: Call) -> Step {
        let backend = Arc::clone(&self.opened.backend);
        match call {
            Call::Submit(one) => {
                self.keeps.forget(one.id());
                Step::of(Verb::Submit, Some(one.id()), &backend.submit(&one).await)
            }
            Call::Claim(request) => {
                let claimed = backend.claim(&request).await;
                if let Ok(outcome) = &claimed {
                    self.keep(outcome);
                }
                Step::of(Verb::Claim, None, &claimed.map(|outcome| told(&outcome)))
            }
            Call::Reclaimable(request) => {
                let tokens = backend.reclaimable(&request).await;
                self.tokens.extend(tokens.iter().flatten().cloned());
                Step::of(Verb::Reclaimable, None, &tokens)
            }
            Call::TakeUp(token, policy) => {
                let resumed = backend.claim_from_reclaim(&token, &policy).await;
                if let Ok(task) = &resumed {
                    self.tasks.push(task.clone());
                }
                let about = resumed.as_ref().ok().map(|task| task.execution_id);
                Step::of(Verb::ClaimFromReclaim, about, &resumed.map(|task| told_task(&task)))
            }
            Call::Renew(handle) => Step::quiet(&backend.renew(&handle).await).asked_by(handle),
            Call::Progress(handle, request) => {
                Step::quiet(&backend.progress(&handle, &request).await).asked_by(handle)
            }
            Call::Complete(handle, result) => {
                let done = backend.complete(&handle, result.as_ref()).await;
                self.held(Verb::Complete, handle, &done)
            }
            Call::Fail(handle, request) => {
                let failed = backend.fail(&handle, &request).await;
                self.held(Verb::Fail, handle, &failed)
            }
            Call::Cancel(handle) => {
                let cancelled = backend.cancel(&handle, "changed my mind").await;
                self.held(Verb::Cancel, handle, &cancelled)
            }
            Call::Delay(handle, request) => {
                let delayed = backend.delay(&handle, &request).await;
                self.held(Verb::Delay, handle, &delayed)
            }
            Call::Wait(call) => self.make_wait(call).await,
            Call::Keep(call) => self.make_keep(call).await,
            Call::Flow(call) => self.make_flow(call).await,
            Call::Spend(call) => self.make_spend(call).await,
            Call::Steer(request) => self.make_steer(request).await,
            Call::Recur(call) => self.make_recur(call).await,
            Call::CancelExecution(request) => {
                let outcome = backend.cancel_execution(&request).await;
                Step::of(Verb::CancelExecution, Some(request.execution_id), &outcome)
            }
            Call::Hold(request) => {
                Step::of(Verb::Hold, Some(request.execution_id), &backend.hold(&request).await)
            }
            Call::ReleaseHold(request) => {
                let outcome = backend.release_hold(&request).await;
                Step::of(Verb::ReleaseHold, Some(request.execution_id), &outcome)
            }
            Call::Revoke(request) => {
                Step::of(Verb::Revoke, Some(request.execution_id), &backend.revoke(&request).await)
            }
            Call::Tag(request) => Step::quiet(&backend.set_tags(&request).await),
            Call::Replay(request) => {
                self.keeps.forget(request.execution_id);
                Step::of(Verb::Replay, Some(request.execution_id), &backend.replay(&request).await)
            }
        }
    }

    pub(super) fn held<T: Debug>(
        &self,
        verb: Verb,
        handle: Handle,
        answer: &Result<T, EngineError>,
    ) -> Step {
        let about = self.tasks.iter().find(|task| task.handle == handle);
        let about = about.map(|task| task.execution_id);
        Step::of(verb, about, answer).asked_by(handle)
    }

    async fn tick(&self, limit: u8, filtered: bool) -> Step {
        let request = TickRequest::all().with_limit(u32::from(limit)).with_filter(filter(filtered));
        let ticked = self.opened.backend.tick(&request).await;
        // The counts of a tick that was repeated after a lost answer are those of the repeat.
        Step::of(Verb::Tick, None, &ticked.map(|outcome| outcome.next_due))
    }

    async fn read(&self, id: ExecutionId) -> Step {
        let backend = &self.opened.backend;
        let explained = backend.explain(id).await;
        let ended = backend.result(&ResultRequest::new(id)).await;
        let answer = format!("{} {}", tell(&explained), tell(&ended));
        Step { answer, ..Step::silent() }
    }

    async fn list(&self, limit: u8, state: Option<u8>) -> Step {
        let mut request = ListRequest::new().with_limit(u32::from(limit));
        if let Some(state) = state {
            request = request.with_state(ExecutionState::ALL[usize::from(state)]);
        }
        let mut answer = String::new();
        for _ in 0..=self.executions.len() {
            let page = self.opened.backend.list_executions(&request).await;
            answer.push_str(&tell(&page.as_ref().map(|page| &page.items)));
            match page.ok().and_then(|page| page.next) {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
        }
        Step { answer, ..Step::silent() }
    }

    /// Every execution that was submitted, as it stands; `None` for one that is not there.
    pub(super) async fn views(&self) -> Vec<(ExecutionId, Option<ExecutionView>)> {
        let mut views = Vec::with_capacity(self.executions.len());
        for id in &self.executions {
            views.push((*id, self.opened.backend.describe_execution(*id).await.ok()));
        }
        views
    }

    fn keep(&mut self, outcome: &ClaimOutcome) {
        self.tasks.extend(outcome.tasks.iter().cloned());
        self.tokens.extend(outcome.reclaims.iter().cloned());
    }

    /// A task that was handed out, among the latest ones.
    pub(super) fn task(&self, which: u8) -> Option<&Task> {
        self.tasks.get(self.tasks.len().saturating_sub(1 + usize::from(which % 8)))
    }

    /// The handle of such a task.
    pub(super) fn handle(&self, which: u8) -> Option<Handle> {
        self.task(which).map(|task| task.handle.clone())
    }

    pub(super) fn execution(&self, which: u8) -> Option<ExecutionId> {
        pick(&self.executions, which).copied()
    }

    /// An execution, most often one that was handed out lately.
    pub(super) fn recent(&self, which: u8) -> Option<ExecutionId> {
        let recent = self.tasks.len().checked_sub(1 + usize::from(which % 4));
        match recent {
            Some(at) if which >= 128 => self.tasks.get(at).map(|task| task.execution_id),
            _ => self.execution(which),
        }
    }

    fn policy(&self, instance: u8) -> ClaimPolicy {
        let instance = self.instances[usize::from(instance) % self.instances.len()];
        ClaimPolicy::immediate(self.worker, instance).with_lease_ttl(LEASE_TTL)
    }
}

impl Step {
    pub(super) fn of<T: Debug>(
        verb: Verb,
        about: Option<ExecutionId>,
        answer: &Result<T, EngineError>,
    ) -> Self {
        let refused = answer.is_err();
        Self {
            verb: Some(verb),
            about,
            flow: None,
            refused,
            answer: tell(answer),
            by: None,
            first_answer: None,
            faults: Vec::new(),
        }
    }

    pub(super) fn quiet<T: Debug>(answer: &Result<T, EngineError>) -> Self {
        Self { refused: answer.is_err(), answer: tell(answer), ..Self::silent() }
    }

    pub(super) fn silent() -> Self {
        Self {
            verb: None,
            about: None,
            flow: None,
            refused: false,
            answer: String::new(),
            by: None,
            first_answer: None,
            faults: Vec::new(),
        }
    }

    pub(super) const fn about_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    pub(super) fn asked_by(mut self, handle: Handle) -> Self {
        self.by = Some(handle);
        self
    }
}

pub(super) const TAG: (&str, &str) = ("ops.instance", "one");

const CLASSES: [FailureClass; 5] = [
    FailureClass::Transient,
    FailureClass::Permanent,
    FailureClass::InfraCrash,
    FailureClass::Timeout,
    FailureClass::Cancelled,
];

pub(super) fn pick<T>(items: &[T], which: u8) -> Option<&T> {
    items.get(usize::from(which) % items.len().max(1))
}

pub(super) fn lane_id(lane: u8) -> LaneId {
    LaneId::new(format!("lane-{lane}")).expect("the lane is valid")
}

/// `{}`, `{a}`, `{b}` or `{a, b}`.
pub(super) fn capabilities(set: u8) -> CapabilitySet {
    let tokens = [(1, "a"), (2, "b")].into_iter().filter(|(bit, _)| set & bit != 0);
    CapabilitySet::from_tokens(tokens.map(|(_, token)| token)).expect("the tokens are valid")
}

fn filter(filtered: bool) -> ScannerFilter {
    if filtered {
        ScannerFilter::new().with_instance_tag(TAG.0, TAG.1)
    } else {
        ScannerFilter::NOOP
    }
}

pub(super) fn after(now: TimestampMs, ms: u16) -> TimestampMs {
    now.saturating_add(Duration::from_millis(u64::from(ms)))
}

pub(super) fn tell<T: Debug, E: std::borrow::Borrow<EngineError>>(answer: &Result<T, E>) -> String {
    match answer {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => format!("{}: {}", error.borrow().code(), error.borrow()),
    }
}

/// A claim's outcome without the tag of the backend in its handles.
fn told(outcome: &ClaimOutcome) -> String {
    let tasks: Vec<String> = outcome.tasks.iter().map(told_task).collect();
    format!("{tasks:?} {:?}", outcome.reclaims)
}

fn told_task(task: &Task) -> String {
    let fence = Fence::of(&task.handle, task.handle.backend);
    format!(
        "{} {:?} {:?} {:?} {:?} retries {} reclaims {} until {} state {:?}",
        task.execution_id,
        task.node,
        task.occurrence,
        fence.map_err(|error| error.code()),
        task.handle.kind,
        task.retries,
        task.reclaims,
        task.lease_expires_at,
        task.state.as_ref().map(|state| &state.0),
    )
}
