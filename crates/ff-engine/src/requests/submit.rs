//! What a client hands in.

use std::time::Duration;

use ff_types::backend::{CapabilitySet, UsageDimensions};
use ff_types::{
    BudgetId, ExecutionId, ExecutionPolicy, IdempotencyKey, LaneId, LaneKey, Payload, Tags,
    TaskKind, TimestampMs, limits,
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{Occurrence, at_most, millis, valid_time, valid_usage};
use crate::error::EngineError;

/// A unit of work to be made durable.
///
/// The id is part of the request, so that a submission whose answer was lost can be repeated
/// without a second effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Submission {
    id: ExecutionId,
    /// The queue it waits in.
    pub lane: LaneId,
    kind: TaskKind,
    /// What the handler gets; at most 1 MiB.
    pub payload: Payload,
    /// -100..=100; higher is claimed first.
    pub priority: i8,
    /// For whom it is, among those of its lane: keys take turns, and can have limits of their own.
    #[serde(default)]
    pub lane_key: Option<LaneKey>,
    /// What a worker must offer to be given this.
    pub capabilities: CapabilitySet,
    /// Labels for listing and for scanner filters.
    pub tags: Tags,
    /// Retries, timeouts, retention.
    pub policy: ExecutionPolicy,
    /// Not ready before this time; a time that has passed means now.
    pub delay_until: Option<TimestampMs>,
    /// Expired unless it has ended by this time.
    pub deadline: Option<TimestampMs>,
    idempotency: Option<Idempotency>,
    #[serde(default)]
    budgets: Vec<BudgetId>,
    /// The budget whose placement it took.
    #[serde(default)]
    placed_by: Option<BudgetId>,
    /// What an attempt is expected to use: reserved on the budgets when one starts.
    #[serde(default)]
    pub estimate: UsageDimensions,
    #[serde(default)]
    occurrence: Option<Occurrence>,
}

/// Makes submits that mean the same work create it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Idempotency {
    /// Unique in (namespace, kind).
    pub key: IdempotencyKey,
    /// How long after the first submit the key is remembered; at least 1 ms, at most 366 days.
    pub window: Duration,
    /// What a second submit gets once the first execution has ended.
    pub on_terminal: OnTerminal,
}

/// What an idempotency key does once its execution has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnTerminal {
    /// Answers with the execution that ended.
    #[default]
    Existing,
    /// Starts a new execution, which takes the key over.
    Reuse,
    /// Refuses the submission.
    Reject,
}

impl Idempotency {
    /// A key with the default window of 24 h that answers with the first execution even after its
    /// end.
    pub fn new(key: IdempotencyKey) -> Self {
        Self {
            key,
            window: Duration::from_millis(limits::IDEMPOTENCY_WINDOW_DEFAULT_MS),
            on_terminal: OnTerminal::default(),
        }
    }

    /// Remembers the key for `window`.
    #[must_use]
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Decides what happens once the first execution has ended.
    #[must_use]
    pub fn with_on_terminal(mut self, on_terminal: OnTerminal) -> Self {
        self.on_terminal = on_terminal;
        self
    }
}

impl Submission {
    /// A submission with default policy: priority 0, ready at once, no capabilities required.
    pub fn new(id: ExecutionId, lane: LaneId, kind: TaskKind, payload: Payload) -> Self {
        Self {
            id,
            lane,
            kind,
            payload,
            priority: 0,
            lane_key: None,
            capabilities: CapabilitySet::new(),
            tags: Tags::new(),
            policy: ExecutionPolicy::default(),
            delay_until: None,
            deadline: None,
            idempotency: None,
            budgets: Vec::new(),
            placed_by: None,
            estimate: UsageDimensions::default(),
            occurrence: None,
        }
    }

    /// The id the execution gets. Setting an idempotency key or a budget changes its placement bits.
    pub const fn id(&self) -> ExecutionId {
        self.id
    }

    /// The task name that selects the handler.
    pub const fn kind(&self) -> &TaskKind {
        &self.kind
    }

    /// The idempotency key and its rules, if set.
    pub const fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    /// Higher is claimed first.
    #[must_use]
    pub const fn with_priority(mut self, priority: i8) -> Self {
        self.priority = priority;
        self
    }

    /// Takes turns in its lane with the other keys.
    #[must_use]
    pub fn with_lane_key(mut self, key: LaneKey) -> Self {
        self.lane_key = Some(key);
        self
    }

    /// Only a worker that offers all of these is given the execution.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: CapabilitySet) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Labels the execution.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// Replaces retries, timeouts and retention.
    #[must_use]
    pub const fn with_policy(mut self, policy: ExecutionPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Not ready before `at`.
    #[must_use]
    pub const fn with_delay_until(mut self, at: TimestampMs) -> Self {
        self.delay_until = Some(at);
        self
    }

    /// Expired unless it has ended by `at`.
    #[must_use]
    pub const fn with_deadline(mut self, at: TimestampMs) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Makes submits under the same key and kind create one execution.
    ///
    /// The id takes its placement bits from key and kind, so that a store can keep the key beside
    /// the execution it names.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        if self.placed_by.is_none() {
            let mut hash = Xxh3::new();
            feed(&mut hash, self.kind.as_str().as_bytes());
            feed(&mut hash, idempotency.key.as_str().as_bytes());
            self.id = self.id.with_shard((hash.digest() >> 48) as u16);
        }
        self.idempotency = Some(idempotency);
        self
    }

    /// Draws on a budget, beside those that were named before: at most 4.
    ///
    /// The id takes its placement bits from the first that is named so, and a store can take lease and budget in
    /// one step. An idempotency key counts among the submissions that name the same budget first.
    #[must_use]
    pub fn with_budget(mut self, budget: BudgetId) -> Self {
        if self.placed_by.is_none() {
            self.placed_by = Some(budget);
            self.id = self.id.with_shard(budget.shard());
        }
        self.with_shared_budget(budget)
    }

    /// Draws on a budget as well, and stays where it is placed without it. A divided store reserves in two
    /// phases then, when the two lie apart.
    #[must_use]
    pub fn with_shared_budget(mut self, budget: BudgetId) -> Self {
        self.budgets.push(budget);
        self
    }

    /// Reserves this much on the budgets for each attempt.
    #[must_use]
    pub fn with_estimate(mut self, estimate: UsageDimensions) -> Self {
        self.estimate = estimate;
        self
    }

    /// The budgets it draws on.
    pub fn budgets(&self) -> &[BudgetId] {
        &self.budgets
    }

    /// The budget whose placement it took, if any.
    pub const fn placed_by(&self) -> Option<BudgetId> {
        self.placed_by
    }

    /// In which the idempotency key is unique, beside the namespace: kind, key, and the budget that places it.
    pub fn key_scope(&self) -> Option<(&TaskKind, &IdempotencyKey, Option<BudgetId>)> {
        let idempotency = self.idempotency.as_ref()?;
        Some((&self.kind, &idempotency.key, self.placed_by))
    }

    /// The occurrence of a schedule that it is, if it is one.
    pub const fn occurrence(&self) -> Option<Occurrence> {
        self.occurrence
    }

    /// The same work, as an occurrence of a schedule that has this id.
    pub(crate) fn for_occurrence(&self, id: ExecutionId, occurrence: Occurrence) -> Self {
        Self { id, occurrence: Some(occurrence), ..self.clone() }
    }

    /// As it is read back from a store, with the occurrence that it is. For backends.
    #[must_use]
    pub const fn with_occurrence(mut self, occurrence: Occurrence) -> Self {
        self.occurrence = Some(occurrence);
        self
    }

    /// The same work, as the member of a flow that has this id.
    pub(super) const fn for_member(mut self, id: ExecutionId) -> Self {
        self.id = id;
        self
    }

    /// Draws on the budgets of its flow, in front of its own.
    pub(super) fn beside(&mut self, budgets: &[BudgetId]) {
        let own = std::mem::take(&mut self.budgets);
        self.budgets.extend_from_slice(budgets);
        self.budgets.extend(own.into_iter().filter(|own| !budgets.contains(own)));
    }

    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        at_most("payload", self.payload.len(), limits::PAYLOAD_MAX_BYTES)?;
        if !(limits::PRIORITY_MIN..=limits::PRIORITY_MAX).contains(&self.priority) {
            let (min, max) = (limits::PRIORITY_MIN, limits::PRIORITY_MAX);
            let problem = format!("must be within {min}..={max}, is {}", self.priority);
            return Err(EngineError::validation("priority", problem));
        }
        self.policy.validate()?;
        if let Some(at) = self.delay_until {
            valid_time("delay_until", at)?;
        }
        if let Some(at) = self.deadline {
            valid_time("deadline", at)?;
        }
        if let Some(idempotency) = &self.idempotency {
            let window = millis(idempotency.window);
            let max = limits::IDEMPOTENCY_WINDOW_MAX_MS;
            if !(1..=max).contains(&window) {
                let problem = format!("must be within 1..={max} ms, is {window}");
                return Err(EngineError::validation("idempotency.window", problem));
            }
        }
        self.validate_budgets()
    }

    fn validate_budgets(&self) -> Result<(), EngineError> {
        at_most("budgets", self.budgets.len(), limits::BUDGETS_PER_EXECUTION_MAX)?;
        for (index, budget) in self.budgets.iter().enumerate() {
            if self.budgets[..index].contains(budget) {
                return Err(EngineError::validation("budgets", format!("names {budget} twice")));
            }
        }
        if self.estimate.dedup_key.is_some() {
            return Err(EngineError::validation("estimate", "has a key, which only a report has"));
        }
        valid_usage("estimate", &self.estimate).map(drop)
    }

    /// A 64-bit digest of all fields (XXH3 over their length-prefixed encodings). Two submissions
    /// with one id and one digest are the same request, repeated.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.id.to_bytes());
        feed(&mut hash, self.lane.as_str().as_bytes());
        feed(&mut hash, self.kind.as_str().as_bytes());
        feed(&mut hash, self.payload.content_type().as_bytes());
        hash.update(&xxh3_64(self.payload.bytes()).to_le_bytes());
        hash.update(&self.priority.to_le_bytes());
        feed(&mut hash, self.capabilities.as_str().as_bytes());
        for (key, value) in self.tags.iter() {
            feed(&mut hash, key.as_bytes());
            feed(&mut hash, value.as_bytes());
        }
        feed_policy(&mut hash, &self.policy);
        feed_time(&mut hash, self.delay_until);
        feed_time(&mut hash, self.deadline);
        if let Some(idempotency) = &self.idempotency {
            feed(&mut hash, idempotency.key.as_str().as_bytes());
            hash.update(&millis(idempotency.window).to_le_bytes());
            hash.update(&[idempotency.on_terminal as u8]);
        }
        for budget in &self.budgets {
            hash.update(&budget.to_bytes());
        }
        if let Some(key) = &self.lane_key {
            feed(&mut hash, b"lane_key");
            feed(&mut hash, key.as_str().as_bytes());
        }
        for (dimension, amount) in self.estimate.amounts() {
            feed(&mut hash, dimension.as_bytes());
            hash.update(&amount.to_le_bytes());
        }
        hash.digest()
    }
}

pub(super) fn feed(hash: &mut Xxh3, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

pub(super) fn feed_time(hash: &mut Xxh3, at: Option<TimestampMs>) {
    hash.update(&at.map_or(-1, TimestampMs::as_i64).to_le_bytes());
}

fn feed_policy(hash: &mut Xxh3, policy: &ExecutionPolicy) {
    use ff_types::{Backoff, Jitter};

    let (base, factor, cap) = match policy.retry.backoff {
        Backoff::Fixed { delay_ms } => (delay_ms, 0, 0),
        Backoff::Exponential { base_ms, factor, cap_ms } => (base_ms, factor, cap_ms),
        _ => (u64::MAX, 0, 0),
    };
    let full_jitter = matches!(policy.retry.jitter, Jitter::Full);
    hash.update(&policy.retry.max_retries.to_le_bytes());
    hash.update(&base.to_le_bytes());
    hash.update(&factor.to_le_bytes());
    hash.update(&cap.to_le_bytes());
    hash.update(&[u8::from(full_jitter)]);
    hash.update(&policy.max_reclaims.to_le_bytes());
    hash.update(&policy.attempt_timeout.map_or(0, millis).to_le_bytes());
    hash.update(&millis(policy.retention).to_le_bytes());
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Submitted {
    /// The execution was made by this submission, now or when it was first sent.
    New(ExecutionId),
    /// The idempotency key names this earlier execution; nothing was made.
    Existing(ExecutionId),
}

impl Submitted {
    /// The execution that does the work, whoever submitted it.
    pub const fn id(self) -> ExecutionId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}
