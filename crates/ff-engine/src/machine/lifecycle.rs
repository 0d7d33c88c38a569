//! The lifecycle as data: which verb may move an execution from which state to which.
//!
//! Only moves between different states are listed. `None` stands for an execution that does not
//! exist. The decision functions are the only authors of moves; the conformance suite asserts that
//! every move a backend makes is listed here, and that every row is made.

use ff_types::ExecutionState::{
    self, Active, Blocked, Cancelled, Completed, Delayed, Expired, Failed, Ready, Skipped,
    Suspended, WaitingChildren,
};

/// A verb that can move an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the verb of the same name")]
#[non_exhaustive]
pub enum Verb {
    Submit,
    SubmitFlow,
    ExtendFlow,
    CancelFlow,
    /// Not a call: what the end, or the replay, of another member of its flow does to an execution.
    Promote,
    Claim,
    Reclaimable,
    ClaimFromReclaim,
    Complete,
    Fail,
    Cancel,
    Delay,
    Suspend,
    WaitChildren,
    DeliverSignal,
    CancelExecution,
    Hold,
    ReleaseHold,
    Revoke,
    WithdrawWaitpoint,
    ResumeExecution,
    Replay,
    Tick,
}

impl Verb {
    /// The verb as it is spelled in the trait.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::SubmitFlow => "submit_flow",
            Self::ExtendFlow => "extend_flow",
            Self::CancelFlow => "cancel_flow",
            Self::Promote => "promote",
            Self::Claim => "claim",
            Self::Reclaimable => "reclaimable",
            Self::ClaimFromReclaim => "claim_from_reclaim",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Delay => "delay",
            Self::Suspend => "suspend",
            Self::WaitChildren => "wait_children",
            Self::DeliverSignal => "deliver_signal",
            Self::CancelExecution => "cancel_execution",
            Self::Hold => "hold",
            Self::ReleaseHold => "release_hold",
            Self::Revoke => "revoke",
            Self::WithdrawWaitpoint => "withdraw_waitpoint",
            Self::ResumeExecution => "resume_execution",
            Self::Replay => "replay",
            Self::Tick => "tick",
        }
    }
}

/// One legal move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// Before; `None` when it does not exist yet.
    pub from: Option<ExecutionState>,
    /// What moves it.
    pub verb: Verb,
    /// After; `None` when it is gone.
    pub to: Option<ExecutionState>,
}

const fn made(verb: Verb, to: ExecutionState) -> Move {
    Move { from: None, verb, to: Some(to) }
}

const fn row(from: ExecutionState, verb: Verb, to: ExecutionState) -> Move {
    Move { from: Some(from), verb, to: Some(to) }
}

const fn gone(from: ExecutionState) -> Move {
    Move { from: Some(from), verb: Verb::Tick, to: None }
}

/// Every legal move.
pub const MOVES: &[Move] = &[
    made(Verb::Submit, Ready),
    made(Verb::Submit, Delayed),
    made(Verb::SubmitFlow, Ready),
    made(Verb::SubmitFlow, Delayed),
    made(Verb::SubmitFlow, Blocked),
    made(Verb::ExtendFlow, Ready),
    made(Verb::ExtendFlow, Delayed),
    made(Verb::ExtendFlow, Blocked),
    row(Ready, Verb::ExtendFlow, Blocked),
    row(Delayed, Verb::ExtendFlow, Blocked),
    row(Blocked, Verb::Promote, Ready),
    row(Blocked, Verb::Promote, Delayed),
    row(Blocked, Verb::Promote, Skipped),
    row(Blocked, Verb::Promote, Cancelled),
    row(Ready, Verb::Promote, Cancelled),
    row(Delayed, Verb::Promote, Cancelled),
    row(Suspended, Verb::Promote, Cancelled),
    row(Ready, Verb::Promote, Blocked),
    row(Delayed, Verb::Promote, Blocked),
    row(Skipped, Verb::Promote, Blocked),
    row(Ready, Verb::CancelFlow, Cancelled),
    row(Delayed, Verb::CancelFlow, Cancelled),
    row(Blocked, Verb::CancelFlow, Cancelled),
    row(Suspended, Verb::CancelFlow, Cancelled),
    row(Ready, Verb::Claim, Cancelled),
    row(Ready, Verb::Reclaimable, Cancelled),
    row(Completed, Verb::Replay, Blocked),
    row(Failed, Verb::Replay, Blocked),
    row(Cancelled, Verb::Replay, Blocked),
    row(Expired, Verb::Replay, Blocked),
    row(Ready, Verb::Claim, Active),
    row(Ready, Verb::Claim, Expired),
    row(Ready, Verb::Claim, Blocked),
    row(Ready, Verb::Claim, Failed),
    row(Ready, Verb::Reclaimable, Expired),
    row(Ready, Verb::Reclaimable, Blocked),
    row(Ready, Verb::Reclaimable, Failed),
    row(Ready, Verb::ClaimFromReclaim, Active),
    row(Active, Verb::Complete, Completed),
    row(Active, Verb::Fail, Ready),
    row(Active, Verb::Fail, Delayed),
    row(Active, Verb::Fail, Blocked),
    row(Active, Verb::Fail, Failed),
    row(Active, Verb::Fail, Cancelled),
    row(Active, Verb::Cancel, Cancelled),
    row(Active, Verb::Delay, Ready),
    row(Active, Verb::Delay, Delayed),
    row(Active, Verb::Delay, Blocked),
    row(Active, Verb::Suspend, Suspended),
    row(Active, Verb::WaitChildren, WaitingChildren),
    row(WaitingChildren, Verb::Promote, Ready),
    row(WaitingChildren, Verb::Promote, Blocked),
    row(WaitingChildren, Verb::Promote, Cancelled),
    row(WaitingChildren, Verb::CancelFlow, Cancelled),
    row(WaitingChildren, Verb::CancelExecution, Cancelled),
    row(WaitingChildren, Verb::Tick, Expired),
    row(Suspended, Verb::DeliverSignal, Ready),
    row(Suspended, Verb::DeliverSignal, Blocked),
    row(Ready, Verb::CancelExecution, Cancelled),
    row(Delayed, Verb::CancelExecution, Cancelled),
    row(Blocked, Verb::CancelExecution, Cancelled),
    row(Suspended, Verb::CancelExecution, Cancelled),
    row(Ready, Verb::Hold, Blocked),
    row(Delayed, Verb::Hold, Blocked),
    row(Blocked, Verb::ReleaseHold, Ready),
    row(Blocked, Verb::ReleaseHold, Delayed),
    row(Active, Verb::Revoke, Ready),
    row(Active, Verb::Revoke, Blocked),
    row(Active, Verb::Revoke, Cancelled),
    row(Suspended, Verb::WithdrawWaitpoint, Ready),
    row(Suspended, Verb::WithdrawWaitpoint, Blocked),
    row(Suspended, Verb::WithdrawWaitpoint, Failed),
    row(Suspended, Verb::WithdrawWaitpoint, Cancelled),
    row(Suspended, Verb::WithdrawWaitpoint, Expired),
    row(Suspended, Verb::ResumeExecution, Ready),
    row(Suspended, Verb::ResumeExecution, Blocked),
    row(Completed, Verb::Replay, Ready),
    row(Failed, Verb::Replay, Ready),
    row(Cancelled, Verb::Replay, Ready),
    row(Expired, Verb::Replay, Ready),
    row(Delayed, Verb::Tick, Ready),
    row(Blocked, Verb::Tick, Ready),
    row(Ready, Verb::Tick, Expired),
    row(Delayed, Verb::Tick, Expired),
    row(Blocked, Verb::Tick, Expired),
    row(Active, Verb::Tick, Expired),
    row(Active, Verb::Tick, Ready),
    row(Active, Verb::Tick, Delayed),
    row(Active, Verb::Tick, Blocked),
    row(Active, Verb::Tick, Failed),
    row(Active, Verb::Tick, Cancelled),
    row(Suspended, Verb::Tick, Ready),
    row(Suspended, Verb::Tick, Blocked),
    row(Suspended, Verb::Tick, Failed),
    row(Suspended, Verb::Tick, Cancelled),
    row(Suspended, Verb::Tick, Expired),
    gone(Completed),
    gone(Failed),
    gone(Cancelled),
    gone(Expired),
    gone(Skipped),
];

/// Whether `verb` may make this move. Staying in a state is always legal.
pub fn allows(from: Option<ExecutionState>, verb: Verb, to: Option<ExecutionState>) -> bool {
    from == to || MOVES.contains(&Move { from, verb, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_left_only_by_replay_or_removal() {
        for row in MOVES.iter().filter(|row| row.from.is_some_and(ExecutionState::is_terminal)) {
            let reopens =
                row.verb == Verb::Replay || (row.from, row.verb) == (Some(Skipped), Verb::Promote);
            assert!(reopens || row.to.is_none(), "{row:?}");
        }
    }

    #[test]
    fn an_execution_starts_only_from_ready() {
        for row in MOVES.iter().filter(|row| row.to == Some(Active)) {
            assert_eq!(row.from, Some(Ready));
        }
    }
}
