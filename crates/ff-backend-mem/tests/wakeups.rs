//! One ready execution wakes one waiting worker, not all of them.

use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_engine::{
    AdjustLane, AttemptOps, ClaimOps, ClaimRequest, DelayRequest, IdSource, LaneOps, LaneSettings,
    Rate, SeededEntropy, Submission, SubmitOps, SystemClock,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, ScannerFilter};
use ff_types::{LaneId, LaneKey, Payload, TaskKind};

const WAITING: usize = 100;
const READY: usize = 10;

fn claim(ids: &IdSource) -> ClaimRequest {
    let policy = ClaimPolicy::immediate(ids.worker_id(), ids.worker_instance_id());
    let lane = LaneId::new("lane").expect("the lane is valid");
    ClaimRequest::new(ids.request_id(), lane, CapabilitySet::new(), policy)
}

fn submission(ids: &IdSource) -> Submission {
    let lane = LaneId::new("lane").expect("the lane is valid");
    let kind = TaskKind::new("kind").expect("the kind is valid");
    Submission::new(ids.execution_id(), lane, kind, Payload::new("x"))
}

#[tokio::test]
async fn one_ready_execution_wakes_one_waiting_claim() {
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
    let backend = MemBackend::new();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..WAITING {
        let (backend, mut request) = (backend.clone(), claim(&ids));
        request.policy = request.policy.with_max_wait(Duration::from_mins(1));
        waiting.spawn(async move { backend.claim(&request).await });
    }
    tokio::task::yield_now().await;

    for _ in 0..READY {
        backend.submit(&submission(&ids)).await.expect("it is accepted");
    }
    for _ in 0..READY {
        let claimed = waiting.join_next().await.expect("a claim waits").expect("it does not panic");
        let claimed = claimed.expect("it is answered");
        assert_eq!(claimed.tasks.len(), 1);
        backend.complete(&claimed.tasks[0].handle, None).await.expect("the lease lives");
    }

    assert_eq!(backend.usage().wakeups, READY as u64);
    waiting.shutdown().await;
    assert_eq!(backend.usage().lanes, 0, "waits that were dropped leave nothing behind");
}

#[tokio::test]
async fn a_paused_execution_wakes_only_who_takes_reclaims() {
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(2)));
    let backend = MemBackend::new();
    backend.submit(&submission(&ids)).await.expect("it is accepted");
    let mut first = backend.claim(&claim(&ids)).await.expect("it is answered");
    let task = first.tasks.pop().expect("it was ready");
    let mut waiting = tokio::task::JoinSet::new();
    for reclaims in [false, true] {
        let (backend, mut request) = (backend.clone(), claim(&ids));
        request.policy = request.policy.with_max_wait(Duration::from_mins(1));
        request.reclaims = reclaims.then_some(ScannerFilter::NOOP);
        waiting.spawn(async move { (reclaims, backend.claim(&request).await) });
    }
    tokio::task::yield_now().await;

    backend.delay(&task.handle, &DelayRequest::now()).await.expect("it is given back");

    let (reclaims, outcome) = waiting.join_next().await.expect("a claim waits").expect("no panic");
    assert!(reclaims);
    assert_eq!(outcome.expect("it is answered").reclaims.len(), 1);
    assert_eq!(backend.usage().wakeups, 1);
}

#[tokio::test]
async fn a_wait_that_cannot_run_it_is_left_alone() {
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(3)));
    let backend = MemBackend::new();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (backend, mut request) = (backend.clone(), claim(&ids));
        request.policy = request.policy.with_max_wait(Duration::from_mins(1));
        waiting.spawn(async move { backend.claim(&request).await });
    }
    tokio::task::yield_now().await;

    let gpu = CapabilitySet::from_tokens(["gpu"]).expect("the token is valid");
    backend.submit(&submission(&ids).with_capabilities(gpu)).await.expect("it is accepted");

    assert_eq!(backend.usage().wakeups, 0);
    waiting.shutdown().await;
}

#[tokio::test]
async fn a_used_up_rate_keeps_nobody_busy() {
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(4)));
    let backend = MemBackend::new();
    let rate = Rate::new(1, Duration::from_mins(1));
    for settings in
        [LaneSettings::unlimited().with_rate(rate), LaneSettings::unlimited().with_key_rate(rate)]
    {
        let adjust = AdjustLane::new(ids.request_id(), LaneId::new("lane").expect("it is valid"));
        backend.adjust_lane(&adjust.with_settings(settings)).await.expect("it is adjusted");
        let keyed = || submission(&ids).with_lane_key(LaneKey::new("tenant").expect("it is valid"));
        backend.submit(&keyed()).await.expect("it is accepted");
        let claimed = backend.claim(&claim(&ids)).await.expect("it is answered");
        assert_eq!(claimed.tasks.len(), 1);
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let (backend, mut request) = (backend.clone(), claim(&ids));
            request.policy = request.policy.with_max_wait(Duration::from_millis(50));
            waiting.spawn(async move { backend.claim(&request).await });
        }
        tokio::task::yield_now().await;
        let before = backend.usage().wakeups;

        backend.submit(&keyed()).await.expect("it is accepted");

        while let Some(outcome) = waiting.join_next().await {
            let outcome = outcome.expect("no panic").expect("it is answered");
            assert!(outcome.tasks.is_empty(), "the rate is used up");
        }
        let woken = backend.usage().wakeups - before;
        assert!(woken <= 2, "{woken} were woken");
    }
}

#[tokio::test]
async fn a_wait_whose_filter_does_not_match_is_left_alone() {
    let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(4)));
    let backend = MemBackend::new();
    backend.submit(&submission(&ids)).await.expect("it is accepted");
    let mut first = backend.claim(&claim(&ids)).await.expect("it is answered");
    let task = first.tasks.pop().expect("it was ready");
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let filter = ScannerFilter::new().with_instance_tag("instance", "another");
        let (backend, mut request) = (backend.clone(), claim(&ids).with_reclaims(filter));
        request.policy = request.policy.with_max_wait(Duration::from_mins(1));
        waiting.spawn(async move { backend.claim(&request).await });
    }
    tokio::task::yield_now().await;

    backend.delay(&task.handle, &DelayRequest::now()).await.expect("it is given back");

    assert_eq!(backend.usage().wakeups, 0);
    waiting.shutdown().await;
}
