//! SIGTERM stops a worker gracefully.
#![cfg(unix)]

use std::process::Command;
use std::sync::Arc;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How often other tasks go first.
const TURNS: usize = 100;

/// Tells the test that it has started, and goes on when the test says so.
struct Gates {
    started: Notify,
    finish: Notify,
}

async fn gated(task: ClaimedTask, (): ()) -> Result<&'static str, TaskError> {
    let gates = task.state::<Gates>()?;
    gates.started.notify_one();
    gates.finish.notified().await;
    Ok("finished")
}

#[tokio::test]
async fn a_terminated_worker_finishes_what_it_runs_and_claims_no_more() {
    let backend = Arc::new(MemBackend::new());
    let client = Client::new(backend.clone());
    let gates = Arc::new(Gates { started: Notify::new(), finish: Notify::new() });
    let worker = Worker::builder(backend)
        .shared_state(Arc::clone(&gates))
        .concurrency(1)
        .handler("gated", gated)
        .build()
        .expect("it is set up");
    let working = tokio::spawn(worker.run_until_signal());
    let running = client.submit(&Job::new("gated", &())).await.expect("it is accepted").id();
    gates.started.notified().await;
    let waiting = client.submit(&Job::new("gated", &())).await.expect("it is accepted").id();

    // The handler runs, so the worker listens for signals. The test listens, too, so that it knows
    // when the signal has come, and lets the worker act on it before the handler goes on.
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be heard");
    let process = std::process::id().to_string();
    let sent = Command::new("kill").args(["-TERM", &process]).status().expect("kill runs");
    assert!(sent.success());
    terminated.recv().await;
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    gates.finish.notify_one();
    working.await.expect("it does not panic").expect("it listens for signals");

    assert_eq!(client.result::<String>(running).await.expect("it completed"), "finished");
    let state = client.describe(waiting).await.expect("it is known").state;
    assert_eq!(state, ExecutionState::Ready);
}
