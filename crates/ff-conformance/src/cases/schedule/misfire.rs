//! What becomes of occurrences that come late: nobody looked, or the clock jumped.

use ff_engine::{Misfire, ScheduleSpec, TickRequest};
use ff_types::{ScheduleId, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::ms;
use crate::schedules::{EVERY_MS, after};

pub(crate) const CASES: &[Case] = &cases!["schedule":
    misfire_skip,
    misfire_once,
    misfire_all,
    grace_covers_short_delays,
    one_look_is_bounded,
];

/// How many occurrences are jumped over: more than one look counts one by one.
const JUMPED: u64 = 2_500;
const MINUTE_MS: u64 = 60_000;

/// A schedule whose occurrences are missed at once, and the start of its grid.
async fn jumped(fx: &Fixture, misfire: Misfire) -> CaseResult<(ScheduleId, TimestampMs)> {
    let start = fx.now().await;
    let spec = fx.recurring().await?.with_misfire(misfire).with_grace(ms(1));
    let id = fx.schedule_of(spec).await?;
    fx.advance(JUMPED * EVERY_MS + 2).await;
    fx.settle().await?;
    Ok((id, start))
}

/// A schedule with a cron expression in the same place: its occurrences can only be counted one by one.
async fn jumped_by_calendar(
    fx: &Fixture,
    misfire: Misfire,
) -> CaseResult<(ScheduleId, TimestampMs)> {
    let start = fx.now().await;
    let recurrence = ff_engine::Recurrence::cron("* * * * *");
    let spec = ScheduleSpec::new(recurrence, fx.submission("recurs")?).with_misfire(misfire);
    let spec = spec.with_grace(ms(1)).with_overlap(ff_engine::Overlap::Allow);
    let id = fx.schedule_of(spec).await?;
    fx.advance(JUMPED * MINUTE_MS + 2).await;
    fx.settle().await?;
    Ok((id, start))
}

/// A jump forward over many occurrences submits none of them, and the next comes at its time.
pub(crate) async fn misfire_skip(fx: Fixture) -> CaseResult {
    let (id, start) = jumped(&fx, Misfire::Skip).await?;
    let counts = fx.schedule_view(id).await?.counts;
    ensure_eq!((counts.submitted, counts.missed), (0, JUMPED));

    fx.advance(EVERY_MS - 2).await;
    fx.settle().await?;

    ensure_eq!(fx.occurrences(id).await?, after(start, [(JUMPED + 1) * EVERY_MS]));
    fx.check().await
}

/// A jump forward over many occurrences submits the latest of them, by an interval or by the calendar.
pub(crate) async fn misfire_once(fx: Fixture) -> CaseResult {
    let (id, start) = jumped(&fx, Misfire::Once).await?;
    let other = fx.second().await?;
    let (by_calendar, day) = jumped_by_calendar(&other, Misfire::Once).await?;

    for (fx, id, at) in [
        (&fx, id, after(start, [JUMPED * EVERY_MS])),
        (&other, by_calendar, after(day, [JUMPED * MINUTE_MS])),
    ] {
        let counts = fx.schedule_view(id).await?.counts;
        ensure_eq!((counts.submitted, counts.missed), (1, JUMPED - 1));
        ensure_eq!(fx.occurrences(id).await?, at);
        fx.check().await?;
    }
    Ok(())
}

/// A jump forward over many occurrences submits the latest of them, up to a number, in their order.
pub(crate) async fn misfire_all(fx: Fixture) -> CaseResult {
    let (id, start) = jumped(&fx, Misfire::All { at_most: 3 }).await?;
    let other = fx.second().await?;
    let (by_calendar, _) = jumped_by_calendar(&other, Misfire::All { at_most: 3 }).await?;

    for (fx, id) in [(&fx, id), (&other, by_calendar)] {
        let view = fx.schedule_view(id).await?;
        ensure_eq!((view.counts.submitted, view.counts.missed), (3, JUMPED - 3));
        ensure!(view.latest.is_sorted_by(|one, other| one.at > other.at), "the latest is first");
    }
    let latest = [(JUMPED - 2) * EVERY_MS, (JUMPED - 1) * EVERY_MS, JUMPED * EVERY_MS];
    ensure_eq!(fx.occurrences(id).await?, after(start, latest));
    ensure!(fx.schedule_view(id).await?.due_at.is_some_and(|due| due > start), "it goes on");
    fx.check().await
}

/// Occurrences that are late by no more than the grace are submitted, each of them, whatever the policy.
pub(crate) async fn grace_covers_short_delays(fx: Fixture) -> CaseResult {
    let start = fx.now().await;
    let grace = ms(2 * EVERY_MS);
    let spec = fx.recurring().await?.with_misfire(Misfire::Skip).with_grace(grace);
    let id = fx.schedule_of(spec).await?;

    fx.advance(4 * EVERY_MS).await;
    fx.settle().await?;

    let expected = after(start, [2 * EVERY_MS, 3 * EVERY_MS, 4 * EVERY_MS]);
    ensure_eq!(fx.occurrences(id).await?, expected);
    ensure_eq!(fx.schedule_view(id).await?.counts.missed, 1);
    Ok(())
}

/// One look submits at most a hundred occurrences and counts at most a thousand; `next_due` tells that more
/// is due.
pub(crate) async fn one_look_is_bounded(fx: Fixture) -> CaseResult {
    let most = u64::try_from(limits::SCHEDULE_FIRED_MAX)?;
    let piled_up = 2 * most + 50;
    let grace = ms((piled_up + 10) * EVERY_MS);
    let id = fx.schedule_of(fx.recurring().await?.with_grace(grace)).await?;
    fx.advance(piled_up * EVERY_MS).await;

    for submitted in [most, 2 * most, piled_up] {
        let outcome = fx.backend.tick(&TickRequest::all()).await?;
        ensure_eq!(outcome.schedules_fired, 1);
        ensure_eq!(fx.schedule_view(id).await?.counts.submitted, submitted);
        let now = fx.now().await;
        ensure_eq!(outcome.next_due.is_some_and(|due| due <= now), submitted < piled_up);
    }
    let start = fx.now().await;
    let recurrence = ff_engine::Recurrence::cron("* * * * *");
    let spec = ScheduleSpec::new(recurrence, fx.submission("recurs")?);
    let by_calendar = fx.schedule_of(spec.with_misfire(Misfire::Skip).with_grace(ms(0))).await?;
    fx.backend.delete_schedule(id).await?;
    fx.clock.set(start.saturating_add(ms(2_500 * MINUTE_MS))).await;
    let counted = u64::try_from(limits::SCHEDULE_COUNTED_MAX)?;
    for looks in 1..=2 {
        fx.backend.tick(&TickRequest::all()).await?;
        ensure_eq!(fx.schedule_view(by_calendar).await?.counts.missed, looks * counted);
    }
    Ok(())
}
