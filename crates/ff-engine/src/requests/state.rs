//! The state that an execution keeps for its next attempt.

use std::fmt;

use bytes::Bytes;
use ff_types::limits;
use serde::{Deserialize, Serialize};

use super::at_most;
use crate::error::EngineError;

/// What a handler keeps so that it knows, when it is called again, where it was: bytes that nothing
/// here reads, at most 64 KiB. Their `Debug` form shows the length only.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedState(pub Bytes);

impl SavedState {
    /// Keeps these bytes. The size is checked where they are saved.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Checks the size.
    pub fn validate(&self) -> Result<(), EngineError> {
        at_most("state", self.0.len(), limits::STATE_MAX_BYTES)
    }
}

impl fmt::Debug for SavedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Checks the state that a call brings along, if it does.
pub(crate) fn validate_state(state: Option<&SavedState>) -> Result<(), EngineError> {
    state.map_or(Ok(()), SavedState::validate)
}

#[cfg(test)]
mod tests {
    use ff_types::{Payload, StepName};

    use crate::requests::{DelayRequest, RecordStep, StepOutcome};

    #[test]
    fn what_outlives_an_attempt_shows_its_length() {
        let name = StepName::new("charge").unwrap();
        let step = RecordStep::new(name, Payload::new("canary"));
        let other = StepOutcome::AlreadyRecorded(step.result.clone());
        let pause = DelayRequest::now().with_state("canary");

        for shown in [format!("{pause:?}"), format!("{step:?}"), format!("{other:?}")] {
            assert!(shown.contains('6') && !shown.contains("canary"), "{shown}");
            assert!(!shown.contains("99, 97"), "{shown}");
        }
    }
}
