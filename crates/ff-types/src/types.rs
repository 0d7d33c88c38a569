//! Validated names and numbers.
//!
//! Names are checked once, where they enter; whoever holds one may rely on its shape. They are
//! cheap to clone. Ids have their own module, [`crate::ids`].

mod name;
mod number;
mod tags;

pub use name::{
    IdempotencyKey, LaneId, LaneKey, Namespace, NodeKey, StepName, TaskKind, WaitpointKey,
};
pub use number::{AttemptIndex, LeaseEpoch, TimestampMs};
pub use tags::Tags;
