//! What a graph has to be: known nodes, no edge twice, no cycle.

use std::collections::{BTreeMap, BTreeSet};

use ff_types::{JoinPolicy, NodeKey, limits};

use super::at_most;
use super::flow::{FlowEdge, FlowNode};
use crate::error::{EngineError, GraphProblem};

/// Checks nodes and edges that are added to those that are there. Answers the first fault, and names
/// the nodes.
///
/// # Errors
/// [`EngineError::Graph`]; [`EngineError::LimitExceeded`] for too many nodes or edges of the whole.
pub fn check_graph(
    known: &[(NodeKey, JoinPolicy)],
    known_edges: &[(u32, u32)],
    nodes: &[FlowNode],
    edges: &[FlowEdge],
) -> Result<(), EngineError> {
    at_most("nodes", known.len() + nodes.len(), limits::FLOW_NODES_MAX)?;
    at_most("edges", known_edges.len() + edges.len(), limits::FLOW_EDGES_MAX)?;
    let graph = Graph::of(known, known_edges, nodes, edges)?;
    graph.check_quorums()?;
    graph.check_cycles()
}

struct Graph<'g> {
    keys: Vec<&'g NodeKey>,
    joins: Vec<JoinPolicy>,
    children: Vec<Vec<usize>>,
    parents: Vec<u32>,
}

impl<'g> Graph<'g> {
    fn of(
        known: &'g [(NodeKey, JoinPolicy)],
        known_edges: &[(u32, u32)],
        nodes: &'g [FlowNode],
        edges: &[FlowEdge],
    ) -> Result<Self, EngineError> {
        let mut graph = Self {
            keys: known.iter().map(|(key, _)| key).collect(),
            joins: known.iter().map(|(_, join)| *join).collect(),
            children: vec![Vec::new(); known.len() + nodes.len()],
            parents: vec![0; known.len() + nodes.len()],
        };
        graph.keys.extend(nodes.iter().map(|node| &node.key));
        graph.joins.extend(nodes.iter().map(|node| node.join));
        let mut places = BTreeMap::new();
        for (place, key) in graph.keys.iter().enumerate() {
            if places.insert(*key, place).is_some() {
                return Err(GraphProblem::DuplicateNode { key: (*key).clone() }.into());
            }
        }
        let mut seen = BTreeSet::new();
        for (from, to) in known_edges {
            graph.add(*from as usize, *to as usize, &mut seen);
        }
        for edge in edges {
            let place = |key: &NodeKey| {
                let unknown = || GraphProblem::UnknownNode { key: key.clone() };
                places.get(key).copied().ok_or_else(unknown)
            };
            let (from, to) = (place(&edge.from)?, place(&edge.to)?);
            if from == to {
                return Err(GraphProblem::SelfEdge { key: edge.from.clone() }.into());
            }
            if !graph.add(from, to, &mut seen) {
                let (from, to) = (edge.from.clone(), edge.to.clone());
                return Err(GraphProblem::DuplicateEdge { from, to }.into());
            }
        }
        Ok(graph)
    }

    fn add(&mut self, from: usize, to: usize, seen: &mut BTreeSet<(usize, usize)>) -> bool {
        let is_new = seen.insert((from, to));
        if is_new {
            self.children[from].push(to);
            self.parents[to] += 1;
        }
        is_new
    }

    fn check_quorums(&self) -> Result<(), EngineError> {
        for (place, join) in self.joins.iter().enumerate() {
            let JoinPolicy::Quorum(quorum) = *join else { continue };
            let parents = self.parents[place];
            if quorum == 0 || quorum > parents {
                let key = self.keys[place].clone();
                return Err(GraphProblem::Quorum { key, quorum, parents }.into());
            }
        }
        Ok(())
    }

    /// Takes nodes without open parents away until none is left (Kahn, 1962). What is left then has a
    /// cycle, and going from parent to parent leads into it.
    fn check_cycles(&self) -> Result<(), EngineError> {
        let mut open = self.parents.clone();
        let mut free: Vec<usize> = (0..open.len()).filter(|place| open[*place] == 0).collect();
        let mut taken = 0;
        while let Some(place) = free.pop() {
            taken += 1;
            for child in &self.children[place] {
                open[*child] -= 1;
                if open[*child] == 0 {
                    free.push(*child);
                }
            }
        }
        if taken == open.len() { Ok(()) } else { Err(self.cycle(&open).into()) }
    }

    fn cycle(&self, open: &[u32]) -> GraphProblem {
        let mut parent = vec![None; open.len()];
        for (place, children) in self.children.iter().enumerate() {
            if open[place] > 0 {
                for child in children {
                    parent[*child] = Some(place);
                }
            }
        }
        let mut place = open.iter().position(|count| *count > 0).expect("something is left");
        let mut met = BTreeSet::new();
        while met.insert(place) {
            place = parent[place].expect("what is left has a parent that is left");
        }
        let start = place;
        let mut path = vec![self.keys[start].clone()];
        loop {
            place = parent[place].expect("what is left has a parent that is left");
            path.push(self.keys[place].clone());
            if place == start {
                path.reverse();
                return GraphProblem::Cycle { path };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ff_types::{ExecutionId, LaneId, Payload, TaskKind};

    use super::super::submit::Submission;
    use super::*;

    fn key(text: &str) -> NodeKey {
        NodeKey::new(text).unwrap()
    }

    fn node(text: &str) -> FlowNode {
        let (lane, kind) = (LaneId::new("l").unwrap(), TaskKind::new("k").unwrap());
        let id = ExecutionId::from_u128(1);
        FlowNode::new(key(text), Submission::new(id, lane, kind, Payload::new("")))
    }

    fn check(nodes: &[&str], edges: &[(&str, &str)]) -> Result<(), EngineError> {
        let nodes: Vec<_> = nodes.iter().map(|text| node(text)).collect();
        let edges: Vec<_> =
            edges.iter().map(|(from, to)| FlowEdge::new(key(from), key(to))).collect();
        check_graph(&[], &[], &nodes, &edges)
    }

    fn problem(outcome: Result<(), EngineError>) -> GraphProblem {
        match outcome {
            Err(EngineError::Graph(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_graph_without_cycles_passes() {
        let edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")];
        check(&["d", "c", "b", "a"], &edges).unwrap();
    }

    #[test]
    fn a_cycle_is_named_as_a_path() {
        let edges = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "out")];
        let GraphProblem::Cycle { path } = problem(check(&["out", "in", "a", "b", "c"], &edges))
        else {
            panic!("no cycle")
        };

        assert_eq!(path.len(), 4);
        assert_eq!(path.first(), path.last());
        for step in path.windows(2) {
            let step = (step[0].as_str(), step[1].as_str());
            assert!(edges.contains(&step), "{step:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_edge_is_named() {
        assert_eq!(
            problem(check(&["a"], &[("a", "z")])),
            GraphProblem::UnknownNode { key: key("z") }
        );
        assert_eq!(problem(check(&["a"], &[("a", "a")])), GraphProblem::SelfEdge { key: key("a") });
        assert_eq!(
            problem(check(&["a", "b"], &[("a", "b"), ("a", "b")])),
            GraphProblem::DuplicateEdge { from: key("a"), to: key("b") }
        );
        assert_eq!(problem(check(&["a", "a"], &[])), GraphProblem::DuplicateNode { key: key("a") });
    }

    #[test]
    fn a_quorum_has_as_many_parents() {
        for (quorum, passes) in [(0, false), (1, true), (2, true), (3, false)] {
            let join = node("j").with_join(JoinPolicy::Quorum(quorum));
            let nodes = [node("a"), node("b"), join];
            let edges = [FlowEdge::new(key("a"), key("j")), FlowEdge::new(key("b"), key("j"))];
            assert_eq!(check_graph(&[], &[], &nodes, &edges).is_ok(), passes);
        }
    }

    #[test]
    fn an_extension_is_checked_with_what_is_there() {
        let known = [(key("a"), JoinPolicy::All), (key("b"), JoinPolicy::All)];
        let there = [(0, 1)];
        let back = [FlowEdge::new(key("b"), key("c")), FlowEdge::new(key("c"), key("a"))];

        check_graph(&known, &there, &[node("c")], &back[..1]).unwrap();
        let cycle = problem(check_graph(&known, &there, &[node("c")], &back));
        assert!(matches!(cycle, GraphProblem::Cycle { path } if path.len() == 4));
        let again = problem(check_graph(&known, &there, &[node("a")], &[]));
        assert_eq!(again, GraphProblem::DuplicateNode { key: key("a") });
    }
}
