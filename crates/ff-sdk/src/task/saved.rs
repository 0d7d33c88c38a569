//! The state that a handler keeps for its next run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ff_engine::{EngineError, SavedState};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ClaimedTask;
use super::attempt::Attempt;
use crate::json::{self, DecodeError};

/// A state to save, or what is wrong with it: told where it is saved.
pub(crate) type StateToSave = Result<SavedState, String>;

/// A value as a state to save.
pub(crate) fn as_json<T: Serialize + ?Sized>(value: &T) -> StateToSave {
    json::bytes_of(value).map(SavedState::new)
}

/// What is saved, as far as this process knows.
pub(crate) struct Saved(Mutex<Option<SavedState>>);

impl Saved {
    pub(crate) const fn new(state: Option<SavedState>) -> Self {
        Self(Mutex::new(state))
    }

    pub(crate) fn set(&self, state: Option<SavedState>) {
        *self.locked() = state;
    }

    fn get(&self) -> Option<Bytes> {
        self.locked().as_ref().map(|state| state.0.clone())
    }

    fn locked(&self) -> MutexGuard<'_, Option<SavedState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a handler keeps so that it knows, when it is called again, where it was.
///
/// The state is one value of at most 64 KiB. It comes with the task, so that reading it asks nobody,
/// and stays through pauses, waits, lost leases and retries until the execution ends. A state that is
/// to be saved together with a pause or a wait goes with
/// [`TaskError::with_state`](crate::TaskError::with_state) or [`Wait::with_state`](crate::Wait::with_state),
/// in one step: then no crash can separate them.
impl ClaimedTask {
    /// The state that was saved last; `None` when there is none.
    pub fn saved_state(&self) -> Option<Bytes> {
        self.attempt.saved.get()
    }

    /// The state that was saved last, read as JSON; `None` when there is none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ff_sdk::prelude::*;
    ///
    /// async fn poll(task: ClaimedTask, (): ()) -> Result<u32, TaskError> {
    ///     let polls: u32 = task.saved_state_json()?.unwrap_or(0);
    ///     if polls < 3 {
    ///         let minute = TaskError::pause(Duration::from_secs(60));
    ///         return Err(minute.with_state_json(&(polls + 1)));
    ///     }
    ///     Ok(polls)
    /// }
    /// # let _ = poll;
    /// ```
    pub fn saved_state_json<T: DeserializeOwned>(&self) -> Result<Option<T>, DecodeError> {
        self.saved_state().map(|bytes| json::decode_bytes(Some(&bytes))).transpose()
    }

    /// Saves bytes for the next run, in place of what was saved before; at most 64 KiB.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for more; [`EngineError::State`] when the lease is over.
    pub async fn save_state(&self, state: impl Into<Bytes> + Send) -> Result<(), EngineError> {
        self.attempt.save(Some(SavedState::new(state))).await
    }

    /// Saves a value as JSON, as [`ClaimedTask::save_state`] does.
    ///
    /// # Errors
    /// Those of [`ClaimedTask::save_state`]; [`EngineError::Validation`] for a value that JSON has no
    /// form for.
    pub async fn save_state_json<T: Serialize + ?Sized + Sync>(
        &self,
        state: &T,
    ) -> Result<(), EngineError> {
        let state = as_json(state).map_err(|problem| EngineError::validation("state", problem))?;
        self.attempt.save(Some(state)).await
    }

    /// Removes the saved state.
    ///
    /// # Errors
    /// [`EngineError::State`] when the lease is over.
    pub async fn clear_state(&self) -> Result<(), EngineError> {
        self.attempt.save(None).await
    }
}

impl Attempt {
    async fn save(&self, state: Option<SavedState>) -> Result<(), EngineError> {
        let backend = &self.desk.backend;
        self.ask(|| backend.save_state(&self.task.handle, state.as_ref())).await?;
        self.saved.set(state);
        Ok(())
    }
}
