//! The flows of a store: their records and timers, and what the end of a member does to the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{ExecutionRecord, FlowRecord, FlowTables, RunState};
use ff_engine::{CancelView, EngineError};
use ff_types::{ExecutionId, FlowId, NodeKey, TimestampMs};
use tokio::sync::oneshot;

use crate::store::Store;
use crate::timers::Timed;

/// The flows, in the order of ids, which is the order of listings.
#[derive(Default)]
pub(crate) struct Flows {
    records: BTreeMap<FlowId, Kept>,
    waiting: HashMap<FlowId, Vec<oneshot::Sender<()>>>,
}

struct Kept {
    flow: Box<FlowRecord>,
    /// The time under which it stands among the timers.
    timed_at: Option<TimestampMs>,
}

impl Flows {
    pub(crate) fn get(&self, id: FlowId) -> Option<&FlowRecord> {
        self.records.get(&id).map(|kept| kept.flow.as_ref())
    }

    /// Flows in the order of ids.
    pub(crate) fn range(
        &self,
        range: impl std::ops::RangeBounds<FlowId>,
    ) -> impl Iterator<Item = &FlowRecord> {
        self.records.range(range).map(|(_, kept)| kept.flow.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Registers a call that waits for the end of a flow.
    pub(crate) fn wait(&mut self, id: FlowId) -> oneshot::Receiver<()> {
        let (wake, wakeup) = oneshot::channel();
        let waiting = self.waiting.entry(id).or_default();
        waiting.retain(|other| !other.is_closed());
        waiting.push(wake);
        wakeup
    }

    /// How many flows somebody waits for.
    pub(crate) fn awaited(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets waits that were given up.
    pub(crate) fn purge(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|wake| !wake.is_closed());
            !waiting.is_empty()
        });
    }

    fn tell(&mut self, id: FlowId) {
        for wait in self.waiting.remove(&id).into_iter().flatten() {
            // A wait that was given up has dropped its end.
            let _gone = wait.send(());
        }
    }
}

impl Store {
    /// The record of a flow.
    pub(crate) fn flow_record(&self, id: FlowId) -> Result<&FlowRecord, EngineError> {
        self.flows.get(id).ok_or_else(|| EngineError::flow_not_found(id))
    }

    /// Adds a flow with all its members.
    pub(crate) fn insert_flow(
        &mut self,
        flow: Box<FlowRecord>,
        members: impl IntoIterator<Item = Box<ExecutionRecord>>,
    ) {
        for member in members {
            self.insert(Verb::SubmitFlow, member);
        }
        let id = flow.id;
        self.flows.records.insert(id, Kept { flow, timed_at: None });
        self.flow_changed(id);
    }

    /// Removes a flow whose retention has passed, with all its members.
    pub(crate) fn remove_flow(&mut self, id: FlowId) {
        let Some(Kept { flow, timed_at }) = self.flows.records.remove(&id) else { return };
        self.timers.remove(&flow.tags, &Timed::Flow(id), timed_at);
        if self.distortion.removes_members() {
            members_of(&flow).for_each(|member| self.remove(member));
        }
        self.flows.tell(id);
    }

    /// Whether the node of this key has ended.
    pub(crate) fn has_ended(&self, id: FlowId, key: &NodeKey) -> bool {
        let mut members = self.flows.get(id).into_iter().flat_map(|flow| self.members(flow));
        members.any(|member| {
            member.run.state.is_terminal()
                && member.node.as_deref().is_some_and(|node| node.key == *key)
        })
    }

    /// The members of a flow, in the order of their indexes.
    pub(crate) fn members<'s>(
        &'s self,
        flow: &'s FlowRecord,
    ) -> impl Iterator<Item = &'s ExecutionRecord> {
        members_of(flow).filter_map(|id| self.records.get(&id)).map(Box::as_ref)
    }
}

/// The executions of a flow, in the order of their indexes.
pub(crate) fn members_of(flow: &FlowRecord) -> impl Iterator<Item = ExecutionId> + use<> {
    let (id, count) = (flow.id, flow.nodes.len());
    (0..u16::MAX).take(count).map(move |index| id.member(index))
}

impl FlowTables for Store {
    fn flow(&self, id: FlowId) -> Option<&FlowRecord> {
        self.flows.get(id)
    }

    fn flow_mut(&mut self, id: FlowId) -> Option<&mut FlowRecord> {
        self.flows.records.get_mut(&id).map(|kept| kept.flow.as_mut())
    }

    fn flow_changed(&mut self, id: FlowId) {
        let Some(kept) = self.flows.records.get_mut(&id) else { return };
        let (before, due) = (kept.timed_at, kept.flow.due());
        if before != due {
            self.timers.remove(&kept.flow.tags, &Timed::Flow(id), before);
            self.timers.insert(&kept.flow.tags, &Timed::Flow(id), due);
            kept.timed_at = due;
        }
        if kept.flow.run.state.is_terminal() {
            self.flows.tell(id);
        }
    }

    fn flow_ended(&mut self, id: FlowId, last: ExecutionId) {
        if let Some(kept) = self.flows.records.get(&id) {
            self.log.flow_ended(&kept.flow, last);
            self.logged.notify_waiters();
        }
    }

    fn member(&self, id: ExecutionId) -> Option<&ExecutionRecord> {
        self.records.get(&id).map(Box::as_ref)
    }

    fn insert(&mut self, member: Box<ExecutionRecord>) {
        self.insert(Verb::ExtendFlow, member);
    }

    fn put(&mut self, verb: Verb, id: ExecutionId, next: RunState, now: TimestampMs) {
        let earlier = self.replace(verb, id, next);
        self.settle_budgets(id, &earlier, now);
        self.settle_lane(id, &earlier, now);
    }

    fn set_flow_cancel(&mut self, id: ExecutionId, cancel: Option<Arc<CancelView>>) {
        let record = self.records.get_mut(&id).filter(|_| self.distortion.tells_members());
        if let Some(record) = record {
            record.flow_cancel = cancel;
        }
    }
}
