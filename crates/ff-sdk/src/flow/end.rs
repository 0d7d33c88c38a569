//! The end of a flow, and what its nodes returned.

use std::collections::BTreeMap;

use ff_engine::{EngineError, ExecutionResult, FlowView};
use ff_types::{ExecutionId, FlowId, FlowState, NodeKey};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::graph::FlowGraph;
use super::handle::FlowHandle;
use crate::client::ResultError;

/// How a flow ended. Results of nodes are read when asked for, and while the flow is kept.
#[derive(Debug)]
pub struct FlowEnd {
    flow: FlowHandle,
    state: FlowState,
    keys: OnceCell<Keys>,
}

/// A flow was to complete, and ended otherwise. As a [`TaskError`](crate::TaskError) it is permanent:
/// a retry finds the same flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("flow {flow_id} is {state}")]
pub struct FlowNotCompleted {
    /// The flow.
    pub flow_id: FlowId,
    /// How it ended.
    pub state: FlowState,
}

impl FlowEnd {
    /// The end of a flow whose nodes are looked up when they are asked for.
    pub(crate) fn of(flow: FlowHandle, state: FlowState) -> Self {
        Self { flow, state, keys: OnceCell::new() }
    }

    /// The end of a flow whose nodes are known.
    pub(super) fn known(flow: FlowHandle, state: FlowState, keys: Keys) -> Self {
        Self { flow, state, keys: OnceCell::from(keys) }
    }

    /// The flow.
    pub const fn id(&self) -> FlowId {
        self.flow.id
    }

    /// How it ended.
    pub const fn state(&self) -> FlowState {
        self.state
    }

    /// Whether no failure was left to itself.
    pub const fn is_completed(&self) -> bool {
        matches!(self.state, FlowState::Completed)
    }

    /// The end, if the flow completed.
    ///
    /// # Errors
    /// One that says how it ended.
    pub fn completed(self) -> Result<Self, FlowNotCompleted> {
        if self.is_completed() {
            return Ok(self);
        }
        Err(FlowNotCompleted { flow_id: self.id(), state: self.state })
    }

    /// The result of a node, as [`Client::result`](crate::Client::result) reads it.
    ///
    /// # Errors
    /// How the node ended without one; [`EngineError::NotFound`], inside [`ResultError::Engine`], when
    /// there is none of this key.
    pub async fn result<R: DeserializeOwned>(&self, key: &str) -> Result<R, ResultError> {
        self.flow.client.result(self.node(key).await?).await
    }

    /// How a node ended.
    pub async fn result_raw(&self, key: &str) -> Result<ExecutionResult, EngineError> {
        self.flow.client.result_raw(self.node(key).await?).await
    }

    /// Everything about the flow but its graph.
    pub async fn describe(&self) -> Result<FlowView, EngineError> {
        self.flow.describe().await
    }

    /// Its nodes and edges.
    pub async fn graph(&self) -> Result<FlowGraph, EngineError> {
        self.flow.graph().await
    }

    async fn node(&self, key: &str) -> Result<ExecutionId, EngineError> {
        let read = async || {
            let mut keys = Keys::default();
            keys.learn(&self.flow.graph().await?);
            Ok::<_, EngineError>(keys)
        };
        match self.keys.get_or_try_init(read).await?.execution(key) {
            Some(id) => Ok(id),
            None => self.flow.node(key).await,
        }
    }
}

/// The keys of the nodes by their executions.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<ExecutionId, NodeKey>);

impl Keys {
    pub(super) fn learn(&mut self, graph: &FlowGraph) {
        self.extend(graph.nodes.iter().map(|node| (node.execution_id, node.key.clone())));
    }

    pub(super) fn extend(&mut self, nodes: impl IntoIterator<Item = (ExecutionId, NodeKey)>) {
        self.0.extend(nodes);
    }

    pub(super) fn of(&self, execution: ExecutionId) -> Option<&NodeKey> {
        self.0.get(&execution)
    }

    fn execution(&self, key: &str) -> Option<ExecutionId> {
        let known = self.0.iter().find(|(_, known)| known.as_str() == key);
        known.map(|(id, _)| *id)
    }
}
