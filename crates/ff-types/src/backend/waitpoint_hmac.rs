//! The token that lets its bearer signal one waitpoint. Signing and verifying happen elsewhere; here
//! is only its shape and the care it is handled with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::ValueError;
use crate::limits::WAITPOINT_KID_MAX_BYTES;
use crate::text;

const FIELD: &str = "waitpoint_token";
const EXPECTED: &str = "a key id of 1..=32 of [A-Za-z0-9_-], a colon, 40 lowercase hex digits";
const MAC_DIGITS: usize = 40;
const SEPARATOR: char = ':';
const TEXT_MAX_BYTES: usize = WAITPOINT_KID_MAX_BYTES + 1 + MAC_DIGITS;

/// A waitpoint's token: `kid:40hex`.
///
/// `kid` is 1..=32 of `[A-Za-z0-9_-]` and names the key; the rest is exactly 40 lowercase hex
/// digits. `Debug` and `Display` redact it, equality takes constant time, and the memory is zeroed
/// on drop. [`as_str`](Self::as_str) and serde give the token itself.
///
/// ```
/// use ff_types::backend::WaitpointHmac;
///
/// let token = WaitpointHmac::new("k1:0123456789abcdef0123456789abcdef01234567")?;
/// assert_eq!(token.to_string(), "<redacted>");
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[derive(Clone)]
pub struct WaitpointHmac(Zeroizing<String>);

impl WaitpointHmac {
    /// Accepts a token of the right shape. Whether it is genuine is not decided here.
    pub fn new(token: impl Into<String>) -> Result<Self, ValueError> {
        // Wrapped first, so that a refused token is zeroed as well.
        let token = Zeroizing::new(token.into());
        let (kid, mac) = split(&token).ok_or(MALFORMED)?;
        let shaped = (1..=WAITPOINT_KID_MAX_BYTES).contains(&kid.len())
            && kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            && mac.len() == MAC_DIGITS
            && mac.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if shaped { Ok(Self(token)) } else { Err(MALFORMED) }
    }

    /// The token, to hand it to whoever may signal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the key that signed it. Not secret.
    pub fn kid(&self) -> &str {
        split(&self.0).map_or("", |(kid, _)| kid)
    }

    /// The 40 hex digits. Secret; compare them in constant time.
    pub fn mac_hex(&self) -> &str {
        split(&self.0).map_or("", |(_, mac)| mac)
    }
}

const MALFORMED: ValueError = ValueError::Malformed { field: FIELD, expected: EXPECTED };

fn split(token: &str) -> Option<(&str, &str)> {
    token.split_once(SEPARATOR)
}

impl PartialEq for WaitpointHmac {
    /// Takes the same time wherever two tokens of one length differ. The length is that of the key
    /// id, which is not secret.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for WaitpointHmac {}

impl fmt::Debug for WaitpointHmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitpointHmac(<redacted>)")
    }
}

impl fmt::Display for WaitpointHmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl FromStr for WaitpointHmac {
    type Err = ValueError;

    fn from_str(token: &str) -> Result<Self, ValueError> {
        // Checked before the copy: a hostile text is not worth a large allocation.
        if token.len() > TEXT_MAX_BYTES {
            return Err(MALFORMED);
        }
        Self::new(token)
    }
}

impl Serialize for WaitpointHmac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for WaitpointHmac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn only_the_wire_shape_is_accepted() {
        let token = WaitpointHmac::new(format!("key_A-1:{MAC}")).unwrap();
        assert_eq!((token.kid(), token.mac_hex()), ("key_A-1", MAC));

        let bad = [
            String::new(),
            MAC.to_owned(),
            format!(":{MAC}"),
            format!("k:{}", &MAC[1..]),
            format!("k:{MAC}0"),
            format!("k:{}", MAC.to_uppercase()),
            format!("k:k:{MAC}"),
            format!("k.1:{MAC}"),
            format!("{}:{MAC}", "k".repeat(33)),
            format!("ü:{MAC}"),
        ];
        for text in bad {
            assert_eq!(WaitpointHmac::new(text.clone()), Err(MALFORMED));
            assert_eq!(text.parse::<WaitpointHmac>(), Err(MALFORMED));
        }
    }

    #[test]
    fn equality_sees_every_digit() {
        let token = |text: &str| WaitpointHmac::new(text).unwrap();
        let other = format!("k:{}8", &MAC[..39]);

        assert_eq!(token(&format!("k:{MAC}")), token(&format!("k:{MAC}")));
        assert_ne!(token(&format!("k:{MAC}")), token(&other));
        assert_ne!(token(&format!("k:{MAC}")), token(&format!("kk:{MAC}")));
    }

    #[test]
    fn serde_carries_the_token() {
        let json = format!("\"k:{MAC}\"");

        let token: WaitpointHmac = serde_json::from_str(&json).unwrap();

        assert_eq!(serde_json::to_string(&token).unwrap(), json);
    }
}
