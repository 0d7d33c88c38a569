//! The verb that ends an attempt's lease until signals arrive.

use ff_types::backend::PendingWaitpoint;

use super::attempt::{Release, Released};
use super::{ClaimedTask, Refused, Settled, Wait};

/// What became of [`ClaimedTask::suspend`].
#[derive(Debug)]
#[must_use = "the attempt is settled only if it is suspended"]
pub enum Suspension {
    /// The attempt waits, and the handler is called again when the wait is over. Return the proof;
    /// the waitpoints, in the order of the wait, have the tokens of those it made.
    Suspended(Settled, Vec<PendingWaitpoint>),
    /// Signals that came before satisfy the wait: the lease is kept, and the task goes on.
    AlreadySatisfied(ClaimedTask),
}

impl ClaimedTask {
    /// Waits for signals: the lease and the slot are given back, and when the wait is over the
    /// handler is called again with the same attempt, from its first line.
    ///
    /// A typed handler answers [`TaskError::suspend`](crate::TaskError::suspend) instead. The call
    /// is repeated as the other verbs are that end an attempt, and gives the same tokens again.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn ship(mut task: ClaimedTask) -> Result<Settled, TaskError> {
    ///     if task.resumed().await?.reason.is_none() {
    ///         let payment = task.create_waitpoint("payment").await?;
    ///         // … give `payment.token()` to the payment provider …
    ///         task = match task.suspend(Wait::on(&payment)).await? {
    ///             Suspension::Suspended(settled, _) => return Ok(settled),
    ///             Suspension::AlreadySatisfied(task) => task,
    ///         };
    ///     }
    ///     let paid = task.resume_signals().await?;
    ///     Ok(task.complete_json(&format!("paid by {} signals", paid.len())).await?)
    /// }
    /// # let _ = ship;
    /// ```
    ///
    /// # Errors
    /// Those of the other verbs; [`ff_engine::EngineError::NotFound`] for a waitpoint that is not
    /// open any more, and a state error while a cancellation is pending. The task comes back.
    pub async fn suspend(self, wait: Wait) -> Result<Suspension, Refused> {
        let request = self.attempt.latest_wait.request(&wait, &self.attempt.desk.ids);
        let release = match request {
            Ok(request) => Release::Suspend(request),
            Err(error) => return Err(self.refused(error)),
        };
        match self.attempt.release(&release).await {
            Ok(Released::Ended(_, waitpoints)) => {
                Ok(Suspension::Suspended(Settled(()), waitpoints))
            }
            Ok(Released::AlreadySatisfied) => Ok(Suspension::AlreadySatisfied(self)),
            Err(error) => Err(self.refused(error)),
        }
    }
}
