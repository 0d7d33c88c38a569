//! The maintenance call.

use std::time::Duration;

use ff_types::backend::ScannerFilter;
use ff_types::{TimestampMs, limits};

use super::valid_wait;
use crate::error::EngineError;
use crate::machine::DueEvent;

/// Asks the backend to do what is due.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TickRequest {
    /// Leaves alone what the filter does not match.
    pub filter: ScannerFilter,
    /// At most this many executions in one call, 1..=10,000.
    pub limit: u32,
    /// Waits this long inside the backend for something to come due; at most 60 s. `None` never
    /// waits.
    pub max_wait: Option<Duration>,
}

impl TickRequest {
    /// Everything due, up to the default limit of 1,000.
    pub const fn all() -> Self {
        Self { filter: ScannerFilter::NOOP, limit: limits::TICK_LIMIT_DEFAULT, max_wait: None }
    }

    /// Leaves alone what `filter` does not match.
    #[must_use]
    pub fn with_filter(mut self, filter: ScannerFilter) -> Self {
        self.filter = filter;
        self
    }

    /// At most `limit` executions.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Waits up to `max_wait` for something to come due.
    #[must_use]
    pub const fn with_max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Checks the limit and the wait.
    pub fn validate(&self) -> Result<(), EngineError> {
        valid_wait(self.max_wait)?;
        let max = limits::TICK_LIMIT_MAX;
        if (1..=max).contains(&self.limit) {
            return Ok(());
        }
        let problem = format!("must be within 1..={max}, is {}", self.limit);
        Err(EngineError::validation("limit", problem))
    }
}

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TickOutcome {
    /// Executions whose delay or retry back-off was over.
    pub delays_over: u32,
    /// Leases that had run out.
    pub leases_lost: u32,
    /// Attempts that had run too long.
    pub attempts_timed_out: u32,
    /// Executions that missed their deadline.
    pub expired: u32,
    /// Waits that had lasted too long.
    pub waits_timed_out: u32,
    /// Suspended executions of whose waitpoints some had expired.
    pub waitpoints_expired: u32,
    /// Reclaim tokens nobody used.
    pub grants_returned: u32,
    /// Records removed after their retention; members of flows go with these and are not counted.
    pub removed: u32,
    /// Flows that missed their deadline.
    pub flows_expired: u32,
    /// Flows removed after their retention.
    pub flows_removed: u32,
    /// Flows of which a part of what was left to do was done.
    pub flows_advanced: u32,
    /// Budgets that executions waited for and that were looked at.
    pub budgets_looked_at: u32,
    /// Lanes that were looked at: claims may be possible there that were not.
    pub lanes_looked_at: u32,
    /// Looks at schedules of which occurrences had come due.
    pub schedules_fired: u32,
    /// When something is due next, among what the filter matches. A time that has passed means:
    /// call again.
    pub next_due: Option<TimestampMs>,
}

impl TickOutcome {
    /// Counts an event that was handled. For backends.
    pub const fn count(&mut self, event: &DueEvent) {
        let counter = match event {
            DueEvent::Remove => &mut self.removed,
            DueEvent::Expired(_) => &mut self.expired,
            DueEvent::TimedOut(_) => &mut self.attempts_timed_out,
            DueEvent::LeaseLost(_) => &mut self.leases_lost,
            DueEvent::DelayOver(_) => &mut self.delays_over,
            DueEvent::WaitTimedOut(_) => &mut self.waits_timed_out,
            DueEvent::WaitpointsExpired(_) => &mut self.waitpoints_expired,
            DueEvent::GrantReturned(_) => &mut self.grants_returned,
        };
        *counter += 1;
    }

    /// How many executions and flows the call changed.
    pub const fn handled(&self) -> u32 {
        self.delays_over
            + self.leases_lost
            + self.attempts_timed_out
            + self.expired
            + self.waits_timed_out
            + self.waitpoints_expired
            + self.grants_returned
            + self.removed
            + self.flows_expired
            + self.flows_removed
            + self.flows_advanced
            + self.budgets_looked_at
            + self.lanes_looked_at
            + self.schedules_fired
    }
}
