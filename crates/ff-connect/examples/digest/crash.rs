//! The death of a worker.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use ff_sdk::CancellationToken;
use ff_sdk::prelude::*;
use tokio::task::JoinHandle;

/// From the first file that hangs to the death, so that the whole worker hangs when it dies.
pub(crate) const AGONY: Duration = Duration::from_millis(200);

/// Decides when the worker dies.
pub(crate) struct Crash {
    /// How many more files the worker reads; then it hangs, and is killed.
    left: AtomicUsize,
    hangs: CancellationToken,
    over: CancellationToken,
}

/// How a worker died.
pub(crate) enum Killed {
    /// A task was aborted, with this many leases.
    Task(usize),
    /// A process got SIGKILL.
    Process,
}

impl Crash {
    /// A crash after this many files.
    pub(crate) fn after(files: usize) -> Self {
        Self {
            left: AtomicUsize::new(files),
            hangs: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    /// Returns while the worker is well; from then on its handlers hang.
    pub(crate) async fn maybe(&self) {
        if self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
            self.hangs.cancel();
            std::future::pending::<()>().await;
        }
    }

    /// Returns once the worker hangs.
    pub(crate) async fn hangs(&self) {
        self.hangs.cancelled().await;
    }

    /// Kills the worker once it hangs; answers how it died.
    pub(crate) fn watch(self: &Arc<Self>, worker: WorkerHandle) -> JoinHandle<Option<Killed>> {
        let crash = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = crash.hangs() => {
                    tokio::time::sleep(AGONY).await;
                    Some(Killed::Task(worker.kill().await))
                }
                () = crash.over.cancelled() => {
                    worker.shutdown().await;
                    None
                }
            }
        })
    }

    /// All files are read; whoever lives may go.
    pub(crate) fn no_more(&self) {
        self.over.cancel();
    }
}

/// Says what the crash did.
pub(crate) fn print(
    out: &mut impl Write,
    killed: Option<&Killed>,
    reclaimed: usize,
) -> io::Result<()> {
    let died = match killed {
        Some(Killed::Task(held)) => format!("one worker was killed with {held} leases"),
        Some(Killed::Process) => "one worker process was killed by SIGKILL".to_owned(),
        None => return writeln!(out, "no worker was killed: there were too few files"),
    };
    writeln!(out, "{died}; {reclaimed} files were reclaimed by others")
}
