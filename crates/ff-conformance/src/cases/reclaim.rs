//! Reclaiming: how work whose lease was lost finds another worker.

use std::collections::BTreeSet;

use ff_engine::{ReclaimRequest, Submission, Task};
use ff_types::backend::{
    CapabilitySet, FailureClass, HandleKind, ReclaimGrant, ReclaimToken, ScannerFilter,
};
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, LaneId, Namespace, Tags, limits};
use tokio::task::JoinSet;

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_invalid, assert_state, cases, ensure, ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["reclaim":
    bounded,
    thousands_at_once,
    cap_ends_it,
    lost_lease_is_a_new_attempt,
    token_goes_to_one_caller,
    token_expires_back,
    token_is_used_once,
    order_and_capabilities,
    filter_is_honoured,
    repeat_gives_the_same_tokens,
    limits_are_enforced,
    hostile_token_is_refused,
];

/// Submits, claims and drops each of these, so that the reclaim scanner has them in the end.
async fn lose(fx: &Fixture, submissions: &[Submission]) -> CaseResult<Vec<ExecutionId>> {
    for submission in submissions {
        fx.submit(submission).await?;
        let mut claim = fx.claim_request(submission.lane.as_str())?;
        claim.capabilities = submission.capabilities.clone();
        fx.backend.claim(&claim).await?;
    }
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    Ok(submissions.iter().map(Submission::id).collect())
}

/// Takes up what the request gets, in its order.
async fn take_up(fx: &Fixture, request: &ReclaimRequest) -> CaseResult<Vec<ExecutionId>> {
    let mut ids = Vec::new();
    for token in fx.backend.reclaimable(request).await? {
        ids.push(fx.backend.claim_from_reclaim(&token, &fx.policy()).await?.execution_id);
    }
    Ok(ids)
}

/// When a worker dies, another may hold its execution as soon as maintenance runs after the lease
/// TTL, and not a millisecond before.
pub(crate) async fn bounded(fx: Fixture) -> CaseResult {
    let dead = fx.running().await?;
    let survivor = fx.worker();

    fx.advance(LEASE_TTL_MS - 1).await;
    fx.settle().await?;
    ensure_eq!(survivor.tokens(1).await?.len(), 0, "tokens while the lease lives");
    fx.assert_is(dead.execution_id, ExecutionState::Active).await?;

    fx.advance(1).await;
    fx.settle().await?;
    ensure_eq!(survivor.reclaim_one().await?.execution_id, dead.execution_id);
    Ok(())
}

/// Ten thousand leases that run out in one millisecond are all lost and all taken up again, each
/// once.
pub(crate) async fn thousands_at_once(fx: Fixture) -> CaseResult {
    const MANY: usize = 10_000;
    let submitted: BTreeSet<_> = fx.submit_many(MANY).await?.into_iter().collect();
    let mut claimed = 0;
    while claimed < MANY {
        let tasks = fx.claim_up_to(limits::CLAIM_MAX_TASKS).await?;
        ensure!(!tasks.is_empty(), "only {claimed} were handed out");
        claimed += tasks.len();
    }

    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;

    let survivor = fx.worker();
    let mut taken_up = BTreeSet::new();
    loop {
        let tokens = survivor.tokens(limits::CLAIM_MAX_TASKS).await?;
        if tokens.is_empty() {
            break;
        }
        for token in tokens {
            let task = fx.backend.claim_from_reclaim(&token, &survivor.policy()).await?;
            ensure!(taken_up.insert(task.execution_id), "{} twice", task.execution_id);
        }
    }
    ensure_eq!(taken_up == submitted, true, "every execution is taken up");
    Ok(())
}

/// The lease lost beyond `max_reclaims` ends the execution as `Failed` with class `InfraCrash`, and
/// no other attempt starts.
pub(crate) async fn cap_ends_it(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_max_reclaims(2);
    let id = fx.submit(&fx.submission("task")?.with_policy(policy)).await?;
    let mut task = fx.claim_one().await?;
    for reclaims in 1..=2 {
        fx.advance(LEASE_TTL_MS).await;
        fx.settle().await?;
        task = fx.reclaim_one().await?;
        ensure_eq!((task.execution_id, task.reclaims), (id, reclaims));
    }

    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;

    let view = fx.describe(id).await?;
    ensure_eq!((view.state, view.reclaims), (ExecutionState::Failed, 2));
    let failure = view.last_failure.ok_or_else(|| CaseError::new("no failure is kept"))?;
    ensure_eq!((failure.class, failure.attempt), (FailureClass::InfraCrash, task.attempt));
    ensure!(view.attempt.is_some_and(|attempt| !attempt.open), "the attempt is still open");
    ensure_eq!(view.ended_at, Some(fx.now().await));
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for an ended execution");
    Ok(())
}

/// After a lost lease a new attempt starts under a `Resumed` handle and the taker's own policy; the
/// loss counts as a reclaim and not as a retry.
pub(crate) async fn lost_lease_is_a_new_attempt(fx: Fixture) -> CaseResult {
    let lost = fx.lost().await?;
    let survivor = fx.worker();
    let token = survivor.token().await?;

    let policy = survivor.policy().with_lease_ttl(ms(7_000));
    let task = fx.backend.claim_from_reclaim(&token, &policy).await?;

    ensure_eq!(task.execution_id, lost.execution_id);
    ensure_eq!((task.attempt, task.handle.kind), (lost.attempt.next(), HandleKind::Resumed));
    ensure_eq!((task.retries, task.reclaims), (0, 1));
    ensure_eq!((task.payload, task.kind, task.lane), (lost.payload, lost.kind, lost.lane));
    ensure_eq!(task.lease_expires_at, fx.in_ms(7_000).await);
    let view = fx.describe(task.execution_id).await?;
    let holder = view.lease.map(|lease| (lease.worker, lease.instance));
    ensure_eq!(holder, Some(survivor.worker_ids()));
    ensure_eq!((view.retries, view.reclaims, view.token_outstanding), (0, 1, false));
    fx.backend.complete(&task.handle, None).await?;
    Ok(())
}

/// However many workers ask at once, each execution's token goes to one of them.
pub(crate) async fn token_goes_to_one_caller(fx: Fixture) -> CaseResult {
    let submissions: Vec<_> =
        (0..40).map(|_| fx.submission("task")).collect::<CaseResult<_>>()?;
    let lost: BTreeSet<_> = lose(&fx, &submissions).await?.into_iter().collect();
    let mut race: JoinSet<CaseResult<Vec<Task>>> = JoinSet::new();
    for _ in 0..8 {
        let fx = fx.worker();
        race.spawn(async move {
            let mut mine = Vec::new();
            for token in fx.tokens(7).await? {
                tokio::task::yield_now().await;
                mine.push(fx.backend.claim_from_reclaim(&token, &fx.policy()).await?);
            }
            Ok(mine)
        });
    }

    let mut taken_up = BTreeSet::new();
    while let Some(worker) = race.join_next().await {
        for task in worker?? {
            ensure!(taken_up.insert(task.execution_id), "{} twice", task.execution_id);
        }
    }
    ensure_eq!(taken_up == lost, true, "every execution is taken up");
    Ok(())
}

/// A token that nobody uses is void after 5 s, and its execution is back in its place without
/// having lost anything.
pub(crate) async fn token_expires_back(fx: Fixture) -> CaseResult {
    let submissions = [fx.submission("task")?, fx.submission("task")?];
    let lost = lose(&fx, &submissions).await?;
    let token = fx.token().await?;
    ensure!(fx.describe(lost[0]).await?.token_outstanding, "the token is not shown");

    fx.advance(limits::RECLAIM_GRANT_TTL_MS - 1).await;
    fx.settle().await?;
    ensure!(fx.describe(lost[0]).await?.token_outstanding, "returned a millisecond early");

    fx.advance(1).await;
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;
    fx.settle().await?;
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;

    let view = fx.describe(lost[0]).await?;
    ensure_eq!((view.state, view.token_outstanding), (ExecutionState::Ready, false));
    ensure_eq!((view.reclaims, view.epoch.0), (1, 1));
    ensure_eq!(take_up(&fx, &fx.reclaim_request(10)?).await?, lost);
    Ok(())
}

/// A used token gives its user the same lease again while that lives, and nothing after: it is void
/// once the lease ended, however it ended, and for every other instance from its use on.
pub(crate) async fn token_is_used_once(fx: Fixture) -> CaseResult {
    fx.lost().await?;
    let token = fx.token().await?;
    let first = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    let before = fx.snapshot().await;

    let again = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    ensure_eq!(again, first);
    let other = fx.worker();
    let mut other_instance = fx.policy();
    other_instance.instance = other.worker_ids().1;
    for policy in [other.policy(), other_instance] {
        let answer = fx.backend.claim_from_reclaim(&token, &policy).await;
        assert_state(answer, "reclaim_token_void")?;
    }
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.renew(&first.handle).await?;

    fx.advance(LEASE_TTL_MS).await;
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;
    fx.settle().await?;
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;

    let token = fx.token().await?;
    let last = fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    fx.backend.complete(&last.handle, None).await?;
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")
}

/// Tokens come highest priority first, then by when the lease was lost, from the lane asked for
/// and for what the worker offers; what it cannot run is not in the way.
pub(crate) async fn order_and_capabilities(fx: Fixture) -> CaseResult {
    let gpu = CapabilitySet::from_tokens(["gpu"])?;
    let mut elsewhere = fx.submission("task")?.with_priority(100);
    elsewhere.lane = LaneId::new("other")?;
    let foreign = fx.submission("task")?.with_priority(50).with_capabilities(gpu.clone());
    let early = lose(&fx, &[fx.submission("task")?, foreign, elsewhere]).await?;
    let late = lose(
        &fx,
        &[fx.submission("task")?, fx.submission("task")?.with_priority(1), fx.submission("task")?],
    )
    .await?;

    let plain = take_up(&fx, &fx.reclaim_request(100)?).await?;
    let mut offering = fx.reclaim_request(100)?;
    offering.capabilities = gpu;
    let able = take_up(&fx, &offering).await?;
    let mut other_lane = fx.reclaim_request(100)?;
    other_lane.lane = LaneId::new("other")?;
    let other_lane = take_up(&fx, &other_lane).await?;

    ensure_eq!(plain, [late[1], early[0], late[0], late[2]]);
    ensure_eq!((able, other_lane), (vec![early[1]], vec![early[2]]));
    Ok(())
}

/// A filtered scanner gets what its filter matches, however much else stands in front, and leaves
/// the rest alone.
pub(crate) async fn filter_is_honoured(fx: Fixture) -> CaseResult {
    const FOREIGN: usize = 20_000;
    const OWN: usize = limits::CLAIM_MAX_TASKS as usize;
    let tags = |value: &str| CaseResult::Ok(Tags::new().with("instance", value)?);
    let (green, blue) = (tags("green")?, tags("blue")?);
    let mut submissions = Vec::new();
    for _ in 0..FOREIGN {
        submissions.push(fx.submission("task")?.with_priority(9).with_tags(green.clone()));
    }
    for _ in 0..OWN {
        submissions.push(fx.submission("task")?.with_tags(blue.clone()));
    }
    submissions.push(fx.submission("task")?);
    for batch in submissions.chunks(limits::SUBMIT_BATCH_MAX) {
        fx.backend.submit_batch(batch).await?;
    }
    while !fx.claim_up_to(limits::CLAIM_MAX_TASKS).await?.is_empty() {}
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let lost: Vec<_> = submissions.iter().map(Submission::id).collect();
    let own = fx.backend.namespace().clone();
    let blue = ScannerFilter::new().with_instance_tag("instance", "blue");
    let request = |filter: ScannerFilter| {
        CaseResult::Ok(fx.reclaim_request(limits::CLAIM_MAX_TASKS)?.with_filter(filter))
    };

    let elsewhere = Namespace::new("another-namespace")?;
    let elsewhere = request(blue.clone().with_namespace(elsewhere))?;
    let none = fx.quickly(fx.backend.reclaimable(&elsewhere)).await??;
    ensure_eq!(none.len(), 0, "tokens by another namespace");
    let matching = request(blue.with_namespace(own))?;
    fx.quickly(fx.backend.reclaimable(&matching)).await??;
    ensure_eq!(take_up(&fx, &matching).await?, lost[FOREIGN..FOREIGN + OWN]);
    ensure_eq!(take_up(&fx, &request(ScannerFilter::NOOP)?.with_max_tokens(2)).await?, lost[..2]);
    Ok(())
}

/// A repeat under the same request id gives the same tokens, but only those that are still out, and
/// no more.
pub(crate) async fn repeat_gives_the_same_tokens(fx: Fixture) -> CaseResult {
    let submissions: Vec<_> = (0..4).map(|_| fx.submission("task")).collect::<CaseResult<_>>()?;
    lose(&fx, &submissions).await?;
    let request = fx.reclaim_request(3)?;

    let first = fx.backend.reclaimable(&request).await?;
    let before = fx.snapshot().await;
    let second = fx.backend.reclaimable(&request).await?;

    ensure_eq!(first.len(), 3);
    ensure_eq!(second, first);
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.claim_from_reclaim(&first[1], &fx.policy()).await?;
    let third = fx.backend.reclaimable(&request).await?;
    ensure_eq!(third, [first[0].clone(), first[2].clone()]);
    Ok(())
}

/// One call asks for 1 to 256 tokens, and a token is used under a policy within its own bounds.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let most = limits::CLAIM_MAX_TASKS;
    fx.lost().await?;
    let before = fx.snapshot().await;
    for max_tokens in [0, most + 1] {
        let answer = fx.backend.reclaimable(&fx.reclaim_request(max_tokens)?).await;
        assert_invalid(answer, "max_tokens")?;
    }
    ensure_eq!(fx.snapshot().await, before);

    let token = fx.tokens(most).await?.pop().ok_or_else(|| CaseError::new("no token"))?;
    let before = fx.snapshot().await;
    let brief = fx.policy().with_lease_ttl(ms(limits::LEASE_TTL_MIN_MS - 1));
    assert_invalid(fx.backend.claim_from_reclaim(&token, &brief).await, "lease_ttl")?;
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    Ok(())
}

/// Bytes that are no token are refused, and a well-formed token that nobody issued is void.
pub(crate) async fn hostile_token_is_refused(fx: Fixture) -> CaseResult {
    fx.lost().await?;
    let token = fx.token().await?;
    let good = token.grant().as_bytes();
    let mut other_version = good.to_vec();
    other_version[0] ^= 0xff;
    let mut forged = good.to_vec();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    let hostile = [
        Vec::new(),
        good[..good.len() - 1].to_vec(),
        [good, &[0]].concat(),
        vec![0xff; good.len()],
        vec![0; limits::RECLAIM_TOKEN_MAX_BYTES],
        other_version,
    ];
    let before = fx.snapshot().await;

    for bytes in hostile {
        let token = ReclaimToken::new(ReclaimGrant::new(bytes)?);
        assert_invalid(fx.backend.claim_from_reclaim(&token, &fx.policy()).await, "token")?;
    }
    let forged = ReclaimToken::new(ReclaimGrant::new(forged)?);
    let answer = fx.backend.claim_from_reclaim(&forged, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;

    ensure_eq!(fx.snapshot().await, before);
    fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    Ok(())
}
