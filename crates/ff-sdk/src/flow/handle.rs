//! One flow, for a client that steers and reads it.

use ff_engine::{
    EngineBackendExt as _, EngineError, Entity, ExtendFlow, FlowProblem, FlowView, GraphPage,
    ReadGraph,
};
use ff_types::{ExecutionId, FlowId, NodeKey, RequestId, limits};
use serde::de::DeserializeOwned;

use super::cancelling::CancelFlowCall;
use super::extension::Extension;
use super::graph::FlowGraph;
use super::run::FlowRun;
use crate::client::{Client, ResultError};

/// How often a graph is read again, and an extension made again, because the flow was extended
/// meanwhile.
const CHANGES_MAX: usize = 8;

/// A flow by its id, from [`Client::flow`]. Making one asks nothing; cheap to clone.
#[derive(Debug, Clone)]
pub struct FlowHandle {
    pub(super) client: Client,
    pub(super) id: FlowId,
}

impl FlowHandle {
    pub(crate) const fn new(client: Client, id: FlowId) -> Self {
        Self { client, id }
    }

    /// The id.
    pub const fn id(&self) -> FlowId {
        self.id
    }

    /// Everything about the flow but its graph.
    pub async fn describe(&self) -> Result<FlowView, EngineError> {
        self.client.repeat(|| self.client.backend.describe_flow(self.id)).await
    }

    /// Its nodes and edges as they stand, for [`mermaid`](super::mermaid) and [`dot`](super::dot),
    /// among others.
    ///
    /// # Errors
    /// [`EngineError::Contention`] when the flow is extended all the time.
    pub async fn graph(&self) -> Result<FlowGraph, EngineError> {
        for _ in 0..CHANGES_MAX {
            if let Some(graph) = self.graph_of_one_revision().await? {
                return Ok(graph);
            }
        }
        Err(EngineError::Contention { operation: "read_graph" })
    }

    async fn graph_of_one_revision(&self) -> Result<Option<FlowGraph>, EngineError> {
        let mut page = self.page(0).await?;
        let mut graph = FlowGraph::new(self.id, page.revision, page.nodes, page.edges);
        while let Some(from) = page.next {
            page = self.page(from).await?;
            if page.revision != graph.revision {
                return Ok(None);
            }
            graph.nodes.append(&mut page.nodes);
            graph.edges.append(&mut page.edges);
        }
        Ok(Some(graph))
    }

    /// Some nodes, from this index on.
    pub(super) async fn page(&self, from: u32) -> Result<GraphPage, EngineError> {
        let request = ReadGraph::new(self.id).with_from(from).with_limit(limits::LIST_LIMIT_MAX);
        self.client.repeat(|| self.client.backend.read_graph(&request)).await
    }

    /// The execution of a node; it looks through the graph for it.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is none of this key.
    pub async fn node(&self, key: &str) -> Result<ExecutionId, EngineError> {
        let mut from = Some(0);
        while let Some(index) = from {
            let page = self.page(index).await?;
            if let Some(node) = page.nodes.iter().find(|node| node.key.as_str() == key) {
                return Ok(node.execution_id);
            }
            from = page.next;
        }
        let key = NodeKey::new(key)?;
        Err(EngineError::NotFound { entity: Entity::Node, id: Some(key.to_string()) })
    }

    /// Waits for the end of a node and reads its result, as [`Client::result`] does.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], inside [`ResultError::Engine`], when there is none of this key.
    pub async fn result<R: DeserializeOwned>(&self, key: &str) -> Result<R, ResultError> {
        self.client.result(self.node(key).await?).await
    }

    /// Cancels the flow. Await it; before, say how far it goes and whether it waits.
    ///
    /// ```
    /// use ff_sdk::{Client, EngineError, FlowId};
    ///
    /// async fn stop(client: &Client, id: FlowId) -> Result<(), EngineError> {
    ///     // What runs goes on, what has not started does not start.
    ///     client.flow(id).cancel("not wanted").pending_only().await?;
    ///     Ok(())
    /// }
    /// # let _ = stop;
    /// ```
    pub fn cancel(&self, reason: impl Into<String>) -> CancelFlowCall<'_> {
        CancelFlowCall::new(self, reason.into())
    }

    /// Replays every node that failed, expired or was cancelled, parents before their children; answers
    /// how many that were. Nodes that completed keep their results, and those that were skipped wait
    /// again. The flow is open by it; in one that was cancelled, all nodes have to have ended before.
    ///
    /// It is one call for each node. Those that were replayed before a call without an answer stay so,
    /// and are not counted when it is made again.
    ///
    /// ```
    /// use ff_sdk::{Client, EngineError, FlowId};
    ///
    /// async fn once_more(client: &Client, id: FlowId) -> Result<(), EngineError> {
    ///     let replayed = client.flow(id).replay_failed().await?;
    ///     println!("{replayed} nodes run again");
    ///     Ok(())
    /// }
    /// # let _ = once_more;
    /// ```
    pub async fn replay_failed(&self) -> Result<u32, EngineError> {
        let Client { backend, ids, .. } = &self.client;
        self.client.repeat(|| backend.replay_failed(self.id, ids)).await
    }

    /// Adds nodes and edges, in one step; answers the revision that the flow has by it.
    ///
    /// Extensions that others make at the same time are no conflict: keys mean the same nodes after
    /// them.
    ///
    /// # Errors
    /// [`EngineError::Flow`] when the flow has ended or is being cancelled; [`EngineError::Graph`]
    /// names the nodes at fault; [`EngineError::LimitExceeded`] when the new edges touch more than 128
    /// nodes that are there.
    pub async fn extend(&self, extension: &Extension) -> Result<u64, EngineError> {
        self.extend_as(extension.request_id(&self.client.ids), extension).await
    }

    /// The same under a name of the caller's.
    pub(crate) async fn extend_as(
        &self,
        name: RequestId,
        extension: &Extension,
    ) -> Result<u64, EngineError> {
        let mut changes = 0;
        loop {
            let view = self.describe().await?;
            let request = extension.request(self.id, name, &view, &self.client.ids)?;
            match self.send(&request).await {
                Err(EngineError::Flow { kind: FlowProblem::Revision { .. }, .. })
                    if changes < CHANGES_MAX =>
                {
                    changes += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn send(&self, request: &ExtendFlow) -> Result<u64, EngineError> {
        let call = || self.client.backend.extend_flow(request);
        Ok(self.client.repeat(call).await?.revision)
    }

    /// Follows the flow from now on. Nodes that have ended already are told first.
    pub async fn follow(&self) -> Result<FlowRun, EngineError> {
        let mut run = FlowRun::from_now(self).await?;
        run.look().await?;
        Ok(run)
    }
}
