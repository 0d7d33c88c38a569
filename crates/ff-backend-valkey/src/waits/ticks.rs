//! Maintenance that waits: whose turn it is to look, and that something is due sooner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use super::locked;

/// The waiting ticks of one process.
pub(crate) struct TickWaits {
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    sooner: broadcast::Sender<()>,
}

impl Default for TickWaits {
    fn default() -> Self {
        Self { turns: Mutex::default(), sooner: broadcast::channel(1).0 }
    }
}

impl TickWaits {
    /// The turn of the ticks that wait under the filter `tag`.
    pub(crate) fn turn(&self, tag: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = locked(&self.turns);
        turns.retain(|known, turn| known == tag || Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(tag.to_owned()).or_default())
    }

    /// Receives when something is due sooner than it was.
    pub(crate) fn sooner(&self) -> broadcast::Receiver<()> {
        self.sooner.subscribe()
    }

    /// Something is due sooner.
    pub(super) fn tell(&self) {
        // Without a receiver nobody waits.
        let _unheard = self.sooner.send(());
    }
}
