//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    Backoff, BudgetId, BudgetLimit, BudgetWindow, CancelOutcome, CancellationToken, ClaimedTask,
    Client, CreateBudget, Decision, EngineBackend, EngineError, ExecutionId, ExecutionPolicy,
    ExecutionState, ExplainReason, Extension, Flow, FlowEnd, FlowEvent, FlowId, FlowState,
    Handlers, Idempotency, Jitter, Job, LaneId, LaneKey, LaneSettings, LaneState, ListRequest,
    Misfire, OnBreach, Overlap, ParentError, Payload, Rate, ResultError, ResultExt, ResumeSignal,
    RetryPolicy, Schedule, ScheduleId, Settled, SignalExt, SignalOutcome, StepKey, StopReason,
    Submitted, Suspension, TailEvent, TaskError, TimeoutBehavior, TimestampMs, UsageDimensions,
    UsageOutcome, Wait, WaitOn, WaitpointToken, Worker, WorkerBuilder, WorkerHandle,
};
