//! What a sound record never is.

use ff_types::{BlockReason, ExecutionState};

use super::record::ExecutionRecord;

/// What contradicts itself in a record, a sentence each; none in a sound one. For the self-checks of
/// backends.
pub fn contradictions(record: &ExecutionRecord) -> Vec<String> {
    let run = &record.run;
    let active = run.state == ExecutionState::Active;
    let open = run.attempt.is_some_and(|attempt| attempt.open);
    let waiting = run.reasons.without(BlockReason::Delay).without(BlockReason::Hold);
    let rules = [
        (run.lease.is_some() == active, "a lease is held exactly while active"),
        (!active || open, "an active execution has an open attempt"),
        (run.state != ExecutionState::Ready || run.reasons.is_empty(), "ready means no reason"),
        (
            !matches!(run.state, ExecutionState::Blocked | ExecutionState::Delayed)
                || !run.reasons.is_empty(),
            "a blocked or delayed execution has a reason",
        ),
        (waiting.is_empty(), "only delay and hold are known reasons"),
        (
            run.reasons.contains(BlockReason::Delay) == run.delay_until.is_some(),
            "a delay has an end exactly while it is a reason",
        ),
        (run.state.is_terminal() == run.ended_at.is_some(), "an end has a time"),
        (!run.state.is_terminal() || (!open && run.grant.is_none()), "an end leaves nothing open"),
        (
            run.attempt.map_or(0, |attempt| u64::from(attempt.index.0) + 1) <= run.epoch.0,
            "every attempt had a lease of its own",
        ),
    ];
    rules
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, rule)| format!("{}: {rule}", record.submission.id()))
        .collect()
}
