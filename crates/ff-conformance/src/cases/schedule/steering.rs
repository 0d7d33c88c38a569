//! What operators do with schedules.

use ff_engine::{
    AdjustLane, BackfillSchedule, LaneSettings, LaneState, ListSchedules, Misfire, Recurrence,
    ScheduleChange,
};
use ff_types::{ExecutionPolicy, LaneKey, TimestampMs};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::ms;
use crate::schedules::{EVERY_MS, after};

pub(crate) const CASES: &[Case] = &cases!["schedule":
    pause_passes_over,
    replaced_from_now_on,
    adjust_repeat_is_harmless,
    backfill_submits_each_once,
    backfill_goes_on_where_it_stopped,
    closed_lane_refuses,
    deleted_submits_nothing,
];

fn pause() -> ScheduleChange {
    ScheduleChange::Pause { reason: "a change of plans".to_owned() }
}

/// What a lane does not take in is counted as refused, and the schedule goes on; a backfill is taken in whole or not
/// at all.
pub(crate) async fn closed_lane_refuses(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let mut spec = fx.recurring().await?;
    spec.work.lane_key = Some(LaneKey::new("tenant")?);
    let lane = spec.work.lane.clone();
    let id = fx.schedule_of(spec).await?;
    let steer = || AdjustLane::new(fx.ids.request_id(), lane.clone());
    fx.backend.adjust_lane(&steer().with_state(LaneState::Draining)).await?;
    fx.pass(1, EVERY_MS).await?;
    let view = fx.schedule_view(id).await?;
    ensure_eq!((view.counts.submitted, view.counts.refused), (0, 1));
    ensure_eq!(view.refused.map(|refused| refused.code).as_deref(), Some("lane_draining"));

    let settings = LaneSettings::unlimited().with_max_queued(1);
    fx.backend.adjust_lane(&steer().with_state(LaneState::Active).with_settings(settings)).await?;
    fx.pass(2, EVERY_MS).await?;
    ensure_eq!(fx.occurrences(id).await?, after(start, [2 * EVERY_MS]));
    let run = fx.schedule_view(id).await?.latest[0].execution_id;
    ensure_eq!(
        fx.describe(run).await?.lane_key.map(|key| key.to_string()).as_deref(),
        Some("tenant")
    );
    let request = BackfillSchedule::new(id, start, after(start, [3 * EVERY_MS])[0]);
    let before = fx.snapshot().await;
    assert_code(fx.backend.backfill_schedule(&request).await, "lane_full")?;
    ensure_eq!(fx.snapshot().await, before, "a refused backfill left something");
    fx.backend.adjust_lane(&steer().with_settings(LaneSettings::unlimited())).await?;
    fx.backend.backfill_schedule(&request).await?;
    ensure_eq!(fx.occurrences(id).await?, after(start, [0, EVERY_MS, 2 * EVERY_MS]));
    fx.check().await
}

/// A paused schedule submits nothing and has no timer; when it is resumed it goes on with its next occurrence,
/// and neither submits nor counts those of the pause.
pub(crate) async fn pause_passes_over(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let all = Misfire::All { at_most: 100 };
    let id = fx.schedule_of(fx.recurring().await?.with_misfire(all)).await?;
    fx.pass(1, EVERY_MS).await?;

    fx.change(id, pause()).await?;
    ensure_eq!(fx.settle().await?.next_due, None);
    fx.pass(3, EVERY_MS).await?;
    fx.change(id, pause()).await?;
    fx.advance(EVERY_MS / 2).await;
    fx.change(id, ScheduleChange::Resume).await?;
    fx.change(id, ScheduleChange::Resume).await?;
    fx.settle().await?;
    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS]));
    fx.pass(1, EVERY_MS / 2).await?;

    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS, 5 * EVERY_MS]));
    let counts = fx.schedule_view(id).await?.counts;
    ensure_eq!((counts.submitted, counts.missed, counts.overlapped), (2, 0, 0));
    fx.check().await
}

/// Another recurrence and other work hold for all that comes behind the present, also of a schedule that is
/// paused meanwhile; what was submitted stays as it is.
pub(crate) async fn replaced_from_now_on(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let id = fx.schedule_of(fx.recurring().await?).await?;
    fx.pass(1, EVERY_MS).await?;
    let mut spec = fx.schedule_view(id).await?.spec;
    spec.recurrence = Recurrence::every(ms(1_000)).with_anchor(start);
    spec.work = fx.submission("other")?.with_priority(5);
    fx.change(id, pause()).await?;

    fx.change(id, ScheduleChange::Replace(Box::new(spec.clone()))).await?;
    fx.pass(1, 1_500).await?;
    ensure_eq!(fx.occurrences(id).await?.len(), 1, "it is paused");
    fx.change(id, ScheduleChange::Resume).await?;
    fx.pass(1, 600).await?;

    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS, EVERY_MS + 2_000]));
    let task = fx.claim_one().await?;
    ensure_eq!((task.kind.as_str(), task.priority), ("other", 5));
    ensure_eq!(fx.schedule_view(id).await?.spec, spec.of_schedule(id));
    fx.check().await
}

/// A repeat of a request changes nothing, also when others came between.
pub(crate) async fn adjust_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let id = fx.schedule_of(fx.recurring().await?).await?;
    let paused = fx.changing(id, pause());
    fx.backend.adjust_schedule(&paused).await?;
    let resumed = fx.changing(id, ScheduleChange::Resume);
    fx.backend.adjust_schedule(&resumed).await?;
    fx.pass(2, EVERY_MS).await?;
    let before = fx.snapshot().await;

    fx.backend.adjust_schedule(&paused).await?;
    fx.backend.adjust_schedule(&resumed).await?;

    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    Ok(())
}

/// The occurrences of the range are submitted, but for those that are there: by themselves, by an earlier
/// backfill, or by the same one, repeated. Neither a pause nor a bound of the past is in the way.
pub(crate) async fn backfill_submits_each_once(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let id = fx.schedule_of(fx.recurring().await?).await?;
    fx.pass(2, EVERY_MS).await?;
    fx.change(id, pause()).await?;
    fx.pass(3, EVERY_MS).await?;
    let from = start.saturating_sub(ms(EVERY_MS));

    let request = BackfillSchedule::new(id, from, after(start, [5 * EVERY_MS])[0]);
    let outcome = fx.backend.backfill_schedule(&request).await?;

    let covered: Vec<_> = outcome.runs.iter().map(|run| run.at).collect();
    let expected: Vec<_> = (0..6).map(|nth| from.saturating_add(ms(nth * EVERY_MS))).collect();
    ensure_eq!((&covered, outcome.next_from), (&expected, None));
    ensure_eq!(fx.occurrences(id).await?, expected);
    for run in &outcome.runs {
        let occurrence = fx.describe(run.execution_id).await?.occurrence;
        ensure_eq!(occurrence.map(|one| one.at), Some(run.at));
    }
    let before = fx.snapshot().await;
    ensure_eq!(fx.backend.backfill_schedule(&request).await?, outcome);
    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    let counts = fx.schedule_view(id).await?.counts;
    ensure_eq!((counts.submitted, counts.backfilled), (2, 4));
    fx.change(id, ScheduleChange::Resume).await?;
    fx.advance(EVERY_MS).await;
    let request = BackfillSchedule::new(id, from, fx.in_ms(0).await).with_limit(9);
    fx.backend.backfill_schedule(&request).await?;
    fx.advance(1).await;
    let due = BackfillSchedule::new(id, from, fx.now().await);
    fx.backend.backfill_schedule(&due).await?;
    fx.settle().await?;
    let all = fx.occurrences(id).await?;
    ensure_eq!(all.len(), 8, "an occurrence that a backfill came before is not submitted again");
    fx.check().await
}

/// A range of more occurrences than the limit is covered in parts, each of which says where the next begins.
pub(crate) async fn backfill_goes_on_where_it_stopped(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retention(ms(1_000));
    let mut spec = fx.recurring().await?;
    spec.work = spec.work.with_policy(policy);
    let id = fx.schedule_of(spec).await?;
    let to = fx.now().await;
    let mut from = to.saturating_sub(ms(7 * EVERY_MS));
    let mut parts = Vec::new();

    loop {
        let request = BackfillSchedule::new(id, from, to).with_limit(3);
        let outcome = fx.backend.backfill_schedule(&request).await?;
        parts.push(outcome.runs.len());
        let Some(next) = outcome.next_from else { break };
        from = next;
    }

    ensure_eq!(parts, [3, 3, 1]);
    ensure_eq!(fx.occurrences(id).await?.len(), 7);
    let nothing = BackfillSchedule::new(id, TimestampMs(to.as_i64() - 5), to);
    ensure_eq!(fx.backend.backfill_schedule(&nothing).await?.runs, []);
    Ok(())
}

/// A deleted schedule submits nothing and is listed no more; its executions stay. To delete it again, or one
/// that never was, has no effect, and the same one can be made anew.
pub(crate) async fn deleted_submits_nothing(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let request = fx.schedule(fx.recurring().await?);
    let id = fx.make_schedule(&request).await?;
    fx.pass(1, EVERY_MS).await?;

    for _ in 0..2 {
        fx.backend.delete_schedule(id).await?;
    }
    ensure_eq!(fx.settle().await?.next_due, None);
    fx.pass(2, EVERY_MS).await?;

    assert_code(fx.backend.describe_schedule(id).await, "schedule_not_found")?;
    ensure!(fx.backend.list_schedules(&ListSchedules::all()).await?.is_empty(), "it is listed");
    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS]));
    let task = fx.claim_one().await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.make_schedule(&request).await?;
    fx.pass(1, EVERY_MS).await?;
    ensure_eq!(fx.occurrences(id).await?, after(start, [EVERY_MS, 4 * EVERY_MS]));
    fx.check().await
}
