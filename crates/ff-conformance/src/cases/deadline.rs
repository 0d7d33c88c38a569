//! Deadlines: by when an execution must have ended.

use ff_engine::DelayRequest;
use ff_types::{ExecutionId, ExecutionState, TimestampMs};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, cases, ensure, ensure_eq};
use crate::fixture::LEASE_TTL_MS;
use crate::verbs::HolderCall;

pub(crate) const CASES: &[Case] = &cases!["deadline":
    expires_it,
    fences_the_holder,
    never_starts_late,
];

async fn due(fx: &Fixture, at: TimestampMs) -> CaseResult<ExecutionId> {
    fx.submit(&fx.submission("task")?.with_deadline(at)).await
}

async fn assert_expired(fx: &Fixture, id: ExecutionId) -> CaseResult {
    let view = fx.describe(id).await?;
    ensure_eq!(view.state, ExecutionState::Expired, "the state of {id}");
    ensure_eq!(view.ended_at, Some(fx.now().await));
    ensure!(view.reasons.is_empty() && view.lease.is_none(), "something is left of it");
    ensure!(view.attempt.is_none_or(|attempt| !attempt.open), "its attempt is still open");
    Ok(())
}

/// At the very millisecond of its deadline an execution is `Expired`, from every state: ready,
/// delayed, held, running, paused and promised to a token.
pub(crate) async fn expires_it(fx: Fixture) -> CaseResult {
    let deadline = fx.in_ms(LEASE_TTL_MS + 1_000).await;
    let promised = due(&fx, deadline).await?;
    fx.claim_one().await?;
    let paused = due(&fx, deadline).await?;
    let pausing = fx.claim_one().await?;
    fx.backend.delay(&pausing.handle, &DelayRequest::until(deadline)).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    fx.token().await?;
    let running = due(&fx, deadline).await?;
    fx.claim_one().await?;
    let ready = due(&fx, deadline).await?;
    let later = deadline.saturating_add(crate::fixture::ms(1));
    let delayed = fx.submission("task")?.with_delay_until(later).with_deadline(deadline);
    let delayed = fx.submit(&delayed).await?;
    let held = due(&fx, deadline).await?;
    fx.backend.hold(&fx.hold_request(held)).await?;
    let all = [promised, paused, running, ready, delayed, held];

    fx.advance(999).await;
    fx.settle().await?;
    for id in all {
        let state = fx.describe(id).await?.state;
        ensure!(!state.is_terminal(), "{id} is {state} a millisecond early");
    }

    fx.advance(1).await;
    fx.settle().await?;
    for id in all {
        assert_expired(&fx, id).await?;
    }
    ensure!(fx.claim_if_any().await?.is_none(), "an expired execution was handed out");
    ensure_eq!(fx.tokens(10).await?.len(), 0, "tokens for expired executions");
    Ok(())
}

/// A lease never outlives the deadline: from that millisecond on its holder changes nothing, before
/// maintenance saw it and after.
pub(crate) async fn fences_the_holder(fx: Fixture) -> CaseResult {
    let deadline = fx.in_ms(10_000).await;
    let task = fx.submit_and_claim(&fx.submission("task")?.with_deadline(deadline)).await?;
    ensure_eq!(task.lease_expires_at, deadline);
    ensure_eq!(task.lease_ttl_ms, 10_000);

    fx.advance(10_000).await;
    let before = fx.snapshot().await;
    for call in HolderCall::ALL {
        assert_state(call.make(fx.backend.as_ref(), &task.handle).await, "lease_expired")?;
    }
    ensure_eq!(fx.snapshot().await, before);

    fx.settle().await?;
    assert_expired(&fx, task.execution_id).await?;
    for call in HolderCall::ALL {
        assert_state(call.make(fx.backend.as_ref(), &task.handle).await, "already_terminal")?;
    }
    Ok(())
}

/// An execution whose deadline has passed never starts, although no maintenance has run: a claim
/// and the reclaim scanner expire it and go on to the next, and a token for it is void.
pub(crate) async fn never_starts_late(fx: Fixture) -> CaseResult {
    let deadline = fx.in_ms(LEASE_TTL_MS + 1_000).await;
    let mut lost = Vec::new();
    for _ in 0..2 {
        lost.push(due(&fx, deadline).await?);
        fx.claim_one().await?;
    }
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let token = fx.token().await?;
    let late = due(&fx, deadline).await?;
    fx.advance(1_000).await;
    let gone = due(&fx, fx.now().await).await?;
    let in_time = fx.submit_default().await?;

    ensure_eq!(fx.claim_one().await?.execution_id, in_time);
    ensure_eq!(fx.tokens(10).await?.len(), 0, "tokens for what is too late");
    let answer = fx.backend.claim_from_reclaim(&token, &fx.policy()).await;
    assert_state(answer, "reclaim_token_void")?;

    fx.settle().await?;
    for id in [lost[0], lost[1], late, gone] {
        assert_expired(&fx, id).await?;
    }
    Ok(())
}
