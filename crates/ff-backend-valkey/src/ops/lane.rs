//! The verbs of lanes. A lane is steered in every partition, and read from all of them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ff_engine::machine::LaneRecord;
use ff_engine::{AdjustLane, EngineError, LaneBarrier, LaneOps, LaneState, LaneView, ListLanes};
use ff_types::{LaneId, LaneKey, TimestampMs};

use super::bits;
use crate::ValkeyBackend;
use crate::call::BadReply;
use crate::calls;
use crate::codec;
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::keyspace::Partition;
use crate::reply::Reply;

#[async_trait]
impl LaneOps for ValkeyBackend {
    async fn adjust_lane(&self, request: &AdjustLane) -> Result<(), EngineError> {
        const OPERATION: &str = "adjust_lane";
        request.validate()?;
        let settings = request.settings.as_ref();
        let text = settings.map_or_else(String::new, codec::lane_settings_text);
        let mut failed = None;
        for partition in &self.inner.keyspace.partitions {
            let call = calls::AdjustLane {
                lane: request.lane.as_str(),
                request: bits(request.request_id.to_bytes()),
                state: request.state.map_or("", codec::lane_state_text),
                settings: &text,
                weights: settings.map_or_else(Default::default, codec::lane_weights_text),
            };
            let adjusted = self.inner.call(OPERATION, partition, call).await;
            let adjusted = adjusted
                .and_then(|answer| answer.map_err(|_| bad_reply(OPERATION, BadReply("answer"))));
            // One partition that does not answer keeps none of the others from hearing of it.
            failed = failed.or(adjusted.err());
        }
        failed.map_or(Ok(()), Err)
    }

    async fn describe_lane(&self, lane: &LaneId) -> Result<LaneView, EngineError> {
        let mut views = Vec::new();
        for partition in &self.inner.keyspace.partitions {
            views.push(self.inner.lane(partition, lane, None).await?.view);
        }
        let mut views = views.into_iter();
        let mut view = views.next().unwrap_or_else(|| LaneView::unused(lane.clone()));
        views.for_each(|other| view.merge(&other));
        Ok(view)
    }

    async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError> {
        const OPERATION: &str = "list_lanes";
        let page_size = request.page_size()?;
        let after = request.after.as_ref().map_or("", LaneId::as_str);
        let mut names = BTreeSet::new();
        for partition in &self.inner.keyspace.partitions {
            let call = calls::ListLanes { after, most: page_size as u64 };
            let answer = self.inner.call(OPERATION, partition, call).await?;
            let answer = answer.map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
            for name in answer.names {
                let name = text(name).and_then(|name| LaneId::new(name).ok());
                names.insert(name.ok_or_else(|| bad_reply(OPERATION, BadReply("name")))?);
            }
        }
        let mut views = Vec::new();
        for name in names.into_iter().take(page_size) {
            views.push(self.describe_lane(&name).await?);
        }
        Ok(views)
    }
}

/// A lane as one partition tells of it.
pub(super) struct Told {
    pub(super) view: LaneView,
    record: LaneRecord,
    now: TimestampMs,
}

impl Told {
    /// What keeps the lane from handing out an execution of this key.
    pub(super) fn barrier(&self, key: Option<&LaneKey>) -> Option<LaneBarrier> {
        self.record.barrier(key, self.now)
    }

    /// The refusal of something new, as things are.
    pub(super) fn refusal(&self) -> Option<EngineError> {
        let lane = self.view.lane.clone();
        match self.view.settings.max_queued {
            _ if self.view.state == LaneState::Draining => Some(EngineError::LaneDraining { lane }),
            Some(limit) if self.view.ready >= u64::from(limit) => {
                Some(EngineError::LaneFull { lane, limit })
            }
            _ => None,
        }
    }
}

impl Inner {
    /// How a lane stands in a partition, and one key of it.
    pub(super) async fn lane(
        &self,
        partition: &Partition,
        lane: &LaneId,
        key: Option<&LaneKey>,
    ) -> Result<Told, EngineError> {
        const OPERATION: &str = "describe_lane";
        let bad = |what| bad_reply(OPERATION, BadReply(what));
        let call =
            calls::DescribeLane { lane: lane.as_str(), key: key.map_or("", LaneKey::as_str) };
        let answer = self.call(OPERATION, partition, call).await?;
        let answer = answer.map_err(|_| bad("answer"))?;
        let held = (answer.leases, answer.tokens);
        let mut record = LaneRecord::default();
        (record.leases, record.tokens) = held;
        if !answer.settings.is_empty() {
            let (state, settings) = codec::lane_settings(&answer.settings, answer.weights)
                .ok_or_else(|| bad("settings"))?;
            let arrival = answer.arrival.parse().unwrap_or(0);
            record = LaneRecord::stored(state, settings, arrival, answer.claimed, held);
        }
        if let Some(key) = key {
            let arrival = answer.key_arrival.parse().unwrap_or(0);
            record = record.with_key(key, answer.key_held, arrival);
        }
        let oldest = match answer.oldest.as_str() {
            "" => None,
            at => Some(TimestampMs(at.parse().map_err(|_| bad("time"))?)),
        };
        let mut view = record.view(lane.clone(), answer.ready, oldest, answer.now);
        view.keys_over_limit = answer.aside;
        Ok(Told { view, record, now: answer.now })
    }
}

/// A name that was answered.
fn text(reply: Reply) -> Option<String> {
    String::from_utf8(reply.into_bytes()?.to_vec()).ok()
}
