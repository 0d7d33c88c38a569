//! A server with an append-only file that is killed under load, again and again, or stands still:
//! what it acknowledged is there, everything ends, nothing ends twice, whoever follows the ends is told
//! of each once, and those who wait are woken.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{ResultOutcome, ResultRequest};
use ff_valkey_server::{Options, Server};
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::follower::Follower;
use crate::load::Load;
use crate::site::{Site, ensure, patiently, until};

/// How often the server is killed unless `FF_HARM_KILLS` says otherwise.
const KILLS: u32 = 50;
/// Completions between two kills.
const BETWEEN: usize = 15;
/// How long the load may take to go on after a restart.
const GOES_ON: Duration = Duration::from_secs(15);
const ENDS: Duration = Duration::from_secs(30);

fn start() -> CaseResult<Server> {
    let options = Options::new().config("appendonly", "yes").config("appendfsync", "always");
    Ok(Server::start(&options)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_keeps_what_it_acknowledged() -> CaseResult {
    let kills = match std::env::var("FF_HARM_KILLS") {
        Ok(text) => text.parse()?,
        Err(_) => KILLS,
    };
    let mut server = start()?;
    let site = Site::new(server.url(), 1)?;
    let backends = [site.connect().await?, site.connect().await?];
    let started = Instant::now();
    let follower = Follower::start(site.connect().await?);
    let mut load = Load::start(&site, &backends, 2, 4);

    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        load.progress(BETWEEN, GOES_ON).await?;
        let killed = Instant::now();
        block_in_place(|| server.restart())?;
        load.progress(1, GOES_ON).await?;
        slowest = slowest.max(killed.elapsed());
    }

    let reader = site.connect().await?;
    let tally = load.finish(reader.as_ref(), ENDS).await?;
    follower.finish(reader.as_ref()).await?;
    println!(
        "{kills} kills in {:?}, at most {slowest:?} without a completion, {} executions",
        started.elapsed(),
        tally.submitted,
    );
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// A server that answers nothing for longer than a request may take, and longer than leases last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_under_load_loses_nothing() -> CaseResult {
    const STILL: Duration = Duration::from_secs(3);

    let server = start()?;
    let site = Site::new(server.url(), 1)?;
    let backends = [site.connect().await?, site.connect().await?];
    let mut load = Load::start(&site, &backends, 2, 4);
    load.progress(BETWEEN, GOES_ON).await?;

    block_in_place(|| server.pause());
    let stopped = load.completed();
    // The time is the subject: requests give up, and leases run out.
    tokio::time::sleep(STILL).await;
    let meanwhile = load.completed();
    block_in_place(|| server.resume());
    load.progress(BETWEEN, GOES_ON).await?;
    let tally = load.finish(backends[0].as_ref(), ENDS).await?;

    println!("{} executions, {} late writes refused", tally.submitted, tally.refused);
    ensure(meanwhile <= stopped + BETWEEN, || "the server did not stand still".to_owned())?;
    site.store()?.check().map_err(|faults| CaseError::new(format!("{faults:#?}")))
}

/// A claim and a read that wait while the server is killed see what comes after its restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_outlive_the_server() -> CaseResult {
    const MAX_WAIT: Duration = Duration::from_mins(1);

    let mut server = start()?;
    let site = Site::new(server.url(), 1)?;
    let (client, other) = (site.connect().await?, site.connect().await?);
    let submission = site.submission()?;
    let claiming = tokio::spawn({
        let (worker, client) = (site.worker().with_ttl(MAX_WAIT), Arc::clone(&client));
        async move { worker.take(client.as_ref(), 1, MAX_WAIT).await }
    });
    until("the claim waits", GOES_ON, || async {
        let key = format!("ff:{{{}/0}}:w:{}", site.namespace, crate::site::LANE);
        Ok((server.command(&["ZCARD", &key])?.as_integer() >= Some(1)).then_some(()))
    })
    .await?;

    block_in_place(|| server.restart())?;
    patiently(|| other.submit(&submission)).await?;
    let submitted = Instant::now();
    let mut tasks = tokio::time::timeout(GOES_ON, claiming).await???;
    println!("woken {:?} after the submit", submitted.elapsed());
    let task = tasks.pop().ok_or_else(|| CaseError::new("the claim got nothing"))?;

    let request = ResultRequest::new(submission.id()).with_max_wait(MAX_WAIT);
    let reading = tokio::spawn({
        let client = Arc::clone(&client);
        async move { patiently(|| client.result(&request)).await }
    });
    until("the read waits", GOES_ON, || async {
        let channels = server.command(&["PUBSUB", "SHARDCHANNELS", "*:x:*"])?;
        Ok((channels.as_array().is_some_and(|channels| channels.len() == 1)).then_some(()))
    })
    .await?;
    block_in_place(|| server.restart())?;
    patiently(|| other.complete(&task.handle, None)).await?;
    let outcome = tokio::time::timeout(GOES_ON, reading).await???;

    let ended = matches!(outcome, ResultOutcome::Ended(_));
    ensure(ended, || format!("the read answers {outcome:?}"))
}
