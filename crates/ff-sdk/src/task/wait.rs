//! What a suspended attempt waits for.
//!
//! Constructors never fail; what they were given is checked when the attempt suspends.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{
    Distinct, EngineError, Group, IdSource, SavedState, SuspendCondition, SuspendRequest,
    SuspendTimeout, TimeoutBehavior,
};
use ff_types::backend::{PendingWaitpoint, WaitpointKind, WaitpointSpec};
use ff_types::{ValueError, WaitpointKey, limits};
use serde::Serialize;

use super::saved::{StateToSave, as_json};

/// One waitpoint of a wait, and which of its signals count: all of them unless set otherwise.
///
/// A [`PendingWaitpoint`] or the key of one, made here if none is open, becomes one by itself.
/// `Debug` shows the length of what signals are compared with.
#[derive(Clone, PartialEq, Eq)]
pub struct WaitOn {
    target: Result<Target, ValueError>,
    kind: WaitpointKind,
    matcher: Bytes,
    expires_in: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Pending(PendingWaitpoint),
    Fresh(WaitpointKey),
}

impl WaitOn {
    /// The open waitpoint of this key, or else a new one, whose token the suspend answers with.
    pub fn key(key: impl Into<String>) -> Self {
        Self::of(WaitpointKey::new(key).map(Target::Fresh))
    }

    /// Counts only signals of this name; at most 128 bytes.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.matching(WaitpointKind::SignalName, name.into())
    }

    /// Counts only signals with this correlation id; at most 256 bytes.
    #[must_use]
    pub fn correlated(self, correlation_id: impl Into<String>) -> Self {
        self.matching(WaitpointKind::CorrelationId, correlation_id.into())
    }

    /// How long a new one stays open: 1 s ..= 366 days, 7 days unless set.
    #[must_use]
    pub const fn expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    fn of(target: Result<Target, ValueError>) -> Self {
        let expires_in = Duration::from_millis(limits::WAITPOINT_EXPIRES_DEFAULT_MS);
        Self { target, kind: WaitpointKind::External, matcher: Bytes::new(), expires_in }
    }

    fn matching(mut self, kind: WaitpointKind, matcher: String) -> Self {
        self.kind = kind;
        self.matcher = matcher.into();
        self
    }

    fn spec(&self, ids: &IdSource) -> Result<WaitpointSpec, EngineError> {
        let (kind, matcher) = (self.kind, self.matcher.clone());
        Ok(match self.target.clone()? {
            Target::Pending(pending) => WaitpointSpec::pending(&pending, kind, matcher),
            Target::Fresh(key) => WaitpointSpec::fresh(ids.waitpoint_id(), key, kind, matcher)
                .with_expires_in(self.expires_in),
        })
    }
}

impl fmt::Debug for WaitOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitOn")
            .field("target", &self.target)
            .field("kind", &self.kind)
            .field("matcher_len", &self.matcher.len())
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

impl From<&PendingWaitpoint> for WaitOn {
    fn from(pending: &PendingWaitpoint) -> Self {
        Self::of(Ok(Target::Pending(pending.clone())))
    }
}

impl From<PendingWaitpoint> for WaitOn {
    fn from(pending: PendingWaitpoint) -> Self {
        Self::of(Ok(Target::Pending(pending)))
    }
}

impl From<&str> for WaitOn {
    fn from(key: &str) -> Self {
        Self::key(key)
    }
}

/// What an attempt waits for, and how long.
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::{Distinct, TimeoutBehavior, Wait, WaitOn};
///
/// // A payment or its refusal, for an hour.
/// let hour = Duration::from_secs(3_600);
/// let _ = Wait::any(["paid", "refused"]).timeout(hour, TimeoutBehavior::Resume);
/// // Two different sources at one waitpoint, whatever they say.
/// let _ = Wait::at_least(2, Distinct::Sources, ["votes"]);
/// // Only a signal that is named `ready`.
/// let _ = Wait::on(WaitOn::key("upstream").named("ready"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a wait does nothing until the attempt suspends for it"]
pub struct Wait {
    waitpoints: Vec<WaitOn>,
    condition: SuspendCondition,
    timeout: Option<SuspendTimeout>,
    state: Option<StateToSave>,
}

impl Wait {
    /// Until this one waitpoint has a signal.
    pub fn on(waitpoint: impl Into<WaitOn>) -> Self {
        Self::any([waitpoint])
    }

    /// Until one of the waitpoints has a signal.
    pub fn any<I>(waitpoints: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<WaitOn>,
    {
        Self::of(waitpoints, SuspendCondition::Any)
    }

    /// Until every one of the waitpoints has a signal.
    pub fn all<I>(waitpoints: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<WaitOn>,
    {
        Self::of(waitpoints, SuspendCondition::All)
    }

    /// Until there are signals of `n` distinct waitpoints, signals or sources.
    pub fn at_least<I>(n: u32, distinct: Distinct, waitpoints: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<WaitOn>,
    {
        Self::of(waitpoints, SuspendCondition::AtLeast { n, distinct })
    }

    /// Until every one of 1..=16 groups of the waitpoints holds. They may share waitpoints, and
    /// name them by their keys.
    pub fn all_of<I>(waitpoints: I, groups: impl Into<Vec<Group>>) -> Self
    where
        I: IntoIterator,
        I::Item: Into<WaitOn>,
    {
        Self::of(waitpoints, SuspendCondition::AllOf(groups.into()))
    }

    /// Waits no longer than `after`, and what becomes of the execution then; the same becomes of it
    /// as soon as too many waitpoints are closed or expired for the wait ever to succeed. Without a
    /// timeout the wait lasts until then, and the execution fails.
    pub const fn timeout(mut self, after: Duration, behavior: TimeoutBehavior) -> Self {
        self.timeout = Some(SuspendTimeout::new(after, behavior));
        self
    }

    /// Saves bytes for the next run of the handler in the step that suspends; at most 64 KiB.
    /// [`ClaimedTask::saved_state`](crate::ClaimedTask::saved_state) gives them.
    pub fn with_state(self, state: impl Into<Bytes>) -> Self {
        self.saving(Ok(SavedState::new(state)))
    }

    /// Saves a value as JSON, as [`Wait::with_state`] does.
    pub fn with_state_json<T: Serialize + ?Sized>(self, state: &T) -> Self {
        self.saving(as_json(state))
    }

    pub(crate) fn saving(mut self, state: StateToSave) -> Self {
        self.state = Some(state);
        self
    }

    fn of<I>(waitpoints: I, condition: SuspendCondition) -> Self
    where
        I: IntoIterator,
        I::Item: Into<WaitOn>,
    {
        let waitpoints = waitpoints.into_iter().map(Into::into).collect();
        Self { waitpoints, condition, timeout: None, state: None }
    }

    /// The request that suspends for it, with ids for its new waitpoints.
    pub(super) fn request(&self, ids: &IdSource) -> Result<SuspendRequest, EngineError> {
        let specs = self.waitpoints.iter().map(|waitpoint| waitpoint.spec(ids));
        let specs = specs.collect::<Result<_, _>>()?;
        let mut request = SuspendRequest::new(specs, self.condition.clone());
        let state = self.state.clone().transpose();
        request.state = state.map_err(|problem| EngineError::validation("state", problem))?;
        Ok(match self.timeout {
            Some(timeout) => request.with_timeout(timeout),
            None => request,
        })
    }
}
