//! What handlers write is stored in order, once, and before the attempt ends; whoever follows it gets
//! every frame, and the end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{LEASE_TTL, Rig};
use ff_sdk::prelude::*;
use ff_sdk::{
    EngineError, Frame, FrameKind, ReadStream, StreamEnd, Tail, TailEvent, TerminalOutcome,
    WorkerHandle,
};
use futures_core::Stream;
use tokio::io::AsyncWrite;

const SECOND: Duration = Duration::from_secs(1);

/// Writes as many lines as it is told, and fails the first attempts.
async fn lines(task: ClaimedTask, (count, failures): (u32, u32)) -> Result<(), TaskError> {
    for line in 0..count {
        task.log(format!("{}.{line}", task.attempt())).await?;
    }
    if task.attempt().0 < failures {
        return Err(TaskError::transient("once more"));
    }
    Ok(())
}

/// Writes a line, flushes it, and waits for the end of the lease or a cancellation.
async fn hang(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
    task.log("begun").await?;
    task.flush_output().await?;
    task.cancellation().cancelled().await;
    Err(TaskError::transient("stopped"))
}

fn worker(rig: &Rig) -> WorkerHandle {
    let worker = rig.worker().handler("lines", lines).handler("hang", hang);
    worker.build().unwrap().start()
}

async fn stop(rig: &Rig, worker: WorkerHandle) {
    tokio::join!(worker.shutdown(), rig.pass(SECOND));
}

fn text(event: TailEvent) -> String {
    match event {
        TailEvent::Frame(view) => String::from_utf8(view.frame.bytes.to_vec()).unwrap(),
        TailEvent::Superseded { attempt } => format!("{attempt} is over"),
        TailEvent::Gap => "gap".to_owned(),
        TailEvent::Ended(StreamEnd::Ended(outcome)) => outcome.to_string(),
        other => format!("{other:?}"),
    }
}

/// Everything up to the end.
async fn texts(mut tail: Tail) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(event) = tail.next().await.unwrap() {
        texts.push(text(event));
    }
    assert_eq!(tail.next().await.unwrap(), None);
    texts
}

#[tokio::test]
async fn a_tail_follows_the_execution_over_its_attempts_to_its_end() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let id = rig.submit(Job::new("lines", &(2, 1))).await;

    let (followed, ()) = tokio::join!(texts(rig.client.tail(id)), rig.pass(10 * SECOND));

    assert_eq!(followed, ["0.0", "0.1", "0 is over", "1.0", "1.1", "completed"]);
    assert_eq!(texts(rig.client.tail(id)).await, followed, "the same once it has ended");
    let first = rig.client.tail(id).attempt(ff_sdk::AttemptIndex(0));
    assert_eq!(texts(first).await[..2], ["0.0", "0.1"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn lines_are_stored_within_milliseconds_and_together() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let id = rig.submit(Job::new("hang", &())).await;
    rig.settle().await;
    let mut tail = rig.client.tail(id);

    let event = tokio::time::timeout(SECOND, tail.next()).await.unwrap().unwrap();

    assert_eq!(event.map(text).as_deref(), Some("begun"));
    rig.client.cancel(id, "enough").await.unwrap();
    let (rest, ()) = tokio::join!(texts(tail), rig.pass(LEASE_TTL));
    assert_eq!(rest, ["cancelled"]);

    let many = rig.submit(Job::new("lines", &(1_000, 0))).await;
    rig.pass(SECOND).await;
    let appends = rig.backend.appends.load(Relaxed);
    assert_eq!(texts(rig.client.tail(many)).await.len(), 1_001);
    assert!((2..=8).contains(&appends), "{appends} appends for 1,001 lines");
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_lost_answer_appends_nothing_twice() {
    let rig = Rig::new();
    let worker = worker(&rig);
    rig.backend.lose_answer("append_frames");
    let id = rig.submit(Job::new("lines", &(3, 0))).await;

    let (followed, ()) = tokio::join!(texts(rig.client.tail(id)), rig.pass(5 * SECOND));

    assert_eq!(followed, ["0.0", "0.1", "0.2", "completed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn an_outage_loses_no_frame() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let id = rig.submit(Job::new("lines", &(2, 1))).await;
    let outage = async {
        rig.settle().await;
        rig.backend.away.store(true, Relaxed);
        rig.pass(SECOND).await;
        rig.backend.away.store(false, Relaxed);
        rig.pass(30 * SECOND).await;
    };

    let (followed, ()) = tokio::join!(texts(rig.client.tail(id)), outage);

    assert_eq!(followed, ["0.0", "0.1", "0 is over", "1.0", "1.1", "completed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_holder_that_lost_its_lease_writes_nothing_any_more() {
    let rig = Rig::new();
    let first = rig
        .worker()
        .handler("late", async |task: ClaimedTask, (): ()| {
            task.log("first").await?;
            task.flush_output().await?;
            std::future::pending::<()>().await;
            Ok::<_, TaskError>(())
        })
        .build()
        .unwrap()
        .start();
    let id = rig.submit(Job::new("late", &())).await;
    rig.settle().await;
    first.kill().await;
    rig.clock.advance(LEASE_TTL);
    let second = rig
        .worker()
        .handler("late", async |task: ClaimedTask, (): ()| {
            task.log("second").await?;
            Ok::<_, TaskError>(())
        })
        .build()
        .unwrap()
        .start();

    let (followed, ()) = tokio::join!(texts(rig.client.tail(id)), rig.pass(10 * SECOND));

    assert_eq!(followed, ["first", "0 is over", "second", "completed"]);
    stop(&rig, second).await;
}

#[tokio::test]
async fn bytes_come_back_as_they_were_written() {
    async fn write(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let mut writer = task.writer(FrameKind::Blob);
        let mut left = &bytes[..];
        while !left.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, left)).await;
            left = &left[written.permanent()?..];
        }
        poll_fn(|cx| Pin::new(&mut writer).poll_flush(cx)).await.permanent()?;
        task.emit("written", &bytes.len()).await?;
        Ok(())
    }

    let rig = Rig::new();
    let worker = rig.worker().handler("write", write).build().unwrap().start();
    let id = rig.submit(Job::new("write", &())).await;
    rig.pass(SECOND).await;

    let mut tail = rig.client.tail(id);
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    while let Some(event) = poll_fn(|cx| Pin::new(&mut tail).poll_next(cx)).await {
        if let TailEvent::Frame(view) = event.unwrap() {
            match view.frame.kind {
                FrameKind::Blob => bytes.extend_from_slice(&view.frame.bytes),
                _ => events.push((view.frame.frame_type, view.frame.bytes)),
            }
        }
    }

    assert_eq!(bytes.len(), 300_000);
    assert!(bytes.iter().zip((0..=255_u8).cycle()).all(|(one, other)| *one == other));
    assert_eq!(events, [("written".to_owned(), "300000".into())]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_refused_and_the_others_stay() {
    async fn write(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
        task.log("small").await?;
        let large = task.log("x".repeat(64 * 1024 + 1)).await;
        assert!(matches!(large, Err(EngineError::LimitExceeded { .. })), "{large:?}");
        let untyped = Frame::new("x", FrameKind::Event).with_frame_type("x".repeat(65));
        assert!(task.write_frame(untyped).await.is_err());
        task.log("small again").await?;
        Ok(())
    }

    let rig = Rig::new();
    let worker = rig.worker().handler("write", write).build().unwrap().start();
    let id = rig.submit(Job::new("write", &())).await;
    rig.pass(SECOND).await;

    assert_eq!(texts(rig.client.tail(id)).await, ["small", "small again", "completed"]);
    let page = rig.client.read_stream(&ReadStream::new(id).newest_first().with_limit(1)).await;
    let latest = page.unwrap().frames.remove(0);
    assert_eq!(latest.frame.bytes, "small again");
    let view = rig.client.describe(id).await.unwrap();
    assert_eq!(view.state.outcome(), Some(TerminalOutcome::Completed));
    let behind = rig.client.tail(id).from(latest.place());
    assert_eq!(texts(behind).await, ["completed"]);
    stop(&rig, worker).await;
}

/// Frames stay while the store does not answer, however long that takes, and a flush says whether they are
/// stored.
#[tokio::test]
async fn what_is_not_answered_is_kept_and_a_flush_tells_the_truth() {
    async fn write(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
        task.log("before").await?;
        let during = task.flush_output().await;
        assert!(during.is_err_and(|error| error.is_retryable()), "the store is away");
        while task.flush_output().await.is_err() {}
        Ok(())
    }

    let rig = Rig::new();
    let worker = rig.worker().handler("write", write).build().unwrap().start();
    let id = rig.submit(Job::new("write", &())).await;
    rig.backend.hang_up("append_frames", true);

    rig.pass(6 * SECOND).await;
    rig.backend.hang_up("append_frames", false);
    rig.pass(10 * SECOND).await;

    assert_eq!(texts(rig.client.tail(id)).await, ["before", "completed"]);
    stop(&rig, worker).await;
}

/// A store that takes no frames still takes the end, and so does one that somebody writes to without end.
#[tokio::test]
async fn output_does_not_hold_up_the_end() {
    async fn busy(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
        let task = std::sync::Arc::new(task);
        let writer = std::sync::Arc::clone(&task);
        tokio::spawn(async move {
            while writer.log("more").await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        task.flush_output().await?;
        Ok(())
    }

    let rig = Rig::new();
    let worker =
        rig.worker().handler("busy", busy).handler("lines", lines).build().unwrap().start();
    let id = rig.submit(Job::new("busy", &())).await;
    rig.pass(5 * SECOND).await;
    assert!(rig.client.describe(id).await.unwrap().state.is_terminal());

    rig.backend.hang_up("append_frames", true);
    let id = rig.submit(Job::new("lines", &(3, 0))).await;
    rig.pass(5 * SECOND).await;
    assert!(rig.client.describe(id).await.unwrap().state.is_terminal());
    rig.backend.hang_up("append_frames", false);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let rig = Rig::new();
    let id = rig.submit(Job::new("lines", &(2, 0))).await;
    let mut tail = rig.client.tail(id);
    for _ in 0..3 {
        tokio::select! {
            biased;
            event = tail.next() => panic!("nothing was written: {event:?}"),
            () = rig.settle() => {}
        }
    }
    let worker = worker(&rig);

    let (followed, ()) = tokio::join!(texts(tail), rig.pass(2 * SECOND));

    assert_eq!(followed, ["0.0", "0.1", "completed"]);
    stop(&rig, worker).await;
}

#[tokio::test]
async fn a_summary_is_patched_kept_over_attempts_and_followed() {
    async fn import(task: ClaimedTask, (): ()) -> Result<(), TaskError> {
        let big: Box<serde_json::value::RawValue> =
            serde_json::from_str("123456789012345678901234567890.000000001")?;
        if task.attempt().0 == 0 {
            task.update_summary(&serde_json::json!({ "done": 0, "open": {}, "list": [] })).await?;
            task.update_summary(&std::collections::BTreeMap::from([("big", big)])).await?;
            return Err(TaskError::transient("once more"));
        }
        let version = task.update_summary(&serde_json::json!({ "done": 7, "list": null })).await?;
        task.log(format!("version {version}")).await?;
        Ok(())
    }

    let rig = Rig::new();
    rig.backend.lose_answer("update_summary");
    let worker = rig.worker().handler("import", import).build().unwrap().start();
    let id = rig.submit(Job::new("import", &())).await;
    assert_eq!(rig.client.summary(id).await.unwrap(), None);
    let mut tail = rig.client.tail(id).with_summary();
    let follow = async {
        let mut seen = Vec::new();
        while let Some(event) = tail.next().await.unwrap() {
            seen.push(match event {
                TailEvent::Summary(view) => String::from_utf8(view.document.to_vec()).unwrap(),
                other => text(other),
            });
        }
        seen
    };

    let (seen, ()) = tokio::join!(follow, rig.pass(10 * SECOND));

    let last = r#"{"big":123456789012345678901234567890.000000001,"done":7,"open":{}}"#;
    assert!(seen.contains(&last.to_owned()), "{seen:?}");
    assert_eq!(seen.last().map(String::as_str), Some("completed"));
    assert!(seen.contains(&"version 3".to_owned()), "{seen:?}");
    let view = rig.client.summary(id).await.unwrap().unwrap();
    assert_eq!((view.version, view.attempt.0, &view.document[..]), (3, 1, last.as_bytes()));
    stop(&rig, worker).await;
}
