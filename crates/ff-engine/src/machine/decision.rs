//! The answer of a decision function.

use super::record::RunState;

/// What an accepted call does to a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<T> {
    /// The record's run state becomes `next`, and the caller is answered `outcome`.
    Apply {
        /// The new run state.
        next: Box<RunState>,
        /// The answer.
        outcome: T,
    },
    /// Nothing is written: the call was made before, or has nothing to do.
    Keep(T),
}

impl<T> Decision<T> {
    pub(crate) fn apply(next: RunState, outcome: T) -> Self {
        Self::Apply { next: Box::new(next), outcome }
    }

    /// The answer to the caller.
    pub fn outcome(&self) -> &T {
        match self {
            Self::Apply { outcome, .. } | Self::Keep(outcome) => outcome,
        }
    }
}
