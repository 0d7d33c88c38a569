//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    Backoff, Breach, BudgetId, BudgetLimit, BudgetView, BudgetWindow, CancelOutcome,
    CancellationToken, ClaimedTask, Client, CreateBudget, Decision, EngineBackend, EngineError,
    ExecutionId, ExecutionPolicy, ExecutionState, ExplainReason, Extension, Flow, FlowEnd,
    FlowEvent, FlowId, FlowState, Handlers, Idempotency, Jitter, Job, LaneBarrier, LaneId, LaneKey,
    LaneSettings, LaneState, LaneView, ListBudgets, ListLanes, ListRequest, ListSchedules, Misfire,
    OnBreach, Overlap, ParentError, Payload, Rate, ResultError, ResultExt, ResumeSignal,
    RetryPolicy, Schedule, ScheduleId, ScheduleView, Settled, SignalExt, SignalOutcome, StepKey,
    StopReason, Submitted, Suspension, TailEvent, TaskError, TimeoutBehavior, TimestampMs,
    UsageDimensions, UsageOutcome, Wait, WaitOn, WaitpointToken, Worker, WorkerBuilder,
    WorkerHandle,
};
