//! The reads.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use ff_engine::machine::{self, ExecutionRecord, Placement};
use ff_engine::{
    BudgetOps, CompletionPage, Cursor, EngineError, ExecutionResult, ExecutionSummary,
    ExecutionView, Explanation, ListPage, ListRequest, ListWaitpoints, ReadCompletions, ReadOps,
    ReadStream, ResultOutcome, ResultRequest, StreamPage, WaitpointPage,
};
use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionId, LaneId, TimestampMs, limits};

use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{Await, Describe, FindOffers, List};
use crate::codec::{self, Fields};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::keyspace::Partition;
use crate::reply::Reply;
use crate::waits::within;

/// Most records that one call of the function looks at.
const PER_CALL: usize = 500;

#[async_trait]
impl ReadOps for ValkeyBackend {
    async fn describe_execution(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        let stored = self.inner.stored("describe_execution", id).await?;
        let mut view = ExecutionView::of(&stored.record()?);
        (view.steps, view.has_state) = (stored.fields.steps(), stored.fields.has_state());
        Ok(view)
    }

    async fn list_executions(&self, request: &ListRequest) -> Result<ListPage, EngineError> {
        let page_size = request.page_size()?;
        let states: Vec<&str> = request.states.iter().map(|state| state.as_str()).collect();
        let filter = Filter {
            states: if states.is_empty() {
                String::new()
            } else {
                format!(",{},", states.join(","))
            },
            lane: request.lane.as_ref().map_or("", |lane| lane.as_str()),
            kind: request.kind.as_ref().map_or("", |kind| kind.as_str()),
            tag: request
                .tag
                .as_ref()
                .map_or_else(String::new, |(key, value)| format!("{key} {value}")),
        };
        self.inner.list(&filter, request.cursor.map(Cursor::position), page_size).await
    }

    async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        self.inner.list_waitpoints(request).await
    }

    async fn result(&self, request: &ResultRequest) -> Result<ResultOutcome, EngineError> {
        request.validate()?;
        let id = request.execution_id;
        let stored = self.inner.stored("result", id).await?;
        let record = stored.record()?;
        if let Some(result) = ExecutionResult::of(&record) {
            return Ok(ResultOutcome::Ended(result));
        }
        let Some(max_wait) = request.max_wait else {
            return Ok(ResultOutcome::Pending(record.run.state));
        };
        let mut over = self.inner.clock.sleep(max_wait);
        loop {
            let mut end = self.inner.waits.ends.listen(&self.inner, id).await?;
            match self.inner.about("result", id, Await { id: id.as_u128() }).await {
                Ok(answer) if !answer.ended => {}
                Ok(_) | Err(EngineError::NotFound { .. }) => {
                    return self.inner.result_now(id, &record).await;
                }
                Err(error) => return Err(error),
            }
            match within(end.told(), over.as_mut()).await {
                Some(Some(fields)) => return stored.with(fields).result(),
                // The end may have been missed: look again.
                Some(None) => {}
                None => return self.inner.result_now(id, &record).await,
            }
        }
    }

    async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError> {
        self.inner.read_completions(request).await
    }

    async fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, EngineError> {
        self.inner.read_stream(request).await
    }

    async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError> {
        let stored = self.inner.stored("explain", id).await?;
        let ahead = || {
            let most = limits::EXPLAIN_AHEAD_MAX;
            u32::try_from(stored.ahead).unwrap_or(most).min(most)
        };
        let record = stored.record()?;
        let budget = match record.run.blocked_on {
            Some(budget) => Some(self.describe_budget(budget).await?),
            None => None,
        };
        let resets_at = |_| budget?.resets_at();
        let (lane, key) = (&record.submission.lane, record.submission.lane_key.as_ref());
        let told = match Placement::of(&record).queue {
            Some(_) => Some(self.inner.lane(self.inner.partition_of(id), lane, key).await?),
            None => None,
        };
        let barrier = || told?.barrier(key);
        let requires = &record.submission.capabilities;
        let missing = match Placement::of(&record).queue {
            Some(_) if !requires.is_empty() => {
                self.inner.missing(self.inner.partition_of(id), lane, requires).await?
            }
            _ => None,
        };
        Ok(machine::explain(&record, ahead, resets_at, barrier, || missing, stored.now))
    }
}

/// An execution as the store tells of it.
struct Stored {
    id: ExecutionId,
    now: TimestampMs,
    ahead: u64,
    fields: Fields,
    payload: Bytes,
}

impl Stored {
    fn record(&self) -> Result<ExecutionRecord, EngineError> {
        codec::record(self.id, &self.fields, self.payload.clone())
    }

    /// The same execution once it has ended, with these fields of the end and no others.
    fn with(mut self, fields: Vec<(Bytes, Bytes)>) -> Self {
        self.fields.forget(&codec::END_FIELDS);
        for (name, value) in fields {
            self.fields.set(name, value);
        }
        self
    }

    fn result(&self) -> Result<ResultOutcome, EngineError> {
        let record = self.record()?;
        Ok(ExecutionResult::of(&record)
            .map_or(ResultOutcome::Pending(record.run.state), ResultOutcome::Ended))
    }
}

struct Filter<'f> {
    states: String,
    lane: &'f str,
    kind: &'f str,
    tag: String,
}

/// One partition's part of a listing: what it found, and how far it has looked.
#[derive(Default)]
struct Part {
    items: Vec<ExecutionSummary>,
    /// The last id that was looked at, while there are others behind it.
    more_behind: Option<ExecutionId>,
}

impl Inner {
    /// Which of these requirements nobody offers, when no live worker of a lane offers all of them. A worker
    /// that is busy may be known to some partitions only.
    async fn missing(
        &self,
        home: &Partition,
        lane: &LaneId,
        requires: &CapabilitySet,
    ) -> Result<Option<CapabilitySet>, EngineError> {
        const OPERATION: &str = "explain";
        let bad = || bad_reply(OPERATION, BadReply("offers"));
        let others = self.keyspace.partitions.iter().filter(|other| !std::ptr::eq(*other, home));
        let mut missing: BTreeSet<&str> = requires.iter().collect();
        for partition in std::iter::once(home).chain(others) {
            let call = FindOffers { lane: lane.as_str(), requires: requires.as_str() };
            let answer = self.call(OPERATION, partition, call).await?.map_err(|_| bad())?;
            if answer.covered {
                return Ok(None);
            }
            for token in answer.offered {
                let token = token.into_bytes().ok_or_else(bad)?;
                missing.remove(std::str::from_utf8(&token).map_err(|_| bad())?);
            }
        }
        CapabilitySet::from_tokens(missing).map(Some).map_err(|_| bad())
    }

    async fn stored(
        &self,
        operation: &'static str,
        id: ExecutionId,
    ) -> Result<Stored, EngineError> {
        let answer = self.about(operation, id, Describe { id: id.as_u128() }).await?;
        let fields =
            |flat| Fields::of(flat).ok_or_else(|| bad_reply(operation, BadReply("list of fields")));
        let mut all = fields(answer.fields)?;
        all.extend(fields(answer.long)?);
        all.extend(fields(answer.waits)?.behind(codec::WAITS));
        let (now, ahead, payload) = (answer.now, answer.ahead, answer.payload);
        Ok(Stored { id, now, ahead, fields: all, payload })
    }

    /// How an execution that was seen as `before` stands now. One that is gone meanwhile is shown
    /// as it was.
    async fn result_now(
        &self,
        id: ExecutionId,
        before: &ExecutionRecord,
    ) -> Result<ResultOutcome, EngineError> {
        match self.stored("result", id).await {
            Err(EngineError::NotFound { .. }) => Ok(ResultOutcome::Pending(before.run.state)),
            stored => stored?.result(),
        }
    }

    /// A page over all partitions in the order of ids. What lies behind the place up to which every
    /// partition has looked is not known to be next; so the one that lags looks on, until the page
    /// is full or enough was looked at.
    async fn list(
        &self,
        filter: &Filter<'_>,
        after: Option<ExecutionId>,
        page_size: usize,
    ) -> Result<ListPage, EngineError> {
        let mut left = limits::LIST_EXAMINED_MAX;
        let share = (left / self.keyspace.partitions.len()).clamp(1, PER_CALL);
        let mut parts = Vec::with_capacity(self.keyspace.partitions.len());
        for partition in 0..self.keyspace.partitions.len() {
            let mut part = Part::default();
            left -= self.look(partition, &mut part, after, filter, page_size, share).await?;
            parts.push(part);
        }
        loop {
            let lagging = (0..parts.len()).filter(|part| parts[*part].more_behind.is_some());
            let Some(lagging) = lagging.min_by_key(|part| parts[*part].more_behind) else { break };
            let horizon = parts[lagging].more_behind;
            let known = parts.iter().flat_map(|part| &part.items);
            let known = known.filter(|item| Some(item.execution_id) <= horizon).count();
            if known >= page_size || left == 0 {
                break;
            }
            let most = PER_CALL.min(left);
            let part = &mut parts[lagging];
            left -= self.look(lagging, part, horizon, filter, page_size, most).await?;
        }
        let horizon = parts.iter().filter_map(|part| part.more_behind).min();
        let mut items: Vec<_> = parts.into_iter().flat_map(|part| part.items).collect();
        items.sort_by_key(|item| item.execution_id);
        items.retain(|item| horizon.is_none_or(|horizon| item.execution_id <= horizon));
        let cut = items.len() > page_size;
        items.truncate(page_size);
        let next = match items.last() {
            Some(last) if cut => Some(last.execution_id),
            _ => horizon,
        };
        Ok(ListPage::new(items, next.map(Cursor::after)))
    }

    /// Lets one partition look at up to `most` records behind `after`. Answers how many it was.
    async fn look(
        &self,
        partition: usize,
        part: &mut Part,
        after: Option<ExecutionId>,
        filter: &Filter<'_>,
        page_size: usize,
        most: usize,
    ) -> Result<usize, EngineError> {
        const OPERATION: &str = "list_executions";
        let from = after.map_or_else(String::new, |id| id.to_string());
        let call = List {
            after: &from,
            examined: most as u64,
            most: page_size as u64,
            states: &filter.states,
            lane: filter.lane,
            kind: filter.kind,
            tag: &filter.tag,
        };
        let answer = self
            .call(OPERATION, &self.keyspace.partitions[partition], call)
            .await?
            .map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
        for item in answer.items {
            part.items.push(summary(item).ok_or_else(|| EngineError::Corrupt {
                what: "a record of a listing".to_owned(),
            })?);
        }
        part.more_behind = answer.last.parse().ok().filter(|_| answer.more);
        Ok(usize::try_from(answer.seen).unwrap_or(most).min(most))
    }
}

/// Reads an item as `list.lua` writes it.
fn summary(reply: Reply) -> Option<ExecutionSummary> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let (id, lane, kind, state) = (text()?, text()?, text()?, text()?);
    let (attempt, priority, submitted_at, ended_at) = (text()?, text()?, text()?, text()?);
    let optional = |text: &str| match text {
        "" => Some(None),
        digits => digits.parse::<i64>().ok().map(Some),
    };
    let attempt = optional(&attempt)?.map(u32::try_from).transpose().ok()?;
    Some(ExecutionSummary::new(
        id.parse().ok()?,
        lane.parse().ok()?,
        kind.parse().ok()?,
        state.parse().ok()?,
        attempt.map(ff_types::AttemptIndex),
        priority.parse().ok()?,
        TimestampMs(submitted_at.parse().ok()?),
        optional(&ended_at)?.map(TimestampMs),
    ))
}
