//! Whose turn it is among the keys that have something ready.
//!
//! Each key stands at a number, and the lowest is next; equal ones follow in the order of their names, the
//! one without a key first. A turn moves a key on by `2^20 / weight`, and a key that comes stands one less
//! than that behind the one that is next: behind all of this round, and in front of whoever has had the next
//! turn. So of any `n` keys that have something ready all the time
//! with equal weights, each gets a turn in `n`, whatever the others have waiting (start-time fair queueing,
//! Goyal et al. 1996, with turns of equal length and no memory of keys that have gone).

use std::collections::{BTreeMap, BTreeSet};

use ff_types::LaneKey;

const STRIDE: u64 = 1 << 20;

/// The keys of one queue that have something ready, `None` standing for what has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Turns {
    at: BTreeMap<Option<LaneKey>, u64>,
    order: BTreeSet<(u64, Option<LaneKey>)>,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// No key has anything ready.
    Nobodys,
    /// That of what has no key.
    Keyless,
    /// That of this key.
    Of(LaneKey),
}

impl Turns {
    /// Whose turn it is.
    pub(super) fn next(&self) -> Turn {
        match self.order.first() {
            None => Turn::Nobodys,
            Some((_, None)) => Turn::Keyless,
            Some((_, Some(key))) => Turn::Of(key.clone()),
        }
    }

    /// The keys in the order of their turns.
    pub(super) fn keys(&self) -> impl Iterator<Item = &LaneKey> {
        self.order.iter().filter_map(|(_, key)| key.as_ref())
    }

    /// Whether any key takes part. What has none takes turns only with keys.
    pub(super) fn has_keys(&self) -> bool {
        self.keys().next().is_some()
    }

    /// Lets a key take part, unless it does.
    pub(super) fn join(&mut self, key: Option<LaneKey>, weight: u32) {
        if !self.at.contains_key(&key) {
            let first = self.order.first().map_or(0, |(at, _)| *at);
            self.put(key, first + step(weight) - 1);
        }
    }

    /// The key has had a turn.
    pub(super) fn took(&mut self, key: Option<&LaneKey>, weight: u32) {
        let key = key.cloned();
        if let Some(at) = self.at.get(&key).copied() {
            self.order.remove(&(at, key.clone()));
            self.put(key, at + step(weight));
        }
    }

    /// Takes a key out. The last key ends the round for what has none too.
    pub(super) fn leave(&mut self, key: Option<&LaneKey>) {
        let key = key.cloned();
        if let Some(at) = self.at.remove(&key) {
            self.order.remove(&(at, key));
        }
        if !self.has_keys() {
            *self = Self::default();
        }
    }

    fn put(&mut self, key: Option<LaneKey>, at: u64) {
        self.at.insert(key.clone(), at);
        self.order.insert((at, key));
    }
}

fn step(weight: u32) -> u64 {
    STRIDE / u64::from(weight.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> LaneKey {
        LaneKey::new(name).unwrap()
    }

    fn take(turns: &mut Turns, weight: impl Fn(&str) -> u32) -> String {
        let next = match turns.next() {
            Turn::Of(key) => Some(key),
            Turn::Keyless | Turn::Nobodys => None,
        };
        let name = next.as_ref().map_or("-", LaneKey::as_str).to_owned();
        turns.took(next.as_ref(), weight(&name));
        name
    }

    #[test]
    fn keys_take_turns_by_weight() {
        let weight = |name: &str| if name == "b" { 3 } else { 1 };
        let mut turns = Turns::default();
        for name in ["a", "b", "c"] {
            turns.join(Some(key(name)), weight(name));
        }
        turns.join(None, weight("-"));

        let taken: Vec<_> = (0..600).map(|_| take(&mut turns, weight)).collect();

        let count = |name: &str| taken.iter().filter(|taken| *taken == name).count();
        for (name, share) in [("a", 100), ("b", 300), ("c", 100), ("-", 100)] {
            assert!(count(name).abs_diff(share) <= 2, "{name}: {}", count(name));
        }
    }

    #[test]
    fn those_that_come_between_turns_change_nothing_for_who_comes_and_goes() {
        let mut turns = Turns::default();
        turns.join(Some(key("a")), 1);
        for name in ["b", "c"] {
            take(&mut turns, |_| 1);
            turns.join(Some(key(name)), 1);
        }
        let mut taken = Vec::new();
        for _ in 0..400 {
            turns.join(Some(key("A")), 1);
            let next = take(&mut turns, |_| 1);
            if next == "A" {
                turns.leave(Some(&key("A")));
            }
            taken.push(next);
        }
        let count = taken.iter().filter(|name| *name == "A").count();
        assert!(count <= 101, "{count} of 400 turns for one of four");
    }

    #[test]
    fn who_comes_and_goes_gets_no_more_than_a_turn_a_round() {
        let mut turns = Turns::default();
        for name in ["a", "b", "c"] {
            turns.join(Some(key(name)), 1);
        }
        let mut taken = Vec::new();
        for _ in 0..40 {
            turns.join(Some(key("z")), 1);
            let next = take(&mut turns, |_| 1);
            if next == "z" {
                turns.leave(Some(&key("z")));
            }
            taken.push(next);
        }
        assert!(taken.iter().filter(|name| *name == "z").count() <= 10, "{taken:?}");
    }
}
