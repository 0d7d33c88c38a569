//! Jobs: what a client submits.
//!
//! Setters never fail; what they were given is checked when the job is submitted, and the first
//! problem is what the submit answers.

use std::sync::OnceLock;
use std::time::Duration;

use ff_engine::{EngineError, IdSource, Idempotency, Submission};
use ff_types::backend::{CapabilitySet, UsageDimensions};
use ff_types::{
    BudgetId, ExecutionId, ExecutionPolicy, IdempotencyKey, LaneId, LaneKey, Payload, RetryPolicy,
    Tags, TaskKind, TimestampMs, ValueError,
};
use serde::Serialize;

use crate::json;

/// The lane of jobs that name none.
pub const DEFAULT_LANE: &str = "default";

/// A unit of work to submit.
///
/// The first submit gives it its id and fixes its times. Submitting the same `Job` again is the
/// same submission, repeated: it has no second effect. A clone, and a job changed by a setter, is
/// another submission.
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::Job;
///
/// let job = Job::new("resize", &("cat.png", 640))
///     .lane("images")
///     .priority(10)
///     .tag("tenant", "acme")
///     .delay(Duration::from_secs(60));
/// # let _ = job;
/// ```
#[derive(Debug)]
pub struct Job {
    parts: Result<Parts, EngineError>,
    minted: OnceLock<Submission>,
}

#[derive(Debug, Clone)]
struct Parts {
    lane: LaneId,
    kind: TaskKind,
    payload: Payload,
    lane_key: Option<LaneKey>,
    priority: i8,
    capabilities: CapabilitySet,
    tags: Tags,
    policy: ExecutionPolicy,
    start: Option<At>,
    deadline: Option<At>,
    idempotency: Option<Idempotency>,
    budgets: Vec<BudgetId>,
    shared_budgets: Vec<BudgetId>,
    estimate: UsageDimensions,
}

/// A time, or a distance to it from the moment of the first submit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Time(TimestampMs),
    FromNow(Duration),
}

impl At {
    pub(crate) fn resolve(self, now: TimestampMs) -> TimestampMs {
        match self {
            Self::Time(at) => at,
            Self::FromNow(duration) => now.saturating_add(duration),
        }
    }
}

impl Job {
    /// A job whose handler is `kind` and whose payload is `value` as JSON.
    pub fn new<T: Serialize + ?Sized>(kind: impl Into<String>, value: &T) -> Self {
        match json::encode("payload", value) {
            Ok(payload) => Self::raw(kind, payload.unwrap_or_else(|| Payload::json("null"))),
            Err(error) => Self::of(Err(error)),
        }
    }

    /// A job with a payload of any bytes.
    ///
    /// ```
    /// use ff_sdk::Job;
    /// use ff_sdk::Payload;
    ///
    /// let job = Job::raw("transcode", Payload::new(vec![0xff, 0xd8]));
    /// # let _ = job;
    /// ```
    pub fn raw(kind: impl Into<String>, payload: Payload) -> Self {
        Self::of(Parts::new(kind.into(), payload).map_err(EngineError::from))
    }

    /// Queues it in this lane instead of [`DEFAULT_LANE`].
    #[must_use]
    pub fn lane(self, lane: impl Into<String>) -> Self {
        self.set(|parts| {
            parts.lane = LaneId::new(lane)?;
            Ok(())
        })
    }

    /// For whom it is, among the jobs of its lane: a tenant, a customer, a model. Keys take turns, and a lane can
    /// limit each of them.
    #[must_use]
    pub fn lane_key(self, key: impl Into<String>) -> Self {
        self.set(|parts| {
            parts.lane_key = Some(LaneKey::new(key)?);
            Ok(())
        })
    }

    /// -100..=100; higher is claimed first.
    #[must_use]
    pub fn priority(self, priority: i8) -> Self {
        self.set(|parts| {
            parts.priority = priority;
            Ok(())
        })
    }

    /// Only a worker that offers all of these is given the job.
    #[must_use]
    pub fn capabilities<I>(self, capabilities: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.set(|parts| {
            parts.capabilities = CapabilitySet::from_tokens(capabilities)?;
            Ok(())
        })
    }

    /// Adds a label for listings and scanner filters.
    #[must_use]
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(|parts| {
            parts.tags = std::mem::take(&mut parts.tags).with(key, value)?;
            Ok(())
        })
    }

    /// Not before this long after its first submit, by the client's clock.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.set(|parts| {
            parts.start = Some(At::FromNow(delay));
            Ok(())
        })
    }

    /// Not before `at`.
    #[must_use]
    pub fn delay_until(self, at: TimestampMs) -> Self {
        self.set(|parts| {
            parts.start = Some(At::Time(at));
            Ok(())
        })
    }

    /// Expires unless it has ended this long after its first submit, by the client's clock.
    #[must_use]
    pub fn deadline(self, within: Duration) -> Self {
        self.set(|parts| {
            parts.deadline = Some(At::FromNow(within));
            Ok(())
        })
    }

    /// Expires unless it has ended by `at`.
    #[must_use]
    pub fn deadline_at(self, at: TimestampMs) -> Self {
        self.set(|parts| {
            parts.deadline = Some(At::Time(at));
            Ok(())
        })
    }

    /// How often, and after what waits, a failed attempt is retried.
    #[must_use]
    pub fn retry(self, retry: RetryPolicy) -> Self {
        self.set(|parts| {
            parts.policy.retry = retry;
            Ok(())
        })
    }

    /// Replaces retries, timeouts and retention.
    #[must_use]
    pub fn policy(self, policy: ExecutionPolicy) -> Self {
        self.set(|parts| {
            parts.policy = policy;
            Ok(())
        })
    }

    /// Makes jobs of the same kind and key one execution, for 24 h: the second submit is answered
    /// with the first execution, whatever else the second job says.
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.set(|parts| {
            parts.idempotency = Some(Idempotency::new(IdempotencyKey::new(key)?));
            Ok(())
        })
    }

    /// Like [`Job::idempotency_key`], with another window or another rule for an execution that
    /// has ended.
    #[must_use]
    pub fn idempotency(self, idempotency: Idempotency) -> Self {
        self.set(|parts| {
            parts.idempotency = Some(idempotency);
            Ok(())
        })
    }

    /// Draws on a budget, beside others: at most 4. The job lies where the first of these budgets does, and an
    /// idempotency key counts among the jobs that name the same budget first.
    ///
    /// ```
    /// use ff_sdk::{BudgetId, Job, UsageDimensions};
    ///
    /// fn summarize(tenant: BudgetId, text: &str) -> Job {
    ///     let estimate = UsageDimensions::new().with_input_tokens(2_000).with_output_tokens(500);
    ///     Job::new("summarize", text).budget(tenant).estimate(estimate)
    /// }
    /// # let _ = summarize;
    /// ```
    #[must_use]
    pub fn budget(self, budget: BudgetId) -> Self {
        self.set(|parts| {
            parts.budgets.push(budget);
            Ok(())
        })
    }

    /// Draws on a budget as well, behind those of [`Job::budget`], and does not lie where it does: for one that
    /// jobs all over a cluster draw on. What is atomic is less then: see the guide to budgets.
    #[must_use]
    pub fn shared_budget(self, budget: BudgetId) -> Self {
        self.set(|parts| {
            parts.shared_budgets.push(budget);
            Ok(())
        })
    }

    /// What an attempt is expected to use: reserved on the budgets when it starts, which it does when there
    /// is room for it.
    #[must_use]
    pub fn estimate(self, estimate: UsageDimensions) -> Self {
        self.set(|parts| {
            parts.estimate = estimate;
            Ok(())
        })
    }

    /// The submission of this job, made on the first call.
    pub(crate) fn submission(&self, ids: &IdSource) -> Result<&Submission, EngineError> {
        match &self.parts {
            Ok(parts) => {
                let mint = || parts.mint(ids.execution_id(), ids.clock().now());
                Ok(self.minted.get_or_init(mint))
            }
            Err(error) => Err(again(error)),
        }
    }

    /// The submission of this job as the execution `id`, first submitted at `now`.
    pub(crate) fn submission_as(
        &self,
        id: ExecutionId,
        now: TimestampMs,
    ) -> Result<Submission, EngineError> {
        match &self.parts {
            Ok(parts) => Ok(parts.mint(id, now)),
            Err(error) => Err(again(error)),
        }
    }

    fn of(parts: Result<Parts, EngineError>) -> Self {
        Self { parts, minted: OnceLock::new() }
    }

    fn set(mut self, change: impl FnOnce(&mut Parts) -> Result<(), ValueError>) -> Self {
        self.minted = OnceLock::new();
        if let Ok(parts) = &mut self.parts
            && let Err(error) = change(parts)
        {
            self.parts = Err(error.into());
        }
        self
    }
}

impl Clone for Job {
    /// Another job with the same content: it gets an id of its own.
    fn clone(&self) -> Self {
        Self::of(match &self.parts {
            Ok(parts) => Ok(parts.clone()),
            Err(error) => Err(again(error)),
        })
    }
}

impl Parts {
    fn new(kind: String, payload: Payload) -> Result<Self, ValueError> {
        Ok(Self {
            lane: LaneId::new(DEFAULT_LANE)?,
            kind: TaskKind::new(kind)?,
            payload,
            lane_key: None,
            priority: 0,
            capabilities: CapabilitySet::new(),
            tags: Tags::new(),
            policy: ExecutionPolicy::default(),
            start: None,
            deadline: None,
            idempotency: None,
            budgets: Vec::new(),
            shared_budgets: Vec::new(),
            estimate: UsageDimensions::new(),
        })
    }

    fn mint(&self, id: ExecutionId, now: TimestampMs) -> Submission {
        let lane = self.lane.clone();
        let mut submission = Submission::new(id, lane, self.kind.clone(), self.payload.clone())
            .with_priority(self.priority)
            .with_capabilities(self.capabilities.clone())
            .with_tags(self.tags.clone())
            .with_policy(self.policy);
        submission.delay_until = self.start.map(|at| at.resolve(now));
        submission.deadline = self.deadline.map(|at| at.resolve(now));
        for budget in &self.budgets {
            submission = submission.with_budget(*budget);
        }
        for budget in &self.shared_budgets {
            submission = submission.with_shared_budget(*budget);
        }
        submission.estimate = self.estimate.clone();
        submission.lane_key.clone_from(&self.lane_key);
        match &self.idempotency {
            Some(idempotency) => submission.with_idempotency(idempotency.clone()),
            None => submission,
        }
    }
}

/// The same refusal once more. A job is refused only for its values.
pub(crate) fn again(error: &EngineError) -> EngineError {
    match error {
        EngineError::LimitExceeded { field, limit, actual } => {
            EngineError::LimitExceeded { field: field.clone(), limit: *limit, actual: *actual }
        }
        EngineError::Validation { field, problem } => {
            EngineError::validation(field.clone(), problem.clone())
        }
        other => EngineError::validation("job", other.to_string()),
    }
}
