//! What is stored of a schedule.

use std::sync::Arc;

use ff_types::{ExecutionId, RequestId, ScheduleId, Tags, TimestampMs, limits};

use crate::machine::Recent;
use crate::requests::{
    Occurrence, RefusedOccurrence, ScheduleCounts, SchedulePause, ScheduleSpec, ScheduleState,
    ScheduleView, ScheduledRun,
};

/// One schedule as a backend stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRecord {
    /// The id.
    pub id: ScheduleId,
    /// What it says now.
    pub spec: Arc<ScheduleSpec>,
    /// Labels.
    pub tags: Tags,
    /// Digest of the request that made it; tells a repeat from a clash of ids.
    pub fingerprint: u64,
    /// When it was made, by the store's clock.
    pub created_at: TimestampMs,
    /// Counts decisions over it, so that one that was made over an earlier state is not carried out.
    pub version: u64,
    /// Set exactly while it is paused.
    pub paused: Option<SchedulePause>,
    /// All occurrences up to this instant, and at it, are decided.
    pub through: TimestampMs,
    /// The first occurrence behind `through`; none while it is paused.
    pub next: Option<TimestampMs>,
    /// When it has to be looked at.
    pub due: Option<TimestampMs>,
    /// The occurrence that waits for the end of `before`.
    pub waiting: Option<TimestampMs>,
    /// The latest execution that it submitted by itself.
    pub before: Option<ExecutionId>,
    /// The latest occurrences that it submitted by itself, latest first.
    pub latest: Vec<ScheduledRun>,
    /// What became of its occurrences.
    pub counts: ScheduleCounts,
    /// The latest refusal.
    pub refused: Option<RefusedOccurrence>,
    /// The latest requests that changed it.
    pub marks: Recent<RequestId>,
}

impl ScheduleRecord {
    /// An occurrence of it.
    pub const fn occurrence(&self, at: TimestampMs) -> Occurrence {
        Occurrence::new(self.id, at)
    }

    /// When an occurrence is submitted: then, and put off by its jitter.
    pub fn due_of(&self, at: TimestampMs) -> TimestampMs {
        at.saturating_add(self.spec.jitter_of(self.occurrence(at)))
    }

    /// The view of it.
    pub fn view(&self) -> ScheduleView {
        let state = match (&self.paused, self.next.or(self.waiting)) {
            (Some(_), _) => ScheduleState::Paused,
            (None, Some(_)) => ScheduleState::Active,
            (None, None) => ScheduleState::Ended,
        };
        ScheduleView {
            schedule_id: self.id,
            spec: self.spec.as_ref().clone(),
            tags: self.tags.clone(),
            created_at: self.created_at,
            state,
            paused: self.paused.clone(),
            next_at: self.next,
            due_at: self.next.map(|at| self.due_of(at)),
            waiting: self.waiting,
            latest: self.latest.clone(),
            counts: self.counts,
            refused: self.refused.clone(),
        }
    }

    /// Remembers an occurrence that was submitted.
    pub(super) fn submitted(&mut self, run: ScheduledRun) {
        self.counts.submitted += 1;
        self.before = Some(run.execution_id);
        self.latest.insert(0, run);
        self.latest.truncate(limits::SCHEDULE_REMEMBERED_RUNS);
    }
}
