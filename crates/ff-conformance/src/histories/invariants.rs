//! What must hold after every step of every history, on every backend.

use ff_engine::ExecutionView;
use ff_engine::machine::lifecycle::{Move, Verb, allows};
use ff_types::{BlockReason, ExecutionId, ExecutionState, TimestampMs};

use super::world::Step;

type Views = [(ExecutionId, Option<ExecutionView>)];

/// The faults of one step, each in a sentence, and the moves it made.
pub(super) fn check(
    before: &Views,
    after: &Views,
    step: &Step,
    now: TimestampMs,
) -> (Vec<String>, Vec<Move>) {
    let mut faults = step.faults.clone();
    let mut moves = Vec::new();
    if let Some(first) = &step.first_answer {
        if *first != step.answer {
            faults.push(format!("a repeat answered {}, at first {first}", step.answer));
        }
        if before != after {
            faults.push("a repeat had an effect".to_owned());
        }
    }
    for (id, view) in after {
        let earlier = before.iter().find(|(other, _)| other == id).and_then(|(_, v)| v.as_ref());
        faults.extend(view.iter().flat_map(one));
        if step.refused && earlier != view.as_ref() {
            faults.push(format!("{id}: a refused call changed it"));
        }
        if step.about.is_some_and(|about| about != *id) && earlier != view.as_ref() {
            faults.push(format!("{id}: a call about another execution changed it"));
        }
        let (from, to) = (earlier.map(|v| v.state), view.as_ref().map(|v| v.state));
        if from != to {
            match step.verb {
                Some(verb) if allows(from, verb, to) => moves.push(Move { from, verb, to }),
                verb => faults.push(format!("{id}: {verb:?} moved {from:?} to {to:?}")),
            }
        }
        if let (Some(earlier), Some(view)) = (earlier, view) {
            faults.extend(both(earlier, view, step, now));
        }
    }
    (faults, moves)
}

/// What holds for an execution at any time.
fn one(view: &ExecutionView) -> Vec<String> {
    let state = view.state;
    let active = state == ExecutionState::Active;
    let open = view.attempt.as_ref().is_some_and(|attempt| attempt.open);
    let holds = [
        (view.lease.is_some() == active, "a lease is held exactly while it is active"),
        (!active || open, "an attempt is open while it is active"),
        (state != ExecutionState::Ready || view.reasons.is_empty(), "it is ready with a reason"),
        (
            !matches!(state, ExecutionState::Blocked | ExecutionState::Delayed)
                || !view.reasons.is_empty(),
            "it is blocked or delayed without a reason",
        ),
        (
            state != ExecutionState::Delayed || view.reasons.without(BlockReason::Delay).is_empty(),
            "it is delayed with more reasons than the delay",
        ),
        (
            view.suspension.is_some() == (state == ExecutionState::Suspended),
            "it waits for signals exactly while it is suspended",
        ),
        (
            state != ExecutionState::Suspended
                || (open && view.reasons.without(BlockReason::Hold).is_empty()),
            "a suspended attempt is open and kept by nothing else but a hold",
        ),
        (state.is_terminal() == view.ended_at.is_some(), "an end has a time"),
        (!(state.is_terminal() && open), "an attempt is open after the end"),
        (
            !state.is_terminal() || (view.steps == 0 && !view.has_state),
            "an end leaves no steps and no state",
        ),
        (
            view.result.is_none() || state == ExecutionState::Completed,
            "only a completed execution has a result",
        ),
        (view.retries <= view.policy.retry.max_retries, "retries pass their limit"),
        (view.reclaims <= view.policy.max_reclaims, "reclaims pass their limit"),
    ];
    let id = view.execution_id;
    holds.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| format!("{id}: {rule}")).collect()
}

/// What holds between two moments with one step between them.
fn both(
    earlier: &ExecutionView,
    view: &ExecutionView,
    step: &Step,
    now: TimestampMs,
) -> Vec<String> {
    let index = |view: &ExecutionView| view.attempt.as_ref().map(|attempt| attempt.index.0);
    let attempts = |view: &ExecutionView| index(view).map_or(0, |index| u64::from(index) + 1);
    let leased = earlier.lease.is_none() && view.lease.is_some();
    let issues = matches!(step.verb, Some(Verb::Claim | Verb::ClaimFromReclaim));
    let ended = earlier.state.is_terminal() && view.state.is_terminal();
    let by_holder = matches!(
        step.verb,
        Some(Verb::Complete | Verb::Fail | Verb::Cancel | Verb::Delay | Verb::Suspend)
    );
    let was_live = earlier.lease.is_some_and(|lease| lease.expires_at > now);
    let changed = earlier != view;
    let holds = [
        (
            view.epoch.0 == earlier.epoch.0 + u64::from(leased),
            "the epoch rises by one with every lease, and only then",
        ),
        (
            attempts(view) == attempts(earlier)
                || (attempts(view) == attempts(earlier) + 1 && leased),
            "attempts are dense, and start with a lease",
        ),
        (!leased || issues, "only a claim issues a lease"),
        (!leased || earlier.reasons.is_empty(), "it was handed out with a reason left"),
        (!ended || earlier.result == view.result, "a result changed after the end"),
        (view.steps >= earlier.steps || view.state.is_terminal(), "a step was lost before the end"),
        (!ended || earlier.ended_at == view.ended_at, "the end changed"),
        (!(by_holder && changed) || was_live, "a holder without a live lease changed it"),
        (
            !(step.by.is_some() && changed && !was_live),
            "a write under a lease that is over changed it",
        ),
    ];
    let id = view.execution_id;
    holds.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| format!("{id}: {rule}")).collect()
}
