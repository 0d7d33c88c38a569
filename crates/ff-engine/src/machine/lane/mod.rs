//! Lanes: what an operator allows of the work that queues in them, and whose turn it is.
//!
//! What is over a limit stays ready, and in its queue: it is the claim that finds nothing. A claim that
//! becomes possible is an event: a lease ends, a limit is raised, a rate has room again. The last is a timer
//! of the lane, [`LaneRecord::look_at`].
//!
//! Executions with a key queue by key, and keys take turns; a key that is over its own limit stands
//! aside until it is not, so that a claim does not step over it again and again.

mod ageing;
mod queues;
mod rate;
mod record;
mod turns;

pub use queues::{Ask, LaneQueues, Pick, Place};
pub(super) use record::admits;
pub use record::{LaneRecord, LaneTables};
