//! Asking for work: one loop per lane.
//!
//! A loop takes slots before it claims, so that the worker never holds a lease it cannot work on,
//! and waits inside the backend, so that an idle worker makes no calls. A claim whose answer was
//! lost is repeated under its id, which gives the same leases.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{ClaimOutcome, ClaimRequest, EngineError};
use ff_types::backend::ClaimPolicy;
use ff_types::{LaneId, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::running::Running;
use crate::client::low_bits;
use crate::retry::Backoff;

/// At shutdown, one last call asks for what a claim that was cut off may have been given.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What the next claim asks for, when the worker has several lanes.
///
/// A waiting claim keeps its slots from the other lanes, so it keeps one only. A lane that has
/// work takes all that are free.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appetite {
    /// All free slots, without waiting.
    Many,
    /// One slot, waiting for work.
    One,
    /// All free slots, waiting for work: the only lane.
    All,
}

/// Claims from `lane` until the worker stops.
pub(crate) async fn claim_loop(running: Arc<Running>, lane: LaneId) {
    let only_lane = running.config.lanes.len() == 1;
    let mut appetite = if only_lane { Appetite::All } else { Appetite::Many };
    loop {
        let Some(permits) = take_slots(&running, appetite).await else {
            return;
        };
        let request = request(&running, &lane, appetite, permits.num_permits());
        let Some(outcome) = claim(&running, &request).await else {
            let handed_out = last_call(&running, request).await;
            hand_back(&running, handed_out).await;
            return;
        };
        let found = outcome.tasks.len() + outcome.reclaims.len();
        running.config.metrics.claimed(&lane, found);
        if !only_lane {
            appetite = match (found, appetite) {
                (0, Appetite::Many) => Appetite::One,
                (0, other) => other,
                _ => Appetite::Many,
            };
        }
        start(&running, outcome, permits).await;
    }
}

/// Waits for a free slot and takes what else is free; `None` when the worker stops first.
async fn take_slots(running: &Running, appetite: Appetite) -> Option<OwnedSemaphorePermit> {
    let slots = &running.slots;
    let first = tokio::select! {
        biased;
        () = running.stop.cancelled() => return None,
        permit = Arc::clone(slots).acquire_owned() => permit.ok()?,
    };
    if appetite == Appetite::One {
        return Some(first);
    }
    Some(with_all_free(slots, first))
}

/// Most that one claim takes: a larger one would hold the store up for longer than others may wait, and the
/// next follows at once.
const CLAIMED_AT_ONCE: u32 = 32;

fn with_all_free(slots: &Arc<Semaphore>, mut permit: OwnedSemaphorePermit) -> OwnedSemaphorePermit {
    let most = CLAIMED_AT_ONCE.min(limits::CLAIM_MAX_TASKS) - 1;
    let free = u32::try_from(slots.available_permits()).unwrap_or(most);
    if let Ok(more) = Arc::clone(slots).try_acquire_many_owned(free.min(most)) {
        permit.merge(more);
    }
    permit
}

fn request(running: &Running, lane: &LaneId, appetite: Appetite, slots: usize) -> ClaimRequest {
    let config = &running.config;
    let max_tasks = u32::try_from(slots).unwrap_or(limits::CLAIM_MAX_TASKS);
    let mut policy = running.policy().with_max_tasks(max_tasks);
    if appetite != Appetite::Many {
        policy = policy.with_max_wait(config.max_wait);
    }
    ClaimRequest::new(config.ids.request_id(), lane.clone(), config.capabilities.clone(), policy)
        .with_reclaims(config.filter.clone())
}

/// Claims until there is an answer; `None` when the worker stops first.
async fn claim(running: &Running, request: &ClaimRequest) -> Option<ClaimOutcome> {
    let desk = &running.desk;
    let spread = low_bits(request.request_id.as_u128());
    let mut backoff = Backoff::new(desk.retry.endless(), spread);
    loop {
        let answer = tokio::select! {
            biased;
            () = running.stop.cancelled() => return None,
            answer = desk.backend.claim(request) => answer,
        };
        let error = match answer {
            Ok(outcome) => return Some(outcome),
            Err(error) => error,
        };
        // An error that no repeat will heal is met again after the longest wait, not in a spin.
        let wait = if error.is_retryable() { backoff.next_wait() } else { None };
        let lane = &request.lane;
        tracing::warn!(%lane, code = error.code(), %error, "claiming failed, and goes on");
        tokio::select! {
            biased;
            () = running.stop.cancelled() => return None,
            () = desk.clock.sleep(wait.unwrap_or(desk.retry.longest_wait)) => {}
        }
    }
}

/// The leases that the cut-off claim may have been given, by repeating it without a wait.
async fn last_call(running: &Running, mut request: ClaimRequest) -> ClaimOutcome {
    request.policy.max_wait = None;
    let desk = &running.desk;
    tokio::select! {
        answer = desk.backend.claim(&request) => answer.unwrap_or_default(),
        () = desk.clock.sleep(LAST_CALL) => ClaimOutcome::default(),
    }
}

/// Starts an attempt for each task and each token, each in a slot of its own.
async fn start(running: &Arc<Running>, outcome: ClaimOutcome, mut permits: OwnedSemaphorePermit) {
    let mut surplus = ClaimOutcome::default();
    for task in outcome.tasks {
        match permits.split(1) {
            Some(slot) => running.start(task, slot),
            None => surplus.tasks.push(task),
        }
    }
    for token in outcome.reclaims {
        match permits.split(1) {
            Some(slot) => running.take_up(token, slot),
            None => surplus.reclaims.push(token),
        }
    }
    hand_back(running, surplus).await;
}

/// Gives leases to other workers, all at once: each may take a while. Tokens return by themselves.
async fn hand_back(running: &Arc<Running>, outcome: ClaimOutcome) {
    let mut returns = JoinSet::new();
    for task in outcome.tasks {
        returns.spawn(Arc::clone(running).hand_back(task));
    }
    while returns.join_next().await.is_some() {}
}

/// Uses a reclaim token. `None` when somebody else did, or it has expired.
pub(crate) async fn take_up(
    running: &Running,
    token: &ff_types::backend::ReclaimToken,
    policy: &ClaimPolicy,
) -> Option<ff_engine::Task> {
    let desk = &running.desk;
    let backoff = Backoff::new(desk.retry, low_bits(running.config.ids.request_id().as_u128()));
    let answer = crate::retry::repeat(desk.clock.as_ref(), backoff, || {
        desk.backend.claim_from_reclaim(token, policy)
    });
    match answer.await {
        Ok(task) => Some(task),
        Err(error @ EngineError::State { .. }) => {
            tracing::debug!(code = error.code(), "a reclaim token was void");
            None
        }
        Err(error) => {
            tracing::warn!(code = error.code(), %error, "a reclaim token was not used");
            None
        }
    }
}
