//! `suspend`: the attempt waits for signals and holds nothing.

use ff_engine::{
    DeliverSignal, Distinct, ExplainReason, Group, ResumeReason,
    SignalOutcome, SuspendCondition, SuspendOutcome, SuspendRequest, TimeoutBehavior,
};
use ff_types::backend::{HandleKind, WaitpointKind, WaitpointSpec};
use ff_types::{ExecutionState, WaitpointKey, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_state, assert_too_large, cases,
    ensure, ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, ms};
use crate::waits::{after, at_least};

pub(crate) const CASES: &[Case] = &cases!["suspend":
    holds_nothing,
    answers_with_tokens,
    repeat_gives_the_same_tokens,
    conditions_count,
    groups_share_waitpoints,
    sources_are_proven,
    already_satisfied_keeps_the_lease,
    drops_what_does_not_match,
    fresh_key_finds_the_open_one,
    leaves_other_waitpoints_pending,
    refused_under_a_pending_cancel,
    pending_needs_its_token,
    limits_are_enforced,
];

/// A suspended execution has no lease that could be lost and uses no retry, however long it waits,
/// and is shown with what it waits for.
pub(crate) async fn holds_nothing(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let request = fx.wait_for(&["legal", "tech"], at_least(2, Distinct::Sources))?;
    let request = request.with_timeout(after(10 * LEASE_TTL_MS, TimeoutBehavior::Cancel));
    let timeout_at = fx.in_ms(10 * LEASE_TTL_MS).await;
    let since = fx.now().await;

    let waitpoints = fx.suspend(&task.handle, &request).await?;

    let view = fx.describe(task.execution_id).await?;
    ensure_eq!((view.state, view.lease), (ExecutionState::Suspended, None));
    ensure!(view.attempt.is_some_and(|attempt| attempt.open), "the attempt is over");
    let shown = view.suspension.ok_or_else(|| CaseError::new("no suspension is shown"))?;
    let ids: Vec<_> = waitpoints.iter().map(|waitpoint| waitpoint.waitpoint_id).collect();
    ensure_eq!((shown.since, shown.timeout_at), (since, Some(timeout_at)));
    ensure_eq!((&shown.waitpoints, shown.behavior), (&ids, TimeoutBehavior::Cancel));
    let [group] = shown.groups.as_slice() else {
        return Err(CaseError::new(format!("groups: {:?}", shown.groups)));
    };
    ensure_eq!((&group.waitpoints, group.n, group.distinct), (&ids, 2, Distinct::Sources));
    let explained = fx.backend.explain(task.execution_id).await?;
    ensure_eq!(explained.reason, ExplainReason::Suspended { waitpoints: 2 });
    ensure_eq!(explained.clears_at, Some(timeout_at));

    fx.advance(10 * LEASE_TTL_MS - 1).await;
    fx.settle().await?;
    let view = fx.describe(task.execution_id).await?;
    ensure_eq!(view.state, ExecutionState::Suspended);
    ensure_eq!((view.retries, view.reclaims), (0, 0));
    ensure!(fx.claim_if_any().await?.is_none(), "a suspended execution was handed out");
    ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for a suspended execution");
    Ok(())
}

/// The answer has the waitpoints in the order of the request, each with a token that is good, and a
/// handle that names the attempt and holds no lease.
pub(crate) async fn answers_with_tokens(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "b").await?;
    let spec = WaitpointSpec::pending(&pending, WaitpointKind::External, "");
    let specs = vec![fx.fresh("c")?.with_expires_in(ms(5_000)), spec, fx.fresh("a")?];
    let request = SuspendRequest::new(specs, SuspendCondition::All);

    let outcome = fx.backend.suspend(&task.handle, &request).await?;

    let SuspendOutcome::Suspended { handle, waitpoints } = outcome else {
        return Err(CaseError::new(format!("not suspended: {outcome:?}")));
    };
    ensure_eq!((handle.kind, handle.backend), (HandleKind::Suspended, task.handle.backend));
    assert_state(fx.backend.renew(&handle).await, "handle_kind")?;
    let keys: Vec<_> = waitpoints.iter().map(|waitpoint| waitpoint.key.as_str()).collect();
    ensure_eq!(keys, ["c", "b", "a"]);
    ensure_eq!(waitpoints[1], pending);
    ensure_eq!(waitpoints[0].expires_at, fx.in_ms(5_000).await);
    let default = fx.in_ms(limits::WAITPOINT_EXPIRES_DEFAULT_MS).await;
    ensure_eq!(waitpoints[2].expires_at, default);
    for (waitpoint, spec) in waitpoints.iter().zip(&request.waitpoints) {
        ensure_eq!(waitpoint.waitpoint_id, spec.waitpoint_id);
        ensure_eq!(waitpoint.execution_id, task.execution_id);
    }
    ensure_eq!(fx.send(&waitpoints[0]).await?, SignalOutcome::Recorded);
    ensure_eq!(fx.send(&waitpoints[1]).await?, SignalOutcome::Recorded);
    ensure_eq!(fx.send(&waitpoints[2]).await?, SignalOutcome::Resumed);
    Ok(())
}

/// A repeat of a suspend gives the same waitpoints and tokens and changes nothing, also when the
/// wait is over by then.
pub(crate) async fn repeat_gives_the_same_tokens(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "b").await?;
    let spec = WaitpointSpec::pending(&pending, WaitpointKind::External, "");
    let specs = vec![fx.fresh("c")?, spec, fx.fresh("a")?];
    let request = SuspendRequest::new(specs, SuspendCondition::Any);
    let first = fx.backend.suspend(&task.handle, &request).await?;
    let repeated = async |when: &str| {
        let before = fx.snapshot().await;
        let again = fx.backend.suspend(&task.handle, &request).await?;
        ensure_eq!(again, first, "the answer {when}");
        ensure_eq!(fx.snapshot().await, before, "the store {when}");
        CaseResult::Ok(())
    };

    repeated("while it waits").await?;
    fx.send(&pending).await?;
    repeated("when the wait is over").await?;
    let resumed = fx.reclaim_one().await?;
    repeated("while it runs").await?;
    fx.backend.complete(&resumed.handle, None).await?;
    repeated("after its end").await
}

/// What becomes of signals that arrive one after the other at these waitpoints, by these principals.
async fn outcomes(
    fx: &Fixture,
    condition: SuspendCondition,
    arriving: &[(usize, &str)],
) -> CaseResult<Vec<SignalOutcome>> {
    let (_, waitpoints) = fx.suspended(&["a", "b", "c"], condition).await?;
    let mut outcomes = Vec::new();
    for (at, principal) in arriving {
        outcomes.push(fx.send_as(&waitpoints[*at], principal).await?);
    }
    Ok(outcomes)
}

/// Each condition is satisfied by exactly the signal that completes it: any, all, or at least n
/// distinct waitpoints, signals or sources.
pub(crate) async fn conditions_count(fx: Fixture) -> CaseResult {
    use SignalOutcome::{Recorded, Resumed};
    let alone = [(1, "ann")];
    let thrice = [(0, "ann"), (0, "ann"), (0, "ann")];
    let spread = [(0, "ann"), (0, "bob"), (1, "ann"), (2, "ann")];

    ensure_eq!(outcomes(&fx, SuspendCondition::Any, &alone).await?, [Resumed]);
    let all = outcomes(&fx, SuspendCondition::All, &spread).await?;
    ensure_eq!(all, [Recorded, Recorded, Recorded, Resumed]);
    let two = outcomes(&fx, at_least(2, Distinct::Waitpoints), &spread[..3]).await?;
    ensure_eq!(two, [Recorded, Recorded, Resumed]);
    let signals = outcomes(&fx, at_least(3, Distinct::Signals), &thrice).await?;
    ensure_eq!(signals, [Recorded, Recorded, Resumed]);
    let sources = outcomes(&fx, at_least(2, Distinct::Sources), &thrice).await?;
    ensure_eq!(sources, [Recorded, Recorded, Recorded]);
    let sources = outcomes(&fx, at_least(2, Distinct::Sources), &spread[..2]).await?;
    ensure_eq!(sources, [Recorded, Resumed]);
    Ok(())
}

/// With several groups every one has to hold; a signal of a waitpoint that two share counts in both,
/// and is observed once.
pub(crate) async fn groups_share_waitpoints(fx: Fixture) -> CaseResult {
    let key = |name: &str| WaitpointKey::new(name);
    let groups = vec![
        Group::new(vec![key("legal")?, key("boss")?], 1, Distinct::Waitpoints),
        Group::new(vec![key("tech")?, key("boss")?], 2, Distinct::Sources),
    ];
    let keys = ["legal", "tech", "boss"];
    let (_, waitpoints) = fx.suspended(&keys, SuspendCondition::AllOf(groups)).await?;
    let tech = fx.signal(&waitpoints[1]).with_principal("ann");
    let twice = fx.signal(&waitpoints[1]).with_principal("ann");
    let boss = fx.signal(&waitpoints[2]).with_principal("bob");

    for signal in [&tech, &twice] {
        ensure_eq!(fx.backend.deliver_signal(signal).await?, SignalOutcome::Recorded);
    }
    ensure_eq!(fx.backend.deliver_signal(&boss).await?, SignalOutcome::Resumed);

    fx.resumed_by(&[tech.signal_id, boss.signal_id]).await?;
    Ok(())
}

/// A source is the principal that was authenticated, or else the token: whatever else the sender
/// writes, the bearer of one token is one source.
pub(crate) async fn sources_are_proven(fx: Fixture) -> CaseResult {
    let two = at_least(2, Distinct::Sources);
    let (_, waitpoints) = fx.suspended(&["a", "b"], two.clone()).await?;
    let written = |who: &str| -> DeliverSignal {
        fx.signal(&waitpoints[0]).with_category(who).with_correlation_id(who)
    };
    for who in ["ann", "bob", "cy"] {
        let outcome = fx.backend.deliver_signal(&written(who)).await?;
        ensure_eq!(outcome, SignalOutcome::Recorded, "one token, as {who}");
    }
    ensure_eq!(fx.send(&waitpoints[1]).await?, SignalOutcome::Resumed, "another token");
    fx.reclaim_one().await?;

    let (_, waitpoints) = fx.suspended(&["a", "b"], two).await?;
    ensure_eq!(fx.send_as(&waitpoints[0], "ann").await?, SignalOutcome::Recorded);
    let same = fx.send_as(&waitpoints[1], "ann").await?;
    ensure_eq!(same, SignalOutcome::Recorded, "one principal, two tokens");
    ensure_eq!(fx.send_as(&waitpoints[0], "bob").await?, SignalOutcome::Resumed);
    Ok(())
}

/// When what was kept satisfies the condition, the worker keeps its lease and sees the signals on
/// the same handle; the waitpoints are closed. A repeat gives the same answer, and the next suspend
/// under the same lease is another one.
pub(crate) async fn already_satisfied_keeps_the_lease(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let signal = fx.signal(&pending);
    fx.backend.deliver_signal(&signal).await?;
    let spec = WaitpointSpec::pending(&pending, WaitpointKind::External, "");
    let specs = vec![spec, fx.fresh("other")?];
    let request = SuspendRequest::new(specs, SuspendCondition::Any);

    let outcome = fx.backend.suspend(&task.handle, &request).await?;
    let before = fx.snapshot().await;
    ensure_eq!(outcome, SuspendOutcome::AlreadySatisfied);
    ensure_eq!(fx.backend.suspend(&task.handle, &request).await?, outcome, "a repeat");
    ensure_eq!(fx.snapshot().await, before);

    let observed = fx.observed(&task).await?;
    ensure_eq!(observed, (Some(ResumeReason::Signals), vec![signal.signal_id]));
    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Closed);
    fx.backend.renew(&task.handle).await?;

    let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let next = fx.suspend(&task.handle, &request).await?;
    ensure_eq!(fx.suspend(&task.handle, &request).await?, next, "a repeat of the next");
    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Closed);
    ensure_eq!(fx.send(&next[0]).await?, SignalOutcome::Resumed);
    Ok(())
}

/// Of what a pending waitpoint has kept only that counts which the matcher of the suspend accepts.
pub(crate) async fn drops_what_does_not_match(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let rejected = DeliverSignal::new(pending.token(), fx.ids.signal_id(), "rejected");
    ensure_eq!(fx.backend.deliver_signal(&rejected).await?, SignalOutcome::Buffered);
    let spec = WaitpointSpec::pending(&pending, WaitpointKind::SignalName, "approved");
    let request = SuspendRequest::new(vec![spec], SuspendCondition::Any);

    fx.suspend(&task.handle, &request).await?;

    let again = fx.backend.deliver_signal(&rejected).await?;
    ensure_eq!(again, SignalOutcome::Buffered, "a repeat of the early one");
    let approved = fx.signal(&pending);
    ensure_eq!(fx.backend.deliver_signal(&approved).await?, SignalOutcome::Resumed);
    fx.resumed_by(&[approved.signal_id]).await?;
    Ok(())
}

/// A fresh waitpoint of a key that is open is that one, with its token and what it has kept: so an
/// attempt after a crash waits for the link that was handed out.
pub(crate) async fn fresh_key_finds_the_open_one(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let signal = fx.signal(&pending);
    fx.backend.deliver_signal(&signal).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;

    let request = fx.wait_for(&["approval", "other"], SuspendCondition::All)?;
    let waitpoints = fx.suspend(&task.handle, &request).await?;

    ensure_eq!(waitpoints[0], pending);
    let other = fx.signal(&waitpoints[1]);
    ensure_eq!(fx.backend.deliver_signal(&other).await?, SignalOutcome::Resumed);
    fx.resumed_by(&[signal.signal_id, other.signal_id]).await?;
    Ok(())
}

/// A pending waitpoint that the suspend does not name stays pending, keeps signals, also when the
/// wait has just timed out, does not end it, and can be waited for later.
pub(crate) async fn leaves_other_waitpoints_pending(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let later = fx.pending(&task, "later").await?;
    let request = fx.wait_for(&["now"], SuspendCondition::Any)?;
    let now = fx.suspend(&task.handle, &request).await?;
    let early = fx.signal(&later);

    ensure_eq!(fx.backend.deliver_signal(&early).await?, SignalOutcome::Buffered);
    fx.assert_is(task.execution_id, ExecutionState::Suspended).await?;
    ensure_eq!(fx.send(&now[0]).await?, SignalOutcome::Resumed);
    let task = fx.reclaim_one().await?;
    let request = fx.wait_for(&["brief"], SuspendCondition::Any)?;
    let request = request.with_timeout(after(1_000, TimeoutBehavior::Resume));
    fx.suspend(&task.handle, &request).await?;
    fx.advance(1_000).await;
    let late = fx.backend.deliver_signal(&fx.signal(&later)).await?;
    ensure_eq!(late, SignalOutcome::Buffered, "at the timeout of another wait");
    fx.settle().await?;

    let task = fx.reclaim_one().await?;
    let spec = WaitpointSpec::pending(&later, WaitpointKind::External, "");
    let request = SuspendRequest::new(vec![spec], SuspendCondition::Any);
    let outcome = fx.backend.suspend(&task.handle, &request).await?;
    ensure_eq!(outcome, SuspendOutcome::AlreadySatisfied);
    ensure_eq!(fx.observed(&task).await?.1, [early.signal_id]);
    Ok(())
}

/// Under a pending cancellation there is no wait: it is refused, and the holder can cancel.
pub(crate) async fn refused_under_a_pending_cancel(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    fx.backend.cancel_execution(&fx.cancel_request(task.execution_id, "stop")).await?;
    let before = fx.snapshot().await;

    let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let answer = fx.backend.suspend(&task.handle, &request).await;

    assert_state(answer, "cancel_requested")?;
    ensure_eq!(fx.snapshot().await, before);
    fx.backend.cancel(&task.handle, "as told").await?;
    Ok(())
}

/// A pending waitpoint has to bring its own good token and to be open, or the suspend is refused
/// and changes nothing.
pub(crate) async fn pending_needs_its_token(fx: Fixture) -> CaseResult {
    let other = fx.running().await?;
    let foreign = fx.pending(&other, "approval").await?;
    let task = fx.running().await?;
    let own = fx.pending(&task, "approval").await?;
    let closed = fx.pending(&task, "closed").await?;
    fx.backend.close_waitpoint(&task.handle, closed.waitpoint_id).await?;
    let spec = |pending| WaitpointSpec::pending(pending, WaitpointKind::External, "");
    let mut longer = spec(&own);
    longer.expires_at = Some(fx.in_ms(limits::WAITPOINT_EXPIRES_MAX_MS).await);
    let mut renamed = spec(&own);
    renamed.key = WaitpointKey::new("other")?;
    let mut swapped = spec(&own);
    swapped.hmac_token = Some(closed.hmac_token.clone());
    let before = fx.snapshot().await;

    for bad in [spec(&foreign), spec(&closed), longer, renamed, swapped] {
        let request = SuspendRequest::new(vec![bad], SuspendCondition::Any);
        let answer = fx.backend.suspend(&task.handle, &request).await;
        assert_code(answer, "waitpoint_not_found")?;
    }
    ensure_eq!(fx.snapshot().await, before);

    let request = SuspendRequest::new(vec![spec(&own)], SuspendCondition::Any);
    ensure_eq!(fx.suspend(&task.handle, &request).await?, [own]);
    Ok(())
}

/// A suspend has 1..=64 waitpoints and 1..=16 groups, names none twice, and asks for no more than
/// they can give; its timeout is at most 366 days. What is beyond is refused and changes nothing.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let backend = &fx.backend;
    let before = fx.snapshot().await;
    let one = fx.fresh("a")?;
    let request = |condition| SuspendRequest::new(vec![one.clone()], condition);
    let group = |keys: &[&str], n| -> CaseResult<Group> {
        let keys = keys.iter().map(|key| WaitpointKey::new(*key)).collect::<Result<_, _>>()?;
        Ok(Group::new(keys, n, Distinct::Waitpoints))
    };

    let none = SuspendRequest::new(Vec::new(), SuspendCondition::Any);
    assert_invalid(backend.suspend(&task.handle, &none).await, "waitpoints")?;
    let most = limits::WAITPOINTS_OPEN_MAX;
    let keys: Vec<_> = (0..=most).map(|index| format!("key-{index}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let many = fx.wait_for(&keys, SuspendCondition::Any)?;
    assert_too_large(backend.suspend(&task.handle, &many).await, most, most + 1)?;
    let mut twin = fx.fresh("b")?;
    twin.waitpoint_id = one.waitpoint_id;
    for twin in [fx.fresh("a")?, twin] {
        let twice = SuspendRequest::new(vec![one.clone(), twin], SuspendCondition::Any);
        assert_invalid(backend.suspend(&task.handle, &twice).await, "waitpoints")?;
    }
    let per_waitpoint = u32::try_from(limits::SIGNALS_PER_WAITPOINT_MAX)?;
    for (n, distinct) in [
        (0, Distinct::Signals),
        (2, Distinct::Waitpoints),
        (per_waitpoint + 1, Distinct::Signals),
        (u32::MAX, Distinct::Sources),
    ] {
        let beyond = request(at_least(n, distinct));
        assert_invalid(backend.suspend(&task.handle, &beyond).await, "condition.n")?;
    }
    for groups in [vec![], vec![group(&["b"], 1)?], vec![group(&["a", "a"], 1)?]] {
        let bad = request(SuspendCondition::AllOf(groups));
        assert_invalid(backend.suspend(&task.handle, &bad).await, "condition")?;
    }
    let groups = vec![group(&["a"], 1)?; limits::SUSPEND_GROUPS_MAX + 1];
    let answer = backend.suspend(&task.handle, &request(SuspendCondition::AllOf(groups))).await;
    assert_too_large(answer, limits::SUSPEND_GROUPS_MAX, limits::SUSPEND_GROUPS_MAX + 1)?;
    let longest = limits::WAITPOINT_EXPIRES_MAX_MS;
    let long = |ms| request(SuspendCondition::Any).with_timeout(after(ms, TimeoutBehavior::Fail));
    let answer = backend.suspend(&task.handle, &long(longest + 1)).await;
    assert_invalid(answer, "timeout")?;
    let mut matcher = one.clone();
    matcher.matcher = vec![b'x'; limits::WAITPOINT_MATCHER_MAX_BYTES + 1].into();
    let bad = SuspendRequest::new(vec![matcher], SuspendCondition::Any);
    let most = limits::WAITPOINT_MATCHER_MAX_BYTES;
    assert_too_large(backend.suspend(&task.handle, &bad).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    let most = fx.wait_for(&keys[1..], SuspendCondition::All)?;
    let most = most.with_timeout(after(longest, TimeoutBehavior::Fail));
    fx.suspend(&task.handle, &most).await?;
    Ok(())
}
