//! Reads in general, and `describe_execution`.

use ff_engine::{ListWaitpoints, ResultRequest};
use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionPolicy, ExecutionState, Payload, Tags};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, ms, retry_after};

pub(crate) const CASES: &[Case] = &cases!["read":
    describe_shows_all,
    unknown_id_is_not_found,
];

/// The submission is shown as given and the run as it stands, and looking changes nothing.
pub(crate) async fn describe_shows_all(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default()
        .with_retry(retry_after(7, 70))
        .with_max_reclaims(5)
        .with_attempt_timeout(ms(600_000))
        .with_retention(ms(1_000));
    let (submitted_at, deadline) = (fx.now().await, fx.in_ms(900_000).await);
    let mut submission = fx
        .submission("resize")?
        .with_priority(12)
        .with_capabilities(CapabilitySet::from_tokens(["gpu", "eu"])?)
        .with_tags(Tags::new().with("team", "red")?)
        .with_policy(policy)
        .with_deadline(deadline);
    submission.payload = Payload::json("[1]");
    fx.submit(&submission).await?;
    fx.advance(5).await;
    let mut claim = fx.claim_request(crate::fixture::LANE)?;
    claim.capabilities = submission.capabilities.clone();
    fx.backend.claim(&claim).await?;
    let before = fx.snapshot().await;

    let view = fx.describe(submission.id()).await?;

    ensure_eq!(fx.snapshot().await, before);
    ensure_eq!(view.execution_id, submission.id());
    ensure_eq!(view.lane, submission.lane);
    ensure_eq!(view.kind, *submission.kind());
    ensure_eq!(view.payload, submission.payload);
    ensure_eq!(view.priority, submission.priority);
    ensure_eq!(view.capabilities, submission.capabilities);
    ensure_eq!(view.tags, submission.tags);
    ensure_eq!(view.policy, policy);
    ensure_eq!(view.deadline, Some(deadline));
    ensure_eq!(view.submitted_at, submitted_at);
    ensure_eq!((view.state, view.epoch.0), (ExecutionState::Active, 1));
    ensure!(!view.token_outstanding, "a token is shown");
    ensure!(view.cancel.is_none() && view.result.is_none(), "{view:?}");
    let attempt = view.attempt.ok_or_else(|| CaseError::new("no attempt is shown"))?;
    ensure_eq!((attempt.index.0, attempt.open), (0, true));
    ensure_eq!(attempt.started_at, fx.now().await);
    let lease = view.lease.ok_or_else(|| CaseError::new("no lease is shown"))?;
    ensure_eq!((lease.worker, lease.instance), fx.worker_ids());
    ensure_eq!(lease.expires_at, fx.in_ms(LEASE_TTL_MS).await);
    Ok(())
}

/// An id that nobody submitted is not found, by every verb that takes one.
pub(crate) async fn unknown_id_is_not_found(fx: Fixture) -> CaseResult {
    let id = fx.ids.execution_id();
    let code = "execution_not_found";
    let backend = &fx.backend;

    assert_code(backend.describe_execution(id).await, code)?;
    assert_code(backend.explain(id).await, code)?;
    assert_code(backend.result(&ResultRequest::new(id)).await, code)?;
    assert_code(backend.result(&ResultRequest::new(id).with_max_wait(ms(10))).await, code)?;
    assert_code(backend.cancel_execution(&fx.cancel_request(id, "")).await, code)?;
    assert_code(backend.hold(&fx.hold_request(id)).await, code)?;
    assert_code(backend.release_hold(&fx.release_hold_request(id)).await, code)?;
    assert_code(backend.revoke(&fx.revoke_request(id)).await, code)?;
    assert_code(backend.replay(&fx.replay_request(id)).await, code)?;
    assert_code(backend.resume_execution(&fx.resume_request(id)).await, code)?;
    let withdraw = fx.withdraw_request(id, fx.ids.waitpoint_id());
    assert_code(backend.withdraw_waitpoint(&withdraw).await, code)?;
    let waitpoints = ListWaitpoints::new().with_execution(id);
    assert_code(backend.list_waitpoints(&waitpoints).await, code)?;

    ensure_eq!(fx.leftovers().await, 0);
    Ok(())
}
