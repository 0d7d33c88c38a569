//! The graph of a flow as it stands.

use ff_engine::{FlowEdgeView, FlowNodeView};
use ff_types::{FlowId, NodeKey};

/// All nodes and edges of a flow in one revision.
///
/// The nodes are read one page after another: each is as it stood when its page was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FlowGraph {
    /// The flow.
    pub flow_id: FlowId,
    /// Its revision.
    pub revision: u64,
    /// The nodes, in the order of their indexes.
    pub nodes: Vec<FlowNodeView>,
    /// The edges, parent by parent.
    pub edges: Vec<FlowEdgeView>,
}

impl FlowGraph {
    pub(crate) const fn new(
        flow_id: FlowId,
        revision: u64,
        nodes: Vec<FlowNodeView>,
        edges: Vec<FlowEdgeView>,
    ) -> Self {
        Self { flow_id, revision, nodes, edges }
    }

    /// The node of this key.
    pub fn node(&self, key: &str) -> Option<&FlowNodeView> {
        self.nodes.iter().find(|node| node.key.as_str() == key)
    }

    /// The keys of the nodes that it runs after.
    pub fn parents_of<'g>(&'g self, node: &FlowNodeView) -> impl Iterator<Item = &'g NodeKey> {
        let index = node.index;
        self.edges
            .iter()
            .filter(move |edge| edge.to == index)
            .filter_map(|edge| self.nodes.get(edge.from as usize).map(|node| &node.key))
    }
}
