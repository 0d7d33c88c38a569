//! Looking at executions and steering them.

use ff_engine::{
    CancelExecution, CancelOutcome, CloseOutcome, EngineError, ExecutionSummary, ExecutionView,
    Explanation, Hold, HoldOutcome, ListPage, ListRequest, ListWaitpoints, ReleaseHold,
    ReleaseHoldOutcome, ReplayExecution, ReplayOutcome, ResumeExecution, ResumeOutcome,
    RevokeLease, RevokeOutcome, SetTags, WaitpointPage, WithdrawWaitpoint,
};
use ff_types::{ExecutionId, Tags, WaitpointId};

use super::Client;

impl Client {
    /// Everything about one execution.
    pub async fn describe(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        self.repeat(|| self.backend.describe_execution(id)).await
    }

    /// One page of a listing.
    pub async fn list(&self, request: &ListRequest) -> Result<ListPage, EngineError> {
        self.repeat(|| self.backend.list_executions(request)).await
    }

    /// A listing to its end, or until `at_most` items are there.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// # use ff_sdk::{Client, Job};
    /// use ff_sdk::{ExecutionState, ListRequest};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ff_sdk::EngineError> {
    /// # let client = Client::new(Arc::new(MemBackend::new()));
    /// client.submit(&Job::new("greet", &"Ada")).await?;
    /// let ready = ListRequest::new().with_state(ExecutionState::Ready);
    /// assert_eq!(client.list_all(ready, 1_000).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_all(
        &self,
        mut request: ListRequest,
        at_most: usize,
    ) -> Result<Vec<ExecutionSummary>, EngineError> {
        let mut items = Vec::new();
        loop {
            let page = self.list(&request).await?;
            items.extend(page.items);
            match page.next {
                Some(next) if items.len() < at_most => request.cursor = Some(next),
                _ => break,
            }
        }
        items.truncate(at_most);
        Ok(items)
    }

    /// The first reason why an execution is not running, and when time alone clears it.
    pub async fn explain(&self, id: ExecutionId) -> Result<Explanation, EngineError> {
        self.repeat(|| self.backend.explain(id)).await
    }

    /// Ends an execution that has not ended. One that is running is told to stop at once, at the
    /// latest at its worker's next renewal, and ends at the latest when its lease does.
    pub async fn cancel(
        &self,
        id: ExecutionId,
        reason: impl Into<String>,
    ) -> Result<CancelOutcome, EngineError> {
        let request = CancelExecution::new(self.ids.request_id(), id, reason);
        self.repeat(|| self.backend.cancel_execution(&request)).await
    }

    /// Sets a tag of an execution, whatever its state, and answers all that it has then. The key has a namespace,
    /// as in `ops.ticket`; tags without one are those that it was submitted with.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a key without a namespace; [`EngineError::LimitExceeded`] for more tags than
    /// there may be, or a value that is too long.
    pub async fn set_tag(
        &self,
        id: ExecutionId,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Tags, EngineError> {
        let request = SetTags::new(self.ids.request_id(), id).with_tag(key, value);
        self.repeat(|| self.backend.set_tags(&request)).await
    }

    /// Removes a tag that has a namespace, if it is there.
    pub async fn remove_tag(
        &self,
        id: ExecutionId,
        key: impl Into<String>,
    ) -> Result<Tags, EngineError> {
        let request = SetTags::new(self.ids.request_id(), id).without_tag(key);
        self.repeat(|| self.backend.set_tags(&request)).await
    }

    /// Keeps an execution from being handed out until [`Client::release_hold`]. A running attempt
    /// goes on.
    pub async fn hold(&self, id: ExecutionId) -> Result<HoldOutcome, EngineError> {
        let request = Hold::new(self.ids.request_id(), id);
        self.repeat(|| self.backend.hold(&request)).await
    }

    /// Lifts a hold.
    pub async fn release_hold(&self, id: ExecutionId) -> Result<ReleaseHoldOutcome, EngineError> {
        let request = ReleaseHold::new(self.ids.request_id(), id);
        self.repeat(|| self.backend.release_hold(&request)).await
    }

    /// Takes the lease of the running attempt away, so that another worker starts over.
    pub async fn revoke(
        &self,
        id: ExecutionId,
        reason: impl Into<String>,
    ) -> Result<RevokeOutcome, EngineError> {
        let request = RevokeLease::new(self.ids.request_id(), id, reason);
        self.repeat(|| self.backend.revoke(&request)).await
    }

    /// One page of the open waitpoints, of one execution or of all. Tokens are never shown.
    pub async fn list_waitpoints(
        &self,
        request: &ListWaitpoints,
    ) -> Result<WaitpointPage, EngineError> {
        self.repeat(|| self.backend.list_waitpoints(request)).await
    }

    /// Closes a waitpoint: its token is good for nothing from now on. A wait that cannot succeed
    /// without it ends at once, as the wait says of its timeout.
    pub async fn withdraw_waitpoint(
        &self,
        id: ExecutionId,
        waitpoint: WaitpointId,
    ) -> Result<CloseOutcome, EngineError> {
        let request = WithdrawWaitpoint::new(self.ids.request_id(), id, waitpoint);
        self.repeat(|| self.backend.withdraw_waitpoint(&request)).await
    }

    /// Ends the wait of a suspended execution, whatever it waits for. Its handler goes on and is
    /// told the reason; it sees no signal.
    pub async fn resume_execution(
        &self,
        id: ExecutionId,
        reason: impl Into<String>,
    ) -> Result<ResumeOutcome, EngineError> {
        let request = ResumeExecution::new(self.ids.request_id(), id, reason);
        self.repeat(|| self.backend.resume_execution(&request)).await
    }

    /// Reopens an execution that ended, for a new attempt.
    pub async fn replay(&self, id: ExecutionId) -> Result<ReplayOutcome, EngineError> {
        let request = ReplayExecution::new(self.ids.request_id(), id);
        self.repeat(|| self.backend.replay(&request)).await
    }
}
