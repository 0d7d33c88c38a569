//! Durable steps: parts of a handler whose results outlive the attempt.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_engine::{EngineError, RecordStep, StepOutcome};
use ff_types::backend::HandleKind;
use ff_types::{ExecutionId, Payload, StepName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::ClaimedTask;
use super::attempt::Attempt;
use crate::json;
use crate::task_error::TaskError;

/// The results that this process knows, read once.
#[derive(Default)]
pub(crate) struct Steps(OnceCell<Mutex<BTreeMap<StepName, Payload>>>);

/// The idempotency key of a step: the same in every run of the step, for the execution it belongs to,
/// and other than that of any other step.
///
/// It is text of at most 161 printable ASCII bytes without space, for the systems that a step calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey(String);

impl StepKey {
    fn of(execution: ExecutionId, name: &StepName) -> Self {
        Self(format!("{execution}/{name}"))
    }

    /// The key of what a handler does once under a name.
    pub(crate) fn named(execution: ExecutionId, name: &str) -> Result<Self, EngineError> {
        Ok(Self::of(execution, &StepName::new(name)?))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for StepKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<StepKey> for String {
    fn from(key: StepKey) -> Self {
        key.0
    }
}

impl ClaimedTask {
    /// Runs `work` once per execution and keeps what it gives: a run of the handler that comes to the
    /// same name again, in whichever attempt, is given the stored result and does not run `work`.
    ///
    /// `name` is 1..=128 printable ASCII bytes without space, and means one step of the execution: a
    /// second use in the same run gives the stored result too. Steps are found by their names, so a
    /// later version of the code may reorder, add and drop them.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// # async fn charge(_key: &str, cents: u64) -> Result<String, std::io::Error> { Ok(cents.to_string()) }
    /// # async fn mail(_receipt: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// async fn order(task: ClaimedTask, cents: u64) -> Result<String, TaskError> {
    ///     let receipt: String =
    ///         task.step("charge", async |key| Ok(charge(key.as_str(), cents).await?)).await?;
    ///     task.step("mail", async |_| Ok(mail(&receipt).await?)).await?;
    ///     Ok(receipt)
    /// }
    /// # let _ = order;
    /// ```
    ///
    /// # What is guaranteed
    /// Once this has given a result, no later run gives another one, nor runs `work` again, until the
    /// execution has ended. `work` itself may run more than once: when the process dies, or loses its
    /// lease, after `work` is done and before its result is stored, the next attempt runs it again.
    /// The [`StepKey`] is the same each time; pass it on to whatever `work` changes outside.
    ///
    /// The result is stored as JSON, and the value given is the one read from there, the first time
    /// too. The stored results are read in one call, when the first step of an attempt needs them, and
    /// not at all in the first run of a handler.
    ///
    /// # Errors
    /// What `work` failed with: nothing is stored then. A permanent one for a malformed name, for a
    /// result over 256 KiB, for more than 256 steps or 4 MiB of results, and for a stored result that
    /// is no `T`. A transient one when the lease is over.
    pub async fn step<T, F, Fut>(&self, name: &str, work: F) -> Result<T, TaskError>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnOnce(StepKey) -> Fut + Send,
        Fut: Future<Output = Result<T, TaskError>> + Send,
    {
        let attempt = self.attempt.as_ref();
        let name = StepName::new(name).map_err(EngineError::from)?;
        let stored = attempt.step_result(&name).await?;
        if let Some(stored) = stored {
            return read(&name, &stored);
        }
        if attempt.lease.is_lost() {
            return Err(TaskError::transient(format!(
                "step {name} is not begun: the lease is over"
            )));
        }
        let value = work(StepKey::of(attempt.task.execution_id, &name)).await?;
        let bytes = json::bytes_of(&value).map_err(|problem| {
            TaskError::permanent(format!("the result of step {name} {problem}"))
        })?;
        drop(value);
        let result = Payload::json(bytes);
        // What could not be read back is better refused now than by the next attempt.
        let value = read(&name, &result)?;
        match attempt.record_step(RecordStep::new(name.clone(), result)).await? {
            None => Ok(value),
            Some(first) => read(&name, &first),
        }
    }
}

impl Attempt {
    /// The stored result of a step. The backend is asked once, and only where there may be one.
    async fn step_result(&self, name: &StepName) -> Result<Option<Payload>, EngineError> {
        Ok(self.known_steps().await?.get(name).cloned())
    }

    /// Stores a result; answers the one that stands, when it is another.
    async fn record_step(&self, request: RecordStep) -> Result<Option<Payload>, EngineError> {
        let backend = &self.desk.backend;
        let call = || backend.record_step(&self.task.handle, &request);
        let first = match self.insist("record_step", call).await? {
            StepOutcome::AlreadyRecorded(first) => Some(first),
            _ => None,
        };
        let stands = first.as_ref().unwrap_or(&request.result).clone();
        self.known_steps().await?.insert(request.name, stands);
        Ok(first)
    }

    async fn known_steps(
        &self,
    ) -> Result<MutexGuard<'_, BTreeMap<StepName, Payload>>, EngineError> {
        let known = self.steps.0.get_or_try_init(async || {
            let handle = &self.task.handle;
            let may_have_steps = handle.kind == HandleKind::Resumed || self.task.attempt.0 > 0;
            let steps = if may_have_steps {
                self.ask(|| self.desk.backend.steps(handle)).await?
            } else {
                Vec::new()
            };
            let known = steps.into_iter().map(|step| (step.name, step.result)).collect();
            Ok::<_, EngineError>(Mutex::new(known))
        });
        Ok(known.await?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read<T: DeserializeOwned>(name: &StepName, result: &Payload) -> Result<T, TaskError> {
    json::decode_bytes(Some(result.bytes()))
        .map_err(|error| TaskError::permanent(format!("the result of step {name} is {error}")))
}
