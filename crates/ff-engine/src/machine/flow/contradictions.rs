//! What a sound flow never is: everything that is counted, counted again.

use ff_types::backend::CancelFlowPolicy;
use ff_types::{ExecutionState, FlowState};

use super::dependencies::{Dependencies, JoinDecision};
use super::record::{FlowRecord, Link, Node};
use crate::machine::record::ExecutionRecord;

/// What contradicts itself in a flow with these members, a sentence each; none in a sound one. For
/// the self-checks of backends.
pub fn flow_contradictions(flow: &FlowRecord, members: &[&ExecutionRecord]) -> Vec<String> {
    let mut faults = Vec::new();
    if members.len() == flow.nodes.len() {
        faults.extend(of_counts(flow, members));
        for (index, member) in (0..).zip(members) {
            faults.extend(of_member(flow, members, index, member));
            faults.extend(of_links(flow, index));
        }
    } else {
        faults.push(format!("{} of {} members are there", members.len(), flow.nodes.len()));
    }
    faults.into_iter().map(|fault| format!("flow {}: {fault}", flow.id)).collect()
}

fn of_counts(flow: &FlowRecord, members: &[&ExecutionRecord]) -> Vec<String> {
    let count = |holds: &dyn Fn(&ExecutionRecord) -> bool| {
        u32::try_from(members.iter().filter(|member| holds(member)).count()).unwrap_or(u32::MAX)
    };
    let run = &flow.run;
    let open = count(&|member| !member.run.state.is_terminal());
    let unhandled = count(&|member| member.run.unhandled);
    let edges: usize = flow.nodes.iter().map(|links| links.children.len()).sum();
    let goes_on = |member: &&ExecutionRecord| {
        !member.run.state.is_terminal()
            && (member.run.state != ExecutionState::Active || member.run.cancel.is_none())
    };
    let cancelled_all =
        run.cancel.as_deref().is_some_and(|cancel| cancel.policy == CancelFlowPolicy::CancelAll);
    let rules = [
        (run.open == open, "the open members are counted"),
        (run.unhandled == unhandled, "the failures left to themselves are counted"),
        (run.edges as usize == edges, "the edges are counted"),
        ((run.state == FlowState::Open) == (open > 0), "it is open while a member is"),
        (run.ended_at.is_some() == run.state.is_terminal(), "an end has a time"),
        (
            !run.state.is_terminal() || run.state == run.outcome(),
            "it ends as its members and its cancellation say",
        ),
        (
            !(cancelled_all && members.iter().any(goes_on)),
            "a cancelled member runs and is told, or has ended",
        ),
    ];
    broken(&rules)
}

fn of_member(
    flow: &FlowRecord,
    members: &[&ExecutionRecord],
    index: u32,
    member: &ExecutionRecord,
) -> Vec<String> {
    let Some(node) = member.node.as_deref() else {
        return vec![format!("member {index} knows of no flow")];
    };
    let kept = member.run.dependencies;
    let counted = counted(flow, members, index, node);
    let decided = counted.decided(node.join);
    let skipped = member.run.state == ExecutionState::Skipped;
    let taken = flow.nodes[index as usize].children.iter().any(|link| {
        let child = members[link.node as usize];
        let takes = |node: &Node| Dependencies::takes(node.join, link.condition);
        child.run.dependencies.is_fired() && child.node.as_deref().is_some_and(takes)
    });
    let rules = [
        (node.flow == flow.id && node.index == index, "a member knows its place"),
        (Dependencies { decision: kept.decision, ..counted } == kept, "the edges into it count"),
        (
            !kept.is_undecided() || decided == JoinDecision::Open,
            "a node is undecided only while its edges are",
        ),
        (
            skipped == (kept.decision == JoinDecision::Skipped),
            "a node is skipped exactly when its edges are so decided",
        ),
        (!skipped || decided == JoinDecision::Skipped, "a skipped node cannot run"),
        (!(member.run.unhandled && taken), "a failure that a node took is not left to itself"),
        (
            member.flow_cancel.is_some()
                == (flow.run.cancel.is_some() && !flow.run.state.is_terminal()),
            "members know that their flow is being cancelled",
        ),
    ];
    broken(&rules).into_iter().map(|rule| format!("{}: {rule}", node.key)).collect()
}

/// The counters of a node as the ends of its parents give them.
fn counted(
    flow: &FlowRecord,
    members: &[&ExecutionRecord],
    index: u32,
    node: &Node,
) -> Dependencies {
    let parents = &flow.nodes[index as usize].parents;
    let mut counted = Dependencies::open_edges(u32::try_from(parents.len()).unwrap_or(u32::MAX));
    for link in parents {
        if let Some(outcome) = members[link.node as usize].run.state.outcome() {
            counted.count(node.join, link.condition, outcome);
        }
    }
    counted
}

fn of_links(flow: &FlowRecord, index: u32) -> Option<String> {
    let links = &flow.nodes[index as usize];
    let back = |link: &Link| Link { node: index, condition: link.condition };
    let paired = links.children.iter().all(|link| {
        flow.nodes.get(link.node as usize).is_some_and(|to| to.parents.contains(&back(link)))
    }) && links.parents.iter().all(|link| {
        flow.nodes.get(link.node as usize).is_some_and(|from| from.children.contains(&back(link)))
    });
    (!paired).then(|| format!("an edge of node {index} is known at one end only"))
}

fn broken(rules: &[(bool, &str)]) -> Vec<String> {
    rules.iter().filter(|(holds, _)| !holds).map(|(_, rule)| (*rule).to_owned()).collect()
}
