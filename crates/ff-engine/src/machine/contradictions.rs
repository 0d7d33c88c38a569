//! What a sound record never is.

use std::collections::BTreeSet;

use ff_types::{BlockReason, ExecutionState, limits};

use super::condition::satisfying;
use super::record::{ExecutionRecord, RunState};
use super::steps::results_len;
use super::waits::Waitpoint;
use crate::requests::WaitpointState;

/// What contradicts itself in a record, a sentence each; none in a sound one. For the self-checks of
/// backends.
pub fn contradictions(record: &ExecutionRecord) -> Vec<String> {
    let run = &record.run;
    let active = run.state == ExecutionState::Active;
    let open = run.attempt.is_some_and(|attempt| attempt.open);
    let edges = run.dependencies;
    let rules = [
        (run.lease.is_some() == active, "a lease is held exactly while active"),
        (
            !(active || waits(run.state)) || open,
            "an active or waiting execution has an open attempt",
        ),
        (run.state != ExecutionState::Ready || run.reasons.is_empty(), "ready means no reason"),
        (
            !matches!(run.state, ExecutionState::Blocked | ExecutionState::Delayed)
                || !run.reasons.is_empty(),
            "a blocked or delayed execution has a reason",
        ),
        (
            run.reasons.contains(BlockReason::Budget) == run.blocked_on.is_some(),
            "a budget is a reason exactly while it waits for one",
        ),
        (
            run.blocked_on.is_none_or(|budget| record.submission.budgets().contains(&budget)),
            "it waits for a budget of its own",
        ),
        (run.set_aside.is_none() || run.blocked_on.is_some(), "it is set aside while it waits"),
        (
            !run.state.is_terminal() || (run.reservation.is_none() && record.reports.is_none()),
            "an end leaves no reservation",
        ),
        (
            (run.state == ExecutionState::WaitingChildren) == run.waits_for.is_some(),
            "it waits for a child flow exactly in that state",
        ),
        (
            run.waits_for.is_none_or(|flow| run.has_child_flow(flow)),
            "it waits for a child flow of its own",
        ),
        (
            run.reasons.contains(BlockReason::Dependencies) == edges.is_undecided(),
            "dependencies are a reason exactly while the join is undecided",
        ),
        (
            edges.satisfied + edges.impossible <= edges.total && edges.failed <= edges.total,
            "an edge counts once",
        ),
        (
            !run.unhandled
                || run.state.outcome().is_some_and(ff_types::TerminalOutcome::is_failure),
            "only a failure is left to itself",
        ),
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
        .chain(of_waits(run))
        .chain(of_steps(run))
        .filter(|(holds, _)| !holds)
        .map(|(_, rule)| format!("{}: {rule}", record.submission.id()))
        .collect()
}

/// Whether an attempt is open in this state although nobody runs it.
const fn waits(state: ExecutionState) -> bool {
    matches!(state, ExecutionState::Suspended | ExecutionState::WaitingChildren)
}

/// What holds of the saved state and the recorded steps.
fn of_steps(run: &RunState) -> [(bool, &'static str); 4] {
    let steps = run.steps();
    let names: BTreeSet<_> = steps.iter().map(|step| &step.name).collect();
    let length = run.saved_state.as_ref().map_or(0, |state| state.0.len());
    [
        (length <= limits::STATE_MAX_BYTES, "a saved state is small"),
        (
            steps.len() <= limits::STEPS_MAX
                && names.len() == steps.len()
                && results_len(steps) <= limits::STEP_RESULTS_MAX_BYTES,
            "steps are few and small, each with a name of its own",
        ),
        (run.steps.is_none() || !steps.is_empty(), "what has no steps keeps none"),
        (
            !run.state.is_terminal() || (run.steps.is_none() && run.saved_state.is_none()),
            "an end leaves no state and no steps",
        ),
    ]
}

/// What holds of the waitpoints, their signals and the suspension.
fn of_waits(run: &RunState) -> [(bool, &'static str); 8] {
    let waits = run.waits();
    let all = &waits.waitpoints;
    let suspended = run.state == ExecutionState::Suspended;
    let ids: BTreeSet<_> = all.iter().map(|waitpoint| waitpoint.id).collect();
    let living = || all.iter().filter(|waitpoint| waitpoint.state != WaitpointState::Closed);
    let of_suspension = |waitpoint: &Waitpoint| {
        let suspension = waits.suspension.as_ref();
        suspension.is_some_and(|suspension| suspension.waitpoints.contains(&waitpoint.id))
    };
    let is_placed = |waitpoint: &Waitpoint| match waitpoint.state {
        WaitpointState::Pending => !of_suspension(waitpoint) && waitpoint.matcher.is_none(),
        WaitpointState::Active => of_suspension(waitpoint) && waitpoint.matcher.is_some(),
        WaitpointState::Closed => of_suspension(waitpoint) || waitpoint.kept.is_empty(),
    };
    let mut orders: Vec<_> =
        all.iter().flat_map(|waitpoint| waitpoint.kept.iter().map(|kept| kept.order)).collect();
    let count = orders.len();
    orders.sort_unstable();
    orders.dedup();
    [
        (suspended == waits.suspension.is_some(), "it waits exactly while suspended"),
        (!run.state.is_terminal() || living().next().is_none(), "an end closes every waitpoint"),
        (
            all.len() <= limits::WAITPOINTS_REMEMBERED_MAX && ids.len() == all.len(),
            "waitpoints are few, each with an id of its own",
        ),
        (
            all.iter().all(|waitpoint| waitpoint.kept.len() <= limits::SIGNALS_PER_WAITPOINT_MAX),
            "a waitpoint keeps few signals",
        ),
        (all.iter().all(is_placed), "a waitpoint is in the state that its place implies"),
        (
            orders.len() == count && orders.last().is_none_or(|last| *last < waits.accepted),
            "signals have an order",
        ),
        (!suspended || satisfying(waits).is_none(), "a satisfied wait is over"),
        (
            run.state != ExecutionState::Suspended
                || (run.reasons.without(BlockReason::Hold).is_empty() && run.grant.is_none()),
            "a suspended execution is kept by nothing but a hold beside its wait",
        ),
    ]
}
