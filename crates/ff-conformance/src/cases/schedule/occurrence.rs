//! Occurrences: each once, at its time, to whom it belongs.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{
    BudgetLimit, CreateBudget, EngineBackendExt, Occurrence, Overlap, Recurrence, ScheduleChange,
    ScheduleSpec, TickRequest,
};
use ff_types::backend::{ScannerFilter, UsageDimensions};
use ff_types::{ScheduleId, Tags, TimestampMs};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::{LANE, ms};
use crate::schedules::{EVERY_MS, after};

pub(crate) const CASES: &[Case] = &cases!["schedule":
    each_occurrence_once,
    clock_back_submits_nothing_twice,
    wakes_a_waiting_worker,
    task_knows_its_occurrence,
    wall_clock_changes_are_followed,
    jitter_is_bounded_and_the_same,
    untagged_is_looked_after_by_all,
    executions_draw_on_budgets,
];

/// Five maintainers that look at once, again and again, submit each occurrence of each schedule once.
pub(crate) async fn each_occurrence_once(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let mut schedules = Vec::new();
    for _ in 0..4 {
        let spec = fx.recurring().await?;
        let id = fx.ids.schedule_id();
        schedules.push(fx.make_schedule(&ff_engine::CreateSchedule::new(id, spec)).await?);
    }

    for _ in 0..3 {
        fx.advance(EVERY_MS).await;
        let maintainers: Vec<_> = (0..5)
            .map(|_| {
                let fx = fx.clone();
                tokio::spawn(async move { fx.settle().await })
            })
            .collect();
        for one in maintainers {
            one.await??;
        }
    }

    for id in schedules {
        let expected = after(start, [EVERY_MS, 2 * EVERY_MS, 3 * EVERY_MS]);
        ensure_eq!(fx.occurrences(id).await?, expected);
        ensure_eq!(fx.schedule_view(id).await?.counts.submitted, 3);
    }
    fx.check().await
}

/// A clock that steps back, also by hours, and comes forward again makes no occurrence due a second time;
/// neither does a resume nor another spec while it is behind.
pub(crate) async fn clock_back_submits_nothing_twice(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let id = fx.schedule_of(fx.recurring().await?).await?;
    fx.pass(2, EVERY_MS).await?;
    let expected = after(start, [EVERY_MS, 2 * EVERY_MS]);
    ensure_eq!(fx.occurrences(id).await?, expected);

    for back in [1, EVERY_MS, 15_000, 7_200_000] {
        fx.clock.set(after(start, [2 * EVERY_MS])[0].saturating_sub(ms(back))).await;
        fx.settle().await?;
        fx.pass(2, EVERY_MS / 2 - 1).await?;
        if back == 15_000 {
            fx.change(id, ScheduleChange::Pause { reason: String::new() }).await?;
            fx.change(id, ScheduleChange::Resume).await?;
            fx.settle().await?;
        }
        if back == EVERY_MS {
            let spec = fx.schedule_view(id).await?.spec;
            fx.change(id, ScheduleChange::Replace(Box::new(spec))).await?;
            fx.settle().await?;
        }
        ensure_eq!(fx.occurrences(id).await?, expected, "after a step back by {back} ms");
    }
    fx.clock.set(after(start, [3 * EVERY_MS])[0]).await;
    fx.settle().await?;

    let expected = after(start, [EVERY_MS, 2 * EVERY_MS, 3 * EVERY_MS]);
    ensure_eq!(fx.occurrences(id).await?, expected);
    fx.check().await
}

/// A maintainer that waits is woken by a schedule that is made meanwhile, when its occurrence comes due, and
/// a worker that waits is given it, without anybody asking again.
pub(crate) async fn wakes_a_waiting_worker(fx: Fixture) -> CaseResult {
    let request = TickRequest::all().with_max_wait(ms(60_000));
    let backend = Arc::clone(&fx.backend);
    let tick = tokio::spawn(async move { backend.tick(&request).await });
    let mut claim = fx.claim_request(LANE)?;
    claim.policy = claim.policy.with_max_wait(ms(60_000));
    let backend = Arc::clone(&fx.backend);
    let worker = tokio::spawn(async move { backend.claim(&claim).await });
    fx.let_others_run().await;

    let recurrence = Recurrence::every(ms(EVERY_MS)).with_anchor(fx.in_ms(20).await);
    let spec = ScheduleSpec::new(recurrence, fx.submission("recurs")?);
    let id = fx.schedule_of(spec).await?;
    fx.let_others_run().await;
    ensure!(!tick.is_finished(), "it returned with nothing due");
    fx.advance(20).await;

    let outcome = fx.promptly(tick).await???;
    ensure_eq!(outcome.schedules_fired, 1);
    let task = fx.promptly(worker).await???.tasks.pop();
    let task = task.ok_or_else(|| CaseError::new("the worker was given nothing"))?;
    ensure_eq!(task.occurrence, Some(Occurrence::new(id, fx.now().await)));
    Ok(())
}

/// A task, its later attempts, and what describes it say which occurrence of which schedule it is; others
/// are none.
pub(crate) async fn task_knows_its_occurrence(fx: Fixture) -> CaseResult {
    let id = fx.schedule_of(fx.recurring().await?).await?;
    let at = fx.in_ms(EVERY_MS).await;
    fx.pass(1, EVERY_MS + 7).await?;

    let occurrence = Occurrence::new(id, at);
    let task = fx.claim_one().await?;
    ensure_eq!(task.occurrence, Some(occurrence));
    ensure_eq!(task.execution_id, occurrence.execution_id());
    ensure_eq!(fx.describe(task.execution_id).await?.occurrence, Some(occurrence));
    fx.advance(crate::fixture::LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(task.occurrence, Some(occurrence), "of the next attempt");
    ensure_eq!(task.execution_id, occurrence.execution_id());
    let plain = fx.submission("task")?.with_tags(Tags::new().with("schedule", "none")?);
    ensure_eq!(fx.describe(fx.submit(&plain).await?).await?.occurrence, None);
    Ok(())
}

/// By the wall clock of its zone, a fixed time that is leapt over comes when the clock has leapt, and one that
/// is shown twice comes the first time.
pub(crate) async fn wall_clock_changes_are_followed(fx: Fixture) -> CaseResult {
    // 2030-03-31 and 2030-10-27, 01:00 UTC: the hour that begins is the one after, or the same again.
    const LEAPS: TimestampMs = TimestampMs(1_901_149_200_000);
    const REPEATS: TimestampMs = TimestampMs(1_919_293_200_000);
    const HALF_HOUR_MS: u64 = 1_800_000;

    for (change, expected) in [(LEAPS, 0), (REPEATS, -1)] {
        fx.clock.set(change.saturating_sub(Duration::from_hours(12))).await;
        let recurrence = Recurrence::cron("30 2 * * *").in_time_zone("Europe/Berlin");
        let spec = ScheduleSpec::new(recurrence, fx.submission("nightly")?);
        let id = fx.schedule_of(spec.with_overlap(Overlap::Allow)).await?;
        fx.clock.set(change.saturating_sub(Duration::from_hours(3))).await;
        fx.pass(12, HALF_HOUR_MS).await?;

        let at = TimestampMs(change.as_i64() + expected * i64::try_from(HALF_HOUR_MS)?);
        ensure_eq!(fx.occurrences(id).await?, [at]);
    }
    Ok(())
}

/// An occurrence is put off by at most the jitter, by the same for each who looks, and differently from
/// others; the time that it stands for is the same.
pub(crate) async fn jitter_is_bounded_and_the_same(fx: Fixture) -> CaseResult {
    const JITTER_MS: u64 = 5_000;
    let start = fx.now().await;
    let spec = fx.recurring().await?.with_jitter(ms(JITTER_MS));
    let id = fx.schedule_of(spec.clone()).await?;
    let mut seen = Vec::new();

    for nth in 1..=6 {
        let at = after(start, [nth * EVERY_MS])[0];
        let jitter = spec.jitter_of(Occurrence::new(id, at));
        let due = at.saturating_add(jitter);
        ensure!(jitter <= ms(JITTER_MS), "it is put off by {jitter:?}");
        let view = fx.schedule_view(id).await?;
        ensure_eq!((view.next_at, view.due_at), (Some(at), Some(due)));
        ensure_eq!(fx.settle().await?.next_due, Some(due));
        fx.clock.set(TimestampMs(due.as_i64() - 1)).await;
        fx.settle().await?;
        ensure_eq!(fx.schedule_view(id).await?.counts.submitted, nth - 1);
        fx.advance(1).await;
        fx.settle().await?;
        ensure_eq!(fx.schedule_view(id).await?.latest[0].at, at);
        seen.push(jitter);
    }

    seen.sort_unstable();
    seen.dedup();
    ensure!(seen.len() > 3, "the jitter is {seen:?}");
    Ok(())
}

/// A maintainer that asks for one tag looks after schedules without tags; one with tags is looked after by
/// those that ask for them.
pub(crate) async fn untagged_is_looked_after_by_all(fx: Fixture) -> CaseResult {
    let filtered = |value: &str| ScannerFilter::new().with_instance_tag("instance", value);
    for (of_schedule, asked, fires) in
        [(None, "one", true), (Some("one"), "one", true), (Some("one"), "two", false)]
    {
        let mut request = fx.schedule(fx.recurring().await?);
        if let Some(value) = of_schedule {
            request = request.with_tags(Tags::new().with("instance", value)?);
        }
        let id: ScheduleId = fx.make_schedule(&request).await?;
        let mut foreign = filtered(asked);
        foreign.namespace = Some(ff_types::Namespace::new("elsewhere")?);
        fx.advance(EVERY_MS).await;

        fx.backend.tick_until_quiet(&foreign).await?;
        ensure_eq!(fx.schedule_view(id).await?.counts.submitted, 0, "of another namespace");
        fx.backend.tick_until_quiet(&filtered(asked)).await?;

        let submitted = fx.schedule_view(id).await?.counts.submitted;
        ensure_eq!(submitted, u64::from(fires), "tagged {of_schedule:?}, asked for {asked}");
        fx.settle().await?;
        ensure_eq!(fx.schedule_view(id).await?.counts.submitted, 1);
        fx.backend.delete_schedule(id).await?;
    }
    Ok(())
}

/// The executions draw on the budgets of the work; an unknown budget is refused when the schedule is made.
pub(crate) async fn executions_draw_on_budgets(fx: Fixture) -> CaseResult {
    let budget = fx.budget_of(3).await?;
    let estimate = UsageDimensions::new().with_output_tokens(2);
    let mut spec = fx.recurring().await?;
    let work = |budget| spec.work.clone().with_budget(budget).with_estimate(estimate.clone());
    let unknown = CreateBudget::new(fx.ids.together(0).budget_id());
    let unknown = unknown.with_limit("pages", BudgetLimit::COUNTED);
    let mut other = spec.clone();
    other.work = work(unknown.id);
    assert_code(fx.backend.create_schedule(&fx.schedule(other)).await, "budget_not_found")?;
    spec.work = work(budget);
    let id = fx.schedule_of(spec).await?;
    fx.pass(2, EVERY_MS).await?;

    let task = fx.claim_one().await?;

    ensure_eq!(fx.spent(budget).await?, (0, 2));
    ensure!(fx.claim_if_any().await?.is_none(), "there is no room for two");
    fx.backend.complete(&task.handle, None).await?;
    fx.settle().await?;
    ensure!(fx.claim_one().await?.occurrence.is_some_and(|one| one.schedule == id), "the second");
    Ok(())
}
