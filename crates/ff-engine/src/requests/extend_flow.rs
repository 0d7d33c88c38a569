//! Extensions: what is added to a flow that is open.

use std::borrow::Cow;

use ff_types::{BudgetId, ExecutionId, FlowId, RequestId};

use super::flow::{FlowEdge, FlowNode, add, named_before, valid_node};
use crate::error::EngineError;

/// Adds nodes and edges to an open flow. The new nodes draw on the budgets of the flow, too, in front of those
/// that are named here.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExtendFlow {
    /// Names this request, so that it can be repeated.
    pub request_id: RequestId,
    flow_id: FlowId,
    expected_revision: u64,
    first: u32,
    nodes: Vec<FlowNode>,
    edges: Vec<FlowEdge>,
    budgets: Vec<BudgetId>,
}

impl ExtendFlow {
    /// An extension of a flow that stands at this revision and has this many nodes.
    pub const fn new(
        request_id: RequestId,
        flow_id: FlowId,
        expected_revision: u64,
        node_count: u32,
    ) -> Self {
        Self {
            request_id,
            flow_id,
            expected_revision,
            first: node_count,
            nodes: Vec::new(),
            edges: Vec::new(),
            budgets: Vec::new(),
        }
    }

    /// The flow.
    pub const fn flow_id(&self) -> FlowId {
        self.flow_id
    }

    /// The revision that it extends.
    pub const fn expected_revision(&self) -> u64 {
        self.expected_revision
    }

    /// How many nodes that revision has: the index of the first new one.
    pub const fn node_count(&self) -> u32 {
        self.first
    }

    /// The new nodes.
    pub fn nodes(&self) -> &[FlowNode] {
        &self.nodes
    }

    /// The new edges.
    pub fn edges(&self) -> &[FlowEdge] {
        &self.edges
    }

    /// Lets every node that is added from now on draw on these budgets, in front of its own.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when there are nodes.
    pub fn with_budgets(
        mut self,
        budgets: impl IntoIterator<Item = BudgetId>,
    ) -> Result<Self, EngineError> {
        self.budgets.extend(budgets);
        named_before(&self.nodes, &self.budgets)?;
        Ok(self)
    }

    /// The same extension of a flow with these budgets, on which the new nodes draw first. For backends.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] when a node draws on too many by it.
    pub fn drawing_on(&self, of_flow: &[BudgetId]) -> Result<Cow<'_, Self>, EngineError> {
        if of_flow.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut drawing = self.clone();
        drawing.nodes.iter_mut().for_each(|node| node.submission.beside(of_flow));
        drawing.nodes.iter().try_for_each(valid_node)?;
        Ok(Cow::Owned(drawing))
    }

    /// Adds a node and answers the id that its execution will have.
    pub fn add_node(&mut self, mut node: FlowNode) -> ExecutionId {
        node.submission.beside(&self.budgets);
        add(self.flow_id, self.first, &mut self.nodes, node)
    }

    /// Adds an edge between nodes, new ones or such that are there.
    pub fn add_edge(&mut self, edge: FlowEdge) {
        self.edges.push(edge);
    }

    /// Adds a node.
    #[must_use]
    pub fn with_node(mut self, node: FlowNode) -> Self {
        self.add_node(node);
        self
    }

    /// Adds an edge.
    #[must_use]
    pub fn with_edge(mut self, edge: FlowEdge) -> Self {
        self.add_edge(edge);
        self
    }

    /// Checks what can be checked without the flow.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        if self.nodes.is_empty() && self.edges.is_empty() {
            return Err(EngineError::validation("extension", "must add a node or an edge"));
        }
        self.nodes.iter().try_for_each(valid_node)
    }
}

/// What an extension did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtendOutcome {
    /// The revision that the flow has by it.
    pub revision: u64,
}

impl ExtendOutcome {
    /// The flow has this revision now.
    pub const fn new(revision: u64) -> Self {
        Self { revision }
    }
}
