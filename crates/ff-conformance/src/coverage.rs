//! What a run has provoked: error codes and moves of the lifecycle.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ff_engine::machine::lifecycle::{MOVES, Move};
use ff_engine::{CODES, CodeScope};

/// Collects what one run of the suite has hit.
#[derive(Debug, Default)]
pub struct Coverage {
    codes: Mutex<BTreeSet<&'static str>>,
    moves: Mutex<BTreeSet<Move>>,
}

impl Coverage {
    /// Nothing hit yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An error with this code was answered.
    pub fn record_code(&self, code: &'static str) {
        lock(&self.codes).insert(code);
    }

    /// An execution made this move.
    pub fn record_move(&self, made: Move) {
        lock(&self.moves).insert(made);
    }

    /// How many different codes were answered.
    pub fn codes(&self) -> usize {
        lock(&self.codes).len()
    }

    /// How many different moves were made.
    pub fn moves(&self) -> usize {
        lock(&self.moves).len()
    }

    /// The codes that every backend answers by the rules and that did not come up.
    pub fn missing_codes(&self) -> Vec<&'static str> {
        let hit = lock(&self.codes);
        CODES
            .iter()
            .filter(|row| row.scope == CodeScope::Rule && !hit.contains(row.code))
            .map(|row| row.code)
            .collect()
    }

    /// The legal moves that no execution made.
    pub fn missing_moves(&self) -> Vec<Move> {
        let made = lock(&self.moves);
        MOVES.iter().copied().filter(|row| !made.contains(row)).collect()
    }
}

fn lock<T>(set: &Mutex<T>) -> MutexGuard<'_, T> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_hit_is_missing() {
        let coverage = Coverage::new();
        let (codes, moves) = (coverage.missing_codes(), coverage.missing_moves());

        coverage.record_code("stale_lease");
        coverage.record_move(MOVES[0]);

        assert!(codes.contains(&"stale_lease") && !codes.contains(&"internal"));
        assert_eq!(coverage.missing_codes().len(), codes.len() - 1);
        assert_eq!(coverage.missing_moves(), moves[1..]);
    }
}
