//! The wait for people who say yes or no.
//!
//! It is one waitpoint and one condition: enough distinct sources have answered. Which answers make
//! the decision is judged when the handler is called again.

use std::time::Duration;

use ff_engine::{Distinct, EngineError, ResumeReason, ResumeView, TimeoutBehavior};
use ff_types::backend::{ResumeSignal, WaitpointToken};
use ff_types::limits;

use super::{ClaimedTask, Wait, WaitOn};
use crate::task_error::TaskError;

/// The name of a signal that approves; [`Client::approve`](crate::Client::approve) sends it.
pub const APPROVE: &str = "approve";
/// The name of a signal that rejects; [`Client::reject`](crate::Client::reject) sends it.
pub const REJECT: &str = "reject";

const DAY: Duration = Duration::from_hours(24);
const DEADLINE_DEFAULT: Duration = Duration::from_hours(7 * 24);
/// The waitpoint outlives the deadline, so that a missed deadline is told as such.
const GRACE: Duration = DAY;

/// A question about to be asked; see [`ClaimedTask::approval`].
#[derive(Debug)]
#[must_use = "nobody is asked until `ask`"]
pub struct Approval<'t> {
    task: &'t ClaimedTask,
    key: String,
    sources: u32,
    deadline: Duration,
}

/// How a question was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// As many sources as were asked for, and all approve. The signals are in the order of their
    /// acceptance.
    Approved(Vec<ResumeSignal>),
    /// This source said something other than [`APPROVE`].
    Rejected(ResumeSignal),
    /// The deadline passed first.
    TimedOut,
    /// An operator ended the wait or closed its waitpoint.
    Withdrawn {
        /// Why, as the operator gave it.
        reason: String,
    },
}

impl Decision {
    /// The signals that approve.
    ///
    /// # Errors
    /// For every other decision one that ends the execution as cancelled and says why.
    pub fn approved(self) -> Result<Vec<ResumeSignal>, TaskError> {
        Err(TaskError::cancelled(match self {
            Self::Approved(signals) => return Ok(signals),
            Self::Rejected(signal) => {
                format!("rejected by {} {}", signal.source_type, signal.source_identity)
            }
            Self::TimedOut => "not approved in time".to_owned(),
            Self::Withdrawn { reason } => format!("the question was withdrawn: {reason}"),
        }))
    }

    /// What the end of a wait says about the question `key`; nothing if it was another wait.
    fn of(view: &ResumeView, key: &str) -> Option<Self> {
        if !view.waitpoints.iter().any(|waitpoint| waitpoint.as_str() == key) {
            return None;
        }
        match view.reason.as_ref()? {
            ResumeReason::Signals => {
                let other = view.signals.iter().find(|signal| signal.signal_name != APPROVE);
                Some(match other {
                    Some(signal) => Self::Rejected(signal.clone()),
                    None => Self::Approved(view.signals.clone()),
                })
            }
            ResumeReason::TimedOut => Some(Self::TimedOut),
            ResumeReason::Operator { reason } => Some(Self::Withdrawn { reason: reason.clone() }),
            _ => Some(Self::Withdrawn { reason: "its waitpoint was closed".to_owned() }),
        }
    }
}

impl ClaimedTask {
    /// Asks people whether to go on, and waits for them without holding anything.
    ///
    /// `key` names the question: 1..=64 of `[A-Za-z0-9_-]`. [`Approval::ask`] hands its token out
    /// and suspends; the handler is called again with the answer, from its first line.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ff_sdk::prelude::*;
    ///
    /// # async fn mail(_link: String) -> Result<(), std::io::Error> { Ok(()) }
    /// async fn deploy(task: ClaimedTask, version: String) -> Result<String, TaskError> {
    ///     let day = Duration::from_secs(24 * 3_600);
    ///     let question = task.approval("deploy").sources(2).deadline(day);
    ///     let decision = question.ask(async |token| mail(token.as_str().to_owned()).await).await?;
    ///     decision.approved()?;
    ///     Ok(format!("{version} is out"))
    /// }
    /// # let _ = deploy;
    /// ```
    ///
    /// # Which answers count
    /// Those sent by [`Client::approve`](crate::Client::approve) and
    /// [`Client::reject`](crate::Client::reject), and any other signal whose correlation id is
    /// `key`; one that is not named [`APPROVE`] is a rejection. Each source has one voice, the first
    /// that came; a source is a principal, or the token when the sender has no name. When
    /// `sources` of them have answered the wait is over, and one rejection among them decides.
    /// Until then a rejection is kept, and nothing happens; at the deadline it is as good as none.
    ///
    /// # Several waits
    /// The engine keeps what ended the latest wait, and of which waitpoints it was. A handler that
    /// waits twice asks each question in a [step](ClaimedTask::step), which keeps the answer, or it
    /// asks the first one anew.
    pub fn approval(&self, key: impl Into<String>) -> Approval<'_> {
        Approval { task: self, key: key.into(), sources: 1, deadline: DEADLINE_DEFAULT }
    }
}

impl Approval<'_> {
    /// How many distinct sources have to answer, 1..=64; 1 unless set.
    pub const fn sources(mut self, sources: u32) -> Self {
        self.sources = sources;
        self
    }

    /// How long to wait from the first asking on, retries included: at most 365 days, 7 unless set.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The decision, or an error that makes the handler wait for it: pass it on with `?`.
    ///
    /// `invite` is given the token when there is no decision yet, and hands it to those who are
    /// asked. It runs once, and again with the same token where an attempt ends before the wait
    /// begins. Asked again under the same key after a decision, it is another question with another
    /// token.
    ///
    /// # Errors
    /// A wait ([`TaskError::suspend`]), what went wrong in asking, or a number of sources that is out of
    /// bounds: then nobody is asked.
    pub async fn ask<F, Fut, E>(self, invite: F) -> Result<Decision, TaskError>
    where
        F: FnOnce(WaitpointToken) -> Fut + Send,
        Fut: Future<Output = Result<(), E>> + Send,
        E: Into<TaskError>,
    {
        let most = limits::SIGNALS_PER_WAITPOINT_MAX;
        if !(1..=most).contains(&(self.sources as usize)) {
            let problem = format!("must be within 1..={most}, is {}", self.sources);
            return Err(EngineError::validation("sources", problem).into());
        }
        let attempt = self.task.attempt.as_ref();
        if !attempt.latest_wait.is_answered() {
            let view = attempt.resume_view().await?;
            if let Some(decision) = Decision::of(&view, &self.key) {
                attempt.latest_wait.answer();
                return Ok(decision);
            }
        }
        let open_for = self.deadline.saturating_add(GRACE);
        let waitpoint = self.task.create_waitpoint(self.key.as_str()).expires_in(open_for).await?;
        invite(waitpoint.token()).await.map_err(Into::into)?;
        let left = waitpoint.expires_at.saturating_since(attempt.desk.clock.now());
        let left = left.saturating_sub(GRACE).min(self.deadline);
        let answers = WaitOn::from(&waitpoint).correlated(self.key);
        let wait = Wait::at_least(self.sources, Distinct::Sources, [answers]);
        Err(TaskError::suspend(wait.timeout(left, TimeoutBehavior::Resume)))
    }
}
