//! The workers: tasks of this process on the embedded engine, processes of their own otherwise.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::EngineBackend;
use ff_sdk::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::Failure;
use crate::args::Args;
use crate::crash::{AGONY, Crash, Killed};
use crate::digest::{self, KIND, LANE};
use crate::place::Place;

/// How many files one worker reads at once.
const FILES_AT_ONCE: usize = 4;
/// The lease of workers of which one dies: the others wait that long for its files.
const BRIEF_LEASE: Duration = Duration::from_secs(1);
/// What a worker process says when it hangs.
const HANGS: &str = "hangs";
/// The first word of the command line of a worker process.
pub(crate) const WORKER: &str = "--as-worker";

/// All workers of a run.
pub(crate) enum Fleet {
    Tasks { workers: Vec<WorkerHandle>, crash: Arc<Crash>, dying: Option<Dying> },
    Processes { workers: Vec<Child>, dying: Option<Dying> },
}

type Dying = JoinHandle<Option<Killed>>;

impl Fleet {
    /// Workers in this process.
    pub(crate) fn tasks(
        backend: &Arc<dyn EngineBackend>,
        args: &Args,
        files: usize,
    ) -> Result<Self, Failure> {
        let crash = Arc::new(Crash::after(files / args.workers / 2));
        let mut workers = Vec::new();
        let mut dying = None;
        for number in 0..args.workers {
            let dies = args.crash && number == 0;
            let mortal = dies.then(|| Arc::clone(&crash));
            let worker = start(Arc::clone(backend), args.crash, mortal)?;
            if dies {
                dying = Some(crash.watch(worker));
            } else {
                workers.push(worker);
            }
        }
        Ok(Self::Tasks { workers, crash, dying })
    }

    /// Workers in processes of their own.
    pub(crate) fn processes(place: &Place, args: &Args, files: usize) -> Result<Self, Failure> {
        let mut workers = Vec::new();
        let mut dying = None;
        for number in 0..args.workers {
            let dies = args.crash && number == 0;
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(WORKER).args(place.words()).arg(args.crash.to_string());
            if dies {
                command.arg((files / args.workers / 2).to_string());
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let worker = command.spawn()?;
            if dies {
                dying = Some(tokio::spawn(kill_when_it_hangs(worker)));
            } else {
                workers.push(worker);
            }
        }
        Ok(Self::Processes { workers, dying })
    }

    /// Lets everyone finish; answers how one died, if one did.
    pub(crate) async fn stop(self) -> Result<Option<Killed>, Failure> {
        match self {
            Self::Tasks { workers, crash, dying } => {
                crash.no_more();
                for worker in workers {
                    worker.shutdown().await;
                }
                ended(dying).await
            }
            Self::Processes { workers, dying } => {
                for mut worker in workers {
                    // The end of its input tells a worker to stop.
                    drop(worker.stdin.take());
                    worker.wait().await?;
                }
                ended(dying).await
            }
        }
    }
}

async fn ended(dying: Option<Dying>) -> Result<Option<Killed>, Failure> {
    match dying {
        Some(dying) => Ok(dying.await?),
        None => Ok(None),
    }
}

/// Kills a worker process once it says that it hangs. One that ends before was not needed.
async fn kill_when_it_hangs(mut worker: Child) -> Option<Killed> {
    let mut lines = BufReader::new(worker.stdout.take()?).lines();
    let said = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
    if said.is_ok_and(|line| line.is_ok_and(|line| line.as_deref() == Some(HANGS))) {
        tokio::time::sleep(AGONY).await;
        worker.kill().await.ok()?;
        return Some(Killed::Process);
    }
    None
}

/// What a worker process does: work until its input ends.
pub(crate) async fn work(mut words: impl Iterator<Item = String>) -> Result<(), Failure> {
    let place = Place::from_words(&mut words)?;
    let brief = words.next().is_some_and(|word| word == "true");
    let crash = words.next().and_then(|word| word.parse().ok()).map(Crash::after).map(Arc::new);
    let worker = start(place.open().await?, brief, crash.clone())?;
    let mut nothing = Vec::new();
    let mut stdin = tokio::io::stdin();
    if let Some(crash) = crash {
        tokio::select! {
            () = crash.hangs() => {
                let mut stdout = tokio::io::stdout();
                stdout.write_all(format!("{HANGS}\n").as_bytes()).await?;
                stdout.flush().await?;
                std::future::pending::<()>().await;
            }
            _ = stdin.read_to_end(&mut nothing) => {}
        }
    } else {
        stdin.read_to_end(&mut nothing).await?;
    }
    worker.shutdown().await;
    Ok(())
}

fn start(
    backend: Arc<dyn EngineBackend>,
    brief: bool,
    crash: Option<Arc<Crash>>,
) -> Result<WorkerHandle, EngineError> {
    let mut builder = Worker::builder(backend)
        .lane(LANE)
        .concurrency(FILES_AT_ONCE)
        .raw_handler(KIND, digest::handle);
    if brief {
        builder = builder.lease_ttl(BRIEF_LEASE);
    }
    if let Some(crash) = crash {
        builder = builder.shared_state(crash);
    }
    Ok(builder.build()?.start())
}
