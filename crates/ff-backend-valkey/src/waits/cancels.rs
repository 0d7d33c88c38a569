//! Workers that wait to hear which of their attempts are to be cancelled.

use std::collections::HashMap;
use std::sync::Mutex;

use ff_types::{ExecutionId, WorkerInstanceId};
use tokio::sync::mpsc;

use super::locked;

/// Most messages that are kept for an instance while it does not wait. What is beyond, the next renewal
/// answers.
const KEPT_MAX: usize = 1_024;

/// What the worker instances of this process are told.
#[derive(Default)]
pub(crate) struct CancelWaits {
    instances: Mutex<HashMap<WorkerInstanceId, Told>>,
}

struct Told {
    send: mpsc::Sender<ExecutionId>,
    receive: std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<ExecutionId>>>,
}

impl CancelWaits {
    /// What an instance is told, and whether this is the first that waits for it.
    pub(crate) fn of(
        &self,
        instance: WorkerInstanceId,
    ) -> (std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<ExecutionId>>>, bool) {
        let mut instances = locked(&self.instances);
        let is_new = !instances.contains_key(&instance);
        let told = instances.entry(instance).or_insert_with(|| {
            let (send, receive) = mpsc::channel(KEPT_MAX);
            Told { send, receive: std::sync::Arc::new(tokio::sync::Mutex::new(receive)) }
        });
        (std::sync::Arc::clone(&told.receive), is_new)
    }

    /// Forgets an instance.
    pub(crate) fn forget(&self, instance: WorkerInstanceId) {
        locked(&self.instances).remove(&instance);
    }

    /// An execution that an instance runs is to be cancelled.
    pub(super) fn told(&self, instance: WorkerInstanceId, execution: ExecutionId) {
        if let Some(told) = locked(&self.instances).get(&instance) {
            // It is a hint: when there are too many, the next renewal answers.
            let _full = told.send.try_send(execution);
        }
    }
}
