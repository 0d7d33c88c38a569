//! What most programs import.
//!
//! ```
//! use ff_sdk::prelude::*;
//! ```

pub use crate::{
    ClaimedTask, Client, Handlers, Job, ResultError, ResultExt, ResumeSignal, Settled, StopReason,
    TaskError, Worker, WorkerHandle,
};
pub use ff_engine::{EngineBackend, EngineError, Submitted};
pub use ff_types::{ExecutionId, Payload, RetryPolicy, TimestampMs};
