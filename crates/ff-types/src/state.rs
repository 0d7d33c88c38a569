//! The states of an execution, how it ended, and what keeps it from running.

mod reasons;

pub use reasons::{BlockReason, ReasonSet};

use crate::text::text_enum;

text_enum! {
    /// Where an execution stands.
    pub enum ExecutionState as "state", "the name of an execution state" {
        /// Waits for a worker; nothing else keeps it from running.
        Ready = "ready",
        /// Waits for its time.
        Delayed = "delayed",
        /// Waits for dependencies, a budget or an operator.
        Blocked = "blocked",
        /// A worker holds its lease.
        Active = "active",
        /// Waits for signals; holds no lease.
        Suspended = "suspended",
        /// Waits for its child flow to end; holds no lease.
        WaitingChildren = "waiting_children",
        /// Ended with a result.
        Completed = "completed",
        /// Ended with a failure.
        Failed = "failed",
        /// Ended by a cancellation.
        Cancelled = "cancelled",
        /// Ended by its deadline.
        Expired = "expired",
        /// Ended without running, as its dependencies can no longer let it.
        Skipped = "skipped",
    }
}

impl ExecutionState {
    /// Every state, live ones first.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::Delayed,
        Self::Blocked,
        Self::Active,
        Self::Suspended,
        Self::WaitingChildren,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Skipped,
    ];

    /// Whether the execution has ended.
    pub const fn is_terminal(self) -> bool {
        self.outcome().is_some()
    }

    /// How the execution ended, if it has.
    pub const fn outcome(self) -> Option<TerminalOutcome> {
        match self {
            Self::Ready
            | Self::Delayed
            | Self::Blocked
            | Self::Active
            | Self::Suspended
            | Self::WaitingChildren => None,
            Self::Completed => Some(TerminalOutcome::Completed),
            Self::Failed => Some(TerminalOutcome::Failed),
            Self::Cancelled => Some(TerminalOutcome::Cancelled),
            Self::Expired => Some(TerminalOutcome::Expired),
            Self::Skipped => Some(TerminalOutcome::Skipped),
        }
    }
}

text_enum! {
    /// How an execution ended. Written once and spelt like the state it leads to.
    pub enum TerminalOutcome as "outcome", "the name of a terminal outcome" {
        /// With a result.
        Completed = "completed",
        /// With a failure.
        Failed = "failed",
        /// By a cancellation.
        Cancelled = "cancelled",
        /// By its deadline.
        Expired = "expired",
        /// Without running.
        Skipped = "skipped",
    }
}

impl TerminalOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::Failed, Self::Cancelled, Self::Expired, Self::Skipped];

    /// Whether an execution that was to run ended without a result.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// The state an execution with this outcome is in.
    pub const fn state(self) -> ExecutionState {
        match self {
            Self::Completed => ExecutionState::Completed,
            Self::Failed => ExecutionState::Failed,
            Self::Cancelled => ExecutionState::Cancelled,
            Self::Expired => ExecutionState::Expired,
            Self::Skipped => ExecutionState::Skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_exactly_the_terminal_states() {
        let terminal: Vec<_> =
            ExecutionState::ALL.into_iter().filter(|s| s.is_terminal()).collect();

        assert_eq!(terminal, TerminalOutcome::ALL.map(TerminalOutcome::state));
        for outcome in TerminalOutcome::ALL {
            assert_eq!(outcome.state().outcome(), Some(outcome));
            assert_eq!(outcome.state().as_str(), outcome.as_str());
        }
    }

    #[test]
    fn every_spelling_reads_back() {
        for state in ExecutionState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(serde_json::from_str::<ExecutionState>(&json).unwrap(), state);
        }
        assert_eq!(ExecutionState::WaitingChildren.as_str(), "waiting_children");
        assert_eq!("Ready".parse::<ExecutionState>().unwrap_err().field(), "state");
    }
}
