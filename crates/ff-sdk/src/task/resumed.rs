//! What ended the latest wait of an attempt, read once and kept.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ff_engine::{EngineError, IdSource, ResumeView, SuspendRequest, Task};
use ff_types::backend::{HandleKind, ResumeSignal};
use serde::de::DeserializeOwned;

use super::attempt::Attempt;
use super::{ClaimedTask, Wait};
use crate::json::{self, DecodeError};

/// What this process knows of the waits of an attempt.
#[derive(Default)]
pub(crate) struct LatestWait {
    over_at_once: AtomicBool,
    answered: AtomicBool,
    view: Mutex<Option<Arc<ResumeView>>>,
    asked: Mutex<Option<(Wait, SuspendRequest)>>,
}

impl LatestWait {
    /// A wait began and was over at once, under the lease that began it.
    pub(crate) fn is_another(&self) {
        self.over_at_once.store(true, Relaxed);
        self.answered.store(false, Relaxed);
        *locked(&self.view) = None;
        *locked(&self.asked) = None;
    }

    pub(crate) fn was_over_at_once(&self) -> bool {
        self.over_at_once.load(Relaxed)
    }

    /// Whether an approval has used what ended the wait as its answer.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    pub(super) fn answer(&self) {
        self.answered.store(true, Relaxed);
    }

    /// The request of a wait: the same one for the same wait, so that repeating the call is
    /// repeating the request.
    pub(super) fn request(
        &self,
        wait: &Wait,
        ids: &IdSource,
    ) -> Result<SuspendRequest, EngineError> {
        let mut asked = locked(&self.asked);
        if let Some((_, request)) = asked.as_ref().filter(|(before, _)| before == wait) {
            return Ok(request.clone());
        }
        let request = wait.request(ids)?;
        *asked = Some((wait.clone(), request.clone()));
        Ok(request)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Attempt {
    /// What ended the latest wait. The backend is asked once, and only where there may have been
    /// one.
    pub(super) async fn resume_view(&self) -> Result<Arc<ResumeView>, EngineError> {
        if let Some(known) = locked(&self.latest_wait.view).as_ref() {
            return Ok(Arc::clone(known));
        }
        let Task { handle, attempt, .. } = &self.task;
        let may_have_waited = handle.kind == HandleKind::Resumed
            || attempt.0 > 0
            || self.latest_wait.was_over_at_once();
        let view = if may_have_waited {
            self.ask(|| self.desk.backend.observe_signals(handle)).await?
        } else {
            ResumeView::default()
        };
        let view = Arc::new(view);
        *locked(&self.latest_wait.view) = Some(Arc::clone(&view));
        Ok(view)
    }
}

/// What a handler that is called again learns of its wait.
impl ClaimedTask {
    /// What ended the latest wait of the execution, and the signals that did; no reason when it
    /// never waited.
    ///
    /// It stays the same through lost leases and retries until the next wait begins, so that an
    /// answer is not lost with the worker that was about to act on it. The backend is asked once,
    /// and not at all on the first run of a handler.
    pub async fn resumed(&self) -> Result<ResumeView, EngineError> {
        Ok(self.attempt.resume_view().await?.as_ref().clone())
    }

    /// Exactly the signals that satisfied the latest wait, in the order of their acceptance; none
    /// when there was no wait, or something else ended it.
    pub async fn resume_signals(&self) -> Result<Vec<ResumeSignal>, EngineError> {
        Ok(self.attempt.resume_view().await?.signals.clone())
    }
}

/// Reading what a signal brought.
///
/// ```
/// use ff_sdk::prelude::*;
///
/// fn amount(paid: &ResumeSignal) -> Result<u64, TaskError> {
///     Ok(paid.json()?)
/// }
/// # let _ = amount;
/// ```
pub trait SignalExt {
    /// The payload read as JSON; none is read as `null`.
    fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError>;
}

impl SignalExt for ResumeSignal {
    fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        json::decode_bytes(self.payload.as_deref())
    }
}
