//! `result`: how an execution ended.

use ff_engine::{ExecutionResult, FailRequest, ResultOutcome, ResultRequest};
use ff_types::backend::{FailureClass, FailureReason};
use ff_types::{ExecutionId, ExecutionPolicy, ExecutionState, Payload, TerminalOutcome, limits};
use tokio::task::JoinHandle;

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, cases, ensure, ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms};

pub(crate) const CASES: &[Case] = &cases!["result":
    tells_how_it_ended,
    waits_for_the_end,
    a_wait_tells_only_the_end,
    limits_are_enforced,
];

async fn ended(fx: &Fixture, id: ExecutionId) -> CaseResult<ExecutionResult> {
    match fx.backend.result(&ResultRequest::new(id)).await? {
        ResultOutcome::Ended(result) => Ok(result),
        other => Err(CaseError::new(format!("not ended: {other:?}"))),
    }
}

/// While it lives the state is told; after the end, how and when it ended, with exactly what
/// belongs to that end.
pub(crate) async fn tells_how_it_ended(fx: Fixture) -> CaseResult {
    let completed = fx.running().await?;
    let pending = fx.backend.result(&ResultRequest::new(completed.execution_id)).await?;
    ensure_eq!(pending, ResultOutcome::Pending(ExecutionState::Active));
    let failed = fx.running().await?;
    let cancelled = fx.running().await?;
    fx.advance(10).await;
    let end = fx.now().await;
    fx.backend.complete(&completed.handle, Some(&Payload::json("7"))).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.cancel(&cancelled.handle, "enough").await?;
    let expired = fx.submit(&fx.submission("task")?.with_deadline(end)).await?;
    fx.settle().await?;
    fx.advance(10).await;

    let result = ended(&fx, completed.execution_id).await?;
    ensure_eq!((result.outcome, result.ended_at), (TerminalOutcome::Completed, end));
    ensure_eq!(result.payload, Some(Payload::json("7")));
    ensure!(result.failure.is_none() && result.cancel_reason.is_none(), "{result:?}");

    let result = ended(&fx, failed.execution_id).await?;
    ensure_eq!((result.outcome, result.ended_at), (TerminalOutcome::Failed, end));
    ensure_eq!(result.failure.map(|failure| failure.class), Some(FailureClass::Permanent));
    ensure!(result.payload.is_none() && result.cancel_reason.is_none(), "more than a failure");

    let result = ended(&fx, cancelled.execution_id).await?;
    ensure_eq!((result.outcome, result.ended_at), (TerminalOutcome::Cancelled, end));
    ensure_eq!(result.cancel_reason.as_deref(), Some("enough"));
    ensure!(result.payload.is_none() && result.failure.is_none(), "more than a reason");

    let result = ended(&fx, expired).await?;
    ensure_eq!((result.outcome, result.ended_at), (TerminalOutcome::Expired, end));
    ensure!(result.payload.is_none() && result.failure.is_none(), "more than an end");
    Ok(())
}

/// A waiting read returns when the execution ends, however it ends and although the record may be
/// gone by the time the reader runs, and at the latest when its wait is over.
pub(crate) async fn waits_for_the_end(fx: Fixture) -> CaseResult {
    let wait = |id, max_wait_ms| -> JoinHandle<_> {
        let backend = fx.backend.clone();
        let request = ResultRequest::new(id).with_max_wait(ms(max_wait_ms));
        tokio::spawn(async move { backend.result(&request).await })
    };
    let longest = limits::MAX_WAIT_MAX_MS;
    let (completed, failed) = (fx.running().await?, fx.running().await?);
    let cancelled = fx.submit_default().await?;
    let fragile = ExecutionPolicy::default().with_max_reclaims(0);
    let lost = fx.submission("task")?.with_policy(fragile).with_priority(1);
    let lost = fx.submit_and_claim(&lost).await?.execution_id;
    let deadline = fx.in_ms(LEASE_TTL_MS).await;
    let expired = fx.submit(&fx.submission("task")?.with_deadline(deadline)).await?;
    let (done, broken) = (completed.execution_id, failed.execution_id);
    let waits: Vec<_> = [done, done, broken, cancelled, lost, expired]
        .into_iter()
        .map(|id| wait(id, longest))
        .collect();
    fx.let_others_run().await;

    fx.backend.complete(&completed.handle, None).await?;
    fx.backend.fail(&failed.handle, &failure(FailureClass::Permanent)).await?;
    fx.backend.cancel_execution(&fx.cancel_request(cancelled, "because")).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;

    let mut outcomes = Vec::new();
    let waited_for = [done, done, broken, cancelled, lost, expired];
    for (waiting, id) in waits.into_iter().zip(waited_for) {
        match fx.promptly(waiting).await??? {
            ResultOutcome::Ended(result) => {
                ensure_eq!(result, ended(&fx, id).await?, "what a wait tells of {id}");
                outcomes.push(result.outcome);
            }
            other => return Err(CaseError::new(format!("not ended: {other:?}"))),
        }
    }
    let expected = ["completed", "completed", "failed", "cancelled", "failed", "expired"];
    ensure_eq!(outcomes.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>(), expected);

    let fleeting = ExecutionPolicy::default().with_retention(ms(0));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(fleeting)).await?;
    let request = ResultRequest::new(task.execution_id).with_max_wait(ms(longest));
    let mut waiting = fx.faultless.result(&request);
    tokio::select! {
        biased;
        early = &mut waiting => return Err(CaseError::new(format!("did not wait: {early:?}"))),
        () = fx.let_others_run() => {}
    }
    fx.backend.complete(&task.handle, Some(&Payload::json("7"))).await?;
    fx.settle().await?;
    let gone = fx.backend.describe_execution(task.execution_id).await;
    assert_code(gone, "execution_not_found")?;
    match fx.promptly(waiting).await?? {
        ResultOutcome::Ended(result) => ensure_eq!(result.payload, Some(Payload::json("7"))),
        other => return Err(CaseError::new(format!("not ended: {other:?}"))),
    }

    let endless = fx.running().await?.execution_id;
    let waiting = wait(endless, 50);
    let outcome = fx.as_time_passes(50, waiting).await??;
    ensure_eq!(outcome, ResultOutcome::Pending(ExecutionState::Active));
    Ok(())
}

/// What a wait tells is the end alone: nothing of a failure before it, which the waiting reader may
/// have seen.
pub(crate) async fn a_wait_tells_only_the_end(fx: Fixture) -> CaseResult {
    let first = fx.running().await?;
    let id = first.execution_id;
    let detailed = FailureReason::new("once").with_detail("its detail");
    fx.backend.fail(&first.handle, &FailRequest::new(FailureClass::Transient, detailed)).await?;
    let request = ResultRequest::new(id).with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
    let backend = fx.backend.clone();
    let waiting = tokio::spawn(async move { backend.result(&request).await });
    fx.let_others_run().await;
    fx.advance(limits::BACKOFF_BASE_DEFAULT_MS).await;
    fx.settle().await?;

    let second = fx.claim_one().await?;
    let plain = FailureReason::new("for good");
    fx.backend.fail(&second.handle, &FailRequest::new(FailureClass::Permanent, plain)).await?;

    match fx.promptly(waiting).await??? {
        ResultOutcome::Ended(result) => ensure_eq!(result, ended(&fx, id).await?),
        other => return Err(CaseError::new(format!("not ended: {other:?}"))),
    }
    ensure!(ended(&fx, id).await?.failure.is_some_and(|it| it.detail.is_none()), "a detail");
    Ok(())
}

/// A wait is at most 60 s; the bound is taken, one millisecond more is refused.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let id = fx.completed().await?.execution_id;
    let longest = limits::MAX_WAIT_MAX_MS;

    let over = ResultRequest::new(id).with_max_wait(ms(longest + 1));
    assert_invalid(fx.backend.result(&over).await, "max_wait")?;

    fx.backend.result(&ResultRequest::new(id).with_max_wait(ms(longest))).await?;
    Ok(())
}
