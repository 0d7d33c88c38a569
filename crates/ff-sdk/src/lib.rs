//! FlowFabric for applications: a client that submits jobs, and a worker that runs them in
//! ordinary async Rust.
//!
//! A submitted job survives the process that submitted it and the one that runs it: a worker holds
//! it under a lease, keeps the lease while the handler runs, and when the worker dies another one
//! takes over. Handlers may therefore run more than once, and what they do outside should bear it;
//! [`ClaimedTask::step`] keeps the results of what is done.
//! A handler that needs a person or a webhook suspends, holds nothing while it waits, and is called
//! again with the answer.
//!
//! The crate is handed its backend as an `Arc<dyn EngineBackend>` and knows none by name.
//!
//! ```
//! use std::sync::Arc;
//! use ff_backend_mem::MemBackend;
//! use ff_sdk::prelude::*;
//!
//! async fn greet(_task: ClaimedTask, name: String) -> Result<String, TaskError> {
//!     Ok(format!("hello {name}"))
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let backend = Arc::new(MemBackend::new());
//!     let client = Client::new(backend.clone());
//!     let worker = Worker::builder(backend).handler("greet", greet).build()?.start();
//!
//!     let id = client.submit(&Job::new("greet", "Ada")).await?.id();
//!     let hello: String = client.result(id).await?;
//!     assert_eq!(hello, "hello Ada");
//!
//!     worker.shutdown().await;
//!     Ok(())
//! }
//! ```

mod client;
mod extensions;
pub mod flow;
mod handlers;
mod job;
mod json;
mod merge_patch;
mod metrics;
pub mod prelude;
mod retry;
mod schedule;
mod task;
mod task_error;
pub mod testing;
mod worker;

pub use client::{
    Client, Completions, CompletionsError, IntoToken, ResultError, SendSignal, Tail, TailEvent,
};
pub use ff_engine::{
    AdjustBudget, Amounts, BackfillOutcome, Breach, BudgetDimension, BudgetLimit, BudgetView,
    BudgetWindow, CancelFlowOutcome, CancelOutcome, Clock, CloseOutcome, CompletionsFrom,
    ConflictKind, CreateBudget, Cursor, Distinct, EngineBackend, EngineError, Entity,
    ExecutionResult, ExecutionSummary, ExecutionView, ExplainReason, Explanation, FlowEdgeView,
    FlowNodeView, FlowPage, FlowProblem, FlowSummary, FlowView, FrameView, GraphProblem, Group,
    HoldOutcome, IdSource, Idempotency, KeyRing, LaneBarrier, LaneSettings, LaneState, LaneView,
    ListBudgets, ListFlows, ListLanes, ListPage, ListRequest, ListSchedules, ListWaitpoints,
    ManualClock, Misfire, Occurrence, OnBreach, OnTerminal, Overlap, Rate, ReadStream,
    RefusedOccurrence, ReleaseHoldOutcome, ReplayOutcome, ResumeOutcome, ResumeReason, ResumeView,
    RevokeOutcome, ScheduleCounts, SchedulePause, ScheduleSpec, ScheduleState, ScheduleView,
    ScheduledRun, SignalOutcome, StateKind, StreamCursor, StreamEnd, StreamPage, Submitted,
    SummaryView, SystemClock, TaskNode, TickOutcome, TimeoutBehavior, UnavailableKind,
    UsageOutcome, WaitpointPage, WaitpointSecret, WaitpointView,
};
pub use ff_types::backend::{
    BackendConfig, CancelFlowPolicy, CancelFlowWait, CapabilitySet, CompletionOf,
    CompletionPayload, FailureClass, Frame, FrameKind, PendingWaitpoint, ResumeSignal,
    ScannerFilter, UsageDimensions, WaitpointToken,
};
pub use ff_types::{
    AttemptIndex, Backoff, BudgetId, EdgeCondition, ExecutionId, ExecutionPolicy, ExecutionState,
    FlowId, FlowPolicy, FlowState, IdempotencyKey, Jitter, JoinPolicy, JoinRest, LaneId, LaneKey,
    Namespace, NodeKey, Payload, RetryPolicy, ScheduleId, SignalId, Tags, TaskKind,
    TerminalOutcome, TimestampMs, ValueError, WaitpointId, WaitpointKey, WorkerId,
    WorkerInstanceId,
};
pub use flow::{
    CancelFlowCall, Extension, Flow, FlowEnd, FlowEvent, FlowGraph, FlowHandle, FlowNotCompleted,
    FlowRun, NewEdges, NewNode,
};
pub use handlers::Handlers;
pub use job::{DEFAULT_LANE, Job};
pub use json::DecodeError;
pub use metrics::{Metrics, NoMetrics, Outcome};
pub use retry::CallRetry;
pub use schedule::Schedule;
pub use task::{
    APPROVE, Approval, ClaimedTask, Decision, FrameWriter, NewWaitpoint, Parent, ParentError,
    Parents, REJECT, Refused, Settled, SignalExt, StepKey, StopReason, Suspension, Wait, WaitOn,
};
pub use task_error::{ResultExt, TaskError};
pub use tokio_util::sync::CancellationToken;
pub use worker::{Worker, WorkerBuilder, WorkerHandle};

/// The README's code, compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
