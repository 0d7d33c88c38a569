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

    /// A claim that was woken for an execution has done what it could, and lets others go on: with that
    /// execution while it is ready, and when it `found` nothing, with whatever else its lane has room for.
    pub(crate) fn woken_in_vain(
        &mut self,
        lane: &LaneId,
        id: ExecutionId,
        found: bool,
        now: TimestampMs,
    ) {
        let record = self.records.get(&id);
        if let Some((record, (queue, _))) =
            record.and_then(|record| Some((record, self.placement(record).queue?)))
        {
            let submission = &record.submission;
            let of_lane = self.queues.lane(&submission.lane);
            let key = submission.lane_key.as_ref();
            if !of_lane.is_some_and(|lane| lane.record.waits_for_time(key, now)) {
                self.queues.wake_for(submission, queue);
            }
        } else if !found && self.queues.lane(lane).is_some_and(|lane| lane.record.has_room(now)) {
            self.wake_lane(lane, 1, now);
        }
    }

    /// Wakes up to `most` workers that can take what is ready in a lane, and for each queue no more than it
    /// may hold. Answers how many.
    fn wake_lane(&mut self, id: &LaneId, most: usize, now: TimestampMs) -> usize {
        let heads = self.queues.lane(id).map(|lane| lane.heads(now)).unwrap_or_default();
        let mut woken = 0;
        for ((_, id), queue, ready) in heads {
            let Some(record) = self.records.get(&id) else { continue };
            let mut left = ready.min(most - woken);
            while left > 0 && self.queues.wake_for(&record.submission, queue) {
                (woken, left) = (woken + 1, left - 1);
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
