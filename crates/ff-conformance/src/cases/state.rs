//! State: what a handler keeps so that it knows where it was.

use ff_engine::{DelayRequest, SavedState, SuspendCondition, SuspendOutcome, Task};
use ff_types::backend::FailureClass;
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_too_large, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["state":
    comes_with_the_task,
    nothing_is_not_empty,
    is_saved_with_the_release,
    is_saved_when_already_satisfied,
    ends_with_the_run,
    is_shown_as_a_fact,
    limits_are_enforced,
];

fn bytes(state: &'static str) -> SavedState {
    SavedState::new(state)
}

async fn save(fx: &Fixture, task: &Task, state: &'static str) -> CaseResult {
    Ok(fx.backend.save_state(&task.handle, Some(&bytes(state))).await?)
}

/// The latest state that was saved comes with every task that is handed out, byte for byte: after a
/// lost lease, a retry, a pause and a wait. The first task of an execution has none; a repeat of a
/// claim shows what has been saved since.
pub(crate) async fn comes_with_the_task(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    fx.submit(&fx.submission("task")?.with_policy(policy)).await?;
    let claim = fx.claim_request(LANE)?;
    let first = fx.backend.claim(&claim).await?.tasks.remove(0);
    ensure_eq!(first.state, None);
    let every_byte = SavedState::new((0..=u8::MAX).collect::<Vec<_>>());
    save(&fx, &first, "overwritten").await?;
    fx.backend.save_state(&first.handle, Some(&every_byte)).await?;
    let repeated = fx.backend.claim(&claim).await?.tasks.remove(0);
    ensure_eq!(repeated.state.as_ref(), Some(&every_byte), "of a repeated claim");

    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state.as_ref(), Some(&every_byte), "after a lost lease");
    save(&fx, &task, "two").await?;
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    let task = fx.claim_one().await?;
    ensure_eq!(task.state, Some(bytes("two")), "after a failure");
    save(&fx, &task, "three").await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state, Some(bytes("three")), "after a pause");
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let waitpoints = fx.suspend(&task.handle, &wait).await?;
    fx.send(&waitpoints[0]).await?;
    ensure_eq!(fx.reclaim_one().await?.state, Some(bytes("three")), "after a wait");
    Ok(())
}

/// A state of no bytes is a state; what was removed is none.
pub(crate) async fn nothing_is_not_empty(fx: Fixture) -> CaseResult {
    let again = async |task: &Task| {
        fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
        fx.reclaim_one().await
    };
    let task = fx.running().await?;
    save(&fx, &task, "").await?;
    let task = again(&task).await?;
    ensure_eq!(task.state, Some(bytes("")));
    fx.backend.save_state(&task.handle, None).await?;
    let task = again(&task).await?;
    ensure_eq!(task.state, None);
    save(&fx, &task, "kept").await?;
    fx.backend.delay(&task.handle, &DelayRequest::now().with_state("")).await?;
    ensure_eq!(fx.reclaim_one().await?.state, Some(bytes("")), "with a pause");
    Ok(())
}

/// A pause or a wait saves the state that it brings, and leaves the saved one when it brings none; a
/// repeat of it never brings an old state back.
pub(crate) async fn is_saved_with_the_release(fx: Fixture) -> CaseResult {
    let first = fx.running().await?;
    save(&fx, &first, "before").await?;
    let pause = DelayRequest::now().with_state("paused");
    fx.backend.delay(&first.handle, &pause).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state, Some(bytes("paused")));
    save(&fx, &task, "later").await?;
    fx.backend.delay(&first.handle, &pause).await?;

    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let waitpoints = fx.suspend(&task.handle, &wait).await?;
    fx.send(&waitpoints[0]).await?;
    let second = fx.reclaim_one().await?;
    ensure_eq!(second.state, Some(bytes("later")), "after a wait that brought none");
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?.with_state("waiting");
    let waitpoints = fx.suspend(&second.handle, &wait).await?;
    fx.send(&waitpoints[0]).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state, Some(bytes("waiting")));
    fx.backend.save_state(&task.handle, None).await?;
    fx.suspend(&second.handle, &wait).await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    ensure_eq!(fx.reclaim_one().await?.state, None, "after a repeat of an earlier wait");
    Ok(())
}

/// A suspend that keeps the lease, because its condition holds already, saves the state too; its
/// repeat does not bring it back.
pub(crate) async fn is_saved_when_already_satisfied(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let pending = fx.pending(&task, "approval").await?;
    fx.send(&pending).await?;
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?.with_state("approved");

    let outcome = fx.backend.suspend(&task.handle, &wait).await?;

    ensure_eq!(outcome, SuspendOutcome::AlreadySatisfied);
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state, Some(bytes("approved")));

    let pending = fx.pending(&task, "approval").await?;
    fx.send(&pending).await?;
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?.with_state("again");
    fx.backend.suspend(&task.handle, &wait).await?;
    save(&fx, &task, "later").await?;
    fx.backend.suspend(&task.handle, &wait).await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    ensure_eq!(fx.reclaim_one().await?.state, Some(bytes("later")), "after a repeat");
    Ok(())
}

/// However an execution ends, its state goes, and a replay starts without one.
pub(crate) async fn ends_with_the_run(fx: Fixture) -> CaseResult {
    for ending in ["completed", "failed", "cancelled"] {
        let task = fx.running().await?;
        save(&fx, &task, "kept").await?;
        match ending {
            "completed" => fx.backend.complete(&task.handle, None).await?,
            "failed" => {
                fx.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?;
            }
            _ => fx.backend.cancel(&task.handle, "enough").await?,
        }
        ensure!(!fx.describe(task.execution_id).await?.has_state, "{ending}, with a state");

        fx.backend.replay(&fx.replay_request(task.execution_id)).await?;

        let again = fx.claim_one().await?;
        ensure_eq!((again.execution_id, again.state), (task.execution_id, None), "{ending}");
    }
    Ok(())
}

/// Operators see whether there is a state, through every change of it, and never the bytes.
pub(crate) async fn is_shown_as_a_fact(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let shown = async || CaseResult::Ok(fx.describe(task.execution_id).await?.has_state);
    ensure!(!shown().await?, "before the first");

    save(&fx, &task, "canary").await?;
    ensure!(shown().await?, "a saved one");
    let view = format!("{:?}", fx.describe(task.execution_id).await?);
    ensure!(!view.contains("canary"), "the view has the bytes: {view}");
    fx.backend.save_state(&task.handle, None).await?;
    ensure!(!shown().await?, "a removed one");
    fx.backend.delay(&task.handle, &DelayRequest::now().with_state("paused")).await?;
    ensure!(shown().await?, "one that came with a pause");
    let again = fx.reclaim_one().await?;
    ensure!(!format!("{again:?}").contains("paused"), "the task shows the bytes: {again:?}");
    Ok(())
}

/// A state is at most 64 KiB, by itself, with a pause and with a wait; the bound is taken, one byte
/// more is refused and changes nothing.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let most = limits::STATE_MAX_BYTES;
    let task = fx.running().await?;
    let backend = &fx.backend;
    let of = |length: usize| SavedState::new(vec![b'x'; length]);
    backend.save_state(&task.handle, Some(&of(most))).await?;
    let before = fx.snapshot().await;

    let answer = backend.save_state(&task.handle, Some(&of(most + 1))).await;
    assert_too_large(answer, most, most + 1)?;
    let pause = |length| DelayRequest::now().with_state(of(length).0);
    assert_too_large(backend.delay(&task.handle, &pause(most + 1)).await, most, most + 1)?;
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let over = wait.clone().with_state(of(most + 1).0);
    assert_too_large(backend.suspend(&task.handle, &over).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    backend.delay(&task.handle, &pause(most)).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.state, Some(of(most)));
    fx.suspend(&task.handle, &wait.with_state(of(most).0)).await?;
    Ok(())
}
