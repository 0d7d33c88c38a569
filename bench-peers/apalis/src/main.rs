//! apalis on the server that the arguments name: pushes tasks in bulk, then 16 workers process them
//! with a handler that does nothing. Prints one JSON object; keeps nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use tokio::sync::Notify;

const WORKERS: usize = 16;
/// Tasks of one push, and of one fetch: larger batches are what its documentation advises for
/// throughput.
const BULK: usize = 64;
/// A fetch unpacks all that was pushed since the last one into the arguments of one call, which
/// fails from about 8,000 on. So tasks are pushed and worked off in rounds.
const ROUND: usize = 5_000;

#[derive(Clone)]
struct Progress {
    done: Arc<AtomicUsize>,
    finished: Arc<Notify>,
    all: usize,
}

async fn noop(_payload: String, progress: Data<Progress>) -> Result<(), BoxDynError> {
    let done = progress.done.fetch_add(1, Ordering::Relaxed) + 1;
    if done % ROUND == 0 || done == progress.all {
        progress.finished.notify_one();
    }
    Ok(())
}

fn start_workers(connection: &ConnectionManager, config: &Config, progress: &Progress) {
    for number in 0..WORKERS {
        let storage = RedisStorage::<String>::new(connection.clone()).with_config(config.clone());
        let worker = WorkerBuilder::new(format!("bench-{}-{number}", std::process::id()))
            .backend(storage)
            .data(progress.clone())
            .build(noop);
        tokio::spawn(async move {
            if let Err(error) = worker.run().await {
                eprintln!("a worker failed: {error}");
                std::process::exit(1);
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let args: Vec<String> = std::env::args().collect();
    let (port, tasks, bytes) = (&args[1], args[2].parse::<usize>()?, args[3].parse::<usize>()?);
    let connection = apalis_redis::connect(format!("redis://127.0.0.1:{port}/")).await?;
    // A no-op has no result to keep, and nobody listens to events.
    let config =
        Config::default().queue("bench").batch_size(BULK).persist_results(false).emit_events(false);
    let mut storage = RedisStorage::<String>::new(connection.clone()).with_config(config.clone());

    let progress = Progress { done: Arc::default(), finished: Arc::default(), all: tasks };
    let start = Instant::now();
    let mut submit = Duration::ZERO;
    let mut pushed = 0;
    while pushed < tasks {
        let pushing = Instant::now();
        let round = (pushed + ROUND).min(tasks);
        while pushed < round {
            let size = (round - pushed).min(BULK);
            storage.push_bulk(vec!["x".repeat(bytes); size]).await?;
            pushed += size;
        }
        submit += pushing.elapsed();
        if pushed == ROUND.min(tasks) {
            start_workers(&connection, &config, &progress);
        }
        while progress.done.load(Ordering::Relaxed) < pushed {
            progress.finished.notified().await;
        }
    }
    let drain = (start.elapsed() - submit).as_secs_f64();
    let submit = submit.as_secs_f64();
    let row = serde_json::json!({ "name": "apalis, 16 workers", "submit": submit, "drain": drain });
    println!("{}", serde_json::json!({ "version": "apalis 1.0.0", "rows": [row] }));
    std::process::exit(0);
}
