//! What time does, done by the workers themselves.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::{TickOutcome, TickRequest};
use ff_types::TimestampMs;
use ff_types::backend::ScannerFilter;

use crate::metrics::Metrics;
use crate::task::attempt::Desk;

/// A timer that another process made after this one went to sleep is seen this late at most. Half
/// of the second within which a lost lease must be claimable again; the other half is for the
/// call and the claim.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// When something is due by this machine's clock and the store does not agree yet.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// Ticks when something is due, for ever.
pub(crate) async fn maintain(desk: Arc<Desk>, filter: ScannerFilter, metrics: Arc<dyn Metrics>) {
    let request = TickRequest::all().with_filter(filter);
    let mut failing = false;
    loop {
        let sleep = match desk.backend.tick(&request).await {
            Ok(outcome) => {
                failing = false;
                metrics.maintenance(&outcome);
                sleep_after(&outcome, desk.clock.now())
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(code = error.code(), %error, "maintenance failed, and goes on");
                }
                failing = true;
                Some(LONGEST_SLEEP)
            }
        };
        match sleep {
            Some(sleep) => desk.clock.sleep(sleep).await,
            None => tokio::task::yield_now().await,
        }
    }
}

/// How long nothing is due; `None` when the tick left something over.
fn sleep_after(outcome: &TickOutcome, now: TimestampMs) -> Option<Duration> {
    let Some(due) = outcome.next_due else {
        return Some(LONGEST_SLEEP);
    };
    if due <= now && outcome.handled() > 0 {
        return None;
    }
    Some(due.saturating_since(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
}
