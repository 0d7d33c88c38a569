//! `list_waitpoints`: over all partitions, in the order of ids.

use ff_engine::{EngineError, ListWaitpoints, WaitpointCursor, WaitpointPage, WaitpointView};
use ff_types::{ExecutionId, TimestampMs, WaitpointId, limits};

use crate::call::{BadReply, Values};
use crate::calls;
use crate::codec::{kind_of, state_of};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::reply::Reply;

const OPERATION: &str = "list_waitpoints";
/// Most waitpoints that one call of the function looks at.
const PER_CALL: usize = 500;

type Place = (WaitpointId, ExecutionId);

/// One partition's part of a listing: what it found, and how far it has looked.
#[derive(Default)]
struct Part {
    items: Vec<WaitpointView>,
    /// The last place that was looked at, while there are others behind it.
    more_behind: Option<Place>,
}

fn place(view: &WaitpointView) -> Place {
    (view.waitpoint_id, view.execution_id)
}

impl Inner {
    /// A page. What lies behind the place up to which every partition has looked is not known to be
    /// next; so the one that lags looks on, until the page is full or enough was looked at.
    pub(super) async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        let page_size = request.page_size()?;
        let asked: Vec<usize> = match request.execution_id {
            Some(id) => vec![self.keyspace.of(id)],
            None => (0..self.keyspace.partitions.len()).collect(),
        };
        let after = request.cursor.map(WaitpointCursor::position);
        let mut left = limits::LIST_EXAMINED_MAX;
        let share = (left / asked.len()).clamp(1, PER_CALL);
        let mut parts: Vec<Part> = Vec::with_capacity(asked.len());
        for partition in &asked {
            let mut part = Part::default();
            left -= self.look_for_waitpoints(*partition, &mut part, after, request, share).await?;
            parts.push(part);
        }
        loop {
            let lagging = (0..parts.len()).filter(|part| parts[*part].more_behind.is_some());
            let Some(lagging) = lagging.min_by_key(|part| parts[*part].more_behind) else { break };
            let horizon = parts[lagging].more_behind;
            let known = parts.iter().flat_map(|part| &part.items);
            let known = known.filter(|item| Some(place(item)) <= horizon).count();
            if known >= page_size || left == 0 {
                break;
            }
            let most = PER_CALL.min(left);
            let part = &mut parts[lagging];
            left -= self.look_for_waitpoints(asked[lagging], part, horizon, request, most).await?;
        }
        let horizon = parts.iter().filter_map(|part| part.more_behind).min();
        let mut items: Vec<_> = parts.into_iter().flat_map(|part| part.items).collect();
        items.sort_by_key(place);
        items.retain(|item| horizon.is_none_or(|horizon| place(item) <= horizon));
        let cut = items.len() > page_size;
        items.truncate(page_size);
        let next = match items.last() {
            Some(last) if cut => Some(place(last)),
            _ => horizon,
        };
        Ok(WaitpointPage::new(items, next.map(|(id, of)| WaitpointCursor::after(id, of))))
    }

    /// Lets one partition look at up to `most` waitpoints behind `after`. Answers how many it was.
    async fn look_for_waitpoints(
        &self,
        partition: usize,
        part: &mut Part,
        after: Option<Place>,
        request: &ListWaitpoints,
        most: usize,
    ) -> Result<usize, EngineError> {
        let call = calls::ListWaitpoints {
            execution: &request.execution_id.map_or_else(String::new, |id| id.to_string()),
            after: &after.map_or_else(String::new, |(id, of)| format!("{id} {of}")),
            examined: most as u64,
            most: request.page_size()? as u64,
        };
        let partition = &self.keyspace.partitions[partition];
        let answer = match request.execution_id {
            Some(id) => self.about(OPERATION, id, call).await?,
            None => self
                .call(OPERATION, partition, call)
                .await?
                .map_err(|_| bad_reply(OPERATION, BadReply("page")))?,
        };
        for item in answer.items {
            part.items.push(view(item).ok_or_else(|| EngineError::Corrupt {
                what: "a waitpoint of a listing".to_owned(),
            })?);
        }
        let last = answer.last.split_once(' ');
        let last = last.and_then(|(id, of)| Some((id.parse().ok()?, of.parse().ok()?)));
        part.more_behind = last.filter(|_| answer.more);
        Ok(usize::try_from(answer.seen).unwrap_or(most).min(most))
    }
}

/// Reads an item as `list_waitpoints.lua` writes it.
fn view(reply: Reply) -> Option<WaitpointView> {
    let mut values = Values::new(reply.into_array()?);
    let mut text = || values.text().ok();
    let (id, execution, key, state) = (text()?, text()?, text()?, text()?);
    let (kind, created, expires) = (text()?, text()?, text()?);
    let signals = values.int().ok()?;
    Some(WaitpointView::new(
        execution.parse().ok()?,
        id.parse().ok()?,
        key.parse().ok()?,
        state_of(&state)?,
        kind_of(&kind),
        TimestampMs(created.parse().ok()?),
        TimestampMs(expires.parse().ok()?),
        u32::try_from(signals).ok()?,
    ))
}
