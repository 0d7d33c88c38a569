//! Bytes that only the backend which wrote them reads: bounded, shown by their length alone, and on
//! readable wires written as lowercase hex.

use std::fmt::Write as _;

use crate::check;
use crate::error::ValueError;

/// Lowercase hex of `bytes`.
pub(super) fn encode_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` always succeeds.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of lowercase hex, refused by their length before they are read.
pub(super) fn decode_hex(
    field: &'static str,
    limit: usize,
    text: &str,
) -> Result<Vec<u8>, ValueError> {
    check::bytes(field, limit, text.len() / 2)?;
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    match bytes {
        Some(bytes) if odd.is_empty() => Ok(bytes),
        _ => Err(ValueError::Malformed { field, expected: "lowercase hex" }),
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Declares a newtype over opaque bytes.
macro_rules! opaque {
    ($(#[$meta:meta])* $name:ident, $field:literal, $limit:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(::bytes::Bytes);

        impl $name {
            /// Accepts at most 256 bytes, whatever they are.
            pub fn new(
                bytes: impl Into<::bytes::Bytes>,
            ) -> Result<Self, $crate::error::ValueError> {
                let bytes = bytes.into();
                $crate::check::bytes($field, $limit, bytes.len())?;
                Ok(Self(bytes))
            }

            /// The bytes, for the backend that wrote them.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.serialize_str(&$crate::backend::opaque::encode_hex(&self.0));
                }
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Opaque;

                impl ::serde::de::Visitor<'_> for Opaque {
                    type Value = $name;

                    fn expecting(
                        &self,
                        f: &mut ::std::fmt::Formatter<'_>,
                    ) -> ::std::fmt::Result {
                        f.write_str("opaque bytes, as lowercase hex on readable wires")
                    }

                    fn visit_str<E: ::serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        let bytes = $crate::backend::opaque::decode_hex($field, $limit, text)
                            .map_err(E::custom)?;
                        $name::new(bytes).map_err(E::custom)
                    }

                    fn visit_bytes<E: ::serde::de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        $crate::check::bytes($field, $limit, bytes.len()).map_err(E::custom)?;
                        $name::new(bytes.to_vec()).map_err(E::custom)
                    }
                }

                if deserializer.is_human_readable() {
                    return deserializer.deserialize_str(Opaque);
                }
                deserializer.deserialize_bytes(Opaque)
            }
        }
    };
}

pub(super) use opaque;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_one_spelling() {
        let all: Vec<u8> = (0..=255).collect();

        assert_eq!(decode_hex("handle", 256, &encode_hex(&all)), Ok(all));
        for bad in ["0", "0g", "AB", "é0", "00 "] {
            assert_eq!(
                decode_hex("handle", 256, bad),
                Err(ValueError::Malformed { field: "handle", expected: "lowercase hex" })
            );
        }
        assert_eq!(
            decode_hex("handle", 1, "0000"),
            Err(ValueError::TooLong { field: "handle", limit: 1, actual: 2 })
        );
    }
}
