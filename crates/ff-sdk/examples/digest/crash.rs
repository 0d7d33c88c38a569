//! The death of a worker.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use ff_sdk::CancellationToken;
use ff_sdk::prelude::*;
use tokio::task::JoinHandle;

/// From the first file that hangs to the death, so that the whole worker hangs when it dies.
const AGONY: Duration = Duration::from_millis(200);

/// Decides when the worker dies.
pub(crate) struct Crash {
    /// How many more files the worker reads; then it hangs, and is killed.
    left: AtomicUsize,
    hangs: CancellationToken,
    over: CancellationToken,
}

impl Crash {
    /// A crash of one of `workers` after about half of its share of the files.
    pub(crate) fn half_way(files: usize, workers: usize) -> Self {
        Self {
            left: AtomicUsize::new(files / workers / 2),
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

    /// Kills the worker once it hangs; answers how many leases it took with it.
    pub(crate) fn watch(self: &Arc<Self>, worker: WorkerHandle) -> JoinHandle<Option<usize>> {
        let crash = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = crash.hangs.cancelled() => {
                    tokio::time::sleep(AGONY).await;
                    Some(worker.kill().await)
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
    killed: Option<usize>,
    reclaimed: usize,
) -> io::Result<()> {
    match killed {
        Some(held) => writeln!(
            out,
            "one worker was killed with {held} leases; {reclaimed} files were reclaimed by others"
        ),
        None => writeln!(out, "no worker was killed: there were too few files"),
    }
}
