//! What a worker counts, for whoever wants to know.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ff_engine::TickOutcome;
use ff_types::{LaneId, TaskKind};

/// Receives a worker's counts. Every method does nothing unless overridden, and must be quick: it
/// is called between two steps of the worker. One that panics is logged once, and the worker goes
/// on.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use ff_sdk::Metrics;
/// use ff_sdk::LaneId;
///
/// #[derive(Default)]
/// struct Claims(AtomicUsize);
///
/// impl Metrics for Claims {
///     fn claimed(&self, _lane: &LaneId, tasks: usize) {
///         self.0.fetch_add(tasks, Ordering::Relaxed);
///     }
/// }
/// ```
pub trait Metrics: Send + Sync + 'static {
    /// A claim on `lane` was answered with this many tasks, possibly none.
    fn claimed(&self, lane: &LaneId, tasks: usize) {
        let _ = (lane, tasks);
    }

    /// An attempt ended here, this long after its handler was called.
    fn finished(&self, kind: &TaskKind, outcome: Outcome, elapsed: Duration) {
        let _ = (kind, outcome, elapsed);
    }

    /// One round of renewals: how many leases go on, and how many were lost.
    fn renewed(&self, renewed: usize, lost: usize) {
        let _ = (renewed, lost);
    }

    /// One maintenance call.
    fn maintenance(&self, outcome: &TickOutcome) {
        let _ = outcome;
    }
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {}

/// Keeps a panic of the metrics out of the worker's loops.
pub(crate) struct Guarded<M> {
    metrics: M,
    logged: AtomicBool,
}

impl<M: Metrics> Guarded<M> {
    pub(crate) const fn new(metrics: M) -> Self {
        Self { metrics, logged: AtomicBool::new(false) }
    }

    fn call(&self, count: impl FnOnce(&M)) {
        let counted = catch_unwind(AssertUnwindSafe(|| count(&self.metrics)));
        if counted.is_err() && !self.logged.swap(true, Relaxed) {
            tracing::error!("the metrics panicked; the worker goes on, and says so only once");
        }
    }
}

impl<M: Metrics> Metrics for Guarded<M> {
    fn claimed(&self, lane: &LaneId, tasks: usize) {
        self.call(|metrics| metrics.claimed(lane, tasks));
    }

    fn finished(&self, kind: &TaskKind, outcome: Outcome, elapsed: Duration) {
        self.call(|metrics| metrics.finished(kind, outcome, elapsed));
    }

    fn renewed(&self, renewed: usize, lost: usize) {
        self.call(|metrics| metrics.renewed(renewed, lost));
    }

    fn maintenance(&self, outcome: &TickOutcome) {
        self.call(|metrics| metrics.maintenance(outcome));
    }
}

/// How an attempt ended for the worker that ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The execution completed.
    Completed,
    /// The attempt failed and another follows.
    Retried,
    /// The execution failed.
    Failed,
    /// The execution was cancelled.
    Cancelled,
    /// The attempt pauses, as its handler asked.
    Paused,
    /// The attempt waits for signals or a child flow, as its handler asked.
    Suspended,
    /// The attempt was given to another worker, because this one shuts down.
    HandedBack,
    /// The lease was lost before the attempt ended; nothing was reported.
    Lost,
}

impl Outcome {
    /// The outcome as a label of a metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::HandedBack => "handed_back",
            Self::Lost => "lost",
        }
    }
}
