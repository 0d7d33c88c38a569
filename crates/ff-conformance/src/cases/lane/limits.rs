//! What a lane hands out: its state, its concurrency and its rate.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{
    DelayRequest, FlowNode, FlowSpec, LaneSettings, LaneState, Rate, SuspendCondition,
};
use ff_types::ExecutionState::{Active, Cancelled, Expired, Ready};
use ff_types::backend::{CapabilitySet, FailureClass, ScannerFilter};
use ff_types::{FlowPolicy, NodeKey, TimestampMs, limits};
use tokio::task::JoinHandle;

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, failure, ms, retry_after};
use crate::lanes::ids;

pub(crate) const CASES: &[Case] = &cases!["lane":
    paused_hands_out_nothing,
    draining_takes_nothing_in,
    concurrency_is_leases,
    earlier_leases_count,
    tokens_count_as_leases,
    token_taken_back_meanwhile_does_not_count,
    rate_spreads_claims,
    clock_steps_do_not_stop_the_rate,
    freed_lease_lets_go_on,
    room_finds_who_can_use_it,
    room_is_found_behind_full_keys,
    room_is_found_behind_other_classes,
    rate_lets_go_on,
    adjusting_lets_go_on,
];

/// A paused lane takes in and hands out neither leases nor tokens; what runs goes on.
pub(crate) async fn paused_hands_out_nothing(fx: Fixture) -> CaseResult {
    let lost = fx.submit_and_claim(&fx.laned()?).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let running = fx.submit_and_claim(&fx.laned()?).await?;
    fx.set_lane_state(LaneState::Paused).await?;

    let waiting = fx.submit(&fx.laned()?).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "a task was handed out");
    ensure!(fx.tokens(1).await?.is_empty(), "a token was handed out");
    fx.backend.renew(&running.handle).await?;
    fx.backend.complete(&running.handle, None).await?;
    fx.assert_is(waiting, Ready).await?;

    fx.set_lane_state(LaneState::Active).await?;
    ensure_eq!(fx.reclaim_one().await?.execution_id, lost.execution_id);
    ensure_eq!(fx.claim_one().await?.execution_id, waiting);
    fx.check().await
}

/// A draining lane hands out, and takes in neither executions nor nodes of flows; a repeat of a submission
/// gets its answer, and a retry is nothing new.
pub(crate) async fn draining_takes_nothing_in(fx: Fixture) -> CaseResult {
    let policy = fx.laned()?.policy.with_retry(retry_after(1, 0));
    let first = fx.laned()?.with_policy(policy);
    fx.submit(&first).await?;
    let open = fx.laned_flow()?;
    fx.backend.submit_flow(&open).await?;
    let mut extension = fx.extension(open.id(), "", "").await?;
    extension.add_node(FlowNode::new(NodeKey::new("b")?, fx.laned()?));
    fx.set_lane_state(LaneState::Draining).await?;

    assert_code(fx.backend.submit(&fx.laned()?).await, "lane_draining")?;
    assert_code(fx.backend.submit_flow(&fx.laned_flow()?).await, "lane_draining")?;
    assert_code(fx.backend.extend_flow(&extension).await, "lane_draining")?;
    ensure_eq!(fx.submit(&first).await?, first.id());

    let mut tasks = fx.claim_up_to(1).await?;
    tasks.extend(fx.claim_up_to(1).await?);
    let task = tasks.iter().find(|task| task.execution_id == first.id());
    let Some(task) = task else { return Err(crate::CaseError::new("it was not handed out")) };
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    fx.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, first.id());

    fx.set_lane_state(LaneState::Active).await?;
    fx.submit(&fx.laned()?).await?;
    fx.backend.extend_flow(&extension).await?;
    fx.check().await
}

/// As many leases are held as there may be, and each end of one makes room for another: a result, a failure,
/// a pause, a wait, a cancellation, a revocation, a loss.
pub(crate) async fn concurrency_is_leases(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(2)).await?;
    let waiting = fx.submit_laned(9).await?;
    let mut tasks = fx.claim_just(2).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "a third was handed out");

    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let revoke = |task: &ff_engine::Task| fx.revoke_request(task.execution_id);
    let b = &fx.backend;
    for end in 0..6 {
        let task = tasks.remove(0);
        match end {
            0 => b.complete(&task.handle, None).await?,
            1 => drop(b.fail(&task.handle, &failure(FailureClass::Permanent)).await?),
            2 => b.delay(&task.handle, &DelayRequest::until(fx.in_ms(60_000).await)).await?,
            3 => drop(fx.suspend(&task.handle, &wait).await?),
            4 => b.cancel(&task.handle, "enough").await?,
            _ => {
                let hold = fx.hold_request(task.execution_id);
                b.hold(&hold).await?;
                b.revoke(&revoke(&task)).await?;
            }
        }
        let view = fx.lane_view().await?;
        ensure_eq!((view.leases, view.tokens), (1, 0), "after the end {end}");
        tasks.extend(fx.claim_just(1).await?);
    }
    ensure_eq!(ids(&tasks), waiting[6..8]);
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    ensure_eq!(fx.lane_view().await?.leases, 0, "after the loss of both");
    fx.claim_just(1).await?;
    fx.check().await
}

/// Leases that were taken before there was a limit count under it.
pub(crate) async fn earlier_leases_count(fx: Fixture) -> CaseResult {
    fx.submit_laned(5).await?;
    let tasks = fx.claim_up_to(3).await?;
    ensure_eq!(fx.lane_view().await?.leases, 3);

    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(2)).await?;
    fx.complete_all(&tasks[..1]).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it was over the limit");
    fx.complete_all(&tasks[1..2]).await?;
    fx.claim_just(1).await?;
    fx.check().await
}

/// A token takes the room of the lease that it leads to, until it returns.
pub(crate) async fn tokens_count_as_leases(fx: Fixture) -> CaseResult {
    let lost = fx.submit_and_claim(&fx.laned()?).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(1)).await?;
    let fresh = fx.submit(&fx.laned()?).await?;

    fx.token().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "the token takes the room");
    let view = fx.lane_view().await?;
    ensure_eq!((view.leases, view.tokens), (0, 1));
    fx.advance(limits::RECLAIM_GRANT_TTL_MS).await;
    fx.settle().await?;
    let token = fx.token().await?;
    let task = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    ensure_eq!(task.execution_id, lost.execution_id);
    let view = fx.lane_view().await?;
    ensure_eq!((view.leases, view.tokens), (1, 0));
    fx.backend.complete(&task.handle, None).await?;
    ensure_eq!(fx.claim_one().await?.execution_id, fresh);
    fx.check().await
}

/// A token that a claim takes back itself, because it finds that the flow of its execution has failed, counts no
/// longer: neither one of before nor one that the same claim has given.
pub(crate) async fn token_taken_back_meanwhile_does_not_count(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(5)).await?;
    for given_before in [false, true] {
        let deadline = fx.in_ms(LEASE_TTL_MS + 3_000).await;
        let late = fx.laned()?.with_deadline(deadline).with_priority(20);
        let id = fx.ids.together(0).flow_id();
        let mut spec = FlowSpec::new(id).with_policy(FlowPolicy::FailFast);
        spec.add_node(FlowNode::new(NodeKey::new("late")?, late));
        spec.add_node(FlowNode::new(NodeKey::new("lost")?, fx.laned()?.with_priority(50)));
        fx.backend.submit_flow(&spec).await?;
        let late = fx.member(spec.id(), "late").await?;
        fx.backend.hold(&fx.hold_request(late)).await?;
        let other = fx.submit(&fx.laned()?.with_priority(10)).await?;
        ensure_eq!(fx.claim_up_to(5).await?.len(), 2);
        fx.advance(LEASE_TTL_MS).await;
        fx.settle().await?;
        fx.backend.release_hold(&fx.release_hold_request(late)).await?;
        if given_before {
            fx.token().await?;
        }
        fx.advance(3_000).await;

        let mut request = fx.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        request.policy = request.policy.with_max_tasks(5);
        ensure_eq!(fx.backend.claim(&request).await?.tasks.len(), 0);

        fx.assert_is(late, Expired).await?;
        fx.assert_is(fx.member(spec.id(), "lost").await?, Cancelled).await?;
        let view = fx.lane_view().await?;
        ensure_eq!((view.leases, view.tokens), (0, 1), "the token of the other is out");
        fx.check().await?;
        fx.backend.cancel_execution(&fx.cancel_request(other, "enough")).await?;
    }
    Ok(())
}

/// A burst goes through at once, and then one claim an interval, however many are asked for.
pub(crate) async fn rate_spreads_claims(fx: Fixture) -> CaseResult {
    let rate = Rate::new(10, Duration::from_secs(1)).with_burst(3);
    fx.set_lane(LaneSettings::unlimited().with_rate(rate)).await?;
    fx.submit_laned(20).await?;

    fx.claim_just(3).await?;
    for _ in 0..3 {
        ensure!(fx.claim_if_any().await?.is_none(), "the rate is used up");
        fx.advance(99).await;
        ensure!(fx.claim_if_any().await?.is_none(), "it came early");
        fx.advance(1).await;
        fx.claim_just(1).await?;
    }
    fx.advance(250).await;
    fx.claim_just(2).await?;
    fx.advance(10_000).await;
    fx.claim_just(3).await?;
    fx.check().await
}

/// When the clock steps back, the rate has room after a burst at the latest, and not at the old time.
pub(crate) async fn clock_steps_do_not_stop_the_rate(fx: Fixture) -> CaseResult {
    let rate = Rate::new(1, Duration::from_secs(1));
    fx.set_lane(LaneSettings::unlimited().with_rate(rate)).await?;
    fx.submit_laned(3).await?;
    let now = fx.now().await;
    fx.claim_just(1).await?;

    fx.clock.set(TimestampMs(now.as_i64() - 3_600_000)).await;
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room yet");
    fx.advance(1_000).await;
    fx.claim_just(1).await?;
    fx.clock.set(TimestampMs(now.as_i64() + 3_600_000)).await;
    fx.claim_just(1).await?;
    Ok(())
}

/// The end of a lease gets a worker that waits in its claim the next execution.
pub(crate) async fn freed_lease_lets_go_on(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(1)).await?;
    let waiting = fx.submit_laned(2).await?;
    let task = fx.claim_one().await?;
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;
    fx.assert_is(waiting[1], Ready).await?;

    fx.backend.complete(&task.handle, None).await?;

    let first = fx.promptly(woken).await???;
    ensure_eq!(ids(&first.tasks), waiting[1..]);
    fx.check().await
}

/// Room in a lane gets to workers that can use it: when two leases end at once, or a pause does, and work of
/// two kinds is ready, it is not two workers for the one kind that go on.
pub(crate) async fn room_finds_who_can_use_it(fx: Fixture) -> CaseResult {
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(2)).await?;
    fx.submit_laned(2).await?;
    let mut held = fx.claim_just(2).await?;
    for pauses in [false, true] {
        let mut woken = Vec::new();
        for offer in ["gpu", "gpu", "cpu"] {
            let offer = CapabilitySet::from_tokens([offer])?;
            woken.push(fx.worker().waiting_claim_with(offer)?);
            fx.let_others_run().await;
        }
        if pauses {
            fx.complete_all(&held).await?;
            fx.set_lane_state(LaneState::Paused).await?;
        }
        let mut ready = Vec::new();
        for token in ["gpu", "cpu"] {
            let one = fx.laned()?.with_capabilities(CapabilitySet::from_tokens([token])?);
            ready.push(fx.submit(&one).await?);
        }

        if pauses {
            fx.set_lane_state(LaneState::Active).await?;
            fx.settle().await?;
        } else {
            fx.complete_all(&held).await?;
        }

        let cpu = woken.pop().ok_or_else(|| CaseError::new("nobody waits"))?;
        let cpu = fx.promptly(cpu).await???;
        ensure_eq!(ids(&cpu.tasks), ready[1..]);
        let gpu = fx
            .promptly(async {
                while !woken.iter().any(JoinHandle::is_finished) {
                    fx.let_others_run().await;
                }
            })
            .await;
        gpu?;
        held = cpu.tasks;
        for claim in woken {
            if claim.is_finished() {
                held.extend(claim.await??.tasks);
            } else {
                claim.abort();
            }
        }
        ensure_eq!(held.len(), 2);
        fx.let_others_run().await;
    }
    fx.check().await
}

/// However many keys at their limits stand in front, a worker that waits gets what has room.
pub(crate) async fn room_is_found_behind_full_keys(fx: Fixture) -> CaseResult {
    const MANY: usize = 150;
    fx.set_lane(LaneSettings::unlimited().with_key_max_concurrency(1)).await?;
    let keys: Vec<_> = (0..MANY).map(|number| format!("key-{number}")).collect();
    fx.submit_keys(&keys.join(" ")).await?;
    fx.submit_keys(&keys.join(" ")).await?;
    fx.claim_all(MANY).await?;
    fx.set_lane_state(LaneState::Paused).await?;
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;
    let behind = fx.submit_keys("new").await?;

    fx.set_lane_state(LaneState::Active).await?;

    let first = fx.promptly(woken).await???;
    ensure_eq!(ids(&first.tasks), behind);
    fx.check().await
}

/// However many classes are ready that it cannot take, a worker that waits gets what it can.
pub(crate) async fn room_is_found_behind_other_classes(fx: Fixture) -> CaseResult {
    const MANY: usize = 300;
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(1)).await?;
    let mut held = vec![fx.submit_and_claim(&fx.laned()?).await?];
    let mut ready = Vec::new();
    for number in 0..MANY {
        let class = CapabilitySet::from_tokens([format!("class-{number}")])?;
        ready.push(fx.submit(&fx.laned()?.with_capabilities(class)).await?);
    }
    for number in [MANY / 2, MANY - 1] {
        let offer = CapabilitySet::from_tokens([format!("class-{number}")])?;
        let woken = fx.worker().waiting_claim_with(offer)?;
        fx.let_others_run().await;
        fx.complete_all(&held).await?;
        fx.settle().await?;

        held = fx.promptly(woken).await???.tasks;
        ensure_eq!(ids(&held), [ready[number]]);
    }
    fx.check().await
}

/// Once the rate has room, a worker that waits in its claim gets the next execution.
pub(crate) async fn rate_lets_go_on(fx: Fixture) -> CaseResult {
    let rate = Rate::new(1, Duration::from_secs(1));
    fx.set_lane(LaneSettings::unlimited().with_rate(rate)).await?;
    let waiting = fx.submit_laned(2).await?;
    fx.claim_just(1).await?;
    ensure_eq!(fx.tick().await?.next_due, Some(fx.in_ms(1_000).await));
    let woken = fx.waiting_claim()?;
    fx.let_others_run().await;

    fx.advance(1_000).await;
    fx.settle().await?;

    let first = fx.promptly(woken).await???;
    ensure_eq!(ids(&first.tasks), waiting[1..]);
    fx.assert_is(waiting[1], Active).await?;
    fx.check().await
}

/// A lane that is active again, or has a higher limit, wakes workers that wait in their claims.
pub(crate) async fn adjusting_lets_go_on(fx: Fixture) -> CaseResult {
    fx.set_lane_state(LaneState::Paused).await?;
    let waiting = fx.submit_laned(3).await?;
    let mut woken = Vec::new();
    for _ in 0..3 {
        woken.push(fx.worker().waiting_claim()?);
        fx.let_others_run().await;
    }

    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(1)).await?;
    fx.set_lane_state(LaneState::Active).await?;
    let first = fx.promptly(fx.first_of(&woken)).await?;
    let mut claimed = ids(&fx.promptly(woken.remove(first)).await???.tasks);
    ensure_eq!(fx.lane_view().await?.leases, 1);
    fx.set_lane(LaneSettings::unlimited().with_max_concurrency(3)).await?;
    for woken in woken {
        claimed.extend(ids(&fx.promptly(woken).await???.tasks));
    }

    claimed.sort_unstable();
    ensure_eq!(claimed, waiting);
    fx.check().await
}

type Woken = tokio::task::JoinHandle<Result<ff_engine::ClaimOutcome, ff_engine::EngineError>>;

impl Fixture {
    /// Which of some claims is over first.
    async fn first_of(&self, claims: &[Woken]) -> usize {
        loop {
            if let Some(first) = claims.iter().position(Woken::is_finished) {
                return first;
            }
            self.let_others_run().await;
        }
    }

    /// A claim that waits for something.
    pub(crate) fn waiting_claim(&self) -> CaseResult<Woken> {
        self.waiting_claim_with(CapabilitySet::new())
    }

    /// The same, with an offer.
    fn waiting_claim_with(&self, offer: CapabilitySet) -> CaseResult<Woken> {
        let mut request = self.claim_request(LANE)?;
        request.capabilities = offer;
        request.policy = request.policy.with_max_wait(ms(60_000));
        let worker = Arc::clone(&self.faultless);
        Ok(tokio::spawn(async move { worker.claim(&request).await }))
    }
}
