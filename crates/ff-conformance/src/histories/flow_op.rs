//! The steps of a history that are about flows, in numbers as the others.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::op::{Op, SubmitOp, span, spending};

/// How many flows one history submits at most, child flows aside.
pub(super) const FLOWS_MAX: usize = 2;
/// How many child flows one history submits at most.
pub(super) const CHILD_FLOWS_MAX: usize = 3;
/// How many nodes a flow of a history has at most, extensions included.
pub(super) const NODES_MAX: u32 = 8;

/// A step about flows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FlowOp {
    /// Submits a new flow.
    Submit(GraphOp),
    /// Submits a child flow of a task, a member's most often.
    Child { task: u8, graph: GraphOp },
    /// The starter of the latest child flow waits for it, or now and then for another flow.
    WaitChildren { other: Option<u8>, state: Option<u8>, graph: GraphOp },
    /// Holds the starter of the latest child flow.
    HoldStarter,
    /// Cancels it.
    CancelStarter,
    /// Repeats an earlier submission.
    Resubmit(u8),
    /// Extends a flow, now and then one that has another revision.
    Extend { flow: u8, nodes: Vec<NodeOp>, edges: Vec<EdgeOp>, stale: bool },
    /// Cancels a flow with one of the policies, now and then the one that waits for the latest child
    /// flow.
    Cancel { flow: u8, policy: u8 },
    /// Replays a member, most often one whose parents or children make it interesting.
    Replay { flow: u8, which: u8 },
    /// Reads all of a flow, its graph with this page size.
    Read { flow: u8, limit: u8 },
    /// Lists flows with a page size, a state filter and a tag filter.
    List { limit: u8, state: Option<u8>, tagged: bool },
    /// Reads the results of the parents with a page size.
    Upstream { of: u8, limit: u8 },
}

/// A flow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GraphOp {
    /// Its nodes.
    pub(super) nodes: Vec<NodeOp>,
    /// Its edges; those that are there already do not count.
    pub(super) edges: Vec<EdgeOp>,
    /// Whether it fails fast.
    pub(super) fail_fast: bool,
    /// Deadline in ms from now.
    pub(super) deadline: Option<u16>,
    /// Tagged for the filtered scanner.
    pub(super) tagged: bool,
    /// Retention in ms.
    pub(super) retention: u16,
    /// Whether an edge is given twice, which is refused.
    pub(super) doubled: bool,
    /// On which budgets all of it draws, one bit each.
    pub(super) budgets: u8,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeOp {
    /// What runs.
    pub(super) submit: SubmitOp,
    /// All, any, or a quorum of so many.
    pub(super) join: u8,
    /// Whether the other parents are cancelled.
    pub(super) cancels: bool,
}

/// An edge from an earlier node to a later one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EdgeOp {
    /// Counted back from the child.
    pub(super) back: u8,
    /// The child, which wraps around.
    pub(super) to: u8,
    /// Which condition.
    pub(super) condition: u8,
}

/// What a node submits: no idempotency key, and fewer delays, deadlines and requirements than by
/// itself, so that graphs get somewhere.
fn node() -> impl Strategy<Value = NodeOp> {
    let place = (0_u8..2, -1_i8..=1, 0_u8..15, any::<bool>());
    let times = (0_u8..16, span(), 0_u8..16, span());
    let policy = (0_u8..3, span(), 0_u8..3, 0_u8..4, span());
    (place, times, policy, (0_u8..5, 0_u8..4)).prop_map(|(place, times, policy, (join, rest))| {
        let submit = SubmitOp {
            lane: place.0,
            priority: place.1,
            lane_key: (policy.2 == 0).then_some(policy.0),
            required: place.2.saturating_sub(12),
            tagged: place.3,
            delay: (times.0 > 12).then_some(times.1),
            deadline: (times.2 == 15).then_some(times.3),
            key: None,
            retries: policy.0,
            backoff: policy.1,
            reclaims: policy.2,
            timeout: (policy.3 == 3).then_some(policy.4),
            retention: policy.4,
            budgets: 0,
            estimate: policy.3,
        };
        NodeOp { submit, join, cancels: rest == 3 }
    })
}

fn edge() -> impl Strategy<Value = EdgeOp> {
    let condition = prop_oneof![4 => Just(0), 2 => Just(1), 2 => Just(2)];
    (any::<u8>(), any::<u8>(), condition).prop_map(|(back, to, condition)| EdgeOp {
        back,
        to,
        condition,
    })
}

/// A flow of at least two nodes with edges between them.
fn graph() -> impl Strategy<Value = GraphOp> {
    graph_of(vec(node(), 2..=6), vec(edge(), 1..=8))
}

fn graph_of(
    nodes: impl Strategy<Value = Vec<NodeOp>>,
    edges: impl Strategy<Value = Vec<EdgeOp>>,
) -> impl Strategy<Value = GraphOp> {
    let parts = (nodes, edges);
    let times = (option::weighted(0.2, span()), span());
    let kinds = (prop::bool::weighted(0.3), any::<bool>(), prop::bool::weighted(0.05), spending());
    (parts, times, kinds).prop_map(
        |((nodes, edges), (deadline, retention), (fail_fast, tagged, doubled, budgets))| GraphOp {
            nodes,
            edges,
            fail_fast,
            deadline,
            tagged,
            retention,
            doubled,
            budgets,
        },
    )
}

/// Steps about flows, and such as bring them on.
fn small() -> impl Strategy<Value = GraphOp> {
    graph_of(vec(node(), 1..=2), vec(edge(), 0..=1))
}

pub(super) fn flow() -> impl Strategy<Value = Op> {
    let extend = (any::<u8>(), vec(node(), 0..=2), vec(edge(), 0..=3), prop::bool::weighted(0.1))
        .prop_map(|(flow, nodes, edges, stale)| FlowOp::Extend { flow, nodes, edges, stale });
    // Of the latest task the lease is most likely to be live.
    let task = prop_oneof![3 => Just(0_u8), 1 => any::<u8>()];
    let child = (task, small()).prop_map(|(task, graph)| FlowOp::Child { task, graph });
    let wait = (option::weighted(0.1, any::<u8>()), option::weighted(0.3, 0_u8..3), small())
        .prop_map(|(other, state, graph)| FlowOp::WaitChildren { other, state, graph });
    let ops = prop_oneof![
        8 => graph().prop_map(FlowOp::Submit),
        9 => child,
        22 => wait,
        1 => Just(FlowOp::HoldStarter),
        2 => Just(FlowOp::CancelStarter),
        1 => any::<u8>().prop_map(FlowOp::Resubmit),
        6 => extend,
        12 => (any::<u8>(), 0_u8..4).prop_map(|(flow, policy)| FlowOp::Cancel { flow, policy }),
        15 => (any::<u8>(), any::<u8>()).prop_map(|(flow, which)| FlowOp::Replay { flow, which }),
        1 => (any::<u8>(), 1_u8..4).prop_map(|(flow, limit)| FlowOp::Read { flow, limit }),
        1 => (1_u8..3, option::of(0_u8..4), any::<bool>())
            .prop_map(|(limit, state, tagged)| FlowOp::List { limit, state, tagged }),
        1 => (any::<u8>(), 1_u8..4).prop_map(|(of, limit)| FlowOp::Upstream { of, limit }),
    ];
    let claim = (0_u8..2).prop_map(|lane| {
        let (offered, max_tasks) = (3, 1);
        Op::Claim { lane, offered, max_tasks, reclaims: false, instance: 0 }
    });
    prop_oneof![
        20 => ops.prop_map(Op::Flow),
        8 => claim,
        12 => Just(Op::Complete { handle: 0, result: None }),
        4 => Just(Op::Fail { handle: 0, class: 1, retry_after: None }),
        3 => Just(Op::Advance(5_000)),
        4 => Just(Op::Tick { limit: 5, filtered: false }),
    ]
}
