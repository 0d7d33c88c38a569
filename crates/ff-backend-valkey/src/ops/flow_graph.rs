//! How nodes and edges are handed to the library: packed.

use std::collections::BTreeMap;

use ff_engine::{EngineError, FlowEdge, FlowNode};
use ff_types::{JoinPolicy, JoinRest, LaneKey, NodeKey};

use super::content_type;
use super::packed::Packed;
use super::submit::Texts;
use crate::codec::letter;

/// Bytes that stand for edges: of each two of the index of the node there, and a letter.
#[derive(Debug, Default, Clone)]
pub(super) struct Edges {
    /// Those that lead out of a node.
    pub(super) children: Vec<u8>,
    /// Those that lead into it.
    pub(super) parents: Vec<u8>,
}

/// The new edges of every node that has some, by index. All keys are known.
pub(super) fn edges_by_node<'k>(
    keys: impl Iterator<Item = &'k NodeKey>,
    edges: &[FlowEdge],
) -> BTreeMap<u16, Edges> {
    let places: BTreeMap<&NodeKey, u16> = keys.zip(0..).collect();
    let mut by_node: BTreeMap<u16, Edges> = BTreeMap::new();
    for edge in edges {
        let (from, to) = (places[&edge.from], places[&edge.to]);
        let letter = letter(edge.condition);
        let link = |index: u16| [index.to_be_bytes()[0], index.to_be_bytes()[1], letter];
        by_node.entry(from).or_default().children.extend(link(to));
        by_node.entry(to).or_default().parents.extend(link(from));
    }
    by_node
}

impl Packed {
    /// The twenty-one values of a node, as `nodes.lua` reads them.
    pub(super) fn push_node(&mut self, node: &FlowNode, edges: &Edges) -> Result<(), EngineError> {
        let (join, quorum) = match node.join {
            JoinPolicy::All => ("a", 0),
            JoinPolicy::Any => ("y", 0),
            JoinPolicy::Quorum(quorum) => ("q", quorum),
        };
        let rest = match node.rest {
            JoinRest::LetRun => "l",
            JoinRest::CancelRemaining => "c",
        };
        let submission = &node.submission;
        let texts = Texts::of(submission)?;
        self.push(node.key.as_str());
        self.push(join);
        self.push(quorum.to_string());
        self.push(rest);
        self.push(&edges.children);
        self.push(&edges.parents);
        self.push("");
        self.push(texts.fingerprint);
        self.push(submission.lane.as_str());
        self.push(submission.capabilities.as_str());
        self.push(submission.priority.to_string());
        self.push(submission.kind().as_str());
        self.push(content_type(&submission.payload));
        self.push(submission.payload.bytes());
        self.push(texts.tags);
        self.push(texts.policy);
        self.push(texts.start);
        self.push(texts.deadline);
        self.push(texts.budgets);
        self.push(texts.estimate);
        self.push(submission.lane_key.as_ref().map_or("", LaneKey::as_str));
        Ok(())
    }
}
