//! `complete`: the handler's result is the end.

use ff_engine::{ExecutionResult, ResultOutcome, ResultRequest};
use ff_types::{ExecutionState, Payload, TerminalOutcome, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_too_large, cases, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &cases!["complete":
    keeps_the_result,
    wins_over_a_pending_cancel,
    limits_are_enforced,
];

async fn result_of(fx: &Fixture, id: ff_types::ExecutionId) -> CaseResult<ExecutionResult> {
    match fx.backend.result(&ResultRequest::new(id)).await? {
        ResultOutcome::Ended(result) => Ok(result),
        other => Err(CaseError::new(format!("not ended: {other:?}"))),
    }
}

/// The result is kept with its content type, byte for byte, and nothing is kept for none.
pub(crate) async fn keeps_the_result(fx: Fixture) -> CaseResult {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let binary = Payload::new(every_byte).with_content_type("image/png")?;
    for result in [Some(binary), Some(Payload::json("{}")), Some(Payload::default()), None] {
        let task = fx.running().await?;
        fx.advance(1_000).await;

        fx.backend.complete(&task.handle, result.as_ref()).await?;

        let view = fx.describe(task.execution_id).await?;
        ensure_eq!(view.state, ExecutionState::Completed);
        ensure_eq!(view.result, result);
        ensure_eq!(view.ended_at, Some(fx.now().await));
        ensure!(view.lease.is_none(), "the lease is still held");
        ensure_eq!(view.attempt.map(|attempt| attempt.open), Some(false));
        let ended = result_of(&fx, task.execution_id).await?;
        ensure_eq!((ended.outcome, ended.payload), (TerminalOutcome::Completed, result));
    }
    Ok(())
}

/// Work that was finished is `Completed` although a cancellation is pending.
pub(crate) async fn wins_over_a_pending_cancel(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "stop")).await?;

    fx.backend.complete(&task.handle, Some(&Payload::new("done"))).await?;

    let ended = result_of(&fx, task.execution_id).await?;
    ensure_eq!(ended.outcome, TerminalOutcome::Completed);
    ensure_eq!(ended.payload, Some(Payload::new("done")));
    ensure_eq!(ended.cancel_reason, None);
    Ok(())
}

/// A result of 1 MiB is kept; one byte more is refused, and the attempt goes on.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let most = limits::RESULT_MAX_BYTES;
    let largest = Payload::new(vec![7; most]);
    let before = fx.snapshot().await;

    let refused = fx.backend.complete(&task.handle, Some(&Payload::new(vec![7; most + 1]))).await;
    assert_too_large(refused, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.complete(&task.handle, Some(&largest)).await?;
    let kept = result_of(&fx, task.execution_id).await?.payload;
    ensure!(kept == Some(largest), "the result is not what was handed in");
    Ok(())
}
