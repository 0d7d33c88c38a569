//! Functions and scripts that are flushed under load: whoever misses them loads them, no call fails
//! for good, and everything ends once.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_valkey_server::{Connection, Options, Server};
use tokio::time::Instant;

use crate::load::Load;
use crate::site::{Site, ensure, patiently};

const FLUSHES: u32 = 100;
/// Completions between two flushes.
const BETWEEN: usize = 3;
const GOES_ON: Duration = Duration::from_secs(10);
const ENDS: Duration = Duration::from_secs(30);

fn flush(connection: &mut Connection) -> CaseResult {
    connection.command(&["FUNCTION", "FLUSH", "SYNC"])?.into_result()?;
    connection.command(&["SCRIPT", "FLUSH", "SYNC"])?.into_result()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_are_flushed_under_load_come_back() -> CaseResult {
    let server = Server::start(&Options::new())?;
    let mut administrator = server.connect()?;
    let site = Site::new(server.url(), 1)?;
    let backends = [site.connect().await?, site.connect().await?];
    let started = Instant::now();
    let mut load = Load::start(&site, &backends, 2, 4);

    for _ in 0..FLUSHES {
        load.progress(BETWEEN, GOES_ON).await?;
        flush(&mut administrator)?;
    }

    let tally = load.finish(backends[0].as_ref(), ENDS).await?;
    let submitted = tally.submitted;
    println!("{FLUSHES} flushes in {:?}, {submitted} executions", started.elapsed());
    let store = site.store()?;
    store.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// Functions that go again before the call that loaded them comes through: that call, too, is one
/// that may be repeated, and not a defect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_are_flushed_without_a_pause_never_break_a_call() -> CaseResult {
    const CALLS: usize = 300;

    let server = Server::start(&Options::new())?;
    let site = Site::new(server.url(), 1)?;
    let backend = site.connect().await?;
    let mut administrator = server.connect()?;
    let flushing = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let goes_on = Arc::clone(&flushing);
    let flusher = tokio::task::spawn_blocking(move || {
        while goes_on.load(std::sync::atomic::Ordering::Relaxed) {
            flush(&mut administrator)?;
        }
        CaseResult::Ok(())
    });

    let mut broken = Vec::new();
    for _ in 0..CALLS {
        let submission = site.submission()?;
        if let Err(error) = patiently(|| backend.submit(&submission)).await {
            broken.push(error.to_string());
        }
    }
    flushing.store(false, std::sync::atomic::Ordering::Relaxed);
    flusher.await??;

    ensure(broken.is_empty(), || format!("{} calls failed, as: {}", broken.len(), broken[0]))
}
