//! The keys of waitpoint tokens: those that were configured, or one that is made on first use.

use std::sync::{Arc, Mutex, PoisonError};

use ff_engine::{KeyRing, OsSecrets};
use ff_types::TimestampMs;

#[derive(Default)]
pub(crate) struct Ring(Mutex<Option<KeyRing>>);

impl Ring {
    pub(crate) fn of(ring: KeyRing) -> Self {
        Self(Mutex::new(Some(ring)))
    }

    /// What `look` makes of the ring.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut KeyRing) -> T) -> T {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(ring.get_or_insert_with(|| KeyRing::generate(&OsSecrets)))
    }

    /// The ids of the keys that count at `now`, the one that signs first.
    pub(crate) fn kids(&self, now: TimestampMs) -> Vec<Arc<str>> {
        self.with(|ring| ring.kids(now).map(Arc::from).collect())
    }
}
