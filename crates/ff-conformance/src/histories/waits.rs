//! The steps of a history that are about waitpoints, suspends and signals.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::{
    CreateWaitpoint, DeliverSignal, Distinct, Fence, Group, ListWaitpoints, ResumeExecution,
    SignalOutcome, SuspendCondition, SuspendOutcome, SuspendRequest, SuspendTimeout,
    TimeoutBehavior, WithdrawWaitpoint,
};
use ff_types::backend::{
    Handle, PendingWaitpoint, WaitpointHmac, WaitpointKind, WaitpointSpec, WaitpointToken,
};
use ff_types::{ExecutionId, IdempotencyKey, SignalId, WaitpointId, WaitpointKey, limits};

use super::keeps::saved;
use super::op::{Op, SignalOp, SuspendOp};
use super::world::{Step, World, pick, tell};

/// What a history has made of waits.
#[derive(Default)]
pub(super) struct Waits {
    /// Every waitpoint whose token was given out, the latest last.
    waitpoints: Vec<PendingWaitpoint>,
    /// The latest signal that was sent.
    latest: Option<DeliverSignal>,
    /// Every signal that was accepted, and by which execution.
    accepted: BTreeSet<(ExecutionId, SignalId)>,
}

/// A call about waits that can be made again.
#[derive(Debug, Clone)]
pub(super) enum WaitCall {
    Create(Handle, CreateWaitpoint),
    Suspend(Handle, SuspendRequest),
    Observe(Handle),
    Close(Handle, WaitpointId),
    Signal(Box<DeliverSignal>),
    Withdraw(WithdrawWaitpoint),
    Resume(ResumeExecution),
    List(ListWaitpoints),
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const WANTED: &str = "wanted";

const BEHAVIORS: [TimeoutBehavior; 4] = [
    TimeoutBehavior::Fail,
    TimeoutBehavior::Cancel,
    TimeoutBehavior::Expire,
    TimeoutBehavior::Resume,
];

impl World {
    /// The call of such a step; `None` when it means nothing yet.
    pub(super) fn wait_call(&mut self, op: &Op) -> Option<WaitCall> {
        Some(match op {
            Op::CreateWaitpoint { handle, key: name, expires } => {
                let id = self.ids.waitpoint_id();
                let request = CreateWaitpoint::new(id, key(usize::from(*name)));
                let request = request.with_expires_in(life(*expires));
                WaitCall::Create(self.handle(*handle)?, request)
            }
            Op::Suspend(spec) => {
                let handle = self.handle(spec.handle)?;
                let request = self.suspend_request(&handle, spec);
                WaitCall::Suspend(handle, request)
            }
            Op::Observe(which) => WaitCall::Observe(self.handle(*which)?),
            Op::CloseWaitpoint { handle, waitpoint } => {
                let waitpoint = self.known(*waitpoint)?.waitpoint_id;
                WaitCall::Close(self.handle(*handle)?, waitpoint)
            }
            Op::Signal(spec) => {
                let signal = self.signal(spec)?;
                self.waits.latest = Some(signal.clone());
                WaitCall::Signal(Box::new(signal))
            }
            Op::SignalAgain => WaitCall::Signal(Box::new(self.waits.latest.clone()?)),
            Op::Withdraw(which) => {
                let (request, known) = (self.ids.request_id(), self.known(*which)?);
                let (execution, waitpoint) = (known.execution_id, known.waitpoint_id);
                WaitCall::Withdraw(WithdrawWaitpoint::new(request, execution, waitpoint))
            }
            Op::Resume(which) => {
                let (request, id) = (self.ids.request_id(), self.recent(*which)?);
                WaitCall::Resume(ResumeExecution::new(request, id, "by phone"))
            }
            Op::Waitpoints { limit, of } => {
                let request = ListWaitpoints::new().with_limit(u32::from(*limit));
                WaitCall::List(match of {
                    Some(which) => request.with_execution(self.execution(*which)?),
                    None => request,
                })
            }
            _ => return None,
        })
    }

    pub(super) async fn make_wait(&mut self, call: WaitCall) -> Step {
        let backend = Arc::clone(&self.opened.backend);
        match call {
            WaitCall::Create(handle, request) => {
                let made = backend.create_waitpoint(&handle, &request).await;
                self.learn(made.as_ref().ok().map_or(&[], std::slice::from_ref));
                Step::quiet(&made).asked_by(handle)
            }
            WaitCall::Suspend(handle, request) => {
                let suspended = backend.suspend(&handle, &request).await;
                if let Ok(SuspendOutcome::Suspended { waitpoints, .. }) = &suspended {
                    self.learn(waitpoints);
                }
                self.held(Verb::Suspend, handle, &suspended.map(|outcome| told(&outcome)))
            }
            WaitCall::Observe(handle) => {
                let seen = backend.observe_signals(&handle).await;
                let about = Fence::of(&handle, handle.backend).map(|fence| fence.execution);
                let mut step = Step::quiet(&seen).asked_by(handle);
                if let (Ok(view), Ok(execution)) = (seen, about) {
                    let ids: Vec<_> = view.signals.iter().map(|one| one.signal_id).collect();
                    let known = |id: &SignalId| self.waits.accepted.contains(&(execution, *id));
                    if !ids.iter().all(known) {
                        step.faults.push(format!("a signal that was never accepted: {ids:?}"));
                    }
                }
                step
            }
            WaitCall::Close(handle, waitpoint) => {
                let closed = backend.close_waitpoint(&handle, waitpoint).await;
                Step::quiet(&closed).asked_by(handle)
            }
            WaitCall::Signal(request) => {
                let about = request.token.address().execution_id;
                let outcome = backend.deliver_signal(&request).await;
                if let Ok(
                    SignalOutcome::Resumed | SignalOutcome::Recorded | SignalOutcome::Buffered,
                ) = outcome
                {
                    self.waits.accepted.insert((about, request.signal_id));
                }
                Step::of(Verb::DeliverSignal, Some(about), &outcome)
            }
            WaitCall::Withdraw(request) => {
                let outcome = backend.withdraw_waitpoint(&request).await;
                Step::of(Verb::WithdrawWaitpoint, Some(request.execution_id), &outcome)
            }
            WaitCall::Resume(request) => {
                let outcome = backend.resume_execution(&request).await;
                Step::of(Verb::ResumeExecution, Some(request.execution_id), &outcome)
            }
            WaitCall::List(mut request) => {
                let mut answer = String::new();
                for _ in 0..limits::LIST_LIMIT_MAX {
                    let page = backend.list_waitpoints(&request).await;
                    answer.push_str(&tell(&page.as_ref().map(|page| &page.items)));
                    match page.ok().and_then(|page| page.next) {
                        Some(next) => request.cursor = Some(next),
                        None => break,
                    }
                }
                Step { answer, ..Step::silent() }
            }
        }
    }

    fn learn(&mut self, waitpoints: &[PendingWaitpoint]) {
        for waitpoint in waitpoints {
            self.waits.waitpoints.retain(|known| known.waitpoint_id != waitpoint.waitpoint_id);
            self.waits.waitpoints.push(waitpoint.clone());
        }
    }

    /// A waitpoint, the latest ones most often.
    fn known(&self, which: u8) -> Option<&PendingWaitpoint> {
        let known = &self.waits.waitpoints;
        known.get(known.len().checked_sub(1 + usize::from(which % 4))?)
    }

    fn suspend_request(&mut self, handle: &Handle, spec: &SuspendOp) -> SuspendRequest {
        let execution = Fence::of(handle, handle.backend).map(|fence| fence.execution);
        let (kind, matcher) = if spec.named {
            (WaitpointKind::SignalName, WANTED)
        } else {
            (WaitpointKind::External, "")
        };
        let chosen = (0..KEYS.len()).filter(|at| spec.keys & (1 << at) != 0);
        let keys: Vec<WaitpointKey> = chosen.map(key).collect();
        let one = |key: &WaitpointKey| {
            let id = self.ids.waitpoint_id();
            let mut known = self.waits.waitpoints.iter().rev();
            let known = known.find(|known| {
                known.key == *key && execution.as_ref().is_ok_and(|id| *id == known.execution_id)
            });
            match known.filter(|_| spec.pending) {
                Some(pending) => WaitpointSpec::pending(pending, kind, matcher),
                None => WaitpointSpec::fresh(id, key.clone(), kind, matcher)
                    .with_expires_in(life(spec.expires)),
            }
        };
        let waitpoints: Vec<WaitpointSpec> = keys.iter().map(one).collect();
        let last = keys.last().cloned().into_iter().collect();
        let condition = match spec.condition {
            0 => SuspendCondition::Any,
            1 => SuspendCondition::All,
            2 => SuspendCondition::AtLeast { n: 2, distinct: Distinct::Waitpoints },
            3 => SuspendCondition::AtLeast { n: 2, distinct: Distinct::Signals },
            4 => SuspendCondition::AtLeast { n: 2, distinct: Distinct::Sources },
            _ => SuspendCondition::AllOf(vec![
                Group::new(keys, 1, Distinct::Waitpoints),
                Group::new(last, 2, Distinct::Signals),
            ]),
        };
        let mut request = SuspendRequest::new(waitpoints, condition);
        request.state = saved(spec.state);
        match spec.timeout {
            Some((ms, behavior)) => {
                let behavior = BEHAVIORS[usize::from(behavior) % BEHAVIORS.len()];
                let after = Duration::from_millis(u64::from(ms));
                request.with_timeout(SuspendTimeout::new(after, behavior))
            }
            None => request,
        }
    }

    fn signal(&self, spec: &SignalOp) -> Option<DeliverSignal> {
        let waitpoint = self.known(spec.waitpoint)?;
        let token = if spec.forged {
            WaitpointToken::new(waitpoint.address(), self.other_hmac(waitpoint))
        } else {
            waitpoint.token()
        };
        let name = if spec.named { WANTED } else { "other" };
        let mut signal = DeliverSignal::new(token, self.ids.signal_id(), name);
        if let Some(key) = spec.key {
            let key = IdempotencyKey::new(format!("key-{key}")).expect("the key is valid");
            signal = signal.with_idempotency_key(key);
        }
        if let Some(principal) = spec.principal {
            signal = signal.with_principal(format!("principal-{principal}"));
        }
        Some(signal)
    }

    /// A signature that is not this waitpoint's: of another one, or made up.
    fn other_hmac(&self, waitpoint: &PendingWaitpoint) -> WaitpointHmac {
        let others: Vec<_> = self
            .waits
            .waitpoints
            .iter()
            .filter(|other| other.waitpoint_id != waitpoint.waitpoint_id)
            .collect();
        let made_up = || {
            let text = format!("{}:{}", waitpoint.hmac_token.kid(), "0".repeat(40));
            WaitpointHmac::new(text).expect("it has the shape of a signature")
        };
        pick(&others, 0).map_or_else(made_up, |other| other.hmac_token.clone())
    }
}

/// A suspend's outcome without the tag of the backend in its handle.
fn told(outcome: &SuspendOutcome) -> String {
    match outcome {
        SuspendOutcome::Suspended { handle, waitpoints } => {
            let fence = Fence::of(handle, handle.backend).map_err(|error| error.code());
            format!("suspended {:?} {fence:?} {waitpoints:?}", handle.kind)
        }
        other => format!("{other:?}"),
    }
}

fn key(at: usize) -> WaitpointKey {
    WaitpointKey::new(KEYS[at % KEYS.len()]).expect("the key is valid")
}

fn life(beyond_least: u16) -> Duration {
    Duration::from_millis(limits::WAITPOINT_EXPIRES_MIN_MS + u64::from(beyond_least))
}
