//! Handing out work: who gets what, in which order, and how a claim waits.

use std::collections::BTreeSet;

use ff_engine::{ClaimOutcome, ClaimRequest};
use ff_types::backend::{CapabilitySet, HandleKind};
use ff_types::{
    AttemptIndex, ExecutionId, ExecutionState, LaneId, Payload, Tags, limits,
};
use tokio::task::JoinHandle;

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["claim":
    priority_then_fifo,
    lanes_are_separate,
    capabilities_are_a_subset,
    mismatch_is_invisible,
    takes_up_to_max_tasks,
    empty_lane_is_an_outcome,
    task_is_complete,
    wakes_promptly,
    wait_ends,
    dropped_wait_loses_nothing,
    carries_reclaims_when_asked,
    repeat_gives_the_same_leases,
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
        let request = other.claim_request(LANE)?.with_reclaims();
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
        let mut request = fx.claim_request(LANE)?.with_reclaims();
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
