//! The hold on a running worker.

use std::fmt;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::builder::Config;
use super::running::Running;
use crate::task::attempt::Desk;

/// A worker that runs in the background. Dropping it does not stop the worker.
#[must_use = "the worker is stopped through it"]
pub struct WorkerHandle {
    running: Arc<Running>,
    work: JoinHandle<()>,
}

impl WorkerHandle {
    pub(crate) fn start(config: Config, desk: Arc<Desk>) -> Self {
        let running = Running::new(config, desk);
        let work = tokio::spawn(Arc::clone(&running).work());
        Self { running, work }
    }

    /// How many attempts it has in hand.
    pub fn in_hand(&self) -> usize {
        self.running.book.len()
    }

    /// Stops claiming, lets handlers finish, and ends when all leases are given back.
    ///
    /// After the grace, handlers are told to stop through
    /// [`ClaimedTask::cancellation`](crate::ClaimedTask::cancellation); a moment later those that
    /// still run are cut off, and their attempts go to other workers at once. So are reports that
    /// the backend does not take. A backend that does not answer holds this up for a second more;
    /// the leases it could not take back run out.
    pub async fn shutdown(mut self) {
        self.running.stop.cancel();
        self.ended().await;
    }

    /// Stops everything where it stands and gives no lease back, as a crash would; answers how
    /// many attempts were cut off. For demonstrations and tests.
    pub async fn kill(mut self) -> usize {
        self.running.kill();
        self.ended().await;
        self.running.cut_off()
    }

    async fn ended(&mut self) {
        if let Err(error) = (&mut self.work).await
            && error.is_panic()
        {
            tracing::error!("the worker panicked");
        }
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").field("in_hand", &self.in_hand()).finish_non_exhaustive()
    }
}

/// Resolves at Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at Ctrl-C.
#[cfg(windows)]
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
