//! Cancelling a flow.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use ff_engine::{CancelFlow, CancelFlowOutcome, EngineError};
use ff_types::backend::{CancelFlowPolicy, CancelFlowWait};

use super::handle::FlowHandle;

/// A cancellation about to be sent by [`FlowHandle::cancel`]. Once it is answered no node of the flow
/// starts a new attempt.
///
/// Unless told otherwise it cancels what has not started and what waits, tells running workers to
/// stop, and does not wait for them. A second cancellation can only go further.
#[must_use = "a flow is cancelled when this is awaited"]
pub struct CancelFlowCall<'h> {
    handle: &'h FlowHandle,
    request: CancelFlow,
}

impl<'h> CancelFlowCall<'h> {
    pub(super) fn new(handle: &'h FlowHandle, reason: String) -> Self {
        let request = CancelFlow::new(handle.client.ids.request_id(), handle.id, reason);
        Self { handle, request }
    }

    /// Lets running nodes go on.
    pub fn pending_only(self) -> Self {
        self.policy(CancelFlowPolicy::CancelPending)
    }

    /// Goes this far.
    pub fn policy(mut self, policy: CancelFlowPolicy) -> Self {
        self.request.policy = policy;
        self
    }

    /// Waits until all nodes have ended.
    pub fn wait(mut self) -> Self {
        self.request.wait = CancelFlowWait::WaitIndefinite;
        self
    }

    /// Waits until all nodes have ended, and no longer than this.
    pub fn wait_at_most(mut self, longest: Duration) -> Self {
        self.request.wait = CancelFlowWait::WaitTimeout(longest);
        self
    }

    async fn send(self) -> Result<CancelFlowOutcome, EngineError> {
        let client = &self.handle.client;
        client.repeat(|| client.backend.cancel_flow(&self.request)).await
    }
}

impl<'h> IntoFuture for CancelFlowCall<'h> {
    type Output = Result<CancelFlowOutcome, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'h>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for CancelFlowCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelFlowCall").field("request", &self.request).finish_non_exhaustive()
    }
}
