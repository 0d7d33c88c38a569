//! The end of a running attempt's lease until signals arrive, and what ended the wait.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use ff_types::backend::{Handle, PendingWaitpoint, ResumeSignal, WaitpointSpec};
use ff_types::{
    ExecutionId, ExecutionState, Namespace, RequestId, TimestampMs, WaitpointId, WaitpointKey,
    limits,
};
use serde::{Deserialize, Serialize};

use super::{SavedState, at_most, millis, validate_reason, validate_state};
use crate::error::EngineError;
use crate::token::KeyRing;

/// Gives the lease back until the condition over the waitpoints holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuspendRequest {
    /// What to wait for: 1..=64 waitpoints, none twice.
    pub waitpoints: Vec<WaitpointSpec>,
    /// How many of them, or of their signals, are enough.
    pub condition: SuspendCondition,
    /// How long to wait, and what then. Without one the wait lasts until the deadline, or for ever.
    pub timeout: Option<SuspendTimeout>,
    /// Saves this state in the same step; `None` leaves what was saved before.
    pub state: Option<SavedState>,
}

impl SuspendRequest {
    /// Waits for `condition` without a timeout.
    pub const fn new(waitpoints: Vec<WaitpointSpec>, condition: SuspendCondition) -> Self {
        Self { waitpoints, condition, timeout: None, state: None }
    }

    /// Waits no longer than the timeout says.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: SuspendTimeout) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Saves this state in the same step; at most 64 KiB.
    #[must_use]
    pub fn with_state(mut self, state: impl Into<Bytes>) -> Self {
        self.state = Some(SavedState::new(state));
        self
    }

    /// The condition as groups: every condition is one.
    pub fn groups(&self) -> Vec<Group> {
        let every = |n, distinct| {
            let waitpoints = self.waitpoints.iter().map(|spec| spec.key.clone()).collect();
            vec![Group { waitpoints, n, distinct }]
        };
        let all = u32::try_from(self.waitpoints.len()).unwrap_or(u32::MAX);
        match &self.condition {
            SuspendCondition::Any => every(1, Distinct::Waitpoints),
            SuspendCondition::All => every(all, Distinct::Waitpoints),
            SuspendCondition::AtLeast { n, distinct } => every(*n, *distinct),
            SuspendCondition::AllOf(groups) => groups.clone(),
        }
    }

    /// Verifies the token of every pending waitpoint, as one of `execution`. For backends, before
    /// any I/O.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for one that is not good.
    pub fn verify(
        &self,
        ring: &KeyRing,
        namespace: &Namespace,
        execution: ExecutionId,
    ) -> Result<(), EngineError> {
        let mut tokens = self.waitpoints.iter().filter_map(|spec| spec.token(execution));
        tokens.try_for_each(|token| ring.verify(namespace, &token).map(drop))
    }

    /// Checks the state, the waitpoints, the condition and the timeout.
    pub fn validate(&self) -> Result<(), EngineError> {
        validate_state(self.state.as_ref())?;
        if self.waitpoints.is_empty() {
            return Err(EngineError::validation("waitpoints", "must be at least one"));
        }
        at_most("waitpoints", self.waitpoints.len(), limits::WAITPOINTS_OPEN_MAX)?;
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for spec in &self.waitpoints {
            spec.validate()?;
            if !ids.insert(spec.waitpoint_id) || !keys.insert(&spec.key) {
                return Err(EngineError::validation("waitpoints", "name one twice"));
            }
        }
        if let SuspendCondition::AllOf(groups) = &self.condition {
            if groups.is_empty() {
                return Err(EngineError::validation("condition", "must have at least one group"));
            }
            at_most("condition", groups.len(), limits::SUSPEND_GROUPS_MAX)?;
        }
        self.groups().iter().try_for_each(|group| group.validate(&keys))?;
        match self.timeout.map(|timeout| millis(timeout.after)) {
            Some(ms) if ms > limits::WAITPOINT_EXPIRES_MAX_MS => {
                let max = limits::WAITPOINT_EXPIRES_MAX_MS;
                let problem = format!("must be within 0..={max} ms, is {ms}");
                Err(EngineError::validation("timeout", problem))
            }
            _ => Ok(()),
        }
    }
}

/// When a wait is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuspendCondition {
    /// One waitpoint has a signal.
    Any,
    /// Every waitpoint has a signal.
    All,
    /// There are signals of at least `n` distinct waitpoints, signals or sources.
    AtLeast {
        /// How many; at least 1.
        n: u32,
        /// What is counted.
        distinct: Distinct,
    },
    /// Every one of 1..=16 groups holds. They may share waitpoints.
    AllOf(Vec<Group>),
}

/// What a group counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Distinct {
    /// Waitpoints that have a signal.
    #[default]
    Waitpoints,
    /// Signals, each by its id.
    Signals,
    /// Sources: principals, or waitpoint tokens where the sender has no name. It counts people, not
    /// clicks.
    Sources,
}

impl Distinct {
    /// The stable spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waitpoints => "waitpoints",
            Self::Signals => "signals",
            Self::Sources => "sources",
        }
    }
}

/// At least `n` of something among the signals of some of the waitpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// Which waitpoints of the suspend, by their keys.
    pub waitpoints: Vec<WaitpointKey>,
    /// How many; at least 1, and no more than the waitpoints can give.
    pub n: u32,
    /// What is counted.
    pub distinct: Distinct,
}

impl Group {
    /// At least `n` distinct of the waitpoints with these keys.
    pub const fn new(waitpoints: Vec<WaitpointKey>, n: u32, distinct: Distinct) -> Self {
        Self { waitpoints, n, distinct }
    }

    fn validate(&self, known: &BTreeSet<&WaitpointKey>) -> Result<(), EngineError> {
        let mut members = BTreeSet::new();
        for key in &self.waitpoints {
            if !known.contains(key) {
                let problem = "names a waitpoint that the suspend does not have";
                return Err(EngineError::validation("condition", problem));
            }
            if !members.insert(key) {
                return Err(EngineError::validation("condition", "names a waitpoint twice"));
            }
        }
        let each = match self.distinct {
            Distinct::Waitpoints => 1,
            Distinct::Signals | Distinct::Sources => limits::SIGNALS_PER_WAITPOINT_MAX,
        };
        let most = members.len() * each;
        if self.n >= 1 && self.n as usize <= most {
            return Ok(());
        }
        let problem = format!("must be within 1..={most}, is {}", self.n);
        Err(EngineError::validation("condition.n", problem))
    }
}

/// How long a wait lasts at most, and what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuspendTimeout {
    /// From the suspend on; at most 366 days.
    pub after: Duration,
    /// What becomes of the execution.
    pub behavior: TimeoutBehavior,
}

impl SuspendTimeout {
    /// After this long, this becomes of the execution.
    pub const fn new(after: Duration, behavior: TimeoutBehavior) -> Self {
        Self { after, behavior }
    }
}

/// What becomes of an execution whose wait timed out, or can no longer be satisfied.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeoutBehavior {
    /// It is `Failed`, with class `Timeout`. There is no retry.
    #[default]
    Fail,
    /// It is `Cancelled`.
    Cancel,
    /// It is `Expired`.
    Expire,
    /// The attempt resumes, and is told so.
    Resume,
}

impl TimeoutBehavior {
    /// The stable spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Resume => "resume",
        }
    }
}

/// What became of a suspend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuspendOutcome {
    /// The lease is given back, and the attempt waits.
    Suspended {
        /// Names the suspended attempt. It is of kind `Suspended`, which holds no lease.
        handle: Handle,
        /// Every waitpoint of the request with its token, in the request's order.
        waitpoints: Vec<PendingWaitpoint>,
    },
    /// Signals that were kept satisfy the condition: the lease is kept, and
    /// [`crate::AttemptOps::observe_signals`] gives them on the same handle.
    AlreadySatisfied,
}

/// What ended the latest wait of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResumeView {
    /// Why it goes on; `None` when it never waited.
    pub reason: Option<ResumeReason>,
    /// The keys of the waitpoints of that wait, in the order of the suspend: which wait it was.
    pub waitpoints: Vec<WaitpointKey>,
    /// Exactly the signals that satisfied the condition, in the order of their acceptance. None
    /// unless signals are the reason.
    pub signals: Vec<ResumeSignal>,
}

impl ResumeView {
    /// A view of these parts. For backends.
    pub const fn new(
        reason: Option<ResumeReason>,
        waitpoints: Vec<WaitpointKey>,
        signals: Vec<ResumeSignal>,
    ) -> Self {
        Self { reason, waitpoints, signals }
    }
}

/// Why a suspended attempt went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResumeReason {
    /// Signals satisfied the condition.
    Signals,
    /// The wait timed out.
    TimedOut,
    /// Too many waitpoints closed for the condition ever to hold.
    Unsatisfiable,
    /// An operator resumed it.
    Operator {
        /// The operator's reason.
        reason: String,
    },
}

/// Ends the wait of a suspended execution from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumeExecution {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    /// What it is about.
    pub execution_id: ExecutionId,
    /// Why; at most 1 KiB. The resumed attempt is told.
    pub reason: String,
}

impl ResumeExecution {
    /// A request about `execution_id`.
    pub fn new(
        request_id: RequestId,
        execution_id: ExecutionId,
        reason: impl Into<String>,
    ) -> Self {
        Self { request_id, execution_id, reason: reason.into() }
    }

    /// Checks the reason.
    pub fn validate(&self) -> Result<(), EngineError> {
        validate_reason(&self.reason)
    }
}

/// What became of a resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResumeOutcome {
    /// The wait is over.
    Resumed,
    /// It was in this state, which is none of waiting for signals.
    NotSuspended(ExecutionState),
}

/// What a suspended execution waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SuspensionView {
    /// Since when, by the store's clock.
    pub since: TimestampMs,
    /// The waitpoints, in the order of the suspend.
    pub waitpoints: Vec<WaitpointId>,
    /// The groups that all have to hold.
    pub groups: Vec<GroupView>,
    /// When the wait times out.
    pub timeout_at: Option<TimestampMs>,
    /// What happens then, or when the condition can no longer hold.
    pub behavior: TimeoutBehavior,
}

impl SuspensionView {
    /// A view of these parts. For backends.
    pub const fn new(
        since: TimestampMs,
        waitpoints: Vec<WaitpointId>,
        groups: Vec<GroupView>,
        timeout_at: Option<TimestampMs>,
        behavior: TimeoutBehavior,
    ) -> Self {
        Self { since, waitpoints, groups, timeout_at, behavior }
    }
}

/// A group of a condition as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupView {
    /// Its waitpoints.
    pub waitpoints: Vec<WaitpointId>,
    /// How many are needed.
    pub n: u32,
    /// What is counted.
    pub distinct: Distinct,
}

impl GroupView {
    /// A group of these parts. For backends.
    pub const fn new(waitpoints: Vec<WaitpointId>, n: u32, distinct: Distinct) -> Self {
        Self { waitpoints, n, distinct }
    }
}
