//! `submit_flow`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_types::{BlockReason, ExecutionId, FlowId, FlowState, NodeKey, TimestampMs};

use super::children::start_child;
use super::dependencies::Dependencies;
use super::record::{FlowRecord, FlowRun, Link, Links, Node};
use crate::error::{EngineError, FlowProblem};
use crate::fence::Fence;
use crate::machine::budget::BudgetTables;
use crate::machine::lane::{LaneTables, admits};
use crate::machine::recent::Recent;
use crate::machine::record::{ExecutionRecord, RunState, state_of};
use crate::machine::submit::{created, known_budgets};
use crate::requests::{FlowNode, FlowParent, FlowSpec, SubmittedFlow};

/// What a submitted flow does.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitFlowDecision {
    /// Store this, in one step.
    Create(Box<NewFlow>),
    /// Store nothing.
    Keep(SubmittedFlow),
}

/// What a flow is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFlow {
    /// The flow.
    pub flow: Box<FlowRecord>,
    /// Its members.
    pub members: Vec<Box<ExecutionRecord>>,
    /// The execution that starts it, and the run state that this one has by it.
    pub parent: Option<(ExecutionId, RunState)>,
}

/// The execution that starts a flow, as it says itself.
#[derive(Debug, Clone, Copy)]
pub struct Starter<'r> {
    /// Its record.
    pub record: &'r ExecutionRecord,
    /// Its lease.
    pub fence: Fence,
    /// How deep the flow lies that it belongs to, if it belongs to one.
    pub depth: Option<u32>,
}

/// Decides the submission of a flow, given the flow that already has its id, and a way to find who
/// starts it, which is asked when somebody does and there is none.
///
/// # Errors
/// Those of [`FlowSpec::validate`]; [`FlowProblem::Id`]; those of `starter_of`;
/// [`EngineError::State`] when the lease of its starter is not live, and
/// [`EngineError::LimitExceeded`] when that has started too many, or lies too deep;
/// [`EngineError::NotFound`] for a budget of a node; [`EngineError::LaneDraining`] and
/// [`EngineError::LaneFull`] for its lane. In this order
/// `[children.start_is_refused_for_its_graph_first]`.
pub fn submit_flow<'r>(
    spec: &FlowSpec,
    same_id: Option<&FlowRecord>,
    starter_of: impl FnOnce(&FlowParent) -> Result<Starter<'r>, EngineError>,
    tables: &(impl BudgetTables + LaneTables),
    now: TimestampMs,
) -> Result<SubmitFlowDecision, EngineError> {
    spec.validate()?;
    let fingerprint = spec.fingerprint();
    if let Some(flow) = same_id {
        if flow.fingerprint == fingerprint {
            return Ok(SubmitFlowDecision::Keep(SubmittedFlow::new(spec.id())));
        }
        return Err(EngineError::flow(FlowProblem::Id, spec.id()));
    }
    let (parent, depth) = match spec.parent() {
        Some(parent) => {
            let Starter { record, fence, depth } = starter_of(parent)?;
            let (next, depth) = start_child(record, &fence, spec.id(), depth, now)?;
            (Some((fence.execution, next)), depth)
        }
        None => (None, 0),
    };
    let waits = lanes_admit(spec.nodes(), tables)?;
    let nodes = links(spec);
    let members = spec.nodes().iter().zip(0..).zip(&nodes).map(|((node, index), links)| {
        let total = u32::try_from(links.parents.len()).expect("a flow has fewer edges");
        let mut record = member(spec.id(), index, node, Dependencies::open_edges(total), now);
        record.run.time_to_live_ms = waits[index as usize];
        Box::new(record)
    });
    let members: Vec<_> = members.collect();
    let count = |number: usize| u32::try_from(number).expect("a flow has fewer");
    let flow = FlowRecord {
        id: spec.id(),
        fingerprint,
        policy: spec.policy,
        retention: spec.retention,
        tags: spec.tags.clone(),
        submitted_at: now,
        parent: parent.as_ref().map(|(execution, _)| *execution),
        depth,
        budgets: spec.budgets().to_vec(),
        run: FlowRun {
            state: FlowState::Open,
            revision: SubmittedFlow::new(spec.id()).revision,
            edges: count(spec.edges().len()),
            open: count(members.len()),
            unhandled: 0,
            deadline: spec.deadline,
            cancel: None,
            ended_at: None,
            marks: Recent::default(),
        },
        nodes,
    };
    let flow = Box::new(flow);
    Ok(SubmitFlowDecision::Create(Box::new(NewFlow { flow, members, parent })))
}

/// How long each of these nodes may wait in its lane, once all of their budgets are there and all of their
/// lanes take them in.
pub(super) fn lanes_admit(
    nodes: &[FlowNode],
    tables: &(impl BudgetTables + LaneTables),
) -> Result<Vec<Option<u64>>, EngineError> {
    nodes.iter().try_for_each(|node| known_budgets(&node.submission, tables))?;
    nodes.iter().map(|node| admits(tables, &node.submission.lane)).collect()
}

fn links(spec: &FlowSpec) -> Vec<Links> {
    let places: BTreeMap<&NodeKey, u32> =
        spec.nodes().iter().map(|node| &node.key).zip(0..).collect();
    let mut nodes = vec![Links::default(); spec.nodes().len()];
    for edge in spec.edges() {
        let (from, to) = (places[&edge.from], places[&edge.to]);
        let condition = edge.condition;
        nodes[from as usize].children.push(Link { node: to, condition });
        nodes[to as usize].parents.push(Link { node: from, condition });
    }
    nodes
}

/// A member that has never run.
pub(super) fn member(
    flow: FlowId,
    index: u32,
    node: &FlowNode,
    dependencies: Dependencies,
    now: TimestampMs,
) -> ExecutionRecord {
    let fingerprint = node.submission.fingerprint();
    let mut record = created(&node.submission, fingerprint, now);
    let (key, join, rest) = (node.key.clone(), node.join, node.rest);
    record.node = Some(Arc::new(Node { flow, key, index, join, rest }));
    record.run.dependencies = dependencies;
    if dependencies.is_undecided() {
        record.run.reasons = record.run.reasons.with(BlockReason::Dependencies);
        record.run.state = state_of(record.run.reasons);
    }
    record
}
