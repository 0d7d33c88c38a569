//! Completions: the one durable event that each ended execution makes.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{ExecutionId, FlowId};
use crate::state::TerminalOutcome;
use crate::text::text_enum;
use crate::types::TimestampMs;

/// That an execution ended, or a flow, and how. `Debug` shows the length of the result, never the result.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompletionPayload {
    /// What ended.
    pub ended: CompletionOf,
    /// The execution; of a flow, the member whose end ended it.
    pub execution_id: ExecutionId,
    /// How it ended.
    pub outcome: TerminalOutcome,
    /// The execution's result, if it has one.
    pub payload_bytes: Option<Bytes>,
    /// When it ended, by the store's clock.
    pub produced_at_ms: TimestampMs,
    /// The flow that it belongs to, or that ended.
    pub flow_id: Option<FlowId>,
}

text_enum! {
    /// What a completion is about.
    #[non_exhaustive]
    pub enum CompletionOf as "ended", "execution or flow" {
        /// An execution ended.
        Execution = "execution",
        /// A flow ended.
        Flow = "flow",
    }
}

impl CompletionPayload {
    /// A completion without result and flow.
    pub const fn new(
        execution_id: ExecutionId,
        outcome: TerminalOutcome,
        produced_at_ms: TimestampMs,
    ) -> Self {
        Self {
            ended: CompletionOf::Execution,
            execution_id,
            outcome,
            payload_bytes: None,
            produced_at_ms,
            flow_id: None,
        }
    }

    /// Adds the result.
    #[must_use]
    pub fn with_payload_bytes(mut self, payload_bytes: impl Into<Bytes>) -> Self {
        self.payload_bytes = Some(payload_bytes.into());
        self
    }

    /// Says that the flow has ended with this execution.
    #[must_use]
    pub const fn with_ended(mut self, ended: CompletionOf) -> Self {
        self.ended = ended;
        self
    }

    /// Adds the flow.
    #[must_use]
    pub const fn with_flow_id(mut self, flow_id: FlowId) -> Self {
        self.flow_id = Some(flow_id);
        self
    }
}

impl fmt::Debug for CompletionPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionPayload")
            .field("ended", &self.ended)
            .field("execution_id", &self.execution_id)
            .field("outcome", &self.outcome)
            .field("payload_len", &self.payload_bytes.as_ref().map(Bytes::len))
            .field("produced_at_ms", &self.produced_at_ms)
            .field("flow_id", &self.flow_id)
            .finish()
    }
}
