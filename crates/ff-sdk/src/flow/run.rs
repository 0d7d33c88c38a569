//! Following a flow to its end, by the completion log.
//!
//! The reader's place is taken before the flow is submitted, so that no end can be missed. It waits
//! inside the backend, and looks at the flow itself only where the log has a gap.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ff_engine::{CompletionsFrom, EngineError, FlowSpec, ReadCompletions};
use ff_types::backend::{CompletionOf, CompletionPayload};
use ff_types::{ExecutionId, FlowId, FlowState, NodeKey, TerminalOutcome, TimestampMs, limits};

use super::end::{FlowEnd, Keys};
use super::handle::FlowHandle;

/// One wait inside the backend; the next follows at once.
const WAIT: Duration = Duration::from_secs(20);

/// What happened in a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowEvent {
    /// A node ended. One that is replayed ends again.
    NodeEnded {
        /// Its key.
        key: NodeKey,
        /// Its execution.
        execution_id: ExecutionId,
        /// How it ended.
        outcome: TerminalOutcome,
        /// When, by the store's clock; `None` where the log has a gap.
        at: Option<TimestampMs>,
    },
    /// The flow ended. Nothing comes after it.
    Ended {
        /// How.
        state: FlowState,
    },
}

/// A flow that is followed: see [`Client::start_flow`](crate::Client::start_flow) and
/// [`FlowHandle::follow`].
#[derive(Debug)]
pub struct FlowRun {
    flow: FlowHandle,
    from: CompletionsFrom,
    keys: Keys,
    told: BTreeSet<ExecutionId>,
    /// Told because the flow was looked at: the log may tell them once more.
    seen: BTreeSet<ExecutionId>,
    waiting: VecDeque<FlowEvent>,
    state: Option<FlowState>,
}

impl FlowRun {
    /// Takes the place in the log. Nothing is known of the flow, not even that it is there.
    pub(crate) async fn from_now(flow: &FlowHandle) -> Result<Self, EngineError> {
        let mut run = Self {
            flow: flow.clone(),
            from: CompletionsFrom::Now,
            keys: Keys::default(),
            told: BTreeSet::new(),
            seen: BTreeSet::new(),
            waiting: VecDeque::new(),
            state: None,
        };
        let request = ReadCompletions::new(CompletionsFrom::Now).with_flow(flow.id).with_limit(1);
        let page = flow.client.repeat(|| flow.client.backend.read_completions(&request)).await?;
        run.from = CompletionsFrom::Cursor(page.next);
        Ok(run)
    }

    /// The flow.
    pub const fn id(&self) -> FlowId {
        self.flow.id
    }

    /// Waits for what happens next; `None` after the end. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<FlowEvent>, EngineError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            if self.state.is_some() {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Waits for the end of the flow and passes over what happens until then.
    pub async fn end(mut self) -> Result<FlowEnd, EngineError> {
        while self.next().await?.is_some() {}
        let state = self.state.expect("events end with the flow");
        Ok(FlowEnd::known(self.flow, state, self.keys))
    }

    /// Learns the keys from what was submitted.
    pub(crate) fn know(&mut self, spec: &FlowSpec) {
        let nodes = spec.nodes().iter().map(|node| (node.submission.id(), node.key.clone()));
        self.keys.extend(nodes);
    }

    /// Tells what has ended by looking at the flow.
    pub(crate) async fn look(&mut self) -> Result<(), EngineError> {
        // A flow that has ended has only nodes that have ended: so it is asked first.
        let state = self.flow.describe().await?.summary.state;
        let graph = self.flow.graph().await?;
        self.keys.learn(&graph);
        for node in graph.nodes {
            let Some(outcome) = node.state.outcome() else { continue };
            let execution_id = node.execution_id;
            if self.told.insert(execution_id) {
                self.seen.insert(execution_id);
                let event = FlowEvent::NodeEnded { key: node.key, execution_id, outcome, at: None };
                self.waiting.push_back(event);
            }
        }
        if state.is_terminal() {
            self.finish(state);
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), EngineError> {
        let client = &self.flow.client;
        let request = ReadCompletions::new(self.from.clone())
            .with_flow(self.flow.id)
            .with_limit(limits::LIST_LIMIT_MAX)
            .with_max_wait(WAIT);
        let page = client.repeat(|| client.backend.read_completions(&request)).await?;
        // Whatever asks comes before whatever changes, so that a dropped future has read nothing.
        if page.gap {
            self.look().await?;
        } else if page.items.iter().any(|end| self.is_unknown(end)) {
            self.keys.learn(&self.flow.graph().await?);
        }
        self.from = CompletionsFrom::Cursor(page.next);
        for end in page.items {
            if self.state.is_none() {
                self.take(&end);
            }
        }
        Ok(())
    }

    fn is_unknown(&self, end: &CompletionPayload) -> bool {
        end.ended == CompletionOf::Execution && self.keys.of(end.execution_id).is_none()
    }

    fn take(&mut self, end: &CompletionPayload) {
        if end.ended == CompletionOf::Flow {
            return self.finish(match end.outcome {
                TerminalOutcome::Completed => FlowState::Completed,
                TerminalOutcome::Cancelled => FlowState::Cancelled,
                _ => FlowState::Failed,
            });
        }
        let execution_id = end.execution_id;
        if self.seen.remove(&execution_id) {
            return;
        }
        if let Some(key) = self.keys.of(execution_id).cloned() {
            self.told.insert(execution_id);
            let (outcome, at) = (end.outcome, Some(end.produced_at_ms));
            self.waiting.push_back(FlowEvent::NodeEnded { key, execution_id, outcome, at });
        }
    }

    fn finish(&mut self, state: FlowState) {
        self.state = Some(state);
        self.waiting.push_back(FlowEvent::Ended { state });
    }
}
