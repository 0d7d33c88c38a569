//! Slots that move from one node of a cluster to another.

use std::time::Duration;

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{ReadOps as _, SubmitOps as _};
use ff_valkey_server::{Cluster, Reply, slot_of};

use crate::fixture::{
    A_LITTLE, REQUEST, Worker, answers, config, connect_as, job, options, soon, spawn_claim, timed,
    until,
};

const PRIMARIES: usize = 3;
/// Where the only partition of a keyspace is.
const MARK: &[u8] = b"ff:{default/0}:mark";

fn cluster() -> Cluster {
    Cluster::start(&options(), PRIMARIES, 0).expect("the cluster starts")
}

async fn connect(cluster: &Cluster) -> ValkeyBackend {
    let builder = ValkeyBackend::builder(&config(&cluster.url())).unwrap();
    builder.partitions(1).connect().await.expect("it connects")
}

#[tokio::test]
async fn a_slot_moves_under_calls_and_under_a_claim_that_waits() {
    let cluster = cluster();
    let (backend, other) = (connect(&cluster).await, connect(&cluster).await);
    let slot = slot_of(MARK);
    let from = cluster.owner_of(slot).unwrap();
    let to = (from + 1) % PRIMARIES;
    job(&backend).await.unwrap();
    let waiting = spawn_claim(&backend);
    let armed = || async {
        let node = &cluster.nodes()[from];
        node.command(&["EXISTS", "ff:{default/0}:w:main"]).unwrap().as_integer() == Some(1)
    };
    until("the claim waits", armed).await;

    // On its way, a slot answers no call of this backend, but for a while only.
    cluster.begin_migration(slot, to).unwrap();
    let (_, took) = timed(backend.describe_execution(Worker::new().nobody())).await;
    assert!(took < 2 * REQUEST + A_LITTLE, "{took:?}");
    cluster.finish_migration(slot, to).unwrap();

    assert!(answers(&backend).await, "a call goes where the slot is");
    let id = other.submit(&Worker::new().submission()).await.unwrap().id();
    let task = soon("the claim has looked again", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
    job(&backend).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_only_waits_hears_of_a_slot_that_moved() {
    let cluster = cluster();
    let (backend, other) = (connect(&cluster).await, connect(&cluster).await);
    let slot = slot_of(MARK);
    let from = cluster.owner_of(slot).unwrap();
    let waiting = spawn_claim(&backend);
    let subscribed = |node: usize| {
        let reply = cluster.nodes()[node].command(&["PUBSUB", "SHARDCHANNELS"]).unwrap();
        reply.as_array().is_some_and(|channels| !channels.is_empty())
    };
    until("the claim waits", || async { subscribed(from) }).await;

    let to = (from + 1) % PRIMARIES;
    cluster.migrate_slot(slot, to).unwrap();
    until("it listens where the slot is", || async { subscribed(to) }).await;
    let id = other.submit(&Worker::new().submission()).await.unwrap().id();

    let task = soon("the claim has looked again", waiting).await.unwrap();
    assert_eq!(task.execution_id, id);
}

#[tokio::test]
async fn calls_follow_a_slot_that_is_asked_for_while_it_moves() {
    let cluster = cluster();
    let backend = connect(&cluster).await;
    let slot = slot_of(MARK);
    let from = cluster.owner_of(slot).unwrap();
    let to = (from + 1) % PRIMARIES;
    cluster.begin_migration(slot, to).unwrap();
    // The mark goes first: the old node has none of the declared keys, and answers ASK.
    let port = cluster.nodes()[to].port().to_string();
    let mark = std::str::from_utf8(MARK).unwrap();
    let moved = cluster.nodes()[from].command(&["MIGRATE", "127.0.0.1", &port, mark, "0", "5000"]);
    moved.and_then(Reply::into_result).unwrap();

    let (answer, took) = timed(backend.describe_execution(Worker::new().nobody())).await;

    assert_eq!(answer.unwrap_err().code(), "unavailable");
    assert!(took < 2 * REQUEST + A_LITTLE, "{took:?}");
    cluster.finish_migration(slot, to).unwrap();
    job(&backend).await.unwrap();
}

#[tokio::test]
async fn a_node_of_a_cluster_is_no_server_of_its_own_and_the_other_way_round() {
    let cluster = cluster();
    let slot = slot_of(MARK);
    let elsewhere = (cluster.owner_of(slot).unwrap() + 1) % PRIMARIES;
    let error = connect_as(&config(&cluster.nodes()[elsewhere].url())).await.unwrap_err();
    assert_eq!(error.code(), "incompatible");
    assert!(error.to_string().contains("cluster=true"), "{error}");

    let server = crate::fixture::server();
    let url = format!("{}?cluster=true", server.url());
    let (answer, took) = timed(connect_as(&config(&url))).await;
    let error = answer.unwrap_err();
    assert_eq!(error.code(), "incompatible", "{error:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}
