//! Lanes beside the records: what is held in each, and who is woken when there is room again.

use ff_engine::machine::lane::LaneQueues;
use ff_engine::machine::{LaneRecord, LaneTables, RunState};
use ff_types::{ExecutionId, LaneId, Tags, TimestampMs, limits};

use crate::store::Store;
use crate::timers::Timed;

impl LaneTables for Store {
    fn lane(&self, id: &LaneId) -> Option<&LaneRecord> {
        self.queues.lane(id).map(|lane| &lane.record)
    }

    fn ready_in(&self, id: &LaneId) -> u64 {
        self.queues.lane(id).map_or(0, LaneQueues::ready)
    }
}

impl Store {
    /// Brings the lane of an execution along whose run state was `earlier`.
    pub(crate) fn settle_lane(&mut self, id: ExecutionId, earlier: &RunState, now: TimestampMs) {
        let Some(record) = self.records.get(&id) else { return };
        let lane = record.submission.lane.clone();
        let before = self.distortion.holding(earlier, &record.run);
        let freed = self.queues.lane_mut(&lane).follow(before, record);
        self.time_lane(&lane);
        if freed && self.distortion.hears_of_room() {
            self.wake_lane(&lane, 1, now);
        }
    }

    /// Looks at a lane that is due: keys that were aside take turns again, and as many workers are woken as
    /// there is room for.
    pub(crate) fn look_at_lane(&mut self, id: &LaneId, now: TimestampMs) -> bool {
        let Some(room) = self.queues.lane_mut(id).look(now) else { return false };
        let most = (room as usize).min(limits::LANE_MOVED_MAX);
        if self.wake_lane(id, most, now) == limits::LANE_MOVED_MAX {
            self.queues.lane_mut(id).record.look_at = Some(now);
        }
        self.time_lane(id);
        true
    }

    /// Wakes up to `most` workers that can take what is ready in a lane. Answers how many.
    fn wake_lane(&mut self, id: &LaneId, most: usize, now: TimestampMs) -> usize {
        let heads = self.queues.lane(id).map(|lane| lane.heads(now)).unwrap_or_default();
        let mut woken = 0;
        for ((_, id), queue) in heads {
            let Some(record) = self.records.get(&id) else { continue };
            while woken < most && self.queues.wake_for(&record.submission, queue) {
                woken += 1;
            }
        }
        woken
    }

    /// Brings the timer of a lane along.
    pub(crate) fn time_lane(&mut self, id: &LaneId) {
        if let Some((before, now)) = self.queues.note_look(id) {
            let (tags, timed) = (Tags::new(), Timed::Lane(id.clone()));
            self.timers.remove(&tags, &timed, before);
            self.timers.insert(&tags, &timed, now);
        }
    }
}
