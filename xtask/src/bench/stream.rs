//! Streams over Valkey, beside the bare server: appends one at a time and in batches, from an append to
//! those who follow, and what a frame keeps.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{AttemptOps as _, ClaimOps as _, ClaimRequest, Task};
use ff_sdk::{Client, TailEvent};
use ff_types::LaneId;
use ff_types::backend::{CapabilitySet, ClaimPolicy, Frame, FrameKind};
use ff_types::limits;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::parts::{Found, part};
use super::report::{Report, real};
use super::rig::{LANE, Rig, erased, server_version};
use super::{Common, raw};

/// Between two frames whose way to the readers is measured.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a frame may take before the bench gives up.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How long after the last reader has come the first frame is written.
const SETTLE: Duration = Duration::from_secs(1);
const BATCH: usize = 32;
const WORKERS: usize = 16;
const FRAME_BYTES: usize = 64;
/// Frames of a stream whose memory is measured, and how many streams there are.
const KEPT_FRAMES: usize = 1_000;
const KEPT_STREAMS: usize = 20;
const KEPT_TARGET_BYTES: f64 = 140.0;

/// Arguments of the stream bench.
#[derive(Debug, clap::Args)]
pub(super) struct StreamArgs {
    /// How many streams are written at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,100")]
    streams: Vec<usize>,
    /// Frames of all of them together, appended one at a time; in batches ten times as many.
    #[arg(long, default_value_t = 20_000)]
    frames: usize,
    /// How many follow one stream.
    #[arg(long, value_delimiter = ',', default_value = "1,1000")]
    tails: Vec<usize>,
    /// Frames whose way to the readers is measured.
    #[arg(long, default_value_t = 200)]
    samples: usize,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &StreamArgs) -> anyhow::Result<ExitCode> {
    let counts = args.streams.iter().chain(&args.tails).chain([&args.frames, &args.samples]);
    anyhow::ensure!(counts.into_iter().all(|count| *count > 0), "all counts start at 1");

    let mut report = Report::new("stream", "valkey", Some(server_version()?), &args.common)?;
    println!("frames of {FRAME_BYTES} B; raw is push and pop with {WORKERS} workers");
    println!("| what | | unit | note |\n|:--|--:|:--|:--|");
    for &streams in &args.streams {
        part(&mut report, &args.common, &async |rig| appends(rig, args, streams).await)?;
    }
    for &tails in &args.tails {
        part(&mut report, &args.common, &async |rig| follows(rig, args, tails).await)?;
    }
    part(&mut report, &args.common, &async |rig| kept(rig).await)?;
    report.finish(&args.common)
}

/// Running executions, one for each stream.
async fn running(
    rig: &Rig,
    backend: &Arc<ValkeyBackend>,
    count: usize,
) -> anyhow::Result<Vec<Task>> {
    rig.submit(backend, &rig.submissions(count, FRAME_BYTES)).await?;
    let policy = ClaimPolicy::immediate(rig.ids.worker_id(), rig.ids.worker_instance_id())
        .with_lease_ttl(Duration::from_mins(10))
        .with_max_tasks(limits::CLAIM_MAX_TASKS);
    let mut tasks = Vec::new();
    while tasks.len() < count {
        let (id, offers) = (rig.ids.request_id(), CapabilitySet::new());
        let outcome =
            backend.claim(&ClaimRequest::new(id, LaneId::new(LANE)?, offers, policy)).await?;
        anyhow::ensure!(!outcome.tasks.is_empty(), "{} of {count} are ready", tasks.len());
        tasks.extend(outcome.tasks);
    }
    Ok(tasks)
}

/// Numbered frames of so many bytes.
fn frames(from: usize, count: usize, bytes: usize) -> Vec<Frame> {
    let frame =
        |number: usize| Frame::new(vec![b'x'; bytes], FrameKind::Stdout).with_seq(number as u64);
    (from..from + count).map(frame).collect()
}

/// Appends to many streams at once, each of which waits for its answer.
async fn appends(rig: &Rig, args: &StreamArgs, streams: usize) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let backend = rig.backend().await?;
    let (pushed, popped) = raw::throughput(rig, args.frames, FRAME_BYTES, WORKERS).await?;
    let bare = real(args.frames as u64) / (pushed + popped).as_secs_f64();
    found.add(format!("{streams} streams: raw, push and pop"), "tasks/s", bare);
    for (batch, how) in [(1, "one at a time"), (BATCH, "in batches of 32")] {
        let total = if batch == 1 { args.frames } else { 10 * args.frames };
        let each = (total / streams).max(batch);
        let tasks = running(rig, &backend, streams).await?;
        rig.reset_counts()?;
        let start = Instant::now();
        try_join_all(tasks.iter().map(async |task| {
            for from in (1..=each).step_by(batch) {
                let batch = frames(from, batch.min(each + 1 - from), FRAME_BYTES);
                backend.append_frames(&task.handle, &batch).await?;
            }
            anyhow::Ok(())
        }))
        .await?;
        let rate = real((each * streams) as u64) / start.elapsed().as_secs_f64();
        let counts = rig.counts()?;
        let calls = counts.get("fcall").context("functions are counted")?;
        let micros = real(calls.micros) / real(calls.calls);
        found.add(format!("{streams} streams: appends {how}"), "frames/s", rate);
        found.add(format!("{streams} streams: server time of an append, {how}"), "µs", micros);
        found.ratio(format!("{streams} streams: appends {how} / raw"), rate / bare);
    }
    Ok(found)
}

/// From the call that appends a frame until each follower has it.
async fn follows(rig: &Rig, args: &StreamArgs, tails: usize) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let (writer, reader) = (rig.backend().await?, rig.backend().await?);
    let task = running(rig, &writer, 1).await?.remove(0);
    let client = Client::with_ids(erased(&reader), rig.ids.clone());
    let (told, mut seen) = mpsc::channel(tails);
    let mut following: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for _ in 0..tails {
        let (mut tail, told) = (client.tail(task.execution_id), told.clone());
        following.spawn(async move {
            while let Some(event) = tail.next().await? {
                if let TailEvent::Frame(_) = event {
                    told.send(Instant::now()).await?;
                }
            }
            Ok(())
        });
    }
    tokio::time::sleep(SETTLE).await;
    rig.reset_counts()?;
    let mut took = Vec::with_capacity(args.samples * tails);
    for number in 1..=args.samples {
        let sent = Instant::now();
        writer.append_frames(&task.handle, &frames(number, 1, FRAME_BYTES)).await?;
        for _ in 0..tails {
            let at = tokio::time::timeout(LOST_AFTER, seen.recv()).await?;
            let at = at.context("the followers are there")?;
            took.push(at.saturating_duration_since(sent).as_secs_f64() * 1_000.0);
        }
        tokio::time::sleep(PAUSE).await;
    }
    let sent: u64 = rig
        .counts()?
        .iter()
        .filter(|(name, _)| name.starts_with("fcall"))
        .map(|(_, counted)| counted.calls)
        .sum();
    following.abort_all();
    found.spread(&format!("append to follower, {tails} tails"), &took);
    let calls = real(sent) / real(args.samples as u64);
    found.add(format!("calls for a frame, {tails} tails"), "", calls);
    Ok(found)
}

/// What the frames of long streams keep.
async fn kept(rig: &Rig) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let backend = rig.backend().await?;
    for bytes in [FRAME_BYTES, 1_024] {
        let tasks = running(rig, &backend, KEPT_STREAMS).await?;
        let before = rig.used_memory()?;
        for task in &tasks {
            for from in (1..=KEPT_FRAMES).step_by(100) {
                backend.append_frames(&task.handle, &frames(from, 100, bytes)).await?;
            }
        }
        let count = real((KEPT_STREAMS * KEPT_FRAMES) as u64);
        let each = real(rig.used_memory()?.saturating_sub(before)) / count;
        found.add(format!("kept of a frame of {bytes} B"), "B", each);
        if bytes == FRAME_BYTES {
            found.ratio("kept of a frame of 64 B / the target of 140 B", each / KEPT_TARGET_BYTES);
        }
    }
    Ok(found)
}
