//! The reads.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use ff_engine::machine::{self, Placement};
use ff_engine::roles::BackendInfo;
use ff_engine::{
    CompletionPage, Cursor, EngineError, ExecutionResult, ExecutionSummary, ExecutionView,
    Explanation, ListPage, ListRequest, ListWaitpoints, ReadCompletions, ReadOps, ReadStream,
    ResultOutcome, ResultRequest, StreamPage, WaitpointCursor, WaitpointPage,
};
use ff_types::{ExecutionId, limits};

use super::within;
use crate::MemBackend;
use crate::store::not_closed;

#[async_trait]
impl ReadOps for MemBackend {
    async fn describe_execution(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        Ok(ExecutionView::of(self.store().record(id)?))
    }

    async fn list_executions(&self, request: &ListRequest) -> Result<ListPage, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let start = match request.cursor {
            Some(cursor) => self.inner.distortion.behind(cursor.position()),
            None => Bound::Unbounded,
        };
        let mut items = Vec::new();
        let mut last = None;
        let mut rest = store.records.range((start, Bound::Unbounded));
        for (id, record) in rest.by_ref().take(limits::LIST_EXAMINED_MAX) {
            last = Some(*id);
            if request.wants(record) {
                items.push(ExecutionSummary::of(record));
            }
            if items.len() == page_size {
                break;
            }
        }
        let next = rest.next().and(last).map(Cursor::after);
        Ok(ListPage::new(items, next))
    }

    async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let now = self.now();
        let of_one: BTreeSet<_> = match request.execution_id {
            Some(id) => not_closed(&store.record(id)?.run).map(|one| (one, id)).collect(),
            None => BTreeSet::new(),
        };
        let all = if request.execution_id.is_some() { &of_one } else { &store.waitpoints };
        let after = |cursor: WaitpointCursor| Bound::Excluded(cursor.position());
        let start = request.cursor.map_or(Bound::Unbounded, after);
        let mut rest = all.range((start, Bound::Unbounded));
        let mut items = Vec::new();
        let mut last = None;
        for (waitpoint, execution) in rest.by_ref().take(limits::LIST_EXAMINED_MAX) {
            last = Some(WaitpointCursor::after(*waitpoint, *execution));
            let record = store.record(*execution)?;
            let found = record.run.waits().waitpoint(*waitpoint);
            items.extend(found.filter(|one| one.is_open(now)).map(|one| one.view(record)));
            if items.len() == page_size {
                break;
            }
        }
        Ok(WaitpointPage::new(items, rest.next().and(last)))
    }

    async fn result(&self, request: &ResultRequest) -> Result<ResultOutcome, EngineError> {
        request.validate()?;
        let (state, mut end) = {
            let mut store = self.store();
            let record = store.record(request.execution_id)?;
            if let Some(result) = ExecutionResult::of(record) {
                return Ok(ResultOutcome::Ended(result));
            }
            let state = record.run.state;
            if request.max_wait.is_none() {
                return Ok(ResultOutcome::Pending(state));
            }
            (state, store.end_waiters.add(request.execution_id))
        };
        let mut over = self.inner.clock.sleep(request.max_wait.unwrap_or_default());
        match within(&mut end, over.as_mut()).await {
            Some(result) => Ok(ResultOutcome::Ended(result)),
            None => match self.store().record(request.execution_id) {
                Ok(record) => Ok(ExecutionResult::of(record)
                    .map_or(ResultOutcome::Pending(record.run.state), ResultOutcome::Ended)),
                Err(_gone) => Ok(ResultOutcome::Pending(state)),
            },
        }
    }

    async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError> {
        let page_size = request.page_size()?;
        let written = Arc::clone(&self.store().logged);
        let mut from = self.store().log.place(&request.from)?;
        let mut over = self.inner.clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut next = pin!(written.notified());
            next.as_mut().enable();
            let page = {
                let store = self.store();
                let record = |id| store.records.get(&id).map(Box::as_ref);
                store.log.page(from, page_size, request, self.namespace(), record)
            };
            if !page.items.is_empty() || page.gap || request.max_wait.is_none() {
                return Ok(page);
            }
            from = (page.next.places()[0], false);
            tokio::select! {
                biased;
                () = &mut over => return Ok(page),
                () = next => {}
            }
        }
    }

    async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError> {
        let page_size = request.page_size()?;
        let mut over = self.inner.clock.sleep(request.max_wait.unwrap_or_default());
        let changed = match request.max_wait {
            Some(_) => self.store().stream_waiters.wait(request.execution_id),
            None => Arc::default(),
        };
        loop {
            let mut next = pin!(changed.notified());
            next.as_mut().enable();
            let page = self.store().read_stream(request, page_size)?;
            if !page.is_empty() || request.max_wait.is_none() {
                return Ok(page);
            }
            tokio::select! {
                biased;
                () = &mut over => return Ok(page),
                () = next => {}
            }
        }
    }

    async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError> {
        let store = self.store();
        let record = store.record(id)?;
        let ahead = || {
            let placement = Placement::of(record);
            store.queues.ahead(&record.submission, &placement, limits::EXPLAIN_AHEAD_MAX)
        };
        let now = self.now();
        let resets_at = |id| store.budgets.get(id)?.view(0, now).resets_at();
        let submission = &record.submission;
        let barrier = || {
            store.queues.lane(&submission.lane)?.record.barrier(submission.lane_key.as_ref(), now)
        };
        let offers_at = self.inner.distortion.offers_at(now);
        let missing =
            || store.offers.missing(&submission.lane, &submission.capabilities, offers_at);
        Ok(machine::explain(record, ahead, resets_at, barrier, missing, now))
    }
}
