//! The code of the guide to schedules, and what the SDK makes of schedules.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::Rig;
use ff_sdk::prelude::*;
use ff_sdk::{
    BudgetLimit, EngineError, ListSchedules, Misfire, Overlap, ScheduleId, ScheduleState,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

// region: create
fn sales_report() -> Schedule {
    Schedule::cron("0 9 * * mon-fri", Job::new("report", "sales").lane("reports"))
        .named("sales report")
        .time_zone("Europe/Berlin")
        .jitter(Duration::from_mins(1))
        .misfire(Misfire::Once)
        .overlap(Overlap::Skip)
}

async fn start(client: &Client) -> Result<ScheduleId, EngineError> {
    client.apply_schedule(&sales_report()).await
}
// endregion

// region: handle
async fn report(task: ClaimedTask, of: String) -> Result<String, TaskError> {
    match task.scheduled_for() {
        Some(day) => Ok(format!("{of}, up to {day}")),
        None => Ok(format!("{of}, so far")),
    }
}
// endregion

// region: backfill
async fn make_up_for(
    client: &Client,
    id: ScheduleId,
    mut from: TimestampMs,
    to: TimestampMs,
) -> Result<usize, EngineError> {
    let mut occurrences = 0;
    loop {
        let outcome = client.backfill_schedule(id, from, to).await?;
        occurrences += outcome.runs.len();
        match outcome.next_from {
            Some(next) => from = next,
            None => return Ok(occurrences),
        }
    }
}
// endregion

/// Moves the clock at once, as if nobody had anything to do in between.
async fn jump(rig: &Rig, by: Duration) {
    rig.settle().await;
    rig.clock.advance(by);
    rig.settle().await;
}

/// The answer of a call that is repeated after some waits.
async fn answered<T>(rig: &Rig, call: impl Future<Output = Result<T, EngineError>>) -> T {
    tokio::join!(call, rig.pass(5 * SECOND)).0.unwrap()
}

#[tokio::test]
async fn the_schedule_of_the_guide_reports_on_each_working_day() {
    let rig = Rig::new();
    let worker = rig.worker().lane("reports").handler("report", report).build().unwrap().start();
    let id = start(&rig.client).await.unwrap();
    let days = rig.client.schedule(id).await.unwrap().upcoming(2).unwrap();

    // The clock stands at midnight, and the report is due some minutes after nine in Berlin.
    for _ in 0..10 * 60 {
        jump(&rig, MINUTE).await;
    }

    let view = rig.client.schedule(id).await.unwrap();
    assert_eq!((view.counts.submitted, view.next_at), (1, Some(days[1])));
    let run = view.latest[0];
    assert_eq!(run.at, days[0]);
    let told: String = rig.client.result(run.execution_id).await.unwrap();
    assert_eq!(told, format!("sales, up to {}", days[0]));
    let once = rig.submit(Job::new("report", "sales").lane("reports")).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.client.result::<String>(once).await.unwrap(), "sales, so far");
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn one_name_is_one_schedule_that_can_be_replaced() {
    let rig = Rig::new();
    let client = &rig.client;
    for _ in 0..2 {
        rig.backend.lose_answer("create_schedule");
    }
    let id = answered(&rig, start(client)).await;
    assert_eq!(client.create_schedule(&sales_report()).await.unwrap(), id);
    let later = sales_report().note("an hour later").time_zone("Europe/London");
    let refused = client.create_schedule(&later).await.unwrap_err();
    assert_eq!(refused.code(), "conflict_schedule_id");

    rig.backend.lose_answer("adjust_schedule");
    assert_eq!(answered(&rig, client.apply_schedule(&later)).await, id);

    let view = client.schedule(id).await.unwrap();
    assert_eq!(view.spec.note, "an hour later");
    assert_eq!(view.upcoming(3).unwrap(), later.upcoming(view.created_at, 3).unwrap());
    assert_eq!(client.list_schedules(&ListSchedules::all()).await.unwrap().len(), 1);
    client.delete_schedule(id).await.unwrap();
    assert!(client.list_schedules(&ListSchedules::all()).await.unwrap().is_empty());
    let bad = Schedule::cron("0 25 * * *", Job::new("report", "sales"));
    let refused = client.create_schedule(&bad).await.unwrap_err();
    assert!(refused.to_string().starts_with("recurrence.expression is no cron"), "{refused}");
    let late = Schedule::every(SECOND, Job::new("report", "sales").delay(SECOND));
    let refused = client.create_schedule(&late).await.unwrap_err();
    assert!(refused.to_string().starts_with("work.delay_until cannot have"), "{refused}");
}

#[tokio::test]
async fn what_does_not_go_with_a_schedule_is_refused() {
    let rig = Rig::new();
    let job = || Job::new("report", "sales");
    let refused = async |schedule: Schedule| {
        rig.client.create_schedule(&schedule).await.expect_err("it is refused").to_string()
    };

    let zoned = refused(Schedule::every(SECOND, job()).time_zone("Mars")).await;
    assert_eq!(zoned, "time_zone does not go with an interval");
    let anchored = refused(Schedule::cron("@daily", job()).anchor(TimestampMs(1))).await;
    assert_eq!(anchored, "anchor does not go with a cron expression");
    assert_eq!(refused(Schedule::cron("@daily", job()).named("")).await, "name must not be empty");
    let long = refused(Schedule::cron("@daily", job()).named("n".repeat(257))).await;
    assert_eq!(long, "name is 257, the limit is 256");
}

#[tokio::test]
async fn the_name_is_the_note_unless_that_is_set() {
    let rig = Rig::new();
    let schedule = Schedule::cron("@daily", Job::new("report", "sales")).named("sales report");

    let id = rig.client.create_schedule(&schedule).await.expect("it is made");

    assert_eq!(rig.client.schedule(id).await.expect("it is there").spec.note, "sales report");
}

#[tokio::test]
async fn a_pause_is_passed_over_and_made_up_for_once() {
    let rig = Rig::new();
    let worker = rig.worker().handler("report", report).build().unwrap().start();
    let client = &rig.client;
    let every = Schedule::every(MINUTE, Job::new("report", "sales")).overlap(Overlap::Allow);
    let id = client.create_schedule(&every).await.unwrap();
    let from = client.schedule(id).await.unwrap().created_at;
    client.pause_schedule(id, "a change of plans").await.unwrap();
    jump(&rig, 3 * MINUTE).await;
    assert_eq!(client.schedule(id).await.unwrap().state, ScheduleState::Paused);
    client.resume_schedule(id).await.unwrap();
    assert_eq!(client.schedule(id).await.unwrap().counts.submitted, 0);

    let to = from.saturating_add(3 * MINUTE);
    rig.backend.lose_answer("backfill_schedule");
    let made = answered(&rig, make_up_for(client, id, from, to)).await;
    assert_eq!(make_up_for(client, id, from, to).await.unwrap(), made);
    for _ in 0..2 {
        jump(&rig, MINUTE).await;
    }

    let counts = client.schedule(id).await.unwrap().counts;
    assert_eq!((counts.backfilled, counts.submitted), (made as u64, 2));
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

#[tokio::test]
async fn a_schedule_lies_where_the_budget_of_its_job_does() {
    let rig = Rig::new();
    let budget = rig.client.new_budget().with_limit("pages", BudgetLimit::COUNTED);
    rig.client.create_budget(&budget).await.unwrap();
    let job = Job::new("report", "sales").budget(budget.id);

    let id = rig.client.create_schedule(&Schedule::every(MINUTE, job)).await.unwrap();

    assert_eq!(id.shard(), budget.id.shard());
}
