//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    Backoff, CancelOutcome, CancellationToken, ClaimedTask, Client, EngineBackend, EngineError,
    ExecutionId, ExecutionPolicy, ExecutionState, ExplainReason, Handlers, Jitter, Job,
    ListRequest, Payload, ResultError, ResultExt, ResumeSignal, RetryPolicy, Settled, StopReason,
    Submitted, TaskError, TimestampMs, Worker, WorkerBuilder, WorkerHandle,
};
