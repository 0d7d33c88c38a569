//! A cluster whose slots move and whose primaries die under load: calls on a slot that moves are
//! turned away and succeed afterwards, a failover loses at most what was not replicated, whoever
//! follows the ends misses none, and those who wait are woken by the node that took over.

use std::sync::Arc;
use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_engine::{EngineBackend, Submission};
use ff_valkey_server::{Cluster, Options, slot_of};
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::follower::Follower;
use crate::load::Load;
use crate::replicated::replicated;
use crate::site::{Site, ensure, patiently, until};

const PRIMARIES: usize = 3;
const PARTITIONS: u16 = 8;
/// Completions between two steps.
const BETWEEN: usize = 20;
/// How long the load may take to go on: a failover takes the nodes some seconds to agree on.
const GOES_ON: Duration = Duration::from_secs(30);
const ENDS: Duration = Duration::from_secs(40);
/// How long a call on a slot that moves is seen to be turned away.
const TURNED_AWAY: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_mins(1);

fn start() -> CaseResult<(Cluster, Site)> {
    let cluster = block_in_place(|| Cluster::start(&Options::new(), PRIMARIES, 1))?;
    let site = Site::new(cluster.url(), PARTITIONS)?;
    Ok((cluster, site))
}

fn slot(site: &Site, partition: u16) -> u16 {
    slot_of(format!("ff:{{{}/{partition}}}:mark", site.namespace).as_bytes())
}

/// A submission that is placed in this partition.
fn placed(site: &Site, partition: u16) -> CaseResult<Submission> {
    Site { ids: site.ids.together(partition), ..site.clone() }.submission()
}

/// Compares indexes and records on every node that serves keys.
fn check(cluster: &Cluster, site: &Site) -> CaseResult {
    for node in cluster.nodes().iter().filter(|node| node.is_up()) {
        let role = node.command(&["ROLE"])?;
        let role = role.as_array().and_then(|role| role.first()?.as_str());
        if role == Some("master") {
            let store = site.at(node.url()).store()?;
            let checked = store.check();
            checked.map_err(|faults| CaseError::new(format!("{}: {faults:#?}", node.url())))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load_lose_nothing() -> CaseResult {
    let (cluster, site) = start()?;
    let backends = [site.connect().await?, site.connect().await?];
    let follower = Follower::start(site.connect().await?);
    let mut load = Load::start(&site, &backends, 2, 4);

    for partition in [0, 3, 5, 0] {
        load.progress(BETWEEN, GOES_ON).await?;
        let slot = slot(&site, partition);
        let to = block_in_place(|| {
            let to = (cluster.owner_of(slot)? + 1) % PRIMARIES;
            // The node that gets the slot has no library, as one that has just joined.
            cluster.nodes()[to].command(&["FUNCTION", "FLUSH"])?.into_result()?;
            cluster.begin_migration(slot, to).map(|()| to)
        })?;
        let (submission, backend) = (placed(&site, partition)?, Arc::clone(&backends[0]));
        let mut call = tokio::spawn(async move { patiently(|| backend.submit(&submission)).await });
        let early = tokio::time::timeout(TURNED_AWAY, &mut call).await;
        ensure(early.is_err(), || format!("a call on a slot that moves answers {early:?}"))?;
        block_in_place(|| cluster.finish_migration(slot, to))?;
        call.await??;
    }
    let tally = load.finish(backends[0].as_ref(), ENDS).await?;
    follower.finish(backends[0].as_ref()).await?;

    println!("moved 4 slots, {} executions", tally.submitted);
    block_in_place(|| check(&cluster, &site))
}

/// Returns once every replica has what its primary has written so far.
async fn all_replicated(cluster: &Cluster) -> CaseResult {
    for primary in &cluster.nodes()[..PRIMARIES] {
        replicated(primary).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_under_load_costs_at_most_what_was_not_replicated() -> CaseResult {
    let (mut cluster, site) = start()?;
    let backends = [site.connect().await?, site.connect().await?];
    let follower = Follower::start(site.connect().await?);
    let mut load = Load::start(&site, &backends, 2, 4);
    load.progress(BETWEEN, GOES_ON).await?;

    let kept = load.acknowledged();
    all_replicated(&cluster).await?;
    load.progress(BETWEEN, GOES_ON).await?;
    let killed = Instant::now();
    block_in_place(|| cluster.nodes_mut()[0].kill());
    load.progress(BETWEEN, GOES_ON).await?;
    let first = killed.elapsed();
    until("another node serves the slots", GOES_ON, || async {
        let owner = block_in_place(|| cluster.owner_of(0))?;
        Ok((owner != 0).then_some(()))
    })
    .await?;
    load.progress(10 * BETWEEN, GOES_ON).await?;
    let reader = site.at(cluster.url()).connect().await?;
    let tally = load.finish_with_loss(reader.as_ref(), ENDS, &kept).await?;
    let gaps = follower.finish_with_loss(reader.as_ref()).await?;

    println!(
        "the load went on {first:?} after the kill; {} executions, {} lost, {} late writes refused, {gaps} \
         gaps in the log",
        tally.submitted, tally.lost, tally.refused
    );
    block_in_place(|| check(&cluster, &site))
}

/// A primary that answers nothing, but keeps its connections, is replaced, and comes back as a
/// replica: those who were connected to it notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_under_load_is_replaced() -> CaseResult {
    let (cluster, site) = start()?;
    let backends = [site.connect().await?, site.connect().await?];
    let follower = Follower::start(site.connect().await?);
    let mut load = Load::start(&site, &backends, 2, 4);
    load.progress(BETWEEN, GOES_ON).await?;

    let kept = load.acknowledged();
    all_replicated(&cluster).await?;
    let stopped = Instant::now();
    block_in_place(|| {
        cluster.nodes()[0].pause();
        cluster.failover(PRIMARIES)
    })?;
    load.progress(10 * BETWEEN, GOES_ON).await?;
    let went_on = stopped.elapsed();
    block_in_place(|| {
        cluster.nodes()[0].resume();
        cluster.wait_until_whole()
    })?;
    load.progress(BETWEEN, GOES_ON).await?;
    let tally = load.finish_with_loss(backends[0].as_ref(), ENDS, &kept).await?;
    let gaps = follower.finish_with_loss(backends[0].as_ref()).await?;

    println!(
        "the load went on within {went_on:?}; {} executions, {} lost, {} late writes refused, {gaps} gaps \
         in the log",
        tally.submitted, tally.lost, tally.refused
    );
    block_in_place(|| check(&cluster, &site))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_waits_is_woken_by_the_node_that_took_over() -> CaseResult {
    let (mut cluster, site) = start()?;
    let submitter = site.connect().await?;
    let backend: Arc<dyn EngineBackend> = site.connect().await?;
    let waiting = tokio::spawn({
        let worker = site.worker();
        async move { worker.take(backend.as_ref(), 1, MAX_WAIT).await }
    });
    let moved = (0..PARTITIONS).find(|partition| {
        block_in_place(|| cluster.owner_of(slot(&site, *partition))).is_ok_and(|node| node == 0)
    });
    let moved = moved.ok_or_else(|| CaseError::new("the first node has no partition"))?;
    let key = format!("ff:{{{}/{moved}}}:w:{}", site.namespace, crate::site::LANE);
    until("the wait is armed", GOES_ON, || async {
        let arms = cluster.nodes()[0].command(&["ZCARD", &key])?;
        Ok((arms.as_integer() >= Some(1)).then_some(()))
    })
    .await?;

    all_replicated(&cluster).await?;
    block_in_place(|| {
        cluster.nodes_mut()[0].kill();
        cluster.failover(PRIMARIES)
    })?;
    let submission = placed(&site, moved)?;
    patiently(|| submitter.submit(&submission)).await?;
    let since = Instant::now();
    let tasks = tokio::time::timeout(GOES_ON, waiting).await???;

    println!("woken {:?} after a submit to the node that took over", since.elapsed());
    ensure(tasks.len() == 1 && tasks[0].execution_id == submission.id(), || format!("{tasks:?}"))
}
