//! What this process knows about a lease: whether it still stands, and why not.
//!
//! The store decides when a lease is over. The local expiry kept here only stops the work of a
//! worker that has not been able to ask for as long as the lease lasts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_engine::clock::Sleep;
use ff_engine::{Clock, EngineError, StateKind};
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
    lost: CancellationToken,
    known: Mutex<Known>,
    extended: Notify,
}

struct Known {
    reason: Option<StopReason>,
    refused_by_store: bool,
    releasing: bool,
    lapsing: bool,
    expires_at_ms: u64,
    /// The latest renewal, until the watcher takes it.
    extension: Option<Extension>,
}

/// A renewal that moved the store's expiry.
struct Extension {
    /// By how much; `None` when the expiry came earlier, because the store's clock stepped back.
    by: Option<Duration>,
    /// Ends one TTL after the renewal was asked for.
    full: Sleep,
}

impl Lease {
    pub(crate) fn new(expires_at_ms: u64) -> Self {
        Self {
            stop: CancellationToken::new(),
            lost: CancellationToken::new(),
            known: Mutex::new(Known {
                reason: None,
                refused_by_store: false,
                releasing: false,
                lapsing: false,
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

    /// Whether it is over, by the store's word or by the local expiry.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Ends when the lease is lost. A lighter reason to stop leaves the lease to its holder.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether asking for more time makes sense.
    pub(crate) fn is_renewable(&self) -> bool {
        let known = self.known();
        !known.lapsing && matches!(known.reason, None | Some(StopReason::Shutdown))
    }

    /// Asks for no more time: unless it is given back, it runs out and others take over.
    pub(crate) fn let_lapse(&self) {
        self.known().lapsing = true;
    }

    /// Tells the handler to stop. A graver reason replaces a lighter one.
    pub(crate) fn trip(&self, reason: StopReason) {
        {
            let mut known = self.known();
            known.reason = known.reason.max(Some(reason));
        }
        if reason == StopReason::LeaseLost {
            self.lost.cancel();
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

    /// Takes note of a renewal; `full` lasts one TTL and was started before it was asked for. A
    /// renewal that does not move the store's expiry, because a timeout or a deadline caps it, does
    /// not move the local one.
    pub(crate) fn extend(&self, renewal: LeaseRenewal, full: Sleep) {
        {
            let mut known = self.known();
            if renewal.expires_at_ms == known.expires_at_ms {
                return;
            }
            let by = renewal.expires_at_ms.checked_sub(known.expires_at_ms);
            let by = by.map(Duration::from_millis);
            known.expires_at_ms = renewal.expires_at_ms;
            let by = match known.extension.take() {
                Some(untaken) => by.zip(untaken.by).map(|(by, before)| by.saturating_add(before)),
                None => by,
            };
            known.extension = Some(Extension { by, full });
        }
        self.extended.notify_one();
    }

    /// Trips when the lease's time has passed here without a renewal. Ends then, or never.
    ///
    /// A renewal moves the local expiry as far as the store's, and never further than one TTL from
    /// the call. It moves from where a whole TTL ended before it, not from where the last move led:
    /// a lease that could be moved was not capped before, and so rounding, slow calls and a clock
    /// that runs at another rate do not add up.
    pub(crate) async fn watch(&self, clock: &Arc<dyn Clock>, mut full: Sleep) {
        let mut moved: Sleep = Box::pin(std::future::pending());
        loop {
            tokio::select! {
                biased;
                () = self.extended.notified() => {
                    if let Some(extension) = self.known().extension.take() {
                        let before = std::mem::replace(&mut full, extension.full);
                        moved = match extension.by {
                            Some(by) => later(Arc::clone(clock), before, by),
                            None => Box::pin(std::future::pending()),
                        };
                    }
                }
                () = full.as_mut() => return self.trip(StopReason::LeaseLost),
                () = moved.as_mut() => return self.trip(StopReason::LeaseLost),
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends `by` after `sleep`.
fn later(clock: Arc<dyn Clock>, sleep: Sleep, by: Duration) -> Sleep {
    Box::pin(async move {
        sleep.await;
        clock.sleep(by).await;
    })
}
