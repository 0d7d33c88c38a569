//! What a handler has used.

use ff_engine::{EngineError, UsageOutcome};
use ff_types::backend::UsageDimensions;

use super::ClaimedTask;

impl ClaimedTask {
    /// Counts what the handler has used since its last report, in all budgets of the execution or in none.
    ///
    /// A report without a key is given one of its own, so that a repeat after a lost answer does not count
    /// twice. Give it one that says what was used, such as the name of a step, when a later attempt could
    /// report the same again.
    ///
    /// A report that would pass a hard limit is not counted, and says so. A handler that can go on later
    /// pauses then: while nothing is left of the budget its attempt is not resumed, and it goes on when the
    /// budget is raised or starts a new window.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ff_sdk::prelude::*;
    /// use ff_sdk::{UsageDimensions, UsageOutcome};
    ///
    /// async fn translate(task: ClaimedTask, pages: Vec<String>) -> Result<(), TaskError> {
    ///     for (number, page) in pages.iter().enumerate() {
    ///         let usage = UsageDimensions::new()
    ///             .with_output_tokens(page.len() as u64 / 4)
    ///             .with_dedup_key(format!("page {number}"));
    ///         if let UsageOutcome::HardBreach(breach) = task.report_usage(usage).await? {
    ///             task.log(format!("{breach}")).await?;
    ///             return Err(TaskError::pause(Duration::from_secs(60)));
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = translate;
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field;
    /// [`EngineError::State`] when the lease is over.
    pub async fn report_usage(&self, usage: UsageDimensions) -> Result<UsageOutcome, EngineError> {
        let attempt = &self.attempt;
        let usage = match usage.dedup_key {
            Some(_) => usage,
            None => usage.with_dedup_key(attempt.desk.ids.request_id().to_string()),
        };
        attempt.ask(|| attempt.desk.backend.report_usage(&attempt.task.handle, &usage)).await
    }
}
