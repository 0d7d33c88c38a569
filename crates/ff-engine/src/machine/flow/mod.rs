//! Flows: what the end of one member means for the others.
//!
//! A decision over a flow touches many records, so these functions do not answer what a record
//! becomes: they work on a store's tables through [`FlowTables`], within one transaction of it. Every
//! function checks before it writes.
//!
//! What follows from an end is done step by step in a fixed order, see [`propagate`]; the counters that
//! decide are kept with each node as [`Dependencies`].

mod cancel;
mod children;
mod contradictions;
mod dependencies;
mod extend;
mod propagate;
mod record;
mod submit;
mod tick;

pub use cancel::{CancelledFlow, cancel_flow};
pub use children::wait_children;
pub use contradictions::flow_contradictions;
pub use dependencies::{Dependencies, JoinDecision};
pub use extend::{extend_flow, extended_before};
pub use propagate::{FlowTables, execution_ended, member_reopened};
pub use record::{FlowMark, FlowRecord, FlowRun, Link, Links, Node};
pub use submit::{NewFlow, Starter, SubmitFlowDecision, submit_flow};
pub use tick::{FlowDue, flow_due, flow_tick};
