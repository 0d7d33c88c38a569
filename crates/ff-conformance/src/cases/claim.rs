//! Handing out work: who gets what, in which order, and how a claim waits.

use std::collections::BTreeSet;

use ff_engine::{
    ClaimOutcome, ClaimRequest, DelayRequest, Submission, SuspendCondition, TimeoutBehavior,
};
use ff_types::backend::{CapabilitySet, FailureClass, Handle, HandleKind, ScannerFilter};
use ff_types::{
    AttemptIndex, ExecutionId, ExecutionPolicy, ExecutionState, LaneId, Namespace, Payload, Tags,
    limits,
};
use tokio::task::JoinHandle;

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, failure, ms, retry_after};
use crate::waits::after;

pub(crate) const CASES: &[Case] = &cases!["claim":
    priority_then_fifo,
    lanes_are_separate,
    capabilities_are_a_subset,
    mismatch_is_invisible,
    takes_up_to_max_tasks,
    empty_lane_is_an_outcome,
    task_is_complete,
    wakes_promptly,
    wakes_who_is_able,
    every_way_of_becoming_ready_wakes,
    wait_ends,
    dropped_wait_loses_nothing,
    carries_reclaims_when_asked,
    reclaims_follow_the_filter,
    repeat_gives_the_same_leases,
    repeat_never_waits,
    looks_past_expired,
    limits_are_enforced,
];

fn ids(outcome: &ClaimOutcome) -> Vec<ExecutionId> {
    outcome.tasks.iter().map(|task| task.execution_id).collect()
}

fn offering<const N: usize>(fx: &Fixture, tokens: [&str; N]) -> CaseResult<ClaimRequest> {
    let mut request = fx.claim_request(LANE)?;
    request.capabilities = CapabilitySet::from_tokens(tokens)?;
    request.policy = request.policy.with_max_tasks(limits::CLAIM_MAX_TASKS);
    Ok(request)
}

async fn needing<const N: usize>(fx: &Fixture, tokens: [&str; N]) -> CaseResult<ExecutionId> {
    let required = CapabilitySet::from_tokens(tokens)?;
    fx.submit(&fx.submission("task")?.with_capabilities(required)).await
}

fn waiting(fx: &Fixture, mut request: ClaimRequest, max_wait_ms: u64) -> Waiting {
    request.policy = request.policy.with_max_wait(ms(max_wait_ms));
    let backend = fx.backend.clone();
    tokio::spawn(async move { backend.claim(&request).await })
}

type Waiting = JoinHandle<Result<ClaimOutcome, ff_engine::EngineError>>;

/// A claim that another worker makes, which offers these and waits as long as it may.
async fn another_waits<const N: usize>(
    fx: &Fixture,
    tokens: [&str; N],
    reclaims: Option<ScannerFilter>,
) -> CaseResult<Waiting> {
    let mut request = fx.worker().claim_request(LANE)?;
    request.capabilities = CapabilitySet::from_tokens(tokens)?;
    request.reclaims = reclaims;
    let claim = waiting(fx, request, limits::MAX_WAIT_MAX_MS);
    fx.let_others_run().await;
    Ok(claim)
}

/// Takes up the tokens of `outcome` and answers everything that it handed out.
async fn handed_out(fx: &Fixture, outcome: &ClaimOutcome) -> CaseResult<Vec<ExecutionId>> {
    let mut all = ids(outcome);
    for token in &outcome.reclaims {
        all.push(fx.backend.claim_from_reclaim(token, &fx.policy()).await?.execution_id);
    }
    Ok(all)
}

/// How an execution becomes ready while a claim waits.
#[derive(Debug, Clone, Copy)]
enum Way {
    Submit,
    RetryAtOnce,
    DelayNow,
    ReleaseHold,
    Revoke,
    Replay,
    DelayOver,
    PauseOver,
    TimedOut,
    LeaseLost,
    TokenReturned,
    WaitOver,
    ResumedByOperator,
}

impl Way {
    const ALL: [Self; 13] = [
        Self::Submit,
        Self::RetryAtOnce,
        Self::DelayNow,
        Self::ReleaseHold,
        Self::Revoke,
        Self::Replay,
        Self::DelayOver,
        Self::PauseOver,
        Self::TimedOut,
        Self::LeaseLost,
        Self::TokenReturned,
        Self::WaitOver,
        Self::ResumedByOperator,
    ];

    /// By when what takes a while has happened, except for a lost lease.
    const WHILE_MS: u64 = limits::RECLAIM_GRANT_TTL_MS;

    /// What becomes ready, and who runs it before, if anybody.
    async fn prepare(self, fx: &Fixture) -> CaseResult<(Submission, Option<Handle>)> {
        let later = fx.in_ms(Self::WHILE_MS).await;
        let mut policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
        if matches!(self, Self::TimedOut) {
            policy = policy.with_attempt_timeout(ms(Self::WHILE_MS));
        }
        let mut submission = fx.submission("task")?.with_policy(policy);
        match self {
            Self::Submit => return Ok((submission, None)),
            Self::DelayOver => {
                submission = submission.with_delay_until(later);
                fx.submit(&submission).await?;
                return Ok((submission, None));
            }
            Self::ReleaseHold => {
                fx.submit(&submission).await?;
                fx.backend.hold(&fx.hold_request(submission.id())).await?;
                return Ok((submission, None));
            }
            _ => {}
        }
        let task = fx.submit_and_claim(&submission).await?;
        match self {
            Self::Replay => fx.backend.complete(&task.handle, None).await?,
            Self::PauseOver => fx.backend.delay(&task.handle, &DelayRequest::until(later)).await?,
            Self::WaitOver | Self::ResumedByOperator => {
                let timeout = after(Self::WHILE_MS, TimeoutBehavior::Resume);
                let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
                fx.suspend(&task.handle, &request.with_timeout(timeout)).await?;
            }
            Self::TokenReturned => {
                fx.advance(LEASE_TTL_MS).await;
                fx.settle().await?;
                fx.worker().token().await?;
            }
            _ => {}
        }
        Ok((submission, Some(task.handle)))
    }

    /// Makes it ready.
    async fn happen(
        self,
        fx: &Fixture,
        submission: &Submission,
        handle: Option<&Handle>,
    ) -> CaseResult {
        let (backend, id) = (&fx.backend, submission.id());
        let held = || handle.ok_or_else(|| CaseError::new("nobody runs it"));
        match self {
            Self::Submit => {
                backend.submit(submission).await?;
            }
            Self::RetryAtOnce => {
                backend.fail(held()?, &failure(FailureClass::Transient)).await?;
            }
            Self::DelayNow => backend.delay(held()?, &DelayRequest::now()).await?,
            Self::ReleaseHold => {
                backend.release_hold(&fx.release_hold_request(id)).await?;
            }
            Self::Revoke => {
                backend.revoke(&fx.revoke_request(id)).await?;
            }
            Self::Replay => {
                backend.replay(&fx.replay_request(id)).await?;
            }
            Self::ResumedByOperator => {
                backend.resume_execution(&fx.resume_request(id)).await?;
            }
            Self::DelayOver
            | Self::PauseOver
            | Self::TimedOut
            | Self::TokenReturned
            | Self::WaitOver => {
                fx.advance(Self::WHILE_MS).await;
                fx.settle().await?;
            }
            Self::LeaseLost => {
                fx.advance(LEASE_TTL_MS).await;
                fx.settle().await?;
            }
        }
        Ok(())
    }
}

/// Higher priority goes first; among equals, what became ready first; among those of one
/// millisecond, the smaller id. It does not matter what a worker has to offer for it.
pub(crate) async fn priority_then_fifo(fx: Fixture) -> CaseResult {
    let mut expected = Vec::new();
    for (priority, required) in
        [(0, None), (100, None), (-100, None), (0, Some("gpu")), (1, Some("gpu")), (0, None)]
    {
        let mut submission = fx.submission("task")?.with_priority(priority);
        if let Some(token) = required {
            submission = submission.with_capabilities(CapabilitySet::from_tokens([token])?);
        }
        expected.push((-i16::from(priority), fx.now().await, fx.submit(&submission).await?));
        fx.advance(1).await;
    }
    let (smaller, larger) = (fx.submission("task")?, fx.submission("task")?);
    for submission in [larger, smaller] {
        let id = fx.submit(&submission).await?;
        expected.push((0, fx.now().await, id));
    }
    expected.sort_unstable();

    let outcome = fx.backend.claim(&offering(&fx, ["gpu"])?).await?;

    ensure_eq!(ids(&outcome), expected.iter().map(|(.., id)| *id).collect::<Vec<_>>());
    Ok(())
}

/// A claim sees its own lane only.
pub(crate) async fn lanes_are_separate(fx: Fixture) -> CaseResult {
    let mut elsewhere = fx.submission("task")?;
    elsewhere.lane = LaneId::new("other")?;
    fx.submit(&elsewhere).await?;

    let here = fx.backend.claim(&fx.claim_request(LANE)?).await?;
    let there = fx.backend.claim(&fx.claim_request("other")?).await?;

    ensure!(here.is_empty(), "claimed {here:?} from another lane");
    ensure_eq!(ids(&there), [elsewhere.id()]);
    ensure_eq!(there.tasks[0].lane, elsewhere.lane);
    Ok(())
}

/// A worker gets exactly the executions whose required capabilities it offers.
pub(crate) async fn capabilities_are_a_subset(fx: Fixture) -> CaseResult {
    let none = needing(&fx, []).await?;
    let gpu = needing(&fx, ["gpu"]).await?;
    let both = needing(&fx, ["gpu", "eu"]).await?;
    let longer = needing(&fx, ["gpu-large"]).await?;
    let other = needing(&fx, ["tpu"]).await?;

    let nothing_offered = fx.backend.claim(&offering(&fx, [])?).await?;
    let one_offered = fx.backend.claim(&offering(&fx, ["gpu"])?).await?;
    let more_offered = fx.backend.claim(&offering(&fx, ["eu", "gpu", "us"])?).await?;
    let rest = fx.backend.claim(&offering(&fx, ["gpu-large", "tpu"])?).await?;

    ensure_eq!(ids(&nothing_offered), [none]);
    ensure_eq!(ids(&one_offered), [gpu]);
    ensure_eq!(ids(&more_offered), [both]);
    ensure_eq!(ids(&rest), [longer, other]);
    Ok(())
}

/// What a worker cannot run, however much of it and however urgent, neither blocks what is behind
/// nor is touched.
pub(crate) async fn mismatch_is_invisible(fx: Fixture) -> CaseResult {
    let mut foreign = Vec::new();
    for index in 0..50 {
        let required = CapabilitySet::from_tokens([format!("special-{}", index % 5)])?;
        let submission = fx.submission("task")?.with_priority(100).with_capabilities(required);
        foreign.push(fx.submit(&submission).await?);
    }
    fx.advance(1).await;
    let own = fx.submit_default().await?;
    let mut before = Vec::new();
    for id in &foreign {
        before.push(fx.describe(*id).await?);
    }

    ensure_eq!(fx.claim_one().await?.execution_id, own);
    ensure!(fx.claim_if_any().await?.is_none(), "claimed what the worker cannot run");

    for (id, before) in foreign.iter().zip(before) {
        ensure_eq!(fx.describe(*id).await?, before, "the foreign execution {id}");
    }
    Ok(())
}

/// One call hands out as many tasks as there are, up to the number asked for.
pub(crate) async fn takes_up_to_max_tasks(fx: Fixture) -> CaseResult {
    let submitted = fx.submit_many(limits::CLAIM_MAX_TASKS as usize + 5).await?;

    let few = fx.claim_up_to(3).await?;
    let most = fx.claim_up_to(limits::CLAIM_MAX_TASKS).await?;
    let rest = fx.claim_up_to(100).await?;

    ensure_eq!([few.len(), most.len(), rest.len()], [3, limits::CLAIM_MAX_TASKS as usize, 2]);
    let claimed: Vec<_> =
        [few, most, rest].concat().into_iter().map(|task| task.execution_id).collect();
    ensure_eq!(claimed, submitted);
    Ok(())
}

/// A lane that has nothing, or that nobody ever used, answers an empty outcome, and the claim
/// leaves nothing behind.
pub(crate) async fn empty_lane_is_an_outcome(fx: Fixture) -> CaseResult {
    let before = fx.snapshot().await;

    let outcome = fx.backend.claim(&fx.claim_request("never-used")?).await?;

    ensure!(outcome.is_empty(), "found {outcome:?}");
    ensure_eq!(fx.snapshot().await, before);
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}

/// A task carries the submission as given, its attempt, its lease and a fresh handle.
pub(crate) async fn task_is_complete(fx: Fixture) -> CaseResult {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let deadline = fx.in_ms(3_600_000).await;
    let mut submission = fx
        .submission("resize")?
        .with_priority(-3)
        .with_tags(Tags::new().with("team", "red")?.with("run", "7")?)
        .with_deadline(deadline);
    submission.payload = Payload::new(every_byte).with_content_type("image/png")?;
    fx.submit(&submission).await?;
    let mut request = fx.claim_request(LANE)?;
    request.policy = request.policy.with_lease_ttl(ms(7_000));

    let task = fx.backend.claim(&request).await?.tasks.pop();

    let task = task.ok_or_else(|| CaseError::new("nothing was claimed"))?;
    ensure_eq!(task.execution_id, submission.id());
    ensure_eq!(task.lane, submission.lane);
    ensure_eq!(task.kind, *submission.kind());
    ensure_eq!(task.payload, submission.payload);
    ensure_eq!(task.tags, submission.tags);
    ensure_eq!(task.priority, -3);
    ensure_eq!(task.attempt, AttemptIndex::FIRST);
    ensure_eq!((task.retries, task.reclaims), (0, 0));
    ensure_eq!(task.lease_expires_at, fx.in_ms(7_000).await);
    ensure_eq!(task.lease_ttl_ms, 7_000);
    ensure_eq!(task.deadline, Some(deadline));
    ensure_eq!(task.handle.kind, HandleKind::Fresh);
    ensure_eq!(task.handle.backend, fx.backend.tag());

    let view = fx.describe(task.execution_id).await?;
    let (worker, instance) = fx.worker_ids();
    let lease = view.lease.ok_or_else(|| CaseError::new("no lease is shown"))?;
    ensure_eq!(view.state, ExecutionState::Active);
    ensure_eq!((lease.worker, lease.instance), (worker, instance));
    ensure_eq!(lease.expires_at, task.lease_expires_at);
    Ok(())
}

/// A waiting claim returns by itself when work becomes ready: by a submit, by the end of a delay
/// and by a lost lease.
pub(crate) async fn wakes_promptly(fx: Fixture) -> CaseResult {
    let wait = || {
        let other = fx.worker();
        let request = other.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        CaseResult::Ok(waiting(&fx, request, limits::MAX_WAIT_MAX_MS))
    };

    let claim = wait()?;
    fx.let_others_run().await;
    let id = fx.submit_default().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(ids(&outcome), [id], "after a submit");

    let delayed = fx.submission("task")?.with_delay_until(fx.in_ms(10).await);
    fx.submit(&delayed).await?;
    let claim = wait()?;
    fx.let_others_run().await;
    fx.advance(10).await;
    fx.settle().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(ids(&outcome), [delayed.id()], "after a delay");

    fx.advance(LEASE_TTL_MS - 1_000).await;
    let claim = wait()?;
    fx.let_others_run().await;
    fx.advance(1_000).await;
    fx.settle().await?;
    let outcome = fx.promptly(claim).await???;
    ensure_eq!(outcome.reclaims.len(), 1, "tokens after a lost lease");
    Ok(())
}

/// What becomes ready wakes a worker that can have it: those that lack a capability, take no
/// reclaims or filter them out wait on, however much longer they have waited. A worker woken for
/// one thing that then takes a better one leaves the first to another.
pub(crate) async fn wakes_who_is_able(fx: Fixture) -> CaseResult {
    let unable = another_waits(&fx, [], None).await?;
    let able = another_waits(&fx, ["gpu"], None).await?;
    let special = needing(&fx, ["gpu"]).await?;
    ensure_eq!(ids(&fx.promptly(able).await???), [special]);
    ensure!(!unable.is_finished(), "a worker got what it cannot run");
    let plain = fx.submit_default().await?;
    ensure_eq!(ids(&fx.promptly(unable).await???), [plain]);

    let foreign = ScannerFilter::new().with_instance_tag("instance", "blue");
    for lost in [false, true] {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let unable = [
            another_waits(&fx, [], None).await?,
            another_waits(&fx, [], Some(foreign.clone())).await?,
        ];
        let able = another_waits(&fx, [], Some(ScannerFilter::NOOP)).await?;
        if lost {
            fx.advance(LEASE_TTL_MS).await;
            fx.settle().await?;
        } else {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        }
        let outcome = fx.promptly(able).await???;
        ensure_eq!(outcome.reclaims.len(), 1, "tokens, lost: {lost}");
        ensure_eq!(handed_out(&fx, &outcome).await?, [task.execution_id]);
        let mut served = BTreeSet::new();
        ensure!(!unable.iter().any(JoinHandle::is_finished), "a worker got what it did not ask for");
        let fresh: BTreeSet<_> = fx.submit_many(unable.len()).await?.into_iter().collect();
        for claim in unable {
            served.extend(ids(&fx.promptly(claim).await???));
        }
        ensure_eq!(served, fresh, "what was left for the others");
    }

    for paused in [false, true] {
        let fx = fx.second().await?;
        let urgent = fx.submission("task")?.with_priority(1);
        let task = if paused { Some(fx.submit_and_claim(&urgent).await?) } else { None };
        let versatile = another_waits(&fx, ["gpu"], Some(ScannerFilter::NOOP)).await?;
        let simple = another_waits(&fx, [], None).await?;
        let plain = fx.submit_default().await?;
        if let Some(task) = task {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        } else {
            let gpu = CapabilitySet::from_tokens(["gpu"])?;
            fx.submit(&urgent.clone().with_capabilities(gpu)).await?;
        }

        let first = handed_out(&fx, &fx.promptly(versatile).await???).await?;
        if first == [urgent.id()] {
            ensure_eq!(ids(&fx.promptly(simple).await???), [plain], "paused: {paused}");
        } else {
            // It ran before the second was there.
            ensure_eq!(first, [plain], "paused: {paused}");
            let again = another_waits(&fx, ["gpu"], Some(ScannerFilter::NOOP)).await?;
            let second = handed_out(&fx, &fx.promptly(again).await???).await?;
            ensure_eq!(second, [urgent.id()], "paused: {paused}");
            simple.abort();
        }
    }
    Ok(())
}

/// A waiting claim that takes reclaims returns with whatever becomes ready, in whichever way.
pub(crate) async fn every_way_of_becoming_ready_wakes(fx: Fixture) -> CaseResult {
    for way in Way::ALL {
        let fx = fx.second().await?;
        let (submission, handle) = way.prepare(&fx).await?;
        let claim = another_waits(&fx, [], Some(ScannerFilter::NOOP)).await?;
        ensure!(!claim.is_finished(), "{way:?} did not have to happen");

        way.happen(&fx, &submission, handle.as_ref()).await?;

        let outcome = fx.promptly(claim).await.map_err(|e| CaseError::new(format!("{way:?}: {e}")))?;
        ensure_eq!(handed_out(&fx, &outcome??).await?, [submission.id()], "{way:?}");
    }
    Ok(())
}

/// A waiting claim that gets nothing returns empty when its wait is over, and leaves nothing.
pub(crate) async fn wait_ends(fx: Fixture) -> CaseResult {
    let claim = waiting(&fx, fx.claim_request(LANE)?, 50);

    let outcome = fx
        .promptly(async {
            while !claim.is_finished() {
                fx.let_others_run().await;
                fx.advance(50).await;
            }
            claim.await
        })
        .await???;

    ensure!(outcome.is_empty(), "found {outcome:?}");
    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}

/// Every ready execution is handed out although some of the waiting workers disappear, before and
/// after they were woken.
pub(crate) async fn dropped_wait_loses_nothing(fx: Fixture) -> CaseResult {
    let mut claims = Vec::new();
    for _ in 0..12 {
        let request = fx.worker().claim_request(LANE)?;
        claims.push(waiting(&fx, request, limits::MAX_WAIT_MAX_MS));
    }
    fx.let_others_run().await;

    claims.drain(..4).for_each(|gone| gone.abort());
    let submitted = fx.submit_many(4).await?;
    claims.drain(..4).for_each(|gone| gone.abort());

    fx.promptly(async {
        for id in submitted {
            while fx.describe(id).await?.state != ExecutionState::Active {
                fx.let_others_run().await;
            }
        }
        CaseResult::Ok(())
    })
    .await??;
    claims.iter().for_each(JoinHandle::abort);

    for yields in 0..16 {
        let fx = fx.second().await?;
        let claims = [another_waits(&fx, [], None).await?, another_waits(&fx, [], None).await?];
        let id = fx.submit_default().await?;
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        claims[0].abort();
        fx.promptly(async {
            while fx.describe(id).await?.state != ExecutionState::Active {
                fx.let_others_run().await;
            }
            CaseResult::Ok(())
        })
        .await??;
        claims[1].abort();
    }
    Ok(())
}

/// A claim that asks for reclaims gets tokens beside tasks, best first over both kinds and never
/// more than it asked for; one that does not ask gets none.
pub(crate) async fn carries_reclaims_when_asked(fx: Fixture) -> CaseResult {
    let lost = fx.lost().await?;
    fx.advance(1).await;
    let urgent = fx.submit(&fx.submission("task")?.with_priority(1)).await?;
    fx.advance(1).await;
    let late = fx.submit_default().await?;
    let ask = |max_tasks| {
        let mut request = fx.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        request.policy = request.policy.with_max_tasks(max_tasks);
        CaseResult::Ok(request)
    };

    let first = fx.backend.claim(&ask(1)?).await?;
    let second = fx.backend.claim(&ask(1)?).await?;

    ensure_eq!(ids(&first), [urgent]);
    ensure_eq!((second.tasks.len(), second.reclaims.len()), (0, 1), "tasks and tokens");
    let resumed = fx.backend.claim_from_reclaim(&second.reclaims[0], &fx.policy()).await?;
    ensure_eq!(resumed.execution_id, lost.execution_id);
    ensure_eq!(resumed.handle.kind, HandleKind::Resumed);

    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let unasked = fx.backend.claim(&offering(&fx, [])?).await?;
    let both = fx.backend.claim(&ask(10)?).await?;
    ensure_eq!((ids(&unasked), unasked.reclaims.len()), (vec![late], 0));
    ensure_eq!((both.tasks.len(), both.reclaims.len()), (0, 2), "tasks and tokens");
    Ok(())
}

/// The filter of a claim decides about reclaim tokens only: fresh tasks come whatever their tags,
/// and what it does not match stays for others.
pub(crate) async fn reclaims_follow_the_filter(fx: Fixture) -> CaseResult {
    let tagged = |value: &str| {
        let tags = Tags::new().with("instance", value)?;
        CaseResult::Ok(fx.submission("task")?.with_tags(tags))
    };
    let lost = [tagged("green")?, tagged("blue")?, fx.submission("task")?, tagged("blue")?];
    for submission in &lost {
        fx.submit_and_claim(submission).await?;
    }
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    fx.advance(1).await;
    let ask = async |filter: ScannerFilter| {
        let mut request = fx.claim_request(LANE)?.with_reclaims(filter);
        request.policy = request.policy.with_max_tasks(100);
        CaseResult::Ok(fx.backend.claim(&request).await?)
    };
    let blue = ScannerFilter::new().with_instance_tag("instance", "blue");
    let own = fx.backend.namespace().clone();

    let elsewhere = blue.clone().with_namespace(Namespace::new("another-namespace")?);
    let nothing = ask(elsewhere).await?;
    ensure!(nothing.is_empty(), "tokens by another namespace: {nothing:?}");
    let fresh = [tagged("green")?, fx.submission("task")?, tagged("blue")?];
    for submission in &fresh {
        fx.submit(submission).await?;
    }
    let matching = ask(blue.with_namespace(own)).await?;
    let rest = ask(ScannerFilter::NOOP).await?;

    ensure_eq!(ids(&matching), fresh.each_ref().map(Submission::id), "fresh tasks");
    ensure_eq!((matching.reclaims.len(), rest.tasks.len(), rest.reclaims.len()), (2, 0, 2));
    let unfiltered = ClaimOutcome::new(Vec::new(), [matching.reclaims, rest.reclaims].concat());
    let expected = [&lost[1], &lost[3], &lost[0], &lost[2]].map(Submission::id);
    ensure_eq!(handed_out(&fx, &unfiltered).await?, expected);
    Ok(())
}

/// A claim repeated under its request id hands out the same leases and no more, but only those
/// that are still live.
pub(crate) async fn repeat_gives_the_same_leases(fx: Fixture) -> CaseResult {
    fx.submit_many(5).await?;
    let mut request = fx.claim_request(LANE)?;
    request.policy = request.policy.with_max_tasks(3);

    let first = fx.backend.claim(&request).await?;
    let before = fx.snapshot().await;
    let second = fx.backend.claim(&request).await?;

    ensure_eq!(first.tasks.len(), 3);
    ensure_eq!(second, first);
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.complete(&first.tasks[1].handle, None).await?;
    let third = fx.backend.claim(&request).await?;
    ensure_eq!(ids(&third), [first.tasks[0].execution_id, first.tasks[2].execution_id]);

    let others = fx.claim_up_to(5).await?;
    let all: BTreeSet<_> = ids(&first).into_iter().chain(others.iter().map(|t| t.execution_id)).collect();
    ensure_eq!((others.len(), all.len()), (2, 5));
    Ok(())
}

/// A repeat answers at once although its policy lets it wait: when all it got is over, that answer
/// is empty, and what becomes ready is for those that do wait.
pub(crate) async fn repeat_never_waits(fx: Fixture) -> CaseResult {
    for resumed in [false, true] {
        let fx = fx.second().await?;
        let mut request = fx.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
        request.policy = request.policy.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
        if resumed {
            fx.lost().await?;
        } else {
            fx.submit_default().await?;
        }
        let mut first = fx.backend.claim(&request).await?;
        let task = match (first.tasks.pop(), first.reclaims.pop()) {
            (Some(task), None) if !resumed => task,
            (None, Some(token)) if resumed => {
                fx.backend.claim_from_reclaim(&token, &fx.policy()).await?
            }
            other => return Err(CaseError::new(format!("handed out {other:?}"))),
        };
        fx.backend.complete(&task.handle, None).await?;

        let repeat = waiting(&fx, request, limits::MAX_WAIT_MAX_MS);
        let other = another_waits(&fx, [], None).await?;
        let repeated = fx.promptly(repeat).await???;
        let id = fx.submit_default().await?;

        ensure!(repeated.is_empty(), "found {repeated:?}");
        ensure_eq!(ids(&fx.promptly(other).await???), [id]);
    }
    Ok(())
}

/// However many executions past their deadline stand in front, a claim finds the good one behind
/// them, and so does the reclaim scanner, without waiting and without maintenance.
pub(crate) async fn looks_past_expired(fx: Fixture) -> CaseResult {
    const MISSED: usize = 100;
    let deadline = fx.in_ms(1_000).await;
    let missed: Vec<_> = (0..MISSED)
        .map(|_| Ok(fx.submission("task")?.with_priority(1).with_deadline(deadline)))
        .collect::<CaseResult<_>>()?;

    let ready = fx.second().await?;
    ready.backend.submit_batch(&missed).await?;
    let good = ready.submit_default().await?;
    ready.advance(1_000).await;
    ensure_eq!(ready.claim_one().await?.execution_id, good);

    let paused = fx.second().await?;
    let with_claim = paused.second().await?;
    for fx in [&paused, &with_claim] {
        fx.backend.submit_batch(&missed).await?;
        fx.submit_default().await?;
        for task in fx.claim_up_to(limits::CLAIM_MAX_TASKS).await? {
            fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        }
        fx.advance(1_000).await;
    }
    let token = paused.token().await?;
    let resumed = paused.backend.claim_from_reclaim(&token, &paused.policy()).await?;
    ensure_eq!((resumed.priority, resumed.deadline), (0, None), "resumed by the scanner's token");
    let request = with_claim.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
    let outcome = with_claim.backend.claim(&request).await?;
    ensure_eq!((outcome.tasks.len(), outcome.reclaims.len()), (0, 1), "tasks and tokens");
    let token = &outcome.reclaims[0];
    let resumed = with_claim.backend.claim_from_reclaim(token, &with_claim.policy()).await?;
    ensure_eq!((resumed.priority, resumed.deadline), (0, None), "resumed by the claim's token");

    for fx in [&ready, &paused, &with_claim] {
        fx.settle().await?;
        for submission in &missed {
            fx.assert_is(submission.id(), ExecutionState::Expired).await?;
        }
    }
    Ok(())
}

/// Lease, wait and number of tasks have bounds: each bound is accepted, one beyond is refused by
/// name.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let policy = fx.policy();
    let accepted = [
        policy.with_lease_ttl(ms(limits::LEASE_TTL_MIN_MS)),
        policy.with_lease_ttl(ms(limits::LEASE_TTL_MAX_MS)),
        policy.with_max_tasks(limits::CLAIM_MAX_TASKS),
    ];
    let refused = [
        (policy.with_lease_ttl(ms(limits::LEASE_TTL_MIN_MS - 1)), "lease_ttl"),
        (policy.with_lease_ttl(ms(limits::LEASE_TTL_MAX_MS + 1)), "lease_ttl"),
        (policy.with_max_tasks(0), "max_tasks"),
        (policy.with_max_tasks(limits::CLAIM_MAX_TASKS + 1), "max_tasks"),
        (policy.with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1)), "max_wait"),
    ];

    for policy in accepted {
        let mut request = fx.claim_request(LANE)?;
        request.policy = policy;
        fx.backend.claim(&request).await?;
    }

    fx.submit_default().await?;
    let before = fx.snapshot().await;
    for (policy, field) in refused {
        let mut request = fx.claim_request(LANE)?;
        request.policy = policy;
        assert_invalid(fx.backend.claim(&request).await, field)?;
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}
