//! What becomes of an occurrence while the one before has not ended.

use ff_engine::{BackfillSchedule, Overlap, ScheduleCounts, ScheduleState};
use ff_types::{ExecutionState, ScheduleId};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, cases, ensure, ensure_eq};
use crate::schedules::{EVERY_MS, after};

pub(crate) const CASES: &[Case] = &cases!["schedule":
    overlap_allow,
    overlap_skip,
    overlap_buffer_one,
    buffered_and_backfilled_are_one,
    overlap_cancel_previous,
];

async fn with(fx: &Fixture, overlap: Overlap) -> CaseResult<ScheduleId> {
    fx.schedule_of(fx.recurring().await?.with_overlap(overlap)).await
}

async fn counts(fx: &Fixture, id: ScheduleId) -> CaseResult<ScheduleCounts> {
    Ok(fx.schedule_view(id).await?.counts)
}

/// Every occurrence is submitted, whatever became of those before.
pub(crate) async fn overlap_allow(fx: Fixture) -> CaseResult {
    let id = with(&fx, Overlap::Allow).await?;

    fx.pass(3, EVERY_MS).await?;

    ensure_eq!((counts(&fx, id).await?.submitted, fx.claim_up_to(5).await?.len()), (3, 3));
    Ok(())
}

/// An occurrence is not submitted while the one before has not ended, be it ready, running or delayed, and
/// the next after its end is.
pub(crate) async fn overlap_skip(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let id = with(&fx, Overlap::Skip).await?;
    fx.pass(2, EVERY_MS).await?;
    let task = fx.claim_one().await?;
    fx.pass(1, EVERY_MS).await?;
    let until = fx.in_ms(EVERY_MS + 1).await;
    fx.backend.delay(&task.handle, &ff_engine::DelayRequest::until(until)).await?;
    fx.pass(1, EVERY_MS).await?;
    ensure_eq!((counts(&fx, id).await?.submitted, counts(&fx, id).await?.overlapped), (1, 3));
    let cancel = fx.cancel_request(task.execution_id, "enough");
    fx.backend.cancel_execution(&cancel).await?;

    fx.pass(1, EVERY_MS).await?;

    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS, 5 * EVERY_MS]));
    ensure_eq!((counts(&fx, id).await?.submitted, counts(&fx, id).await?.overlapped), (2, 3));
    fx.check().await
}

/// One occurrence waits for the end of the one before, and is submitted at that very time by maintenance; those
/// behind it are not submitted. A pause gives up what waits.
pub(crate) async fn overlap_buffer_one(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let id = with(&fx, Overlap::BufferOne).await?;
    fx.pass(1, EVERY_MS).await?;
    let task = fx.claim_one().await?;
    fx.pass(2, EVERY_MS).await?;
    let view = fx.schedule_view(id).await?;
    ensure_eq!(view.waiting, after(start, [2 * EVERY_MS]).first().copied());
    ensure_eq!((view.counts.submitted, view.counts.overlapped), (1, 1));
    ensure!(fx.claim_if_any().await?.is_none(), "the one before has not ended");

    fx.advance(1).await;
    fx.backend.complete(&task.handle, None).await?;
    let due = fx.settle().await?.next_due;

    ensure!(due.is_some_and(|due| due > start), "it goes on");
    let next = fx.claim_one().await?;
    let occurrence = next.occurrence.ok_or_else(|| CaseError::new("it is no occurrence"))?;
    ensure_eq!(occurrence.at, after(start, [2 * EVERY_MS])[0]);
    ensure_eq!((counts(&fx, id).await?.submitted, fx.schedule_view(id).await?.waiting), (2, None));
    fx.pass(1, EVERY_MS).await?;
    ensure!(fx.schedule_view(id).await?.waiting.is_some(), "the fourth waits");
    let pause = ff_engine::ScheduleChange::Pause { reason: "enough".to_owned() };
    fx.change(id, pause).await?;
    let view = fx.schedule_view(id).await?;
    ensure_eq!(
        (view.state, view.waiting, view.counts.overlapped),
        (ScheduleState::Paused, None, 2)
    );
    fx.backend.complete(&next.handle, None).await?;
    fx.settle().await?;
    ensure!(fx.claim_if_any().await?.is_none(), "it was given up");
    fx.check().await
}

/// An occurrence that waits and that a backfill submits meanwhile is not submitted again once the one before
/// has ended: whoever runs it keeps its lease.
pub(crate) async fn buffered_and_backfilled_are_one(fx: Fixture) -> CaseResult {
    let id = with(&fx, Overlap::BufferOne).await?;
    fx.pass(1, EVERY_MS).await?;
    let before = fx.claim_one().await?;
    fx.pass(1, EVERY_MS).await?;
    let waiting = fx.schedule_view(id).await?.waiting;
    let waiting = waiting.ok_or_else(|| CaseError::new("no occurrence waits"))?;
    fx.advance(1).await;
    let backfill = BackfillSchedule::new(id, waiting, fx.now().await);
    fx.backend.backfill_schedule(&backfill).await?;
    let task = fx.claim_one().await?;
    ensure_eq!(task.occurrence.as_ref().map(|one| one.at), Some(waiting));

    fx.backend.complete(&before.handle, None).await?;
    fx.settle().await?;

    ensure!(fx.claim_if_any().await?.is_none(), "it is handed out a second time");
    fx.backend.renew(&task.handle).await?;
    let view = fx.schedule_view(id).await?;
    ensure_eq!((view.waiting, view.counts.submitted, view.counts.backfilled), (None, 1, 1));
    fx.check().await
}

/// The execution before is cancelled when the next occurrence comes: ended when nobody runs it, and else its
/// holder is told; the occurrence is submitted at once.
pub(crate) async fn overlap_cancel_previous(fx: Fixture) -> CaseResult {
    let id = with(&fx, Overlap::CancelPrevious).await?;
    fx.pass(2, EVERY_MS).await?;
    let runs = fx.schedule_view(id).await?.latest;
    let idle = runs.last().ok_or_else(|| CaseError::new("nothing was submitted"))?.execution_id;
    fx.assert_is(idle, ExecutionState::Cancelled).await?;

    let task = fx.claim_one().await?;
    fx.pass(1, EVERY_MS).await?;

    let asked = fx.describe(task.execution_id).await?;
    ensure!(asked.cancel.is_some() && asked.state == ExecutionState::Active, "it is {asked:?}");
    ensure!(fx.claim_if_any().await?.is_some(), "the next one is there");
    ensure_eq!(counts(&fx, id).await?.submitted, 3);
    fx.check().await
}
