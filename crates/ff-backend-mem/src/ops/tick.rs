//! `tick`.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, ExecutionRecord, FlowDue};
use ff_engine::roles::BackendInfo;
use ff_engine::{EngineError, TickOutcome, TickRequest, TimerOps};
use ff_types::backend::ScannerFilter;
use ff_types::{ExecutionId, FlowId, TimestampMs};

use crate::MemBackend;
use crate::store::Store;
use crate::timers::Timed;

#[async_trait]
impl TimerOps for MemBackend {
    async fn tick(&self, request: &TickRequest) -> Result<TickOutcome, EngineError> {
        request.validate()?;
        let clock = &self.inner.clock;
        let sooner = self.store().timers.sooner();
        let mut over = clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut changed = pin!(sooner.notified());
            changed.as_mut().enable();
            let outcome = self.tick_now(request);
            if request.max_wait.is_none() || outcome.handled() > 0 {
                return Ok(outcome);
            }
            let until_due = outcome.next_due.map(|at| at.saturating_since(self.now()));
            let mut due = clock.sleep(until_due.unwrap_or(Duration::MAX));
            tokio::select! {
                biased;
                () = &mut over => return Ok(outcome),
                () = changed => {}
                () = &mut due, if until_due.is_some() => {}
            }
        }
    }
}

impl MemBackend {
    fn tick_now(&self, request: &TickRequest) -> TickOutcome {
        let mut outcome = TickOutcome::default();
        if !self.serves(&request.filter) {
            return outcome;
        }
        let filter = self.inner.distortion.filter(&request.filter);
        let mut store = self.store();
        let now = self.now();
        store.keys.purge(now);
        store.repeats.purge(now);
        store.end_waiters.purge();
        store.cancel_waiters.purge();
        store.stream_waiters.purge();
        store.log.trim(now);
        store.flows.purge();
        let due: Vec<Timed> = store
            .timers
            .of(filter.instance_tag.as_ref())
            .take_while(|(at, _)| *at <= now)
            .take(request.limit as usize)
            .map(|(_, timed)| timed.clone())
            .collect();
        handle_all(&mut store, &mut outcome, &due, now);
        outcome.next_due = store
            .timers
            .of(filter.instance_tag.as_ref())
            .next()
            .map(|(at, _)| self.inner.distortion.next_due(*at));
        outcome
    }
}

/// Does what is due, schedules last: what they submit may depend on what has ended.
fn handle_all(store: &mut Store, outcome: &mut TickOutcome, due: &[Timed], now: TimestampMs) {
    let mut schedules = Vec::new();
    for timed in due {
        match timed {
            Timed::Execution(id) => handle(store, outcome, *id, now),
            Timed::Flow(id) => handle_flow(store, outcome, *id, now),
            Timed::Budget(id) => {
                outcome.budgets_looked_at += u32::from(store.look_at_budget(*id, now));
            }
            Timed::Lane(id) => {
                outcome.lanes_looked_at += u32::from(store.look_at_lane(id, now));
            }
            Timed::Schedule(id) => schedules.push(*id),
        }
    }
    for id in schedules {
        outcome.schedules_fired += u32::from(store.fire(id, now));
    }
}

/// Does what is due of an execution, unless something that came before it has changed that.
fn handle(store: &mut Store, outcome: &mut TickOutcome, id: ExecutionId, now: TimestampMs) {
    let event = store.records.get(&id).and_then(|record| machine::due(record, now));
    let Some(event) = event else { return };
    outcome.count(&event);
    match event.into_next() {
        Some(next) => store.apply(Verb::Tick, id, next, now),
        None => store.remove(id),
    }
}

/// Does what is due of a flow.
fn handle_flow(store: &mut Store, outcome: &mut TickOutcome, id: FlowId, now: TimestampMs) {
    match machine::flow_tick(store, id, now) {
        Some(FlowDue::Expired) => outcome.flows_expired += 1,
        Some(FlowDue::Remove) => {
            store.remove_flow(id);
            outcome.flows_removed += 1;
        }
        None => {}
    }
}

impl MemBackend {
    /// Whether a filter lets anything of this namespace through.
    pub(super) fn serves(&self, filter: &ScannerFilter) -> bool {
        filter.namespace.as_ref().is_none_or(|namespace| namespace == self.namespace())
    }

    /// Whether a filter lets this execution through.
    pub(super) fn matches(&self, filter: &ScannerFilter, record: &ExecutionRecord) -> bool {
        filter.matches(self.namespace(), &record.submission.tags)
    }
}
