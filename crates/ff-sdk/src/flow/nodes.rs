//! Nodes as they are written down, before the engine sees them.

#![expect(
    clippy::return_self_not_must_use,
    reason = "what a setter is told is in the flow, whether or not its answer is used"
)]

use ff_engine::{EngineError, FlowEdge, FlowNode, GraphProblem};
use ff_types::{EdgeCondition, FlowId, JoinPolicy, JoinRest, NodeKey, TimestampMs};

use crate::job::Job;

/// How much of a malformed key an error shows.
const SHOWN_CHARS: usize = 40;

/// Nodes in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drafts(Vec<Draft>);

/// One node, or edges into one that is there.
#[derive(Debug, Clone)]
struct Draft {
    key: String,
    /// `None` for a node that is there.
    job: Option<Job>,
    join: JoinPolicy,
    rest: JoinRest,
    edges: Vec<(String, EdgeCondition)>,
}

/// What the drafts are for the engine.
pub(crate) struct Built {
    pub(crate) nodes: Vec<FlowNode>,
    pub(crate) edges: Vec<FlowEdge>,
}

impl Drafts {
    pub(crate) fn add(&mut self, key: String, job: Job) -> NewNode<'_> {
        NewNode { draft: self.push(key, Some(job)) }
    }

    pub(crate) fn edges_into(&mut self, key: String) -> NewEdges<'_> {
        NewEdges { draft: self.push(key, None) }
    }

    /// The nodes and edges, for a flow that is submitted or extended at `now`. `first` is the index of
    /// the first node.
    pub(crate) fn build(
        &self,
        flow: FlowId,
        first: u32,
        now: TimestampMs,
    ) -> Result<Built, EngineError> {
        let mut built = Built { nodes: Vec::new(), edges: Vec::new() };
        for draft in &self.0 {
            let index = first as usize + built.nodes.len();
            // The engine refuses flows that large.
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            let built_in = draft.build_into(&mut built, flow, index, now);
            built_in.map_err(|error| naming(&draft.key, error))?;
        }
        Ok(built)
    }

    fn push(&mut self, key: String, job: Option<Job>) -> &mut Draft {
        let (join, rest) = (JoinPolicy::All, JoinRest::LetRun);
        self.0.push(Draft { key, job, join, rest, edges: Vec::new() });
        self.0.last_mut().expect("a node was just added")
    }
}

impl Draft {
    fn build_into(
        &self,
        built: &mut Built,
        flow: FlowId,
        index: u16,
        now: TimestampMs,
    ) -> Result<(), EngineError> {
        let key = NodeKey::new(self.key.as_str())?;
        if let Some(job) = &self.job {
            let submission = job.submission_as(flow.member(index), now)?;
            submission.validate()?;
            if submission.idempotency().is_some() {
                let problem = "does not go with a flow, whose id makes a repeat harmless";
                return Err(EngineError::validation("idempotency", problem));
            }
            if self.join == JoinPolicy::Any && self.edges.is_empty() {
                return Err(GraphProblem::Quorum { key, quorum: 1, parents: 0 }.into());
            }
            let node = FlowNode::new(key.clone(), submission);
            built.nodes.push(node.with_join(self.join).with_rest(self.rest));
        }
        for (parent, condition) in &self.edges {
            let parent = NodeKey::new(parent.as_str())
                .map_err(|error| inside(&format!("after {}", shown(parent)), error.into()))?;
            built.edges.push(FlowEdge::new(parent, key.clone()).with_condition(*condition));
        }
        Ok(())
    }

    fn edge(&mut self, parent: String, condition: EdgeCondition) {
        self.edges.push((parent, condition));
    }
}

/// Says at which node it is that a field is at fault.
fn naming(node: &str, error: EngineError) -> EngineError {
    inside(&format!("node {}", shown(node)), error)
}

fn inside(place: &str, error: EngineError) -> EngineError {
    match error {
        EngineError::Validation { field, problem } => {
            EngineError::validation(format!("{place}: {field}"), problem)
        }
        EngineError::LimitExceeded { field, limit, actual } => {
            EngineError::LimitExceeded { field: format!("{place}: {field}").into(), limit, actual }
        }
        other => other,
    }
}

/// A key as an error shows it: on one line, and not endless.
fn shown(key: &str) -> String {
    let mut text: String = key.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if key.chars().nth(SHOWN_CHARS).is_some() {
        text.push('…');
    }
    text
}

/// A node that was just added, for its edges.
///
/// Without edges it runs at once. With edges it runs when all of them are satisfied, unless
/// [`NewNode::after_any`] or [`NewNode::quorum`] says that fewer are enough. When too many cannot be
/// satisfied any more it is skipped, and so is what depends on it.
#[derive(Debug)]
pub struct NewNode<'f> {
    draft: &'f mut Draft,
}

impl NewNode<'_> {
    /// Runs after the success of each of these.
    pub fn after<I>(self, parents: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        succeed(self.draft, parents);
        self
    }

    /// Runs after the first success among these, of which there has to be one. It holds for all edges of
    /// the node: one that is satisfied is enough.
    pub fn after_any<I>(self, parents: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.draft.join = JoinPolicy::Any;
        self.after(parents)
    }

    /// Runs when this many of all its edges are satisfied.
    pub fn quorum(self, enough: u32) -> Self {
        self.draft.join = JoinPolicy::Quorum(enough);
        self
    }

    /// Runs when this one fails, expires or is cancelled. The failure then does not count against the
    /// flow.
    pub fn on_failure_of(self, parent: impl Into<String>) -> Self {
        self.draft.edge(parent.into(), EdgeCondition::OnFailure);
        self
    }

    /// Runs after this one, however it ends, skipped included. A failure still counts against the
    /// flow.
    pub fn always_after(self, parent: impl Into<String>) -> Self {
        self.draft.edge(parent.into(), EdgeCondition::Always);
        self
    }

    /// Cancels those of its parents that have not ended once it is decided whether it runs, except
    /// those that another node waits for.
    pub fn cancel_remaining(self) -> Self {
        self.draft.rest = JoinRest::CancelRemaining;
        self
    }
}

/// New edges into a node that is there, in an [`Extension`](super::Extension). How many of its edges
/// have to be satisfied stays as it was.
#[derive(Debug)]
pub struct NewEdges<'f> {
    draft: &'f mut Draft,
}

impl NewEdges<'_> {
    /// It waits for the success of each of these, too.
    pub fn after<I>(self, parents: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        succeed(self.draft, parents);
        self
    }

    /// It waits for the failure of this one, too.
    pub fn on_failure_of(self, parent: impl Into<String>) -> Self {
        self.draft.edge(parent.into(), EdgeCondition::OnFailure);
        self
    }

    /// It waits for the end of this one, too.
    pub fn always_after(self, parent: impl Into<String>) -> Self {
        self.draft.edge(parent.into(), EdgeCondition::Always);
        self
    }
}

fn succeed<I>(draft: &mut Draft, parents: I)
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    for parent in parents {
        draft.edge(parent.into(), EdgeCondition::OnSuccess);
    }
}
