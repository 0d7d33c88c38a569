//! When a node runs: a count of its edges, and a decision that is made once.

use ff_types::{EdgeCondition, JoinPolicy, TerminalOutcome};
use serde::{Deserialize, Serialize};

/// How the edges into a node stand. What is neither satisfied nor impossible is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dependencies {
    /// How many edges it has.
    pub total: u32,
    /// How many are satisfied.
    pub satisfied: u32,
    /// How many cannot be satisfied any more.
    pub impossible: u32,
    /// Over how many a failure came that the node may take: see [`Dependencies::takes`].
    pub failed: u32,
    /// Whether it runs.
    pub decision: JoinDecision,
}

/// Whether a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinDecision {
    /// Its edges do not say yet.
    Open,
    /// They let it run.
    #[default]
    Fired,
    /// They cannot let it run any more.
    Skipped,
    /// It ended by other means before they said.
    Closed,
}

impl Dependencies {
    /// Counters of these values. For backends.
    pub const fn new(
        total: u32,
        satisfied: u32,
        impossible: u32,
        failed: u32,
        decision: JoinDecision,
    ) -> Self {
        Self { total, satisfied, impossible, failed, decision }
    }

    /// Of a node with this many edges, all open.
    pub const fn open_edges(total: u32) -> Self {
        let decision = if total == 0 { JoinDecision::Fired } else { JoinDecision::Open };
        Self::new(total, 0, 0, 0, decision)
    }

    /// How many edges are open.
    pub const fn open(self) -> u32 {
        self.total - self.satisfied - self.impossible
    }

    /// Whether its edges let it run.
    pub const fn is_fired(self) -> bool {
        matches!(self.decision, JoinDecision::Fired)
    }

    /// Whether it is not decided if it runs.
    pub const fn is_undecided(self) -> bool {
        matches!(self.decision, JoinDecision::Open)
    }

    /// Whether a failure that comes over such an edge into such a join may be taken: by a node that
    /// runs because of failures, or by a join that does not need every parent. A node that runs after
    /// any end takes nothing.
    pub const fn takes(join: JoinPolicy, condition: EdgeCondition) -> bool {
        match condition {
            EdgeCondition::OnFailure => true,
            EdgeCondition::OnSuccess => !matches!(join, JoinPolicy::All),
            EdgeCondition::Always => false,
        }
    }

    /// Counts the end of a parent.
    pub(super) const fn count(
        &mut self,
        join: JoinPolicy,
        condition: EdgeCondition,
        outcome: TerminalOutcome,
    ) {
        if condition.is_met_by(outcome) {
            self.satisfied += 1;
        } else {
            self.impossible += 1;
        }
        if outcome.is_failure() && Self::takes(join, condition) {
            self.failed += 1;
        }
    }

    /// Takes the end of a parent back.
    pub(super) const fn retract(
        &mut self,
        join: JoinPolicy,
        condition: EdgeCondition,
        outcome: TerminalOutcome,
    ) {
        if condition.is_met_by(outcome) {
            self.satisfied -= 1;
        } else {
            self.impossible -= 1;
        }
        if outcome.is_failure() && Self::takes(join, condition) {
            self.failed -= 1;
        }
    }

    /// What the counters say, whatever was decided.
    pub(super) const fn decided(self, join: JoinPolicy) -> JoinDecision {
        let needed = match join {
            JoinPolicy::All => self.total,
            JoinPolicy::Any => 1,
            JoinPolicy::Quorum(count) => count,
        };
        if self.total == 0 || self.satisfied >= needed {
            JoinDecision::Fired
        } else if self.total - self.impossible < needed {
            JoinDecision::Skipped
        } else {
            JoinDecision::Open
        }
    }

    /// Decides by the counters.
    pub(crate) const fn reopen(&mut self, join: JoinPolicy) {
        self.decision = self.decided(join);
    }

    /// The node has ended: what is not decided will not be.
    pub(crate) const fn close(&mut self) {
        if self.is_undecided() {
            self.decision = JoinDecision::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JOINS: [JoinPolicy; 5] = [
        JoinPolicy::All,
        JoinPolicy::Any,
        JoinPolicy::Quorum(1),
        JoinPolicy::Quorum(2),
        JoinPolicy::Quorum(3),
    ];

    fn edges() -> impl Strategy<Value = Vec<(EdgeCondition, TerminalOutcome)>> {
        let condition = proptest::sample::select(&EdgeCondition::ALL[..]);
        let outcome = proptest::sample::select(&TerminalOutcome::ALL[..]);
        prop::collection::vec((condition, outcome), 3..6)
    }

    /// The first decision that the counters give, one end after the other.
    fn first(join: JoinPolicy, edges: &[(EdgeCondition, TerminalOutcome)]) -> JoinDecision {
        let mut counted = Dependencies::open_edges(u32::try_from(edges.len()).unwrap());
        for (condition, outcome) in edges {
            counted.count(join, *condition, *outcome);
            let decision = counted.decided(join);
            if decision != JoinDecision::Open {
                return decision;
            }
        }
        JoinDecision::Open
    }

    proptest! {
        #[test]
        fn the_order_of_ends_decides_nothing(edges in edges(), turn in 0_usize..6) {
            for join in JOINS {
                let decision = first(join, &edges);
                let mut turned = edges.clone();
                turned.rotate_left(turn % edges.len());
                prop_assert_eq!(first(join, &turned), decision);
                turned.reverse();
                prop_assert_eq!(first(join, &turned), decision);
                prop_assert_ne!(decision, JoinDecision::Open);
            }
        }

        #[test]
        fn what_is_taken_back_was_never_counted(edges in edges()) {
            for join in JOINS {
                let before = Dependencies::open_edges(u32::try_from(edges.len()).unwrap());
                let mut counted = before;
                for (condition, outcome) in &edges {
                    counted.count(join, *condition, *outcome);
                }
                prop_assert_eq!(counted.open(), 0);
                for (condition, outcome) in &edges {
                    counted.retract(join, *condition, *outcome);
                }
                prop_assert_eq!(counted, before);
            }
        }
    }
}
