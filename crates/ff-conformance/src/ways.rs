//! The ways in which an execution becomes ready.

use ff_engine::{DelayRequest, Submission, SuspendCondition, TimeoutBehavior};
use ff_types::backend::{FailureClass, Handle};
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::expect::{CaseError, CaseResult};
use crate::fixture::{LEASE_TTL_MS, failure, ms, retry_after};
use crate::waits::after;

/// How an execution becomes ready while a claim waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
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
    pub(crate) const ALL: [Self; 13] = [
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
    pub(crate) const WHILE_MS: u64 = limits::RECLAIM_GRANT_TTL_MS;

    /// What becomes ready, and who runs it before, if anybody.
    pub(crate) async fn prepare(self, fx: &Fixture) -> CaseResult<(Submission, Option<Handle>)> {
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
    pub(crate) async fn happen(
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
