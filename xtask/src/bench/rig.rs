//! What the benches over Valkey share: a private server, connections to it, what it counted, and how
//! a bench waits for a number of things to happen.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use ff_backend_valkey::ValkeyBackend;
use ff_engine::{
    EngineBackend, Entropy as _, IdSource, SeededEntropy, Submission, SubmitOps as _, SystemClock,
};
use ff_types::backend::BackendConfig;
use ff_types::{LaneId, Namespace, Payload, TaskKind};
use ff_valkey_server::{Binary, Flavor, Options, Server};
use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::prelude::{Builder, Config, ServerConfig};
use fred::types::RespVersion;
use fred::types::config::TcpConfig;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::instructions::COUNTER;
use super::report::real;

/// Executions of one submit in batches, and payloads of one push of the baseline.
pub(super) const SUBMIT_BATCH: usize = 64;
/// The lane and the kind of all executions.
pub(super) const LANE: &str = "bench";
pub(super) const KIND: &str = "noop";
/// How long nothing may happen before a bench gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the slow log notes, and how many calls it keeps.
const SLOW_MICROS: &str = "1000";
const SLOW_KEPT: &str = "100000";

/// A private server. It ends with this value.
pub(super) struct Rig {
    server: Server,
    seed: u64,
    pub(super) ids: IdSource,
}

/// What the server counted of one command.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) calls: u64,
    pub(super) micros: u64,
}

impl Rig {
    /// Starts a server for run number `run` of a bench.
    pub(super) fn start(seed: u64, run: usize) -> anyhow::Result<Self> {
        Self::start_on(&Options::new(), seed, run)
    }

    fn start_on(options: &Options, seed: u64, run: usize) -> anyhow::Result<Self> {
        let server = Server::start(options)?;
        let seed = seed.wrapping_add(run as u64);
        let ids = IdSource::new(Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed)));
        Ok(Self { server, seed, ids })
    }

    /// The same, under a profiler that counts instructions; see `Instructions`.
    pub(super) fn start_counted(seed: u64, run: usize) -> anyhow::Result<Self> {
        Self::start_on(&Options::new().under(COUNTER), seed, run)
    }

    /// A connection of the backend, as another process would have.
    pub(super) async fn backend(&self) -> anyhow::Result<Arc<ValkeyBackend>> {
        Ok(Arc::new(ValkeyBackend::connect(&self.server.url()).await?))
    }

    /// A backend of a keyspace of its own.
    pub(super) async fn backend_of(&self, namespace: &str) -> anyhow::Result<Arc<ValkeyBackend>> {
        let config = BackendConfig::from_url(&self.server.url())?;
        let config = config.with_namespace(Namespace::new(namespace)?);
        Ok(Arc::new(ValkeyBackend::builder(&config)?.connect().await?))
    }

    /// A bare connection.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        let server = ServerConfig::new_centralized(self.server.host(), self.server.port());
        let config = Config { server, version: RespVersion::RESP3, ..Config::default() };
        let mut builder = Builder::from_config(config);
        builder.with_connection_config(|connection| {
            connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
        });
        let client = builder.build()?;
        client.init().await?;
        Ok(client)
    }

    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The folder that the server runs in.
    pub(super) fn dir(&self) -> &Path {
        self.server.dir()
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port()
    }

    /// Random numbers that follow from the seed of this run.
    pub(super) fn random(&self) -> Random {
        Random(SeededEntropy::new(!self.seed))
    }

    /// Bytes that the server's data takes.
    pub(super) fn used_memory(&self) -> anyhow::Result<u64> {
        let info = self.info("memory")?;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|bytes| bytes.parse().ok()).context("the server tells no used_memory")
    }

    /// Forgets what was counted.
    pub(super) fn reset_counts(&self) -> anyhow::Result<()> {
        self.command(&["CONFIG", "RESETSTAT"])
    }

    /// What was counted by command, without the commands of this bookkeeping.
    pub(super) fn counts(&self) -> anyhow::Result<BTreeMap<String, Counted>> {
        let info = self.info("commandstats")?;
        let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
        let own = |name: &str| name == "info" || name.starts_with("config|");
        Ok(lines
            .filter(|(name, _)| !own(name))
            .map(|(name, text)| (name.to_owned(), counted(text)))
            .collect())
    }

    /// Sends a command, and waits for its reply.
    pub(super) fn command(&self, words: &[&str]) -> anyhow::Result<()> {
        self.server.command(words)?.into_result()?;
        Ok(())
    }

    /// Has the server note the calls that take longer than [`SLOW_MICROS`].
    pub(super) fn watch_slow_calls(&self) -> anyhow::Result<()> {
        self.command(&["CONFIG", "SET", "slowlog-log-slower-than", SLOW_MICROS])?;
        self.command(&["CONFIG", "SET", "slowlog-max-len", SLOW_KEPT])?;
        self.command(&["SLOWLOG", "RESET"])
    }

    /// Milliseconds of the longest function call since the last time, and its name; 0 when all were
    /// short.
    pub(super) fn slowest_call(&self) -> anyhow::Result<(f64, String)> {
        let reply = self.server.command(&["SLOWLOG", "GET", SLOW_KEPT])?.into_result()?;
        self.command(&["SLOWLOG", "RESET"])?;
        let calls = reply.as_array().context("SLOWLOG answers a list")?.iter().filter_map(|call| {
            let [_, _, micros, words, ..] = call.as_array()? else { return None };
            let [command, name, ..] = words.as_array()? else { return None };
            let is_function = command.as_str()?.to_ascii_lowercase().starts_with("fcall");
            let micros = u64::try_from(micros.as_integer()?).ok()?;
            is_function.then_some((micros, name.as_str()?.to_owned()))
        });
        let (micros, name) = calls.max().unwrap_or_default();
        Ok((real(micros) / 1e3, name))
    }

    fn info(&self, section: &str) -> anyhow::Result<String> {
        let reply = self.server.command(&["INFO", section])?.into_result()?;
        Ok(reply.as_str().context("INFO answers text")?.to_owned())
    }

    /// Executions that are the same but for their ids.
    pub(super) fn submissions(&self, count: usize, payload: usize) -> Vec<Submission> {
        let lane = LaneId::new(LANE).expect("the name is short");
        let kind = TaskKind::new(KIND).expect("the name is short");
        let payload = filler(payload);
        let one = || {
            Submission::new(self.ids.execution_id(), lane.clone(), kind.clone(), payload.clone())
        };
        (0..count).map(|_| one()).collect()
    }

    /// Submits executions in batches.
    pub(super) async fn submit(
        &self,
        backend: &ValkeyBackend,
        submissions: &[Submission],
    ) -> anyhow::Result<()> {
        for batch in submissions.chunks(SUBMIT_BATCH) {
            for submitted in backend.submit_batch(batch).await? {
                submitted?;
            }
        }
        Ok(())
    }
}

/// The server that [`Rig::start`] runs.
pub(super) fn server_version() -> anyhow::Result<String> {
    let binary = Binary::find(Flavor::Any)?;
    let name = if binary.is_valkey() { "Valkey" } else { "Redis" };
    Ok(format!("{name} {}", binary.version()))
}

/// As the SDK takes it.
pub(super) fn erased(backend: &Arc<ValkeyBackend>) -> Arc<dyn EngineBackend> {
    let backend: Arc<ValkeyBackend> = Arc::clone(backend);
    backend
}

/// A payload of this many bytes.
pub(super) fn filler(bytes: usize) -> Payload {
    Payload::new(vec![7_u8; bytes])
}

fn counted(text: &str) -> Counted {
    let field = |name: &str| {
        let value = text.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    Counted { calls: field("calls"), micros: field("usec") }
}

/// A seeded source of random numbers.
pub(super) struct Random(SeededEntropy);

impl Random {
    /// Less than `bound`.
    pub(super) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % bound as u64).expect("it is less than a usize")
    }
}

/// Runs a bench on all cores.
pub(super) fn block_on<T>(bench: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench)
}

/// Counts what is done, until all is.
#[derive(Debug, Default)]
pub(super) struct Countdown {
    left: AtomicUsize,
    over: Notify,
}

impl Countdown {
    pub(super) fn of(count: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(count), over: Notify::new() })
    }

    /// One more is done.
    pub(super) fn one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.over.notify_one();
        }
    }

    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Resolves when all is done. An error when nothing is for long.
    pub(super) async fn over(&self) -> anyhow::Result<()> {
        loop {
            let before = self.left();
            match tokio::time::timeout(PATIENCE, self.over.notified()).await {
                Ok(()) => return Ok(()),
                Err(_) if self.left() == before => {
                    anyhow::bail!("{before} are not done, and nothing happens any more")
                }
                Err(_) => {}
            }
        }
    }

    /// Like [`Countdown::over`], while `work` runs. An error of the work ends it.
    pub(super) async fn over_with(
        &self,
        work: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut over = std::pin::pin!(self.over());
        loop {
            tokio::select! {
                over = &mut over => return over,
                Some(ended) = work.join_next() => ended??,
            }
        }
    }
}
