//! The keys a backend signs and verifies with. Rings come from configuration; this module neither
//! stores one nor reads a clock.

use std::fmt::{self, Write as _};
use std::time::Duration;

use ff_types::backend::{WaitpointAddress, WaitpointHmac, WaitpointToken};
use ff_types::limits::{WAITPOINT_KID_MAX_BYTES, WAITPOINT_RING_KEYS_MAX};
use ff_types::{Namespace, TimestampMs};
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::encoding::signed_bytes;
use super::secret::{SecretSource, WaitpointSecret};
use crate::error::EngineError;

/// Bytes of a signature: the first 160 bits of the HMAC.
const MAC_BYTES: usize = 20;

/// The keys of waitpoint tokens. The newest signs; those before it verify until their grace ends.
///
/// A ring holds at most 8 keys. `Debug` shows their ids and never a secret.
///
/// ```
/// use ff_engine::{KeyRing, WaitpointSecret};
/// use ff_types::backend::{Namespace, WaitpointAddress, WaitpointKey, WaitpointToken};
/// use ff_types::{ExecutionId, TimestampMs, WaitpointId};
///
/// let ring = KeyRing::new("k1", WaitpointSecret::new([7; 32])?)?;
/// let address = WaitpointAddress::new(
///     ExecutionId::from_u128(1),
///     WaitpointId::from_u128(2),
///     WaitpointKey::new("approval")?,
///     TimestampMs(1_900_000_000_000),
/// );
/// let namespace = Namespace::default();
/// let token = WaitpointToken::new(address.clone(), ring.sign(&namespace, &address));
///
/// assert!(ring.verify(&namespace, &token).is_ok());
/// let refused = ring.verify(&Namespace::new("other")?, &token).unwrap_err();
/// assert_eq!(refused.code(), "waitpoint_not_found");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    newest: Key,
    /// Newest first.
    previous: Vec<Previous>,
}

#[derive(Clone)]
struct Key {
    kid: String,
    secret: WaitpointSecret,
}

#[derive(Clone)]
struct Previous {
    key: Key,
    verify_until: TimestampMs,
}

/// What verifying a token found. The store has the last word, for it knows the time.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When the key that signed the token stops counting; none while it is the newest.
    pub verify_until: Option<TimestampMs>,
}

impl Verified {
    /// Whether the key still counts at `now`, by the store's clock.
    pub fn holds_at(self, now: TimestampMs) -> bool {
        self.verify_until.is_none_or(|until| now < until)
    }
}

impl KeyRing {
    /// How the id of a key begins that a backend makes for itself when it is given no ring.
    pub const AUTO_KID: &'static str = "auto";

    /// A ring of one key. `kid` is 1..=32 of `[A-Za-z0-9_-]`; it shows in every token.
    pub fn new(kid: impl Into<String>, secret: WaitpointSecret) -> Result<Self, EngineError> {
        Ok(Self { newest: Key::new(kid.into(), secret)?, previous: Vec::new() })
    }

    /// A ring of one random key that nobody configured.
    pub fn generate(source: &dyn SecretSource) -> Self {
        Self::automatic(WaitpointSecret::generate(source))
    }

    /// A ring of one key that nobody configured. Its id follows from the secret, so that two secrets
    /// never share one: `auto-` and the first 32 bits of the secret's SHA-256 in hex.
    pub fn automatic(secret: WaitpointSecret) -> Self {
        let digest = Sha256::digest(secret.expose());
        let name: String = digest.iter().take(4).fold(String::new(), |mut name, byte| {
            write!(name, "{byte:02x}").expect("writing to a string never fails");
            name
        });
        let kid = format!("{}-{name}", Self::AUTO_KID);
        Self::new(kid, secret).expect("the id is well formed")
    }

    /// Adds a key that verifies until `verify_until` and never signs: a ring's history, as a
    /// configuration writes it down. The same key again takes the later time; the same id with
    /// another secret is [`EngineError::KeyConflict`].
    pub fn with_previous(
        mut self,
        kid: impl Into<String>,
        secret: WaitpointSecret,
        verify_until: TimestampMs,
    ) -> Result<Self, EngineError> {
        let key = Key::new(kid.into(), secret)?;
        self.check_conflict(&key)?;
        if key.kid == self.newest.kid {
            return Ok(self);
        }
        if let Some(known) = self.previous.iter_mut().find(|known| known.key.kid == key.kid) {
            known.verify_until = known.verify_until.max(verify_until);
            return Ok(self);
        }
        check_room(self.previous.len() + 2)?;
        self.previous.push(Previous { key, verify_until });
        Ok(self)
    }

    /// Makes `secret` the key that signs. The one before it verifies for another `grace` from
    /// `now`, the store's clock; keys whose grace is over by then are dropped.
    ///
    /// Rotating to the key that signs already changes nothing, so a repeat prolongs no grace. A
    /// previous key may be rotated back to. The same id with another secret is
    /// [`EngineError::KeyConflict`]. What is refused leaves the ring as it was.
    pub fn rotate(
        &mut self,
        kid: impl Into<String>,
        secret: WaitpointSecret,
        grace: Duration,
        now: TimestampMs,
    ) -> Result<(), EngineError> {
        let key = Key::new(kid.into(), secret)?;
        self.check_conflict(&key)?;
        if key.kid == self.newest.kid {
            return Ok(());
        }
        let stays = |known: &Previous| now < known.verify_until && known.key.kid != key.kid;
        check_room(self.previous.iter().filter(|known| stays(known)).count() + 2)?;
        self.previous.retain(stays);
        let replaced = std::mem::replace(&mut self.newest, key);
        let replaced = Previous { key: replaced, verify_until: now.saturating_add(grace) };
        self.previous.insert(0, replaced);
        Ok(())
    }

    /// The id of the key that signs.
    pub fn kid(&self) -> &str {
        &self.newest.kid
    }

    /// The ids of the keys that count at `now`, the store's clock, the one that signs first.
    pub fn kids(&self, now: TimestampMs) -> impl Iterator<Item = &str> {
        let counts = move |verify_until| Verified { verify_until }.holds_at(now);
        self.keys().filter(move |(_, until)| counts(*until)).map(|(key, _)| key.kid.as_str())
    }

    /// The ids of all keys, the one that signs first, each with the time from which it no longer
    /// verifies. For backends whose clock is elsewhere.
    pub fn ends(&self) -> impl Iterator<Item = (&str, Option<TimestampMs>)> {
        self.keys().map(|(key, verify_until)| (key.kid.as_str(), verify_until))
    }

    /// Signs with the newest key.
    pub fn sign(&self, namespace: &Namespace, address: &WaitpointAddress) -> WaitpointHmac {
        self.newest.sign(namespace, address)
    }

    /// Signs with the key `kid`, so that a waitpoint keeps its token when the ring moves on; none
    /// when the ring does not hold that key.
    pub fn sign_as(
        &self,
        kid: &str,
        namespace: &Namespace,
        address: &WaitpointAddress,
    ) -> Option<WaitpointHmac> {
        self.find(kid).map(|(key, _)| key.sign(namespace, address))
    }

    /// Whether this ring signed `token` for a waitpoint of `namespace`.
    ///
    /// Any other token is [`EngineError::waitpoint_not_found`], the answer that an unknown
    /// waitpoint gets, and takes as long as a genuine one of the same address. Whether the
    /// waitpoint is open and [`Verified::verify_until`] not reached is for the store to judge.
    pub fn verify(
        &self,
        namespace: &Namespace,
        token: &WaitpointToken,
    ) -> Result<Verified, EngineError> {
        // An unknown key id costs the same as a known one.
        let found = self.find(token.hmac().kid());
        let (key, verify_until) = found.unwrap_or((&self.newest, None));
        let expected = key.mac(namespace, token.address());
        let given = decode(token.hmac().mac_hex());
        let genuine = expected.ct_eq(given.as_slice()) & Choice::from(u8::from(found.is_some()));
        if genuine.into() {
            Ok(Verified { verify_until })
        } else {
            Err(EngineError::waitpoint_not_found())
        }
    }

    fn keys(&self) -> impl Iterator<Item = (&Key, Option<TimestampMs>)> {
        let previous = self.previous.iter().map(|known| (&known.key, Some(known.verify_until)));
        std::iter::once((&self.newest, None)).chain(previous)
    }

    fn find(&self, kid: &str) -> Option<(&Key, Option<TimestampMs>)> {
        self.keys().find(|(key, _)| key.kid == kid)
    }

    fn check_conflict(&self, key: &Key) -> Result<(), EngineError> {
        match self.find(&key.kid) {
            Some((known, _)) if known.secret != key.secret => {
                Err(EngineError::KeyConflict { kid: key.kid.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let previous: Vec<_> =
            self.previous.iter().map(|known| (&known.key.kid, known.verify_until)).collect();
        f.debug_struct("KeyRing")
            .field("newest", &self.newest.kid)
            .field("previous", &previous)
            .finish_non_exhaustive()
    }
}

fn check_room(keys: usize) -> Result<(), EngineError> {
    if keys <= WAITPOINT_RING_KEYS_MAX {
        return Ok(());
    }
    Err(EngineError::LimitExceeded {
        field: "waitpoint_keys".into(),
        limit: WAITPOINT_RING_KEYS_MAX as u64,
        actual: keys as u64,
    })
}

impl Key {
    fn new(kid: String, secret: WaitpointSecret) -> Result<Self, EngineError> {
        let shaped = (1..=WAITPOINT_KID_MAX_BYTES).contains(&kid.len())
            && kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if shaped {
            Ok(Self { kid, secret })
        } else {
            Err(EngineError::validation("waitpoint_kid", "must be 1..=32 of [A-Za-z0-9_-]"))
        }
    }

    fn mac(&self, namespace: &Namespace, address: &WaitpointAddress) -> Zeroizing<[u8; MAC_BYTES]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose())
            .expect("HMAC takes a key of any length");
        mac.update(&signed_bytes(namespace, address));
        let whole = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let mut first = Zeroizing::new([0; MAC_BYTES]);
        first.copy_from_slice(&whole[..MAC_BYTES]);
        first
    }

    fn sign(&self, namespace: &Namespace, address: &WaitpointAddress) -> WaitpointHmac {
        // The full capacity at once: a buffer that grows leaves copies behind.
        let mut text = String::with_capacity(self.kid.len() + 1 + 2 * MAC_BYTES);
        text.push_str(&self.kid);
        text.push(':');
        for byte in self.mac(namespace, address).iter() {
            text.extend([byte >> 4, byte & 0xf].map(digit));
        }
        WaitpointHmac::new(text).expect("a key id, a colon and 40 digits")
    }
}

/// The lowercase hex digit of a number below 16.
fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// The bytes of 40 lowercase hex digits, which is what the type of a token holds.
fn decode(mac_hex: &str) -> Zeroizing<[u8; MAC_BYTES]> {
    let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
    let mut bytes = Zeroizing::new([0; MAC_BYTES]);
    for (byte, [high, low]) in bytes.iter_mut().zip(mac_hex.as_bytes().as_chunks::<2>().0) {
        *byte = value(*high) << 4 | value(*low);
    }
    bytes
}

#[cfg(test)]
mod tests;
