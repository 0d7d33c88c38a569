//! `save_state`: what the next attempt is to know.

use ff_types::TimestampMs;

use super::decision::Decision;
use super::fence_check::held;
use super::record::{ExecutionRecord, RunState};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{SavedState, validate_state};

/// Decides the saving of a state, or its removal.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for a state
/// over 64 KiB.
pub fn save_state(
    record: &ExecutionRecord,
    fence: &Fence,
    state: Option<&SavedState>,
    now: TimestampMs,
) -> Result<Decision<()>, EngineError> {
    validate_state(state)?;
    held(record, fence, now)?;
    if record.run.saved_state.as_ref() == state {
        return Ok(Decision::Keep(()));
    }
    let mut next = record.run.clone();
    next.saved_state = state.cloned();
    Ok(Decision::apply(next, ()))
}

impl RunState {
    /// Saves the state that a call brings along, if it does.
    pub(super) fn save_along(&mut self, state: Option<&SavedState>) {
        if let Some(state) = state {
            self.saved_state = Some(state.clone());
        }
    }
}
