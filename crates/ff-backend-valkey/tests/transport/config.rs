//! Each field of a configuration, on a real server.

use std::time::Duration;

use ff_engine::{EngineError, ReadOps as _, SubmitOps as _};
use ff_types::Namespace;
use ff_types::backend::{BackendConfig, BackendConnection, BackendRetry, ValkeyConnection};
use ff_valkey_server::Server;
use tokio::time::Instant;

use crate::fixture::{
    Worker, answers, ask, assert_unavailable, config, connect, connect_as, job, options, server,
    timed, until,
};
use crate::script::{Fault, Script};

/// A password that an error must not show.
const SECRET: &str = "hunter2-hunter2";

/// The connections of others than this test's, each as `CLIENT LIST` shows it.
fn clients(server: &Server) -> Vec<String> {
    let list = ask(server, &["CLIENT", "LIST"]);
    list.lines().filter(|line| !line.contains("cmd=client|list")).map(str::to_owned).collect()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, EngineError>) {
    let error = answer.expect_err("it is refused");
    assert_eq!((error.code(), error.is_retryable()), ("incompatible", false), "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("WRONGPASS") || shown.contains("NOAUTH"), "{shown}");
}

#[tokio::test]
async fn every_form_of_a_url_does_a_job() {
    let server = server();
    for scheme in ["valkey", "redis"] {
        for end in ["", "/", "/0", "/3", "?cluster=false", "/3?cluster=false"] {
            let url = format!("{scheme}://127.0.0.1:{}{end}", server.port());
            job(&connect(&url).await).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }
    let named = format!("valkey://localhost:{}", server.port());
    job(&connect(&named).await).await.unwrap();
}

#[tokio::test]
async fn a_database_is_selected_on_each_connection_and_kept_over_a_reconnect() {
    let server = server();
    let script = Script::before(&server).await;
    let backend = connect(&format!("{}/3", script.url())).await;
    let other = connect(&server.url()).await;
    let submission = Worker::new().submission();
    backend.submit(&submission).await.unwrap();
    assert!(other.describe_execution(submission.id()).await.is_err(), "it is in another one");
    assert!(clients(&server).iter().any(|client| client.contains(" db=3 ")));

    script.cut("HELLO");

    let there = || async { backend.describe_execution(submission.id()).await.is_ok() };
    until("the same database answers", there).await;
    assert!(ask(&server, &["INFO", "keyspace"]).contains("db3:"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused() {
    let server = Server::start(&options().config("databases", "4")).unwrap();
    for number in ["/4", "/255", "/256", "/4294967295"] {
        let error = connect_as(&config(&format!("{}{number}", server.url()))).await.unwrap_err();
        assert_eq!(error.code(), "incompatible", "{number}: {error}");
    }
    let error = connect_as(&config(&format!("{}/1?cluster=true", server.url()))).await.unwrap_err();
    assert_eq!(error.code(), "incompatible", "{error}");
}

#[tokio::test]
async fn a_user_is_that_user() {
    let server = server();
    let secret = format!(">{SECRET}");
    ask(&server, &["ACL", "SETUSER", "app", "on", &secret, "~*", "&*", "+@all"]);
    ask(&server, &["ACL", "SETUSER", "open", "on", "nopass", "~*", "&*", "+@all"]);
    let with = |connection: ValkeyConnection| {
        let mut config = config(&server.url());
        config.connection = BackendConnection::Valkey(connection);
        config
    };
    let plain = || ValkeyConnection::new(server.host(), server.port());

    for (user, connection) in [
        ("app", plain().with_username("app").with_password(SECRET)),
        // A user without a password is not taken for the default one.
        ("open", plain().with_username("open")),
        ("default", plain()),
    ] {
        let backend = connect_as(&with(connection)).await.unwrap();
        job(&backend).await.unwrap();
        let users = clients(&server);
        let user = format!(" user={user} ");
        assert!(users.iter().filter(|client| client.contains(&user)).count() >= 2, "{users:#?}");
        assert!(users.iter().any(|client| client.contains(" resp=3")), "{users:#?}");
    }
    assert_refused(connect_as(&with(plain().with_username("app"))).await);
    assert_refused(connect_as(&with(plain().with_username("app").with_password("no"))).await);
    assert_refused(connect_as(&with(plain().with_username("no").with_password(SECRET))).await);
}

#[tokio::test]
async fn a_password_may_hold_anything() {
    let server = server();
    for secret in ["a b", "\"", "it's", "back\\slash", "é\t~", "x\r\nFLUSHALL", " "] {
        let secret_rule = format!(">{secret}");
        ask(
            &server,
            &["ACL", "SETUSER", "it's-odd\"user", "reset", "on", &secret_rule, "~*", "&*", "+@all"],
        );
        let mut config = config(&server.url());
        let connection = ValkeyConnection::new(server.host(), server.port());
        let connection = connection.with_username("it's-odd\"user").with_password(secret);
        config.connection = BackendConnection::Valkey(connection);

        let backend = connect_as(&config).await.unwrap_or_else(|error| panic!("{secret}: {error}"));
        job(&backend).await.unwrap();
    }
    assert!(!ask(&server, &["INFO", "commandstats"]).contains("flushall"));
}

#[tokio::test]
async fn a_password_alone_is_the_default_users() {
    let server = Server::start(&options().config("requirepass", SECRET)).unwrap();
    let url = |password: &str| format!("valkey://:{password}@127.0.0.1:{}", server.port());

    let backend = connect(&url(SECRET)).await;
    job(&backend).await.unwrap();

    assert_refused(connect_as(&config(&server.url())).await);
    assert_refused(connect_as(&config(&url("wrong"))).await);
    // A password that changes under a client is told so, and shown to nobody.
    ask(&server, &["CONFIG", "SET", "requirepass", "another"]);
    ask(&server, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_unavailable(backend.describe_execution(Worker::new().nobody()).await);
    ask(&server, &["CONFIG", "SET", "requirepass", SECRET]);
    until("the old password is good again", || answers(&backend)).await;
}

#[tokio::test]
async fn a_namespace_is_the_prefix_of_all_keys() {
    let server = server();
    let namespace = Namespace::new("billing").unwrap();
    let backend = connect_as(&config(&server.url()).with_namespace(namespace)).await.unwrap();
    backend.submit(&Worker::new().submission()).await.unwrap();

    let keys = server.command(&["KEYS", "*"]).unwrap();
    let keys: Vec<_> = keys.as_array().unwrap().iter().filter_map(|key| key.as_str()).collect();
    assert!(keys.len() > 1);
    assert!(keys.iter().all(|key| key.starts_with("ff:{billing/0}:")), "{keys:?}");
}

/// How long a client with these settings takes for so many attempts to come back, none of which
/// gets anywhere.
async fn time_of(attempts: usize, retry: BackendRetry) -> Duration {
    let server = server();
    let script = Script::before(&server).await;
    let config = config(&script.url()).with_retry(retry.with_jitter_percent(0));
    let _backend = connect_as(&config).await.unwrap();
    let before = script.seen("HELLO");
    script.always("HELLO", Fault::LoseRequest);
    let start = Instant::now();
    script.cut("HELLO");
    until("it tries", || async { script.seen("HELLO") >= before + attempts }).await;
    start.elapsed()
}

#[tokio::test]
async fn reconnects_come_as_configured() {
    const LONG: Duration = Duration::from_millis(1_500);
    let retry = BackendRetry::new().with_factor(20).with_exponent_base(1);

    assert!(time_of(10, retry).await < LONG, "20 ms ten times");
    assert!(time_of(3, retry.with_factor(600)).await > LONG, "600 ms three times");
    let growing = retry.with_exponent_base(4);
    assert!(time_of(4, growing.with_number_of_retries(3)).await > LONG, "20, 80, 320, 1,280 ms");
    assert!(time_of(4, growing.with_number_of_retries(1)).await < LONG, "20, 80, 80, 80 ms");
}

#[tokio::test]
async fn a_configuration_for_another_backend_is_refused() {
    let (answer, _) = timed(connect_as(&BackendConfig::mem())).await;
    assert_eq!(answer.unwrap_err().code(), "validation");
}
