//! The completion log: one stream a partition, read side by side.

use std::time::Duration;

use ff_engine::{
    CompletionCursor, CompletionPage, CompletionsFrom, EngineError, LogPlace, ReadCompletions,
};
use ff_types::FlowState;
use ff_types::backend::{CompletionOf, CompletionPayload};

use crate::call::{BadReply, Values};
use crate::calls;
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::keyspace::Keyspace;
use crate::reply::Reply;

const OPERATION: &str = "read_completions";

/// The longest wait for a message before the store is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What one look at a partition gave.
struct Looked {
    gap: bool,
    seq: u64,
    check: String,
    items: Vec<Reply>,
}

impl From<calls::ReadCompletionsAnswer> for Looked {
    fn from(answer: calls::ReadCompletionsAnswer) -> Self {
        let calls::ReadCompletionsAnswer { gap, seq, check, items } = answer;
        Self { gap, seq, check, items }
    }
}

impl From<calls::AwaitCompletionsAnswer> for Looked {
    fn from(answer: calls::AwaitCompletionsAnswer) -> Self {
        let calls::AwaitCompletionsAnswer { gap, seq, check, items } = answer;
        Self { gap, seq, check, items }
    }
}

/// What is asked for, as the library takes it.
struct Wanted {
    page_size: usize,
    tag: String,
    flow: String,
    /// The only partition that has events of the flow.
    only: Option<usize>,
    /// Events of another namespace: there are none.
    foreign: bool,
}

impl Wanted {
    fn of(request: &ReadCompletions, keyspace: &Keyspace) -> Result<Self, EngineError> {
        let filter = &request.filter;
        let foreign = filter.namespace.as_ref().is_some_and(|one| *one != keyspace.namespace);
        let tag = filter.instance_tag.as_ref().map(|(key, value)| format!("{key} {value}"));
        Ok(Self {
            page_size: request.page_size()?,
            tag: tag.unwrap_or_default(),
            flow: request.flow.map(|flow| flow.to_string()).unwrap_or_default(),
            only: request.flow.map(|flow| keyspace.of_flow(flow)),
            foreign,
        })
    }
}

impl Inner {
    pub(super) async fn read_completions(
        &self,
        request: &ReadCompletions,
    ) -> Result<CompletionPage, EngineError> {
        let wanted = Wanted::of(request, &self.keyspace)?;
        let mut from = self.places(&request.from)?;
        let mut over = self.clock.sleep(request.max_wait.unwrap_or_default());
        loop {
            let mut told = self.waits.completions();
            if request.max_wait.is_some() {
                self.waits.subscribe_all(self).await?;
            }
            let page = self.look_at_log(&from, &wanted, request.max_wait.is_some()).await?;
            if page.gap || !page.items.is_empty() {
                return Ok(page);
            }
            let next: Vec<_> = page.next.places().iter().map(|at| Place::Behind(*at)).collect();
            if next != from && request.from != CompletionsFrom::Now {
                // What was left out may have been all that one call looks at.
                from = next;
                continue;
            }
            if request.max_wait.is_none() {
                return Ok(page);
            }
            from = next;
            let mut pause = self.clock.sleep(LOOK_AGAIN);
            tokio::select! {
                biased;
                _ = told.recv() => {}
                () = &mut over => return Ok(page),
                () = &mut pause => {}
            }
        }
    }

    /// Where each partition is to be read from.
    fn places(&self, from: &CompletionsFrom) -> Result<Vec<Place>, EngineError> {
        let partitions = self.keyspace.partitions.len();
        match from {
            CompletionsFrom::Start => Ok(vec![Place::Start; partitions]),
            CompletionsFrom::Cursor(cursor) if cursor.places().len() == partitions => {
                Ok(cursor.places().iter().map(|place| Place::Behind(*place)).collect())
            }
            CompletionsFrom::Cursor(_) => {
                Err(EngineError::validation("cursor", "is of a store with other partitions"))
            }
            _ => Ok(vec![Place::Now; partitions]),
        }
    }

    async fn look_at_log(
        &self,
        from: &[Place],
        wanted: &Wanted,
        waits: bool,
    ) -> Result<CompletionPage, EngineError> {
        let (mut items, mut gap, mut places) = (Vec::new(), false, Vec::with_capacity(from.len()));
        let Wanted { page_size, tag, flow, only, foreign } = wanted;
        let (page_size, waits) = if *foreign { (0, false) } else { (*page_size, waits) };
        for (number, (partition, from)) in self.keyspace.partitions.iter().zip(from).enumerate() {
            if only.is_some_and(|only| only != number) {
                places.push(from.unread());
                continue;
            }
            let (start, check) = from.texts();
            let (from, check, most) = (&*start, &*check, (page_size - items.len()) as u64);
            let answer = if waits {
                let process = self.waits.process();
                let call = calls::AwaitCompletions { from, check, most, tag, flow, process };
                self.call(OPERATION, partition, call).await?.map(Looked::from)
            } else {
                let call = calls::ReadCompletions { from, check, most, tag, flow };
                self.call(OPERATION, partition, call).await?.map(Looked::from)
            };
            let answer = answer.map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
            gap |= answer.gap;
            let check = match answer.check.as_str() {
                "" => 0,
                digits => u32::from_str_radix(digits, 16)
                    .map_err(|_| bad_reply(OPERATION, BadReply("check")))?,
            };
            places.push(LogPlace { seq: answer.seq, check });
            for item in answer.items {
                let corrupt = || EngineError::Corrupt { what: "an event of the log".to_owned() };
                items.push(completion(item).ok_or_else(corrupt)?);
            }
        }
        Ok(CompletionPage::new(items, gap, CompletionCursor::new(places)))
    }
}

/// Where one partition is read from.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Now,
    Behind(LogPlace),
}

impl Place {
    /// The place of a partition that is not looked at.
    fn unread(self) -> LogPlace {
        match self {
            Self::Behind(place) => place,
            Self::Start | Self::Now => LogPlace::default(),
        }
    }

    /// As the library takes it.
    fn texts(self) -> (String, String) {
        match self {
            Self::Start => ("start".to_owned(), String::new()),
            Self::Now => ("now".to_owned(), String::new()),
            Self::Behind(LogPlace { seq, check: 0 }) => (seq.to_string(), String::new()),
            Self::Behind(LogPlace { seq, check }) => (seq.to_string(), format!("{check:08x}")),
        }
    }
}

/// Reads an item as `read_completions.lua` writes it.
fn completion(reply: Reply) -> Option<CompletionPayload> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let (what, id, state) = (text()?, text()?.parse().ok()?, text()?);
    let (at, flow) = (values.time().ok()?, values.text().ok()?);
    let (given, result) = (values.flag().ok()?, values.bytes().ok()?);
    let (ended, outcome) = match what.as_str() {
        "x" => (CompletionOf::Execution, state.parse().ok()?),
        "f" => (CompletionOf::Flow, state.parse::<FlowState>().ok()?.outcome()?),
        _ => return None,
    };
    let mut completion = CompletionPayload::new(id, outcome, at).with_ended(ended);
    if given {
        completion = completion.with_payload_bytes(result);
    }
    if flow != "-" {
        completion = completion.with_flow_id(flow.parse().ok()?);
    }
    Some(completion)
}
