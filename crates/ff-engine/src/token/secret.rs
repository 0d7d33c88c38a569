//! The secrets that sign, and where random ones come from.

use std::fmt;

use ff_types::limits::{WAITPOINT_SECRET_MAX_BYTES, WAITPOINT_SECRET_MIN_BYTES};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::EngineError;

/// A source of random bytes that nobody can guess.
///
/// [`crate::Entropy`] is not one: it names things, and its sequence follows from 64 bits.
pub trait SecretSource: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsSecrets;

impl SecretSource for OsSecrets {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws secrets")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system provides randomness");
    }
}

/// A secret that signs waitpoint tokens: 32..=1024 bytes. `Debug` and `Display` redact it, equality
/// takes constant time, and the memory is zeroed on drop.
#[derive(Clone)]
pub struct WaitpointSecret(Zeroizing<Vec<u8>>);

impl WaitpointSecret {
    /// Accepts 32..=1024 bytes, which should be random: a passphrase of that length is guessed
    /// more easily than it looks.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, EngineError> {
        // Wrapped first, so that a refused secret is zeroed as well.
        let bytes = Zeroizing::new(bytes.into());
        if (WAITPOINT_SECRET_MIN_BYTES..=WAITPOINT_SECRET_MAX_BYTES).contains(&bytes.len()) {
            return Ok(Self(bytes));
        }
        let problem = format!(
            "must have {WAITPOINT_SECRET_MIN_BYTES}..={WAITPOINT_SECRET_MAX_BYTES} bytes, has {}",
            bytes.len()
        );
        Err(EngineError::validation("waitpoint_secret", problem))
    }

    /// 32 random bytes.
    pub fn generate(source: &dyn SecretSource) -> Self {
        let mut bytes = Zeroizing::new(vec![0; WAITPOINT_SECRET_MIN_BYTES]);
        source.fill(&mut bytes);
        Self(bytes)
    }

    /// The secret itself, for a backend that has to keep one. Do not log it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for WaitpointSecret {
    /// Takes the same time wherever two secrets of one length differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for WaitpointSecret {}

impl fmt::Debug for WaitpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitpointSecret(<redacted>)")
    }
}

impl fmt::Display for WaitpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_bounded_and_the_bytes_never_show() {
        for length in [32, 1024] {
            let secret = WaitpointSecret::new(vec![b'C'; length]).unwrap();
            assert_eq!(secret.expose(), vec![b'C'; length]);
            assert_eq!(format!("{secret:?} {secret}"), "WaitpointSecret(<redacted>) <redacted>");
        }
        for length in [0, 31, 1025] {
            let refused = WaitpointSecret::new(vec![b'C'; length]).unwrap_err();
            assert_eq!(refused.code(), "validation");
            assert!(!format!("{refused} {refused:?}").contains("CC"));
        }
    }

    #[test]
    fn generated_secrets_are_what_their_source_gives() {
        struct Sevens;
        impl SecretSource for Sevens {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(7);
            }
        }

        assert_eq!(WaitpointSecret::generate(&Sevens), WaitpointSecret::new([7; 32]).unwrap());
        assert_ne!(WaitpointSecret::generate(&OsSecrets), WaitpointSecret::generate(&OsSecrets));
    }
}
