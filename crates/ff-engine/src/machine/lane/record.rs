//! What is decided of a lane: its state and settings, and how much of them is used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ff_types::backend::CapabilitySet;
use ff_types::{LaneId, LaneKey, RequestId, TimestampMs, limits};

use super::rate;
use crate::error::EngineError;
use crate::machine::placement::Queue;
use crate::machine::recent::Recent;
use crate::machine::record::{ExecutionRecord, RunState};
use crate::requests::{AdjustLane, LaneBarrier, LaneSettings, LaneState, LaneView};

/// One lane as a backend stores it, beside its queues.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneRecord {
    /// What it takes in and hands out.
    pub state: LaneState,
    /// What limits it.
    pub settings: Arc<LaneSettings>,
    /// Whether it was ever steered: has a state or settings of its own.
    pub is_steered: bool,
    /// When it has to be looked at: a claim may be possible that was not, or some keys have to be put back.
    pub look_at: Option<TimestampMs>,
    /// How many executions were handed out since it was steered.
    pub claimed: u64,
    /// Leases that are held.
    pub leases: u64,
    /// Reclaim tokens that are out.
    pub tokens: u64,
    /// The latest requests that changed it.
    pub marks: Recent<RequestId>,
    arrival_us: u64,
    keys: BTreeMap<LaneKey, KeyRecord>,
    arrivals: BTreeSet<(u64, LaneKey)>,
}

/// What is used by one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct KeyRecord {
    leases: u64,
    tokens: u64,
    arrival_us: u64,
    parked: Option<Parked>,
}

/// A key that has something ready and no turn: it is over its limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Parked {
    /// Until this time, or else until a lease of the key ends.
    until: Option<TimestampMs>,
    /// Whether the lane was adjusted since: whatever it waits for is not what it was.
    is_doubtful: bool,
    rings: BTreeSet<Ring>,
}

/// The queue in which keys take turns: a kind of work, a requirement class, and for reclaims a tag when they
/// are looked for by that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ring {
    /// The kind of work.
    pub queue: Queue,
    /// What it requires.
    pub class: CapabilitySet,
    /// The tag by which a filtered scanner finds it.
    pub tag: Option<(String, String)>,
}

/// What a store knows of lanes.
pub trait LaneTables {
    /// The lane, if it was ever used.
    fn lane(&self, id: &LaneId) -> Option<&LaneRecord>;

    /// How many of its executions are ready, those over a limit among them.
    fn ready_in(&self, id: &LaneId) -> u64;
}

/// Whether a lane takes in something new, and for how long it may wait there for its first attempt, in ms.
///
/// # Errors
/// [`EngineError::LaneDraining`], [`EngineError::LaneFull`].
pub(crate) fn admits(lanes: &impl LaneTables, id: &LaneId) -> Result<Option<u64>, EngineError> {
    let Some(lane) = lanes.lane(id).filter(|lane| lane.is_steered) else { return Ok(None) };
    if lane.state == LaneState::Draining {
        return Err(EngineError::LaneDraining { lane: id.clone() });
    }
    if let Some(limit) = lane.settings.max_queued
        && lanes.ready_in(id) >= u64::from(limit)
    {
        return Err(EngineError::LaneFull { lane: id.clone(), limit });
    }
    Ok(lane.settings.time_to_live.map(crate::requests::millis))
}

impl LaneRecord {
    /// What a backend has read of a lane that was steered.
    pub fn stored(
        state: LaneState,
        settings: LaneSettings,
        arrival_us: u64,
        claimed: u64,
        (leases, tokens): (u64, u64),
    ) -> Self {
        let settings = Arc::new(settings);
        let is_steered = true;
        Self { state, settings, is_steered, claimed, leases, tokens, arrival_us, ..Self::default() }
    }

    /// With what a backend has read of one key: how many leases and tokens are held for it, and when its next
    /// claim is due at the full rate, in µs.
    #[must_use]
    pub fn with_key(mut self, key: &LaneKey, held: u64, arrival_us: u64) -> Self {
        self.change_key(key, |used| {
            used.leases = held;
            used.arrival_us = arrival_us;
        });
        self
    }

    /// Decides a change; false when the request was made before.
    ///
    /// # Errors
    /// Those of [`AdjustLane::validate`].
    pub fn adjust(&mut self, request: &AdjustLane, now: TimestampMs) -> Result<bool, EngineError> {
        request.validate()?;
        if self.marks.iter().any(|mark| *mark == request.request_id) {
            return Ok(false);
        }
        self.is_steered = true;
        self.state = request.state.unwrap_or(self.state);
        if let Some(settings) = &request.settings {
            self.settings = Arc::new(settings.clone());
            if settings.key_rate.is_none() {
                self.forget_arrivals(|_| true);
            }
        }
        self.marks.push(request.request_id);
        for parked in self.keys.values_mut().filter_map(|used| used.parked.as_mut()) {
            parked.is_doubtful = true;
        }
        self.look_at = Some(now);
        Ok(true)
    }

    /// How many claims there may be now, or what is in the way.
    ///
    /// # Errors
    /// [`LaneBarrier`], of the lane.
    pub fn room(&self, now: TimestampMs) -> Result<u32, LaneBarrier> {
        if self.state == LaneState::Paused {
            return Err(LaneBarrier::Paused);
        }
        let mut room = u32::MAX;
        if let Some(max) = self.settings.max_concurrency {
            let left = u64::from(max).saturating_sub(self.leases + self.tokens);
            room = u32::try_from(left).unwrap_or(u32::MAX);
            if room == 0 {
                return Err(LaneBarrier::Full { max_concurrency: max });
            }
        }
        if let Some(rate) = &self.settings.rate {
            room = room.min(rate::room(rate, self.arrival_us, now));
            if room == 0 {
                return Err(LaneBarrier::Rate { until: rate::next_at(rate, self.arrival_us, now) });
            }
        }
        Ok(room)
    }

    /// Whether there may be a claim for a key now, and else what is in the way.
    ///
    /// # Errors
    /// [`LaneBarrier`], of the key.
    pub fn key_room(&self, key: &LaneKey, now: TimestampMs) -> Result<(), LaneBarrier> {
        let none = KeyRecord::default();
        let used = self.keys.get(key).unwrap_or(&none);
        if let Some(max) = self.settings.key_max_concurrency
            && used.leases + used.tokens >= u64::from(max)
        {
            return Err(LaneBarrier::KeyFull { max_concurrency: max });
        }
        if let Some(rate) = &self.settings.key_rate
            && rate::room(rate, used.arrival_us, now) == 0
        {
            return Err(LaneBarrier::KeyRate { until: rate::next_at(rate, used.arrival_us, now) });
        }
        Ok(())
    }

    /// An execution was handed out: a lease, or a token that leads to one.
    pub fn handed_out(&mut self, key: Option<&LaneKey>, now: TimestampMs) {
        if !self.is_steered {
            return;
        }
        self.claimed += 1;
        if let Some(rate) = &self.settings.rate {
            self.arrival_us = rate::after_claim(rate, self.arrival_us, now);
        }
        if let (Some(rate), Some(key)) = (self.settings.key_rate, key) {
            self.forget_arrivals(|at| rate::is_over(at, now));
            let kept = self.keys.get(key).map_or(0, |used| used.arrival_us);
            self.set_arrival(key, kept, rate::after_claim(&rate, kept, now));
        }
    }

    /// Forgets when the next claims for keys are due, the earliest first, as long as `wanted` says so.
    fn forget_arrivals(&mut self, wanted: impl Fn(u64) -> bool) {
        while let Some((_, key)) = self.arrivals.first().filter(|(at, _)| wanted(*at)).cloned() {
            self.arrivals.pop_first();
            self.change_key(&key, |used| used.arrival_us = 0);
        }
    }

    fn set_arrival(&mut self, key: &LaneKey, kept: u64, next: u64) {
        self.arrivals.remove(&(kept, key.clone()));
        self.arrivals.insert((next, key.clone()));
        self.change_key(key, |used| used.arrival_us = next);
    }

    /// A claim is through: when it has used the rate up, the lane is looked at once there is room. After a clock
    /// that stepped back, a look that lies further ahead than anybody has to wait is due at once.
    pub fn claimed(&mut self, now: TimestampMs) {
        if let (Some(at), Some(horizon)) = (self.look_at, self.horizon(now))
            && at > horizon
        {
            self.look_at = Some(now);
        }
        if let (Some(rate), LaneState::Active | LaneState::Draining) =
            (self.settings.rate, self.state)
            && rate::room(&rate, self.arrival_us, now) == 0
        {
            self.arrival_us = rate::arrival_at(&rate, self.arrival_us, now);
            self.look_by(rate::next_at(&rate, self.arrival_us, now));
        }
    }

    /// The latest time that anybody has to wait for a rate; `None` without one.
    fn horizon(&self, now: TimestampMs) -> Option<TimestampMs> {
        let rates = [&self.settings.rate, &self.settings.key_rate].into_iter().flatten();
        let longest = rates.map(rate::longest_ms).max()?;
        Some(now.saturating_add(Duration::from_millis(longest)))
    }

    fn look_by(&mut self, at: TimestampMs) {
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// A key that is over its limit stands aside in a ring.
    pub fn park(&mut self, key: &LaneKey, ring: Ring, barrier: LaneBarrier, now: TimestampMs) {
        let until = barrier.clears_at();
        if let (LaneBarrier::KeyRate { .. }, Some(rate)) = (barrier, self.settings.key_rate) {
            let kept = self.keys.get(key).map_or(0, |used| used.arrival_us);
            self.set_arrival(key, kept, rate::arrival_at(&rate, kept, now));
        }
        self.change_key(key, |used| {
            let parked = used.parked.get_or_insert_default();
            parked.until = until;
            parked.is_doubtful = false;
            parked.rings.insert(ring);
        });
        if let Some(at) = until {
            self.look_by(at);
        }
    }

    /// How many keys stand aside.
    pub fn parked(&self) -> u64 {
        self.keys.values().filter(|used| used.parked.is_some()).count() as u64
    }

    /// The rings in which a key stands aside, which it does no longer.
    pub fn unpark(&mut self, key: &LaneKey) -> BTreeSet<Ring> {
        let mut rings = BTreeSet::new();
        self.change_key(key, |used| {
            rings = used.parked.take().map(|parked| parked.rings).unwrap_or_default();
        });
        rings
    }

    /// Some of the keys that stand aside and have to be put back: those that the lane was adjusted for, those whose
    /// time has come, and those that would wait for longer than anybody has to, because the clock has stepped back.
    /// Takes note of when others have to be.
    pub fn take_due_keys(&mut self, now: TimestampMs) -> Vec<LaneKey> {
        let horizon = self.horizon(now);
        let rank = |parked: &Parked| match parked.until {
            _ if parked.is_doubtful => Some(0),
            Some(at) if at <= now => Some(1),
            Some(at) if horizon.is_some_and(|horizon| at > horizon) => Some(2),
            _ => None,
        };
        let parked = self.keys.iter().filter_map(|(key, used)| Some((key, used.parked.as_ref()?)));
        let mut due: Vec<_> = parked
            .filter_map(|(key, one)| {
                Some((rank(one)?, one.until.is_none(), one.until, key.clone()))
            })
            .collect();
        due.sort_unstable();
        let more = due.len() > limits::LANE_MOVED_MAX;
        due.truncate(limits::LANE_MOVED_MAX);
        let taken: Vec<_> = due.into_iter().map(|(.., key)| key).collect();
        let others = self.keys.iter().filter(|(key, _)| !taken.contains(key));
        let later = others.filter_map(|(_, used)| used.parked.as_ref()?.until).min();
        self.look_at = if more { Some(now) } else { later };
        taken
    }

    /// Counts the lease and the token of an execution whose run state was `before`. Answers whether there is
    /// room by it: for the lane, and for its key.
    pub fn follow(&mut self, before: &RunState, record: &ExecutionRecord) -> bool {
        let (was, is) = (Held::by(before), Held::by(&record.run));
        if was == is {
            return false;
        }
        change(&mut self.leases, was.lease, is.lease);
        change(&mut self.tokens, was.token, is.token);
        if let Some(key) = &record.submission.lane_key {
            self.change_key(key, |used| {
                change(&mut used.leases, was.lease, is.lease);
                change(&mut used.tokens, was.token, is.token);
            });
        }
        was.any() && !is.any()
    }

    fn change_key(&mut self, key: &LaneKey, change: impl FnOnce(&mut KeyRecord)) {
        let used = self.keys.entry(key.clone()).or_default();
        change(used);
        if *used == KeyRecord::default() {
            self.keys.remove(key);
        }
    }

    /// Whether a key is aside until a lease of it ends.
    pub(super) fn waits_for_lease(&self, key: &LaneKey) -> bool {
        let parked = self.keys.get(key).and_then(|used| used.parked.as_ref());
        parked.is_some_and(|parked| parked.until.is_none())
    }

    /// Whether the end of a lease can make another claim possible.
    pub(super) fn limits_leases(&self) -> bool {
        let settings = &self.settings;
        settings.max_concurrency.is_some() || settings.key_max_concurrency.is_some()
    }

    /// Whether nobody could be handed out an execution of this key as long as no lease ends and nothing is
    /// adjusted: then nobody need be woken for it.
    pub fn is_closed(&self, key: Option<&LaneKey>) -> bool {
        let held = self.leases + self.tokens;
        let of_key = key.and_then(|key| self.keys.get(key));
        let held_of_key = of_key.map_or(0, |used| used.leases + used.tokens);
        self.state == LaneState::Paused
            || self.settings.max_concurrency.is_some_and(|max| held >= u64::from(max))
            || self.settings.key_max_concurrency.is_some_and(|max| held_of_key >= u64::from(max))
    }

    /// Whether only time lets an execution of this key be handed out: then the lane is looked at by then, and
    /// nobody need be woken before.
    pub fn waits_for_time(&self, key: Option<&LaneKey>, now: TimestampMs) -> bool {
        let parked = key.and_then(|key| self.keys.get(key)?.parked.as_ref());
        let is_aside =
            |parked: &Parked| !parked.is_doubtful && parked.until.is_some_and(|at| at > now);
        matches!(self.room(now), Err(LaneBarrier::Rate { .. })) || parked.is_some_and(is_aside)
    }

    /// Whether one that was steered has room for a claim. What becomes ready in any other wakes somebody of its
    /// own.
    pub fn has_room(&self, now: TimestampMs) -> bool {
        self.is_steered && self.room(now).is_ok()
    }

    /// What keeps an execution of this key that is ready from being handed out.
    pub fn barrier(&self, key: Option<&LaneKey>, now: TimestampMs) -> Option<LaneBarrier> {
        let of_key = || key.and_then(|key| self.key_room(key, now).err());
        self.room(now).err().or_else(of_key)
    }

    /// Keys that are aside until a time at which nobody looks.
    pub fn forgotten_keys(&self) -> Vec<LaneKey> {
        let waits_in_vain = |parked: &Parked| {
            let by = if parked.is_doubtful { Some(TimestampMs(i64::MAX)) } else { parked.until };
            by.is_some_and(|by| self.look_at.is_none_or(|at| at > by))
        };
        let parked =
            self.keys.iter().filter(|(_, used)| used.parked.as_ref().is_some_and(waits_in_vain));
        parked.map(|(key, _)| key.clone()).collect()
    }

    /// Whether nothing is held or remembered of what was.
    pub(super) fn is_idle(&self) -> bool {
        self.leases == 0 && self.tokens == 0 && self.keys.is_empty()
    }

    /// The view of it at `now`, with `ready` executions, the longest waiting since `oldest`.
    pub fn view(
        &self,
        lane: LaneId,
        ready: u64,
        oldest_ready_at: Option<TimestampMs>,
        now: TimestampMs,
    ) -> LaneView {
        let settings = LaneSettings::clone(&self.settings);
        let mut view = LaneView::unused(lane);
        view.rate_room = settings.rate.as_ref().map(|rate| rate::room(rate, self.arrival_us, now));
        view.state = self.state;
        view.settings = settings;
        view.ready = ready;
        view.oldest_ready_at = oldest_ready_at;
        view.leases = self.leases;
        view.tokens = self.tokens;
        view.claimed = self.claimed;
        view.keys_over_limit = self.parked();
        view
    }
}

/// What an execution takes of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    lease: bool,
    token: bool,
}

impl Held {
    fn by(run: &RunState) -> Self {
        Self { lease: run.lease.is_some(), token: run.grant.is_some() }
    }

    fn any(self) -> bool {
        self.lease || self.token
    }
}

fn change(count: &mut u64, was: bool, is: bool) {
    *count = (*count + u64::from(is)).saturating_sub(u64::from(was));
}
