//! The roles of a backend.
//!
//! Each trait is what one kind of user needs, so that a signature says what its owner can do. A
//! rule in brackets behind a behaviour is the conformance case that proves it.
//!
//! A backend is opened on one namespace and acts only there: an id or a handle of another
//! namespace is not found `[namespace.is_a_boundary]`. Two rules hold for every verb. What is
//! rejected changes nothing at all `[all.rejected_changes_nothing]`. A call whose answer was lost
//! may be repeated with the same arguments: it gives the first outcome again and has no second
//! effect `[all.repeat_is_harmless]`.

mod attempt;
mod budget;
mod claim;
mod flow;
mod lane;
mod operator;
mod read;
mod schedule;
mod signal;
mod submit;
mod timer;

pub use attempt::AttemptOps;
pub use budget::BudgetOps;
pub use claim::ClaimOps;
pub use flow::FlowOps;
pub use lane::LaneOps;
pub use operator::OperatorOps;
pub use read::ReadOps;
pub use schedule::ScheduleOps;
pub use signal::SignalOps;
pub use submit::SubmitOps;
pub use timer::TimerOps;

use ff_types::Namespace;
use ff_types::backend::BackendTag;

/// What every backend says of itself.
pub trait BackendInfo: Send + Sync + 'static {
    /// The tag that its handles carry. An operation refuses a handle with another tag before any
    /// I/O `[handle.foreign_backend_is_refused]`.
    fn tag(&self) -> BackendTag;

    /// The namespace it is opened on.
    fn namespace(&self) -> &Namespace;
}

/// All roles together: what a backend implements and a worker is handed as
/// `Arc<dyn EngineBackend>`.
pub trait EngineBackend:
    BackendInfo
    + SubmitOps
    + FlowOps
    + ClaimOps
    + AttemptOps
    + SignalOps
    + OperatorOps
    + BudgetOps
    + LaneOps
    + ScheduleOps
    + ReadOps
    + TimerOps
{
}

impl<B> EngineBackend for B where
    B: BackendInfo
        + SubmitOps
        + FlowOps
        + ClaimOps
        + AttemptOps
        + SignalOps
        + OperatorOps
        + BudgetOps
        + LaneOps
        + ScheduleOps
        + ReadOps
        + TimerOps
        + ?Sized
{
}
