//! The registry of handlers, by the kind of job they run.
//!
//! The worker and the test engine share it, so that what was tested is what runs.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use ff_engine::EngineError;
use ff_types::{Payload, TaskKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::extensions::Extensions;
use crate::json;
use crate::task::{ClaimedTask, Settled};
use crate::task_error::TaskError;

/// Handlers and the state they share.
///
/// ```
/// use ff_sdk::prelude::*;
///
/// async fn greet(task: ClaimedTask, name: String) -> Result<String, TaskError> {
///     let greeting = task.state::<String>()?;
///     Ok(format!("{greeting} {name}"))
/// }
///
/// let handlers = Handlers::new()
///     .state("hello".to_owned())
///     .handler("greet", greet)
///     .raw_handler("drop", async |task: ClaimedTask| task.complete(None).await);
/// # let _ = handlers;
/// ```
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: HashMap<String, Erased>,
    state: Extensions,
    problem: Option<String>,
}

type Erased = Arc<dyn Fn(ClaimedTask) -> Running + Send + Sync>;
type Running = Pin<Box<dyn Future<Output = Result<Returned, TaskError>> + Send>>;

/// What a handler returned.
pub(crate) enum Returned {
    /// A typed handler's result, for the worker to store.
    Result(Option<Payload>),
    /// A raw handler has ended the attempt.
    Settled,
}

impl Handlers {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs jobs of `kind` with `handler`: the payload is read as JSON, and what the handler
    /// returns is stored as JSON.
    ///
    /// A payload that is no `T` fails the job permanently.
    #[must_use]
    pub fn handler<T, R, E, F, Fut>(self, kind: impl Into<String>, handler: F) -> Self
    where
        T: DeserializeOwned + Send,
        R: Serialize,
        E: Into<TaskError>,
        F: Fn(ClaimedTask, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        self.insert(
            kind.into(),
            Arc::new(move |task: ClaimedTask| -> Running {
                let value = match task.json::<T>() {
                    Ok(value) => value,
                    Err(error) => {
                        let message = format!("the payload is {error}");
                        return Box::pin(std::future::ready(Err(TaskError::permanent(message))));
                    }
                };
                let running = handler(task, value);
                Box::pin(async move {
                    let result = running.await.map_err(Into::into)?;
                    Ok(Returned::Result(json::encode("result", &result)?))
                })
            }),
        )
    }

    /// Runs jobs of `kind` with `handler`, which reads the payload and ends the attempt itself.
    #[must_use]
    pub fn raw_handler<E, F, Fut>(self, kind: impl Into<String>, handler: F) -> Self
    where
        E: Into<TaskError>,
        F: Fn(ClaimedTask) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Settled, E>> + Send + 'static,
    {
        self.insert(
            kind.into(),
            Arc::new(move |task| -> Running {
                let running = handler(task);
                Box::pin(async move {
                    let Settled { .. } = running.await.map_err(Into::into)?;
                    Ok(Returned::Settled)
                })
            }),
        )
    }

    /// Shares `state` with every handler; [`ClaimedTask::state`] finds it by its type. Another
    /// state of the same type replaces it.
    #[must_use]
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> Self {
        self.shared_state(Arc::new(state))
    }

    /// Like [`Handlers::state`], for state that others hold too.
    #[must_use]
    pub fn shared_state<S: Send + Sync + 'static>(mut self, state: Arc<S>) -> Self {
        self.state.insert(state);
        self
    }

    /// Refuses kinds that are malformed or were given twice.
    pub(crate) fn validate(&self) -> Result<(), EngineError> {
        if let Some(problem) = &self.problem {
            return Err(EngineError::validation("handler", problem.clone()));
        }
        for kind in self.by_kind.keys() {
            TaskKind::new(kind.as_str())?;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.state
    }

    /// Calls the handler of the task's kind. The call itself may panic.
    pub(crate) async fn call(&self, task: ClaimedTask) -> Result<Returned, TaskError> {
        if let Some(handler) = self.by_kind.get(task.kind().as_str()) {
            return handler(task).await;
        }
        let mut known: Vec<&str> = self.by_kind.keys().map(String::as_str).collect();
        known.sort_unstable();
        let (kind, known) = (task.kind(), known.join(", "));
        Err(TaskError::permanent(format!("no handler for kind {kind}; this worker has {known}")))
    }

    fn insert(mut self, kind: String, handler: Erased) -> Self {
        if self.by_kind.contains_key(&kind) {
            self.problem = Some(format!("for kind {kind} was given twice"));
        }
        self.by_kind.insert(kind, handler);
        self
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_kind.keys()).finish()
    }
}
