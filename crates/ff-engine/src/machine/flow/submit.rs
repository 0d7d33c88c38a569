//! `submit_flow`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ff_types::{BlockReason, FlowId, FlowState, NodeKey, TimestampMs};

use super::dependencies::Dependencies;
use super::record::{FlowRecord, FlowRun, Link, Links, Node};
use crate::error::{EngineError, FlowProblem};
use crate::machine::recent::Recent;
use crate::machine::record::{ExecutionRecord, state_of};
use crate::machine::submit::created;
use crate::requests::{FlowNode, FlowSpec, SubmittedFlow};

/// What a submitted flow does.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitFlowDecision {
    /// Store this flow and these members, in one step.
    Create(Box<FlowRecord>, Vec<Box<ExecutionRecord>>),
    /// Store nothing.
    Keep(SubmittedFlow),
}

/// Decides the submission of a flow, given the flow that already has its id.
///
/// # Errors
/// Those of [`FlowSpec::validate`]; [`FlowProblem::Id`].
pub fn submit_flow(
    spec: &FlowSpec,
    same_id: Option<&FlowRecord>,
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
    let nodes = links(spec);
    let members = spec.nodes().iter().zip(0..).zip(&nodes).map(|((node, index), links)| {
        let total = u32::try_from(links.parents.len()).expect("a flow has fewer edges");
        Box::new(member(spec.id(), index, node, Dependencies::open_edges(total), now))
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
    Ok(SubmitFlowDecision::Create(Box::new(flow), members))
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
