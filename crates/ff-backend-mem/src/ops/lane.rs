//! The verbs of lanes.

use async_trait::async_trait;
use ff_engine::machine::lane::LaneQueues;
use ff_engine::{AdjustLane, EngineError, LaneOps, LaneView, ListLanes};
use ff_types::{LaneId, TimestampMs};

use crate::MemBackend;

#[async_trait]
impl LaneOps for MemBackend {
    async fn adjust_lane(&self, request: &AdjustLane) -> Result<(), EngineError> {
        request.validate()?;
        let mut store = self.store();
        let now = self.now();
        store.queues.lane_mut(&request.lane).record.adjust(request, now)?;
        store.time_lane(&request.lane);
        Ok(())
    }

    async fn describe_lane(&self, lane: &LaneId) -> Result<LaneView, EngineError> {
        let store = self.store();
        let queues = store.queues.lane(lane);
        Ok(queues.map_or_else(
            || LaneView::unused(lane.clone()),
            |queues| view(lane, queues, self.now()),
        ))
    }

    async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError> {
        let page_size = request.page_size()?;
        let store = self.store();
        let steered = store.queues.records().filter(|(_, record, _)| record.is_steered);
        let mut names: Vec<_> = steered.map(|(id, ..)| id).collect();
        names.retain(|id| request.after.as_ref().is_none_or(|after| *id > after));
        names.sort_unstable();
        names.truncate(page_size);
        let now = self.now();
        let views = names.into_iter().filter_map(|id| Some(view(id, store.queues.lane(id)?, now)));
        Ok(views.collect())
    }
}

fn view(lane: &LaneId, queues: &LaneQueues, now: TimestampMs) -> LaneView {
    queues.record.view(lane.clone(), queues.ready(), queues.oldest_ready_at(), now)
}
