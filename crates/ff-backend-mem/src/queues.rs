//! What is ready, by lane, and who waits for it.

use std::collections::HashMap;

use ff_engine::Submission;
use ff_engine::machine::lane::{Ask, LaneQueues, Pick, Place};
use ff_engine::machine::{LaneRecord, Placement, Queue};
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionId, LaneId, Namespace, TimestampMs};

use crate::mutation::Distortion;
use crate::waiters::{ClaimWaiters, WaiterId, Wakeup};

pub(crate) struct Queues {
    namespace: Namespace,
    distortion: Distortion,
    wakeups: u64,
    lanes: HashMap<LaneId, Lane>,
}

#[derive(Default)]
struct Lane {
    queues: LaneQueues,
    waiters: ClaimWaiters,
    /// When its timer is set to, which follows what its record says.
    timed_at: Option<TimestampMs>,
}

impl Queues {
    pub(crate) fn new(namespace: Namespace, distortion: Distortion) -> Self {
        Self { namespace, distortion, wakeups: 0, lanes: HashMap::new() }
    }

    /// Queues an execution, if its placement says so, and wakes one worker that can run it.
    pub(crate) fn insert(&mut self, submission: &Submission, placement: &Placement) {
        let Some((queue, order)) = placement.queue else {
            return;
        };
        let queued = self.distortion.queued(submission);
        self.lane_mut(&submission.lane).insert(&queued, queue, order);
        self.wake_for(submission, queue);
    }

    /// Takes an execution out of the queue its placement names.
    pub(crate) fn remove(&mut self, submission: &Submission, placement: &Placement) {
        let Some((queue, order)) = placement.queue else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&submission.lane) {
            lane.queues.remove(&self.distortion.queued(submission), queue, order);
        }
        self.drop_idle_lane(&submission.lane);
    }

    /// Whether several executions can be taken from a lane at once, in their order.
    pub(crate) fn is_plain(&self, lane: &LaneId) -> bool {
        self.lanes.get(lane).is_none_or(|lane| lane.queues.is_plain())
    }

    /// The first executions of the given queues that a worker with `offered` can run and
    /// `wanted` accepts, best first.
    pub(crate) fn first(
        &self,
        lane: &LaneId,
        queues: &[Queue],
        offered: &CapabilitySet,
        at_most: usize,
        wanted: impl Fn(Queue, ExecutionId) -> bool,
    ) -> Vec<(Place, Queue)> {
        let Some(lane) = self.lanes.get(lane) else { return Vec::new() };
        let covers = |class: &CapabilitySet| self.distortion.covers(class, offered);
        lane.queues.batch(queues, at_most, covers, wanted)
    }

    /// What a worker with `offered` is handed out next.
    pub(crate) fn pick(
        &mut self,
        lane: &LaneId,
        ask: &Ask<'_>,
        offered: &CapabilitySet,
        wanted: impl Fn(Queue, ExecutionId) -> bool,
    ) -> Option<Pick> {
        let distortion = self.distortion;
        let covers = |class: &CapabilitySet| distortion.covers(class, offered);
        self.lanes.get_mut(lane)?.queues.pick(ask, covers, wanted)
    }

    /// How many stand in front of `place` in its queue, counted up to `at_most`.
    pub(crate) fn ahead(
        &self,
        submission: &Submission,
        placement: &Placement,
        at_most: u32,
    ) -> u32 {
        let Some((queue, order)) = placement.queue else {
            return 0;
        };
        let lane = self.lanes.get(&submission.lane);
        lane.map_or(0, |lane| lane.queues.ahead(submission, queue, order, at_most))
    }

    /// Registers a claim that found nothing, to be woken when there is something.
    pub(crate) fn wait(
        &mut self,
        lane: &LaneId,
        offered: &CapabilitySet,
        reclaims: Option<ScannerFilter>,
    ) -> (WaiterId, Wakeup) {
        self.lanes.entry(lane.clone()).or_default().waiters.add(offered.clone(), reclaims)
    }

    /// Ends a wait.
    pub(crate) fn stop_waiting(&mut self, lane: &LaneId, id: WaiterId) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.waiters.remove(id);
        }
        self.drop_idle_lane(lane);
    }

    /// Wakes one worker that can take this execution from `queue`, unless its lane is closed. Answers whether
    /// there was one.
    pub(crate) fn wake_for(&mut self, submission: &Submission, queue: Queue) -> bool {
        let Some(lane) = self.lanes.get_mut(&submission.lane) else { return false };
        let woken = self.distortion.wakes()
            && !lane.queues.record.is_closed(submission.lane_key.as_ref())
            && lane.waiters.wake_one(queue, submission, &self.namespace);
        self.wakeups += u64::from(woken);
        woken
    }

    /// The queues of a lane, if it is in use.
    pub(crate) fn lane(&self, id: &LaneId) -> Option<&LaneQueues> {
        self.lanes.get(id).map(|lane| &lane.queues)
    }

    /// The queues of a lane.
    pub(crate) fn lane_mut(&mut self, id: &LaneId) -> &mut LaneQueues {
        if !self.lanes.contains_key(id) {
            self.lanes.insert(id.clone(), Lane::default());
        }
        &mut self.lanes.get_mut(id).expect("it was just made").queues
    }

    /// Takes note of when a lane is to be looked at. Answers when it was before, and is now, if that differs.
    pub(crate) fn note_look(
        &mut self,
        id: &LaneId,
    ) -> Option<(Option<TimestampMs>, Option<TimestampMs>)> {
        let lane = self.lanes.get_mut(id)?;
        let (before, now) = (lane.timed_at, lane.queues.record.look_at);
        lane.timed_at = now;
        self.drop_idle_lane(id);
        (before != now).then_some((before, now))
    }

    fn drop_idle_lane(&mut self, lane: &LaneId) {
        let idle = self.lanes.get(lane).is_some_and(|lane| {
            lane.queues.is_unused() && lane.waiters.is_empty() && lane.timed_at.is_none()
        });
        if idle {
            self.lanes.remove(lane);
        }
    }

    /// Every entry, for comparing with the records.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = (&LaneId, &CapabilitySet, Queue, &Place)> + '_ {
        self.lanes.iter().flat_map(|(id, lane)| {
            lane.queues.entries().map(move |(class, queue, place)| (id, class, queue, place))
        })
    }

    /// What is known of each lane, and when its timer is set to.
    pub(crate) fn records(
        &self,
    ) -> impl Iterator<Item = (&LaneId, &LaneRecord, Option<TimestampMs>)> {
        self.lanes.iter().map(|(id, lane)| (id, &lane.queues.record, lane.timed_at))
    }

    /// How many waiting claims were woken because something became ready.
    pub(crate) const fn wakeups(&self) -> u64 {
        self.wakeups
    }

    /// How many lanes are in use. That one was steered stays known.
    pub(crate) fn lanes(&self) -> usize {
        let in_use = |lane: &&Lane| !lane.queues.is_idle() || !lane.waiters.is_empty();
        self.lanes.values().filter(in_use).count()
    }
}
