//! The vocabulary of FlowFabric: ids, names, states, limits and policies, and under [`backend`] the
//! types that backends and their callers exchange.
//!
//! Everything here is a plain value. Nothing does I/O, reads a clock or draws a random number.
//! Whatever enters from outside is checked against a bound of [`limits`] and refused with a
//! [`ValueError`], which names the field and the bound but never shows the value. Payloads, tokens
//! and passwords are left out of every `Debug` and `Display`.
//!
//! ```
//! use ff_types::{ExecutionState, LaneId, Payload};
//!
//! let lane = LaneId::new("gpu")?;
//! let payload = Payload::json(r#"{"image":"cat.png"}"#);
//!
//! assert_eq!(lane.as_str(), "gpu");
//! assert!(!format!("{payload:?}").contains("cat.png"));
//! assert!(ExecutionState::Completed.is_terminal());
//! # Ok::<(), ff_types::ValueError>(())
//! ```

mod check;
mod duration_ms;
mod text;

pub mod backend;
pub mod error;
pub mod flow;
pub mod ids;
pub mod limits;
pub mod payload;
pub mod policy;
pub mod state;
pub mod types;

pub use error::ValueError;
pub use flow::{EdgeCondition, FlowPolicy, FlowState, JoinPolicy, JoinRest};
pub use ids::{
    BudgetId, ExecutionId, FlowId, GrantId, LeaseId, RequestId, ScheduleId, SignalId, WaitpointId,
    WorkerId, WorkerInstanceId,
};
pub use limits::*;
pub use payload::Payload;
pub use policy::{Backoff, ExecutionPolicy, Jitter, RetryPolicy};
pub use state::{BlockReason, ExecutionState, ReasonSet, TerminalOutcome};
pub use types::{
    AttemptIndex, IdempotencyKey, LaneId, LaneKey, LeaseEpoch, Namespace, NodeKey, StepName, Tags,
    TaskKind, TimestampMs, WaitpointKey,
};
