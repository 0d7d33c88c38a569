//! Budgets: what usage and reservations leave, who is handed out, and who has to wait.
//!
//! A budget counts by dimension what was reported (`used`) and what running attempts may still report
//! (`reserved`). An execution is handed out when its estimate fits beside both, and no other waits in front
//! of it; from then on a report takes from its reservation first. The reservation counts exactly while the
//! lease, or the token that leads to one, is held, so a store brings it along with these: see
//! [`BudgetRecord::follow`].
//!
//! Those that find no room stand in line, in the order of their places. One that needs more than there could be
//! if everything came back is set aside, so that it holds nobody up, until the limit is raised or usage starts
//! from nothing: the budget counts these in its `generation`.

mod admission;
mod line;
mod record;
mod usage;

pub(super) use admission::{Admission, admit, blocked, failed};
pub use line::{Look, look};
pub use record::{
    BudgetRecord, BudgetTables, adjust_budget, create_budget, held_reservation, moves_budgets,
};
pub use usage::{Reported, Reports, report_usage};
