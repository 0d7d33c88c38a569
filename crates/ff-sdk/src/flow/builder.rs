//! Flows as a client writes them down.

use std::sync::OnceLock;
use std::time::Duration;

use ff_engine::{EngineError, FlowSpec, IdSource, Task};
use ff_types::{BudgetId, FlowId, FlowPolicy, Tags, TimestampMs, ValueError};

use super::nodes::{Drafts, NewNode};
use crate::job::{At, Job, again};

/// A graph of jobs to submit.
///
/// The first submit gives it its id and fixes its times. Submitting the same `Flow` again is the same
/// submission, repeated: it has no second effect. A clone, and a flow that is changed, is another one.
///
/// ```
/// use std::time::Duration;
/// use ff_sdk::{Flow, Job};
///
/// let mut flow = Flow::new().deadline(Duration::from_secs(3_600)).tag("tenant", "acme");
/// flow.node("eu", Job::new("quote", "eu"));
/// flow.node("us", Job::new("quote", "us"));
/// flow.node("buy", Job::new("buy", &())).after_any(["eu", "us"]).cancel_remaining();
/// flow.node("refund", Job::new("refund", &())).on_failure_of("buy");
/// ```
#[derive(Debug)]
pub struct Flow {
    parts: Result<Parts, EngineError>,
    drafts: Drafts,
    minted: OnceLock<FlowSpec>,
}

#[derive(Debug, Clone, Default)]
struct Parts {
    id: Option<FlowId>,
    policy: FlowPolicy,
    deadline: Option<At>,
    retention: Option<Duration>,
    tags: Tags,
    budgets: Vec<BudgetId>,
    shared_budgets: Vec<BudgetId>,
}

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// A flow without nodes.
    pub fn new() -> Self {
        Self::of(Ok(Parts::default()), Drafts::default())
    }

    /// Adds a node: a job under a key that no other node of the flow has, of 1..=128 printable ASCII
    /// bytes without space. What is called on the answer gives it its edges; parents may be added
    /// before or after.
    pub fn node(&mut self, key: impl Into<String>, job: Job) -> NewNode<'_> {
        self.minted = OnceLock::new();
        self.drafts.add(key.into(), job)
    }

    /// A failure that no node may take cancels the rest, also what was to run after it in any case
    /// ([`NewNode::always_after`]). Without this, only what depends on it is skipped.
    #[must_use]
    pub fn fail_fast(self) -> Self {
        self.set(|parts| {
            parts.policy = FlowPolicy::FailFast;
            Ok(())
        })
    }

    /// Cancels what has not ended this long after the first submit, by the client's clock; the flow
    /// then fails.
    #[must_use]
    pub fn deadline(self, within: Duration) -> Self {
        self.set(|parts| {
            parts.deadline = Some(At::FromNow(within));
            Ok(())
        })
    }

    /// Cancels what has not ended by `at`; the flow then fails.
    #[must_use]
    pub fn deadline_at(self, at: TimestampMs) -> Self {
        self.set(|parts| {
            parts.deadline = Some(At::Time(at));
            Ok(())
        })
    }

    /// How long the flow and all its executions are kept after its end. What the jobs say of their own
    /// retention does not count.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        self.set(|parts| {
            parts.retention = Some(retention);
            Ok(())
        })
    }

    /// Adds a label for listings of flows and for filters. The jobs have tags of their own.
    #[must_use]
    pub fn tag(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(|parts| {
            parts.tags = std::mem::take(&mut parts.tags).with(key, value)?;
            Ok(())
        })
    }

    /// Lets every node, also one that an extension adds, draw on a budget, in front of those that its job names:
    /// at most 4 in all. The flow lies where the first of these budgets does, unless it is a child flow.
    #[must_use]
    pub fn budget(self, budget: BudgetId) -> Self {
        self.set(|parts| {
            parts.budgets.push(budget);
            Ok(())
        })
    }

    /// The same for a budget that the flow does not lie beside: see [`Job::shared_budget`](crate::Job::shared_budget).
    #[must_use]
    pub fn shared_budget(self, budget: BudgetId) -> Self {
        self.set(|parts| {
            parts.shared_budgets.push(budget);
            Ok(())
        })
    }

    /// Its id, from [`Client::new_flow_id`](crate::Client::new_flow_id): a process that keeps it can
    /// submit the same flow again after a crash. All else has to be the same then, so give times with
    /// `_at`.
    #[must_use]
    pub fn id(self, id: FlowId) -> Self {
        self.set(|parts| {
            parts.id = Some(id);
            Ok(())
        })
    }

    /// Whether nobody can have submitted it before.
    pub(crate) fn is_new(&self) -> bool {
        let has_id = self.parts.as_ref().is_ok_and(|parts| parts.id.is_some());
        self.minted.get().is_none() && !has_id
    }

    /// What is submitted, made on the first call.
    pub(crate) fn spec(&self, ids: &IdSource) -> Result<&FlowSpec, EngineError> {
        if let Some(spec) = self.minted.get() {
            return Ok(spec);
        }
        let parts = self.parts.as_ref().map_err(again)?;
        let id = parts.id.unwrap_or_else(|| ids.flow_id());
        let spec = parts.fill(FlowSpec::new(id), &self.drafts, ids.clock().now())?;
        Ok(self.minted.get_or_init(|| spec))
    }

    /// The same content as the child flow `id` of a task.
    pub(crate) fn child_spec(
        &self,
        task: &Task,
        id: FlowId,
        now: TimestampMs,
    ) -> Result<FlowSpec, EngineError> {
        let parts = self.parts.as_ref().map_err(again)?;
        if parts.id.is_some() {
            let problem = "does not go with a child flow, whose id follows from its execution";
            return Err(EngineError::validation("id", problem));
        }
        parts.fill(FlowSpec::child_of(task, id), &self.drafts, now)
    }

    const fn of(parts: Result<Parts, EngineError>, drafts: Drafts) -> Self {
        Self { parts, drafts, minted: OnceLock::new() }
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

impl Clone for Flow {
    /// Another flow with the same content: it gets an id of its own, unless it was given one.
    fn clone(&self) -> Self {
        Self::of(self.parts.as_ref().map(Parts::clone).map_err(again), self.drafts.clone())
    }
}

impl Parts {
    /// Writes all of it into an empty flow.
    fn fill(
        &self,
        empty: FlowSpec,
        drafts: &Drafts,
        now: TimestampMs,
    ) -> Result<FlowSpec, EngineError> {
        let given = self.id.filter(|id| *id == empty.id());
        let spec = empty.with_policy(self.policy).with_tags(self.tags.clone());
        let mut spec = spec.with_budgets(self.budgets.iter().copied())?;
        if given.is_some_and(|id| id != spec.id()) {
            let problem = "is placed elsewhere than its budget: take one of `new_flow_id_beside`, or share the budget";
            return Err(EngineError::validation("id", problem));
        }
        spec = spec.with_shared_budgets(self.shared_budgets.iter().copied())?;
        spec.deadline = self.deadline.map(|at| at.resolve(now));
        if let Some(retention) = self.retention {
            spec.retention = retention;
        }
        let built = drafts.build(spec.id(), 0, now)?;
        for node in built.nodes {
            spec.add_node(node);
        }
        for edge in built.edges {
            spec.add_edge(edge);
        }
        Ok(spec)
    }
}
