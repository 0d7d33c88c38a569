//! How clients get along with the library and the keyspace that they find on a server.

use ff_backend_valkey::ValkeyBackend;
use ff_engine::{EngineError, ListRequest, ReadOps as _};
use ff_types::Namespace;
use ff_types::backend::BackendConfig;
use ff_valkey_server::{Binary, Flavor, Options, Server};

/// A library of the same names that answers a protocol and a hash of its own.
fn other_library(protocol: u32) -> String {
    format!(
        "#!lua name=ff\nredis.register_function({{ function_name = 'ff_version', flags = {{ \
         'no-writes' }}, callback = function() return {{ 'OK', {protocol}, 'another' }} end }})"
    )
}

fn server() -> Server {
    let binary = Binary::find(Flavor::Any).expect("a server is found");
    Server::start(&Options::new().binary(binary)).expect("a server starts")
}

async fn connect(server: &Server, partitions: Option<u16>) -> Result<ValkeyBackend, EngineError> {
    let namespace = Namespace::new("loader")?;
    let config = BackendConfig::from_url(&server.url())?.with_namespace(namespace);
    let builder = ValkeyBackend::builder(&config)?;
    match partitions {
        Some(partitions) => builder.partitions(partitions).connect().await,
        None => builder.connect().await,
    }
}

/// How often a library was loaded since the server's counts began.
fn loads(server: &Server) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).expect("the server answers");
    let info = info.as_str().expect("INFO is text").to_owned();
    info.lines()
        .find_map(|line| line.strip_prefix("cmdstat_function|load:calls="))
        .and_then(|rest| rest.split(',').next())
        .map_or(0, |calls| calls.parse().expect("a count"))
}

async fn works(backend: &ValkeyBackend) {
    backend.list_executions(&ListRequest::new()).await.expect("the library is there");
}

#[tokio::test]
async fn the_same_library_is_loaded_once() {
    let server = server();

    for _ in 0..3 {
        works(&connect(&server, None).await.expect("it connects")).await;
    }

    assert_eq!(loads(&server), 1);
}

#[tokio::test]
async fn another_library_of_the_same_protocol_is_replaced_once() {
    let server = server();
    let old = connect(&server, None).await.expect("it connects");
    server
        .command(&["FUNCTION", "LOAD", "REPLACE", &other_library(1)])
        .and_then(ff_valkey_server::Reply::into_result)
        .expect("it loads");
    let before = loads(&server);

    let new = connect(&server, None).await.expect("it connects");
    works(&new).await;
    works(&old).await;
    works(&new).await;

    assert_eq!(loads(&server), before + 1, "the two do not replace each other in turns");
}

#[tokio::test]
async fn a_newer_protocol_is_left_alone() {
    let server = server();
    let old = connect(&server, None).await.expect("it connects");
    server
        .command(&["FUNCTION", "LOAD", "REPLACE", &other_library(2)])
        .and_then(ff_valkey_server::Reply::into_result)
        .expect("it loads");
    let before = loads(&server);

    let refused = connect(&server, None).await.expect_err("it is too old");
    let refused_later = old.list_executions(&ListRequest::new()).await.expect_err("it is too old");

    for error in [refused, refused_later] {
        assert_eq!(error.code(), "incompatible");
        assert!(error.to_string().contains("upgrade"), "{error}");
    }
    assert_eq!(loads(&server), before);
}

#[tokio::test]
async fn a_keyspace_keeps_its_number_of_partitions() {
    let server = server();
    connect(&server, Some(4)).await.expect("it makes the keyspace");

    let refused = connect(&server, Some(8)).await.expect_err("it has another number");
    let adopted = connect(&server, None).await.expect("it takes the number that there is");

    assert_eq!(refused.code(), "incompatible");
    assert!(refused.to_string().contains("has 4 partitions"), "{refused}");
    assert_eq!(adopted.partitions(), 4);
    for out_of_range in [0, 1_025] {
        let refused = connect(&server, Some(out_of_range)).await.expect_err("out of range");
        assert_eq!(refused.code(), "validation");
    }
}

/// Functions give scores to commands as numbers: the server keeps every digit.
#[test]
fn a_score_keeps_every_digit() {
    const ADD: &str = "return redis.call('ZADD', KEYS[1], tonumber(ARGV[1]), ARGV[1])";
    let server = server();
    let edges = (0..53).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    for number in edges.chain([(1 << 53) - 1, 1_800_000_000_000, 253_402_300_799_999]) {
        let digits = number.to_string();
        server.command(&["EVAL", ADD, "1", "scores", &digits]).expect("it is added");
        let found = server.command(&["ZRANGE", "scores", &digits, &digits, "BYSCORE"]);
        let found = found.expect("the server answers");
        let found = found.as_array().and_then(|found| found.first()?.as_str());
        assert_eq!(found, Some(digits.as_str()));
    }
}
