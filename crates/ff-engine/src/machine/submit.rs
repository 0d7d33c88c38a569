//! `submit`.

use std::sync::Arc;

use ff_types::{ExecutionState, LeaseEpoch, ReasonSet, TimestampMs};

use super::budget::BudgetTables;
use super::flow::Dependencies;
use super::lane::{LaneTables, admits};
use super::recent::Recent;
use super::record::{Entry, ExecutionRecord, RunState, state_of};
use crate::error::{ConflictKind, EngineError};
use crate::requests::{OnTerminal, Submission, Submitted};

/// What a submission does.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitDecision {
    /// Store this record, and let its idempotency key, if it has one, name it.
    Create(Box<ExecutionRecord>),
    /// Store nothing.
    Keep(Submitted),
}

/// The execution that an idempotency key names within its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHolder {
    /// Its id.
    pub id: ff_types::ExecutionId,
    /// Its state; `None` when its retention has passed.
    pub state: Option<ExecutionState>,
}

/// Decides a submission, given the record that already has its id, the holder of its key, and the budgets
/// and lanes.
///
/// # Errors
/// [`EngineError::Validation`], [`EngineError::LimitExceeded`], [`EngineError::Conflict`];
/// [`EngineError::NotFound`] for a budget; [`EngineError::LaneDraining`], [`EngineError::LaneFull`].
pub fn submit(
    submission: &Submission,
    same_id: Option<&ExecutionRecord>,
    key_holder: Option<KeyHolder>,
    tables: &(impl BudgetTables + LaneTables),
    now: TimestampMs,
) -> Result<SubmitDecision, EngineError> {
    submission.validate()?;
    let fingerprint = submission.fingerprint();
    if let Some(record) = same_id {
        if record.fingerprint == fingerprint {
            return Ok(SubmitDecision::Keep(Submitted::New(submission.id())));
        }
        let (kind, execution) = (ConflictKind::SubmissionId, submission.id());
        return Err(EngineError::Conflict { kind, execution });
    }
    if let (Some(holder), Some(idempotency)) = (key_holder, submission.idempotency()) {
        let ended = holder.state.is_none_or(ExecutionState::is_terminal);
        match idempotency.on_terminal {
            _ if holder.id == submission.id() => {
                return Ok(SubmitDecision::Keep(Submitted::New(holder.id)));
            }
            OnTerminal::Reject if ended => {
                let (kind, execution) = (ConflictKind::IdempotencyKey, holder.id);
                return Err(EngineError::Conflict { kind, execution });
            }
            OnTerminal::Reuse if ended => {}
            _ => return Ok(SubmitDecision::Keep(Submitted::Existing(holder.id))),
        }
    }
    let time_to_live_ms = takes_in(submission, tables)?;
    let mut record = Box::new(created(submission, fingerprint, now));
    record.run.time_to_live_ms = time_to_live_ms;
    Ok(SubmitDecision::Create(record))
}

/// Whether something new is taken in: its budgets are there, and its lane takes it. Answers for how long it may be
/// ready before its first attempt, in ms.
///
/// # Errors
/// [`EngineError::NotFound`] for a budget; [`EngineError::LaneDraining`], [`EngineError::LaneFull`].
pub fn takes_in(
    submission: &Submission,
    tables: &(impl BudgetTables + LaneTables),
) -> Result<Option<u64>, EngineError> {
    known_budgets(submission, tables)?;
    admits(tables, &submission.lane)
}

/// The execution of an occurrence of a schedule, whose id is free: the work was checked when the schedule was
/// made.
pub(super) fn scheduled(
    submission: &Submission,
    fingerprint: u64,
    time_to_live_ms: Option<u64>,
    now: TimestampMs,
) -> Box<ExecutionRecord> {
    let mut record = Box::new(created(submission, fingerprint, now));
    record.run.time_to_live_ms = time_to_live_ms;
    record
}

/// Whether the budgets that a submission draws on are there.
pub(super) fn known_budgets(
    submission: &Submission,
    budgets: &impl BudgetTables,
) -> Result<(), EngineError> {
    let unknown = submission.budgets().iter().find(|id| budgets.budget(**id).is_none());
    unknown.map_or(Ok(()), |id| Err(EngineError::budget_not_found(*id)))
}

/// An execution that has never run.
pub(super) fn created(
    submission: &Submission,
    fingerprint: u64,
    now: TimestampMs,
) -> ExecutionRecord {
    let mut run = RunState {
        state: ExecutionState::Ready,
        reasons: ReasonSet::EMPTY,
        entry: Entry::Claim,
        ready_at: now,
        delay_until: None,
        deadline: submission.deadline,
        time_to_live_ms: None,
        attempt: None,
        epoch: LeaseEpoch::ZERO,
        lease: None,
        offered: None,
        ended_leases: Recent::default(),
        grant: None,
        retries: 0,
        reclaims: 0,
        cancel: None,
        progress: None,
        last_failure: None,
        waits: None,
        saved_state: None,
        steps: None,
        result: None,
        ended_at: None,
        child_flows: None,
        waits_for: None,
        dependencies: Dependencies::default(),
        unhandled: false,
        blocked_on: None,
        set_aside: None,
        reservation: None,
        usage: None,
        operator: Recent::default(),
    };
    if let Some(until) = submission.delay_until {
        run.ready_at = run.delay_to(until, now);
        run.state = state_of(run.reasons);
    }
    ExecutionRecord {
        submission: Arc::new(submission.clone()),
        fingerprint,
        submitted_at: now,
        node: None,
        flow_cancel: None,
        frames: None,
        summary: None,
        reports: None,
        run,
    }
}
