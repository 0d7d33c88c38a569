//! What live workers offer, by lane: what tells work that waits its turn from work that nobody can do.
//!
//! An offer is made by a claim, by a call of the reclaim scanner, and again by every renewal of what it was
//! handed out for. It counts for [`limits::OFFER_LIVES_MS`], or as long as the lease when that is longer; of what
//! is made again the later end counts, to within [`limits::OFFER_STEP_MS`].

use std::collections::BTreeMap;
use std::time::Duration;

use ff_types::backend::CapabilitySet;
use ff_types::{LaneId, TimestampMs, limits};

/// The offers of a backend. Offers of nothing are not kept.
#[derive(Debug, Default)]
pub struct Offers {
    lanes: BTreeMap<LaneId, BTreeMap<CapabilitySet, TimestampMs>>,
}

impl Offers {
    /// A worker that takes leases of this length offers this in a lane.
    pub fn made(
        &mut self,
        lane: &LaneId,
        offered: &CapabilitySet,
        ttl: Duration,
        now: TimestampMs,
    ) {
        if offered.is_empty() {
            return;
        }
        let until = now.saturating_add(ttl.max(Duration::from_millis(limits::OFFER_LIVES_MS)));
        let latest = now.saturating_add(Duration::from_millis(limits::LEASE_TTL_MAX_MS));
        let step = Duration::from_millis(limits::OFFER_STEP_MS);
        let offers = self.lanes.entry(lane.clone()).or_default();
        match offers.get_mut(offered) {
            // What lasts longer stays, but for what a clock that stepped back has left behind.
            Some(last) if until.saturating_since(*last) < step && *last <= latest => {}
            Some(last) => *last = until,
            None => {
                offers.retain(|_, until| *until > now);
                offers.insert(offered.clone(), until);
            }
        }
    }

    /// Which of these requirements nobody offers, when no live worker of a lane offers all of them. That is
    /// none when each is offered by somebody, but not all by one.
    pub fn missing(
        &self,
        lane: &LaneId,
        requires: &CapabilitySet,
        now: TimestampMs,
    ) -> Option<CapabilitySet> {
        let mut missing: Vec<&str> = requires.iter().collect();
        if missing.is_empty() {
            return None;
        }
        let offers = self.lanes.get(lane).into_iter().flatten();
        for (offered, _) in offers.filter(|(_, until)| **until > now) {
            if requires.is_subset_of(offered) {
                return None;
            }
            missing.retain(|token| !offered.contains(token));
        }
        Some(CapabilitySet::from_tokens(missing).expect("a part of a set is one"))
    }
}
