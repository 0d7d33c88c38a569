//! `progress`.

use std::sync::Arc;

use ff_types::TimestampMs;

use super::decision::Decision;
use super::fence_check::held;
use super::record::{ExecutionRecord, Progress};
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::ProgressRequest;

/// Decides a progress report.
///
/// # Errors
/// [`EngineError::State`] when the lease is not live; validation errors of the request.
pub fn progress(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &ProgressRequest,
    now: TimestampMs,
) -> Result<Decision<()>, EngineError> {
    request.validate()?;
    held(record, fence, now)?;
    let mut next = record.run.clone();
    let message = request.message.clone();
    next.progress = Some(Arc::new(Progress { percent: request.percent, message }));
    Ok(Decision::apply(next, ()))
}
