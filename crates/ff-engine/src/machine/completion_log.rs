//! A completion log in memory: one event for every end of an execution or a flow. A store with a log of
//! its own, such as a table, has these rules there.

use std::collections::VecDeque;
use std::time::Duration;

use ff_types::backend::{CompletionOf, CompletionPayload};
use ff_types::{ExecutionId, Namespace, Tags, TerminalOutcome, TimestampMs, limits};

use super::flow::FlowRecord;
use super::record::ExecutionRecord;
use crate::error::EngineError;
use crate::requests::{
    CompletionCursor, CompletionPage, CompletionsFrom, LogPlace, ReadCompletions,
};

/// The events that are kept, and how many there were before.
#[derive(Debug, Default)]
pub struct CompletionLog {
    events: VecDeque<Event>,
    gone: u64,
}

#[derive(Debug)]
struct Event {
    completion: CompletionPayload,
    tags: Tags,
}

impl CompletionLog {
    /// An execution has ended.
    pub fn execution_ended(&mut self, record: &ExecutionRecord) {
        let (Some(outcome), Some(at)) = (record.run.state.outcome(), record.run.ended_at) else {
            return;
        };
        let mut completion = CompletionPayload::new(record.submission.id(), outcome, at);
        if let Some(node) = &record.node {
            completion = completion.with_flow_id(node.flow);
        }
        self.append(completion, record.submission.tags.clone());
    }

    /// A flow has ended with the end of this member.
    pub fn flow_ended(&mut self, flow: &FlowRecord, last: ExecutionId) {
        let (Some(outcome), Some(at)) = (flow.run.state.outcome(), flow.run.ended_at) else {
            return;
        };
        let completion = CompletionPayload::new(last, outcome, at)
            .with_ended(CompletionOf::Flow)
            .with_flow_id(flow.id);
        self.append(completion, flow.tags.clone());
    }

    fn append(&mut self, completion: CompletionPayload, tags: Tags) {
        self.events.push_back(Event { completion, tags });
        if self.events.len() > limits::COMPLETIONS_KEPT_MAX {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        self.events.pop_front();
        self.gone += 1;
    }

    /// Forgets what is too old.
    pub fn trim(&mut self, now: TimestampMs) {
        let kept = Duration::from_millis(limits::COMPLETIONS_KEPT_MS);
        let is_old = |event: &Event| event.completion.produced_at_ms.saturating_add(kept) <= now;
        while self.events.front().is_some_and(is_old) {
            self.drop_first();
        }
    }

    /// The place behind the last event.
    fn last(&self) -> LogPlace {
        let seq = self.gone + self.events.len() as u64;
        LogPlace { seq, check: self.events.back().map_or(0, check_of) }
    }

    /// Whether the event in front of a place is another one than was read, or lies behind the last.
    fn is_other(&self, place: LogPlace) -> bool {
        if place.seq > self.last().seq {
            return true;
        }
        let index = place.seq.checked_sub(self.gone + 1).and_then(|at| usize::try_from(at).ok());
        let event = index.and_then(|index| self.events.get(index));
        place.check != 0 && event.is_some_and(|event| check_of(event) != place.check)
    }

    /// Where to read from, and whether what stood behind that is gone.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a cursor of a store with other partitions.
    pub fn place(&self, from: &CompletionsFrom) -> Result<(LogPlace, bool), EngineError> {
        let start = LogPlace { seq: self.gone, check: 0 };
        match from {
            CompletionsFrom::Start => Ok((start, false)),
            CompletionsFrom::Cursor(cursor) => match cursor.places() {
                [place] if self.is_other(*place) => Ok((start, true)),
                [place] if place.seq < self.gone => Ok((start, true)),
                [place] => Ok((*place, false)),
                _ => Err(EngineError::validation("cursor", "is of a store with other partitions")),
            },
            _ => Ok((self.last(), false)),
        }
    }

    /// Up to `most` events behind a place that the request lets through; when there is none, the place
    /// moves behind all. `record` finds executions.
    pub fn page<'r>(
        &self,
        (mut place, gap): (LogPlace, bool),
        most: usize,
        request: &ReadCompletions,
        namespace: &Namespace,
        record: impl Fn(ExecutionId) -> Option<&'r ExecutionRecord>,
    ) -> CompletionPage {
        let mut items = Vec::new();
        let behind = usize::try_from(place.seq - self.gone).unwrap_or(usize::MAX);
        for event in self.events.iter().skip(behind) {
            if items.len() == most {
                break;
            }
            if request.lets_through(event.completion.flow_id, namespace, &event.tags) {
                let mut completion = event.completion.clone();
                completion.payload_bytes = result_of(record(completion.execution_id), &completion);
                items.push(completion);
            }
            place = LogPlace { seq: place.seq + 1, check: check_of(event) };
        }
        CompletionPage::new(items, gap, CompletionCursor::new(vec![place]))
    }

    /// The events that are kept, without results.
    pub fn entries(&self) -> impl Iterator<Item = &CompletionPayload> {
        self.events.iter().map(|event| &event.completion)
    }
}

/// The result of an execution, when it is still that of this end.
fn result_of(
    record: Option<&ExecutionRecord>,
    completion: &CompletionPayload,
) -> Option<bytes::Bytes> {
    let run = &record?.run;
    let same = run.ended_at == Some(completion.produced_at_ms)
        && run.state.outcome() == Some(TerminalOutcome::Completed)
        && completion.ended == CompletionOf::Execution
        && completion.outcome == TerminalOutcome::Completed;
    run.result.as_ref().filter(|_| same).map(|result| result.bytes().clone())
}

/// Some bits of an event that tell it from another in its place.
fn check_of(event: &Event) -> u32 {
    let bits = event.completion.execution_id.as_u128() & u128::from(u32::MAX);
    u32::try_from(bits).expect("32 bits fit")
}
