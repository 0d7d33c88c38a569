//! Lanes: how they are steered and read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ff_types::{LaneId, LaneKey, RequestId, TimestampMs, limits};
use serde::{Deserialize, Serialize};

use super::{at_most, millis, whole_ms};
use crate::error::EngineError;

/// What a lane takes in and hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LaneState {
    /// Takes in and hands out.
    #[default]
    Active,
    /// Takes in, and hands out nothing. What runs goes on.
    Paused,
    /// Hands out, and takes nothing new in.
    Draining,
}

impl LaneState {
    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for LaneState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LaneState {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let all = [Self::Active, Self::Paused, Self::Draining];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| EngineError::validation("state", "is no state of a lane"))
    }
}

/// How many claims there may be in an interval, by the generic cell rate algorithm (GCRA): they are spread
/// evenly, and up to `burst` may come at once after a pause. The time between two is a whole number of µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rate {
    /// 1..=1,000,000 claims.
    pub limit: u32,
    /// In this time; 1 ms ..= 31 days.
    pub per: Duration,
    /// This many at once, 1..=`limit`.
    pub burst: u32,
}

impl Rate {
    /// `limit` claims in each interval of this length, which may all come at once.
    pub const fn new(limit: u32, per: Duration) -> Self {
        Self { limit, per, burst: limit }
    }

    /// At most `burst` at once.
    #[must_use]
    pub const fn with_burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// The time from one claim to the next at the full rate, in µs, rounded up.
    pub fn interval_us(&self) -> u64 {
        millis(self.per).saturating_mul(1_000).div_ceil(u64::from(self.limit.max(1))).max(1)
    }

    fn validate(&self, field: &'static str) -> Result<(), EngineError> {
        let (max, longest) = (limits::LANE_RATE_MAX, limits::LANE_RATE_INTERVAL_MAX_MS);
        let refuse = |problem: String| Err(EngineError::validation(field, problem));
        if !(1..=max).contains(&self.limit) {
            return refuse(format!(
                "has a limit of {}, which must be within 1..={max}",
                self.limit
            ));
        }
        if !(1..=self.limit).contains(&self.burst) {
            let (limit, burst) = (self.limit, self.burst);
            return refuse(format!("has a burst of {burst}, which must be within 1..={limit}"));
        }
        let whole = self.per.subsec_nanos().is_multiple_of(1_000_000);
        if !(1..=longest).contains(&millis(self.per)) || !whole {
            let per = self.per;
            return refuse(format!(
                "has an interval of {per:?}, which must be within 1..={longest} whole ms"
            ));
        }
        Ok(())
    }
}

/// What limits a lane, and how it takes turns. Without any it hands out whatever is ready.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LaneSettings {
    /// Most leases that are held at once, 1..=1,000,000.
    pub max_concurrency: Option<u32>,
    /// How many claims there may be in an interval.
    pub rate: Option<Rate>,
    /// Most leases that are held at once for each key, 1..=1,000,000.
    pub key_max_concurrency: Option<u32>,
    /// How many claims there may be in an interval for each key.
    pub key_rate: Option<Rate>,
    /// How many turns a key gets for one of a key that is not named, 1..=1,000; at most 256 keys.
    pub weights: BTreeMap<LaneKey, u32>,
    /// A wait of this length counts as one step of priority; 1 ms ..= 31 days. Never when `None`.
    pub ageing: Option<Duration>,
    /// Submissions are refused while this many executions are ready, 1..=100,000,000.
    pub max_queued: Option<u32>,
    /// What is submitted expires unless its first attempt starts this long after it has become ready;
    /// 1 ms ..= 366 days.
    pub time_to_live: Option<Duration>,
}

impl LaneSettings {
    /// No limit at all.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// At most `leases` held at once.
    #[must_use]
    pub const fn with_max_concurrency(mut self, leases: u32) -> Self {
        self.max_concurrency = Some(leases);
        self
    }

    /// At most this many claims in an interval.
    #[must_use]
    pub const fn with_rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// At most `leases` held at once for each key.
    #[must_use]
    pub const fn with_key_max_concurrency(mut self, leases: u32) -> Self {
        self.key_max_concurrency = Some(leases);
        self
    }

    /// At most this many claims in an interval for each key.
    #[must_use]
    pub const fn with_key_rate(mut self, rate: Rate) -> Self {
        self.key_rate = Some(rate);
        self
    }

    /// Gives a key `weight` turns for one of a key without a weight.
    #[must_use]
    pub fn with_weight(mut self, key: LaneKey, weight: u32) -> Self {
        self.weights.insert(key, weight);
        self
    }

    /// Counts each wait of this length as one step of priority.
    #[must_use]
    pub const fn with_ageing(mut self, wait: Duration) -> Self {
        self.ageing = Some(wait);
        self
    }

    /// Refuses submissions while `ready` executions are ready.
    #[must_use]
    pub const fn with_max_queued(mut self, ready: u32) -> Self {
        self.max_queued = Some(ready);
        self
    }

    /// Lets what is submitted expire unless it starts in this time.
    #[must_use]
    pub const fn with_time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = Some(time_to_live);
        self
    }

    /// The weight of a key.
    pub fn weight(&self, key: Option<&LaneKey>) -> u32 {
        key.and_then(|key| self.weights.get(key)).copied().unwrap_or(1)
    }

    /// Checks every field against its limit.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub fn validate(&self) -> Result<(), EngineError> {
        let most = limits::LANE_CONCURRENCY_MAX;
        within("max_concurrency", self.max_concurrency, most)?;
        within("key_max_concurrency", self.key_max_concurrency, most)?;
        self.rate.map_or(Ok(()), |rate| rate.validate("rate"))?;
        self.key_rate.map_or(Ok(()), |rate| rate.validate("key_rate"))?;
        at_most("weights", self.weights.len(), limits::LANE_WEIGHTS_MAX)?;
        for (key, weight) in &self.weights {
            within(format!("weights.{key}"), Some(*weight), limits::LANE_WEIGHT_MAX)?;
        }
        within_ms("ageing", self.ageing, limits::LANE_AGEING_MAX_MS)?;
        within("max_queued", self.max_queued, limits::LANE_QUEUED_MAX)?;
        within_ms("time_to_live", self.time_to_live, limits::LANE_TIME_TO_LIVE_MAX_MS)
    }
}

fn within(
    field: impl Into<Cow<'static, str>>,
    value: Option<u32>,
    max: u32,
) -> Result<(), EngineError> {
    match value {
        Some(value) if !(1..=max).contains(&value) => {
            Err(EngineError::validation(field, format!("must be within 1..={max}, is {value}")))
        }
        _ => Ok(()),
    }
}

fn within_ms(field: &'static str, value: Option<Duration>, max: u64) -> Result<(), EngineError> {
    value.map_or(Ok(()), |value| whole_ms(field, value, 1, max))
}

/// Changes the state of a lane, its settings, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdjustLane {
    /// The request; a repeat changes nothing.
    pub request_id: RequestId,
    /// The lane. One that nobody has named before is active, and without settings.
    pub lane: LaneId,
    /// The state it is to have; stays when `None`.
    pub state: Option<LaneState>,
    /// The settings it is to have, in place of all others; stay when `None`.
    pub settings: Option<LaneSettings>,
}

impl AdjustLane {
    /// Changes nothing yet.
    pub const fn new(request_id: RequestId, lane: LaneId) -> Self {
        Self { request_id, lane, state: None, settings: None }
    }

    /// Gives it this state.
    #[must_use]
    pub const fn with_state(mut self, state: LaneState) -> Self {
        self.state = Some(state);
        self
    }

    /// Gives it these settings, in place of all others.
    #[must_use]
    pub fn with_settings(mut self, settings: LaneSettings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Those of [`LaneSettings::validate`].
    pub fn validate(&self) -> Result<(), EngineError> {
        self.settings.as_ref().map_or(Ok(()), LaneSettings::validate)
    }
}

/// A lane at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LaneView {
    /// The lane.
    pub lane: LaneId,
    /// What it takes in and hands out.
    pub state: LaneState,
    /// What limits it.
    pub settings: LaneSettings,
    /// How many executions are ready, those over a limit among them.
    pub ready: u64,
    /// Since when the longest waiting of them is ready.
    pub oldest_ready_at: Option<TimestampMs>,
    /// How many leases are held.
    pub leases: u64,
    /// How many reclaim tokens are out. They count against the limits as leases do.
    pub tokens: u64,
    /// How many executions were handed out since the lane was steered for the first time.
    pub claimed: u64,
    /// How many claims its rate allows now; `None` without one.
    pub rate_room: Option<u32>,
    /// How many keys wait for their own limit.
    pub keys_over_limit: u64,
}

impl LaneView {
    /// An active lane without settings, in which nothing was ever done. For backends.
    pub fn unused(lane: LaneId) -> Self {
        Self {
            lane,
            state: LaneState::Active,
            settings: LaneSettings::default(),
            ready: 0,
            oldest_ready_at: None,
            leases: 0,
            tokens: 0,
            claimed: 0,
            rate_room: None,
            keys_over_limit: 0,
        }
    }

    /// Takes in what another partition has of the same lane. For backends.
    pub fn merge(&mut self, other: &Self) {
        self.ready += other.ready;
        self.leases += other.leases;
        self.tokens += other.tokens;
        self.claimed += other.claimed;
        self.keys_over_limit += other.keys_over_limit;
        self.rate_room = match (self.rate_room, other.rate_room) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        let both = [self.oldest_ready_at, other.oldest_ready_at];
        self.oldest_ready_at = both.into_iter().flatten().min();
    }
}

/// Asks for the lanes that were steered, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListLanes {
    /// Only those behind this one.
    pub after: Option<LaneId>,
    /// At most this many, 1..=1,000; 100 when `None`.
    pub limit: Option<u32>,
}

impl ListLanes {
    /// The first of all.
    pub const fn all() -> Self {
        Self { after: None, limit: None }
    }

    /// Only those behind `lane`, the last of the page before.
    #[must_use]
    pub fn with_after(mut self, lane: LaneId) -> Self {
        self.after = Some(lane);
        self
    }

    /// At most `limit`.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The page size in force.
    ///
    /// # Errors
    /// [`EngineError::Validation`] when it is out of range.
    pub fn page_size(&self) -> Result<usize, EngineError> {
        super::read::page_size(self.limit)
    }
}

/// What keeps a lane from handing out an execution that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LaneBarrier {
    /// It is paused.
    Paused,
    /// As many leases are held as it may have.
    Full {
        /// That many.
        max_concurrency: u32,
    },
    /// Its rate is used up.
    Rate {
        /// When it allows the next claim.
        until: TimestampMs,
    },
    /// As many leases are held for the key of the execution as it may have.
    KeyFull {
        /// That many.
        max_concurrency: u32,
    },
    /// The rate of the key is used up.
    KeyRate {
        /// When it allows the next claim.
        until: TimestampMs,
    },
}

impl LaneBarrier {
    /// When time alone lifts it.
    pub const fn clears_at(self) -> Option<TimestampMs> {
        match self {
            Self::Rate { until } | Self::KeyRate { until } => Some(until),
            _ => None,
        }
    }
}

impl fmt::Display for LaneBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("is paused"),
            Self::Full { max_concurrency } => write!(f, "has its {max_concurrency} leases"),
            Self::Rate { .. } => f.write_str("has used its rate up"),
            Self::KeyFull { max_concurrency } => {
                write!(f, "has the {max_concurrency} leases of the key")
            }
            Self::KeyRate { .. } => f.write_str("has used the rate of the key up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_refused_by_the_field_at_fault() {
        let none = LaneSettings::default;
        let minute = Duration::from_mins(1);
        let key = |i: u32| LaneKey::new(format!("k{i}")).unwrap();
        let many = (0..257).fold(none(), |one, i| one.with_weight(key(i), 1));
        let cases = [
            (none().with_max_concurrency(0), "max_concurrency must be within 1..=1000000"),
            (none().with_key_max_concurrency(1_000_001), "key_max_concurrency must be within"),
            (none().with_rate(Rate::new(0, minute)), "rate has a limit of 0"),
            (none().with_key_rate(Rate::new(5, minute).with_burst(6)), "key_rate has a burst of 6"),
            (none().with_rate(Rate::new(1, Duration::ZERO)), "rate has an interval of 0ns"),
            (many, "weights is 257, the limit is 256"),
            (none().with_weight(key(0), 0), "weights.k0 must be within 1..=1000"),
            (none().with_ageing(Duration::ZERO), "ageing must be within 1..="),
            (none().with_ageing(Duration::from_micros(1_900)), "ageing must be within 1..="),
            (none().with_rate(Rate::new(1, Duration::from_micros(1_900))), "rate has an interval"),
            (none().with_max_queued(0), "max_queued must be within"),
            (none().with_time_to_live(Duration::from_hours(24 * 367)), "time_to_live must be"),
        ];

        for (settings, problem) in cases {
            let refusal = settings.validate().unwrap_err().to_string();
            assert!(refusal.starts_with(problem), "{refusal}");
        }
        assert!(none().validate().is_ok());
    }
}
