//! The text that the sender of a signal is given: where a waitpoint is, and the proof that its
//! bearer may signal it. Signing and verifying happen elsewhere; here is only its shape and the
//! care it is handled with.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::waitpoint_hmac::WaitpointHmac;
use crate::error::ValueError;
use crate::ids::{ExecutionId, WaitpointId};
use crate::limits::{WAITPOINT_KEY_MAX_BYTES, WAITPOINT_KID_MAX_BYTES};
use crate::text;
use crate::types::{TimestampMs, WaitpointKey};

const FIELD: &str = "waitpoint_token";
const EXPECTED: &str = "w1.<execution>.<waitpoint>.<expires_at>.<key>.<key id>:<40 hex digits>";
const MALFORMED: ValueError = ValueError::Malformed { field: FIELD, expected: EXPECTED };

const VERSION: &str = "w1";
const SEPARATOR: char = '.';
const PARTS: usize = 6;
const ID_DIGITS: usize = 32;
const INSTANT_MAX_BYTES: usize = "-9223372036854775808".len();
const HMAC_MAX_BYTES: usize = WAITPOINT_KID_MAX_BYTES + 1 + 40;
const TEXT_MAX_BYTES: usize = VERSION.len()
    + 2 * ID_DIGITS
    + INSTANT_MAX_BYTES
    + WAITPOINT_KEY_MAX_BYTES
    + HMAC_MAX_BYTES
    + (PARTS - 1);

/// Which waitpoint a token is for. Everything here is signed, and nothing here is secret.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WaitpointAddress {
    /// The execution that waits.
    pub execution_id: ExecutionId,
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The name its execution knows it by.
    pub key: WaitpointKey,
    /// When it closes by itself, by the store's clock.
    pub expires_at: TimestampMs,
}

impl WaitpointAddress {
    /// Puts an address together.
    pub const fn new(
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        key: WaitpointKey,
        expires_at: TimestampMs,
    ) -> Self {
        Self { execution_id, waitpoint_id, key, expires_at }
    }
}

/// All that a sender needs to signal one waitpoint, as one text:
/// `w1.<execution>.<waitpoint>.<expires_at>.<key>.<kid>:<40 hex digits>`.
///
/// The text fits into a URL as it is. `Debug` and `Display` redact it, equality takes constant
/// time, and the memory is zeroed on drop. [`as_str`](Self::as_str) and serde give the text itself.
///
/// ```
/// use ff_types::backend::WaitpointToken;
///
/// let text = "w1.0000000000000000000000000000000a.0000000000000000000000000000000b\
///             .1900000000000.approval.k1:0123456789abcdef0123456789abcdef01234567";
/// let token: WaitpointToken = text.parse()?;
/// assert_eq!(token.address().key.as_str(), "approval");
/// assert_eq!(token.to_string(), "<redacted>");
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[derive(Clone)]
pub struct WaitpointToken {
    address: WaitpointAddress,
    hmac: WaitpointHmac,
    text: Zeroizing<String>,
}

impl WaitpointToken {
    /// Joins an address and its signature. Whether the signature is genuine is not decided here.
    pub fn new(address: WaitpointAddress, hmac: WaitpointHmac) -> Self {
        // The whole capacity at once: a buffer that grows leaves copies behind.
        let capacity = TEXT_MAX_BYTES - WAITPOINT_KEY_MAX_BYTES - HMAC_MAX_BYTES
            + address.key.as_str().len()
            + hmac.as_str().len();
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        write!(
            text,
            "{VERSION}.{}.{}.{}.{}.{}",
            address.execution_id,
            address.waitpoint_id,
            address.expires_at,
            address.key,
            hmac.as_str()
        )
        .expect("a string takes any text");
        Self { address, hmac, text }
    }

    /// The text, to hand it to whoever may signal. Do not log it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which waitpoint it is for.
    pub const fn address(&self) -> &WaitpointAddress {
        &self.address
    }

    /// The signature over the address.
    pub const fn hmac(&self) -> &WaitpointHmac {
        &self.hmac
    }
}

impl FromStr for WaitpointToken {
    type Err = ValueError;

    /// Reads the text and nothing but the text: no other case, no leading zero, no white space.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        // Checked before any copy: a hostile text is not worth a large allocation.
        if text.len() > TEXT_MAX_BYTES {
            return Err(MALFORMED);
        }
        let mut parts = text.split(SEPARATOR);
        let mut next = || parts.next().ok_or(MALFORMED);
        let (version, execution, waitpoint) = (next()?, next()?, next()?);
        let (expires_at, key, hmac) = (next()?, next()?, next()?);
        if version != VERSION || parts.next().is_some() {
            return Err(MALFORMED);
        }
        let address = WaitpointAddress::new(
            execution.parse().map_err(|_| MALFORMED)?,
            waitpoint.parse().map_err(|_| MALFORMED)?,
            key.parse().map_err(|_| MALFORMED)?,
            instant(expires_at).ok_or(MALFORMED)?,
        );
        let hmac = hmac.parse().map_err(|_| MALFORMED)?;
        // Each part has one spelling, so the text is the one that `new` would write.
        Ok(Self { address, hmac, text: Zeroizing::new(text.to_owned()) })
    }
}

/// Whole milliseconds as they are written here: no sign but a minus, no leading zero.
fn instant(text: &str) -> Option<TimestampMs> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().ok().map(TimestampMs) } else { None }
}

impl PartialEq for WaitpointToken {
    /// Takes the same time wherever two tokens of one length differ.
    fn eq(&self, other: &Self) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl Eq for WaitpointToken {}

impl fmt::Debug for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitpointToken")
            .field("address", &self.address)
            .field("hmac", &self.hmac)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Serialize for WaitpointToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for WaitpointToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "0123456789abcdef0123456789abcdef01234567";

    fn address(expires_at: i64) -> WaitpointAddress {
        WaitpointAddress::new(
            ExecutionId::from_u128(0xa),
            WaitpointId::from_u128(0xb),
            WaitpointKey::new("Approval_of-7").unwrap(),
            TimestampMs(expires_at),
        )
    }

    fn hmac() -> WaitpointHmac {
        WaitpointHmac::new(format!("k-1:{MAC}")).unwrap()
    }

    #[test]
    fn the_text_reads_back() {
        for at in [0, 7, -1, 1_900_000_000_000, i64::MAX, i64::MIN] {
            let token = WaitpointToken::new(address(at), hmac());

            let back: WaitpointToken = token.as_str().parse().unwrap();

            assert_eq!((back.address(), back.hmac()), (&address(at), &hmac()));
            assert_eq!(back, token);
            let json = serde_json::to_string(&token).unwrap();
            assert_eq!(json, format!("\"{}\"", token.as_str()));
            assert_eq!(serde_json::from_str::<WaitpointToken>(&json).unwrap(), token);
        }
        assert_eq!(
            WaitpointToken::new(address(7), hmac()).as_str(),
            format!("w1.{:032x}.{:032x}.7.Approval_of-7.k-1:{MAC}", 0xa, 0xb)
        );
    }

    #[test]
    fn the_longest_text_fits() {
        let longest = WaitpointAddress::new(
            ExecutionId::from_u128(u128::MAX),
            WaitpointId::from_u128(u128::MAX),
            WaitpointKey::new("k".repeat(64)).unwrap(),
            TimestampMs(i64::MIN),
        );
        let hmac = WaitpointHmac::new(format!("{}:{MAC}", "k".repeat(32))).unwrap();

        let token = WaitpointToken::new(longest, hmac);

        assert_eq!(token.as_str().len(), TEXT_MAX_BYTES);
        assert!(token.as_str().parse::<WaitpointToken>().is_ok());
    }

    #[test]
    fn any_other_text_is_refused() {
        let good = WaitpointToken::new(address(70), hmac());
        let good = good.as_str();
        assert!(good.parse::<WaitpointToken>().is_ok());

        let mut bad = vec![
            String::new(),
            ".....".to_owned(),
            good.to_uppercase(),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{good}."),
            format!("w1.{good}"),
            "x".repeat(TEXT_MAX_BYTES + 1),
        ];
        for (from, to) in [
            ("w1.", "w2."),
            ("w1.", "W1."),
            ("w1.", ""),
            (".70.", ".070."),
            (".70.", ".+70."),
            (".70.", ".-0."),
            (".70.", ".-."),
            (".70.", ".."),
            (".70.", ".70 ."),
            (".70.", ".0x46."),
            (".70.", ".9223372036854775808."),
            (".Approval", ".Appro.val"),
            (".Approval", ".Appro:val"),
            (".Approval", ".Äpproval"),
            (".k-1:", ".k.1:"),
            (".k-1:", "."),
            ("000a.", "00a."),
            ("000a.", "000A."),
        ] {
            bad.push(good.replacen(from, to, 1));
        }
        bad.extend((0..good.len()).map(|end| good[..end].to_owned()));
        for text in bad {
            assert_eq!(text.parse::<WaitpointToken>(), Err(MALFORMED), "{text}");
        }
    }

    #[test]
    fn equality_sees_the_address_and_the_signature() {
        let token = WaitpointToken::new(address(7), hmac());
        let other = WaitpointHmac::new(format!("k-1:{}8", &MAC[..39])).unwrap();

        assert_eq!(token, token.clone());
        assert_ne!(token, WaitpointToken::new(address(8), hmac()));
        assert_ne!(token, WaitpointToken::new(address(7), other));
    }
}
