//! `extend_flow`.

use std::collections::{BTreeMap, BTreeSet};

use ff_types::{FlowState, JoinPolicy, NodeKey, TimestampMs, limits};

use super::dependencies::{Dependencies, JoinDecision};
use super::propagate::{FlowTables, Propagation, has_not_started, hold_back};
use super::record::{FlowMark, FlowRecord, Link, Links};
use super::submit::{lanes_admit, member};
use crate::error::{EngineError, FlowProblem, GraphProblem};
use crate::machine::budget::BudgetTables;
use crate::machine::lane::LaneTables;
use crate::machine::lifecycle::Verb;
use crate::requests::{ExtendFlow, ExtendOutcome, at_most, check_graph};

/// Extends an open flow, whose budgets the new nodes draw on.
///
/// # Errors
/// [`EngineError::NotFound`], [`EngineError::Flow`], [`EngineError::Graph`],
/// [`EngineError::LimitExceeded`], [`EngineError::LaneDraining`], [`EngineError::LaneFull`].
pub fn extend_flow(
    tables: &mut (impl FlowTables + BudgetTables + LaneTables),
    request: &ExtendFlow,
    now: TimestampMs,
) -> Result<ExtendOutcome, EngineError> {
    request.validate()?;
    let id = request.flow_id();
    let flow = tables.flow(id).ok_or_else(|| EngineError::flow_not_found(id))?;
    if let Some(revision) = extended_before(flow, request) {
        return Ok(ExtendOutcome::new(revision));
    }
    accepts(flow, request)?;
    let request = &*request.drawing_on(&flow.budgets)?;
    let known = keys(tables, flow);
    let known_edges = edges(flow);
    check_graph(&known, &known_edges, request.nodes(), request.edges())?;
    let added = Added::of(&known, request);
    at_most("touched_nodes", added.touched(), limits::FLOW_EXTENSION_TOUCHED_MAX)?;
    for index in added.children_there() {
        let record = tables.member(member_id(flow, index)).expect("a flow's members are there");
        if !has_not_started(&record.run) {
            let key = known[index as usize].0.clone();
            return Err(GraphProblem::NodeStarted { key }.into());
        }
    }
    let waits = lanes_admit(request.nodes(), tables)?;
    Ok(apply(tables, request, &added, &waits, now))
}

/// The revision that this same request gave the flow, if it was made before. For backends.
pub fn extended_before(flow: &FlowRecord, request: &ExtendFlow) -> Option<u64> {
    flow.run.marks.iter().find_map(|mark| match mark {
        FlowMark::Extended(id, revision) if *id == request.request_id => Some(*revision),
        _ => None,
    })
}

/// Whether the flow is as the request supposes.
fn accepts(flow: &FlowRecord, request: &ExtendFlow) -> Result<(), EngineError> {
    let run = &flow.run;
    let refuse = |kind| Err(EngineError::flow(kind, flow.id));
    if run.state != FlowState::Open {
        return refuse(FlowProblem::Ended { state: run.state });
    }
    if run.cancel.is_some() {
        return refuse(FlowProblem::Cancelled);
    }
    if run.revision != request.expected_revision()
        || flow.nodes.len() != request.node_count() as usize
    {
        return refuse(FlowProblem::Revision { actual: run.revision });
    }
    Ok(())
}

fn member_id(flow: &FlowRecord, index: u32) -> ff_types::ExecutionId {
    flow.id.member(u16::try_from(index).expect("a flow has fewer nodes"))
}

fn keys(tables: &impl FlowTables, flow: &FlowRecord) -> Vec<(NodeKey, JoinPolicy)> {
    let count = u32::try_from(flow.nodes.len()).expect("a flow has fewer nodes");
    let node = |index| {
        let record = tables.member(member_id(flow, index))?;
        record.node.as_deref().map(|node| (node.key.clone(), node.join))
    };
    (0..count).map(|index| node(index).expect("a flow's members are there")).collect()
}

fn edges(flow: &FlowRecord) -> Vec<(u32, u32)> {
    let of = |(links, from): (&Links, u32)| {
        links.children.iter().map(move |link| (from, link.node)).collect::<Vec<_>>()
    };
    flow.nodes.iter().zip(0..).flat_map(of).collect()
}

/// The new edges by indexes, in the order in which they were given.
struct Added {
    first: u32,
    edges: Vec<(u32, Link)>,
}

impl Added {
    fn of(known: &[(NodeKey, JoinPolicy)], request: &ExtendFlow) -> Self {
        let keys = known.iter().map(|(key, _)| key);
        let keys = keys.chain(request.nodes().iter().map(|node| &node.key));
        let places: BTreeMap<&NodeKey, u32> = keys.zip(0..).collect();
        let edges = request.edges().iter().map(|edge| {
            let link = Link { node: places[&edge.to], condition: edge.condition };
            (places[&edge.from], link)
        });
        Self { first: request.node_count(), edges: edges.collect() }
    }

    fn children_there(&self) -> BTreeSet<u32> {
        let children = self.edges.iter().map(|(_, link)| link.node);
        children.filter(|index| *index < self.first).collect()
    }

    /// How many nodes that are there get an edge.
    fn touched(&self) -> usize {
        let ends = self.edges.iter().flat_map(|(from, link)| [*from, link.node]);
        ends.filter(|index| *index < self.first).collect::<BTreeSet<_>>().len()
    }

    /// How many new edges lead to a node.
    fn leading_to(&self, index: u32) -> u32 {
        let count = self.edges.iter().filter(|(_, link)| link.node == index).count();
        u32::try_from(count).expect("a flow has fewer edges")
    }
}

fn apply(
    tables: &mut impl FlowTables,
    request: &ExtendFlow,
    added: &Added,
    waits: &[Option<u64>],
    now: TimestampMs,
) -> ExtendOutcome {
    let id = request.flow_id();
    for ((node, waits), index) in request.nodes().iter().zip(waits).zip(added.first..) {
        let edges = Dependencies::open_edges(added.leading_to(index));
        let mut record = member(id, index, node, edges, now);
        record.run.time_to_live_ms = *waits;
        tables.insert(Box::new(record));
    }
    let mut work = Propagation::of(tables, id, now);
    let flow = work.flow_mut();
    let count = request.nodes().len();
    flow.nodes.extend(std::iter::repeat_n(Links::default(), count));
    for (from, link) in &added.edges {
        flow.nodes[*from as usize].children.push(*link);
        let back = Link { node: *from, condition: link.condition };
        flow.nodes[link.node as usize].parents.push(back);
    }
    let run = &mut flow.run;
    run.open += u32::try_from(count).expect("a flow has fewer nodes");
    run.edges += u32::try_from(added.edges.len()).expect("a flow has fewer edges");
    run.revision += 1;
    let revision = run.revision;
    run.marks.push(FlowMark::Extended(request.request_id, revision));
    for index in added.children_there() {
        let record = work.member(index);
        let (join, mut next) = (work.node(index).join, record.run.clone());
        next.dependencies.total += added.leading_to(index);
        if next.dependencies.decided(join) == JoinDecision::Open {
            if next.dependencies.is_fired() && next.dependencies.failed > 0 {
                work.held_back(index);
            }
            hold_back(&mut next);
        }
        work.put(Verb::ExtendFlow, index, next);
    }
    // What ends by one of these edges counts its own later, and not here.
    let ended = added.edges.iter().filter_map(|(from, link)| {
        let outcome = (*from < added.first).then(|| work.member(*from).run.state.outcome());
        Some((*from, *link, outcome.flatten()?))
    });
    for (from, link, outcome) in ended.collect::<Vec<_>>() {
        work.count_one(from, link, outcome);
    }
    work.run();
    ExtendOutcome::new(revision)
}
