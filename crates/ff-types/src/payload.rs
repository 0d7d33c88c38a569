//! Payloads: bytes that nothing here reads, and what their owner calls them.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::ValueError;
use crate::limits::{CONTENT_TYPE_MAX_BYTES, PAYLOAD_MAX_BYTES};

const OCTET_STREAM: &str = "application/octet-stream";
const JSON: &str = "application/json";

/// The input of an execution: binary in, the same binary out, with a content type.
///
/// `Debug` shows the content type and the length, never the bytes. The size is checked by
/// [`validate`](Self::validate), not by the constructors.
///
/// ```
/// use ff_types::Payload;
///
/// let payload = Payload::json(r#"{"order":7}"#);
/// assert_eq!(payload.content_type(), "application/json");
/// assert_eq!(payload.len(), 11);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decoded")]
pub struct Payload {
    content_type: Cow<'static, str>,
    bytes: Bytes,
}

impl Payload {
    /// Bytes of no stated type: `application/octet-stream`.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: Cow::Borrowed(OCTET_STREAM), bytes: bytes.into() }
    }

    /// Bytes that the caller says are JSON: `application/json`. They are not parsed.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: Cow::Borrowed(JSON), bytes: bytes.into() }
    }

    /// States another content type: 1..=128 printable ASCII bytes, spaces allowed.
    pub fn with_content_type(mut self, content_type: &str) -> Result<Self, ValueError> {
        self.content_type = match content_type {
            OCTET_STREAM => Cow::Borrowed(OCTET_STREAM),
            JSON => Cow::Borrowed(JSON),
            other => {
                check::text(
                    "content_type",
                    "1..=128 printable ASCII bytes",
                    CONTENT_TYPE_MAX_BYTES,
                    other,
                    |c| matches!(c, ' '..='~'),
                )?;
                Cow::Owned(other.to_owned())
            }
        };
        Ok(self)
    }

    /// What the owner says the bytes are.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, without their content type.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Refuses more than [`PAYLOAD_MAX_BYTES`].
    pub fn validate(&self) -> Result<(), ValueError> {
        check::bytes("payload", PAYLOAD_MAX_BYTES, self.len())
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("content_type", &self.content_type)
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// A payload as read, before its content type is checked.
#[derive(Deserialize)]
struct Decoded {
    content_type: String,
    bytes: Bytes,
}

impl TryFrom<Decoded> for Payload {
    type Error = ValueError;

    fn try_from(decoded: Decoded) -> Result<Self, ValueError> {
        Self::new(decoded.bytes).with_content_type(&decoded.content_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_survives_a_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        let payload = Payload::new(all.clone()).with_content_type("image/png; q=1").unwrap();

        let json = serde_json::to_string(&payload).unwrap();
        let back: Payload = serde_json::from_str(&json).unwrap();

        assert_eq!(back, payload);
        assert_eq!(back.into_bytes(), all);
    }

    #[test]
    fn content_types_are_checked() {
        for bad in ["", "a\nb", "ü", &"x".repeat(129)] {
            let refused = Payload::default().with_content_type(bad).unwrap_err();
            assert_eq!(refused.field(), "content_type");
        }
        assert!(serde_json::from_str::<Payload>(r#"{"content_type":"","bytes":[]}"#).is_err());
        assert!(serde_json::from_str::<Payload>(r#"{"bytes":[1]}"#).is_err());
    }

    #[test]
    fn size_is_bounded() {
        assert_eq!(Payload::new(vec![0; PAYLOAD_MAX_BYTES]).validate(), Ok(()));
        assert_eq!(
            Payload::new(vec![0; PAYLOAD_MAX_BYTES + 1]).validate(),
            Err(ValueError::TooLong { field: "payload", limit: 1_048_576, actual: 1_048_577 })
        );
    }
}
