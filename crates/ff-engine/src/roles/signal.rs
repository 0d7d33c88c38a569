//! What a sender of signals does.

use async_trait::async_trait;

use crate::error::EngineError;
use crate::requests::{DeliverSignal, SignalOutcome};

/// Signals waitpoints. Whoever bears a token may; nothing else is needed.
#[async_trait]
pub trait SignalOps: Send + Sync + 'static {
    /// Verifies the token, records the signal, evaluates the condition and resumes the execution,
    /// all in one step.
    ///
    /// # Behavior
    /// - The signal that completes the condition resumes the same attempt
    ///   `[signal.resumes_the_same_attempt]`, and a waiting claim gets it at once
    ///   `[signal.wakes_promptly]`. Of signals that race, one resumes
    ///   `[signal.one_of_many_resumes]`; of signal, timeout and cancel, one ends the wait
    ///   `[signal.one_of_all_ends_the_wait]`.
    /// - A signal counts for the waitpoint and the suspension it was made for, and never for a
    ///   later one `[signal.never_crosses_suspensions]`. What comes after the wait is over is an
    ///   outcome `[signal.late_is_closed]`.
    /// - A repeat under the same signal id gives the first outcome; another id under the same
    ///   idempotency key is a duplicate of the first `[signal.duplicates_count_once]`, also where
    ///   the waitpoint is full `[signal.duplicate_at_the_limit]`, and a thousand times over
    ///   `[signal.same_signal_many_times]`.
    /// - On an active waitpoint a signal is kept only if it matches: its name, its correlation id,
    ///   or anything, by the waitpoint's kind `[signal.matcher_decides]`.
    /// - Every field reaches the resumed attempt as it was sent, and the source as it was proven
    ///   `[signal.is_told_as_sent]`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a token that is wrong, expired or of another namespace,
    /// execution or waitpoint, and for a waitpoint that is not known, all alike, and nothing is
    /// written `[token.refusal_reveals_nothing]`. A token is good until its expiry, to the
    /// millisecond `[token.expires_at_the_boundary]`, in its own namespace only
    /// `[token.is_bound_to_its_namespace]`, and no mutation of it is
    /// `[token.mutations_are_refused]`. [`EngineError::LimitExceeded`] for what is
    /// too large, and for a signal more than the 64 that a waitpoint keeps
    /// `[signal.limits_are_enforced]`.
    async fn deliver_signal(&self, request: &DeliverSignal) -> Result<SignalOutcome, EngineError>;
}
