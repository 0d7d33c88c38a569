//! What one claim answers: tasks, reclaim tokens, and the same again when it is repeated.

use std::collections::BTreeSet;

use ff_engine::{ClaimOutcome, Submission};
use ff_types::backend::{HandleKind, ScannerFilter};
use ff_types::{AttemptIndex, ExecutionState, Namespace, Payload, Tags, limits};

use super::{handed_out, ids, offering};
use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, ms};

pub(crate) const CASES: &[Case] = &cases!["claim":
    takes_up_to_max_tasks,
    empty_lane_is_an_outcome,
    task_is_complete,
    carries_reclaims_when_asked,
    reclaims_follow_the_filter,
    repeat_gives_the_same_leases,
    limits_are_enforced,
];

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
    let all: BTreeSet<_> =
        ids(&first).into_iter().chain(others.iter().map(|t| t.execution_id)).collect();
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
