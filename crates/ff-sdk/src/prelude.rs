//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    Backoff, CancelOutcome, CancellationToken, ClaimedTask, Client, Decision, EngineBackend,
    EngineError, ExecutionId, ExecutionPolicy, ExecutionState, ExplainReason, Handlers, Jitter,
    Job, ListRequest, Payload, ResultError, ResultExt, ResumeSignal, RetryPolicy, Settled,
    SignalExt, StepKey, StopReason, Submitted, Suspension, TaskError, TimestampMs, Wait, WaitOn,
    WaitpointToken, Worker, WorkerBuilder, WorkerHandle,
};
