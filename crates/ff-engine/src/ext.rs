//! Convenience over a backend, for every backend.

use async_trait::async_trait;
use ff_types::backend::ScannerFilter;

use crate::error::EngineError;
use crate::requests::{ExecutionSummary, ListRequest, TickOutcome, TickRequest};
use crate::roles::{ReadOps, TimerOps};

/// Calls that repeat a verb until it has nothing more to say.
#[async_trait]
pub trait EngineBackendExt: ReadOps + TimerOps {
    /// Ticks until a call finds nothing due, and answers the sum of what was done.
    async fn tick_until_quiet(&self, filter: &ScannerFilter) -> Result<TickOutcome, EngineError> {
        let mut total = TickOutcome::default();
        loop {
            let one = self.tick(&TickRequest::all().with_filter(filter.clone())).await?;
            total.delays_over += one.delays_over;
            total.leases_lost += one.leases_lost;
            total.attempts_timed_out += one.attempts_timed_out;
            total.expired += one.expired;
            total.waits_timed_out += one.waits_timed_out;
            total.waitpoints_expired += one.waitpoints_expired;
            total.grants_returned += one.grants_returned;
            total.removed += one.removed;
            total.flows_expired += one.flows_expired;
            total.flows_removed += one.flows_removed;
            total.flows_advanced += one.flows_advanced;
            total.next_due = one.next_due;
            if one.handled() == 0 {
                return Ok(total);
            }
        }
    }

    /// Follows the pages of a listing to its end, or until `at_most` items are there.
    async fn list_all(
        &self,
        mut request: ListRequest,
        at_most: usize,
    ) -> Result<Vec<ExecutionSummary>, EngineError> {
        let mut items = Vec::new();
        loop {
            let page = self.list_executions(&request).await?;
            items.extend(page.items);
            match page.next {
                Some(next) if items.len() < at_most => request.cursor = Some(next),
                _ => break,
            }
        }
        items.truncate(at_most);
        Ok(items)
    }
}

impl<B: ReadOps + TimerOps + ?Sized> EngineBackendExt for B {}
