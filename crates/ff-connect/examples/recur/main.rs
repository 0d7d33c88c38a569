//! A job that recurs every second, a pause, and the jobs of the pause made up for.
//!
//! `cargo run --release --example recur`
//!
//! The program needs no server. It prints each occurrence as it comes, pauses the schedule for a while, goes on,
//! and then backfills what was passed over. It exits with 1 unless each second has one job.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ff_sdk::prelude::*;
use ff_sdk::{ListSchedules, Overlap};
use ff_types::backend::BackendConfig;
use tokio::sync::Notify;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SECOND: Duration = Duration::from_secs(1);
/// Occurrences before the pause, and in the end.
const BEFORE: usize = 3;
const PAUSED: Duration = Duration::from_secs(3);
const AT_LEAST: usize = 8;

/// How often each occurrence was handled.
#[derive(Default)]
struct Seen {
    times: Mutex<BTreeMap<TimestampMs, usize>>,
    more: Notify,
}

impl Seen {
    fn add(&self, at: TimestampMs) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner).entry(at).or_default() += 1;
        self.more.notify_one();
    }

    fn all(&self) -> BTreeMap<TimestampMs, usize> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn wait_for(&self, count: usize) {
        while self.all().len() < count {
            self.more.notified().await;
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "recur: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers whether each second from the first to the last has one job.
async fn run() -> Result<bool, Failure> {
    let backend = ff_connect::open(&BackendConfig::mem()).await?;
    let client = Client::new(Arc::clone(&backend));
    let seen = Arc::new(Seen::default());
    let heard = Arc::clone(&seen);
    let beat = move |task: ClaimedTask, (): ()| {
        let heard = Arc::clone(&heard);
        async move {
            let at = task.scheduled_for().ok_or_else(|| TaskError::permanent("by hand"))?;
            let _ = writeln!(io::stdout(), "beat of {at}");
            heard.add(at);
            Ok::<(), TaskError>(())
        }
    };
    let worker = Worker::builder(backend).handler("beat", beat).build()?.start();

    let schedule = Schedule::every(SECOND, Job::new("beat", &()))
        .named("heart")
        .overlap(Overlap::Allow)
        .note("beats every second");
    let id = client.create_schedule(&schedule).await?;
    for view in client.list_schedules(&ListSchedules::all()).await? {
        let next: Vec<_> = view.upcoming(3)?.iter().map(TimestampMs::to_string).collect();
        let (recurrence, note, next) = (view.spec.recurrence, view.spec.note, next.join(", "));
        writeln!(io::stdout(), "{recurrence} {note}: next {next}")?;
    }

    seen.wait_for(BEFORE).await;
    client.pause_schedule(id, "out of breath").await?;
    writeln!(io::stdout(), "paused")?;
    tokio::time::sleep(PAUSED).await;
    client.resume_schedule(id).await?;
    writeln!(io::stdout(), "resumed")?;
    seen.wait_for(BEFORE + 2).await;

    let times = seen.all();
    let (first, last) = (times.keys().next(), times.keys().next_back());
    let (first, last) = first.zip(last).ok_or("nothing was seen")?;
    let (from, to) = (*first, *last);
    let made = client.backfill_schedule(id, from, to).await?.runs.len();
    writeln!(io::stdout(), "backfilled from {from} to {to}, {made} occurrences in all")?;
    let span = usize::try_from(to.saturating_since(from).as_secs())? + 1;
    seen.wait_for(span.max(AT_LEAST)).await;
    worker.shutdown().await;

    let counts = client.schedule(id).await?.counts;
    writeln!(io::stdout(), "{} by themselves, {} backfilled", counts.submitted, counts.backfilled)?;
    Ok(seen.all().values().all(|times| *times == 1) && counts.backfilled > 0)
}
