//! Names: short text with a fixed alphabet and length.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check;
use crate::error::ValueError;
use crate::limits::{
    IDEMPOTENCY_KEY_MAX_BYTES, KIND_MAX_BYTES, LANE_KEY_MAX_BYTES, LANE_MAX_BYTES,
    NAMESPACE_MAX_BYTES, NODE_KEY_MAX_BYTES, STEP_NAME_MAX_BYTES, WAITPOINT_KEY_MAX_BYTES,
};
use crate::text;

macro_rules! name {
    (
        $(#[$meta:meta])*
        $name:ident, $field:literal, $expected:literal, $limit:expr, $allowed:expr
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Accepts ", $expected, ".")]
            pub fn new(text: impl Into<String>) -> Result<Self, ValueError> {
                let text = text.into();
                check::text($field, $expected, $limit, &text, $allowed)?;
                Ok(Self(text.into()))
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                check::text($field, $expected, $limit, text, $allowed)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ValueError;

            fn try_from(text: String) -> Result<Self, ValueError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer, $expected)
            }
        }
    };
}

/// For names that may be shown.
macro_rules! shown {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

fn is_namespace_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')
}

fn is_visible_ascii(c: char) -> bool {
    c.is_ascii_graphic()
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_not_control(c: char) -> bool {
    !c.is_control()
}

name! {
    /// An isolation boundary: nothing in one namespace sees or touches anything in another.
    ///
    /// 1..=64 of `[a-z0-9._-]`. The default is `default`.
    ///
    /// ```
    /// use ff_types::Namespace;
    ///
    /// assert_eq!(Namespace::new("billing.eu")?.as_str(), "billing.eu");
    /// assert!(Namespace::new("Billing").is_err());
    /// # Ok::<(), ff_types::ValueError>(())
    /// ```
    Namespace, "namespace", "1..=64 of [a-z0-9._-]", NAMESPACE_MAX_BYTES, is_namespace_char
}
shown!(Namespace);

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

name! {
    /// The lane an execution queues in. 1..=64 printable ASCII bytes without space.
    LaneId, "lane", "1..=64 printable ASCII bytes without space", LANE_MAX_BYTES, is_visible_ascii
}
shown!(LaneId);

name! {
    /// For whom an execution is, among those of its lane: a tenant, a customer, a model. A lane takes
    /// turns between keys, and can limit each. 1..=64 printable ASCII bytes without space.
    ///
    /// It shows in errors and listings; it is no place for secrets.
    LaneKey, "lane_key", "1..=64 printable ASCII bytes without space", LANE_KEY_MAX_BYTES, is_visible_ascii
}
shown!(LaneKey);

name! {
    /// The task name of an execution, by which a worker picks the code to run. 1..=128 printable
    /// ASCII bytes without space.
    TaskKind, "kind", "1..=128 printable ASCII bytes without space", KIND_MAX_BYTES, is_visible_ascii
}
shown!(TaskKind);

name! {
    /// The name that the code of a task gives a waitpoint, so that a later attempt finds it again:
    /// unique among the open waitpoints of one execution. 1..=64 of `[A-Za-z0-9_-]`.
    ///
    /// It shows in tokens and listings; it is no place for secrets.
    WaitpointKey, "waitpoint_key", "1..=64 of [A-Za-z0-9_-]", WAITPOINT_KEY_MAX_BYTES, is_word_char
}
shown!(WaitpointKey);

name! {
    /// The name of a step, by which a later attempt finds its result: unique within one execution.
    /// 1..=128 printable ASCII bytes without space.
    ///
    /// It shows in errors and listings; it is no place for secrets.
    StepName, "step_name", "1..=128 printable ASCII bytes without space", STEP_NAME_MAX_BYTES, is_visible_ascii
}
shown!(StepName);

name! {
    /// The name of a node, by which edges and readers of results find it: unique within one flow.
    /// 1..=128 printable ASCII bytes without space.
    ///
    /// It shows in errors, listings and pictures of a flow; it is no place for secrets.
    NodeKey, "node_key", "1..=128 printable ASCII bytes without space", NODE_KEY_MAX_BYTES, is_visible_ascii
}
shown!(NodeKey);

name! {
    /// The submitter's key that makes a repeated submit return the first execution. 1..=256 bytes
    /// of UTF-8 without control characters.
    ///
    /// Keys often hold order numbers or addresses, so `Debug` and `Display` show the length only;
    /// [`as_str`](Self::as_str) and serde give the text.
    IdempotencyKey, "idempotency_key", "1..=256 bytes of UTF-8 without control characters",
    IDEMPOTENCY_KEY_MAX_BYTES, is_not_control
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({} bytes)", self.0.len())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_alphabet_and_length() {
        for good in ["a", "default", "a.b_c-9", &"x".repeat(64)] {
            assert_eq!(Namespace::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "a b", "é", "a/b", "a\n"] {
            assert_eq!(
                Namespace::new(bad),
                Err(ValueError::Malformed {
                    field: "namespace",
                    expected: "1..=64 of [a-z0-9._-]"
                })
            );
        }
        assert_eq!(
            Namespace::new("x".repeat(65)),
            Err(ValueError::TooLong { field: "namespace", limit: 64, actual: 65 })
        );
        assert_eq!(Namespace::default(), Namespace::new("default").unwrap());
    }

    #[test]
    fn lane_kind_step_and_node_take_visible_ascii() {
        for good in ["a", "gpu:large/1", "{x}", "~!"] {
            assert!(LaneId::new(good).is_ok());
            assert!(LaneKey::new(good).is_ok());
            assert!(TaskKind::new(good).is_ok());
            assert!(StepName::new(good).is_ok());
            assert!(NodeKey::new(good).is_ok());
        }
        for bad in ["", "a b", "tab\t", "ü", "\u{7f}"] {
            assert_eq!(LaneId::new(bad).unwrap_err().field(), "lane");
            assert_eq!(LaneKey::new(bad).unwrap_err().field(), "lane_key");
            assert_eq!(TaskKind::new(bad).unwrap_err().field(), "kind");
            assert_eq!(StepName::new(bad).unwrap_err().field(), "step_name");
            assert_eq!(NodeKey::new(bad).unwrap_err().field(), "node_key");
        }
        assert!(TaskKind::new("k".repeat(128)).is_ok());
        assert!(TaskKind::new("k".repeat(129)).is_err());
        assert!(StepName::new("s".repeat(128)).is_ok());
        assert!(StepName::new("s".repeat(129)).is_err());
        assert!(NodeKey::new("n".repeat(128)).is_ok());
        assert!(NodeKey::new("n".repeat(129)).is_err());
    }

    #[test]
    fn waitpoint_key_takes_words() {
        for good in ["a", "Approval_of-7", "-", &"k".repeat(64)] {
            assert_eq!(WaitpointKey::new(good).unwrap().to_string(), good);
        }
        for bad in ["", "a b", "a.b", "a:b", "a/b", "é", "a\n"] {
            assert_eq!(WaitpointKey::new(bad).unwrap_err().field(), "waitpoint_key");
        }
        assert_eq!(
            WaitpointKey::new("k".repeat(65)),
            Err(ValueError::TooLong { field: "waitpoint_key", limit: 64, actual: 65 })
        );
    }

    #[test]
    fn idempotency_key_takes_any_text_but_control_characters_and_shows_its_length() {
        let key = IdempotencyKey::new("Bestellung 7 / Köln").unwrap();

        assert_eq!(format!("{key:?} {key}"), "IdempotencyKey(20 bytes) <20 bytes>");
        assert!(IdempotencyKey::new("a\nb").is_err());
        assert!(IdempotencyKey::new("").is_err());
        assert!(IdempotencyKey::new("é".repeat(129)).is_err());
    }

    #[test]
    fn serde_validates() {
        let lane: LaneId = serde_json::from_str("\"gpu\"").unwrap();

        assert_eq!(serde_json::to_string(&lane).unwrap(), "\"gpu\"");
        assert!(serde_json::from_str::<LaneId>("\"a b\"").is_err());
        assert!(serde_json::from_str::<LaneId>("7").is_err());
    }
}
