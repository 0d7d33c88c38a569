//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    Backoff, CancelOutcome, CancellationToken, ClaimedTask, Client, Decision, EngineBackend,
    EngineError, ExecutionId, ExecutionPolicy, ExecutionState, ExplainReason, Extension, Flow,
    FlowEnd, FlowEvent, FlowId, FlowState, Handlers, Jitter, Job, ListRequest, ParentError,
    Payload, ResultError, ResultExt, ResumeSignal, RetryPolicy, Schedule, Settled, SignalExt,
    StepKey, StopReason, Submitted, Suspension, TaskError, TimestampMs, Wait, WaitOn,
    WaitpointToken, Worker, WorkerBuilder, WorkerHandle,
};
