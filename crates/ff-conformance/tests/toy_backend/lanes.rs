//! Lanes: an index beside the rows, which says what is handed out next.

use async_trait::async_trait;
use ff_engine::machine::lane::LaneQueues;
use ff_engine::machine::{ExecutionRecord, LaneRecord, LaneTables, Placement, RunState};
use ff_engine::{AdjustLane, EngineError, LaneOps, LaneView, ListLanes};
use ff_types::{ExecutionId, LaneId, TimestampMs};

use crate::toy::{Table, Toy};

impl LaneTables for Table {
    fn lane(&self, id: &LaneId) -> Option<&LaneRecord> {
        self.lanes.get(id).map(|lane| &lane.record)
    }

    fn ready_in(&self, id: &LaneId) -> u64 {
        self.lanes.get(id).map_or(0, LaneQueues::ready)
    }
}

// region: lanes
impl Table {
    /// Adds a row that is new.
    pub(crate) fn add(&mut self, row: ExecutionRecord) {
        let id = row.submission.id();
        self.rows.insert(id, row);
        self.queue(id);
    }

    /// Queues a row in its lane, if it can be handed out.
    pub(crate) fn queue(&mut self, id: ExecutionId) {
        let Some(row) = self.rows.get(&id) else { return };
        if let Some((queue, order)) = Placement::of(row).queue {
            let lane = self.lanes.entry(row.submission.lane.clone()).or_default();
            lane.insert(&row.submission, queue, order);
        }
    }

    /// Takes a row out of its queue, before it changes.
    pub(crate) fn unqueue(&mut self, id: ExecutionId) {
        let Some(row) = self.rows.get(&id) else { return };
        if let Some((queue, order)) = Placement::of(row).queue
            && let Some(lane) = self.lanes.get_mut(&row.submission.lane)
        {
            lane.remove(&row.submission, queue, order);
        }
    }

    /// Counts what a row holds in its lane whose run state was `earlier`.
    pub(crate) fn settle_lane(&mut self, id: ExecutionId, earlier: &RunState) {
        let Some(row) = self.rows.get(&id) else { return };
        self.lanes.entry(row.submission.lane.clone()).or_default().follow(earlier, row);
    }
}
// endregion

fn view(id: &LaneId, lane: &LaneQueues, now: TimestampMs) -> LaneView {
    lane.record.view(id.clone(), lane.ready(), lane.oldest_ready_at(), now)
}

#[async_trait]
impl LaneOps for Toy {
    async fn adjust_lane(&self, request: &AdjustLane) -> Result<(), EngineError> {
        request.validate()?;
        let mut table = self.table();
        let lane = table.lanes.entry(request.lane.clone()).or_default();
        lane.record.adjust(request, self.clock.now())?;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn describe_lane(&self, id: &LaneId) -> Result<LaneView, EngineError> {
        let table = self.table();
        let unused = LaneQueues::default();
        Ok(view(id, table.lanes.get(id).unwrap_or(&unused), self.clock.now()))
    }

    async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError> {
        let page_size = request.page_size()?;
        let table = self.table();
        let steered = table.lanes.iter().filter(|(id, lane)| {
            lane.record.is_steered && request.after.as_ref().is_none_or(|after| *id > after)
        });
        Ok(steered.take(page_size).map(|(id, lane)| view(id, lane, self.clock.now())).collect())
    }
}
