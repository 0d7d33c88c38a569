//! What is ready, by lane and requirement class, and who waits for it.
//!
//! A requirement class is a set of required capabilities. A claim looks at the classes its worker
//! covers and takes the best head among them, so that what it cannot run never comes up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ff_engine::Submission;
use ff_engine::machine::{Placement, Queue, QueueOrder};
use ff_types::backend::{CapabilitySet, ScannerFilter};
use ff_types::{ExecutionId, LaneId, Namespace};

use crate::mutation::Distortion;
use crate::waiters::{ClaimWaiters, WaiterId, Wakeup};

/// A place in a queue; smaller is handed out first.
pub(crate) type Place = (QueueOrder, ExecutionId);

pub(crate) struct Queues {
    namespace: Namespace,
    distortion: Distortion,
    wakeups: u64,
    lanes: HashMap<LaneId, Lane>,
}

#[derive(Default)]
struct Lane {
    classes: BTreeMap<CapabilitySet, Class>,
    waiters: ClaimWaiters,
}

#[derive(Default)]
struct Class {
    ready: BTreeSet<Place>,
    reclaim: BTreeSet<Place>,
}

impl Class {
    fn queue(&self, queue: Queue) -> &BTreeSet<Place> {
        match queue {
            Queue::Ready => &self.ready,
            Queue::Reclaim => &self.reclaim,
        }
    }

    fn queue_mut(&mut self, queue: Queue) -> &mut BTreeSet<Place> {
        match queue {
            Queue::Ready => &mut self.ready,
            Queue::Reclaim => &mut self.reclaim,
        }
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.reclaim.is_empty()
    }
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
        if !self.lanes.contains_key(&submission.lane) {
            self.lanes.insert(submission.lane.clone(), Lane::default());
        }
        let Some(lane) = self.lanes.get_mut(&submission.lane) else {
            return;
        };
        if !lane.classes.contains_key(&submission.capabilities) {
            lane.classes.insert(submission.capabilities.clone(), Class::default());
        }
        if let Some(class) = lane.classes.get_mut(&submission.capabilities) {
            class.queue_mut(queue).insert((order, submission.id()));
        }
        self.wake_for(submission, queue);
    }

    /// Takes an execution out of the queue its placement names.
    pub(crate) fn remove(&mut self, submission: &Submission, placement: &Placement) {
        let Some((queue, order)) = placement.queue else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&submission.lane) else {
            return;
        };
        if let Some(class) = lane.classes.get_mut(&submission.capabilities) {
            class.queue_mut(queue).remove(&(order, submission.id()));
            if class.is_empty() {
                lane.classes.remove(&submission.capabilities);
            }
        }
        self.drop_idle_lane(&submission.lane);
    }

    /// The first `at_most` executions of the given queues that a worker with `offered` can run and
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
        let mut found: Vec<(Place, Queue)> = Vec::new();
        for (required, class) in &lane.classes {
            if !self.distortion.covers(required, offered) {
                continue;
            }
            for &queue in queues {
                let places = class.queue(queue).iter().filter(|(_, id)| wanted(queue, *id));
                found.extend(places.take(at_most).map(|place| (*place, queue)));
            }
        }
        found.sort_unstable();
        found.truncate(at_most);
        found
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
        let place = (order, submission.id());
        let class = self
            .lanes
            .get(&submission.lane)
            .and_then(|lane| lane.classes.get(&submission.capabilities));
        let ahead = class
            .map_or(0, |class| class.queue(queue).range(..place).take(at_most as usize).count());
        u32::try_from(ahead).unwrap_or(at_most)
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

    /// Wakes one worker that can take this execution from `queue`.
    pub(crate) fn wake_for(&mut self, submission: &Submission, queue: Queue) {
        let Some(lane) = self.lanes.get_mut(&submission.lane) else { return };
        if self.distortion.wakes() && lane.waiters.wake_one(queue, submission, &self.namespace) {
            self.wakeups += 1;
        }
    }

    fn drop_idle_lane(&mut self, lane: &LaneId) {
        let idle = self
            .lanes
            .get(lane)
            .is_some_and(|lane| lane.classes.is_empty() && lane.waiters.is_empty());
        if idle {
            self.lanes.remove(lane);
        }
    }

    /// Every entry, for comparing with the records.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = (&LaneId, &CapabilitySet, Queue, &Place)> + '_ {
        self.lanes.iter().flat_map(|(lane, content)| {
            content.classes.iter().flat_map(move |(required, class)| {
                let ready = class.ready.iter().map(move |place| (Queue::Ready, place));
                let reclaim = class.reclaim.iter().map(move |place| (Queue::Reclaim, place));
                ready.chain(reclaim).map(move |(queue, place)| (lane, required, queue, place))
            })
        })
    }

    /// How many waiting claims were woken because something became ready.
    pub(crate) const fn wakeups(&self) -> u64 {
        self.wakeups
    }

    /// How many lanes are known.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }
}
