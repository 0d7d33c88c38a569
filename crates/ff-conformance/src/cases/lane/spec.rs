//! Steering and reading lanes.

use std::time::Duration;

use ff_engine::{AdjustLane, ExplainReason, LaneBarrier, LaneSettings, LaneState, ListLanes, Rate};
use ff_types::{LaneId, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq, refused};
use crate::fixture::LANE;
use crate::lanes::key;

pub(crate) const CASES: &[Case] = &cases!["lane":
    adjust_repeat_is_harmless,
    settings_are_checked,
    describe_shows_all,
    listing_is_stable,
    barrier_is_explained,
];

/// One of the latest eight requests changes nothing when it is repeated, whatever was done since.
pub(crate) async fn adjust_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let mut requests = Vec::new();
    let remembered = u32::try_from(limits::REMEMBERED_CALLS_MAX).unwrap_or(u32::MAX);
    for leases in 1..=remembered {
        let settings = LaneSettings::unlimited().with_max_concurrency(leases);
        let request = fx.adjusting_lane()?.with_settings(settings);
        fx.backend.adjust_lane(&request).await?;
        requests.push(request);
    }
    let paused = fx.adjusting_lane()?.with_state(LaneState::Paused);
    fx.backend.adjust_lane(&paused).await?;
    let before = fx.lane_view().await?;
    ensure_eq!(before.settings.max_concurrency, Some(remembered));
    ensure_eq!(before.state, LaneState::Paused);

    for request in &requests[1..] {
        fx.backend.adjust_lane(request).await?;
    }

    ensure_eq!(fx.lane_view().await?, before);
    fx.check().await
}

/// A refusal names the field, and changes nothing.
pub(crate) async fn settings_are_checked(fx: Fixture) -> CaseResult {
    let none = LaneSettings::unlimited;
    let second = Duration::from_secs(1);
    let cases = [
        ("max_concurrency", none().with_max_concurrency(0)),
        ("key_max_concurrency", none().with_key_max_concurrency(0)),
        ("rate", none().with_rate(Rate::new(1, second).with_burst(2))),
        ("key_rate", none().with_key_rate(Rate::new(0, second))),
        ("weights.a", none().with_weight(key("a")?, limits::LANE_WEIGHT_MAX + 1)),
        ("ageing", none().with_ageing(Duration::ZERO)),
        ("ageing", none().with_ageing(Duration::from_micros(1_500))),
        ("rate", none().with_rate(Rate::new(1, Duration::from_micros(1_500)))),
        ("max_queued", none().with_max_queued(0)),
        ("time_to_live", none().with_time_to_live(Duration::ZERO)),
    ];
    for (field, settings) in cases {
        let request = fx.adjusting_lane()?.with_settings(settings);
        let refusal = refused(fx.backend.adjust_lane(&request).await)?.to_string();
        ensure_eq!(refusal.split_whitespace().next(), Some(field), "{refusal}");
    }
    ensure_eq!(fx.lane_view().await?.settings, none());
    let page = ListLanes::all().with_limit(0);
    assert_code(fx.backend.list_lanes(&page).await, "validation")
}

/// The view shows what was set, what is ready and since when, and what is held and handed out.
pub(crate) async fn describe_shows_all(fx: Fixture) -> CaseResult {
    let unused = fx.lane_view().await?;
    ensure_eq!((unused.state, unused.ready, unused.leases), (LaneState::Active, 0, 0));
    let settings = LaneSettings::unlimited()
        .with_max_concurrency(5)
        .with_rate(Rate::new(7, Duration::from_mins(1)).with_burst(4))
        .with_key_max_concurrency(1)
        .with_key_rate(Rate::new(9, Duration::from_secs(9)))
        .with_weight(key("gold")?, 3)
        .with_ageing(Duration::from_secs(30))
        .with_max_queued(1_000)
        .with_time_to_live(Duration::from_hours(1));
    fx.set_lane(settings.clone()).await?;
    let since = fx.now().await;
    fx.submit_keys("a a - b").await?;
    let low = fx.laned()?.with_priority(-5);
    fx.submit(&low).await?;

    let view = fx.lane_view().await?;
    ensure_eq!(view.settings, settings);
    ensure_eq!((view.ready, view.oldest_ready_at), (5, Some(since)));
    ensure_eq!((view.leases, view.tokens, view.claimed), (0, 0, 0));
    // Each partition has a rate of its own, and the view adds them up.
    let room = view.rate_room.unwrap_or(0);
    ensure!(room >= 4 && room.is_multiple_of(4), "{room} claims in a burst of 4");

    fx.claim_just(4).await?;
    let view = fx.lane_view().await?;
    ensure_eq!((view.ready, view.leases, view.claimed), (1, 4, 4));
    ensure_eq!((view.rate_room, view.keys_over_limit), (Some(room - 4), 1));
    let other = fx.backend.describe_lane(&LaneId::new("other")?).await?;
    ensure_eq!((other.ready, other.settings), (0, LaneSettings::unlimited()));
    fx.check().await
}

/// Lanes that were steered are listed in the order of their names, each once.
pub(crate) async fn listing_is_stable(fx: Fixture) -> CaseResult {
    for name in ["c", "a", "b", "d"] {
        let request = AdjustLane::new(fx.ids.request_id(), LaneId::new(name)?);
        fx.backend.adjust_lane(&request.with_state(LaneState::Draining)).await?;
    }
    fx.submit(&fx.laned()?).await?;

    let mut page = ListLanes::all().with_limit(3);
    let first = fx.backend.list_lanes(&page).await?;
    page = page.with_after(first[2].lane.clone()).with_limit(3);
    let second = fx.backend.list_lanes(&page).await?;

    let lanes = first.iter().chain(&second);
    let names: Vec<_> = lanes.map(|view| (view.lane.as_str(), view.state)).collect();
    ensure_eq!(names, ["a", "b", "c", "d"].map(|name| (name, LaneState::Draining)));
    fx.check().await
}

/// An explanation names what keeps the lane from handing an execution out, and when that is over.
pub(crate) async fn barrier_is_explained(fx: Fixture) -> CaseResult {
    let held = fx.submit_keys("a a").await?;
    let running = fx.claim_one().await?;
    ensure_eq!(running.execution_id, held[0]);
    let second = Duration::from_secs(1);
    let none = LaneSettings::unlimited;
    let until = fx.in_ms(1_000).await;
    let lane = LaneId::new(LANE)?;
    let full = LaneBarrier::Full { max_concurrency: 1 };
    let key_full = LaneBarrier::KeyFull { max_concurrency: 1 };
    let cases = [
        (none().with_max_concurrency(1), full, None),
        (none().with_key_max_concurrency(1), key_full, None),
        (none().with_rate(Rate::new(1, second)), LaneBarrier::Rate { until }, Some(until)),
        (none().with_key_rate(Rate::new(1, second)), LaneBarrier::KeyRate { until }, Some(until)),
    ];
    for (settings, barrier, clears_at) in cases {
        fx.set_lane(settings).await?;
        if clears_at.is_some() {
            fx.submit_and_claim(&fx.laned()?.with_priority(9).with_lane_key(key("a")?)).await?;
        }
        let explained = fx.backend.explain(held[1]).await?;
        let expected = ExplainReason::LaneClosed { lane: lane.clone(), barrier };
        ensure_eq!((explained.reason, explained.clears_at), (expected, clears_at));
    }
    fx.set_lane(none()).await?;
    fx.set_lane_state(LaneState::Paused).await?;
    let explained = fx.backend.explain(held[1]).await?.reason;
    ensure_eq!(explained, ExplainReason::LaneClosed { lane, barrier: LaneBarrier::Paused });
    fx.set_lane_state(LaneState::Active).await?;
    let explained = fx.backend.explain(held[1]).await?.reason;
    let is_queued = matches!(explained, ExplainReason::Queued { .. });
    ensure_eq!(is_queued, true, "{explained}");
    Ok(())
}
