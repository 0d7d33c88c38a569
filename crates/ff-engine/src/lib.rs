//! The seam between FlowFabric's users and its stores.
//!
//! A backend implements the role traits of [`roles`]; whoever has all of them is an
//! [`EngineBackend`]. Requests and outcomes are in [`requests`], failures in [`EngineError`],
//! and [`machine`] holds the lifecycle as data together with the pure functions that decide
//! what each verb does to an execution. The crate knows no store, no wire and no worker.

pub mod call_digest;
pub mod clock;
mod codes;
mod error;
mod ext;
mod fence;
mod ids;
pub mod machine;
pub mod requests;
pub mod roles;
pub mod token;

pub use clock::{Clock, ManualClock, SystemClock};
pub use codes::{CODES, CodeInfo, CodeScope};
pub use error::{
    BoxError, ConflictKind, EngineError, Entity, FlowProblem, GraphProblem, Released, StateKind,
    UnavailableKind,
};
pub use ext::EngineBackendExt;
pub use fence::{Fence, Grant};
pub use ids::{Entropy, IdSource, SeededEntropy};
pub use requests::*;
pub use roles::{
    AttemptOps, BackendInfo, BudgetOps, ClaimOps, EngineBackend, FlowOps, LaneOps, OperatorOps,
    ReadOps, ScheduleOps, SignalOps, SubmitOps, TimerOps,
};
pub use token::{KeyRing, OsSecrets, SecretSource, Verified, WaitpointSecret};
