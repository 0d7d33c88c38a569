//! The verbs: load, decide, store, under one lock.

mod attempt;
mod budget;
mod claim;
mod flow;
mod lane;
mod operator;
mod read;
mod schedule;
mod signal;
mod submit;
mod tick;

use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;

/// Waits for `event` at most until `limit` is over.
async fn within<T>(
    event: &mut oneshot::Receiver<T>,
    limit: Pin<&mut (dyn Future<Output = ()> + Send)>,
) -> Option<T> {
    tokio::select! {
        biased;
        event = event => event.ok(),
        () = limit => None,
    }
}
