//! The running summary, as a handler keeps it up to date.

use bytes::Bytes;
use ff_engine::{EngineError, ReadStream, SummaryOutcome, SummaryView, UpdateSummary};
use serde::Serialize;
use tokio::sync::Mutex;

use super::ClaimedTask;
use crate::json;
use crate::merge_patch::merge;

/// How often an update starts anew from what another one has left.
const TRIES: usize = 8;

/// The summary as this process knows it: not at all, or the version and the document that stand.
#[derive(Default)]
pub(crate) struct Summary(Mutex<Option<Stands>>);

type Stands = (u64, Option<Bytes>);

fn stands(view: Option<SummaryView>) -> Stands {
    view.map_or((0, None), |view| (view.version, Some(view.document)))
}

impl ClaimedTask {
    /// Brings the running summary of the execution up to date, and answers its version.
    ///
    /// The patch is one after [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396): its members replace those
    /// of the summary, `null` removes one, and objects are merged. Everything else stays as it was written,
    /// numbers digit for digit. The summary is one JSON document of at most 64 KiB, which stays over
    /// attempts, and is read with [`Client::summary`](crate::Client::summary) or followed beside the
    /// frames.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a patch that is no JSON, or too deep;
    /// [`EngineError::LimitExceeded`] for a summary over 64 KiB; [`EngineError::State`] when the lease is
    /// over.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    /// use serde_json::json;
    ///
    /// async fn import(task: ClaimedTask, files: Vec<String>) -> Result<(), TaskError> {
    ///     task.update_summary(&json!({ "total": files.len(), "done": 0 })).await?;
    ///     for (done, file) in (1..).zip(&files) {
    ///         task.update_summary(&json!({ "done": done, "latest": { "file": file } })).await?;
    ///     }
    ///     task.update_summary(&json!({ "latest": null })).await?;
    ///     Ok(())
    /// }
    /// # let _ = import;
    /// ```
    pub async fn update_summary<T: Serialize + ?Sized>(
        &self,
        patch: &T,
    ) -> Result<u64, EngineError> {
        let invalid = |problem: String| EngineError::validation("patch", problem);
        let patch = json::bytes_of(patch).map_err(invalid)?;
        let patch = std::str::from_utf8(&patch).map_err(|error| invalid(error.to_string()))?;
        let attempt = &self.attempt;
        let mut known = attempt.summary.0.lock().await;
        let (mut version, mut document) = if let Some(known) = known.take() {
            known
        } else {
            let request = ReadStream::new(self.execution_id()).with_limit(1).with_summary_after(0);
            stands(attempt.ask(|| attempt.desk.backend.read_stream(&request)).await?.summary)
        };
        for _ in 0..TRIES {
            let text = document.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
            let request = UpdateSummary::new(version, merge(text, patch).map_err(invalid)?);
            let call = || attempt.desk.backend.update_summary(&attempt.task.handle, &request);
            match attempt.ask(call).await? {
                SummaryOutcome::Updated { version } => {
                    *known = Some((version, Some(request.document.clone())));
                    return Ok(version);
                }
                SummaryOutcome::Stands(other) => (version, document) = stands(other),
                _ => break,
            }
        }
        Err(EngineError::Contention { operation: "update_summary" })
    }
}
