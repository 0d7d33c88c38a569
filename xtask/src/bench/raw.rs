//! The baseline: what the server does with a queue that promises nothing.
//!
//! One producer pushes to a list; workers with a connection each pop one and count it. The client
//! library is the backend's.

use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::{KeysInterface as _, ListInterface as _};
use fred::types::Value;
use fred::types::lists::LMoveDirection;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::rig::{Countdown, Rig, SUBMIT_BATCH};

/// How long a worker waits for work, in seconds.
const WAIT: f64 = 5.0;
const QUEUE: &str = "queue";

/// Times of one run: all is pushed, then all is worked off.
pub(super) async fn throughput(
    rig: &Rig,
    tasks: usize,
    payload: usize,
    workers: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let producer = rig.client().await?;
    let mut clients = Vec::new();
    for _ in 0..workers {
        clients.push(rig.client().await?);
    }
    let payload = Bytes::from(vec![7_u8; payload]);

    let start = Instant::now();
    let mut left = tasks;
    while left > 0 {
        let batch = vec![payload.clone(); left.min(SUBMIT_BATCH)];
        left -= batch.len();
        producer.rpush::<(), _, _>(QUEUE, batch).await?;
    }
    let submit = start.elapsed();

    let done = Countdown::of(tasks);
    let mut work = JoinSet::new();
    let start = Instant::now();
    for client in clients {
        let done = done.clone();
        work.spawn(async move {
            loop {
                let popped: Value =
                    client.blmpop(WAIT, QUEUE, LMoveDirection::Left, Some(1)).await?;
                if popped.is_null() {
                    continue;
                }
                client.incr::<(), _>("done").await?;
                done.one();
            }
        });
    }
    done.over_with(&mut work).await?;
    Ok((submit, start.elapsed()))
}

/// Milliseconds from a push until one of `idle` waiting workers has it, again and again with
/// `pauses` between.
pub(super) async fn wakes(
    rig: &Rig,
    idle: usize,
    pauses: impl Iterator<Item = Duration>,
) -> anyhow::Result<Vec<f64>> {
    let producer = rig.client().await?;
    let (woken, mut wakes) = mpsc::channel(1);
    let mut work: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for _ in 0..idle {
        let (client, woken) = (rig.client().await?, woken.clone());
        work.spawn(async move {
            loop {
                let popped: Value =
                    client.blmpop(WAIT, QUEUE, LMoveDirection::Left, Some(1)).await?;
                if !popped.is_null() {
                    woken.send(Instant::now()).await?;
                }
            }
        });
    }
    let mut taken = Vec::new();
    for pause in pauses {
        tokio::time::sleep(pause).await;
        let start = Instant::now();
        producer.rpush::<(), _, _>(QUEUE, "x").await?;
        tokio::select! {
            at = wakes.recv() => {
                let at = at.expect("this function holds a sender");
                taken.push((at - start).as_secs_f64() * 1e3);
            }
            Some(failed) = work.join_next() => failed??,
        }
    }
    Ok(taken)
}
