//! Handing in work.

use async_trait::async_trait;

use crate::error::EngineError;
use crate::requests::{Submission, Submitted};

/// Makes work durable.
#[async_trait]
pub trait SubmitOps: Send + Sync + 'static {
    /// Stores an execution; once this returns, it runs or ends even if the client dies.
    ///
    /// # Behavior
    /// - A new execution is ready at once `[submit.creates_a_ready_execution]`, with the documented
    ///   defaults `[submit.defaults_are_documented]`.
    /// - With `delay_until` in the future it is `Delayed` and becomes ready then
    ///   `[submit.delayed_start]`; a time that has passed means now `[submit.past_delay_means_now]`.
    /// - A repeat of the same submission answers `New` with the same id and makes nothing, for as
    ///   long as the record is kept `[submit.repeat_is_harmless]`; the same id with other content
    ///   is a conflict `[submit.id_clash_is_a_conflict]`.
    /// - Within the window of an idempotency key, a second submission of the same kind gets the
    ///   first execution `[idempotency.second_submit_gets_the_first]`; another kind has keys of its
    ///   own `[idempotency.key_is_scoped_to_kind]`; after the window the key is free
    ///   `[idempotency.window_ends]`.
    /// - Once the first execution has ended, the submission's `on_terminal` decides between that
    ///   execution, a new one and a refusal `[idempotency.ended_execution_by_policy]`, also when its
    ///   record is gone before the window ends `[idempotency.key_outlives_the_record]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field and the limit
    /// `[submit.limits_are_enforced]`; [`EngineError::Conflict`].
    async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError>;

    /// Stores up to 1,000 executions, each with an outcome of its own, in the order given.
    ///
    /// # Behavior
    /// - One that is refused does not touch the others `[submit.batch_outcomes_are_independent]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a batch over 1,000, of which nothing is stored
    /// `[submit.batch_is_bounded]`.
    async fn submit_batch(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError>;
}
