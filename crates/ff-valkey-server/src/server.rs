//! A private server on a free loopback port, with a folder of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::printable;
use crate::options::Ports;
use crate::process::Process;
use crate::{Binary, Connection, Error, Options, Reply, ports, wait};

const CONFIG: &str = "server.conf";
const LOG: &str = "server.log";

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(20);
/// How long a server may take to end: it waits ten seconds for its replicas.
const SHUTDOWN: Duration = Duration::from_secs(15);
/// How often a port may turn out to be taken.
const ATTEMPTS: u32 = 10;
/// How much of the log an error shows.
const LOG_LINES: usize = 20;

/// A running server. Dropping it kills the process and removes the folder.
///
/// The process ends with this one, too, even where this one is killed: a shell that watches over
/// it kills it then.
#[derive(Debug)]
pub struct Server {
    binary: Binary,
    under: Box<[String]>,
    password: Option<String>,
    ports: Ports,
    pid: u32,
    paused: AtomicBool,
    cached: Mutex<Option<Connection>>,
    // Before the folder: fields drop in this order, and the process writes there.
    process: Option<Process>,
    folder: TempDir,
}

/// How an attempt to run a server ended.
enum Launch {
    Ready(Process),
    PortTaken(Error),
}

impl Server {
    /// Runs a server, and returns once it answers.
    pub fn start(options: &Options) -> Result<Self, Error> {
        Self::start_as(options, false)
    }

    pub(crate) fn start_as(options: &Options, is_cluster_node: bool) -> Result<Self, Error> {
        let binary = options.find_binary()?;
        let mut attempt = 1;
        loop {
            let ports = Ports {
                client: free_port()?,
                bus: is_cluster_node.then(free_port).transpose()?,
                tls: options.has_tls().then(free_port).transpose()?,
            };
            let folder = tempfile::Builder::new()
                .prefix("ff-valkey-server-")
                .tempdir()
                .map_err(Error::io("making a folder for a server"))?;
            fs::write(folder.path().join(CONFIG), options.file(ports)?)
                .map_err(Error::io("writing a server's configuration"))?;
            let mut server = Self {
                binary: binary.clone(),
                under: options.program().into(),
                password: options.password().map(str::to_owned),
                ports,
                pid: 0,
                paused: AtomicBool::new(false),
                cached: Mutex::new(None),
                process: None,
                folder,
            };
            match server.launch()? {
                Launch::Ready(process) => {
                    server.adopt(process);
                    return Ok(server);
                }
                Launch::PortTaken(error) if attempt == ATTEMPTS => return Err(error),
                Launch::PortTaken(_) => attempt += 1,
            }
        }
    }

    /// The address it listens on.
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port it listens on, without TLS. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.ports.client
    }

    /// The port it listens on for TLS, where [`Options::tls`] asked for one.
    pub fn tls_port(&self) -> Option<u16> {
        self.ports.tls
    }

    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.ports.bus
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// `valkey://127.0.0.1:PORT`, without credentials and without TLS.
    pub fn url(&self) -> String {
        format!("valkey://{}:{}", self.host(), self.port())
    }

    /// The id of its process, or of the last one where it does not run.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it runs.
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// Its working folder, with its configuration, its log and its data. It is kept over restarts
    /// and goes with this value.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// All it logged, over restarts.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join(LOG)).map(printable).unwrap_or_default()
    }

    /// Whether it runs and is not paused, as far as the calls made here say.
    pub fn is_up(&self) -> bool {
        self.process.is_some() && !self.paused.load(Ordering::Relaxed)
    }

    /// Sends a command over a connection that is kept for the next one, and answers its reply, of
    /// which [`Reply::Error`] is one. A reply may take five seconds.
    pub fn command(&self, words: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = match cached.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let reply = connection.command(words)?;
        *cached = Some(connection);
        Ok(reply)
    }

    /// A connection of its own.
    pub fn connect(&self) -> Result<Connection, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.client));
        Connection::open(address, self.password.as_deref())
    }

    /// Kills it, as a crash would, and returns once it is gone.
    pub fn kill(&mut self) {
        self.disown();
    }

    /// Stops it: it keeps its connections and answers nothing. Returns once it stands still.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.pause();
            self.paused.store(true, Ordering::Relaxed);
        }
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.resume();
            self.paused.store(false, Ordering::Relaxed);
        }
    }

    /// Asks it to end in order, kills it where it takes too long, and returns once it is gone.
    pub fn shutdown(&mut self) {
        if let Some(process) = self.disown() {
            process.shutdown(SHUTDOWN);
        }
    }

    /// Runs it again with the same ports and the same folder, and returns once it answers. A server
    /// that runs is killed first.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        let mut attempt = 1;
        loop {
            match self.launch()? {
                Launch::Ready(process) => {
                    self.adopt(process);
                    return Ok(());
                }
                Launch::PortTaken(error) if attempt == ATTEMPTS => return Err(error),
                Launch::PortTaken(_) => attempt += 1,
            }
        }
    }

    /// What is run.
    fn program(&self) -> String {
        self.under.first().cloned().unwrap_or_else(|| self.binary.path().display().to_string())
    }

    fn adopt(&mut self, process: Process) {
        self.pid = process.id();
        self.process = Some(process);
    }

    /// Takes the process, and forgets what belongs to it.
    fn disown(&mut self) -> Option<Process> {
        *self.cached.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        *self.paused.get_mut() = false;
        self.process.take()
    }

    fn launch(&self) -> Result<Launch, Error> {
        let logged_before = self.log().len();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(LOG))
            .map_err(Error::io("opening a server's log"))?;
        let mut process =
            Process::spawn(&self.under, self.binary.path(), self.folder.path(), CONFIG, &log)
                .map_err(Error::io(format!("running {}", self.program())))?;

        let ended = wait::until(START, || match process.exit() {
            Some(status) => Some(Some(status)),
            None => self.answers_as(process.id()).then_some(None),
        });
        let reason = match ended {
            Some(None) => return Ok(Launch::Ready(process)),
            Some(Some(status)) => status,
            None => format!("no answer within {} s", START.as_secs()),
        };
        let log = self.log();
        let log = log.get(logged_before..).unwrap_or(&log);
        let error = Error::Start { reason, log: last_lines(log, LOG_LINES) };
        if log.contains("already in use") { Ok(Launch::PortTaken(error)) } else { Err(error) }
    }

    /// Whether the server is ready, and is the process `pid` rather than one that took the port.
    fn answers_as(&self, pid: u32) -> bool {
        let answers = || -> Result<bool, Error> {
            let mut connection = self.connect()?;
            let pong = connection.command(&["PING"])?;
            let info = connection.command(&["INFO", "server"])?;
            let line = format!("process_id:{pid}");
            Ok(pong.as_str() == Some("PONG")
                && info.as_str().is_some_and(|info| info.lines().any(|found| found == line)))
        };
        answers().unwrap_or(false)
    }
}

fn free_port() -> Result<u16, Error> {
    ports::free()
        .ok_or_else(|| Error::Start { reason: "every port is taken".into(), log: String::new() })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
