//! What time does, done by the workers themselves.

use std::sync::Arc;
use std::time::Duration;

use ff_engine::TickRequest;
use ff_types::backend::ScannerFilter;

use crate::metrics::Metrics;
use crate::task::attempt::Desk;

/// How long one tick waits for something to come due. It only bounds how late a step of the
/// store's wall clock is noticed: what others make due ends the wait by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long to leave a backend alone that does not answer.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// Handles what comes due, for ever.
pub(crate) async fn maintain(desk: Arc<Desk>, filter: ScannerFilter, metrics: Arc<dyn Metrics>) {
    let request = TickRequest::all().with_filter(filter).with_max_wait(LONGEST_WAIT);
    let mut failing = false;
    loop {
        match desk.backend.tick(&request).await {
            Ok(outcome) => {
                failing = false;
                metrics.maintenance(&outcome);
                tokio::task::yield_now().await;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(code = error.code(), %error, "maintenance failed, and goes on");
                }
                failing = true;
                desk.clock.sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}
