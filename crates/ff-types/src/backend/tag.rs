//! Which backend a handle belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check;
use crate::error::ValueError;
use crate::limits::{BACKEND_TAG_MAX_BYTES, CUSTOM_BACKEND_TAGS_MAX};
use crate::text;

const FIELD: &str = "backend";
const EXPECTED: &str = "valkey, mem, or custom: followed by 1..=32 of [a-z0-9_-]";
const CUSTOM_PREFIX: &str = "custom:";

/// The custom names this process has learnt. They live as long as the process, so their number is
/// bounded: decoding hostile handles cannot grow memory.
static CUSTOM_NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The backend that made a handle. Part of every handle, so that one given to another backend is
/// refused before any I/O.
///
/// Its text is `valkey`, `mem` or `custom:<name>`.
///
/// ```
/// use ff_types::backend::BackendTag;
///
/// let tag: BackendTag = "custom:acme".parse()?;
/// assert_eq!(tag, BackendTag::Custom("acme"));
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendTag {
    /// The Valkey backend.
    Valkey,
    /// The in-memory backend.
    Mem,
    /// A backend of another crate, by a name of 1..=32 of `[a-z0-9_-]`. A longer or other name
    /// cannot be serialised.
    Custom(&'static str),
}

impl BackendTag {
    /// The tag of a backend of another crate. One process learns at most 64 such names; a backend
    /// calls this when it starts, so that its own name is among them.
    pub fn custom(name: &str) -> Result<Self, ValueError> {
        check_name(name)?;
        // A panic elsewhere cannot leave the list half written.
        let mut names = CUSTOM_NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.iter().find(|known| **known == name) {
            return Ok(Self::Custom(known));
        }
        check::items(FIELD, CUSTOM_BACKEND_TAGS_MAX, names.len() + 1)?;
        let learnt: &'static str = Box::leak(name.into());
        names.push(learnt);
        Ok(Self::Custom(learnt))
    }
}

fn check_name(name: &str) -> Result<(), ValueError> {
    check::text(
        FIELD,
        EXPECTED,
        BACKEND_TAG_MAX_BYTES,
        name,
        |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'),
    )
}

impl fmt::Display for BackendTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valkey => f.write_str("valkey"),
            Self::Mem => f.write_str("mem"),
            Self::Custom(name) => write!(f, "{CUSTOM_PREFIX}{name}"),
        }
    }
}

impl FromStr for BackendTag {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "valkey" => Ok(Self::Valkey),
            "mem" => Ok(Self::Mem),
            other => match other.strip_prefix(CUSTOM_PREFIX) {
                Some(name) => Self::custom(name),
                None => Err(ValueError::Malformed { field: FIELD, expected: EXPECTED }),
            },
        }
    }
}

impl Serialize for BackendTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Custom(name) = self {
            check_name(name).map_err(serde::ser::Error::custom)?;
        }
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackendTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_read_back_and_custom_names_are_bounded() {
        for text in ["valkey", "mem", "custom:acme-2_x"] {
            let tag: BackendTag = text.parse().unwrap();
            assert_eq!(tag.to_string(), text);
            let json = serde_json::to_string(&tag).unwrap();
            assert_eq!(serde_json::from_str::<BackendTag>(&json).unwrap(), tag);
        }
        let overlong = format!("custom:{}", "x".repeat(33));
        for bad in ["", "Valkey", "acme", "custom:", "custom:A", "custom:a b", &overlong] {
            assert_eq!(bad.parse::<BackendTag>().unwrap_err().field(), "backend");
        }
        assert!(serde_json::to_string(&BackendTag::Custom("Not A Name")).is_err());

        let learnt = (0..200).filter(|i| BackendTag::custom(&format!("n{i}")).is_ok()).count();
        assert!(learnt < CUSTOM_BACKEND_TAGS_MAX);
        assert_eq!("custom:acme-2_x".parse(), Ok(BackendTag::Custom("acme-2_x")));
        assert!(matches!(
            BackendTag::custom("one-too-many"),
            Err(ValueError::TooMany { limit: 64, actual: 65, .. })
        ));
    }
}
