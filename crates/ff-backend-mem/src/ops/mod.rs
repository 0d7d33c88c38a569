//! The verbs: load, decide, store, under one lock.

mod attempt;
mod claim;
mod operator;
mod read;
mod submit;
mod tick;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ff_engine::Clock;

use crate::waiters::Wakeup;

/// Waits for `wakeup` at most until `limit` is over, and tells whether the wake-up came.
async fn woken(wakeup: &mut Wakeup, limit: Pin<&mut (dyn Future<Output = ()> + Send)>) -> bool {
    tokio::select! {
        biased;
        woken = wakeup => woken.is_ok(),
        () = limit => false,
    }
}

/// The end of a wait that starts now.
fn limit(clock: &dyn Clock, max_wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    clock.sleep(max_wait)
}
