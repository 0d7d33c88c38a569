//! The leases a worker holds, and the loops that renew them.
//!
//! All leases of a worker have the same TTL, so one beat of a third of it serves all: each is
//! renewed at least twice before it would end, and a round is one call for up to 1,000 of them.
//! While none is held the loop sleeps without a timer. A second loop renews those at once that are
//! to be cancelled: it asks the store what it was told, and never takes a hint for an answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_engine::EngineError;
use ff_engine::clock::Sleep;
use ff_types::backend::{Handle, LeaseRenewal};
use ff_types::{ExecutionId, WorkerInstanceId, limits};
use tokio::sync::Notify;

use crate::client::low_bits;
use crate::metrics::Metrics;
use crate::retry::Backoff;
use crate::task::attempt::{Attempt, Desk};

/// Leases are renewed this many times before they would end.
const BEATS_PER_TTL: u32 = 3;

/// How long one wait for cancellations lasts; the next follows at once.
const CANCELS_WAIT: Duration = Duration::from_millis(limits::MAX_WAIT_MAX_MS);

/// The leases held now.
#[derive(Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    added: Notify,
}

#[derive(Default)]
struct Pages {
    next: u64,
    held: BTreeMap<u64, Arc<Attempt>>,
}

/// Keeps a lease in the book for as long as it lives.
pub(crate) struct Entry {
    book: Arc<Book>,
    page: u64,
}

impl Book {
    /// Renews the lease of `attempt` until the entry is dropped.
    pub(crate) fn enter(self: &Arc<Self>, attempt: Arc<Attempt>) -> Entry {
        let page = {
            let mut pages = self.pages();
            let page = pages.next;
            pages.next += 1;
            pages.held.insert(page, attempt);
            page
        };
        self.added.notify_one();
        Entry { book: Arc::clone(self), page }
    }

    /// How many attempts are in hand.
    pub(crate) fn len(&self) -> usize {
        self.pages().held.len()
    }

    /// Everything in hand.
    pub(crate) fn all(&self) -> Vec<Arc<Attempt>> {
        self.pages().held.values().cloned().collect()
    }

    /// What is worth renewing.
    fn renewable(&self) -> Vec<Arc<Attempt>> {
        let mut held = self.all();
        held.retain(|attempt| attempt.outcome().is_none() && attempt.lease.is_renewable());
        held
    }

    /// What of these is worth renewing.
    fn renewable_of(&self, executions: &[ExecutionId]) -> Vec<Arc<Attempt>> {
        let mut held = self.renewable();
        held.retain(|attempt| executions.contains(&attempt.task.execution_id));
        held
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.book.pages().held.remove(&self.page);
    }
}

/// Renews whatever is in the book, for ever.
pub(crate) async fn renew(
    book: Arc<Book>,
    desk: Arc<Desk>,
    ttl: Duration,
    metrics: Arc<dyn Metrics>,
) {
    let beat = ttl / BEATS_PER_TTL;
    let mut backoff = Backoff::new(desk.retry.endless(), 0);
    loop {
        while book.renewable().is_empty() {
            book.added.notified().await;
        }
        desk.clock.sleep(beat).await;
        backoff.reset();
        while !round(&book.renewable(), &desk, ttl, metrics.as_ref()).await {
            let wait = backoff.next_wait().unwrap_or(beat);
            desk.clock.sleep(wait.min(beat)).await;
        }
    }
}

/// Renews at once whatever is to be cancelled, so that its handler is told to stop, for ever. What it
/// does not hear of, the next beat answers.
pub(crate) async fn heed_cancels(
    book: Arc<Book>,
    desk: Arc<Desk>,
    instance: WorkerInstanceId,
    ttl: Duration,
    metrics: Arc<dyn Metrics>,
) {
    let mut backoff = Backoff::new(desk.retry.endless(), low_bits(instance.as_u128()));
    let mut failing = false;
    let mut told = Vec::new();
    loop {
        // The next wait begins before the renewals, so that it misses as little as it can.
        let next = desk.backend.await_cancels(instance, CANCELS_WAIT);
        let renewed =
            async { round(&book.renewable_of(&told), &desk, ttl, metrics.as_ref()).await };
        let (answer, _) = tokio::join!(next, renewed);
        match answer {
            Ok(cancelled) => {
                failing = false;
                backoff.reset();
                told = cancelled;
                tokio::task::yield_now().await;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(code = error.code(), %error, "cancellations are heard late");
                }
                failing = true;
                told.clear();
                desk.clock.sleep(backoff.next_wait().unwrap_or(CANCELS_WAIT)).await;
            }
        }
    }
}

/// Renews each lease once. Answers whether every one got an answer.
async fn round(
    attempts: &[Arc<Attempt>],
    desk: &Desk,
    ttl: Duration,
    metrics: &dyn Metrics,
) -> bool {
    let mut all_answered = true;
    for attempts in attempts.chunks(limits::RENEW_BATCH_MAX) {
        // Started before the call, so that they end before a lease does that the call extends by
        // its whole TTL. One that a timeout or a deadline caps ends earlier; `Lease` sees to it.
        let expiries: Vec<Sleep> = attempts.iter().map(|_| desk.clock.sleep(ttl)).collect();
        let handles: Vec<Handle> =
            attempts.iter().map(|attempt| attempt.task.handle.clone()).collect();
        let (mut renewed, mut lost) = (0, 0);
        match desk.backend.renew_batch(&handles).await {
            Ok(answers) => {
                for ((attempt, expiry), answer) in attempts.iter().zip(expiries).zip(answers) {
                    match settle(attempt, expiry, answer) {
                        Renewed::Yes => renewed += 1,
                        Renewed::Lost => lost += 1,
                        Renewed::Stopping => {}
                        Renewed::Unanswered => all_answered = false,
                    }
                }
            }
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "leases were not renewed");
                all_answered = false;
            }
        }
        metrics.renewed(renewed, lost);
    }
    all_answered
}

enum Renewed {
    Yes,
    Lost,
    Stopping,
    Unanswered,
}

fn settle(attempt: &Attempt, expiry: Sleep, answer: Result<LeaseRenewal, EngineError>) -> Renewed {
    match answer {
        Ok(renewal) => {
            attempt.lease.extend(renewal, expiry);
            Renewed::Yes
        }
        Err(error) if error.is_retryable() => Renewed::Unanswered,
        Err(error) => {
            if attempt.outcome().is_some() || !attempt.lease.refuse(&error) {
                return Renewed::Stopping;
            }
            let execution = attempt.task.execution_id;
            tracing::warn!(%execution, code = error.code(), %error, "the lease is lost");
            Renewed::Lost
        }
    }
}
