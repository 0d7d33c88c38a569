//! Steps: the first result of each name stands, in whatever attempt.

use std::sync::Arc;

use ff_types::{TimestampMs, limits};

use super::decision::Decision;
use super::fence_check::held;
use super::record::{ExecutionRecord, RunState};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{RecordStep, StepOutcome, StepView, at_most};

/// Decides the recording of a step. A step that is recorded is found before any limit, so that a
/// repeat is never told that there is no room.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; [`EngineError::LimitExceeded`] for a result
/// over 256 KiB, for more than 256 steps, and for results of more than 4 MiB together.
pub fn record_step(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &RecordStep,
    now: TimestampMs,
) -> Result<Decision<StepOutcome>, EngineError> {
    request.validate()?;
    let attempt = held(record, fence, now)?.attempt;
    let steps = record.run.steps();
    if let Some(first) = steps.iter().find(|step| step.name == request.name) {
        return Ok(Decision::Keep(if first.result == request.result {
            StepOutcome::Recorded
        } else {
            StepOutcome::AlreadyRecorded(first.result.clone())
        }));
    }
    at_most("steps", steps.len() + 1, limits::STEPS_MAX)?;
    let bytes = results_len(steps) + request.result.len();
    at_most("step_results", bytes, limits::STEP_RESULTS_MAX_BYTES)?;
    let RecordStep { name, result } = request.clone();
    let mut next = record.run.clone();
    let steps = Arc::make_mut(next.steps.get_or_insert_default());
    steps.push(StepView::new(name, result, attempt, now));
    Ok(Decision::apply(next, StepOutcome::Recorded))
}

/// The recorded steps, in the order of their recording, for the holder of the live lease.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live.
pub fn steps(
    record: &ExecutionRecord,
    fence: &Fence,
    now: TimestampMs,
) -> Result<Vec<StepView>, EngineError> {
    held(record, fence, now)?;
    Ok(record.run.steps().to_vec())
}

/// How many bytes the results of these steps have.
pub(super) fn results_len(steps: &[StepView]) -> usize {
    steps.iter().map(|step| step.result.len()).sum()
}

impl RunState {
    /// Its recorded steps, in the order of their recording.
    pub fn steps(&self) -> &[StepView] {
        self.steps.as_deref().map_or(&[], Vec::as_slice)
    }
}
