//! `fail`: class and policy decide between another attempt and the end.

use ff_engine::machine::{backoff_ms, jitter_for};
use ff_engine::{FailRequest, Submission, Task};
use ff_types::backend::{FailOutcome, FailureClass, FailureReason};
use ff_types::{
    AttemptIndex, Backoff, ExecutionPolicy, ExecutionState, Jitter, RetryPolicy, limits,
};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::{failure, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["fail":
    retries_with_backoff,
    retry_after_replaces_backoff,
    retries_run_out,
    permanent_ends_it,
    cancelled_class_cancels,
    infra_crash_counts_as_reclaim,
    limits_are_enforced,
];

fn retrying(fx: &Fixture, retry: RetryPolicy) -> CaseResult<Submission> {
    Ok(fx.submission("task")?.with_policy(ExecutionPolicy::default().with_retry(retry)))
}

/// Fails the attempt and lets its back-off of exactly `wait_ms` pass, then claims the next.
async fn fail_and_wait(
    fx: &Fixture,
    task: &Task,
    request: &FailRequest,
    wait_ms: u64,
) -> CaseResult<Task> {
    let delay_until = fx.in_ms(wait_ms).await;
    let outcome = fx.backend.fail(&task.handle, request).await?;
    ensure_eq!(outcome, FailOutcome::RetryScheduled { delay_until });
    if wait_ms > 0 {
        fx.assert_is(task.execution_id, ExecutionState::Delayed).await?;
        fx.advance(wait_ms - 1).await;
        fx.settle().await?;
        ensure!(fx.claim_if_any().await?.is_none(), "retried a millisecond early");
        fx.advance(1).await;
    }
    fx.settle().await?;
    fx.claim_one().await
}

/// `Transient` and `Timeout` are retried after exactly the policy's back-off: doubling to its cap
/// without jitter, and with full jitter the share of it that id and attempt fix.
pub(crate) async fn retries_with_backoff(fx: Fixture) -> CaseResult {
    let backoff = Backoff::Exponential { base_ms: 1_000, factor: 3, cap_ms: 10_000 };
    let plain = RetryPolicy::default().with_max_retries(5).with_backoff(backoff);
    let exact = plain.with_jitter(Jitter::None);
    let classes = [FailureClass::Transient, FailureClass::Timeout];

    let mut task = fx.submit_and_claim(&retrying(&fx, exact)?).await?;
    for (wait_ms, class) in [1_000, 3_000, 9_000, 10_000].into_iter().zip(classes.repeat(2)) {
        task = fail_and_wait(&fx, &task, &failure(class), wait_ms).await?;
    }
    ensure_eq!((task.retries, task.reclaims), (4, 0));
    ensure_eq!(task.attempt, AttemptIndex(4));
    fx.backend.complete(&task.handle, None).await?;

    let jittered = plain.with_jitter(Jitter::Full);
    let mut task = fx.submit_and_claim(&retrying(&fx, jittered)?).await?;
    for retry in 0..4 {
        let jitter = jitter_for(task.execution_id, task.attempt);
        let wait_ms = backoff_ms(&jittered, retry, jitter);
        let request = failure(FailureClass::Transient);
        task = fail_and_wait(&fx, &task, &request, wait_ms).await?;
    }
    Ok(())
}

/// `retry_after` is the wait, whatever the policy says; zero means at once.
pub(crate) async fn retry_after_replaces_backoff(fx: Fixture) -> CaseResult {
    let mut task = fx.submit_and_claim(&retrying(&fx, retry_after(9, 50_000))?).await?;

    for wait_ms in [7, 0, 100_000] {
        let request = failure(FailureClass::Transient).with_retry_after(ms(wait_ms));
        task = fail_and_wait(&fx, &task, &request, wait_ms).await?;
    }

    ensure_eq!(task.retries, 3);
    Ok(())
}

/// After the last retry a failure is the end, with the last failure as its reason.
pub(crate) async fn retries_run_out(fx: Fixture) -> CaseResult {
    let mut task = fx.submit_and_claim(&retrying(&fx, retry_after(2, 0))?).await?;
    for class in [FailureClass::Transient, FailureClass::Timeout] {
        task = fail_and_wait(&fx, &task, &failure(class), 0).await?;
    }

    let last = FailRequest::new(FailureClass::Transient, FailureReason::new("the last one"));
    let outcome = fx.backend.fail(&task.handle, &last).await?;

    ensure_eq!(outcome, FailOutcome::TerminalFailed);
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Failed);
    ensure_eq!((view.retries, view.ended_at), (2, Some(fx.now().await)));
    ensure_eq!(view.last_failure.map(|failure| failure.message).as_deref(), Some("the last one"));
    ensure!(fx.claim_if_any().await?.is_none(), "retried once too often");
    Ok(())
}

/// `Permanent` is `Failed` at once, although retries are left, with message and detail kept.
pub(crate) async fn permanent_ends_it(fx: Fixture) -> CaseResult {
    let task = fx.submit_and_claim(&retrying(&fx, retry_after(9, 0))?).await?;
    let reason = FailureReason::new("no such file").with_detail(vec![0, 0xff, 7]);

    let request = FailRequest::new(FailureClass::Permanent, reason);
    let outcome = fx.backend.fail(&task.handle, &request).await?;

    ensure_eq!(outcome, FailOutcome::TerminalFailed);
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!((view.state, view.retries), (ExecutionState::Failed, 0));
    let failure = view.last_failure.ok_or_else(|| CaseError::new("no failure is kept"))?;
    ensure_eq!((failure.class, failure.attempt), (FailureClass::Permanent, task.attempt));
    ensure_eq!(failure.message, "no such file");
    ensure_eq!(failure.detail.map(|detail| detail.0.to_vec()), Some(vec![0, 0xff, 7]));
    ensure_eq!(failure.at, fx.now().await);
    Ok(())
}

/// `Cancelled` ends the execution as `Cancelled`, with the message as the reason.
pub(crate) async fn cancelled_class_cancels(fx: Fixture) -> CaseResult {
    let task = fx.submit_and_claim(&retrying(&fx, retry_after(9, 0))?).await?;
    let reason = FailureReason::new("the user left");

    let request = FailRequest::new(FailureClass::Cancelled, reason);
    let outcome = fx.backend.fail(&task.handle, &request).await?;

    ensure_eq!(outcome, FailOutcome::TerminalFailed);
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Cancelled);
    ensure_eq!(view.cancel.map(|cancel| cancel.reason).as_deref(), Some("the user left"));
    Ok(())
}

/// `InfraCrash` starts another attempt like a retry but uses a reclaim, and ends the execution as
/// `Failed` when the reclaims are used up.
pub(crate) async fn infra_crash_counts_as_reclaim(fx: Fixture) -> CaseResult {
    let policy =
        ExecutionPolicy::default().with_max_reclaims(2).with_retry(retry_after(0, 5_000));
    let mut task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let crash = failure(FailureClass::InfraCrash);

    for reclaims in 1..=2 {
        task = fail_and_wait(&fx, &task, &crash, 5_000).await?;
        ensure_eq!((task.retries, task.reclaims), (0, reclaims));
    }
    let outcome = fx.backend.fail(&task.handle, &crash).await?;

    ensure_eq!(outcome, FailOutcome::TerminalFailed);
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!((view.state, view.reclaims), (ExecutionState::Failed, 2));
    ensure_eq!(view.last_failure.map(|failure| failure.class), Some(FailureClass::InfraCrash));
    Ok(())
}

/// Message, detail and `retry_after` have bounds: one beyond is refused and the attempt goes on,
/// the bounds are accepted.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let class = FailureClass::Transient;
    let (message, detail) = (limits::FAILURE_MESSAGE_MAX_BYTES, limits::FAILURE_DETAIL_MAX_BYTES);
    let with = |message_len: usize, detail_len: usize| {
        let reason = FailureReason::new("x".repeat(message_len)).with_detail(vec![0; detail_len]);
        FailRequest::new(class, reason)
    };
    let longest = limits::BACKOFF_CAP_MAX_MS;
    let before = fx.snapshot().await;

    let refused = fx.backend.fail(&task.handle, &with(message + 1, 0)).await;
    assert_too_large(refused, message, message + 1)?;
    let refused = fx.backend.fail(&task.handle, &with(1, detail + 1)).await;
    assert_too_large(refused, detail, detail + 1)?;
    let too_late = failure(class).with_retry_after(ms(longest + 1));
    assert_invalid(fx.backend.fail(&task.handle, &too_late).await, "retry_after")?;
    ensure_eq!(fx.snapshot().await, before);

    let largest = with(message, detail).with_retry_after(ms(longest));
    let outcome = fx.backend.fail(&task.handle, &largest).await?;
    ensure_eq!(outcome, FailOutcome::RetryScheduled { delay_until: fx.in_ms(longest).await });
    Ok(())
}
