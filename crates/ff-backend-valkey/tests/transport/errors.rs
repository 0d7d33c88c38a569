//! What a server's errors mean to a caller.

use ff_engine::ReadOps as _;

use crate::fixture::{
    A_LITTLE, REQUEST, Worker, answers, config, connect, connect_as, server, timed, until,
};
use crate::script::{Fault, Script};

/// The answer of a server, the code that it means, and whether the call may be made again.
const MEANINGS: [(&str, &str, bool); 16] = [
    ("READONLY You can't write against a read only replica.", "unavailable", true),
    ("LOADING Valkey is loading the dataset in memory", "unavailable", true),
    ("BUSY Valkey is busy running a script.", "unavailable", true),
    ("UNKILLABLE The busy script was not running in read-only mode.", "unavailable", true),
    ("MISCONF Valkey is configured to save RDB snapshots, but cannot.", "unavailable", true),
    ("MASTERDOWN Link with MASTER is down.", "unavailable", true),
    ("CLUSTERDOWN The cluster is down", "unavailable", true),
    ("NOREPLICAS Not enough good replicas to write.", "unavailable", true),
    ("OOM command not allowed when used memory > 'maxmemory'.", "unavailable_full", true),
    ("NOPERM User app has no permissions to run the 'fcall' command", "incompatible", false),
    ("NOAUTH Authentication required.", "incompatible", false),
    ("WRONGPASS invalid username-password pair or user is disabled.", "incompatible", false),
    // A client that knows nothing of the cluster cannot go where it is sent.
    ("MOVED 3999 127.0.0.1:6381", "incompatible", false),
    ("ASK 3999 127.0.0.1:6381", "incompatible", false),
    ("ERR user_function:1: attempt to index a nil value", "internal", false),
    ("SOMETHING that no server says yet", "internal", false),
];

#[tokio::test]
async fn each_error_of_a_server_has_a_code() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;

    for (text, code, is_retryable) in MEANINGS {
        script.once("ff_describe", Fault::Answer(text));
        let before = script.seen("ff_describe");

        let (answer, took) = timed(backend.describe_execution(Worker::new().nobody())).await;

        let error = answer.expect_err(text);
        assert_eq!((error.code(), error.is_retryable()), (code, is_retryable), "{text}: {error:?}");
        assert!(took < A_LITTLE, "{text}: {took:?}");
        assert_eq!(script.seen("ff_describe"), before + 1, "{text}: it was sent once");
        until("calls are answered again", || answers(&backend)).await;
    }
}

#[tokio::test]
async fn a_call_is_repeated_while_its_slot_is_being_moved_and_no_longer() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&script.url()).await;
    let busy = Fault::Answer("TRYAGAIN Multiple keys request during rehashing of slot");

    script.once("ff_describe", busy);
    script.once("ff_describe", busy);
    assert!(answers(&backend).await, "it is repeated");
    assert_eq!(script.seen("ff_describe"), 3);

    script.always("ff_describe", busy);
    let (answer, took) = timed(backend.describe_execution(Worker::new().nobody())).await;
    assert_eq!(answer.unwrap_err().code(), "unavailable");
    assert!((REQUEST / 2..REQUEST + A_LITTLE).contains(&took), "{took:?}");
}

#[tokio::test]
async fn connecting_to_a_server_that_is_not_ready_may_be_tried_again() {
    for text in [
        "LOADING Valkey is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down",
        "BUSY Valkey is busy running a script.",
        "ERR max number of clients reached",
    ] {
        let server = server();
        let script = Script::before(&server).await;
        script.once("HELLO", Fault::Answer(text));

        let error = connect_as(&config(&script.url())).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("unavailable", true), "{error:?}");
        connect(&script.url()).await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_protocol_is_incompatible() {
    for text in [
        "NOPROTO unsupported protocol version",
        "ERR unknown command `HELLO`, with args beginning with: `3`, ",
        "DENIED Valkey is running in protected mode",
    ] {
        let server = server();
        let script = Script::before(&server).await;
        script.once("HELLO", Fault::Answer(text));

        let error = connect_as(&config(&script.url())).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("incompatible", false), "{error:?}");
    }
}
