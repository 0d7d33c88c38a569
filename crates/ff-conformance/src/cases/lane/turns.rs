//! Whose turn it is: keys, weights, priority and age.

use std::time::Duration;

use ff_engine::{LaneSettings, Rate};
use ff_types::{TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::LEASE_TTL_MS;
use crate::lanes::{ids, key};

pub(crate) const CASES: &[Case] = &cases!["lane":
    keys_take_turns,
    weights_count,
    priority_counts_within_a_key,
    keyless_have_turns_together,
    key_limits_hold_up_one_key,
    key_goes_on,
    full_key_in_front_hides_no_other,
    adjusting_frees_every_key,
    clock_steps_do_not_hold_a_key,
    resumed_attempts_take_turns,
    ageing_ends_starvation,
];

/// Keys take turns whatever each has waiting, also within one claim.
pub(crate) async fn keys_take_turns(fx: Fixture) -> CaseResult {
    fx.submit_keys("a a a a a a b b c").await?;

    let tasks = fx.claim_up_to(4).await?;
    let mut keys = Vec::new();
    for task in &tasks {
        keys.push(fx.key_of(task).await?);
    }
    keys.sort_unstable();
    ensure_eq!(keys, ["a", "a", "b", "c"]);
    let rest = fx.claim_keys(5).await?;
    ensure!(rest.starts_with("b a") || rest.starts_with("a b"), "{rest}");
    ensure!(fx.claim_if_any().await?.is_none(), "nothing is left");

    fx.submit_keys("a a a a z").await?;
    let first = fx.claim_keys(2).await?;
    ensure!(first.contains('z'), "one that comes waits a round at the most, {first}");
    fx.check().await
}

/// A key with a weight has as many turns for one of the others.
pub(crate) async fn weights_count(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_weight(key("b")?, 3)).await?;
    fx.submit_keys(&format!("{}{}", "a ".repeat(12), "b ".repeat(12))).await?;

    let first = fx.claim_keys(12).await?;

    let of_b = first.matches('b').count();
    ensure!((8..=10).contains(&of_b), "{of_b} of 12 turns, {first}");
    fx.check().await
}

/// Within a key the highest priority is handed out first, and then what has waited longest.
pub(crate) async fn priority_counts_within_a_key(fx: Fixture) -> CaseResult {
    let mut expected = Vec::new();
    for (place, priority) in [(2, 0), (3, 0), (0, 9), (1, 5)] {
        let job = fx.laned()?.with_lane_key(key("a")?).with_priority(priority);
        expected.push((place, fx.submit(&job).await?));
        fx.advance(1).await;
    }
    expected.sort_unstable();
    let other = fx.submit_keys("b").await?;

    let claimed = ids(&fx.claim_just(5).await?);

    let of_a: Vec<_> = claimed.iter().copied().filter(|id| *id != other[0]).collect();
    ensure_eq!(of_a, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    ensure!(claimed[..2].contains(&other[0]), "the other key had no turn");
    fx.check().await
}

/// What has no key has turns like one key beside the others, and needs none when it is alone.
pub(crate) async fn keyless_have_turns_together(fx: Fixture) -> CaseResult {
    fx.submit_keys("- - - - - - a a b b").await?;
    let first = fx.claim_keys(6).await?;
    for key in ["-", "a", "b"] {
        let turns = first.matches(key).count();
        ensure!((1..=3).contains(&turns), "{key} had {turns} turns, {first}");
    }
    fx.claim_just(4).await?;

    let alone = fx.submit_keys("- -").await?;
    ensure_eq!(ids(&fx.claim_just(2).await?), alone);
    fx.check().await
}

/// A key at its limit holds up neither the others nor what has none.
pub(crate) async fn key_limits_hold_up_one_key(fx: Fixture) -> CaseResult {
    let rate = Rate::new(2, Duration::from_secs(10));
    let settings = LaneSettings::unlimited().with_key_max_concurrency(1).with_key_rate(rate);
    fx.set_lane(settings).await?;
    fx.submit_keys("a a a b b -").await?;

    let tasks = fx.claim_just(3).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "both keys are at their limit");
    let view = fx.lane_view().await?;
    ensure_eq!((view.ready, view.keys_over_limit), (3, 2));
    fx.complete_all(&tasks).await?;
    let tasks = fx.claim_just(2).await?;
    fx.complete_all(&tasks).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the rate of the key is used up");
    fx.submit_keys("c").await?;
    ensure_eq!(fx.claim_keys(1).await?, "c");
    fx.check().await
}

/// A key goes on, and a waiting claim gets it, when a lease of it ends and when its rate has room.
pub(crate) async fn key_goes_on(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_key_max_concurrency(1)).await?;
    let of_a = fx.submit_keys("a a a").await?;
    let task = fx.claim_just(1).await?.remove(0);
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;
    fx.backend.complete(&task.handle, None).await?;
    let second = fx.promptly(woken).await???.tasks;
    ensure_eq!(ids(&second), of_a[1..2]);

    let rate = Rate::new(1, Duration::from_secs(10));
    fx.set_lane(LaneSettings::unlimited().with_key_rate(rate)).await?;
    fx.claim_just(1).await?;
    let last = fx.submit_keys("a").await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the rate of the key is used up");
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;
    fx.advance(10_000).await;
    fx.settle().await?;
    ensure_eq!(ids(&fx.promptly(woken).await???.tasks), last);
    fx.check().await
}

/// The end of a lease gets a waiting claim the next execution of its key, also when another key, which is at its
/// limit, has the first turn.
pub(crate) async fn full_key_in_front_hides_no_other(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_key_max_concurrency(1)).await?;
    fx.submit_keys("a b").await?;
    let tasks = fx.claim_just(2).await?;
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;
    let waiting = fx.submit_keys("a b").await?;
    fx.let_others_run().await;
    let of_b = tasks.iter().find(|task| task.execution_id > tasks[0].execution_id);
    let of_b = of_b.unwrap_or(&tasks[0]);
    let key = fx.key_of(of_b).await?;

    fx.backend.complete(&of_b.handle, None).await?;

    let expected = if key == "a" { waiting[0] } else { waiting[1] };
    ensure_eq!(ids(&fx.promptly(woken).await???.tasks), [expected]);
    fx.check().await
}

/// When a lane is adjusted, every key that was over its limit is looked at again, however many they are, and
/// waits from then on for as long as the new limit says.
pub(crate) async fn adjusting_frees_every_key(fx: Fixture) -> CaseResult {
    let many = limits::LANE_MOVED_MAX + 8;
    let rate = |per| Rate::new(1, per);
    let hourly = LaneSettings::unlimited().with_key_rate(rate(Duration::from_hours(1)));
    fx.set_lane(hourly).await?;
    let keys: Vec<_> = (0..many).map(|number| format!("k{number}")).collect();
    let keys = keys.join(" ");
    fx.submit_keys(&format!("{keys} {keys}")).await?;
    fx.claim_all(many).await?;
    ensure_eq!(fx.lane_view().await?.keys_over_limit, many as u64);

    fx.set_lane(LaneSettings::unlimited().with_key_rate(rate(Duration::from_secs(6)))).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the new rate has no room yet");
    fx.advance(6_000).await;
    fx.settle().await?;
    fx.claim_all(many).await?;
    ensure_eq!(fx.lane_view().await?.keys_over_limit, 0);
    fx.check().await
}

/// A clock that steps back holds a key for as long as its rate says from then on, and no longer.
pub(crate) async fn clock_steps_do_not_hold_a_key(fx: Fixture) -> CaseResult {
    let rate = Rate::new(1, Duration::from_secs(1));
    fx.set_lane(LaneSettings::unlimited().with_key_rate(rate)).await?;
    fx.submit_keys("a a").await?;
    fx.claim_just(1).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the rate of the key is used up");

    let now = fx.now().await;
    fx.clock.set(TimestampMs(now.as_i64() - 3_600_000)).await;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room yet");
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room yet");
    fx.advance(1_000).await;
    fx.settle().await?;
    fx.claim_just(1).await?;
    fx.check().await
}

/// Attempts that resume take turns as well, by their tags where they are looked for by these, and are held to
/// the limits of their keys.
pub(crate) async fn resumed_attempts_take_turns(fx: Fixture) -> CaseResult {
    fx.submit_keys("a a b").await?;
    fx.claim_just(3).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    fx.set_lane(LaneSettings::unlimited().with_key_max_concurrency(1)).await?;

    let tokens = fx.tokens(10).await?;
    ensure_eq!(tokens.len(), 2, "one of each key");
    let mut tasks = Vec::new();
    for token in &tokens {
        tasks.push(fx.backend.claim_from_reclaim(token, &fx.policy()).await?);
    }
    ensure!(fx.tokens(1).await?.is_empty(), "the leases count");
    fx.complete_all(&tasks).await?;
    ensure_eq!(fx.key_of(&fx.reclaim_one().await?).await?, "a");
    fx.check().await
}

/// With ageing, low priority waits for a step for each by which others are better, and no longer, whatever
/// comes.
pub(crate) async fn ageing_ends_starvation(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_ageing(Duration::from_secs(1))).await?;
    let low = fx.submit(&fx.laned()?).await?;
    let keyed = fx.submit(&fx.laned()?.with_lane_key(key("a")?)).await?;
    let mut rounds = [0; 2];
    for round in 1..=40 {
        for with_key in [false, true] {
            let mut urgent = fx.laned()?.with_priority(10);
            if with_key {
                urgent = urgent.with_lane_key(key("a")?);
            }
            fx.submit(&urgent).await?;
        }
        for task in fx.claim_up_to(2).await? {
            for (id, at) in [low, keyed].into_iter().zip(&mut rounds) {
                if task.execution_id == id {
                    *at = round;
                }
            }
            fx.backend.complete(&task.handle, None).await?;
        }
        fx.advance(500).await;
    }
    for at in rounds {
        ensure!((20..=25).contains(&at), "it waited for {at} rounds of half a step");
    }
    fx.check().await
}
