//! Lanes: their settings as the library keeps them.

use std::num::TryFromIntError;
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{LaneSettings, LaneState, Rate};
use ff_types::LaneKey;

use crate::ops::Packed;
use crate::reply::Reply;

/// The letter of a state.
pub(crate) const fn lane_state_text(state: LaneState) -> &'static str {
    match state {
        LaneState::Paused => "p",
        LaneState::Draining => "d",
        _ => "a",
    }
}

/// Settings as one text, in the order that `lanes.lua` names.
pub(crate) fn lane_settings_text(settings: &LaneSettings) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let time = |time: Option<Duration>| number(time.map(millis));
    let rate = |rate: Option<Rate>| {
        rate.map_or_else(
            || "- - -".to_owned(),
            |rate| format!("{} {} {}", rate.limit, millis(rate.per), rate.burst),
        )
    };
    [
        number(settings.max_concurrency.map(u64::from)),
        rate(settings.rate),
        number(settings.key_max_concurrency.map(u64::from)),
        rate(settings.key_rate),
        time(settings.ageing),
        number(settings.max_queued.map(u64::from)),
        time(settings.time_to_live),
    ]
    .join(" ")
}

/// Weights as an argument: key and weight of each, packed.
pub(crate) fn lane_weights_text(settings: &LaneSettings) -> Bytes {
    let mut packed = Packed::default();
    for (key, weight) in &settings.weights {
        packed.push(key.as_str());
        packed.push(weight.to_string());
    }
    packed.freeze()
}

/// State and settings from what the library keeps.
pub(crate) fn lane_settings(text: &str, weights: Vec<Reply>) -> Option<(LaneState, LaneSettings)> {
    let mut words = text.split(' ');
    let state = match words.next()? {
        "a" => LaneState::Active,
        "p" => LaneState::Paused,
        "d" => LaneState::Draining,
        _ => return None,
    };
    let mut number = || match words.next()? {
        "-" => Some(None),
        word => word.parse::<u64>().ok().map(Some),
    };
    let small = |number: Option<u64>| number.map(u32::try_from).transpose().ok();
    let mut settings = LaneSettings::unlimited();
    settings.max_concurrency = small(number()?)?;
    settings.rate = rate([number()?, number()?, number()?]).ok()?;
    settings.key_max_concurrency = small(number()?)?;
    settings.key_rate = rate([number()?, number()?, number()?]).ok()?;
    settings.ageing = number()?.map(Duration::from_millis);
    settings.max_queued = small(number()?)?;
    settings.time_to_live = number()?.map(Duration::from_millis);
    let text = |reply: Reply| String::from_utf8(reply.into_bytes()?.to_vec()).ok();
    let mut texts = weights.into_iter().map(text);
    while let Some(key) = texts.next() {
        let weight = texts.next()??.parse().ok()?;
        settings.weights.insert(LaneKey::new(key?).ok()?, weight);
    }
    Some((state, settings))
}

fn rate(parts: [Option<u64>; 3]) -> Result<Option<Rate>, TryFromIntError> {
    let [Some(limit), Some(per), Some(burst)] = parts else { return Ok(None) };
    let rate = Rate::new(u32::try_from(limit)?, Duration::from_millis(per));
    Ok(Some(rate.with_burst(u32::try_from(burst)?)))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
