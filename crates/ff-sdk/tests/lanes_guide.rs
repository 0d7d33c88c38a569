//! The code of the guide to lanes, and what the SDK makes of lanes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{
    EngineError, ExecutionState, ExplainReason, LaneBarrier, LaneKey, LaneSettings, LaneState,
    ListLanes, Rate,
};

const SECOND: Duration = Duration::from_secs(1);

// region: settings
async fn steer(client: &Client) -> Result<(), EngineError> {
    let settings = LaneSettings::unlimited()
        .with_max_concurrency(20)
        .with_key_max_concurrency(2)
        .with_key_rate(Rate::new(600, Duration::from_mins(1)).with_burst(10))
        .with_weight(LaneKey::new("gold")?, 3)
        .with_ageing(Duration::from_secs(30));
    client.set_lane("mail", settings).await
}
// endregion

// region: submit
fn letter(tenant: &str, text: &str) -> Job {
    Job::new("send", text).lane("mail").lane_key(tenant)
}
// endregion

// region: maintenance
async fn upgrade(client: &Client) -> Result<(), EngineError> {
    client.pause_lane("mail").await?;
    loop {
        let lane = client.lane("mail").await?;
        if lane.leases + lane.tokens == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Whatever the jobs depend on is changed here, while none of them runs.
    client.resume_lane("mail").await
}
// endregion

#[tokio::test]
async fn the_lane_of_the_guide_takes_turns_and_stays_within_its_limits() {
    let rig = Rig::new();
    steer(&rig.client).await.unwrap();
    let mut jobs = Vec::new();
    for tenant in ["flood", "flood", "flood", "flood", "small", "gold"] {
        jobs.push(rig.submit(letter(tenant, "hello")).await);
    }
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let clock = rig.clock.clone();
    let worker = rig
        .worker()
        .lane("mail")
        .concurrency(8)
        .handler("send", move |_: ClaimedTask, _: String| {
            let (now, peak, clock) = (Arc::clone(&now), Arc::clone(&peak), clock.clone());
            async move {
                let running = now.fetch_add(1, Ordering::Relaxed) + 1;
                peak.fetch_max(running, Ordering::Relaxed);
                ff_engine::Clock::sleep(&clock, SECOND).await;
                now.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, TaskError>(())
            }
        })
        .build()
        .unwrap()
        .start();

    rig.pass(SECOND / 2).await;
    let view = rig.client.lane("mail").await.unwrap();
    assert_eq!((view.leases, view.ready, view.keys_over_limit), (4, 2, 1));
    let waiting = rig.client.explain(jobs[3]).await.unwrap();
    let barrier = LaneBarrier::KeyFull { max_concurrency: 2 };
    let lane = view.lane.clone();
    assert_eq!(waiting.reason, ExplainReason::LaneClosed { lane, barrier });

    rig.pass(SECOND * 2).await;
    for job in jobs {
        assert_eq!(rig.state(job).await, ExecutionState::Completed);
    }
    assert_eq!(most.load(Ordering::Relaxed), 4, "two of each key at once");
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn a_lane_is_paused_drained_and_resumed() {
    let rig = Rig::new();
    rig.client.pause_lane("mail").await.unwrap();
    let job = rig.submit(letter("a", "later")).await;
    assert_eq!(rig.client.lane("mail").await.unwrap().state, LaneState::Paused);
    upgrade(&rig.client).await.unwrap();
    rig.client.drain_lane("mail").await.unwrap();
    let refused = rig.client.submit(&letter("a", "too late")).await.unwrap_err();
    assert!(matches!(refused, EngineError::LaneDraining { .. }), "{refused}");
    rig.client.resume_lane("mail").await.unwrap();

    assert_eq!(rig.state(job).await, ExecutionState::Ready);
    let lanes = rig.client.list_lanes(&ListLanes::all()).await.unwrap();
    assert_eq!(lanes.iter().map(|view| view.lane.as_str()).collect::<Vec<_>>(), ["mail"]);
    assert!(rig.client.lane("no lane").await.is_err());
}

#[tokio::test]
async fn an_answer_that_was_lost_adjusts_once() {
    let rig = Rig::new();
    rig.backend.lose_answer("adjust_lane");
    rig.backend.lose_answer("adjust_lane");

    let (steered, ()) = tokio::join!(steer(&rig.client), rig.pass(10 * SECOND));

    steered.unwrap();
    assert!(rig.backend.all_were_lost());

    assert_eq!(rig.client.lane("mail").await.unwrap().settings.max_concurrency, Some(20));
}
