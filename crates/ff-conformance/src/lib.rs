//! The behaviour suite of FlowFabric backends.
//!
//! A backend author writes a [`Harness`] of some twenty lines and hands it to [`main`]. Every rule
//! that the engine's documentation cites by name is a case here, and each case runs twice: against
//! the backend as it is, and behind a layer that loses requests and replies, repeats calls and
//! delays them. The suite knows no backend; it sees what any user of the seam sees, and beyond
//! that only what the harness's [`Inspect`] tells.

mod budgets;
pub mod canary;
pub mod case;
mod cases;
pub mod coverage;
mod expect;
pub mod faults;
pub mod fixture;
mod flows;
pub mod harness;
pub mod histories;
mod lanes;
mod layer;
pub mod runner;
mod schedules;
mod verbs;
mod waits;
mod ways;
pub mod witness;

pub use case::{Case, CaseError, CaseResult, cases};
pub use coverage::Coverage;
pub use faults::{FaultPlan, Faulty, Patient};
pub use fixture::Fixture;
pub use harness::{Harness, HarnessError, Inspect, Opened, TestClock};
pub use runner::{Options, Summary, main, main_against, run};
pub use witness::Witness;
