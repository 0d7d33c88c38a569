//! Capabilities: what an execution needs and what a worker offers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check;
use crate::error::ValueError;
use crate::limits::{CAPABILITIES_MAX, CAPABILITIES_MAX_BYTES, CAPABILITY_TOKEN_MAX_BYTES};

const FIELD: &str = "capabilities";
const EXPECTED: &str = "tokens of 1..=64 printable ASCII bytes without comma and space";
const SEPARATOR: char = ',';

/// A set of tokens, sorted and without duplicates.
///
/// An execution goes to a worker whose set contains its own. At most 256 tokens and 4 KiB of
/// canonical text; a token is 1..=64 printable ASCII bytes without comma and space. The set is kept
/// as its canonical text: cheap to clone, and compared without allocating. Serialised as a list.
///
/// ```
/// use ff_types::backend::CapabilitySet;
///
/// let worker = CapabilitySet::from_tokens(["gpu", "eu"])?;
/// let task = CapabilitySet::new().with("gpu")?;
/// assert!(task.is_subset_of(&worker));
/// assert_eq!(worker.as_str(), "eu,gpu");
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CapabilitySet(Arc<str>);

impl CapabilitySet {
    /// No capabilities: as a requirement, met by every worker.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of `tokens`, in any order, duplicates ignored.
    pub fn from_tokens<I>(tokens: I) -> Result<Self, ValueError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut builder = Builder::default();
        for token in tokens {
            builder.insert(token.as_ref())?;
        }
        Ok(builder.finish())
    }

    /// The set with `token` added.
    pub fn with(&self, token: impl AsRef<str>) -> Result<Self, ValueError> {
        Self::from_tokens(self.iter().chain([token.as_ref()]))
    }

    /// Whether `other` has every token of this set. One pass over both.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        let mut offered = other.iter();
        self.iter().all(|needed| offered.find(|token| *token >= needed) == Some(needed))
    }

    /// Whether `token` is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|known| known == token)
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(SEPARATOR).filter(|token| !token.is_empty())
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The canonical text: the tokens in order, joined by commas; empty for the empty set.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Collects tokens and stops at the first one too many, so that an endless list is refused early.
#[derive(Default)]
struct Builder {
    tokens: BTreeSet<String>,
    bytes: usize,
}

impl Builder {
    fn insert(&mut self, token: &str) -> Result<(), ValueError> {
        check::text(FIELD, EXPECTED, CAPABILITY_TOKEN_MAX_BYTES, token, |c| {
            c.is_ascii_graphic() && c != SEPARATOR
        })?;
        if self.tokens.contains(token) {
            return Ok(());
        }
        let separator = usize::from(!self.tokens.is_empty());
        check::items(FIELD, CAPABILITIES_MAX, self.tokens.len() + 1)?;
        check::bytes(FIELD, CAPABILITIES_MAX_BYTES, self.bytes + separator + token.len())?;
        self.bytes += separator + token.len();
        self.tokens.insert(token.to_owned());
        Ok(())
    }

    fn finish(self) -> CapabilitySet {
        let mut text = String::with_capacity(self.bytes);
        for token in &self.tokens {
            if !text.is_empty() {
                text.push(SEPARATOR);
            }
            text.push_str(token);
        }
        CapabilitySet(text.into())
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CapabilitySet {
    type Err = ValueError;

    /// Reads comma-joined tokens in any order; the empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        Self::from_tokens(text.split(SEPARATOR))
    }
}

impl Serialize for CapabilitySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for CapabilitySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = CapabilitySet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of capability tokens")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<CapabilitySet, A::Error> {
                let mut builder = Builder::default();
                while let Some(token) = seq.next_element::<String>()? {
                    builder.insert(&token).map_err(serde::de::Error::custom)?;
                }
                Ok(builder.finish())
            }
        }

        deserializer.deserialize_seq(Tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CapabilitySet {
        text.parse().unwrap()
    }

    #[test]
    fn text_is_canonical() {
        assert_eq!(set("b,a,b").as_str(), "a,b");
        assert_eq!(set("b,a"), CapabilitySet::new().with("a").unwrap().with("b").unwrap());
        assert_eq!(set("").len(), 0);
        assert!(set("").is_empty());
        for bad in [",", "a,", "a b", "ü", "a,\n"] {
            assert_eq!(bad.parse::<CapabilitySet>().unwrap_err().field(), "capabilities");
        }
    }

    #[test]
    fn subsets_follow_tokens_not_prefixes() {
        assert!(set("").is_subset_of(&set("")));
        assert!(set("").is_subset_of(&set("a")));
        assert!(set("a,c").is_subset_of(&set("a,b,c")));
        assert!(!set("a,d").is_subset_of(&set("a,b,c")));
        assert!(!set("a").is_subset_of(&set("")));
        // `+` and `!` sort before the separator.
        assert!(set("a,a!").is_subset_of(&set("a,a!,a+,b")));
        assert!(!set("a").is_subset_of(&set("a!,ab")));
    }

    #[test]
    fn count_and_size_are_bounded() {
        let tokens = |n: usize, width: usize| (0..n).map(move |i| format!("{i:0width$}"));

        assert_eq!(CapabilitySet::from_tokens(tokens(256, 3)).unwrap().len(), 256);
        assert!(matches!(
            CapabilitySet::from_tokens(tokens(257, 3)),
            Err(ValueError::TooMany { limit: 256, actual: 257, .. })
        ));
        // 64 tokens of 63 bytes and 63 separators are one byte below 4 KiB.
        assert_eq!(CapabilitySet::from_tokens(tokens(64, 63)).unwrap().as_str().len(), 4_095);
        assert!(matches!(
            CapabilitySet::from_tokens(tokens(65, 63)),
            Err(ValueError::TooLong { limit: 4_096, .. })
        ));
    }

    #[test]
    fn serde_is_a_list() {
        assert_eq!(serde_json::to_string(&set("b,a")).unwrap(), r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<CapabilitySet>(r#"["b","a"]"#).unwrap(), set("a,b"));
        assert!(serde_json::from_str::<CapabilitySet>(r#"["a,b"]"#).is_err());
    }
}
