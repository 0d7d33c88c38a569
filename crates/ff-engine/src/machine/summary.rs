//! The running summary: compared by its version, and replaced.

use ff_types::TimestampMs;

use super::fence_check::held;
use super::record::ExecutionRecord;
use crate::error::EngineError;
use crate::fence::Fence;
use crate::requests::{SummaryOutcome, SummaryView, UpdateSummary};

/// Decides an update: the summary that is to be stored, if one is, and the answer.
///
/// # Errors
/// [`EngineError::LimitExceeded`] for a document over 64 KiB; [`EngineError::State`] when the lease is not
/// live.
pub fn update_summary(
    record: &ExecutionRecord,
    fence: &Fence,
    request: &UpdateSummary,
    now: TimestampMs,
) -> Result<(Option<Box<SummaryView>>, SummaryOutcome), EngineError> {
    request.validate()?;
    let attempt = held(record, fence, now)?.attempt;
    let stands = record.summary.as_deref();
    let version = stands.map_or(0, |summary| summary.version);
    let next = request.expected_version.saturating_add(1);
    if version == request.expected_version {
        let summary = SummaryView::new(next, attempt, now, request.document.clone());
        return Ok((Some(Box::new(summary)), SummaryOutcome::Updated { version: next }));
    }
    let is_repeat = stands.is_some_and(|summary| {
        summary.version == next
            && summary.attempt == attempt
            && summary.document == request.document
    });
    let outcome = if is_repeat {
        SummaryOutcome::Updated { version }
    } else {
        SummaryOutcome::Stands(stands.cloned())
    };
    Ok((None, outcome))
}
