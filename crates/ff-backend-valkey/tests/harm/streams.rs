//! Streams that are followed while the server is killed, again and again, and over attempts: every frame
//! that was acknowledged comes once and in order, and the end always.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ff_conformance::fixture::failure;
use ff_conformance::{CaseError, CaseResult};
use ff_engine::{
    EngineBackend, EngineError, FrameView, ListRequest, ReadStream, StreamEnd, SummaryOutcome,
    Task, UpdateSummary,
};
use ff_types::backend::{FailureClass, Frame, FrameKind};
use ff_types::{ExecutionId, TerminalOutcome};
use ff_valkey_server::{Options, Server};
use tokio::task::block_in_place;

use crate::site::{Site, ensure, patiently, until};

/// How often the server is killed.
const KILLS: u64 = 20;
/// Frames between two kills.
const BETWEEN: u64 = 15;
const ATTEMPTS: u64 = 4;
const MAX_WAIT: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_mins(1);
const GOES_ON: Duration = Duration::from_secs(15);

/// Writes frames, one to three at a time, and the summary, and fails an attempt now and then.
async fn write(
    site: Site,
    backend: Arc<dyn EngineBackend>,
    written: Arc<AtomicU64>,
    frames: u64,
) -> CaseResult<ExecutionId> {
    let submission = site.submission()?;
    patiently(|| backend.submit(&submission)).await?;
    let worker = site.worker().with_ttl(TTL);
    let claim = async || -> CaseResult<Task> {
        let mut tasks = worker.take(backend.as_ref(), 1, MAX_WAIT).await?;
        tasks.pop().ok_or_else(|| CaseError::new("nothing to claim"))
    };
    let mut task = claim().await?;
    for from in (1..=frames).step_by(3) {
        let batch: Vec<_> = (from..=frames.min(from + 2)).map(frame).collect();
        patiently(|| backend.append_frames(&task.handle, &batch)).await?;
        let last = frames.min(from + 2);
        let update = UpdateSummary::new((from - 1) / 3, last.to_string());
        let outcome = patiently(|| backend.update_summary(&task.handle, &update)).await?;
        let taken = matches!(outcome, SummaryOutcome::Updated { .. });
        ensure(taken, || format!("an update is answered {outcome:?}"))?;
        written.store(last, Ordering::Relaxed);
        let of_attempt = frames.div_ceil(ATTEMPTS);
        if last < frames && last / of_attempt != (from - 1) / of_attempt {
            let again = failure(FailureClass::Transient).with_retry_after(Duration::ZERO);
            patiently(|| backend.fail(&task.handle, &again)).await?;
            task = claim().await?;
        }
    }
    patiently(|| backend.complete(&task.handle, None)).await?;
    Ok(submission.id())
}

fn frame(number: u64) -> Frame {
    Frame::new(number.to_string(), FrameKind::Stdout).with_seq(number)
}

/// Every frame and the end, as a reader is told of them, and the last summary.
async fn follow(
    backend: Arc<dyn EngineBackend>,
    id: ExecutionId,
) -> Result<(Vec<FrameView>, StreamEnd, Option<u64>), EngineError> {
    let (mut frames, mut seen) = (Vec::new(), 0);
    let mut request = ReadStream::new(id).with_limit(4).with_max_wait(MAX_WAIT);
    loop {
        request.summary_after = Some(seen);
        let page = patiently(|| backend.read_stream(&request)).await?;
        if page.gap {
            return Err(EngineError::Corrupt { what: "a gap where nothing was trimmed".into() });
        }
        seen = page.summary.map_or(seen, |summary| summary.version);
        frames.extend(page.frames);
        request.from = Some(page.next);
        if let Some(end) = page.end {
            return Ok((frames, end, Some(seen)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_followed_over_kills_and_attempts_misses_and_repeats_nothing() -> CaseResult {
    let options = Options::new().config("appendonly", "yes").config("appendfsync", "always");
    let mut server = Server::start(&options)?;
    let site = Site::new(server.url(), 1)?;
    let (frames, written) = (KILLS * BETWEEN, Arc::new(AtomicU64::new(0)));
    let writer = {
        let (site, written) = (site.clone(), Arc::clone(&written));
        tokio::spawn(write(site.clone(), site.connect().await?, written, frames))
    };
    let reader = site.connect().await?;
    let all = ListRequest::new();
    let id = until("it is submitted", GOES_ON, || async {
        let page = patiently(|| reader.list_executions(&all)).await?;
        Ok(page.items.first().map(|item| item.execution_id))
    })
    .await?;
    let mut followers = Vec::new();
    for _ in 0..3 {
        followers.push(tokio::spawn(follow(site.connect().await?, id)));
    }
    // Some of one process, which share their questions.
    followers.extend((0..3).map(|_| tokio::spawn(follow(Arc::clone(&reader), id))));

    for kill in 0..KILLS {
        until("the writer goes on", GOES_ON, || async {
            let done = written.load(Ordering::Relaxed) >= kill * BETWEEN || writer.is_finished();
            Ok(done.then_some(()))
        })
        .await?;
        block_in_place(|| server.restart())?;
    }
    ensure(writer.await?? == id, || "another execution was listed".to_owned())?;

    for follower in followers {
        let (seen, end, version) = follower.await??;
        let numbers: Vec<_> = seen.iter().filter_map(|view| view.frame.seq).collect();
        let expected: Vec<_> = (1..=frames).collect();
        ensure(numbers == expected, || format!("a follower saw {numbers:?}"))?;
        ensure(seen.is_sorted_by_key(|view| view.attempt), || "attempts are mixed".to_owned())?;
        let attempts = seen.last().map(|view| u64::from(view.attempt.0) + 1);
        ensure(attempts == Some(ATTEMPTS), || format!("{attempts:?} attempts wrote"))?;
        let completed = end == StreamEnd::Ended(TerminalOutcome::Completed);
        ensure(completed, || format!("the end is {end:?}"))?;
        ensure(version == Some(frames.div_ceil(3)), || format!("the summary is {version:?}"))?;
    }
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}
