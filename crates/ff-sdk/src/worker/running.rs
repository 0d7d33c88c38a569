//! A worker at work: what its loops share, and how it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ff_engine::Task;
use ff_types::backend::{ClaimPolicy, ReclaimToken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::book::{self, Book};
use super::builder::Config;
use super::{attempt, claim, maintenance};
use crate::task::StopReason;
use crate::task::attempt::{Attempt, Desk};

/// What the loops of a running worker share.
pub(crate) struct Running {
    pub(crate) config: Config,
    pub(crate) desk: Arc<Desk>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) book: Arc<Book>,
    attempts: TaskTracker,
    /// No more claims.
    pub(crate) stop: CancellationToken,
    /// Handlers are stopped where they stand and their attempts handed back.
    abort: CancellationToken,
    /// Everything stops where it stands.
    kill: CancellationToken,
    cut_off: AtomicUsize,
}

impl Running {
    pub(crate) fn new(config: Config, desk: Arc<Desk>) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(config.concurrency)),
            config,
            desk,
            book: Arc::default(),
            attempts: TaskTracker::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            kill: CancellationToken::new(),
            cut_off: AtomicUsize::new(0),
        })
    }

    /// Cuts everything off. The slots go first, so that none that falls free is claimed for.
    pub(crate) fn kill(&self) {
        self.slots.close();
        self.kill.cancel();
    }

    /// How many attempts a kill cut off.
    pub(crate) fn cut_off(&self) -> usize {
        self.cut_off.load(Relaxed)
    }

    /// Works until it is told to stop, and ends when nothing of it runs any more.
    pub(crate) async fn work(self: Arc<Self>) {
        let mut upkeep = JoinSet::new();
        let metrics = &self.config.metrics;
        upkeep.spawn(book::renew(
            Arc::clone(&self.book),
            Arc::clone(&self.desk),
            self.config.lease_ttl,
            Arc::clone(metrics),
        ));
        upkeep.spawn(book::heed_cancels(
            Arc::clone(&self.book),
            Arc::clone(&self.desk),
            self.config.instance,
            self.config.lease_ttl,
            Arc::clone(metrics),
        ));
        if self.config.maintenance {
            let desk = Arc::clone(&self.desk);
            let filter = self.config.filter.clone();
            upkeep.spawn(maintenance::maintain(desk, filter, Arc::clone(metrics)));
        }
        let mut claims = JoinSet::new();
        for lane in self.config.lanes.clone() {
            claims.spawn(claim::claim_loop(Arc::clone(&self), lane));
        }
        let idle = async {
            while claims.join_next().await.is_some() {}
            self.attempts.close();
            self.attempts.wait().await;
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => {}
            () = self.drain(idle) => {}
        }
        claims.shutdown().await;
        upkeep.shutdown().await;
        self.attempts.close();
        self.attempts.wait().await;
    }

    /// From the stop on, lets handlers finish, then tells them to stop, then stops them. Ends when
    /// the worker is idle, and soon after the last step: nothing in hand waits for the backend
    /// without bound then.
    async fn drain(&self, idle: impl Future<Output = ()>) {
        let clock = &self.desk.clock;
        let mut idle = std::pin::pin!(idle);
        tokio::select! {
            () = &mut idle => return,
            () = self.stop.cancelled() => {}
        }
        tokio::select! {
            () = &mut idle => return,
            () = clock.sleep(self.config.grace) => {}
        }
        for attempt in self.book.all() {
            attempt.lease.trip(StopReason::Shutdown);
        }
        tokio::select! {
            () = &mut idle => return,
            () = clock.sleep(self.config.abort_after) => {}
        }
        self.abort.cancel();
        idle.await;
    }

    pub(crate) const fn policy(&self) -> ClaimPolicy {
        ClaimPolicy::immediate(self.config.worker, self.config.instance)
            .with_lease_ttl(self.config.lease_ttl)
    }

    /// Runs the attempt of `task` in `slot`.
    pub(crate) fn start(self: &Arc<Self>, task: Task, slot: OwnedSemaphorePermit) {
        let running = Arc::clone(self);
        self.spawn(async move {
            running.run(task).await;
            drop(slot);
        });
    }

    /// Uses `token` and runs its attempt in `slot`.
    pub(crate) fn take_up(self: &Arc<Self>, token: ReclaimToken, slot: OwnedSemaphorePermit) {
        let running = Arc::clone(self);
        self.spawn(async move {
            let policy = running.policy();
            let task = tokio::select! {
                biased;
                task = claim::take_up(&running, &token, &policy) => task,
                () = running.abort.cancelled() => None,
            };
            if let Some(task) = task {
                running.run(task).await;
            }
            drop(slot);
        });
    }

    /// Gives the lease of `task` to another worker.
    pub(crate) async fn hand_back(self: Arc<Self>, task: Task) {
        let span = attempt::span(&task);
        let attempt = Attempt::new(task, Arc::clone(&self.desk));
        attempt::hand_back(&attempt).instrument(span).await;
    }

    async fn run(&self, task: Task) {
        let span = attempt::span(&task);
        let kind = task.kind.clone();
        let started = tokio::time::Instant::now();
        let attempt = Attempt::new(task, Arc::clone(&self.desk));
        let entry = self.book.enter(Arc::clone(&attempt));
        let outcome = async {
            if self.stop.is_cancelled() {
                attempt::hand_back(&attempt).await
            } else {
                attempt::run(&self.config.handlers, &attempt, &self.abort).await
            }
        }
        .instrument(span)
        .await;
        drop(entry);
        self.config.metrics.finished(&kind, outcome, started.elapsed());
    }

    /// Runs `work` as one of the attempts; a kill cuts it off.
    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let running = Arc::clone(self);
        self.attempts.spawn(async move {
            tokio::select! {
                biased;
                () = running.kill.cancelled() => {
                    running.cut_off.fetch_add(1, Relaxed);
                }
                () = work => {}
            }
        });
    }
}
