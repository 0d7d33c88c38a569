//! Waiting for the end of an execution.

use std::time::Duration;

use ff_engine::{EngineError, ExecutionResult, ResultOutcome, ResultRequest};
use ff_types::backend::FailureClass;
use ff_types::{ExecutionId, TerminalOutcome};
use serde::de::DeserializeOwned;

use super::Client;
use crate::json::{self, DecodeError};

/// One wait inside the backend; the next follows at once.
const WAIT: Duration = Duration::from_secs(20);

/// Why there is no result of the type asked for. As a [`TaskError`](crate::TaskError) it is permanent,
/// unless the backend did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The execution failed and is not tried again.
    #[error("failed ({class}): {message}")]
    Failed {
        /// The class of the failure that ended it.
        class: FailureClass,
        /// What went wrong.
        message: String,
    },
    /// The execution was cancelled.
    #[error("cancelled: {reason}")]
    Cancelled {
        /// Why.
        reason: String,
    },
    /// The execution missed its deadline.
    #[error("expired before it ended")]
    Expired,
    /// The execution could not run any more.
    #[error("skipped without running")]
    Skipped,
    /// It completed with a result of another type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The backend refused or did not answer. The execution is not touched by that.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ResultError {
    /// The refusal of the backend, if that is what it is.
    pub(crate) const fn engine(&self) -> Option<&EngineError> {
        if let Self::Engine(error) = self { Some(error) } else { None }
    }
}

impl Client {
    /// Waits for the end and reads the result.
    ///
    /// The wait is without bound; put it into a timeout to give up, which does nothing to the
    /// execution.
    pub async fn result<R: DeserializeOwned>(&self, id: ExecutionId) -> Result<R, ResultError> {
        read(self.result_raw(id).await?)
    }

    /// Reads the result if the execution has ended.
    pub async fn try_result<R: DeserializeOwned>(
        &self,
        id: ExecutionId,
    ) -> Result<Option<R>, ResultError> {
        match self.ask(ResultRequest::new(id)).await? {
            Some(end) => read(end).map(Some),
            None => Ok(None),
        }
    }

    /// Waits for the end, whatever it is.
    pub async fn result_raw(&self, id: ExecutionId) -> Result<ExecutionResult, EngineError> {
        let request = ResultRequest::new(id).with_max_wait(WAIT);
        loop {
            if let Some(end) = self.ask(request).await? {
                return Ok(end);
            }
        }
    }

    async fn ask(&self, request: ResultRequest) -> Result<Option<ExecutionResult>, EngineError> {
        let outcome = self.repeat(|| self.backend.result(&request)).await?;
        Ok(match outcome {
            ResultOutcome::Ended(end) => Some(end),
            _ => None,
        })
    }
}

fn read<R: DeserializeOwned>(end: ExecutionResult) -> Result<R, ResultError> {
    match end.outcome {
        TerminalOutcome::Completed => Ok(json::decode(end.payload.as_ref())?),
        TerminalOutcome::Failed => {
            let (class, message) =
                end.failure.map_or((FailureClass::Permanent, String::new()), |failure| {
                    (failure.class, failure.message)
                });
            Err(ResultError::Failed { class, message })
        }
        TerminalOutcome::Cancelled => {
            Err(ResultError::Cancelled { reason: end.cancel_reason.unwrap_or_default() })
        }
        TerminalOutcome::Expired => Err(ResultError::Expired),
        TerminalOutcome::Skipped => Err(ResultError::Skipped),
    }
}
