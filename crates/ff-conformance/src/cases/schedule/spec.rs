//! What a schedule is, and how it is made and read.

use ff_engine::{
    BackfillSchedule, CreateSchedule, Idempotency, ListSchedules, Misfire, Overlap, Recurrence,
    ScheduleChange, ScheduleSpec, ScheduleState,
};
use ff_types::{IdempotencyKey, Tags, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{
    Case, CaseResult, assert_code, assert_invalid, assert_too_large, cases, ensure, ensure_eq,
};
use crate::fixture::ms;
use crate::schedules::{EVERY_MS, after};

pub(crate) const CASES: &[Case] = &cases!["schedule":
    create_repeat_is_harmless,
    id_clash_is_a_conflict,
    limits_are_enforced,
    unknown_is_not_found,
    bounds_are_kept,
    describe_shows_all,
    listing_is_stable,
];

/// A repeat makes nothing and changes nothing, whatever became of the schedule.
pub(crate) async fn create_repeat_is_harmless(fx: Fixture) -> CaseResult {
    let request = fx.schedule(fx.recurring().await?);
    let id = fx.make_schedule(&request).await?;
    fx.pass(2, EVERY_MS).await?;
    let other = request.spec.clone().with_note("from now on");
    fx.change(id, ScheduleChange::Replace(Box::new(other))).await?;
    let before = fx.snapshot().await;

    fx.backend.create_schedule(&request).await?;

    ensure_eq!(fx.snapshot().await, before, "a repeat changed something");
    ensure_eq!(fx.schedule_view(id).await?.spec.note, "from now on");
    Ok(())
}

/// The same id with another recurrence, work, policy, bound, note or tag is refused.
pub(crate) async fn id_clash_is_a_conflict(fx: Fixture) -> CaseResult {
    let request = fx.schedule(fx.recurring().await?);
    fx.make_schedule(&request).await?;
    let before = fx.snapshot().await;
    let spec = || request.spec.clone();
    let mut other_work = spec();
    other_work.work = other_work.work.with_priority(1);
    let mut other_time = spec();
    other_time.recurrence = Recurrence::cron("@daily");

    for spec in [
        other_work,
        other_time,
        spec().with_jitter(ms(1)),
        spec().with_misfire(Misfire::All { at_most: 1 }),
        spec().with_grace(ms(1)),
        spec().with_overlap(Overlap::Skip),
        spec().with_starts_at(TimestampMs(1)),
        spec().with_ends_at(TimestampMs(i64::MAX / 1_000_000)),
        spec().with_note("other"),
    ] {
        let other = CreateSchedule::new(request.id, spec);
        assert_code(fx.backend.create_schedule(&other).await, "conflict_schedule_id")?;
    }
    let other = request.clone().with_tags(Tags::new().with("team", "red")?);
    assert_code(fx.backend.create_schedule(&other).await, "conflict_schedule_id")?;

    ensure_eq!(fx.snapshot().await, before, "a refused schedule left something");
    Ok(())
}

/// What is malformed or out of range is refused, and the field named, when a schedule is made, changed,
/// backfilled or listed.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let spec = fx.recurring().await?;
    let id = fx.schedule_of(spec.clone()).await?;
    fx.pass(1, EVERY_MS).await?;
    let before = fx.snapshot().await;
    let recurring = |recurrence| {
        let mut other = spec.clone();
        other.recurrence = recurrence;
        other
    };
    let mut keyed = spec.clone();
    let key = Idempotency::new(IdempotencyKey::new("order-7")?);
    keyed.work = keyed.work.with_idempotency(key);
    let mut delayed = spec.clone();
    delayed.work.delay_until = Some(TimestampMs(1));
    let mut mortal = spec.clone();
    mortal.work.deadline = Some(TimestampMs(1));
    let mut urgent = spec.clone();
    urgent.work.priority = limits::PRIORITY_MAX + 1;
    let over = ms(limits::SCHEDULE_INTERVAL_MAX_MS + 1);
    let late = TimestampMs(limits::TIMESTAMP_MAX_MS + 1);
    let calendar = recurring(Recurrence::cron("@daily"));
    for (field, spec) in [
        ("recurrence.expression", recurring(Recurrence::cron("61 * * * *"))),
        ("recurrence.expression", recurring(Recurrence::cron("0 0 30 2 *"))),
        ("recurrence.time_zone", recurring(Recurrence::cron("@daily").in_time_zone("Mars/Mons"))),
        ("recurrence.interval", recurring(Recurrence::every(ms(999)))),
        ("recurrence.interval", recurring(Recurrence::every(over))),
        ("recurrence.anchor", recurring(Recurrence::every(ms(1_000)).with_anchor(late))),
        ("jitter", spec.clone().with_jitter(ms(EVERY_MS + 1))),
        ("jitter", calendar.clone().with_jitter(ms(limits::SCHEDULE_JITTER_MAX_MS + 1))),
        ("grace", spec.clone().with_grace(ms(limits::SCHEDULE_GRACE_MAX_MS + 1))),
        ("misfire.at_most", spec.clone().with_misfire(Misfire::All { at_most: 0 })),
        ("misfire.at_most", spec.clone().with_misfire(Misfire::All { at_most: 101 })),
        ("starts_at", spec.clone().with_starts_at(late)),
        ("ends_at", spec.clone().with_starts_at(TimestampMs(9)).with_ends_at(TimestampMs(9))),
        ("work.idempotency", keyed),
        ("work.delay_until", delayed),
        ("work.deadline", mortal),
        ("priority", urgent),
    ] {
        assert_invalid(fx.backend.create_schedule(&fx.schedule(spec.clone())).await, field)?;
        let change = fx.changing(id, ScheduleChange::Replace(Box::new(spec)));
        assert_invalid(fx.backend.adjust_schedule(&change).await, field)?;
    }
    let max = limits::SCHEDULE_NOTE_MAX_BYTES;
    let noted = fx.schedule(spec.clone().with_note("x".repeat(max + 1)));
    assert_too_large(fx.backend.create_schedule(&noted).await, max, max + 1)?;
    let max = limits::CRON_MAX_BYTES;
    let long = fx.schedule(recurring(Recurrence::cron("*".repeat(max + 1))));
    assert_too_large(fx.backend.create_schedule(&long).await, max, max + 1)?;
    let max = limits::REASON_MAX_BYTES;
    let pause = fx.changing(id, ScheduleChange::Pause { reason: "x".repeat(max + 1) });
    assert_too_large(fx.backend.adjust_schedule(&pause).await, max, max + 1)?;
    let now = fx.now().await;
    let backfill = |from, to| BackfillSchedule::new(id, from, to);
    for (field, request) in [
        ("from", backfill(TimestampMs(-1), now)),
        ("to", backfill(now, now)),
        ("to", backfill(now, now.saturating_add(ms(1)))),
        ("limit", backfill(TimestampMs::ZERO, now).with_limit(0)),
        ("limit", backfill(TimestampMs::ZERO, now).with_limit(101)),
    ] {
        assert_invalid(fx.backend.backfill_schedule(&request).await, field)?;
    }
    for limit in [0, limits::LIST_LIMIT_MAX + 1] {
        let page = ListSchedules::all().with_limit(limit);
        assert_invalid(fx.backend.list_schedules(&page).await, "limit")?;
    }

    ensure_eq!(fx.snapshot().await, before, "a refused call left something");
    Ok(())
}

/// Every verb but the making and the deleting of an unknown schedule says so.
pub(crate) async fn unknown_is_not_found(fx: Fixture) -> CaseResult {
    let unknown = fx.ids.schedule_id();
    let now = fx.now().await;
    let code = "schedule_not_found";
    assert_code(fx.backend.describe_schedule(unknown).await, code)?;
    let resume = fx.changing(unknown, ScheduleChange::Resume);
    assert_code(fx.backend.adjust_schedule(&resume).await, code)?;
    let backfill = BackfillSchedule::new(unknown, TimestampMs::ZERO, now);
    assert_code(fx.backend.backfill_schedule(&backfill).await, code)
}

/// There is no occurrence before the start, and none at the end or behind it: then the schedule has ended,
/// and is kept.
pub(crate) async fn bounds_are_kept(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let bounds = after(start, [2 * EVERY_MS, 4 * EVERY_MS]);
    let spec = fx.recurring().await?.with_starts_at(bounds[0]).with_ends_at(bounds[1]);
    let id = fx.schedule_of(spec).await?;
    ensure_eq!(fx.schedule_view(id).await?.next_at, Some(bounds[0]));

    fx.pass(6, EVERY_MS).await?;

    ensure_eq!(fx.occurrences(id).await?, after(start, [2 * EVERY_MS, 3 * EVERY_MS]));
    let view = fx.schedule_view(id).await?;
    ensure_eq!((view.state, view.next_at, view.due_at), (ScheduleState::Ended, None, None));
    ensure_eq!(view.upcoming(5)?, []);
    fx.check().await
}

/// Spec, tags, state, pause, next occurrence, latest runs and counts are shown as they are.
pub(crate) async fn describe_shows_all(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let recurrence = Recurrence::cron("*/5 * * * 1-5").in_time_zone("America/New_York");
    let work = fx.submission("recurs")?.with_priority(3);
    let work = work.with_tags(Tags::new().with("instance", "one")?);
    let spec = ScheduleSpec::new(recurrence, work)
        .with_jitter(ms(2_000))
        .with_misfire(Misfire::All { at_most: 7 })
        .with_grace(ms(90_000))
        .with_overlap(Overlap::BufferOne)
        .with_starts_at(TimestampMs(1))
        .with_ends_at(TimestampMs::MAX)
        .with_note("of the night");
    let tags = Tags::new().with("team", "red")?;
    let request = fx.schedule(spec.clone()).with_tags(tags.clone());
    let id = fx.make_schedule(&request).await?;

    let view = fx.schedule_view(id).await?;
    ensure_eq!((view.schedule_id, view.created_at, &view.tags), (id, start, &tags));
    ensure_eq!(view.spec, spec.of_schedule(id));
    ensure_eq!((view.state, &view.paused, view.waiting), (ScheduleState::Active, &None, None));
    ensure_eq!(view.upcoming(12)?, spec.upcoming(start, 12)?);
    ensure_eq!(view.next_at, spec.upcoming(start, 1)?.first().copied());
    ensure!(view.due_at >= view.next_at && view.latest.is_empty(), "it is {view:?}");

    let plain = fx.schedule_of(fx.recurring().await?.with_ends_at(fx.in_ms(130_000).await)).await?;
    fx.pass(12, EVERY_MS).await?;
    fx.change(plain, ScheduleChange::Pause { reason: "a change of plans".to_owned() }).await?;
    let view = fx.schedule_view(plain).await?;
    let paused = view.paused.as_ref().map(|pause| (pause.reason.as_str(), pause.since));
    ensure_eq!(paused, Some(("a change of plans", fx.now().await)));
    ensure_eq!((view.state, view.next_at, view.due_at), (ScheduleState::Paused, None, None));
    ensure_eq!((view.counts.submitted, view.latest.len()), (12, limits::SCHEDULE_REMEMBERED_RUNS));
    for (nth, run) in view.latest.iter().enumerate() {
        ensure_eq!(run.at, after(start, [(12 - nth as u64) * EVERY_MS])[0]);
        let occurrence = fx.describe(run.execution_id).await?.occurrence;
        ensure_eq!(occurrence.map(|one| one.at), Some(run.at));
    }
    Ok(())
}

/// Following the last ids gives each schedule once, in the order of their ids, whatever partition they are in.
pub(crate) async fn listing_is_stable(fx: Fixture) -> CaseResult {
    let mut made = Vec::new();
    for _ in 0..7 {
        let request = CreateSchedule::new(fx.ids.schedule_id(), fx.recurring().await?);
        made.push(fx.make_schedule(&request).await?);
    }
    made.sort_unstable();

    for size in [1, 3, 7, 8] {
        let mut request = ListSchedules::all().with_limit(size);
        let mut seen = Vec::new();
        loop {
            let page = fx.backend.list_schedules(&request).await?;
            seen.extend(page.iter().map(|view| view.schedule_id));
            match page.last() {
                Some(last) if page.len() == size as usize => {
                    request = request.with_after(last.schedule_id);
                }
                _ => break,
            }
        }
        ensure_eq!(seen, made, "pages of {size}");
    }
    let all = fx.backend.list_schedules(&ListSchedules::all()).await?;
    ensure_eq!(all[2], fx.schedule_view(made[2]).await?);
    Ok(())
}
