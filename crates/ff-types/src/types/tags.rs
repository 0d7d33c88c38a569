//! Tags: the caller's own labels on an execution.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{TAG_KEY_MAX_BYTES, TAG_VALUE_MAX_BYTES, TAGS_MAX};

const FIELD: &str = "tags";

/// Labels on an execution, for listing and for narrowing scanners: at most 16, ordered by key.
///
/// A key is 1..=64 of `[A-Za-z0-9._/-]`, a value at most 256 bytes of UTF-8 without control
/// characters. Tags are shown in logs and listings; they are no place for secrets.
///
/// ```
/// use ff_types::Tags;
///
/// let tags = Tags::new().with("team", "billing")?.with("run", "7")?;
/// assert_eq!(tags.get("team"), Some("billing"));
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(#[serde(deserialize_with = "decode")] BTreeMap<String, String>);

impl Tags {
    /// No tags.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets one tag; a second value for the same key replaces the first.
    pub fn with(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ValueError> {
        insert(&mut self.0, key.into(), value.into())?;
        Ok(self)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many tags there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn insert(
    tags: &mut BTreeMap<String, String>,
    key: String,
    value: String,
) -> Result<(), ValueError> {
    check::text(FIELD, "tag keys of 1..=64 of [A-Za-z0-9._/-]", TAG_KEY_MAX_BYTES, &key, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-')
    })?;
    check::bytes(FIELD, TAG_VALUE_MAX_BYTES, value.len())?;
    if value.chars().any(char::is_control) {
        return Err(ValueError::Malformed {
            field: FIELD,
            expected: "tag values without control characters",
        });
    }
    if !tags.contains_key(&key) {
        check::items(FIELD, TAGS_MAX, tags.len() + 1)?;
    }
    tags.insert(key, value);
    Ok(())
}

/// Decodes entry by entry, so that an endless map is refused at its seventeenth key.
fn decode<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Entries;

    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a map of at most {TAGS_MAX} tags")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut tags = BTreeMap::new();
            while let Some((key, value)) = map.next_entry()? {
                insert(&mut tags, key, value).map_err(serde::de::Error::custom)?;
            }
            Ok(tags)
        }
    }

    deserializer.deserialize_map(Entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_values_and_count_are_bounded() {
        assert!(Tags::new().with("a/b.c_d-9", "").is_ok());
        assert!(Tags::new().with("k".repeat(64), "v".repeat(256)).is_ok());
        for (key, value) in
            [("", "v"), ("a b", "v"), ("é", "v"), (&*"k".repeat(65), "v"), ("k", "a\nb")]
        {
            assert_eq!(Tags::new().with(key, value).unwrap_err().field(), "tags");
        }
        assert!(Tags::new().with("k", "v".repeat(257)).is_err());

        let full = (0..16).try_fold(Tags::new(), |t, i| t.with(format!("k{i}"), "v")).unwrap();
        assert!(full.clone().with("k3", "replaced").is_ok());
        assert_eq!(
            full.with("k16", "v"),
            Err(ValueError::TooMany { field: "tags", limit: 16, actual: 17 })
        );
    }

    #[test]
    fn serde_is_a_validated_map() {
        let tags: Tags = serde_json::from_str(r#"{"b":"2","a":"1"}"#).unwrap();

        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!(serde_json::to_string(&tags).unwrap(), r#"{"a":"1","b":"2"}"#);
        assert!(serde_json::from_str::<Tags>(r#"{"a b":"1"}"#).is_err());
    }
}
