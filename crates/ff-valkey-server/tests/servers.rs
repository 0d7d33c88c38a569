//! Real servers, of every flavor that this machine has.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use ff_valkey_server::{Binary, Cluster, Error, Flavor, Options, Reply, Server, slot_of};
use rustix::process::{Pid, test_kill_process};

/// How to run Valkey, which every machine has or can download, and Redis where it is installed.
fn each_flavor() -> Vec<Options> {
    let valkey = Binary::find(Flavor::Valkey).expect("Valkey is found");
    let redis = Binary::find(Flavor::Redis).ok();
    [Some(valkey), redis].into_iter().flatten().map(|it| Options::new().binary(it)).collect()
}

fn start(options: &Options) -> Server {
    Server::start(options).expect("the server starts")
}

/// The reply of a command that succeeds.
fn ask(server: &Server, words: &[&str]) -> Reply {
    let reply = server.command(words).and_then(Reply::into_result);
    reply.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn is_alive(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.try_into().expect("ids are positive"));
    test_kill_process(pid.expect("ids are not zero")).is_ok()
}

#[test]
fn a_server_starts_and_answers() {
    for options in each_flavor() {
        let server = start(&options);

        assert_eq!(ask(&server, &["PING"]), Reply::Simple("PONG".into()));
        assert_eq!(server.url(), format!("valkey://{}:{}", server.host(), server.port()));
        let info = ask(&server, &["INFO", "server"]);
        let info = info.as_str().unwrap();
        assert!(info.contains(&format!("process_id:{}", server.pid())));
        assert_eq!(info.contains("valkey_version"), server.binary().is_valkey());
        assert!(info.contains(&format!("_version:{}", server.binary().version())));
    }
}

#[test]
fn a_refused_command_is_a_reply_and_the_connection_goes_on() {
    let server = start(&Options::new());

    let reply = server.command(&["NO-SUCH-COMMAND"]).unwrap();

    assert!(matches!(&reply, Reply::Error(text) if text.starts_with("ERR ")));
    assert!(matches!(reply.into_result(), Err(Error::Answer(_))));
    assert_eq!(ask(&server, &["ECHO", "on"]).as_str(), Some("on"));
}

#[test]
fn a_restart_after_a_kill_keeps_the_port_and_what_was_written() {
    for options in each_flavor() {
        let mut server =
            start(&options.config("appendonly", "yes").config("appendfsync", "always"));
        let (port, pid) = (server.port(), server.pid());
        ask(&server, &["SET", "key", "value"]);

        server.kill();
        assert!(!is_alive(pid));
        assert!(!server.is_up() && server.command(&["PING"]).is_err());
        server.restart().unwrap();

        assert_eq!(ask(&server, &["GET", "key"]), Reply::Bulk(Some(b"value".into())));
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
        assert!(is_alive(server.pid()));
    }
}

#[test]
fn a_restart_without_persistence_starts_empty() {
    let mut server = start(&Options::new());
    ask(&server, &["SET", "key", "value"]);

    server.restart().unwrap();

    assert_eq!(ask(&server, &["DBSIZE"]).as_integer(), Some(0));
}

#[test]
fn a_shutdown_ends_the_server_in_order() {
    for options in each_flavor() {
        let mut server = start(&options);

        server.pause();
        server.shutdown();

        assert!(!is_alive(server.pid()));
        assert!(server.log().contains("bye bye"), "{}", server.log());
        server.restart().unwrap();
        assert_eq!(ask(&server, &["PING"]).as_str(), Some("PONG"));
    }
}

#[test]
fn servers_at_the_same_time_have_ports_and_data_of_their_own() {
    let servers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| start(&Options::new()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let mut ports: Vec<_> = servers.iter().map(Server::port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), servers.len());
    ask(&servers[0], &["SET", "key", "value"]);
    assert_eq!(ask(&servers[1], &["EXISTS", "key"]).as_integer(), Some(0));
}

#[test]
fn a_paused_server_answers_once_it_goes_on() {
    for options in each_flavor() {
        let server = start(&options);
        let mut impatient = server.connect().unwrap();
        impatient.set_timeout(Duration::from_millis(50)).unwrap();
        let mut patient = server.connect().unwrap();

        server.pause();
        assert!(!server.is_up());
        assert!(matches!(impatient.command(&["PING"]), Err(Error::Io { .. })));
        server.resume();

        assert!(server.is_up());
        assert_eq!(patient.command(&["PING"]).unwrap().as_str(), Some("PONG"));
        assert!(impatient.command(&["PING"]).is_err(), "its reply would be the one of before");
        server.pause();
        server.pause();
        server.resume();
        assert_eq!(patient.command(&["PING"]).unwrap().as_str(), Some("PONG"));
    }
}

#[test]
fn dropping_leaves_no_process_and_no_folder() {
    for options in each_flavor() {
        let (running, paused) = (start(&options), start(&options));
        paused.pause();
        let left = [&running, &paused].map(|server| (server.pid(), server.dir().to_owned()));
        assert!(left.iter().all(|(pid, folder)| is_alive(*pid) && folder.is_dir()));

        drop((running, paused));

        assert!(left.iter().all(|(pid, folder)| !is_alive(*pid) && !folder.exists()));
    }
}

#[test]
fn a_server_ends_with_a_process_that_is_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner_to_be_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let port = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("port ").map(|port| port.parse::<u16>().unwrap()))
        .unwrap();
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();

    owner.kill().unwrap();
    owner.wait().unwrap();

    // The end of the stream, or a reset, is the end of the server.
    let end = connection.read(&mut [0]);
    let kind = end.as_ref().map_err(std::io::Error::kind);
    assert!(matches!(kind, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)), "{end:?}");
}

#[test]
#[ignore = "the process that a_server_ends_with_a_process_that_is_killed starts and kills"]
fn owner_to_be_killed() {
    let server = start(&Options::new());
    println!("\nport {}", server.port());
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_server_that_refuses_its_configuration_says_why() {
    for options in each_flavor() {
        let error = Server::start(&options.config("no-such-directive", "1")).unwrap_err();

        assert!(matches!(error, Error::Start { .. }));
        assert!(error.to_string().contains("no-such-directive"), "{error}");
    }
}

#[test]
fn a_password_is_asked_of_others_only() {
    let server = start(&Options::new().config("requirepass", "secret"));

    assert_eq!(ask(&server, &["PING"]).as_str(), Some("PONG"));
    let reply = server.command(&["AUTH", "wrong"]).unwrap();
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("WRONGPASS")));
}

#[test]
fn tls_has_a_port_of_its_own() {
    let with_tls = [Flavor::Valkey, Flavor::Redis]
        .into_iter()
        .filter_map(|flavor| Binary::find(flavor).ok())
        .find(Binary::has_tls);
    let Some(binary) = with_tls else {
        println!("not run: no server with TLS");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
        ])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("not run: openssl is not installed");
        return;
    }

    let server = start(&Options::new().binary(binary).tls(&certificate, key, &certificate));

    let port = server.tls_port().unwrap();
    let handshake = Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-connect", &format!("127.0.0.1:{port}")])
        .arg("-CAfile")
        .arg(&certificate)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(handshake.status.success(), "{handshake:?}");
    assert_eq!(ask(&server, &["PING"]).as_str(), Some("PONG"));
}

#[test]
fn a_cluster_answers_and_a_slot_moves_with_its_keys() {
    for options in each_flavor() {
        let cluster = Cluster::start(&options, 3, 0).expect("the cluster starts");
        let key = "{tag}:0";
        let slot = slot_of(key.as_bytes());
        assert_eq!(cluster.url(), format!("{}?cluster=true", cluster.nodes()[0].url()));
        let from = cluster.owner_of(slot).unwrap();
        let to = (from + 1) % 3;
        // More than one batch.
        for number in 0..250 {
            ask(&cluster.nodes()[from], &["SET", &format!("{{tag}}:{number}"), "value"]);
        }
        let moved = cluster.nodes()[to].command(&["GET", key]).unwrap();
        let owner = format!("MOVED {slot} 127.0.0.1:{}", cluster.nodes()[from].port());
        assert_eq!(moved, Reply::Error(owner));

        cluster.begin_migration(slot, to).unwrap();
        let missing = cluster.nodes()[from].command(&["GET", "{tag}:missing"]).unwrap();
        assert!(matches!(missing, Reply::Error(text) if text.starts_with("ASK ")));
        cluster.finish_migration(slot, to).unwrap();

        assert_eq!(cluster.owner_of(slot).unwrap(), to);
        assert_eq!(ask(&cluster.nodes()[to], &["GET", key]).as_str(), Some("value"));
        let count = ask(&cluster.nodes()[to], &["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]);
        assert_eq!(count.as_integer(), Some(250));
        let moved = cluster.nodes()[from].command(&["GET", key]).unwrap();
        assert!(matches!(moved, Reply::Error(text) if text.starts_with("MOVED ")));

        cluster.migrate_slot(slot, from).unwrap();
        assert_eq!(ask(&cluster.nodes()[from], &["GET", key]).as_str(), Some("value"));
        assert!(cluster.migrate_slot(slot, 3).is_err());
    }
}

#[test]
fn a_replica_takes_over_from_a_killed_primary() {
    for options in each_flavor() {
        let options = options.config("requirepass", "secret");
        let mut cluster = Cluster::start(&options, 3, 1).expect("the cluster starts");
        let slot = slot_of(b"key");
        let primary = cluster.owner_of(slot).unwrap();
        let replica = 3 + primary;
        ask(&cluster.nodes()[primary], &["SET", "key", "value"]);
        assert_eq!(ask(&cluster.nodes()[primary], &["WAIT", "1", "5000"]).as_integer(), Some(1));

        cluster.nodes_mut()[primary].kill();
        cluster.failover(replica).unwrap();

        assert_eq!(cluster.owner_of(slot).unwrap(), replica);
        assert_eq!(ask(&cluster.nodes()[replica], &["GET", "key"]).as_str(), Some("value"));

        cluster.nodes_mut()[primary].restart().unwrap();
        cluster.wait_until_whole().unwrap();
        cluster.failover(primary).unwrap();
        assert_eq!(cluster.owner_of(slot).unwrap(), primary);

        let other = (primary + 1) % 3;
        cluster.migrate_slot(slot, other).unwrap();
        assert_eq!(ask(&cluster.nodes()[other], &["GET", "key"]).as_str(), Some("value"));
    }
}
