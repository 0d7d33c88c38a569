//! `set_tags`.

use ff_types::Tags;

use super::record::{ExecutionRecord, OperatorMark, OperatorOutcome, RunState};
use crate::error::EngineError;
use crate::requests::{SetTags, at_most};

/// What a change of tags leaves: the tags, and the run state that remembers the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Retagged {
    /// The tags from then on.
    pub tags: Tags,
    /// The run state.
    pub run: RunState,
}

/// Decides a change of tags; `None` when the request was made before. The store puts the tags in place of those
/// of the submission, and brings along what it has by tag.
///
/// # Errors
/// Those of [`SetTags::validate`]; [`EngineError::LimitExceeded`] for more tags than there may be.
pub fn set_tags(
    record: &ExecutionRecord,
    request: &SetTags,
) -> Result<Option<Retagged>, EngineError> {
    request.validate()?;
    let own = |outcome| (outcome == OperatorOutcome::Tagged).then_some(());
    if record.run.done_by(request.request_id, own).is_some() {
        return Ok(None);
    }
    let kept = record.submission.tags.iter().filter(|(key, _)| !request.tags.contains_key(*key));
    let set =
        request.tags.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?)));
    let all: Vec<_> = kept.chain(set).collect();
    at_most("tags", all.len(), ff_types::limits::TAGS_MAX)?;
    let mut tags = Tags::new();
    for (key, value) in all {
        tags = tags.with(key, value)?;
    }
    let mut run = record.run.clone();
    let outcome = OperatorOutcome::Tagged;
    run.operator.push(OperatorMark { request_id: request.request_id, outcome });
    Ok(Some(Retagged { tags, run }))
}
