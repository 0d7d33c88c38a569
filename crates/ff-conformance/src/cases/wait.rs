//! Waits that end otherwise than by signals: by time, by what can no longer come, by an operator.

use ff_engine::{
    Distinct, ExplainReason, ResumeExecution, ResumeOutcome, ResumeReason, SignalOutcome,
    SuspendCondition, SuspendRequest, TimeoutBehavior,
};
use ff_types::backend::{FailureClass, PendingWaitpoint};
use ff_types::{ExecutionId, ExecutionState, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_too_large, cases, ensure_eq,
};
use crate::fixture::ms;
use crate::waits::{after, at_least};

pub(crate) const CASES: &[Case] = &cases!["wait":
    timeout_behaves_as_asked,
    impossible_gives_up_at_once,
    deadline_then_timeout_then_expiry,
    hold_takes_effect_after_the_wait,
    operator_resumes,
];

const BEHAVIORS: [(TimeoutBehavior, ExecutionState); 4] = [
    (TimeoutBehavior::Fail, ExecutionState::Failed),
    (TimeoutBehavior::Cancel, ExecutionState::Cancelled),
    (TimeoutBehavior::Expire, ExecutionState::Expired),
    (TimeoutBehavior::Resume, ExecutionState::Ready),
];

/// A new execution that waits for all of two waitpoints, with a timeout in a minute.
async fn with_timeout(
    fx: &Fixture,
    behavior: TimeoutBehavior,
) -> CaseResult<(ExecutionId, Vec<PendingWaitpoint>)> {
    let task = fx.running().await?;
    let request = fx.wait_for(&["a", "b"], SuspendCondition::All)?;
    let request = request.with_timeout(after(60_000, behavior));
    Ok((task.execution_id, fx.suspend(&task.handle, &request).await?))
}

/// The wait is over without success, as its behaviour says and for this reason.
async fn assert_given_up(
    fx: &Fixture,
    id: ExecutionId,
    (behavior, state): (TimeoutBehavior, ExecutionState),
    reason: ResumeReason,
    message: &str,
) -> CaseResult {
    let view = fx.describe(id).await?;
    ensure_eq!(view.state, state, "the state after {behavior:?}");
    ensure_eq!((view.suspension, view.retries), (None, 0));
    match behavior {
        TimeoutBehavior::Fail => {
            let failure = view.last_failure.ok_or_else(|| CaseError::new("no failure"))?;
            ensure_eq!((failure.class, failure.message.as_str()), (FailureClass::Timeout, message));
        }
        TimeoutBehavior::Cancel => {
            ensure_eq!(view.cancel.map(|cancel| cancel.reason).as_deref(), Some(message));
        }
        TimeoutBehavior::Resume => {
            let task = fx.reclaim_one().await?;
            ensure_eq!((task.execution_id, task.attempt.0), (id, 0));
            ensure_eq!(fx.observed(&task).await?, (Some(reason), Vec::new()));
        }
        _ => {}
    }
    Ok(())
}

/// At the very millisecond of its timeout a wait ends as asked: failed with class `Timeout` and no
/// retry, cancelled, expired, or resumed without signals. A signal that arrives then is too late,
/// before maintenance saw it and after.
pub(crate) async fn timeout_behaves_as_asked(fx: Fixture) -> CaseResult {
    for behavior in BEHAVIORS {
        let (id, waitpoints) = with_timeout(&fx, behavior.0).await?;
        ensure_eq!(fx.send(&waitpoints[0]).await?, SignalOutcome::Recorded);
        fx.advance(59_999).await;
        fx.settle().await?;
        fx.assert_is(id, ExecutionState::Suspended).await?;

        fx.advance(1).await;
        ensure_eq!(fx.send(&waitpoints[1]).await?, SignalOutcome::Closed, "before the tick");
        fx.settle().await?;

        ensure_eq!(fx.send(&waitpoints[1]).await?, SignalOutcome::Closed, "after the tick");
        let reason = ResumeReason::TimedOut;
        assert_given_up(&fx, id, behavior, reason, "the wait timed out").await?;
    }
    Ok(())
}

/// As soon as too many waitpoints are withdrawn or expired for the condition ever to hold, the wait
/// ends as its timeout would, which is failing unless the suspend says otherwise; not before.
pub(crate) async fn impossible_gives_up_at_once(fx: Fixture) -> CaseResult {
    const MESSAGE: &str = "the wait can no longer be satisfied";
    for behavior in BEHAVIORS {
        let (id, waitpoints) = with_timeout(&fx, behavior.0).await?;
        let withdraw = fx.withdraw_request(id, waitpoints[1].waitpoint_id);
        fx.backend.withdraw_waitpoint(&withdraw).await?;
        assert_given_up(&fx, id, behavior, ResumeReason::Unsatisfiable, MESSAGE).await?;
    }

    let two = at_least(2, Distinct::Sources);
    let task = fx.running().await?;
    let brief = |key| CaseResult::Ok(fx.fresh(key)?.with_expires_in(ms(5_000)));
    let specs = vec![brief("a")?, fx.fresh("b")?.with_expires_in(ms(9_000))];
    let request = SuspendRequest::new(specs, two);
    let waitpoints = fx.suspend(&task.handle, &request).await?;
    fx.send(&waitpoints[0]).await?;
    fx.advance(5_000).await;
    fx.settle().await?;
    fx.assert_is(task.execution_id, ExecutionState::Suspended).await?;
    let explained = fx.backend.explain(task.execution_id).await?.reason;
    ensure_eq!(explained, ExplainReason::Suspended { waitpoints: 1 });
    fx.advance(4_000).await;
    fx.settle().await?;
    let failed = (TimeoutBehavior::Fail, ExecutionState::Failed);
    let reason = ResumeReason::Unsatisfiable;
    assert_given_up(&fx, task.execution_id, failed, reason, MESSAGE).await
}

/// What falls on one millisecond is decided in this order: the deadline, the timeout, the expiry of
/// a waitpoint.
pub(crate) async fn deadline_then_timeout_then_expiry(fx: Fixture) -> CaseResult {
    let deadline = fx.in_ms(5_000).await;
    let late = fx.submit_and_claim(&fx.submission("task")?.with_deadline(deadline)).await?;
    let timed = fx.running().await?;
    for task in [&late, &timed] {
        let specs = vec![fx.fresh("a")?.with_expires_in(ms(5_000))];
        let request = SuspendRequest::new(specs, SuspendCondition::Any)
            .with_timeout(after(5_000, TimeoutBehavior::Resume));
        fx.suspend(&task.handle, &request).await?;
    }

    fx.advance(5_000).await;
    fx.settle().await?;

    fx.assert_is(late.execution_id, ExecutionState::Expired).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.execution_id, timed.execution_id);
    ensure_eq!(fx.observed(&task).await?.0, Some(ResumeReason::TimedOut));
    Ok(())
}

/// Under a hold the execution goes on waiting and takes signals; when the wait is over, it is
/// blocked until the hold is released.
pub(crate) async fn hold_takes_effect_after_the_wait(fx: Fixture) -> CaseResult {
    let (task, waitpoint) = fx.waiting().await?;
    let id = task.execution_id;

    fx.backend.hold(&fx.hold_request(id)).await?;
    fx.assert_is(id, ExecutionState::Suspended).await?;
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;
    fx.backend.hold(&fx.hold_request(id)).await?;
    let signal = fx.signal(&waitpoint);
    ensure_eq!(fx.backend.deliver_signal(&signal).await?, SignalOutcome::Resumed);

    fx.assert_is(id, ExecutionState::Blocked).await?;
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for a held execution");
    fx.backend.release_hold(&fx.release_hold_request(id)).await?;
    fx.resumed_by(&[signal.signal_id]).await?;
    Ok(())
}

/// An operator ends a wait: the same attempt resumes and is told by whom and why, its waitpoints are
/// closed, and a repeat gives the first outcome. Whoever does not wait is left alone.
pub(crate) async fn operator_resumes(fx: Fixture) -> CaseResult {
    let (task, waitpoint) = fx.waiting().await?;
    let id = task.execution_id;
    let request = ResumeExecution::new(fx.ids.request_id(), id, "approved by phone");

    ensure_eq!(fx.backend.resume_execution(&request).await?, ResumeOutcome::Resumed);
    ensure_eq!(fx.backend.resume_execution(&request).await?, ResumeOutcome::Resumed, "a repeat");
    ensure_eq!(fx.send(&waitpoint).await?, SignalOutcome::Closed);
    let before = fx.snapshot().await;
    let ready = fx.backend.resume_execution(&fx.resume_request(id)).await?;
    ensure_eq!(ready, ResumeOutcome::NotSuspended(ExecutionState::Ready));
    ensure_eq!(fx.snapshot().await, before);

    let resumed = fx.reclaim_one().await?;
    ensure_eq!((resumed.execution_id, resumed.attempt), (id, task.attempt));
    let reason = ResumeReason::Operator { reason: "approved by phone".to_owned() };
    ensure_eq!(fx.observed(&resumed).await?, (Some(reason), Vec::new()));

    let most = limits::REASON_MAX_BYTES;
    let long = ResumeExecution::new(fx.ids.request_id(), id, "x".repeat(most + 1));
    assert_too_large(fx.backend.resume_execution(&long).await, most, most + 1)?;
    let unknown = fx.resume_request(fx.ids.execution_id());
    assert_code(fx.backend.resume_execution(&unknown).await, "execution_not_found")
}
