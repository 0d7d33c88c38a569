//! Why an execution is not running: the predicates of the claim, in words.

use ff_types::backend::CapabilitySet;
use ff_types::{BlockReason, BudgetId, TimestampMs};

use super::placement::{Placement, Queue};
use super::record::ExecutionRecord;
use crate::requests::{ExplainReason, Explanation, LaneBarrier, WaitpointState};

/// Whether a worker that offers what is required could be handed this execution at `now`.
pub fn is_claimable(record: &ExecutionRecord, now: TimestampMs) -> bool {
    Placement::of(record).queue.is_some() && record.run.expires_at().is_none_or(|at| at > now)
}

/// Explains a record. `ahead` is how many ready executions of its requirement class stand in front
/// of it; it is asked for only when the execution is in the ready queue. `resets_at` is when a budget starts
/// from nothing, and asked for only when the execution waits for that. `barrier` is what keeps its lane from
/// handing it out, and asked for only when it is ready. `missing` is what nobody offers of what it requires,
/// when no live worker of the lane offers all of it, and asked for only when nothing else is in the way.
pub fn explain(
    record: &ExecutionRecord,
    ahead: impl FnOnce() -> u32,
    resets_at: impl FnOnce(BudgetId) -> Option<TimestampMs>,
    barrier: impl FnOnce() -> Option<LaneBarrier>,
    missing: impl FnOnce() -> Option<CapabilitySet>,
    now: TimestampMs,
) -> Explanation {
    let run = &record.run;
    let placement = Placement::of(record);
    let (reason, clears_at) = if let Some(outcome) = run.state.outcome() {
        (ExplainReason::Ended(outcome), None)
    } else if run.expires_at().is_some_and(|at| at <= now) {
        (ExplainReason::AwaitingMaintenance, placement.due)
    } else if let Some(lease) = run.lease {
        if lease.expires_at <= now {
            (ExplainReason::AwaitingMaintenance, placement.due)
        } else {
            let (worker, instance) = (lease.worker, lease.instance);
            (ExplainReason::Running { worker, instance }, None)
        }
    } else if let Some(suspension) = &run.waits().suspension {
        if placement.due.is_some_and(|at| at <= now) {
            (ExplainReason::AwaitingMaintenance, placement.due)
        } else {
            let open = run.waits().waitpoints.iter();
            let open = open.filter(|waitpoint| waitpoint.state == WaitpointState::Active);
            let waitpoints = u32::try_from(open.count()).unwrap_or(u32::MAX);
            (ExplainReason::Suspended { waitpoints }, suspension.timeout_at)
        }
    } else if let Some(flow_id) = run.waits_for {
        (ExplainReason::AwaitingChildFlow { flow_id }, None)
    } else if run.reasons.contains(BlockReason::Hold) {
        (ExplainReason::Held, None)
    } else if run.reasons.contains(BlockReason::Dependencies) {
        let (open, total) = (run.dependencies.open(), run.dependencies.total);
        (ExplainReason::AwaitingParents { open, total }, None)
    } else if let Some(budget_id) = run.blocked_on {
        let used_up = run.set_aside.is_some();
        (ExplainReason::AwaitingBudget { budget_id, used_up }, resets_at(budget_id))
    } else if run.reasons.contains(BlockReason::Delay) {
        match run.delay_until {
            Some(until) if until <= now => (ExplainReason::AwaitingMaintenance, placement.due),
            until => (ExplainReason::Delayed, until),
        }
    } else if let Some(grant) = run.grant {
        if grant.expires_at <= now {
            (ExplainReason::AwaitingMaintenance, placement.due)
        } else {
            (ExplainReason::TokenOutstanding, Some(grant.expires_at))
        }
    } else {
        let (lane, requires) =
            (record.submission.lane.clone(), record.submission.capabilities.clone());
        match placement.queue {
            _ if let Some(barrier) = barrier() => {
                (ExplainReason::LaneClosed { lane, barrier }, barrier.clears_at())
            }
            _ if let Some(missing) = missing() => {
                (ExplainReason::NoCapableWorker { lane, requires, missing }, None)
            }
            Some((Queue::Reclaim, _)) => (ExplainReason::AwaitingReclaim { lane, requires }, None),
            _ => (ExplainReason::Queued { lane, requires, ahead: ahead() }, None),
        }
    };
    Explanation::new(run.state, reason, clears_at)
}
