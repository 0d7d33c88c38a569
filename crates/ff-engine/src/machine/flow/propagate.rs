//! What the end of a member does to the others: counted edges, nodes that run or are skipped, parents
//! that are needed no more, and at last the end of the flow.
//!
//! The order is fixed, so that every store comes to the same end: a cancellation of the flow goes over
//! all its members first; then the ends of members are counted at their children, first come first
//! served; and when no end is left to be counted, the nodes that were decided meanwhile let their
//! parents go. A store may stop between two steps as long as it goes on later.

use std::collections::VecDeque;
use std::sync::Arc;

use ff_types::backend::CancelFlowPolicy;
use ff_types::{
    BlockReason, ExecutionId, ExecutionState, FlowId, FlowPolicy, FlowState, JoinRest,
    TerminalOutcome, TimestampMs,
};

use super::children::{cancel_orphans, child_ended, child_reopened, orphans};
use super::dependencies::{Dependencies, JoinDecision};
use super::record::{FlowRecord, Link, Node};
use crate::machine::lifecycle::Verb;
use crate::machine::record::{ExecutionRecord, RunState, state_of};
use crate::requests::{CancelCause, CancelView, FlowCancelView};

/// What the functions over flows need of a store, within one transaction.
pub trait FlowTables {
    /// A flow.
    fn flow(&self, id: FlowId) -> Option<&FlowRecord>;

    /// A flow, to be changed. When it is due may change by it: [`FlowTables::flow_changed`] follows.
    fn flow_mut(&mut self, id: FlowId) -> Option<&mut FlowRecord>;

    /// The flow was changed.
    fn flow_changed(&mut self, id: FlowId);

    /// The flow has ended with the end of this member: the completion log says so.
    fn flow_ended(&mut self, id: FlowId, last: ExecutionId);

    /// An execution.
    fn member(&self, id: ExecutionId) -> Option<&ExecutionRecord>;

    /// Stores a new member.
    fn insert(&mut self, member: Box<ExecutionRecord>);

    /// Replaces the run state of a member, and brings the indexes along. What its end means for
    /// others is not the store's concern here.
    fn put(&mut self, verb: Verb, id: ExecutionId, next: RunState, now: TimestampMs);

    /// Tells a member that its flow is being cancelled, or is not any more.
    fn set_flow_cancel(&mut self, id: ExecutionId, cancel: Option<Arc<CancelView>>);
}

/// An execution that was as `before` has ended by a verb of its own, and its record says so: does what
/// that means for the flow that it belongs to, and for those that it started.
pub fn execution_ended(
    tables: &mut impl FlowTables,
    id: ExecutionId,
    before: &RunState,
    now: TimestampMs,
) {
    let Some(record) = tables.member(id) else { return };
    let (node, Some(outcome)) = (record.node.clone(), record.run.state.outcome()) else { return };
    if let Some(node) = node {
        let mut work = Propagation::of(tables, node.flow, now);
        work.ended(node.index, outcome);
        work.run();
    }
    cancel_orphans(tables, orphans(before, outcome), now);
}

/// A member that had ended like this was reopened by a verb of its own: takes back what its end meant.
pub fn member_reopened(
    tables: &mut impl FlowTables,
    id: ExecutionId,
    outcome: TerminalOutcome,
    was_unhandled: bool,
    now: TimestampMs,
) {
    let Some(node) = tables.member(id).and_then(|record| record.node.clone()) else { return };
    let mut work = Propagation::of(tables, node.flow, now);
    if was_unhandled {
        work.flow_mut().run.unhandled -= 1;
    }
    work.reopened(node.index, outcome);
    let dependencies = work.member(node.index).run.dependencies;
    if dependencies.is_fired() {
        work.take_failures(node.index);
    } else if dependencies.failed > 0 {
        work.held_back(node.index);
    }
    work.run();
}

enum Step {
    Count { node: u32, outcome: TerminalOutcome },
    Retract { node: u32, outcome: TerminalOutcome },
}

/// What a node means for its parents.
enum Decided {
    /// It runs or is skipped.
    Now(u32),
    /// It was to run, and waits again.
    NotAfterAll(u32),
}

/// The work on one flow within one transaction.
pub(super) struct Propagation<'t, T> {
    pub(super) tables: &'t mut T,
    pub(super) id: FlowId,
    now: TimestampMs,
    steps: VecDeque<Step>,
    decided: VecDeque<Decided>,
    /// The member that ended last.
    last: Option<u32>,
    /// Child flows of members that ended without success.
    orphans: Vec<FlowId>,
}

impl<'t, T: FlowTables> Propagation<'t, T> {
    pub(super) fn of(tables: &'t mut T, id: FlowId, now: TimestampMs) -> Self {
        Self {
            tables,
            id,
            now,
            steps: VecDeque::new(),
            decided: VecDeque::new(),
            last: None,
            orphans: Vec::new(),
        }
    }

    pub(super) fn flow(&self) -> &FlowRecord {
        self.tables.flow(self.id).expect("a member's flow is there")
    }

    pub(super) fn flow_mut(&mut self) -> &mut FlowRecord {
        self.tables.flow_mut(self.id).expect("a member's flow is there")
    }

    pub(super) fn member(&self, node: u32) -> &ExecutionRecord {
        self.tables.member(self.execution(node)).expect("a flow's members are there")
    }

    pub(super) fn node(&self, node: u32) -> Arc<Node> {
        self.member(node).node.clone().expect("a member is a node")
    }

    fn execution(&self, node: u32) -> ExecutionId {
        self.id.member(u16::try_from(node).expect("a flow has fewer nodes"))
    }

    pub(super) fn put(&mut self, verb: Verb, node: u32, next: RunState) {
        self.tables.put(verb, self.execution(node), next, self.now);
    }

    /// Does everything that is left to do, and ends the flow when its last member has.
    pub(super) fn run(mut self) {
        loop {
            if let Some(step) = self.steps.pop_front() {
                match step {
                    Step::Count { node, outcome } => self.count(node, outcome),
                    Step::Retract { node, outcome } => self.retract(node, outcome),
                }
            } else {
                match self.decided.pop_front() {
                    Some(Decided::Now(node)) => self.let_parents_go(node),
                    Some(Decided::NotAfterAll(node)) => self.leave_failures(node),
                    None => break,
                }
            }
        }
        let now = self.now;
        let run = &mut self.flow_mut().run;
        if run.open == 0 && run.state == FlowState::Open {
            run.state = run.outcome();
            run.ended_at = Some(now);
            let last = self.last.expect("a flow ends with a member");
            self.tables.flow_ended(self.id, self.execution(last));
            if self.flow().run.cancel.is_some() {
                self.end_cancellation();
            }
            if let Some(parent) = self.flow().parent {
                child_ended(self.tables, parent, self.id, now);
            }
        }
        self.tables.flow_changed(self.id);
        cancel_orphans(self.tables, self.orphans, now);
    }

    /// No member can start any more but by a replay.
    fn end_cancellation(&mut self) {
        let count = u32::try_from(self.flow().nodes.len()).expect("a flow has fewer nodes");
        for node in 0..count {
            self.tables.set_flow_cancel(self.execution(node), None);
        }
    }

    /// Notes that a member has ended.
    pub(super) fn ended(&mut self, node: u32, outcome: TerminalOutcome) {
        self.last = Some(node);
        self.flow_mut().count(true);
        if outcome.is_failure() {
            let mut next = self.member(node).run.clone();
            next.unhandled = true;
            self.put(Verb::Promote, node, next);
            self.flow_mut().run.unhandled += 1;
        }
        self.steps.push_back(Step::Count { node, outcome });
    }

    /// Notes that a member has not ended after all. A flow that had is open again: its cancellation is
    /// lifted, and as with an execution, a deadline that has passed is dropped.
    fn reopened(&mut self, node: u32, outcome: TerminalOutcome) {
        let now = self.now;
        let flow = self.flow_mut();
        flow.count(false);
        let parent = flow.parent.filter(|_| flow.run.state.is_terminal());
        if flow.run.state.is_terminal() {
            flow.run.cancel = None;
            flow.run.deadline = flow.run.deadline.filter(|deadline| *deadline > now);
        }
        flow.run.state = FlowState::Open;
        flow.run.ended_at = None;
        if let Some(parent) = parent {
            child_reopened(self.tables, parent, self.id, now);
        }
        self.steps.push_back(Step::Retract { node, outcome });
    }

    /// Counts the end of a node at its children.
    fn count(&mut self, parent: u32, outcome: TerminalOutcome) {
        let children = self.flow().nodes[parent as usize].children.clone();
        let mut may_be_taken = false;
        for link in children {
            let decision = self.count_one(parent, link, outcome);
            let takes = Dependencies::takes(self.node(link.node).join, link.condition);
            may_be_taken |= takes && matches!(decision, JoinDecision::Open | JoinDecision::Fired);
        }
        let flow = self.flow();
        if outcome.is_failure()
            && !may_be_taken
            && flow.policy == FlowPolicy::FailFast
            && flow.run.cancel.is_none()
        {
            let reason = format!("node {} failed", self.node(parent).key);
            self.cancel(CancelCause::FailFast, CancelFlowPolicy::CancelAll, reason);
        }
    }

    /// Counts the end of a parent at one child, decides, and answers what is decided.
    pub(super) fn count_one(
        &mut self,
        parent: u32,
        link: Link,
        outcome: TerminalOutcome,
    ) -> JoinDecision {
        let child = self.member(link.node);
        let (join, mut next) = (self.node(link.node).join, child.run.clone());
        next.dependencies.count(join, link.condition, outcome);
        let (was, is) = (next.dependencies.decision, next.dependencies.decided(join));
        match (was, is) {
            (JoinDecision::Open, JoinDecision::Fired) => self.fire(link.node, next),
            (JoinDecision::Open, JoinDecision::Skipped) => self.skip(link.node, next),
            _ => {
                self.put(Verb::Promote, link.node, next);
                if was == JoinDecision::Fired
                    && outcome.is_failure()
                    && Dependencies::takes(join, link.condition)
                {
                    self.take_failure(parent);
                }
            }
        }
        self.member(link.node).run.dependencies.decision
    }

    /// Lets a node run.
    pub(super) fn fire(&mut self, node: u32, mut next: RunState) {
        next.dependencies.decision = JoinDecision::Fired;
        next.reasons = next.reasons.without(BlockReason::Dependencies);
        next.state = state_of(next.reasons);
        if next.state == ExecutionState::Ready {
            next.ready_at = self.now;
        }
        self.after_decision(node, &next);
        match self.member(node).flow_cancel.clone() {
            Some(cancel) => self.end_cancelled(Verb::Promote, node, next, cancel),
            None => self.put(Verb::Promote, node, next),
        }
    }

    /// Skips a node that cannot run any more.
    pub(super) fn skip(&mut self, node: u32, mut next: RunState) {
        next.dependencies.decision = JoinDecision::Skipped;
        next.end(TerminalOutcome::Skipped, self.now);
        self.after_decision(node, &next);
        self.put(Verb::Promote, node, next);
        self.ended(node, TerminalOutcome::Skipped);
    }

    fn after_decision(&mut self, node: u32, next: &RunState) {
        let took = next.dependencies.is_fired() && next.dependencies.failed > 0;
        if took || self.node(node).rest == JoinRest::CancelRemaining {
            self.decided.push_back(Decided::Now(node));
        }
    }

    /// A node that took failures waits again, and may not run: they are left to themselves until it does.
    pub(super) fn held_back(&mut self, node: u32) {
        self.decided.push_back(Decided::NotAfterAll(node));
    }

    fn end_cancelled(
        &mut self,
        verb: Verb,
        node: u32,
        mut next: RunState,
        cancel: Arc<CancelView>,
    ) {
        next.cancel.get_or_insert(cancel);
        self.orphans.extend(orphans(&next, TerminalOutcome::Cancelled));
        next.end(TerminalOutcome::Cancelled, self.now);
        self.put(verb, node, next);
        self.ended(node, TerminalOutcome::Cancelled);
    }

    /// A node ran, because of this failure or in spite of it.
    fn take_failure(&mut self, node: u32) {
        let run = &self.member(node).run;
        if run.unhandled {
            let mut next = run.clone();
            next.unhandled = false;
            self.put(Verb::Promote, node, next);
            self.flow_mut().run.unhandled -= 1;
        }
    }

    /// A node that runs takes the failures that came to it.
    fn take_failures(&mut self, node: u32) {
        let join = self.node(node).join;
        let parents = self.flow().nodes[node as usize].parents.clone();
        for link in parents.iter().filter(|link| Dependencies::takes(join, link.condition)) {
            self.take_failure(link.node);
        }
    }

    /// A node that waits again leaves the failures of its parents that no other node takes.
    fn leave_failures(&mut self, node: u32) {
        if self.member(node).run.dependencies.is_fired() {
            return;
        }
        let join = self.node(node).join;
        let parents = self.flow().nodes[node as usize].parents.clone();
        for link in parents.iter().filter(|link| Dependencies::takes(join, link.condition)) {
            let run = &self.member(link.node).run;
            let failed = run.state.outcome().is_some_and(TerminalOutcome::is_failure);
            if failed && !run.unhandled && !self.is_taken(link.node) {
                let mut next = run.clone();
                next.unhandled = true;
                self.put(Verb::Promote, link.node, next);
                self.flow_mut().run.unhandled += 1;
            }
        }
    }

    /// Whether a node runs because of the failure of this one or in spite of it.
    fn is_taken(&self, node: u32) -> bool {
        self.flow().nodes[node as usize].children.iter().any(|link| {
            self.member(link.node).run.dependencies.is_fired()
                && Dependencies::takes(self.node(link.node).join, link.condition)
        })
    }

    /// A decided node takes the failures that came to it, when it runs, and has those parents cancelled
    /// that nobody needs any more, when it asked for that.
    fn let_parents_go(&mut self, node: u32) {
        if self.member(node).run.dependencies.is_fired() {
            self.take_failures(node);
        }
        let rest = self.node(node).rest;
        let parents = self.flow().nodes[node as usize].parents.clone();
        for link in parents {
            if rest == JoinRest::CancelRemaining && !self.is_needed(link.node) {
                let reason = format!("node {} needs it no more", self.node(node).key);
                self.cancel_member(
                    Verb::Promote,
                    link.node,
                    Arc::new(CancelView::new(reason, self.now)),
                );
            }
        }
    }

    /// Whether an undecided node waits for this one.
    fn is_needed(&self, node: u32) -> bool {
        let children = &self.flow().nodes[node as usize].children;
        children.iter().any(|link| self.member(link.node).run.dependencies.is_undecided())
    }

    /// Cancels a member that has not ended: one that runs is told, any other ends.
    fn cancel_member(&mut self, verb: Verb, node: u32, cancel: Arc<CancelView>) {
        let run = &self.member(node).run;
        if run.state.is_terminal() {
            return;
        }
        let mut next = run.clone();
        if next.state != ExecutionState::Active {
            self.end_cancelled(verb, node, next, cancel);
        } else if next.cancel.is_none() {
            next.cancel = Some(cancel);
            self.put(verb, node, next);
        }
    }

    /// Cancels the flow, or takes its cancellation further.
    pub(super) fn cancel(&mut self, cause: CancelCause, policy: CancelFlowPolicy, reason: String) {
        let now = self.now;
        let run = &mut self.flow_mut().run;
        let cancel = match run.cancel.as_deref() {
            Some(before) => FlowCancelView { policy, ..before.clone() },
            None => FlowCancelView::new(cause, policy, reason, now),
        };
        run.cancel = Some(Arc::new(cancel));
        let shown = run.member_cancel().expect("it was set");
        let verb = if cause == CancelCause::Requested { Verb::CancelFlow } else { Verb::Promote };
        let count = u32::try_from(self.flow().nodes.len()).expect("a flow has fewer nodes");
        for node in 0..count {
            self.tables.set_flow_cancel(self.execution(node), Some(Arc::clone(&shown)));
            let run = &self.member(node).run;
            let goes_on = run.attempt.is_some_and(|attempt| attempt.open);
            let reached = match policy {
                CancelFlowPolicy::CancelAll => true,
                CancelFlowPolicy::CancelPending => !goes_on,
                _ => false,
            };
            if reached {
                self.cancel_member(verb, node, Arc::clone(&shown));
            }
        }
    }

    /// Takes the end of a node back at its children.
    fn retract(&mut self, parent: u32, outcome: TerminalOutcome) {
        let children = self.flow().nodes[parent as usize].children.clone();
        for link in children {
            let child = self.member(link.node);
            let (join, mut next) = (self.node(link.node).join, child.run.clone());
            next.dependencies.retract(join, link.condition, outcome);
            let undecided = next.dependencies.decided(join) == JoinDecision::Open;
            match next.dependencies.decision {
                JoinDecision::Fired if undecided && has_not_started(&next) => {
                    hold_back(&mut next);
                    if next.dependencies.failed > 0 {
                        self.held_back(link.node);
                    }
                }
                JoinDecision::Skipped if undecided => {
                    next.ready_at = next.open_again(self.now);
                    hold_back(&mut next);
                    self.put(Verb::Promote, link.node, next);
                    self.reopened(link.node, TerminalOutcome::Skipped);
                    continue;
                }
                _ => {}
            }
            self.put(Verb::Promote, link.node, next);
        }
    }
}

/// Whether a member could still wait for another parent.
pub(super) const fn has_not_started(run: &RunState) -> bool {
    run.attempt.is_none() && !run.state.is_terminal()
}

/// Makes a node wait for its edges again.
pub(super) fn hold_back(next: &mut RunState) {
    next.dependencies.decision = JoinDecision::Open;
    next.reasons = next.reasons.with(BlockReason::Dependencies);
    next.state = state_of(next.reasons);
}
