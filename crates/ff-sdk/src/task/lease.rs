//! What this process knows about a lease: whether it still stands, and why not.
//!
//! The store decides when a lease is over. The local expiry kept here only stops the work of a
//! worker that has not been able to ask for as long as the lease lasts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_engine::clock::Sleep;
use ff_engine::{EngineError, StateKind};
use ff_types::backend::LeaseRenewal;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Why a handler should stop.
///
/// ```
/// use ff_sdk::{ClaimedTask, StopReason, TaskError};
///
/// async fn crawl(task: ClaimedTask, pages: Vec<String>) -> Result<usize, TaskError> {
///     for page in &pages {
///         if task.stop_reason() == Some(StopReason::CancelRequested) {
///             return Err(TaskError::cancelled(format!("before {page}")));
///         }
///     }
///     Ok(pages.len())
/// }
/// # let _ = crawl;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The worker shuts down and its grace is over; another worker will go on.
    Shutdown,
    /// Somebody cancelled the execution.
    CancelRequested,
    /// The lease expired, was revoked or was taken over; nothing the handler does counts any more.
    LeaseLost,
}

/// The local side of a lease.
pub(crate) struct Lease {
    stop: CancellationToken,
    known: Mutex<Known>,
    extended: Notify,
}

struct Known {
    reason: Option<StopReason>,
    refused_by_store: bool,
    releasing: bool,
    expires_at_ms: u64,
    /// The new local expiry, until its watcher takes it.
    extension: Option<Sleep>,
}

impl Lease {
    pub(crate) fn new(expires_at_ms: u64) -> Self {
        Self {
            stop: CancellationToken::new(),
            known: Mutex::new(Known {
                reason: None,
                refused_by_store: false,
                releasing: false,
                expires_at_ms,
                extension: None,
            }),
            extended: Notify::new(),
        }
    }

    /// Trips when the handler should stop.
    pub(crate) const fn token(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.known().reason
    }

    /// Whether the store has said that it is over.
    pub(crate) fn is_refused(&self) -> bool {
        self.known().refused_by_store
    }

    /// Whether asking for more time makes sense.
    pub(crate) fn is_renewable(&self) -> bool {
        matches!(self.reason(), None | Some(StopReason::Shutdown))
    }

    /// Tells the handler to stop. A graver reason replaces a lighter one.
    pub(crate) fn trip(&self, reason: StopReason) {
        {
            let mut known = self.known();
            known.reason = known.reason.max(Some(reason));
        }
        self.stop.cancel();
    }

    /// From here on a refusal may be the echo of the own release.
    pub(crate) fn begin_release(&self) {
        self.known().releasing = true;
    }

    /// The own release had no effect.
    pub(crate) fn end_release(&self) {
        self.known().releasing = false;
    }

    /// Takes note of a refusal by the store. Answers whether the lease was lost by it.
    pub(crate) fn refuse(&self, error: &EngineError) -> bool {
        let reason = match error.state_kind() {
            Some(StateKind::CancelRequested) => StopReason::CancelRequested,
            _ => StopReason::LeaseLost,
        };
        {
            let mut known = self.known();
            if known.releasing {
                return false;
            }
            known.refused_by_store |= reason == StopReason::LeaseLost;
        }
        self.trip(reason);
        reason == StopReason::LeaseLost
    }

    /// Takes note of a renewal; `expiry` was started before it was asked for. A renewal that does
    /// not move the expiry, because a timeout or a deadline caps it, does not move the local one.
    pub(crate) fn extend(&self, renewal: LeaseRenewal, expiry: Sleep) {
        {
            let mut known = self.known();
            if renewal.expires_at_ms == known.expires_at_ms {
                return;
            }
            known.expires_at_ms = renewal.expires_at_ms;
            known.extension = Some(expiry);
        }
        self.extended.notify_one();
    }

    /// Trips when the lease's time has passed here without a renewal. Ends then, or never.
    pub(crate) async fn watch(&self, mut expiry: Sleep) {
        loop {
            tokio::select! {
                biased;
                () = self.extended.notified() => {
                    if let Some(extension) = self.known().extension.take() {
                        expiry = extension;
                    }
                }
                () = expiry.as_mut() => return self.trip(StopReason::LeaseLost),
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
