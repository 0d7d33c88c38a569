//! Signals: what counts, once, and for which wait.

use std::collections::BTreeSet;

use bytes::Bytes;
use ff_engine::{
    CancelOutcome, DeliverSignal, Distinct, ResumeReason, SignalOutcome, SuspendCondition,
    SuspendOutcome, SuspendRequest, TimeoutBehavior,
};
use ff_types::backend::{HandleKind, ResumeSignal, ScannerFilter, WaitpointKind, WaitpointSpec};
use ff_types::{ExecutionState, IdempotencyKey, limits};
use tokio::task::JoinSet;

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::{LANE, LEASE_TTL_MS, failure, ms};
use crate::waits::{after, at_least};

pub(crate) const CASES: &[Case] = &cases!["signal":
    resumes_the_same_attempt,
    wakes_promptly,
    no_lost_wakeup,
    never_crosses_suspensions,
    late_is_closed,
    one_of_many_resumes,
    one_of_all_ends_the_wait,
    observed_are_those_that_satisfied,
    observed_survives_a_lost_lease,
    duplicates_count_once,
    duplicate_at_the_limit,
    same_signal_many_times,
    matcher_decides,
    is_told_as_sent,
    limits_are_enforced,
];

/// The signal that completes the condition makes the same attempt ready at once, for the reclaim
/// scanner and not for `claim`.
pub(crate) async fn resumes_the_same_attempt(fx: Fixture) -> CaseResult {
    let (task, waitpoint) = fx.waiting().await?;
    let signal = fx.signal(&waitpoint);

    ensure_eq!(fx.backend.deliver_signal(&signal).await?, SignalOutcome::Resumed);

    fx.assert_is(task.execution_id, ExecutionState::Ready).await?;
    ensure!(fx.claim_if_any().await?.is_none(), "claim handed out a resumed attempt");
    let resumed = fx.resumed_by(&[signal.signal_id]).await?;
    ensure_eq!((resumed.execution_id, resumed.attempt), (task.execution_id, task.attempt));
    ensure_eq!(resumed.handle.kind, HandleKind::Resumed);
    ensure_eq!((resumed.retries, resumed.reclaims), (0, 0));
    fx.backend.complete(&resumed.handle, None).await?;
    Ok(())
}

/// A claim that waits, and takes what resumes, gets it without the clock being moved.
pub(crate) async fn wakes_promptly(fx: Fixture) -> CaseResult {
    let (task, waitpoint) = fx.waiting().await?;
    let mut request = fx.worker().claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
    request.policy = request.policy.with_max_wait(ms(limits::MAX_WAIT_MAX_MS));
    let backend = fx.backend.clone();
    let claim = tokio::spawn(async move { backend.claim(&request).await });
    fx.let_others_run().await;
    ensure!(!claim.is_finished(), "the claim did not wait");

    fx.send(&waitpoint).await?;

    let outcome = fx.promptly(claim).await???;
    let token = outcome.reclaims.first().ok_or_else(|| CaseError::new("no token"))?;
    let resumed = fx.backend.claim_from_reclaim(token, &fx.policy()).await?;
    ensure_eq!(resumed.execution_id, task.execution_id);
    Ok(())
}

/// A signal that races with the suspend that activates its waitpoint is never lost: whichever comes
/// first, the worker goes on and sees it.
pub(crate) async fn no_lost_wakeup(fx: Fixture) -> CaseResult {
    for round in 0..16_u32 {
        let task = fx.running().await?;
        let pending = fx.pending(&task, "approval").await?;
        let signal = fx.signal(&pending);
        let spec = WaitpointSpec::pending(&pending, WaitpointKind::External, "");
        let request = SuspendRequest::new(vec![spec], SuspendCondition::Any);
        let sender = {
            let (backend, signal) = (fx.backend.clone(), signal.clone());
            tokio::spawn(async move {
                for _ in 0..round % 4 {
                    tokio::task::yield_now().await;
                }
                backend.deliver_signal(&signal).await
            })
        };
        for _ in 0..round / 4 {
            tokio::task::yield_now().await;
        }

        let suspended = fx.backend.suspend(&task.handle, &request).await?;
        let delivered = sender.await??;

        let task = match (suspended, delivered) {
            (SuspendOutcome::AlreadySatisfied, SignalOutcome::Buffered) => task,
            (SuspendOutcome::Suspended { .. }, SignalOutcome::Resumed) => fx.reclaim_one().await?,
            both => return Err(CaseError::new(format!("round {round}: {both:?}"))),
        };
        ensure_eq!(fx.observed(&task).await?.1, [signal.signal_id], "round {round}");
        fx.backend.complete(&task.handle, None).await?;
    }
    Ok(())
}

/// A signal counts for the wait it was made for: one that comes after that wait, under the same key
/// and in the same execution, never satisfies a later one, whoever ended the first.
pub(crate) async fn never_crosses_suspensions(fx: Fixture) -> CaseResult {
    for by_operator in [false, true] {
        let (task, first) = fx.waiting().await?;
        if by_operator {
            fx.backend.resume_execution(&fx.resume_request(task.execution_id)).await?;
        } else {
            fx.send(&first).await?;
        }
        let task = fx.reclaim_one().await?;
        let before = fx.snapshot().await;
        ensure_eq!(fx.send(&first).await?, SignalOutcome::Closed, "between the waits");
        ensure_eq!(fx.snapshot().await, before);

        let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
        let second = fx.suspend(&task.handle, &request).await?.remove(0);
        ensure!(second.waitpoint_id != first.waitpoint_id, "the later wait has the old waitpoint");
        ensure_eq!(fx.send(&first).await?, SignalOutcome::Closed, "during the later wait");
        fx.assert_is(task.execution_id, ExecutionState::Suspended).await?;

        let signal = fx.signal(&second);
        ensure_eq!(fx.backend.deliver_signal(&signal).await?, SignalOutcome::Resumed);
        let task = fx.resumed_by(&[signal.signal_id]).await?;
        fx.backend.complete(&task.handle, None).await?;
    }
    Ok(())
}

/// What comes after the wait, or after the end of the execution, is told so and changes nothing.
pub(crate) async fn late_is_closed(fx: Fixture) -> CaseResult {
    let (_, waitpoints) = fx.suspended(&["a", "b"], SuspendCondition::Any).await?;
    let winner = fx.signal(&waitpoints[0]);
    fx.backend.deliver_signal(&winner).await?;
    let late = async |when: &str| {
        let before = fx.snapshot().await;
        for waitpoint in &waitpoints {
            ensure_eq!(fx.send(waitpoint).await?, SignalOutcome::Closed, "{when}");
        }
        let repeat = fx.backend.deliver_signal(&winner).await?;
        ensure_eq!(repeat, SignalOutcome::Resumed, "the repeat of the first, {when}");
        ensure_eq!(fx.snapshot().await, before, "the store, {when}");
        CaseResult::Ok(())
    };

    late("while it is ready").await?;
    let task = fx.reclaim_one().await?;
    late("while it runs").await?;
    fx.backend.complete(&task.handle, None).await?;
    late("after its end").await
}

/// Of many signals that race for one wait exactly one resumes it, and it is handed out once.
pub(crate) async fn one_of_many_resumes(fx: Fixture) -> CaseResult {
    const SENDERS: usize = 64;
    let (task, waitpoint) = fx.waiting().await?;
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (backend, signal) = (fx.backend.clone(), fx.signal(&waitpoint));
        senders.spawn(async move {
            (signal.signal_id, backend.deliver_signal(&signal).await)
        });
    }

    let mut resumed = Vec::new();
    for (id, outcome) in senders.join_all().await {
        match outcome? {
            SignalOutcome::Resumed => resumed.push(id),
            SignalOutcome::Closed => {}
            other => return Err(CaseError::new(format!("a signal was answered {other:?}"))),
        }
    }

    ensure_eq!(resumed.len(), 1, "signals that resumed it");
    let again = fx.resumed_by(&resumed).await?;
    ensure_eq!(again.execution_id, task.execution_id);
    ensure_eq!(fx.tokens(10).await?.len(), 0, "tokens for what was handed out");
    Ok(())
}

/// A signal, the timeout and a cancel race for one wait: it ends once, and everybody is told what
/// holds.
pub(crate) async fn one_of_all_ends_the_wait(fx: Fixture) -> CaseResult {
    for round in 0..12_u32 {
        let task = fx.running().await?;
        let id = task.execution_id;
        let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
        let request = request.with_timeout(after(1_000, TimeoutBehavior::Expire));
        let waitpoint = fx.suspend(&task.handle, &request).await?.remove(0);
        fx.advance(if round % 3 == 0 { 1_000 } else { 999 }).await;
        let signal = fx.signal(&waitpoint);
        let sender = {
            let backend = fx.backend.clone();
            tokio::spawn(async move { backend.deliver_signal(&signal).await })
        };
        let cancel = fx.cancel_request(id, "race");
        let operator = {
            let backend = fx.backend.clone();
            tokio::spawn(async move { backend.cancel_execution(&cancel).await })
        };
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        fx.settle().await?;

        let (signalled, cancelled) = (sender.await??, operator.await??);
        let state = fx.describe(id).await?.state;
        let resumed = signalled == SignalOutcome::Resumed;
        let ended_by_cancel = cancelled == CancelOutcome::Cancelled;
        let all_hold = match state {
            ExecutionState::Cancelled => ended_by_cancel,
            ExecutionState::Expired => !resumed && !ended_by_cancel,
            _ => false,
        };
        ensure!(all_hold, "{state} after {signalled:?} and {cancelled:?}");
        ensure_eq!(fx.send(&waitpoint).await?, SignalOutcome::Closed);
        ensure_eq!(fx.tokens(1).await?.len(), 0, "tokens for what has ended");
    }
    Ok(())
}

/// Of each group the first signal of each thing it counts is observed, until there are enough, in
/// the order of acceptance over all waitpoints; what is beyond is not.
pub(crate) async fn observed_are_those_that_satisfied(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    ensure_eq!(fx.observed(&task).await?, (None, Vec::new()), "before any wait");
    let request = fx.wait_for(&["a", "b", "c"], at_least(3, Distinct::Sources))?;
    let waitpoints = fx.suspend(&task.handle, &request).await?;
    let mut sent = Vec::new();
    for (at, who) in [(2, "ann"), (0, "ann"), (1, "bob"), (1, "ann"), (0, "bob"), (2, "cy")] {
        let signal = fx.signal(&waitpoints[at]).with_principal(who);
        fx.backend.deliver_signal(&signal).await?;
        sent.push(signal.signal_id);
    }

    let task = fx.resumed_by(&[sent[0], sent[2], sent[5]]).await?;
    let request = fx.wait_for(&["d"], SuspendCondition::Any)?;
    let waitpoint = fx.suspend(&task.handle, &request).await?.remove(0);
    let next = fx.signal(&waitpoint);
    fx.backend.deliver_signal(&next).await?;
    fx.resumed_by(&[next.signal_id]).await?;
    Ok(())
}

/// An approval is not lost with its worker: later attempts, after a lost lease, a retry and a pause,
/// see the same signals.
pub(crate) async fn observed_survives_a_lost_lease(fx: Fixture) -> CaseResult {
    let (_, waitpoint) = fx.waiting().await?;
    let signal = fx.signal(&waitpoint).with_payload("yes");
    fx.backend.deliver_signal(&signal).await?;
    let task = fx.resumed_by(&[signal.signal_id]).await?;
    fx.backend.delay(&task.handle, &ff_engine::DelayRequest::now()).await?;
    fx.resumed_by(&[signal.signal_id]).await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;

    let task = fx.resumed_by(&[signal.signal_id]).await?;
    ensure_eq!(task.attempt.0, 1);
    let retry = failure(ff_types::backend::FailureClass::Transient).with_retry_after(ms(0));
    fx.backend.fail(&task.handle, &retry).await?;
    let task = fx.claim_one().await?;
    let view = fx.backend.observe_signals(&task.handle).await?;
    ensure_eq!(view.reason, Some(ResumeReason::Signals));
    let payloads: Vec<_> = view.signals.into_iter().map(|signal| signal.payload).collect();
    ensure_eq!(payloads, [Some(Bytes::from("yes"))]);
    Ok(())
}

/// A repeat of a signal gives the first outcome again and changes nothing; one of another id under
/// the same idempotency key is a duplicate of the first, at its waitpoint only.
pub(crate) async fn duplicates_count_once(fx: Fixture) -> CaseResult {
    let (_, waitpoints) =
        fx.suspended(&["a", "b"], at_least(3, Distinct::Signals)).await?;
    let key = IdempotencyKey::new("hook-7")?;
    let first = fx.signal(&waitpoints[0]).with_idempotency_key(key.clone());
    ensure_eq!(fx.backend.deliver_signal(&first).await?, SignalOutcome::Recorded);
    let before = fx.snapshot().await;

    ensure_eq!(fx.backend.deliver_signal(&first).await?, SignalOutcome::Recorded, "a repeat");
    let twin = fx.signal(&waitpoints[0]).with_idempotency_key(key.clone());
    let duplicate = SignalOutcome::Duplicate(first.signal_id);
    for _ in 0..2 {
        ensure_eq!(fx.backend.deliver_signal(&twin).await?, duplicate);
    }
    ensure_eq!(fx.snapshot().await, before);

    let elsewhere = fx.signal(&waitpoints[1]).with_idempotency_key(key);
    ensure_eq!(fx.backend.deliver_signal(&elsewhere).await?, SignalOutcome::Recorded);
    let last = fx.signal(&waitpoints[0]);
    ensure_eq!(fx.backend.deliver_signal(&last).await?, SignalOutcome::Resumed);
    ensure_eq!(fx.backend.deliver_signal(&twin).await?, duplicate, "after the wait");
    fx.resumed_by(&[first.signal_id, elsewhere.signal_id, last.signal_id]).await?;
    Ok(())
}

/// A waitpoint that keeps as many signals as it may still tells a duplicate from one too many.
pub(crate) async fn duplicate_at_the_limit(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let key = |index: usize| IdempotencyKey::new(format!("hook-{index}"));
    let most = limits::SIGNALS_PER_WAITPOINT_MAX;
    let mut sent: Vec<DeliverSignal> = Vec::new();
    for index in 0..most {
        let signal = fx.signal(&pending).with_idempotency_key(key(index)?);
        ensure_eq!(fx.backend.deliver_signal(&signal).await?, SignalOutcome::Buffered);
        sent.push(signal);
    }
    let before = fx.snapshot().await;

    let over = fx.backend.deliver_signal(&fx.signal(&pending)).await;
    assert_too_large(over, most, most + 1)?;
    for (index, first) in sent.iter().enumerate() {
        ensure_eq!(fx.backend.deliver_signal(first).await?, SignalOutcome::Buffered);
        let twin = fx.signal(&pending).with_idempotency_key(key(index)?);
        let duplicate = SignalOutcome::Duplicate(first.signal_id);
        ensure_eq!(fx.backend.deliver_signal(&twin).await?, duplicate);
    }
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// The same signal a thousand times, all at once, counts once.
pub(crate) async fn same_signal_many_times(fx: Fixture) -> CaseResult {
    const TIMES: usize = 1_000;
    let two = at_least(2, Distinct::Signals);
    let (task, mut waitpoints) = fx.suspended(&["approval"], two).await?;
    let waitpoint = waitpoints.remove(0);
    let key = IdempotencyKey::new("one click")?;
    let same = fx.signal(&waitpoint).with_idempotency_key(key.clone());
    let mut senders = JoinSet::new();
    for index in 0..TIMES {
        let signal = match index % 2 {
            0 => same.clone(),
            _ => fx.signal(&waitpoint).with_idempotency_key(key.clone()),
        };
        let backend = fx.backend.clone();
        senders.spawn(async move { backend.deliver_signal(&signal).await });
    }

    let mut firsts = BTreeSet::new();
    for outcome in senders.join_all().await {
        match outcome? {
            SignalOutcome::Recorded => {}
            SignalOutcome::Duplicate(first) => {
                firsts.insert(first);
            }
            other => return Err(CaseError::new(format!("a signal was answered {other:?}"))),
        }
    }

    ensure_eq!(firsts.len(), 1, "signals that the others are duplicates of");
    fx.assert_is(task.execution_id, ExecutionState::Suspended).await?;
    ensure_eq!(fx.send(&waitpoint).await?, SignalOutcome::Resumed);
    Ok(())
}

/// An active waitpoint takes what its matcher accepts: that name, that correlation id, or anything.
/// What it does not accept is told so, and nothing is kept.
pub(crate) async fn matcher_decides(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let mut specs = vec![fx.fresh("name")?, fx.fresh("order")?, fx.fresh("any")?];
    (specs[0].kind, specs[0].matcher) = (WaitpointKind::SignalName, "approved".into());
    (specs[1].kind, specs[1].matcher) = (WaitpointKind::CorrelationId, "order-7".into());
    specs[2].matcher = "ignored".into();
    let request = SuspendRequest::new(specs, SuspendCondition::All);
    let waitpoints = fx.suspend(&task.handle, &request).await?;
    let named = |at: usize, name: &str| {
        DeliverSignal::new(waitpoints[at].token(), fx.ids.signal_id(), name)
    };
    let before = fx.snapshot().await;

    let misses = [
        named(0, "rejected"),
        named(0, "Approved"),
        named(0, "approved "),
        named(1, "order-7"),
        named(1, "approved").with_correlation_id("order-70"),
    ];
    for miss in misses {
        let outcome = fx.backend.deliver_signal(&miss).await?;
        ensure_eq!(outcome, SignalOutcome::NotMatched, "{miss:?}");
    }
    ensure_eq!(fx.snapshot().await, before);

    let hits = [
        (named(0, "approved"), SignalOutcome::Recorded),
        (named(1, "x").with_correlation_id("order-7"), SignalOutcome::Recorded),
        (named(2, "whatever"), SignalOutcome::Resumed),
    ];
    for (hit, expected) in hits {
        ensure_eq!(fx.backend.deliver_signal(&hit).await?, expected, "{hit:?}");
    }
    Ok(())
}

/// The resumed attempt sees each field as it was sent, byte for byte, the time of acceptance, and
/// the source as it was proven.
pub(crate) async fn is_told_as_sent(fx: Fixture) -> CaseResult {
    let (_, waitpoints) = fx.suspended(&["a", "b"], SuspendCondition::All).await?;
    let payload = Bytes::from_static(&[0, 0xff, b'\n', 0x80]);
    let full = fx
        .signal(&waitpoints[0])
        .with_category("decision \u{e9}")
        .with_correlation_id("order:7 / x")
        .with_idempotency_key(IdempotencyKey::new("k")?)
        .with_payload(payload.clone())
        .with_principal("ann@example.org");
    let bare = DeliverSignal::new(waitpoints[1].token(), fx.ids.signal_id(), "\u{2713}");
    fx.backend.deliver_signal(&full).await?;
    let first_at = fx.now().await;
    fx.advance(5).await;
    fx.backend.deliver_signal(&bare).await?;
    let second_at = fx.now().await;

    let task = fx.reclaim_one().await?;
    let seen = fx.backend.observe_signals(&task.handle).await?.signals;
    let expected = [
        ResumeSignal {
            signal_id: full.signal_id,
            signal_name: "approved".to_owned(),
            signal_category: "decision \u{e9}".to_owned(),
            source_type: "principal".to_owned(),
            source_identity: "ann@example.org".to_owned(),
            correlation_id: Some("order:7 / x".to_owned()),
            accepted_at: first_at,
            payload: Some(payload),
        },
        ResumeSignal {
            signal_id: bare.signal_id,
            signal_name: "\u{2713}".to_owned(),
            signal_category: String::new(),
            source_type: "token".to_owned(),
            source_identity: waitpoints[1].waitpoint_id.to_string(),
            correlation_id: None,
            accepted_at: second_at,
            payload: None,
        },
    ];
    ensure_eq!(seen, expected);
    Ok(())
}

/// Every field of a signal has its limit: what is at it is taken, and what is beyond is refused and
/// changes nothing.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let before = fx.snapshot().await;
    let text = |length: usize| "x".repeat(length);
    let named = |length: usize| {
        DeliverSignal::new(pending.token(), fx.ids.signal_id(), text(length))
    };
    let signal = || fx.signal(&pending);
    let over = [
        (named(limits::SIGNAL_NAME_MAX_BYTES + 1), limits::SIGNAL_NAME_MAX_BYTES),
        (
            signal().with_category(text(limits::SIGNAL_CATEGORY_MAX_BYTES + 1)),
            limits::SIGNAL_CATEGORY_MAX_BYTES,
        ),
        (
            signal().with_correlation_id(text(limits::CORRELATION_ID_MAX_BYTES + 1)),
            limits::CORRELATION_ID_MAX_BYTES,
        ),
        (
            signal().with_payload(text(limits::SIGNAL_PAYLOAD_MAX_BYTES + 1)),
            limits::SIGNAL_PAYLOAD_MAX_BYTES,
        ),
        (
            signal().with_principal(text(limits::PRINCIPAL_MAX_BYTES + 1)),
            limits::PRINCIPAL_MAX_BYTES,
        ),
    ];

    for (bad, limit) in over {
        assert_too_large(fx.backend.deliver_signal(&bad).await, limit, limit + 1)?;
    }
    assert_invalid(fx.backend.deliver_signal(&named(0)).await, "name")?;
    let nobody = signal().with_principal("");
    assert_invalid(fx.backend.deliver_signal(&nobody).await, "principal")?;
    ensure_eq!(fx.snapshot().await, before);

    let most = named(limits::SIGNAL_NAME_MAX_BYTES)
        .with_category(text(limits::SIGNAL_CATEGORY_MAX_BYTES))
        .with_correlation_id(text(limits::CORRELATION_ID_MAX_BYTES))
        .with_payload(text(limits::SIGNAL_PAYLOAD_MAX_BYTES))
        .with_principal(text(limits::PRINCIPAL_MAX_BYTES));
    ensure_eq!(fx.backend.deliver_signal(&most).await?, SignalOutcome::Buffered);
    Ok(())
}
