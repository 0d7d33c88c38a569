//! What an execution knows of its waitpoints, their signals and its suspension. An execution that
//! never waits has none of it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ff_types::backend::{PendingWaitpoint, ResumeSignal, WaitpointAddress, WaitpointKind};
use ff_types::{
    ExecutionId, IdempotencyKey, LeaseEpoch, Namespace, SignalId, TimestampMs, WaitpointId,
    WaitpointKey,
};

use super::record::{ExecutionRecord, RunState};
use crate::error::EngineError;
use crate::requests::{
    DeliverSignal, Distinct, GroupView, ResumeView, SignalOutcome, SuspensionView, TimeoutBehavior,
    WaitpointState, WaitpointView,
};
use crate::token::KeyRing;

/// The waitpoints of an execution and what it waits for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Waits {
    /// The waitpoints, in the order of their making: at most 64, of which the oldest closed one
    /// makes room for a new one.
    pub waitpoints: Vec<Waitpoint>,
    /// What it waits for; set exactly in `Suspended`.
    pub suspension: Option<Suspension>,
    /// What ended the latest wait, until the next suspend, the end or a replay.
    pub resumed: Option<Arc<ResumeView>>,
    /// The latest suspend that found its condition satisfied, for a repeat of it.
    pub satisfied: Option<SatisfiedSuspend>,
    /// How many signals were kept so far: the place of the next in the order of acceptance.
    pub accepted: u64,
}

/// The waits of an execution that never waited.
static NO_WAITS: Waits =
    Waits { waitpoints: Vec::new(), suspension: None, resumed: None, satisfied: None, accepted: 0 };

/// One waitpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Waitpoint {
    /// Its id, unique within the execution.
    pub id: WaitpointId,
    /// Its name, unique among the open ones of the execution.
    pub key: WaitpointKey,
    /// The id of the key that signs its token.
    pub kid: Arc<str>,
    /// Where it is in its life. An expired one keeps its state until a verb that writes sees it.
    pub state: WaitpointState,
    /// When it was made.
    pub created_at: TimestampMs,
    /// When it closes by itself.
    pub expires_at: TimestampMs,
    /// What a signal must bring; `None` while pending.
    pub matcher: Option<Matcher>,
    /// The lease whose suspend activated it, and its place in that request, for a repeat.
    pub suspended_by: Option<(LeaseEpoch, u8)>,
    /// The lease whose holder closed it, for a repeat.
    pub closed_by: Option<LeaseEpoch>,
    /// The signals it keeps, at most 64: those that count, or may count once it is active. None
    /// once it is closed, unless the suspension still waits for others.
    pub kept: Vec<KeptSignal>,
    /// Every signal it ever kept, in the order of their acceptance, by which repeats and duplicates
    /// are told: at most 128, as what a suspend drops from `kept` makes room there once.
    pub seen: Vec<SeenSignal>,
}

/// What a signal must bring.
#[derive(Clone, PartialEq, Eq)]
pub struct Matcher {
    /// What is compared.
    pub kind: WaitpointKind,
    /// With what.
    pub bytes: Bytes,
}

/// A signal that counts or may count.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptSignal {
    /// Its place in the order of acceptance, over all waitpoints of the execution.
    pub order: u64,
    /// The signal.
    pub signal: Arc<ResumeSignal>,
}

/// A signal that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSignal {
    /// Its id.
    pub signal_id: SignalId,
    /// Its idempotency key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What its sender was answered: `Resumed`, `Recorded` or `Buffered`.
    pub outcome: SignalOutcome,
}

/// What a suspended execution waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub since: TimestampMs,
    /// Its waitpoints, in the order of the request.
    pub waitpoints: Vec<WaitpointId>,
    /// The groups that all have to hold.
    pub groups: Vec<WaitGroup>,
    /// When the wait times out.
    pub timeout_at: Option<TimestampMs>,
    /// What then, or when it can no longer be satisfied.
    pub behavior: TimeoutBehavior,
}

/// One group of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitGroup {
    /// Its waitpoints, as places in [`Suspension::waitpoints`].
    pub members: Vec<u8>,
    /// How many are needed.
    pub n: u32,
    /// What is counted.
    pub distinct: Distinct,
}

/// A suspend whose condition held at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SatisfiedSuspend {
    /// The lease of its holder.
    pub epoch: LeaseEpoch,
    /// Digest of its arguments.
    pub digest: u64,
}

/// What the token of a waitpoint is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenParts {
    /// What is signed.
    pub address: WaitpointAddress,
    /// The id of the key that signs it.
    pub kid: Arc<str>,
}

impl TokenParts {
    /// The waitpoint with its token. For backends.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the ring has lost the key.
    pub fn signed(
        self,
        ring: &KeyRing,
        namespace: &Namespace,
    ) -> Result<PendingWaitpoint, EngineError> {
        let hmac = ring
            .sign_as(&self.kid, namespace, &self.address)
            .ok_or_else(EngineError::waitpoint_not_found)?;
        Ok(PendingWaitpoint::new(self.address, hmac))
    }
}

impl RunState {
    /// Its waitpoints and what it waits for.
    pub fn waits(&self) -> &Waits {
        self.waits.as_deref().unwrap_or(&NO_WAITS)
    }

    /// The same, to be changed.
    pub(crate) fn waits_mut(&mut self) -> &mut Waits {
        Arc::make_mut(self.waits.get_or_insert_default())
    }
}

impl Waits {
    /// The waitpoint with this id, open or closed.
    pub fn waitpoint(&self, id: WaitpointId) -> Option<&Waitpoint> {
        self.waitpoints.iter().find(|waitpoint| waitpoint.id == id)
    }

    pub(super) fn waitpoint_mut(&mut self, id: WaitpointId) -> Option<&mut Waitpoint> {
        self.waitpoints.iter_mut().find(|waitpoint| waitpoint.id == id)
    }

    /// The waitpoint with this key that is open at `now`.
    pub(super) fn open(&mut self, key: &WaitpointKey, now: TimestampMs) -> Option<&mut Waitpoint> {
        self.waitpoints.iter_mut().find(|waitpoint| waitpoint.key == *key && waitpoint.is_open(now))
    }

    /// The earliest expiry of an active waitpoint.
    pub(super) fn active_expiry(&self) -> Option<TimestampMs> {
        let active = self.waitpoints.iter().filter(|w| w.state == WaitpointState::Active);
        active.map(|waitpoint| waitpoint.expires_at).min()
    }

    /// Closes the waitpoints of this state that have expired at `now`.
    pub(super) fn close_expired(&mut self, state: WaitpointState, now: TimestampMs) {
        for waitpoint in &mut self.waitpoints {
            if waitpoint.state == state && waitpoint.expires_at <= now {
                waitpoint.close();
            }
        }
    }

    /// The keys of the waitpoints of the suspension, in the order of the request.
    pub(super) fn suspended_keys(&self) -> Vec<WaitpointKey> {
        let ids = self.suspension.iter().flat_map(|suspension| &suspension.waitpoints);
        ids.filter_map(|id| self.waitpoint(*id)).map(|waitpoint| waitpoint.key.clone()).collect()
    }

    /// Ends the suspension: its waitpoints are closed and keep nothing.
    pub(super) fn end_suspension(&mut self) {
        let Some(suspension) = self.suspension.take() else { return };
        for id in suspension.waitpoints {
            if let Some(waitpoint) = self.waitpoint_mut(id) {
                waitpoint.close();
                waitpoint.kept.clear();
            }
        }
    }

    /// Lets a later suspend under the same lease be told from this one, which kept the lease.
    pub(super) fn forget_suspend(&mut self, epoch: LeaseEpoch) {
        for waitpoint in &mut self.waitpoints {
            waitpoint.suspended_by = waitpoint.suspended_by.filter(|(by, _)| *by != epoch);
        }
    }

    /// Closes everything, as the end of the execution does.
    pub(super) fn end(&mut self) {
        self.suspension = None;
        self.resumed = None;
        self.satisfied = None;
        for waitpoint in &mut self.waitpoints {
            waitpoint.close();
            waitpoint.kept.clear();
        }
    }
}

impl Waitpoint {
    /// Whether it takes signals at `now`.
    pub fn is_open(&self, now: TimestampMs) -> bool {
        self.state != WaitpointState::Closed && self.expires_at > now
    }

    /// Closes it. What an active one keeps still counts for the suspension; what a pending one
    /// keeps is lost.
    pub(super) fn close(&mut self) {
        if self.state == WaitpointState::Pending {
            self.kept.clear();
        }
        self.state = WaitpointState::Closed;
    }

    /// When none of the keys of these ids verifies its token, the first signs it from now on: the
    /// old token is of no use to anybody. Answers whether that is so.
    pub(super) fn sign_anew_if_void(&mut self, kids: &[Arc<str>]) -> bool {
        let is_void = !kids.contains(&self.kid);
        if let (true, Some(newest)) = (is_void, kids.first()) {
            self.kid = Arc::clone(newest);
        }
        is_void
    }

    /// What its token is made of.
    pub(super) fn parts(&self, execution: ExecutionId) -> TokenParts {
        let address = WaitpointAddress::new(execution, self.id, self.key.clone(), self.expires_at);
        TokenParts { address, kid: Arc::clone(&self.kid) }
    }

    /// As a listing shows it.
    pub fn view(&self, record: &ExecutionRecord) -> WaitpointView {
        WaitpointView::new(
            record.submission.id(),
            self.id,
            self.key.clone(),
            self.state,
            self.matcher.as_ref().map(|matcher| matcher.kind),
            self.created_at,
            self.expires_at,
            u32::try_from(self.kept.len()).unwrap_or(u32::MAX),
        )
    }
}

impl Matcher {
    /// Whether a signal of this name and correlation id is what it waits for.
    pub fn accepts(&self, name: &str, correlation_id: Option<&str>) -> bool {
        match self.kind {
            WaitpointKind::SignalName => self.bytes == name.as_bytes(),
            WaitpointKind::CorrelationId => {
                correlation_id.is_some_and(|id| self.bytes == id.as_bytes())
            }
            _ => true,
        }
    }

    /// Whether the signal is what it waits for.
    pub(super) fn accepts_request(&self, request: &DeliverSignal) -> bool {
        self.accepts(&request.name, request.correlation_id.as_deref())
    }

    /// Whether a signal that was kept is what it waits for.
    pub(super) fn accepts_kept(&self, kept: &KeptSignal) -> bool {
        self.accepts(&kept.signal.signal_name, kept.signal.correlation_id.as_deref())
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.kind, self.bytes.len())
    }
}

impl Suspension {
    /// As `describe_execution` shows it.
    pub fn view(&self) -> SuspensionView {
        let named = |group: &WaitGroup| {
            let ids = group.members.iter().filter_map(|at| self.waitpoints.get(usize::from(*at)));
            GroupView::new(ids.copied().collect(), group.n, group.distinct)
        };
        SuspensionView::new(
            self.since,
            self.waitpoints.clone(),
            self.groups.iter().map(named).collect(),
            self.timeout_at,
            self.behavior,
        )
    }
}
