//! The place of a task in its flow, and what its parents returned.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;

use ff_engine::{EngineError, TaskNode, UpstreamRequest, UpstreamResult};
use ff_types::{ExecutionId, NodeKey, Payload, RequestId, TerminalOutcome};
use serde::de::DeserializeOwned;

use super::ClaimedTask;
use super::attempt::Attempt;
use super::step::StepKey;
use crate::client::Client;
use crate::flow::{Extension, FlowHandle};
use crate::json::{self, DecodeError};
use crate::task_error::TaskError;

/// Why there is no result of a parent. As a [`TaskError`] it is permanent, unless the parent has not
/// ended or the backend did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParentError {
    /// The node has no parent of this key, or the task belongs to no flow.
    #[error("there is no parent {key}")]
    Unknown {
        /// The key that was asked for.
        key: String,
    },
    /// It has not ended: the node did not have to wait for it.
    #[error("parent {key} has not ended")]
    Open {
        /// Its key.
        key: NodeKey,
    },
    /// It ended without a result.
    #[error("parent {key} has no result: it is {outcome}")]
    Ended {
        /// Its key.
        key: NodeKey,
        /// How it ended.
        outcome: TerminalOutcome,
    },
    /// It returned something else.
    #[error("the result of parent {key} is {source}")]
    Decode {
        /// Its key.
        key: NodeKey,
        /// What does not fit.
        source: DecodeError,
    },
    /// The backend refused or did not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ParentError {
    /// Whether a later attempt meets the same.
    pub(crate) const fn is_permanent(&self) -> bool {
        !matches!(self, Self::Open { .. } | Self::Engine(_))
    }

    /// The refusal of the backend, if that is what it is.
    pub(crate) const fn engine(&self) -> Option<&EngineError> {
        if let Self::Engine(error) = self { Some(error) } else { None }
    }
}

/// How one parent stood when it was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Parent {
    /// Its key.
    pub key: NodeKey,
    /// Its execution.
    pub execution_id: ExecutionId,
    /// How it ended; `None` while it has not.
    pub outcome: Option<TerminalOutcome>,
    /// What its handler returned, if it completed and returned something.
    pub payload: Option<Payload>,
}

impl Parent {
    /// Whether it ended with success.
    pub fn is_completed(&self) -> bool {
        self.outcome == Some(TerminalOutcome::Completed)
    }

    /// What it returned, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ParentError> {
        let key = || self.key.clone();
        match self.outcome {
            None => Err(ParentError::Open { key: key() }),
            Some(TerminalOutcome::Completed) => json::decode(self.payload.as_ref())
                .map_err(|source| ParentError::Decode { key: key(), source }),
            Some(outcome) => Err(ParentError::Ended { key: key(), outcome }),
        }
    }
}

impl From<UpstreamResult> for Parent {
    fn from(result: UpstreamResult) -> Self {
        let UpstreamResult { key, execution_id, outcome, payload, .. } = result;
        Self { key, execution_id, outcome, payload }
    }
}

/// The parents of a task: await it for all at once, or take one after the other with
/// [`Parents::next`], which holds no more than one page of results at a time.
pub struct Parents<'t> {
    attempt: &'t Attempt,
    page: VecDeque<UpstreamResult>,
    next: Option<u32>,
}

impl Parents<'_> {
    /// The next parent, in the order of the node's edges; `None` at the end. Nothing is lost when the
    /// future is dropped.
    pub async fn next(&mut self) -> Result<Option<Parent>, EngineError> {
        loop {
            if let Some(result) = self.page.pop_front() {
                return Ok(Some(result.into()));
            }
            let Some(from) = self.next else { return Ok(None) };
            let request = UpstreamRequest::new(self.attempt.task.execution_id).with_from(from);
            let call = || self.attempt.desk.backend.upstream_results(&request);
            let page = self.attempt.ask(call).await?;
            self.page = page.items.into();
            self.next = page.next;
        }
    }

    async fn all(mut self) -> Result<Vec<Parent>, EngineError> {
        let mut all = Vec::new();
        while let Some(parent) = self.next().await? {
            all.push(parent);
        }
        Ok(all)
    }
}

impl<'t> IntoFuture for Parents<'t> {
    type Output = Result<Vec<Parent>, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 't>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.all())
    }
}

impl fmt::Debug for Parents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parents").field("next", &self.next).finish_non_exhaustive()
    }
}

impl ClaimedTask {
    /// The flow that the task belongs to, and its key there; `None` of one that was submitted alone.
    pub fn node(&self) -> Option<&TaskNode> {
        self.attempt.task.node.as_ref()
    }

    /// The flow that the task belongs to, to be steered and read.
    pub fn flow(&self) -> Option<FlowHandle> {
        self.node().map(|node| self.client().flow(node.flow_id))
    }

    /// A client on the worker's backend.
    pub fn client(&self) -> Client {
        let desk = &self.attempt.desk;
        Client::with_ids(desk.backend.clone(), desk.ids.clone()).call_retry(desk.retry)
    }

    /// How the parents ended, in the order of the node's edges. Every run of the handler finds those
    /// that have ended with the same results.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn sum(task: ClaimedTask, (): ()) -> Result<u64, TaskError> {
    ///     let mut sum = 0;
    ///     for parent in task.parents().await? {
    ///         if parent.is_completed() {
    ///             sum += parent.json::<u64>()?;
    ///         }
    ///     }
    ///     Ok(sum)
    /// }
    /// # let _ = sum;
    /// ```
    pub fn parents(&self) -> Parents<'_> {
        // An execution that belongs to no flow has none, and nobody has to be asked.
        let next = self.node().map(|_| 0);
        Parents { attempt: &self.attempt, page: VecDeque::new(), next }
    }

    /// What the parent of this key returned. It is looked for from the first parent on; a handler that
    /// wants many takes [`ClaimedTask::parents`].
    pub async fn parent<T: DeserializeOwned>(&self, key: &str) -> Result<T, ParentError> {
        let mut parents = self.parents();
        while let Some(parent) = parents.next().await? {
            if parent.key.as_str() == key {
                return parent.json();
            }
        }
        Err(ParentError::Unknown { key: key.to_owned() })
    }

    /// Adds nodes and edges to the task's own flow, once per execution: a run of the handler that
    /// comes to the same `name` again, in whichever attempt, adds nothing. Answers the revision that
    /// the flow has by it.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn index(task: ClaimedTask, pages: u32) -> Result<u32, TaskError> {
    ///     let mut more = Extension::new();
    ///     for page in 0..pages {
    ///         more.node(format!("page-{page}"), Job::new("fetch", &page)).after(["index"]);
    ///         more.edges_into("report").after([format!("page-{page}")]);
    ///     }
    ///     task.extend_flow("pages", &more).await?;
    ///     Ok(pages)
    /// }
    /// # let _ = index;
    /// ```
    ///
    /// # Errors
    /// Those of [`FlowHandle::extend`]; a permanent one of a task that belongs to no flow.
    pub async fn extend_flow(&self, name: &str, extension: &Extension) -> Result<u64, TaskError> {
        let Some(flow) = self.flow() else {
            return Err(TaskError::permanent("the task belongs to no flow"));
        };
        let key = StepKey::named(self.execution_id(), name)?;
        Ok(flow.extend_as(request_of(&key), extension).await?)
    }
}

/// The same request for the same step: its text, hashed (FNV-1a, 128 bits).
fn request_of(key: &StepKey) -> RequestId {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = key
        .as_str()
        .bytes()
        .fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    RequestId::from_u128(hash)
}
