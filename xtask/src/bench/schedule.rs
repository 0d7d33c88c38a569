//! Schedules whose occurrences come due in the same second: how long after it until all are submitted, each
//! once, with one maintainer and with several that race.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use ff_engine::{
    Clock as _, CreateSchedule, ListRequest, ListSchedules, Occurrence, ReadOps as _, Recurrence,
    ScheduleOps as _, ScheduleSpec, SystemClock, TickRequest, TimerOps as _,
};
use ff_types::TimestampMs;
use futures_util::future::try_join_all;
use serde::Serialize;

use super::Common;
use super::report::{Figure, Report, real};
use super::rig::{Rig, block_on, server_version};

/// What a tick of the SDK waits.
const TICK_WAIT: Duration = Duration::from_secs(1);
const SECOND_MS: usize = 1_000;
const PAYLOAD_BYTES: usize = 64;
/// Schedules that are made at once.
const MADE_AT_ONCE: usize = 64;
/// Far enough apart that each has one occurrence.
const INTERVAL: Duration = Duration::from_hours(24);
/// When all must be submitted, after the second.
const TARGET_MS: f64 = 2_000.0;
/// When the bench gives up, after the second.
const GIVE_UP_MS: i64 = 60_000;

/// Arguments of the schedule bench.
#[derive(Debug, clap::Args)]
pub(super) struct ScheduleArgs {
    /// How many schedules come due.
    #[arg(long, default_value_t = 10_000)]
    due: usize,
    /// How many maintainers look after them.
    #[arg(long, value_delimiter = ',', default_value = "1,5")]
    maintainers: Vec<usize>,
    /// How long before the second they are made.
    #[arg(long, default_value_t = 15)]
    lead_seconds: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Row {
    due: usize,
    maintainers: usize,
    made_us: Figure,
    all_submitted_after_ms: Figure,
    server_ms: Figure,
    calls: Figure,
}

/// What one run measured.
struct Run {
    made_us: f64,
    submitted_after_ms: f64,
    server_ms: f64,
    calls: u64,
}

pub(super) fn run(args: &ScheduleArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report::new("schedule", "valkey", Some(server_version()?), &args.common)?;
    println!(
        "| due in a second | maintainers | made, µs of the server each | all submitted after it, ms | server time, ms | calls |"
    );
    println!("|--:|--:|--:|--:|--:|--:|");
    for &maintainers in &args.maintainers {
        let mut runs = Vec::new();
        for run in 0..args.common.runs {
            let rig = Rig::start(args.common.seed, run)?;
            runs.push(block_on(submitted(&rig, args, maintainers.max(1)))?);
        }
        let row = Row {
            due: args.due,
            maintainers,
            made_us: Figure::each(&runs, |run| run.made_us),
            all_submitted_after_ms: Figure::each(&runs, |run| run.submitted_after_ms),
            server_ms: Figure::each(&runs, |run| run.server_ms),
            calls: Figure::each(&runs, |run| real(run.calls)),
        };
        println!(
            "| {} | {maintainers} | {} | {} | {} | {} |",
            row.due, row.made_us, row.all_submitted_after_ms, row.server_ms, row.calls
        );
        report.rows.push(row);
        let name = format!("all submitted by {maintainers} / the target of 2 s");
        report.ratio(&name, Figure::each(&runs, |run| run.submitted_after_ms / TARGET_MS));
    }
    report.finish(&args.common)
}

async fn submitted(rig: &Rig, args: &ScheduleArgs, maintainers: usize) -> anyhow::Result<Run> {
    let (backend, random) = (rig.backend().await?, rig.random());
    let second = SystemClock.now().saturating_add(Duration::from_secs(args.lead_seconds));
    let requests: Vec<_> = rig
        .submissions(args.due, PAYLOAD_BYTES)
        .into_iter()
        .map(|work| {
            let within = Duration::from_millis(random.below(SECOND_MS) as u64);
            let recurrence = Recurrence::every(INTERVAL).with_anchor(second.saturating_add(within));
            CreateSchedule::new(rig.ids.schedule_id(), ScheduleSpec::new(recurrence, work))
        })
        .collect();
    rig.reset_counts()?;
    for some in requests.chunks(MADE_AT_ONCE) {
        try_join_all(some.iter().map(|request| backend.create_schedule(request))).await?;
    }
    let made = rig.counts()?.get("fcall").copied().context("functions are counted")?;
    anyhow::ensure!(SystemClock.now() < second, "the making took longer than the lead");

    rig.reset_counts()?;
    let over = second.saturating_add(Duration::from_secs(1));
    let mut backends = vec![backend];
    while backends.len() < maintainers {
        backends.push(rig.backend().await?);
    }
    let done = std::sync::atomic::AtomicUsize::new(0);
    let looks = backends.iter().map(async |backend| {
        use std::sync::atomic::Ordering::Relaxed;

        let request = TickRequest::all().with_max_wait(TICK_WAIT);
        while done.load(Relaxed) < args.due {
            let fired = backend.tick(&request).await?.schedules_fired;
            done.fetch_add(usize::try_from(fired)?, Relaxed);
            let late = since(over) > GIVE_UP_MS;
            anyhow::ensure!(!late, "only {done:?} are fired a minute later");
        }
        anyhow::Ok(since(over))
    });
    let ends = try_join_all(looks).await?;
    let submitted_after_ms = real(u64::try_from(ends.into_iter().min().unwrap_or(0).max(0))?);
    let fcall = rig.counts()?.get("fcall").copied().unwrap_or_default();
    each_once(&backends[0], &requests).await?;
    Ok(Run {
        made_us: real(made.micros) / real(args.due as u64),
        submitted_after_ms,
        server_ms: real(fcall.micros) / 1e3,
        calls: fcall.calls,
    })
}

/// There is one execution for each schedule, and no other, and each schedule counts one.
async fn each_once(
    backend: &ff_backend_valkey::ValkeyBackend,
    requests: &[CreateSchedule],
) -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    let mut request = ListRequest::new().with_limit(1_000);
    loop {
        let page = backend.list_executions(&request).await?;
        for item in page.items {
            anyhow::ensure!(found.insert(item.execution_id), "{} twice", item.execution_id);
        }
        let Some(cursor) = page.next else { break };
        request = request.with_cursor(cursor);
    }
    let expected: BTreeSet<_> = requests
        .iter()
        .map(|one| {
            let Recurrence::Every { anchor, .. } = one.spec.recurrence else {
                unreachable!("they are made with intervals")
            };
            Occurrence::new(one.id, anchor).execution_id()
        })
        .collect();
    anyhow::ensure!(found == expected, "{} of {} executions", found.len(), expected.len());
    let mut request = ListSchedules::all().with_limit(1_000);
    loop {
        let page = backend.list_schedules(&request).await?;
        let once = page.iter().all(|view| view.counts.submitted == 1);
        anyhow::ensure!(once, "a schedule counts otherwise");
        match page.last() {
            Some(last) if page.len() == 1_000 => request = request.with_after(last.schedule_id),
            _ => return Ok(()),
        }
    }
}

fn since(time: TimestampMs) -> i64 {
    SystemClock.now().as_i64() - time.as_i64()
}
