//! Submitting flows, and following them to their ends.

use ff_engine::{EngineError, FlowPage, ListFlows};
use ff_types::{BudgetId, FlowId};

use super::Client;
use crate::flow::{Flow, FlowEnd, FlowHandle, FlowRun};

impl Client {
    /// Submits a flow; once this returns, it runs or ends even if this process dies.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when the backend did not answer in time: submit the same `Flow`
    /// again, which is the same submission. [`EngineError::Graph`] names the nodes that are no graph;
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the node and what is wrong
    /// with it.
    pub async fn submit_flow(&self, flow: &Flow) -> Result<FlowId, EngineError> {
        let spec = flow.spec(&self.ids)?;
        Ok(self.repeat(|| self.backend.submit_flow(spec)).await?.flow_id)
    }

    /// An id for [`Flow::id`].
    pub fn new_flow_id(&self) -> FlowId {
        self.ids.flow_id()
    }

    /// The same, for a flow that draws on this budget.
    pub fn new_flow_id_beside(&self, budget: BudgetId) -> FlowId {
        self.ids.together(budget.shard()).flow_id()
    }

    /// A flow that was submitted, to be steered and read.
    pub fn flow(&self, id: FlowId) -> FlowHandle {
        FlowHandle::new(self.clone(), id)
    }

    /// One page of the flows.
    pub async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        self.repeat(|| self.backend.list_flows(request)).await
    }

    /// Submits a flow and waits for its end, however long that takes. Dropping the future does
    /// nothing to the flow.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use ff_sdk::prelude::*;
    ///
    /// async fn length(_task: ClaimedTask, text: String) -> Result<usize, TaskError> {
    ///     Ok(text.len())
    /// }
    ///
    /// async fn double(task: ClaimedTask, (): ()) -> Result<usize, TaskError> {
    ///     Ok(task.parent::<usize>("length").await? * 2)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let backend = Arc::new(MemBackend::new());
    /// # let client = Client::new(backend.clone());
    /// # let worker = Worker::builder(backend)
    /// #     .handler("length", length)
    /// #     .handler("double", double)
    /// #     .build()?
    /// #     .start();
    /// let mut flow = Flow::new();
    /// flow.node("length", Job::new("length", "seven"));
    /// flow.node("double", Job::new("double", &())).after(["length"]);
    ///
    /// let end = client.run_flow(&flow).await?;
    /// assert!(end.is_completed());
    /// assert_eq!(end.result::<usize>("double").await?, 10);
    /// # worker.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_flow(&self, flow: &Flow) -> Result<FlowEnd, EngineError> {
        self.start_flow(flow).await?.end().await
    }

    /// Submits a flow and gives a place from which its ends can be watched as they come.
    pub async fn start_flow(&self, flow: &Flow) -> Result<FlowRun, EngineError> {
        let is_new = flow.is_new();
        let spec = flow.spec(&self.ids)?;
        let mut run = FlowRun::from_now(&self.flow(spec.id())).await?;
        self.submit_flow(flow).await?;
        run.know(spec);
        if !is_new {
            run.look().await?;
        }
        Ok(run)
    }
}
