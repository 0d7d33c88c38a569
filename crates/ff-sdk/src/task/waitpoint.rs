//! Making waitpoints while the attempt runs, and closing them.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use ff_engine::{CloseOutcome, CreateWaitpoint, EngineError};
use ff_types::backend::PendingWaitpoint;
use ff_types::{WaitpointId, WaitpointKey, limits};

use super::ClaimedTask;

impl ClaimedTask {
    /// Makes a waitpoint, so that its token can be handed out before the wait begins. Await it.
    ///
    /// `key` is the name by which this code knows it: 1..=64 of `[A-Za-z0-9_-]`. While a waitpoint
    /// of that key is open, that one is given again, with the same token, in this attempt and in
    /// later ones: what a crashed worker mailed stays good. A signal that comes before the wait is
    /// kept for it.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for the key or the expiry; [`EngineError::LimitExceeded`] for
    /// more than 64 open ones; [`EngineError::State`] when the lease is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ff_sdk::prelude::*;
    ///
    /// async fn invite(task: &ClaimedTask) -> Result<String, EngineError> {
    ///     let hour = Duration::from_secs(3_600);
    ///     let waitpoint = task.create_waitpoint("payment").expires_in(hour).await?;
    ///     Ok(format!("https://example.org/paid/{}", waitpoint.token().as_str()))
    /// }
    /// # let _ = invite;
    /// ```
    pub fn create_waitpoint(&self, key: impl Into<String>) -> NewWaitpoint<'_> {
        let expires_in = Duration::from_millis(limits::WAITPOINT_EXPIRES_DEFAULT_MS);
        NewWaitpoint { task: self, key: key.into(), expires_in }
    }

    /// Closes a waitpoint that is not needed any more: its token is good for nothing from now on,
    /// and what it has kept is gone.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for one that the execution does not know; [`EngineError::State`]
    /// when the lease is over.
    pub async fn close_waitpoint(&self, id: WaitpointId) -> Result<CloseOutcome, EngineError> {
        let attempt = self.attempt.as_ref();
        attempt.ask(|| attempt.desk.backend.close_waitpoint(&attempt.task.handle, id)).await
    }
}

/// A waitpoint about to be made by [`ClaimedTask::create_waitpoint`].
#[must_use = "a waitpoint is made when this is awaited"]
pub struct NewWaitpoint<'t> {
    task: &'t ClaimedTask,
    key: String,
    expires_in: Duration,
}

impl NewWaitpoint<'_> {
    /// How long it stays open if it is new: 1 s ..= 366 days, 7 days unless set.
    pub const fn expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    async fn make(self) -> Result<PendingWaitpoint, EngineError> {
        let attempt = self.task.attempt.as_ref();
        let id = attempt.desk.ids.waitpoint_id();
        let key = WaitpointKey::new(self.key)?;
        let request = CreateWaitpoint::new(id, key).with_expires_in(self.expires_in);
        attempt.ask(|| attempt.desk.backend.create_waitpoint(&attempt.task.handle, &request)).await
    }
}

impl<'t> IntoFuture for NewWaitpoint<'t> {
    type Output = Result<PendingWaitpoint, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 't>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for NewWaitpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWaitpoint")
            .field("key", &self.key)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
