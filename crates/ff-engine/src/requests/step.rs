//! Steps: parts of a task whose results outlive the attempt that computed them.

use ff_types::{AttemptIndex, Payload, StepName, TimestampMs, limits};
use serde::{Deserialize, Serialize};

use super::at_most;
use crate::error::EngineError;

/// Keeps the result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordStep {
    /// The name by which later attempts find it, unique within the execution.
    pub name: StepName,
    /// What the step gave; at most 256 KiB.
    pub result: Payload,
}

impl RecordStep {
    /// The result of the step of this name.
    pub const fn new(name: StepName, result: Payload) -> Self {
        Self { name, result }
    }

    /// Checks the size of the result.
    pub fn validate(&self) -> Result<(), EngineError> {
        at_most("result", self.result.len(), limits::STEP_RESULT_MAX_BYTES)
    }
}

/// What became of recording a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOutcome {
    /// The result that was given stands, by this call or by an earlier one with the same result.
    Recorded,
    /// Another result was recorded first, and stands.
    AlreadyRecorded(Payload),
}

/// A recorded step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepView {
    /// Its name.
    pub name: StepName,
    /// What it gave.
    pub result: Payload,
    /// The attempt that recorded it.
    pub attempt: AttemptIndex,
    /// When, by the store's clock.
    pub recorded_at: TimestampMs,
}

impl StepView {
    /// A step of these parts. For backends.
    pub const fn new(
        name: StepName,
        result: Payload,
        attempt: AttemptIndex,
        recorded_at: TimestampMs,
    ) -> Self {
        Self { name, result, attempt, recorded_at }
    }
}
