//! Maintenance that waits: whose turn it is to look, and that something is due sooner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ff_engine::clock::Sleep;
use tokio::sync::broadcast;

use super::locked;

/// The waiting ticks of one process.
pub(crate) struct TickWaits {
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Turn>>>>,
    sooner: broadcast::Sender<()>,
}

/// What the one whose turn it is knows, for the next one.
#[derive(Default)]
pub(crate) struct Turn {
    /// Set while another look would find nothing to do.
    pub(crate) rest: Option<Rest>,
}

/// Until when nothing is due, by the latest look.
pub(crate) struct Rest {
    /// Resolves when the next look is due.
    pub(crate) pause: Sleep,
    /// Receives when something is due sooner than that.
    pub(crate) sooner: broadcast::Receiver<()>,
}

impl Default for TickWaits {
    fn default() -> Self {
        Self { turns: Mutex::default(), sooner: broadcast::channel(1).0 }
    }
}

impl TickWaits {
    /// The turn of the ticks that wait under the filter `tag`.
    pub(crate) fn turn(&self, tag: &str) -> Arc<tokio::sync::Mutex<Turn>> {
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
