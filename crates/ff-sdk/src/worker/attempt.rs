//! Running one attempt: the handler, its lease, and what its answer means.
//!
//! The handler runs as a task of its own, so that a panic ends the attempt and not the worker.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use ff_engine::{EngineError, Entity, Task};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::handlers::{Handlers, Returned};
use crate::metrics::Outcome;
use crate::task::attempt::{Attempt, Release, Released};
use crate::task::{ClaimedTask, StopReason};
use crate::task_error::{Disposition, TaskError};

/// Giving an attempt to another worker may take this long. Without it the lease runs out, and
/// others take over then.
const HAND_BACK: Duration = Duration::from_secs(1);

/// Runs the handler and reports how it ended; when `abort` trips first, stops the handler or its
/// report, lets the lease lapse, and tries to give the attempt to another worker.
///
/// Only `abort` cuts a handler off. One whose lease is lost is told to stop and runs on until it
/// returns; once the store has said that the lease is over, nothing is reported.
pub(crate) async fn run(
    handlers: &Handlers,
    attempt: &Arc<Attempt>,
    abort: &CancellationToken,
) -> Outcome {
    let clock = &attempt.desk.clock;
    let expiry = clock.sleep(attempt.lease_ttl());
    let work = async {
        tokio::select! {
            biased;
            () = handle(handlers, attempt) => attempt.outcome().unwrap_or(Outcome::Lost),
            () = abort.cancelled() => hand_back(attempt).await,
        }
    };
    let watch = async {
        attempt.lease.watch(clock, expiry).await;
        std::future::pending().await
    };
    tokio::select! {
        outcome = work => outcome,
        outcome = watch => outcome,
    }
}

/// Gives an attempt whose handler has not run, or was stopped, to another worker. Ends soon, also
/// when the backend does not answer.
pub(crate) async fn hand_back(attempt: &Arc<Attempt>) -> Outcome {
    attempt.lease.let_lapse();
    if attempt.outcome().is_none() && !attempt.lease.is_lost() {
        tokio::select! {
            biased;
            _ = report(attempt, Release::HandBack) => {}
            () = attempt.desk.clock.sleep(HAND_BACK) => {
                tracing::warn!("the attempt was not handed back; its lease runs out");
            }
        }
    }
    attempt.outcome().unwrap_or(Outcome::Lost)
}

/// Runs the handler and reports how it ended. A handler that asks for a wait which is over already
/// is called again.
async fn handle(handlers: &Handlers, attempt: &Arc<Attempt>) {
    loop {
        let answer = Handler::start(handlers, attempt).finish().await;
        let Some(release) = release_after(attempt, answer) else { return };
        match report(attempt, release).await {
            Some(Released::AlreadySatisfied) if attempt.lease.reason().is_none() => {}
            Some(Released::AlreadySatisfied) => {
                // What ended the wait stays for whoever takes the attempt up.
                report(attempt, after_the_wait(attempt)).await;
                return;
            }
            _ => return,
        }
    }
}

/// What to report instead of calling a handler that was told to stop.
fn after_the_wait(attempt: &Attempt) -> Release {
    match attempt.lease.reason() {
        Some(StopReason::CancelRequested) => crate::task::cancel("stopped on request"),
        _ => Release::HandBack,
    }
}

/// The span that everything of an attempt happens in.
pub(crate) fn span(task: &Task) -> Span {
    tracing::info_span!(
        "attempt",
        execution = %task.execution_id,
        kind = %task.kind,
        attempt = task.attempt.0,
    )
}

/// A running handler. Dropping it stops the handler at its next await.
struct Handler(JoinHandle<Result<Returned, TaskError>>);

impl Handler {
    fn start(handlers: &Handlers, attempt: &Arc<Attempt>) -> Self {
        let handlers = handlers.clone();
        let task = ClaimedTask::new(Arc::clone(attempt));
        let running = async move { handlers.call(task).await };
        Self(tokio::spawn(running.instrument(Span::current())))
    }

    async fn finish(mut self) -> Result<Returned, TaskError> {
        match (&mut self.0).await {
            Ok(answer) => answer,
            Err(error) => Err(TaskError::transient(panic_message(error))),
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn panic_message(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "handler was stopped".to_owned();
    };
    let text = as_text(panic.as_ref()).unwrap_or("no message");
    format!("handler panicked: {text}")
}

fn as_text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// What to report after the handler's answer; nothing when it has ended the attempt itself, or
/// the store has said that the lease is over.
fn release_after(attempt: &Attempt, answer: Result<Returned, TaskError>) -> Option<Release> {
    if attempt.outcome().is_some() || attempt.lease.is_refused() {
        return None;
    }
    let error = match answer {
        Ok(Returned::Result(result)) => return Some(Release::Complete(result)),
        Ok(Returned::Settled) => TaskError::transient("the handler ended another task"),
        Err(error) => error,
    };
    Some(match (attempt.lease.reason(), error.disposition()) {
        (Some(StopReason::CancelRequested), _) => crate::task::cancel(error.message()),
        (Some(StopReason::Shutdown), Disposition::Transient { .. } | Disposition::Cancelled) => {
            Release::HandBack
        }
        _ => attempt.release_for(&error),
    })
}

/// Reports the end of the attempt. A report that the engine can never take becomes one that it
/// can, so that the execution does not wait for its lease to run out.
async fn report(attempt: &Arc<Attempt>, release: Release) -> Option<Released> {
    let error = match attempt.release(&release).await {
        Ok(released) => return Some(released),
        Err(error) => error,
    };
    let instead = match &error {
        EngineError::LimitExceeded { .. } | EngineError::Validation { .. } => {
            attempt.release_for(&TaskError::permanent(format!("refused: {error}")))
        }
        // The waitpoint was closed, or the flow was removed, before the wait began; another attempt
        // can make another one.
        EngineError::NotFound { entity: Entity::Waitpoint | Entity::Flow, .. } => {
            attempt.release_for(&TaskError::transient(format!("refused: {error}")))
        }
        EngineError::State { .. }
            if attempt.lease.reason() == Some(StopReason::CancelRequested) =>
        {
            crate::task::cancel("stopped on request")
        }
        _ => {
            tracing::warn!(code = error.code(), %error, "the end of the attempt was not recorded");
            return None;
        }
    };
    let answer = attempt.release(&instead).await;
    if let Err(error) = &answer {
        tracing::warn!(code = error.code(), %error, "the end of the attempt was not recorded");
    }
    answer.ok()
}
