//! What must hold after every step of every history, on every backend.

use ff_engine::machine::lifecycle::{Move, Verb};
use ff_engine::{BudgetView, ExecutionView, LaneView, ScheduleView};
use ff_types::{BlockReason, ExecutionId, ExecutionState, FlowId, TimestampMs};

use super::lanes;
use super::moves::moved;
use super::recurring;
use super::spending;
use super::world::{Step, World};
use crate::flows::Seen;

/// Everything that can be described at one moment.
#[derive(Debug, PartialEq)]
pub(super) struct Views {
    executions: Vec<(ExecutionId, Option<ExecutionView>)>,
    flows: Vec<(FlowId, Option<Seen>)>,
    budgets: Vec<BudgetView>,
    lanes: Vec<LaneView>,
    schedules: Vec<ScheduleView>,
}

impl Views {
    pub(super) async fn of(world: &World, schedules: Vec<ScheduleView>) -> Result<Self, String> {
        let (executions, flows) = (world.views().await, world.flow_views().await?);
        let (budgets, lanes) = (world.budget_views().await?, world.lane_views().await?);
        Ok(Self { executions, flows, budgets, lanes, schedules })
    }

    pub(super) const fn flows(&self) -> &Vec<(FlowId, Option<Seen>)> {
        &self.flows
    }

    fn execution(&self, id: ExecutionId) -> Option<&ExecutionView> {
        self.executions.iter().find(|(other, _)| *other == id).and_then(|(_, view)| view.as_ref())
    }

    fn flow(&self, id: FlowId) -> Option<&Seen> {
        self.flows.iter().find(|(other, _)| *other == id).and_then(|(_, seen)| seen.as_ref())
    }

    /// What an execution hangs on: what its flow does, or itself when it belongs to none.
    fn root(&self, id: ExecutionId) -> Root {
        self.flow_of(id).map_or(Root::Execution(id), |flow| self.root_of_flow(flow))
    }

    /// What a flow hangs on: what the execution does that started it, or itself when none did.
    fn root_of_flow(&self, id: FlowId) -> Root {
        let parent = self.flow(id).and_then(|seen| seen.view.parent);
        parent.map_or(Root::Flow(id), |parent| self.root(parent))
    }

    fn flow_of(&self, id: ExecutionId) -> Option<FlowId> {
        self.execution(id).and_then(|view| view.node.as_ref()).map(|(flow, _)| *flow)
    }
}

/// What a family of flows and executions hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Flow(FlowId),
    Execution(ExecutionId),
}

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
    for (id, view) in &after.executions {
        let earlier = before.execution(*id);
        faults.extend(view.iter().flat_map(one));
        if step.refused && earlier != view.as_ref() {
            faults.push(format!("{id}: a refused call changed it"));
        }
        let flow = before.flow_of(*id).or_else(|| after.flow_of(*id));
        let is_related = [before, after].into_iter().any(|views| {
            let about = step.flow.map(|flow| views.root_of_flow(flow));
            about.or_else(|| step.about.map(|about| views.root(about))) == Some(views.root(*id))
        });
        let is_other = step.about.is_some_and(|about| about != *id)
            || step.about.is_none() && step.flow.is_some();
        if is_other && !is_related && earlier != view.as_ref() {
            faults.push(format!("{id}: a call about another execution changed it"));
        }
        let (from, to) = (earlier.map(|v| v.state), view.as_ref().map(|v| v.state));
        // A schedule may submit an execution, and cancel the one before, in the step that is a tick.
        let recurs = view.as_ref().is_some_and(|view| view.occurrence.is_some());
        let by_schedule = recurs && step.verb == Some(Verb::Tick);
        if from != to && !(recurs && from.is_none()) {
            let own = step.verb.filter(|_| step.about.is_none_or(|about| about == *id));
            let own = own.into_iter().chain(by_schedule.then_some(Verb::CancelExecution));
            let own = own.collect::<Vec<_>>();
            let waits = from == Some(ExecutionState::WaitingChildren);
            let by_flow = (flow.is_some() || waits) && step.about != Some(*id);
            let by_flow = by_flow.then_some(Verb::Promote);
            match moved(from, to, &own, by_flow) {
                Some(made) => moves.extend(made),
                None => faults.push(format!("{id}: {:?} moved {from:?} to {to:?}", step.verb)),
            }
        }
        if let (Some(earlier), Some(view)) = (earlier, view) {
            faults.extend(both(earlier, view, step, now));
            let cancelled = flow.and_then(|flow| before.flow(flow));
            let cancelled = cancelled.is_some_and(|seen| seen.view.cancel.is_some());
            if cancelled && attempts(view) > attempts(earlier) {
                faults.push(format!("{id}: an attempt started in a cancelled flow"));
            }
        }
    }
    for view in &after.budgets {
        let earlier = before.budgets.iter().find(|earlier| earlier.budget_id == view.budget_id);
        let executions = after.executions.iter().filter_map(|(_, view)| view.as_ref());
        faults.extend(spending::faults(earlier, view, executions));
    }
    for view in &after.lanes {
        let earlier = before.lanes.iter().find(|earlier| earlier.lane == view.lane);
        let executions = after.executions.iter().filter_map(|(_, view)| view.as_ref());
        faults.extend(lanes::faults(earlier, view, executions));
    }

    for view in &after.schedules {
        let id = view.schedule_id;
        let earlier = before.schedules.iter().find(|earlier| earlier.schedule_id == id);
        faults.extend(recurring::faults(earlier, view));
    }
    for (id, seen) in &after.flows {
        let found = seen.iter().flat_map(Seen::faults).chain(flow(*id, before, after, step));
        faults.extend(found.map(|fault| format!("flow {id}: {fault}")));
    }
    (faults, moves)
}

/// What holds of a flow between two moments with one step between them.
fn flow(id: FlowId, before: &Views, after: &Views, step: &Step) -> Vec<String> {
    let (earlier, seen) = (before.flow(id), after.flow(id));
    let members = after.executions.iter().filter(|(member, _)| {
        after.flow_of(*member) == Some(id) || before.flow_of(*member) == Some(id)
    });
    let mut members = members.map(|(_, view)| view.is_some());
    let mut holds =
        vec![(members.all(|there| there == seen.is_some()), "members come and go with it")];
    if let (Some(earlier), Some(seen)) = (earlier, seen) {
        let (was, is) = (&earlier.view, &seen.view);
        let ended = was.summary.state.is_terminal();
        let extended = step.verb == Some(Verb::ExtendFlow) && step.flow == Some(id);
        let grown = seen.nodes.len() > earlier.nodes.len() || is.edges > was.edges;
        holds.extend([
            (
                !ended || was.summary == is.summary || step.verb == Some(Verb::Replay),
                "an end is left by replay only",
            ),
            (
                is.revision == was.revision + u64::from(grown) && (!grown || extended),
                "it grows by an extension only, and its revision with it",
            ),
            (
                was.cancel.is_none()
                    || (ended && step.verb == Some(Verb::Replay) && is.cancel.is_none())
                    || was.cancel.as_ref().is_some_and(|was| {
                        is.cancel.as_ref().is_some_and(|is| {
                            (is.cause, &is.reason, is.requested_at)
                                == (was.cause, &was.reason, was.requested_at)
                        })
                    }),
                "a cancellation stays until a replay",
            ),
        ]);
    }
    holds.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| rule.to_owned()).collect()
}

fn attempts(view: &ExecutionView) -> u64 {
    view.attempt.as_ref().map_or(0, |attempt| u64::from(attempt.index.0) + 1)
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
        (
            view.reasons.contains(BlockReason::Budget) == view.blocked_on.is_some(),
            "a budget is a reason exactly while it waits for one",
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
    let leased = earlier.lease.is_none() && view.lease.is_some();
    let issues = matches!(step.verb, Some(Verb::Claim | Verb::ClaimFromReclaim));
    let ended = earlier.state.is_terminal() && view.state.is_terminal();
    let by_holder = matches!(
        step.verb,
        Some(
            Verb::Complete
                | Verb::Fail
                | Verb::Cancel
                | Verb::Delay
                | Verb::Suspend
                | Verb::WaitChildren
        )
    );
    let was_live = earlier.lease.is_some_and(|lease| lease.expires_at > now);
    let own = step.about.is_none_or(|about| about == view.execution_id);
    let changed = own && earlier != view;
    let fired = view.node.as_ref().is_none_or(|(_, node)| node.dependencies.is_fired());
    let reasons = earlier.reasons.without(BlockReason::Dependencies);
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
        (!leased || (fired && reasons.is_empty()), "it was handed out with a reason left"),
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
