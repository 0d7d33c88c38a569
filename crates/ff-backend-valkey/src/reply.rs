//! What a server answered, as far as functions use it.

use bytes::Bytes;

/// A value of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A text, as bytes.
    Bytes(Bytes),
    /// A whole number.
    Int(i64),
    /// An array.
    Array(Vec<Reply>),
    /// Nothing.
    Nil,
}

impl Reply {
    /// The items of an array.
    pub(crate) fn into_array(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The bytes of a text; a number as its digits.
    pub(crate) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Int(number) => Some(Bytes::from(number.to_string())),
            _ => None,
        }
    }
}
