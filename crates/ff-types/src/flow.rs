//! The words of flows: what an edge asks for, when a node runs, and how a flow stands.

use serde::{Deserialize, Serialize};

use crate::state::TerminalOutcome;
use crate::text::text_enum;

text_enum! {
    /// Which end of a parent satisfies an edge. Every other end makes it impossible.
    #[derive(Default)]
    pub enum EdgeCondition as "edge_condition", "on_success, on_failure or always" {
        /// `Completed`.
        #[default]
        OnSuccess = "on_success",
        /// `Failed`, `Expired` or `Cancelled`: the parent gave no result although it was to run.
        OnFailure = "on_failure",
        /// Any end, `Skipped` included.
        Always = "always",
    }
}

impl EdgeCondition {
    /// Every condition.
    pub const ALL: [Self; 3] = [Self::OnSuccess, Self::OnFailure, Self::Always];

    /// Whether a parent that ended like this satisfies the edge.
    pub const fn is_met_by(self, outcome: TerminalOutcome) -> bool {
        match self {
            Self::OnSuccess => matches!(outcome, TerminalOutcome::Completed),
            Self::OnFailure => outcome.is_failure(),
            Self::Always => true,
        }
    }
}

/// How many edges of a node have to be satisfied before it runs. A node without edges runs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinPolicy {
    /// All of them.
    #[default]
    All,
    /// One of them.
    Any,
    /// This many of them, at least 1 and at most as many as there are.
    Quorum(u32),
}

text_enum! {
    /// What happens to the parents of a node that have not ended once it is decided whether the node
    /// runs.
    #[derive(Default)]
    pub enum JoinRest as "join_rest", "let_run or cancel_remaining" {
        /// They go on.
        #[default]
        LetRun = "let_run",
        /// They are cancelled, except those that another undecided node still needs.
        CancelRemaining = "cancel_remaining",
    }
}

text_enum! {
    /// What the failure of one node means for the others.
    #[derive(Default)]
    pub enum FlowPolicy as "flow_policy", "isolate or fail_fast" {
        /// Only what depends on it is skipped.
        #[default]
        Isolate = "isolate",
        /// The whole flow is cancelled, unless a node is there that may take the failure.
        FailFast = "fail_fast",
    }
}

text_enum! {
    /// Where a flow stands.
    pub enum FlowState as "flow_state", "open, completed, failed or cancelled" {
        /// Some of its nodes have not ended.
        Open = "open",
        /// All nodes have ended, and no failure was left to itself.
        Completed = "completed",
        /// All nodes have ended, and a failure was left to itself, or the flow failed as a whole.
        Failed = "failed",
        /// All nodes have ended, after somebody cancelled the flow.
        Cancelled = "cancelled",
    }
}

impl FlowState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Completed, Self::Failed, Self::Cancelled];

    /// How the flow ended, if it has.
    pub const fn outcome(self) -> Option<TerminalOutcome> {
        match self {
            Self::Open => None,
            Self::Completed => Some(TerminalOutcome::Completed),
            Self::Failed => Some(TerminalOutcome::Failed),
            Self::Cancelled => Some(TerminalOutcome::Cancelled),
        }
    }

    /// Whether the flow has ended.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_sort_the_outcomes() {
        use TerminalOutcome::{Cancelled, Completed, Expired, Failed, Skipped};

        let met = |condition: EdgeCondition| {
            TerminalOutcome::ALL.map(|outcome| condition.is_met_by(outcome))
        };
        assert_eq!(TerminalOutcome::ALL, [Completed, Failed, Cancelled, Expired, Skipped]);
        assert_eq!(met(EdgeCondition::OnSuccess), [true, false, false, false, false]);
        assert_eq!(met(EdgeCondition::OnFailure), [false, true, true, true, false]);
        assert_eq!(met(EdgeCondition::Always), [true; 5]);
    }

    #[test]
    fn spellings_read_back() {
        for condition in EdgeCondition::ALL {
            assert_eq!(condition.to_string().parse(), Ok(condition));
        }
        for state in FlowState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        for (join, json) in [
            (JoinPolicy::All, r#""all""#),
            (JoinPolicy::Any, r#""any""#),
            (JoinPolicy::Quorum(2), r#"{"quorum":2}"#),
        ] {
            assert_eq!(serde_json::to_string(&join).unwrap(), json);
            assert_eq!(serde_json::from_str::<JoinPolicy>(json).unwrap(), join);
        }
    }
}
