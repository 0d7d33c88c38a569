//! The set of reasons that keep an execution from running. It is ready exactly when the set is
//! empty, and removing one reason never removes another.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::text_enum;

text_enum! {
    /// One reason that keeps a runnable execution from running.
    pub enum BlockReason as "block_reason", "the name of a block reason" {
        /// Some of its dependencies have not ended as it needs.
        Dependencies = "dependencies",
        /// Its time has not come.
        Delay = "delay",
        /// A budget it draws on is used up.
        Budget = "budget",
        /// An operator holds it back.
        Hold = "hold",
    }
}

impl BlockReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Dependencies, Self::Delay, Self::Budget, Self::Hold];

    /// The bit of the reason within a set. Stored, so it never changes.
    const fn bit(self) -> u8 {
        match self {
            Self::Dependencies => 1,
            Self::Delay => 1 << 1,
            Self::Budget => 1 << 2,
            Self::Hold => 1 << 3,
        }
    }
}

/// The set of reasons that keep an execution from running.
///
/// ```
/// use ff_types::{BlockReason, ReasonSet};
///
/// let reasons = ReasonSet::EMPTY.with(BlockReason::Delay).with(BlockReason::Hold);
/// assert!(reasons.without(BlockReason::Hold).contains(BlockReason::Delay));
/// assert!(!reasons.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReasonSet(u8);

impl ReasonSet {
    /// No reason: the execution may run.
    pub const EMPTY: Self = Self(0);

    const KNOWN_BITS: u8 = 0b1111;

    /// The set with `reason` added.
    #[must_use]
    pub const fn with(self, reason: BlockReason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// The set with `reason` removed; every other one stays.
    #[must_use]
    pub const fn without(self, reason: BlockReason) -> Self {
        Self(self.0 & !reason.bit())
    }

    /// Whether `reason` is in the set.
    pub const fn contains(self, reason: BlockReason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// Whether nothing keeps the execution from running.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons in the set, in the order of [`BlockReason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = BlockReason> {
        BlockReason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }

    /// The set as stored: one bit a reason, from the lowest in the order of [`BlockReason::ALL`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with these bits; `None` if a bit stands for no known reason.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::KNOWN_BITS != 0 {
            return None;
        }
        Some(Self(bits))
    }
}

impl From<BlockReason> for ReasonSet {
    fn from(reason: BlockReason) -> Self {
        Self::EMPTY.with(reason)
    }
}

impl FromIterator<BlockReason> for ReasonSet {
    fn from_iter<I: IntoIterator<Item = BlockReason>>(reasons: I) -> Self {
        reasons.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ReasonSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(BlockReason::as_str)).finish()
    }
}

impl Serialize for ReasonSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for ReasonSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = ReasonSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of block reasons")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ReasonSet, A::Error> {
                let mut reasons = ReasonSet::EMPTY;
                while let Some(reason) = seq.next_element()? {
                    reasons = reasons.with(reason);
                }
                Ok(reasons)
            }
        }

        deserializer.deserialize_seq(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_one_reason_keeps_the_others() {
        let all: ReasonSet = BlockReason::ALL.into_iter().collect();

        for gone in BlockReason::ALL {
            let rest = all.without(gone);
            assert!(!rest.contains(gone));
            assert_eq!(rest.iter().count(), 3);
            assert_eq!(rest.with(gone), all);
        }
        assert!(BlockReason::ALL.into_iter().fold(all, ReasonSet::without).is_empty());
    }

    #[test]
    fn bits_are_stable_and_unknown_ones_refused() {
        assert_eq!(BlockReason::ALL.map(BlockReason::bit), [1, 2, 4, 8]);
        for bits in 0..=0b1111 {
            assert_eq!(ReasonSet::from_bits(bits).map(ReasonSet::bits), Some(bits));
        }
        assert_eq!(ReasonSet::from_bits(0b1_0000), None);
    }

    #[test]
    fn text_forms_list_names() {
        let reasons = ReasonSet::from(BlockReason::Hold).with(BlockReason::Dependencies);

        assert_eq!(format!("{reasons:?}"), r#"{"dependencies", "hold"}"#);
        let json = serde_json::to_string(&reasons).unwrap();
        assert_eq!(json, r#"["dependencies","hold"]"#);
        assert_eq!(serde_json::from_str::<ReasonSet>(&json).unwrap(), reasons);
        assert!(serde_json::from_str::<ReasonSet>(r#"["weather"]"#).is_err());
    }
}
