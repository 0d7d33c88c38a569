//! The code of the guide for workers and clients, compiled and run.

#![allow(
    clippy::duration_suboptimal_units,
    clippy::print_stdout,
    clippy::unnecessary_wraps,
    reason = "the guide shows seconds throughout, a store that may fail, and prints"
)]

use std::sync::Arc;
use std::time::Duration;

use ff_backend_mem::MemBackend;
use ff_sdk::prelude::*;
use ff_sdk::testing::TestEngine;
use ff_sdk::{BackendConfig, Namespace, ValueError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Image {
    path: String,
}

#[derive(Serialize, Deserialize)]
struct Report {
    bytes: usize,
}

/// Where images are kept.
struct Store {
    throttled: bool,
}

impl Store {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        if self.throttled { Ok(Vec::new()) } else { Ok(path.as_bytes().to_vec()) }
    }
}

// region: handler
async fn resize(task: ClaimedTask, image: Image) -> Result<Report, TaskError> {
    let store = task.state::<Store>()?;
    let bytes = store.read(&image.path)?; // any error: retried
    let name = String::from_utf8(bytes).permanent()?; // not worth a retry
    task.progress(50, "read").await?;
    if store.throttled {
        return Err(TaskError::retry_after(Duration::from_secs(30), "throttled"));
    }
    Ok(Report { bytes: name.len() })
}
// endregion

fn staging(url: &str) -> Result<BackendConfig, ValueError> {
    // region: namespace
    let config = BackendConfig::from_url(url)?.with_namespace(Namespace::new("staging")?);
    // endregion
    Ok(config)
}

fn patient(job: Job) -> Job {
    // region: retry
    let backoff = Backoff::Exponential { base_ms: 500, factor: 2, cap_ms: 60_000 };
    job.retry(RetryPolicy::default().with_max_retries(10).with_backoff(backoff))
    // endregion
}

fn job(image: &Image) -> Job {
    // region: job
    Job::new("resize", image)
        .lane("media")
        .priority(10)
        .capabilities(["gpu"])
        .tag("tenant", "acme")
        .delay(Duration::from_secs(60))
        .deadline(Duration::from_secs(3_600))
        .idempotency_key("resize-4711")
    // endregion
}

/// What a program does with a client.
async fn use_client(client: &Client, image: &Image) -> Result<Report, Box<dyn std::error::Error>> {
    // region: client
    let id = client.submit(&job(image)).await?.id();
    println!("{}", client.explain(id).await?); // why it is not running yet

    let page = client.list(&ListRequest::new().with_state(ExecutionState::Ready)).await?;
    for summary in &page.items {
        println!("{} {}", summary.execution_id, summary.kind);
    }

    let report: Report = client.result(id).await?; // waits for the end
    // endregion
    Ok(report)
}

fn worker(backend: Arc<MemBackend>, store: Store) -> Result<Worker, EngineError> {
    // region: worker
    let worker = Worker::builder(backend)
        .lane("media")
        .lane("mail")
        .concurrency(32)
        .capabilities(["gpu"])
        .state(store)
        .handler("resize", resize)
        .build()?;
    // endregion
    Ok(worker)
}

#[tokio::test]
async fn the_job_of_the_guide_runs_when_it_is_due() {
    let handlers = Handlers::new().state(Store { throttled: false }).handler("resize", resize);
    let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()))
        .handlers(handlers)
        .capabilities(["gpu"])
        .expect("the capability is valid");
    let image = Image { path: "cat.png".to_owned() };
    let start = engine.now();

    let id = engine.client().submit(&job(&image)).await.expect("it is accepted").id();
    engine.run_until_ended(id).await.expect("it ends");

    // The idempotency key makes the guide's submit find the job that has just run.
    let report = use_client(engine.client(), &image).await.expect("it completed");
    assert_eq!(report.bytes, 7);
    assert_eq!(engine.now().saturating_since(start), Duration::from_secs(60));
}

#[test]
fn the_namespace_of_the_guide_is_part_of_the_settings() {
    let config = staging("valkey://127.0.0.1:6379").expect("the URL is valid");
    assert_eq!(config.namespace.as_str(), "staging");
}

#[tokio::test]
async fn the_retries_of_the_guide_are_made() {
    let attempts = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let handlers = Handlers::new().handler("flaky", move |_: ClaimedTask, (): ()| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async { Err::<(), _>(TaskError::transient("not today")) }
    });
    let engine = TestEngine::new(|clock| Arc::new(MemBackend::builder().clock(clock).build()))
        .handlers(handlers);

    let flaky = patient(Job::new("flaky", &()));
    let id = engine.client().submit(&flaky).await.expect("it is accepted").id();
    engine.run_until_ended(id).await.expect("it ends");

    assert_eq!(attempts.load(std::sync::atomic::Ordering::Relaxed), 11);
}

#[tokio::test]
async fn the_worker_of_the_guide_starts_and_stops() {
    let backend = Arc::new(MemBackend::new());
    let worker = worker(backend, Store { throttled: true }).expect("it is set up");

    worker.start().shutdown().await;
}
