//! Waitpoints: made, listed and closed.

use std::time::Duration;

use ff_engine::{
    CloseOutcome, CreateWaitpoint, ListWaitpoints, SignalOutcome, SuspendCondition, WaitpointCursor,
    WaitpointState,
};
use ff_types::backend::{WaitpointKind, WaitpointSpec};
use ff_types::{ExecutionState, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseError, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure,
    ensure_eq,
};
use crate::fixture::{LEASE_TTL_MS, failure, ms};

pub(crate) const CASES: &[Case] = &cases!["waitpoint":
    keeps_early_signals,
    open_key_is_given_again,
    closed_key_is_free,
    expires,
    end_closes_all,
    limits_are_enforced,
    close_is_final,
    unknown_is_not_found,
    withdrawn_takes_no_signal,
    withdrawn_still_counts,
    listing_shows_what_is_open,
    listing_is_stable,
    listing_limits_are_enforced,
];

/// A pending waitpoint keeps every signal, whatever its name, and they count for the suspend that
/// comes.
pub(crate) async fn keeps_early_signals(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    let signal = fx.signal(&pending);

    ensure_eq!(fx.backend.deliver_signal(&signal).await?, SignalOutcome::Buffered);
    fx.assert_is(task.execution_id, ExecutionState::Active).await?;
    let specs = vec![
        WaitpointSpec::pending(&pending, WaitpointKind::SignalName, "approved"),
        fx.fresh("other")?,
    ];
    let request = ff_engine::SuspendRequest::new(specs, SuspendCondition::All);
    let waitpoints = fx.suspend(&task.handle, &request).await?;
    let other = fx.signal(&waitpoints[1]);
    ensure_eq!(fx.backend.deliver_signal(&other).await?, SignalOutcome::Resumed);

    fx.resumed_by(&[signal.signal_id, other.signal_id]).await?;
    Ok(())
}

/// Whoever makes a waitpoint of a key that is open gets the one that is there, with the same token,
/// also in a later attempt and under another id; another execution has keys of its own.
pub(crate) async fn open_key_is_given_again(fx: Fixture) -> CaseResult {
    let other = fx.running().await?;
    let other = fx.pending(&other, "approval").await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    let first = fx.pending(&task, "approval").await?;
    let before = fx.snapshot().await;

    let second = fx.pending(&task, "approval").await?;
    ensure_eq!(second, first, "within an attempt");
    ensure_eq!(fx.snapshot().await, before);
    ensure_eq!(first, other, "in the next attempt");

    let task = fx.running().await?;
    let foreign = fx.pending(&task, "approval").await?;
    ensure!(foreign.waitpoint_id != first.waitpoint_id, "two executions share a waitpoint");
    Ok(())
}

/// A closed waitpoint leaves its key: a new one of the key is another one, and the old token is
/// good for the old one only.
pub(crate) async fn closed_key_is_free(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let old = fx.pending(&task, "approval").await?;
    fx.backend.close_waitpoint(&task.handle, old.waitpoint_id).await?;

    let new = fx.pending(&task, "approval").await?;

    ensure!(new.waitpoint_id != old.waitpoint_id, "the closed one was given again");
    ensure_eq!(fx.send(&old).await?, SignalOutcome::Closed);
    ensure_eq!(fx.send(&new).await?, SignalOutcome::Buffered);
    Ok(())
}

/// A waitpoint is over at the very millisecond of its expiry: its token is refused, it is not
/// listed, and its key is free.
pub(crate) async fn expires(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let request = fx.waitpoint("approval")?.with_expires_in(ms(2_000));
    let pending = fx.backend.create_waitpoint(&task.handle, &request).await?;
    ensure_eq!(pending.expires_at, fx.in_ms(2_000).await);

    fx.advance(1_999).await;
    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Buffered);
    ensure_eq!(fx.backend.list_waitpoints(&ListWaitpoints::new()).await?.items.len(), 1);

    fx.advance(1).await;
    let answer = fx.backend.deliver_signal(&fx.signal(&pending)).await;
    assert_code(answer, "waitpoint_not_found")?;
    ensure_eq!(fx.backend.list_waitpoints(&ListWaitpoints::new()).await?.items.len(), 0);
    let closed = fx.backend.close_waitpoint(&task.handle, pending.waitpoint_id).await?;
    ensure_eq!(closed, CloseOutcome::AlreadyClosed);
    let next = fx.pending(&task, "approval").await?;
    ensure!(next.waitpoint_id != pending.waitpoint_id, "the expired one was given again");
    Ok(())
}

/// However an execution ends, its waitpoints are closed with it.
pub(crate) async fn end_closes_all(fx: Fixture) -> CaseResult {
    let completed = fx.running().await?;
    let by_end = fx.pending(&completed, "approval").await?;
    fx.backend.complete(&completed.handle, None).await?;
    let failed = fx.running().await?;
    let by_failure = fx.pending(&failed, "approval").await?;
    let permanent = failure(ff_types::backend::FailureClass::Permanent);
    fx.backend.fail(&failed.handle, &permanent).await?;
    let (waiting, active) = fx.waiting().await?;
    fx.backend.cancel_execution(&fx.cancel_request(waiting.execution_id, "enough")).await?;

    for waitpoint in [by_end, by_failure, active] {
        ensure_eq!(fx.send(&waitpoint).await?, SignalOutcome::Closed);
    }
    ensure_eq!(fx.backend.list_waitpoints(&ListWaitpoints::new()).await?.items.len(), 0);
    Ok(())
}

/// A waitpoint lives 1 s ..= 366 days, its id is no other's, and an execution has at most 64 open
/// ones; what is beyond is refused and changes nothing. Closed ones make room.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let (min, max) = (limits::WAITPOINT_EXPIRES_MIN_MS, limits::WAITPOINT_EXPIRES_MAX_MS);
    for bad in [0, min - 1, max + 1] {
        let request = fx.waitpoint("bad")?.with_expires_in(ms(bad));
        let answer = fx.backend.create_waitpoint(&task.handle, &request).await;
        assert_invalid(answer, "expires_in")?;
    }
    let most = limits::WAITPOINTS_OPEN_MAX;
    let mut ids = Vec::new();
    for index in 0..most {
        let life = Duration::from_millis(if index == 0 { min } else { max });
        let request = fx.waitpoint(&format!("key-{index}"))?.with_expires_in(life);
        ids.push(fx.backend.create_waitpoint(&task.handle, &request).await?.waitpoint_id);
    }
    let before = fx.snapshot().await;

    let answer = fx.backend.create_waitpoint(&task.handle, &fx.waitpoint("more")?).await;
    assert_too_large(answer, most, most + 1)?;
    let clash = CreateWaitpoint::new(ids[1], fx.waitpoint("clash")?.key);
    let answer = fx.backend.create_waitpoint(&task.handle, &clash).await;
    assert_invalid(answer, "waitpoint_id")?;
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.close_waitpoint(&task.handle, ids[1]).await?;
    fx.pending(&task, "more").await?;
    Ok(())
}

/// A closed waitpoint stays closed and has forgotten what it kept; to close it again is an outcome.
pub(crate) async fn close_is_final(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    fx.send(&pending).await?;
    let id = pending.waitpoint_id;

    ensure_eq!(fx.backend.close_waitpoint(&task.handle, id).await?, CloseOutcome::Closed);
    let before = fx.snapshot().await;
    ensure_eq!(fx.backend.close_waitpoint(&task.handle, id).await?, CloseOutcome::Closed);
    ensure_eq!(fx.snapshot().await, before);
    let withdraw = fx.withdraw_request(task.execution_id, id);
    let again = fx.backend.withdraw_waitpoint(&withdraw).await?;
    ensure_eq!(again, CloseOutcome::AlreadyClosed);

    ensure_eq!(fx.send(&pending).await?, SignalOutcome::Closed);
    let request = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    fx.suspend(&task.handle, &request).await?;
    Ok(())
}

/// A waitpoint that the execution does not know is not found, by whoever closes it.
pub(crate) async fn unknown_is_not_found(fx: Fixture) -> CaseResult {
    let other = fx.running().await?;
    let foreign = fx.pending(&other, "approval").await?.waitpoint_id;
    let task = fx.running().await?;
    let id = task.execution_id;

    for waitpoint in [fx.ids.waitpoint_id(), foreign] {
        let answer = fx.backend.close_waitpoint(&task.handle, waitpoint).await;
        assert_code(answer, "waitpoint_not_found")?;
        let answer = fx.backend.withdraw_waitpoint(&fx.withdraw_request(id, waitpoint)).await;
        assert_code(answer, "waitpoint_not_found")?;
    }
    let unknown = fx.ids.execution_id();
    let answer = fx.backend.withdraw_waitpoint(&fx.withdraw_request(unknown, foreign)).await;
    assert_code(answer, "execution_not_found")
}

/// An operator closes a waitpoint that is pending or active: signals to it come too late, and what
/// is withdrawn already is an outcome.
pub(crate) async fn withdrawn_takes_no_signal(fx: Fixture) -> CaseResult {
    let (waiting, active) =
        fx.suspended(&["legal", "tech"], SuspendCondition::Any).await?;
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;

    for (id, waitpoint) in [(waiting.execution_id, &active[0]), (task.execution_id, &pending)] {
        let withdraw = || fx.withdraw_request(id, waitpoint.waitpoint_id);
        let first = withdraw();
        ensure_eq!(fx.backend.withdraw_waitpoint(&first).await?, CloseOutcome::Closed);
        ensure_eq!(fx.send(waitpoint).await?, SignalOutcome::Closed);
        let again = fx.backend.withdraw_waitpoint(&withdraw()).await?;
        ensure_eq!(again, CloseOutcome::AlreadyClosed);
        ensure_eq!(fx.backend.withdraw_waitpoint(&first).await?, CloseOutcome::Closed);
    }
    fx.assert_is(waiting.execution_id, ExecutionState::Suspended).await?;
    ensure_eq!(fx.send(&active[1]).await?, SignalOutcome::Resumed);
    Ok(())
}

/// What a withdrawn waitpoint has kept still counts for the suspension that waits for others.
pub(crate) async fn withdrawn_still_counts(fx: Fixture) -> CaseResult {
    let (task, waitpoints) = fx.suspended(&["legal", "tech"], SuspendCondition::All).await?;
    let (legal, tech) = (fx.signal(&waitpoints[0]), fx.signal(&waitpoints[1]));
    ensure_eq!(fx.backend.deliver_signal(&legal).await?, SignalOutcome::Recorded);

    let withdraw = fx.withdraw_request(task.execution_id, waitpoints[0].waitpoint_id);
    fx.backend.withdraw_waitpoint(&withdraw).await?;

    fx.assert_is(task.execution_id, ExecutionState::Suspended).await?;
    ensure_eq!(fx.backend.deliver_signal(&tech).await?, SignalOutcome::Resumed);
    fx.resumed_by(&[legal.signal_id, tech.signal_id]).await?;
    Ok(())
}

/// The listing shows the open waitpoints of all executions or of one, with their state, kind, times
/// and number of signals, and nothing that is closed.
pub(crate) async fn listing_shows_what_is_open(fx: Fixture) -> CaseResult {
    let (waiting, active) = fx.suspended(&["legal", "tech"], SuspendCondition::All).await?;
    fx.send(&active[0]).await?;
    let task = fx.running().await?;
    let created_at = fx.now().await;
    let pending = fx.pending(&task, "approval").await?;
    let closed = fx.pending(&task, "closed").await?;
    fx.backend.close_waitpoint(&task.handle, closed.waitpoint_id).await?;
    fx.send(&pending).await?;
    fx.send(&pending).await?;

    let all = fx.backend.list_waitpoints(&ListWaitpoints::new()).await?;
    ensure!(all.next.is_none(), "there is more");
    let shown: Vec<_> = all.items.iter().map(|one| (one.waitpoint_id, one.signals)).collect();
    let ids = [active[0].waitpoint_id, active[1].waitpoint_id, pending.waitpoint_id];
    ensure_eq!(shown, [(ids[0], 1), (ids[1], 0), (ids[2], 2)]);

    let one = ListWaitpoints::new().with_execution(task.execution_id);
    let mut one = fx.backend.list_waitpoints(&one).await?.items;
    let view = one.pop().ok_or_else(|| CaseError::new("nothing is listed"))?;
    ensure!(one.is_empty(), "more is listed: {one:?}");
    ensure_eq!((view.execution_id, view.key.as_str()), (task.execution_id, "approval"));
    ensure_eq!((view.state, view.kind), (WaitpointState::Pending, None));
    ensure_eq!((view.created_at, view.expires_at), (created_at, pending.expires_at));
    let one = ListWaitpoints::new().with_execution(waiting.execution_id);
    let of_waiting = fx.backend.list_waitpoints(&one).await?.items;
    for view in &of_waiting {
        ensure_eq!((view.state, view.kind), (WaitpointState::Active, Some(WaitpointKind::External)));
    }
    ensure_eq!(of_waiting.len(), 2);
    let unknown = ListWaitpoints::new().with_execution(fx.ids.execution_id());
    assert_code(fx.backend.list_waitpoints(&unknown).await, "execution_not_found")
}

/// Following the cursors shows every waitpoint that is open throughout exactly once and in the order
/// of ids, although others come and go meanwhile.
pub(crate) async fn listing_is_stable(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let mut staying = Vec::new();
    let mut going = Vec::new();
    for index in 0..40 {
        let waitpoint = fx.pending(&task, &format!("key-{index}")).await?;
        if index % 3 == 0 { going.push(waitpoint) } else { staying.push(waitpoint.waitpoint_id) }
    }

    let mut seen = Vec::new();
    let mut request = ListWaitpoints::new().with_limit(7);
    loop {
        let page = fx.backend.list_waitpoints(&request).await?;
        ensure!(page.items.len() <= 7, "a page of {}", page.items.len());
        seen.extend(page.items.iter().map(|item| item.waitpoint_id));
        let Some(cursor) = page.next else { break };
        request = request.with_cursor(cursor);
        if let Some(waitpoint) = going.pop() {
            fx.backend.close_waitpoint(&task.handle, waitpoint.waitpoint_id).await?;
        }
        fx.pending(&task, &format!("new-{}", going.len())).await?;
    }

    ensure!(seen.is_sorted(), "not in the order of ids: {seen:?}");
    seen.retain(|id| staying.contains(id));
    ensure_eq!(seen, staying);
    Ok(())
}

/// A page has 1..=1,000 items; a text that no page gave does not become a cursor, whatever it is.
pub(crate) async fn listing_limits_are_enforced(fx: Fixture) -> CaseResult {
    for limit in [0, limits::LIST_LIMIT_MAX + 1, u32::MAX] {
        let request = ListWaitpoints::new().with_limit(limit);
        assert_invalid(fx.backend.list_waitpoints(&request).await, "limit")?;
    }
    let request = ListWaitpoints::new().with_limit(limits::LIST_LIMIT_MAX);
    fx.backend.list_waitpoints(&request).await?;

    let cursor = WaitpointCursor::after(fx.ids.waitpoint_id(), fx.ids.execution_id());
    let good = cursor.to_string();
    let hostile = [
        String::new(),
        "v1.".to_owned(),
        good[..good.len() - 1].to_owned(),
        good.to_uppercase(),
        format!("{good}0"),
        format!(" {good}"),
        good.replacen("v1", "v2", 1),
        good.replacen('.', "", 1),
        "9".repeat(100_000),
    ];
    for text in hostile {
        assert_invalid(text.parse::<WaitpointCursor>(), "cursor")?;
    }
    ensure_eq!(good.parse::<WaitpointCursor>()?, cursor);
    Ok(())
}
