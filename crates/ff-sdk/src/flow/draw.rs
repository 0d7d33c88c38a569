//! A flow as a picture: Mermaid for pages, DOT for Graphviz.
//!
//! Both show the same: nodes coloured by state, how many edges a node waits for, and which end of a
//! parent an edge asks for. Nodes go by their indexes, so that a key may have any character; it is
//! escaped where it is shown.

use std::fmt::Write;

use ff_engine::FlowNodeView;
use ff_types::{EdgeCondition, ExecutionState, JoinPolicy, JoinRest};

use super::graph::FlowGraph;

/// The flow as a Mermaid flowchart.
///
/// ```text
/// flowchart LR
///   n0["fetch"]:::completed
///   n1["parse"]:::active
///   n0 --> n1
/// ```
pub fn mermaid(graph: &FlowGraph) -> String {
    let mut text = String::from("flowchart LR\n");
    for node in &graph.nodes {
        let (index, state) = (node.index, node.state);
        let join = join(node).map(|join| format!("<br/>{join}")).unwrap_or_default();
        line(&mut text, format_args!("n{index}[\"{}{join}\"]:::{state}", entities(&node.key)));
    }
    for edge in &graph.edges {
        let (from, to) = (edge.from, edge.to);
        match condition(edge.condition) {
            None => line(&mut text, format_args!("n{from} --> n{to}")),
            Some(label) => line(&mut text, format_args!("n{from} -. {label} .-> n{to}")),
        }
    }
    for state in ExecutionState::ALL {
        if graph.nodes.iter().any(|node| node.state == state) {
            let Colours { fill, stroke } = colours(state);
            let style = format_args!("classDef {state} fill:{fill},stroke:{stroke},color:#111111");
            line(&mut text, style);
        }
    }
    text
}

/// The flow as a DOT digraph.
///
/// ```text
/// digraph flow {
///   rankdir=LR;
///   n0 [label="fetch\ncompleted", fillcolor="#b7e4c7", color="#2d6a4f"];
/// }
/// ```
pub fn dot(graph: &FlowGraph) -> String {
    let mut text = String::from("digraph flow {\n");
    line(&mut text, format_args!("rankdir=LR;"));
    line(&mut text, format_args!("node [shape=box, style=\"rounded,filled\"];"));
    for node in &graph.nodes {
        let Colours { fill, stroke } = colours(node.state);
        let join = join(node).map(|join| format!("\\n{join}")).unwrap_or_default();
        let (index, key, state) = (node.index, quoted(node.key.as_str()), node.state);
        line(
            &mut text,
            format_args!(
                "n{index} [label=\"{key}\\n{state}{join}\", fillcolor=\"{fill}\", color=\"{stroke}\"];"
            ),
        );
    }
    for edge in &graph.edges {
        let (from, to) = (edge.from, edge.to);
        match condition(edge.condition) {
            None => line(&mut text, format_args!("n{from} -> n{to};")),
            Some(label) => {
                line(
                    &mut text,
                    format_args!("n{from} -> n{to} [label=\"{label}\", style=dashed];"),
                );
            }
        }
    }
    text.push_str("}\n");
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "  {content}").expect("a string takes all text");
}

/// What a node asks for beyond all its edges.
fn join(node: &FlowNodeView) -> Option<String> {
    let parents = node.dependencies.total;
    let count = match node.join {
        JoinPolicy::All => None,
        JoinPolicy::Any => Some(format!("any of {parents}")),
        JoinPolicy::Quorum(enough) => Some(format!("{enough} of {parents}")),
    };
    let rest = (node.rest == JoinRest::CancelRemaining).then(|| "cancels the rest".to_owned());
    match (count, rest) {
        (Some(count), Some(rest)) => Some(format!("{count}, {rest}")),
        (count, rest) => count.or(rest),
    }
}

/// What an edge asks for beyond success.
const fn condition(condition: EdgeCondition) -> Option<&'static str> {
    match condition {
        EdgeCondition::OnSuccess => None,
        EdgeCondition::OnFailure => Some("on failure"),
        EdgeCondition::Always => Some("always"),
    }
}

/// Everything that Mermaid could read as more than text becomes a character reference.
fn entities(key: impl AsRef<str>) -> String {
    let mut text = String::new();
    for character in key.as_ref().chars() {
        if character.is_ascii_alphanumeric() || "-_./:".contains(character) {
            text.push(character);
        } else {
            write!(text, "#{};", u32::from(character)).expect("a string takes all text");
        }
    }
    text
}

/// The text inside the quotes of a DOT label.
fn quoted(key: &str) -> String {
    key.replace('\\', "\\\\").replace('"', "\\\"")
}

struct Colours {
    fill: &'static str,
    stroke: &'static str,
}

const fn colours(state: ExecutionState) -> Colours {
    let (fill, stroke) = match state {
        ExecutionState::Ready => ("#d0ebff", "#1971c2"),
        ExecutionState::Active => ("#74c0fc", "#1864ab"),
        ExecutionState::Delayed | ExecutionState::Suspended | ExecutionState::WaitingChildren => {
            ("#fff3bf", "#e67700")
        }
        ExecutionState::Blocked => ("#f1f3f5", "#868e96"),
        ExecutionState::Completed => ("#b2f2bb", "#2b8a3e"),
        ExecutionState::Failed | ExecutionState::Expired => ("#ffc9c9", "#c92a2a"),
        ExecutionState::Cancelled => ("#ffd8a8", "#d9480f"),
        ExecutionState::Skipped => ("#ffffff", "#adb5bd"),
    };
    Colours { fill, stroke }
}

#[cfg(test)]
mod tests {
    use ff_engine::FlowEdgeView;
    use ff_engine::machine::{Dependencies, Node};
    use ff_types::{AttemptIndex, FlowId, LaneId, NodeKey, TaskKind};

    use super::*;

    const FLOW: FlowId = FlowId::from_u128(7);

    fn node(index: u16, key: &str, state: ExecutionState, parents: u32) -> FlowNodeView {
        let node = Node {
            flow: FLOW,
            key: NodeKey::new(key).unwrap(),
            index: u32::from(index),
            join: JoinPolicy::All,
            rest: JoinRest::LetRun,
        };
        let (lane, kind) = (LaneId::new("default").unwrap(), TaskKind::new("task").unwrap());
        let dependencies = Dependencies::open_edges(parents);
        let (id, attempt) = (FLOW.member(index), Some(AttemptIndex(0)));
        FlowNodeView::new(&node, id, lane, kind, state, attempt, dependencies)
    }

    fn graph() -> FlowGraph {
        let mut any = node(2, "join", ExecutionState::Completed, 2);
        any.join = JoinPolicy::Any;
        any.rest = JoinRest::CancelRemaining;
        let mut quorum = node(3, "end", ExecutionState::Blocked, 2);
        quorum.join = JoinPolicy::Quorum(2);
        let nodes = vec![
            node(0, "a.rs", ExecutionState::Completed, 0),
            node(1, r#"say"\<b>"#, ExecutionState::Failed, 0),
            any,
            quorum,
        ];
        let edges = vec![
            FlowEdgeView::new(0, 2, EdgeCondition::OnSuccess),
            FlowEdgeView::new(1, 2, EdgeCondition::OnFailure),
            FlowEdgeView::new(1, 3, EdgeCondition::Always),
            FlowEdgeView::new(2, 3, EdgeCondition::OnSuccess),
        ];
        FlowGraph::new(FLOW, 1, nodes, edges)
    }

    #[test]
    fn mermaid_shows_states_joins_and_conditions() {
        let expected = r#"flowchart LR
  n0["a.rs"]:::completed
  n1["say#34;#92;#60;b#62;"]:::failed
  n2["join<br/>any of 2, cancels the rest"]:::completed
  n3["end<br/>2 of 2"]:::blocked
  n0 --> n2
  n1 -. on failure .-> n2
  n1 -. always .-> n3
  n2 --> n3
  classDef blocked fill:#f1f3f5,stroke:#868e96,color:#111111
  classDef completed fill:#b2f2bb,stroke:#2b8a3e,color:#111111
  classDef failed fill:#ffc9c9,stroke:#c92a2a,color:#111111
"#;
        assert_eq!(mermaid(&graph()), expected);
    }

    #[test]
    fn dot_shows_states_joins_and_conditions() {
        let expected = r##"digraph flow {
  rankdir=LR;
  node [shape=box, style="rounded,filled"];
  n0 [label="a.rs\ncompleted", fillcolor="#b2f2bb", color="#2b8a3e"];
  n1 [label="say\"\\<b>\nfailed", fillcolor="#ffc9c9", color="#c92a2a"];
  n2 [label="join\ncompleted\nany of 2, cancels the rest", fillcolor="#b2f2bb", color="#2b8a3e"];
  n3 [label="end\nblocked\n2 of 2", fillcolor="#f1f3f5", color="#868e96"];
  n0 -> n2;
  n1 -> n2 [label="on failure", style=dashed];
  n1 -> n3 [label="always", style=dashed];
  n2 -> n3;
}
"##;
        assert_eq!(dot(&graph()), expected);
    }

    #[test]
    fn a_flow_without_nodes_is_a_picture_of_nothing() {
        let empty = FlowGraph::new(FLOW, 1, Vec::new(), Vec::new());
        assert_eq!(mermaid(&empty), "flowchart LR\n");
        assert!(dot(&empty).ends_with("];\n}\n"));
    }
}
