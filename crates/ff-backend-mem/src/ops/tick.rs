//! `tick`.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, DueEvent, ExecutionRecord};
use ff_engine::roles::BackendInfo;
use ff_engine::{EngineError, TickOutcome, TickRequest, TimerOps};
use ff_types::ExecutionId;
use ff_types::backend::ScannerFilter;

use crate::MemBackend;
use crate::store::Store;

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
        let due: Vec<ExecutionId> = store
            .timers
            .of(filter.instance_tag.as_ref())
            .into_iter()
            .flatten()
            .take_while(|(at, _)| *at <= now)
            .take(request.limit as usize)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            let event = store.records.get(&id).and_then(|record| machine::due(record, now));
            if let Some(event) = event {
                handle(&mut store, &mut outcome, id, event);
            }
        }
        outcome.next_due = store
            .timers
            .of(filter.instance_tag.as_ref())
            .and_then(|due| due.first())
            .map(|(at, _)| self.inner.distortion.next_due(*at));
        outcome
    }
}

fn handle(store: &mut Store, outcome: &mut TickOutcome, id: ExecutionId, event: DueEvent) {
    outcome.count(&event);
    match event.into_next() {
        Some(next) => store.apply(Verb::Tick, id, next),
        None => store.remove(id),
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
