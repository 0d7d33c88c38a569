//! The queues of one lane, and what is handed out of them.
//!
//! A requirement class is a set of required capabilities: a claim looks at the classes that its worker covers,
//! so that what it cannot run never comes up. In a class fresh work and reclaims queue apart, and what has a
//! key queues by key, in a [`Ring`].

use std::collections::{BTreeMap, BTreeSet};

use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionId, LaneKey, TimestampMs};

use super::ageing::{Standing, first, level_heads};
use super::record::{LaneRecord, Ring};
use super::turns::{Turn, Turns};
use crate::machine::placement::{Queue, QueueOrder};
use crate::machine::record::{ExecutionRecord, RunState};
use crate::requests::Submission;

/// A place in a queue; smaller is handed out first.
pub type Place = (QueueOrder, ExecutionId);

type Line = BTreeSet<Place>;

/// One lane: what it allows, and what is ready in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneQueues {
    /// What it allows, and what is used of that.
    pub record: LaneRecord,
    keyless: BTreeMap<(CapabilitySet, Queue), Line>,
    rings: BTreeMap<Ring, Keyed>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Keyed {
    turns: Turns,
    lines: BTreeMap<LaneKey, Line>,
}

/// What a claim asks of a lane.
#[derive(Debug, Clone)]
pub struct Ask<'r> {
    /// The kinds of work.
    pub queues: &'r [Queue],
    /// The tag of the reclaims, if they are looked for by one.
    pub tag: Option<&'r (String, String)>,
    /// The present.
    pub now: TimestampMs,
}

/// What is to be handed out next.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// Where it stands.
    pub place: Place,
    /// In which queue.
    pub queue: Queue,
    turn: Option<(Ring, Option<LaneKey>)>,
}

impl LaneQueues {
    /// Queues an execution.
    pub fn insert(&mut self, submission: &Submission, queue: Queue, order: QueueOrder) {
        let place = (order, submission.id());
        let Some(key) = &submission.lane_key else {
            let class = (submission.capabilities.clone(), queue);
            self.keyless.entry(class).or_default().insert(place);
            return;
        };
        let weight = self.record.settings.weight(Some(key));
        for ring in rings_of(submission, queue) {
            let keyed = self.rings.entry(ring).or_default();
            keyed.lines.entry(key.clone()).or_default().insert(place);
            keyed.turns.join(Some(key.clone()), weight);
        }
    }

    /// Takes an execution out of its queue.
    pub fn remove(&mut self, submission: &Submission, queue: Queue, order: QueueOrder) {
        let place = (order, submission.id());
        let Some(key) = &submission.lane_key else {
            let class = (submission.capabilities.clone(), queue);
            if let Some(line) = self.keyless.get_mut(&class) {
                line.remove(&place);
                if line.is_empty() {
                    self.keyless.remove(&class);
                }
            }
            return;
        };
        for ring in rings_of(submission, queue) {
            let Some(keyed) = self.rings.get_mut(&ring) else { continue };
            let Some(line) = keyed.lines.get_mut(key) else { continue };
            line.remove(&place);
            if line.is_empty() {
                keyed.lines.remove(key);
                keyed.turns.leave(Some(key));
            }
            if keyed.lines.is_empty() {
                self.rings.remove(&ring);
            }
        }
    }

    /// Whether order alone decides what is handed out next: no key has anything ready, and waiting does not
    /// count. Then [`Self::batch`] gives several at once, and else [`Self::pick`] gives one.
    pub fn is_plain(&self) -> bool {
        self.rings.is_empty() && self.record.settings.ageing.is_none()
    }

    /// The first executions of the queues whose class a worker covers and which `wanted` accepts, best
    /// first.
    pub fn batch(
        &self,
        queues: &[Queue],
        at_most: usize,
        covers: impl Fn(&CapabilitySet) -> bool,
        wanted: impl Fn(Queue, ExecutionId) -> bool,
    ) -> Vec<(Place, Queue)> {
        let mut found: Vec<(Place, Queue)> = Vec::new();
        for ((class, queue), line) in &self.keyless {
            if queues.contains(queue) && covers(class) {
                let places = line.iter().filter(|(_, id)| wanted(*queue, *id));
                found.extend(places.take(at_most).map(|place| (*place, *queue)));
            }
        }
        found.sort_unstable();
        found.truncate(at_most);
        found
    }

    /// What is handed out next, `at_most` so many: several at once where order alone decides, and else one.
    pub fn next(
        &mut self,
        ask: &Ask<'_>,
        at_most: usize,
        covers: impl Fn(&CapabilitySet) -> bool,
        wanted: impl Fn(Queue, ExecutionId) -> bool,
    ) -> Vec<Pick> {
        if !self.is_plain() {
            return self.pick(ask, covers, wanted).into_iter().collect();
        }
        let batch = self.batch(ask.queues, at_most, covers, wanted);
        batch.into_iter().map(|(place, queue)| Pick { place, queue, turn: None }).collect()
    }

    /// What a worker that covers these classes is handed out next, of what `wanted` accepts. Keys over their
    /// limits that stand in front are set aside.
    pub fn pick(
        &mut self,
        ask: &Ask<'_>,
        covers: impl Fn(&CapabilitySet) -> bool,
        wanted: impl Fn(Queue, ExecutionId) -> bool,
    ) -> Option<Pick> {
        let keyless = self.keyless.keys().cloned();
        let keyed = self.rings.keys().map(|ring| (ring.class.clone(), ring.queue));
        let classes: BTreeSet<_> = keyless.chain(keyed).collect();
        let classes = classes.into_iter();
        let mut best: Option<(Standing, Pick)> = None;
        for (class, queue) in
            classes.filter(|(class, queue)| ask.queues.contains(queue) && covers(class))
        {
            let tag = ask.tag.filter(|_| queue == Queue::Reclaim).cloned();
            let found = self.pick_of(Ring { queue, class, tag }, ask, |id| wanted(queue, id));
            if let Some((standing, pick)) = found
                && best.as_ref().is_none_or(|(best, _)| standing < *best)
            {
                best = Some((standing, pick));
            }
        }
        best.map(|(_, pick)| pick)
    }

    fn pick_of(
        &mut self,
        ring: Ring,
        ask: &Ask<'_>,
        wanted: impl Fn(ExecutionId) -> bool,
    ) -> Option<(Standing, Pick)> {
        let ageing = self.record.settings.ageing;
        let queue = ring.queue;
        let keyless = self.keyless.get(&(ring.class.clone(), queue));
        let keyless = keyless.and_then(|line| first(line, ageing, wanted, ask.now));
        if let Some(keyed) = self.rings.get_mut(&ring)
            && keyless.is_some()
            && keyed.turns.has_keys()
        {
            keyed.turns.join(None, 1);
        }
        while let Some(keyed) = self.rings.get_mut(&ring) {
            match keyed.turns.next() {
                Turn::Nobodys => break,
                Turn::Keyless if keyless.is_some() => break,
                Turn::Keyless => keyed.turns.leave(None),
                Turn::Of(key) => {
                    let Err(barrier) = self.record.key_room(&key, ask.now) else {
                        let line = keyed.lines.get(&key)?;
                        let (standing, place) = first(line, ageing, |_| true, ask.now)?;
                        let turn = Some((ring, Some(key)));
                        return Some((standing, Pick { place, queue, turn }));
                    };
                    keyed.turns.leave(Some(&key));
                    self.record.park(&key, ring.clone(), barrier, ask.now);
                }
            }
        }
        let (standing, place) = keyless?;
        Some((standing, Pick { place, queue, turn: Some((ring, None)) }))
    }

    /// What was picked is handed out: its key has had its turn.
    pub fn took(&mut self, pick: &Pick) {
        let Some((ring, key)) = &pick.turn else { return };
        let weight = self.record.settings.weight(key.as_ref());
        if let Some(keyed) = self.rings.get_mut(ring) {
            keyed.turns.took(key.as_ref(), weight);
        }
    }

    /// Counts what an execution holds whose run state was `before`. Answers whether there is room for another
    /// by it, and lets its key take turns again if it was aside for that.
    pub fn follow(&mut self, before: &RunState, record: &ExecutionRecord) -> bool {
        let freed = self.record.follow(before, record);
        if let Some(key) = record.submission.lane_key.as_ref().filter(|_| freed)
            && self.record.waits_for_lease(key)
        {
            self.put_back(key);
        }
        freed && self.record.limits_leases()
    }

    /// Looks at the lane, if that is due: puts keys back that were aside. Answers how many claims there may
    /// be, or nothing when it is not due.
    pub fn look(&mut self, now: TimestampMs) -> Option<u32> {
        self.record.look_at.filter(|at| *at <= now)?;
        for key in self.record.take_due_keys(now) {
            self.put_back(&key);
        }
        self.record.claimed(now);
        Some(self.record.room(now).unwrap_or(0))
    }

    fn put_back(&mut self, key: &LaneKey) {
        let weight = self.record.settings.weight(Some(key));
        for ring in self.record.unpark(key) {
            if let Some(keyed) = self.rings.get_mut(&ring)
                && keyed.lines.contains_key(key)
            {
                keyed.turns.join(Some(key.clone()), weight);
            }
        }
    }

    /// How many stand in front of an execution in its queue, counted up to `at_most`.
    pub fn ahead(
        &self,
        submission: &Submission,
        queue: Queue,
        order: QueueOrder,
        at_most: u32,
    ) -> u32 {
        let class = submission.capabilities.clone();
        let line = match &submission.lane_key {
            None => self.keyless.get(&(class, queue)),
            Some(key) => {
                let ring = Ring { queue, class, tag: None };
                self.rings.get(&ring).and_then(|keyed| keyed.lines.get(key))
            }
        };
        let place = (order, submission.id());
        let ahead = line.map_or(0, |line| line.range(..place).take(at_most as usize).count());
        u32::try_from(ahead).unwrap_or(at_most)
    }

    /// Every entry, each with its class and its queue.
    pub fn entries(&self) -> impl Iterator<Item = (&CapabilitySet, Queue, &Place)> {
        self.lines()
            .flat_map(|(class, queue, line)| line.iter().map(move |place| (class, queue, place)))
    }

    /// The first of each class and kind of work that could be handed out if the lane has room, best first,
    /// with how many there may be behind it, itself among them.
    pub fn heads(&self, now: TimestampMs) -> Vec<(Place, Queue, usize)> {
        let keyless = self.keyless.iter().filter_map(|((_, queue), line)| {
            line.first().map(|place| (*place, *queue, line.len()))
        });
        let all = self.rings.iter().filter(|(ring, _)| ring.tag.is_none());
        let keyed = all.filter_map(|(ring, keyed)| {
            let key = keyed.turns.keys().find(|key| self.record.key_room(key, now).is_ok())?;
            let ready = keyed.lines.values().map(Line::len).sum();
            keyed.lines.get(key)?.first().map(|place| (*place, ring.queue, ready))
        });
        let mut heads: Vec<_> = keyless.chain(keyed).collect();
        heads.sort_unstable();
        heads
    }

    /// How many are ready.
    pub fn ready(&self) -> u64 {
        self.lines().map(|(.., line)| line.len() as u64).sum()
    }

    /// Since when the longest waiting of them is ready.
    pub fn oldest_ready_at(&self) -> Option<TimestampMs> {
        self.lines().flat_map(|(.., line)| level_heads(line)).map(|(order, _)| order.ready_at).min()
    }

    fn lines(&self) -> impl Iterator<Item = (&CapabilitySet, Queue, &Line)> {
        let keyless = self.keyless.iter().map(|((class, queue), line)| (class, *queue, line));
        let all = self.rings.iter().filter(|(ring, _)| ring.tag.is_none());
        let keyed = all.flat_map(|(ring, keyed)| {
            keyed.lines.values().map(|line| (&ring.class, ring.queue, line))
        });
        keyless.chain(keyed)
    }

    /// Whether nothing is ready or held.
    pub fn is_idle(&self) -> bool {
        self.keyless.is_empty() && self.rings.is_empty() && self.record.is_idle()
    }

    /// Whether nothing is ready, held or steered.
    pub fn is_unused(&self) -> bool {
        self.is_idle() && !self.record.is_steered
    }
}

/// The rings in which an execution with a key stands.
fn rings_of(submission: &Submission, queue: Queue) -> impl Iterator<Item = Ring> {
    let tags = submission.tags.iter().filter(move |_| queue == Queue::Reclaim);
    let tags = tags.map(|(key, value)| Some((key.to_owned(), value.to_owned())));
    let class = &submission.capabilities;
    std::iter::once(None).chain(tags).map(move |tag| Ring { queue, class: class.clone(), tag })
}
