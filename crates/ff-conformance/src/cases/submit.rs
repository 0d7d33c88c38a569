//! Handing in work: what is stored, what is refused, and what a repeat does.

use ff_engine::{Idempotency, OnTerminal, Submission, Submitted};
use ff_types::backend::CapabilitySet;
use ff_types::{
    Backoff, BlockReason, ExecutionPolicy, ExecutionState, IdempotencyKey, Jitter, LaneId, Payload,
    RetryPolicy, Tags, TaskKind, TimestampMs, limits,
};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::{LANE, ms};

pub(crate) const CASES: &[Case] = &cases!["submit":
    creates_a_ready_execution,
    delayed_start,
    past_delay_means_now,
    repeat_is_harmless,
    id_clash_is_a_conflict,
    defaults_are_documented,
    limits_are_enforced,
    batch_outcomes_are_independent,
    batch_is_bounded,
];

/// A submitted execution is ready at once, with the documented defaults.
pub(crate) async fn creates_a_ready_execution(fx: Fixture) -> CaseResult {
    let submission = fx.submission("resize")?;
    let now = fx.now().await;

    let submitted = fx.backend.submit(&submission).await?;

    ensure_eq!(submitted, Submitted::New(submission.id()));
    let view = fx.describe(submission.id()).await?;
    ensure_eq!(view.state, ExecutionState::Ready);
    ensure!(view.reasons.is_empty(), "blocked by {:?}", view.reasons);
    ensure_eq!(view.submitted_at, now);
    ensure_eq!(view.priority, 0);
    ensure_eq!(view.capabilities, CapabilitySet::new());
    ensure_eq!(view.policy, ExecutionPolicy::default());
    ensure_eq!((view.delay_until, view.deadline, view.ended_at), (None, None, None));
    ensure_eq!((view.retries, view.reclaims, view.epoch.0), (0, 0, 0));
    ensure!(view.attempt.is_none() && view.lease.is_none(), "it starts without an attempt");
    ensure_eq!(fx.claim_one().await?.execution_id, submission.id());
    Ok(())
}

/// An execution with a start in the future is `Delayed`, and ready from that millisecond on.
pub(crate) async fn delayed_start(fx: Fixture) -> CaseResult {
    let start = fx.in_ms(60_000).await;
    let id = fx.submit(&fx.submission("task")?.with_delay_until(start)).await?;

    let view = fx.describe(id).await?;
    ensure_eq!(view.state, ExecutionState::Delayed);
    ensure_eq!(view.delay_until, Some(start));
    ensure!(view.reasons.contains(BlockReason::Delay), "delayed by {:?}", view.reasons);

    fx.advance(59_999).await;
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "claimed a millisecond early");

    fx.advance(1).await;
    fx.settle().await?;
    fx.assert_is(id, ExecutionState::Ready).await?;
    ensure_eq!(fx.describe(id).await?.delay_until, None);
    ensure_eq!(fx.claim_one().await?.execution_id, id);
    Ok(())
}

/// A start that has passed, or is this very millisecond, means now.
pub(crate) async fn past_delay_means_now(fx: Fixture) -> CaseResult {
    let now = fx.now().await;
    for start in [TimestampMs::ZERO, now.saturating_sub(ms(1)), now] {
        let id = fx.submit(&fx.submission("task")?.with_delay_until(start)).await?;

        let view = fx.describe(id).await?;
        ensure_eq!((view.state, view.delay_until), (ExecutionState::Ready, None));
        ensure_eq!(fx.claim_one().await?.execution_id, id);
    }
    Ok(())
}

/// A repeated submission answers `New` with the same id and makes nothing, in whatever state the
/// execution is by then.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let submission = fx.submission("task")?;
    fx.submit(&submission).await?;
    let before = fx.snapshot().await;

    let waiting = fx.backend.submit(&submission).await?;
    ensure_eq!(waiting, Submitted::New(submission.id()));
    ensure_eq!(fx.snapshot().await, before);

    let task = fx.claim_one().await?;
    let running = fx.backend.submit(&submission).await?;
    fx.backend.complete(&task.handle, None).await?;
    let ended = fx.backend.submit(&submission).await?;

    ensure_eq!([running, ended], [Submitted::New(submission.id()); 2]);
    fx.assert_is(submission.id(), ExecutionState::Completed).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "a repeat made more work");
    Ok(())
}

/// The id of an execution, submitted again with any other content, is a conflict: every field
/// counts, and so does every part of the policy and of the idempotency key.
pub(crate) async fn id_clash_is_a_conflict(fx: Fixture) -> CaseResult {
    /// A key decides 16 bits of the id: one in 65,536 leaves them as they are.
    const KEYS_TRIED: u32 = 5_000_000;
    let (start, deadline) = (fx.in_ms(60_000).await, fx.in_ms(120_000).await);
    let retry = RetryPolicy::default();
    let policy = ExecutionPolicy::default().with_attempt_timeout(ms(5_000));
    let tags = Tags::new().with("team", "red")?;
    let gpu = CapabilitySet::from_tokens(["gpu"])?;
    let like = |id, kind: &str| {
        let (lane, kind) = (LaneId::new(LANE)?, TaskKind::new(kind)?);
        let full = Submission::new(id, lane, kind, Payload::json("{}"))
            .with_priority(1)
            .with_capabilities(gpu.clone())
            .with_tags(tags.clone())
            .with_policy(policy)
            .with_delay_until(start)
            .with_deadline(deadline);
        CaseResult::Ok(full)
    };
    let key = |key: &str| CaseResult::Ok(Idempotency::new(IdempotencyKey::new(key)?));
    let first = like(fx.ids.execution_id(), "task")?;
    let keyed = like(fx.ids.execution_id(), "task")?.with_idempotency(key("key")?);
    for submission in [&first, &keyed] {
        ensure_eq!(fx.backend.submit(submission).await?, Submitted::New(submission.id()));
    }
    let before = fx.snapshot().await;

    let plain = || first.clone();
    let with_payload = |payload| {
        let mut other = plain();
        other.payload = payload;
        other
    };
    let (mut elsewhere, mut unstarted, mut endless) = (plain(), plain(), plain());
    elsewhere.lane = LaneId::new("other")?;
    unstarted.delay_until = None;
    endless.deadline = None;
    let with_retry = |retry| plain().with_policy(policy.with_retry(retry));
    let exponential = |base_ms, factor, cap_ms| {
        with_retry(retry.with_backoff(Backoff::Exponential { base_ms, factor, cap_ms }))
    };
    let mut clashes = vec![
        ("lane", elsewhere),
        ("kind", like(first.id(), "other")?),
        ("payload", with_payload(Payload::json("{ }"))),
        ("no payload", with_payload(Payload::json(""))),
        ("content type", with_payload(Payload::new("{}"))),
        ("priority", plain().with_priority(-1)),
        ("capabilities", plain().with_capabilities(CapabilitySet::from_tokens(["gpu", "eu"])?)),
        ("no capabilities", plain().with_capabilities(CapabilitySet::new())),
        ("tag key", plain().with_tags(Tags::new().with("crew", "red")?)),
        ("tag value", plain().with_tags(Tags::new().with("team", "blue")?)),
        ("another tag", plain().with_tags(tags.clone().with("run", "7")?)),
        ("no tags", plain().with_tags(Tags::new())),
        ("retries", with_retry(retry.with_max_retries(retry.max_retries + 1))),
        ("back-off", with_retry(retry.with_backoff(Backoff::Fixed { delay_ms: 1_000 }))),
        ("back-off base", exponential(1_001, 2, 60_000)),
        ("back-off factor", exponential(1_000, 3, 60_000)),
        ("back-off cap", exponential(1_000, 2, 60_001)),
        ("jitter", with_retry(retry.with_jitter(Jitter::None))),
        ("reclaims", plain().with_policy(policy.with_max_reclaims(1))),
        ("timeout", plain().with_policy(policy.with_attempt_timeout(ms(5_001)))),
        ("no timeout", plain().with_policy(ExecutionPolicy::default())),
        ("retention", plain().with_policy(policy.with_retention(ms(86_400_001)))),
        ("start", plain().with_delay_until(start.saturating_add(ms(1)))),
        ("no start", unstarted),
        ("deadline", plain().with_deadline(deadline.saturating_add(ms(1)))),
        ("no deadline", endless),
        ("start for deadline", plain().with_delay_until(deadline).with_deadline(start)),
        ("no key", like(keyed.id(), "task")?),
    ];
    let other_key = (0..KEYS_TRIED)
        .map(|index| Ok(keyed.clone().with_idempotency(key(&format!("key-{index}"))?)))
        .find(|other: &CaseResult<Submission>| other.as_ref().is_ok_and(|o| o.id() == keyed.id()))
        .ok_or_else(|| CaseError::new("no other key leaves the id as it is"))?;
    clashes.push(("key", other_key?));
    for (what, idempotency) in [
        ("window", key("key")?.with_window(ms(86_400_001))),
        ("on_terminal: reuse", key("key")?.with_on_terminal(OnTerminal::Reuse)),
        ("on_terminal: reject", key("key")?.with_on_terminal(OnTerminal::Reject)),
    ] {
        clashes.push((what, keyed.clone().with_idempotency(idempotency)));
    }

    for (what, clash) in clashes {
        ensure!([first.id(), keyed.id()].contains(&clash.id()), "{what} changed the id");
        match fx.backend.submit(&clash).await {
            Err(error) if error.code() == "conflict_submission_id" => {}
            other => return Err(CaseError::new(format!("another {what}: answered {other:?}"))),
        }
    }
    for submission in [&first, &keyed] {
        ensure_eq!(fx.backend.submit(submission).await?, Submitted::New(submission.id()));
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// What is left out has its documented value: priority 0, three retries after 1 s doubling to
/// 1 min with full jitter, ten reclaims, no timeout, kept for 24 h, a lease of 30 s, a key
/// remembered for 24 h.
pub(crate) async fn defaults_are_documented(fx: Fixture) -> CaseResult {
    const DAY_MS: u64 = 86_400_000;
    let task = fx.running().await?;
    let view = fx.describe(task.execution_id).await?;
    let retry = view.policy.retry;
    ensure_eq!(view.priority, 0);
    ensure_eq!(retry.max_retries, 3);
    let documented = Backoff::Exponential { base_ms: 1_000, factor: 2, cap_ms: 60_000 };
    ensure_eq!((retry.backoff, retry.jitter), (documented, Jitter::Full));
    ensure_eq!(view.policy.max_reclaims, 10);
    ensure_eq!(view.policy.attempt_timeout, None);
    ensure_eq!(view.policy.retention, ms(DAY_MS));
    ensure_eq!((task.lease_ttl_ms, task.lease_expires_at), (30_000, fx.in_ms(30_000).await));

    let keyed = || {
        let idempotency = Idempotency::new(IdempotencyKey::new("key")?);
        CaseResult::Ok(fx.submission("keyed")?.with_priority(-1).with_idempotency(idempotency))
    };
    let (first, second) = (keyed()?, keyed()?);
    fx.submit(&first).await?;
    fx.backend.complete(&task.handle, None).await?;

    fx.advance(DAY_MS - 1).await;
    fx.settle().await?;
    fx.assert_is(task.execution_id, ExecutionState::Completed).await?;
    ensure_eq!(fx.backend.submit(&keyed()?).await?, Submitted::Existing(first.id()));

    fx.advance(1).await;
    ensure_eq!(fx.backend.submit(&second).await?, Submitted::New(second.id()));
    fx.settle().await?;
    let gone = fx.backend.describe_execution(task.execution_id).await;
    assert_code(gone, "execution_not_found")
}

/// Every field has its bound: the bound itself is accepted, one beyond is refused by name.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let plain = || fx.submission("task");
    let sized = |bytes| {
        let mut submission = plain()?;
        submission.payload = Payload::new(vec![b'x'; bytes]);
        CaseResult::Ok(submission)
    };
    let largest = limits::PAYLOAD_MAX_BYTES;
    fx.submit(&sized(largest)?).await?;
    fx.submit(&plain()?.with_priority(limits::PRIORITY_MIN)).await?;
    fx.submit(&plain()?.with_priority(limits::PRIORITY_MAX)).await?;
    fx.submit(&plain()?.with_delay_until(TimestampMs::MAX)).await?;
    let longest = limits::IDEMPOTENCY_WINDOW_MAX_MS;
    let with_window = |key, window| {
        let idempotency = Idempotency::new(IdempotencyKey::new(key)?).with_window(ms(window));
        CaseResult::Ok(plain()?.with_idempotency(idempotency))
    };
    fx.submit(&with_window("shortest", 1)?).await?;
    fx.submit(&with_window("longest", longest)?).await?;
    let before = fx.snapshot().await;

    let too_large = fx.backend.submit(&sized(largest + 1)?).await;
    assert_too_large(too_large, largest, largest + 1)?;

    let policy = ExecutionPolicy::default();
    let retry = RetryPolicy::default();
    let beyond = TimestampMs(limits::TIMESTAMP_MAX_MS + 1);
    let too_slow = Backoff::Fixed { delay_ms: limits::BACKOFF_CAP_MAX_MS + 1 };
    let refused = [
        (plain()?.with_priority(limits::PRIORITY_MAX + 1), "priority"),
        (plain()?.with_priority(limits::PRIORITY_MIN - 1), "priority"),
        (plain()?.with_delay_until(beyond), "delay_until"),
        (plain()?.with_delay_until(TimestampMs(-1)), "delay_until"),
        (plain()?.with_deadline(beyond), "deadline"),
        (plain()?.with_deadline(TimestampMs(-1)), "deadline"),
        (
            plain()?.with_policy(policy.with_retry(retry.with_max_retries(limits::RETRIES_MAX + 1))),
            "max_retries",
        ),
        (plain()?.with_policy(policy.with_retry(retry.with_backoff(too_slow))), "backoff_delay_ms"),
        (plain()?.with_policy(policy.with_max_reclaims(limits::RECLAIMS_MAX + 1)), "max_reclaims"),
        (plain()?.with_policy(policy.with_attempt_timeout(ms(0))), "attempt_timeout"),
        (
            plain()?.with_policy(policy.with_attempt_timeout(ms(limits::ATTEMPT_TIMEOUT_MAX_MS + 1))),
            "attempt_timeout",
        ),
        (
            plain()?.with_policy(policy.with_retention(ms(limits::RETENTION_MAX_MS + 1))),
            "retention",
        ),
        (with_window("none", 0)?, "idempotency.window"),
        (with_window("endless", longest + 1)?, "idempotency.window"),
    ];
    for (submission, field) in refused {
        assert_invalid(fx.backend.submit(&submission).await, field)?;
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// Each submission of a batch has its own outcome, in order, and a refused one touches no other.
pub(crate) async fn batch_outcomes_are_independent(fx: Fixture) -> CaseResult {
    let known = fx.submission("task")?;
    fx.submit(&known).await?;
    let clash = known.clone().with_priority(7);
    let (first, last) = (fx.submission("task")?, fx.submission("task")?);
    let invalid = fx.submission("task")?.with_priority(limits::PRIORITY_MAX + 1);
    let batch =
        [first.clone(), invalid.clone(), clash, known.clone(), last.clone(), last.clone()];

    let outcomes = fx.backend.submit_batch(&batch).await?;

    let told: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.map_err(|error| error.code().to_owned()))
        .collect();
    let expected = [
        Ok(Submitted::New(first.id())),
        Err("validation".to_owned()),
        Err("conflict_submission_id".to_owned()),
        Ok(Submitted::New(known.id())),
        Ok(Submitted::New(last.id())),
        Ok(Submitted::New(last.id())),
    ];
    ensure_eq!(told, expected);
    assert_code(fx.backend.describe_execution(invalid.id()).await, "execution_not_found")?;
    ensure_eq!(fx.claim_up_to(10).await?.len(), 3, "how many can be claimed");
    Ok(())
}

/// A batch of 1,000 is stored, one more is refused and nothing of it is stored; an empty one is
/// answered with nothing.
pub(crate) async fn batch_is_bounded(fx: Fixture) -> CaseResult {
    let most = limits::SUBMIT_BATCH_MAX;
    let full: Vec<_> = (0..most).map(|_| fx.submission("task")).collect::<CaseResult<_>>()?;
    let outcomes = fx.backend.submit_batch(&full).await?;
    ensure_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), most, "stored");
    let before = fx.snapshot().await;

    let over: Vec<_> = (0..=most).map(|_| fx.submission("task")).collect::<CaseResult<_>>()?;
    assert_too_large(fx.backend.submit_batch(&over).await, most, most + 1)?;

    ensure_eq!(fx.backend.submit_batch(&[]).await?.len(), 0, "outcomes of an empty batch");
    ensure_eq!(fx.snapshot().await == before, true, "the store is as before");
    Ok(())
}
