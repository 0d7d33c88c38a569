//! Waitpoint tokens: who may signal what.
//!
//! A token proves that its bearer was given the right to signal one waitpoint. It is a function of
//! the waitpoint's address and a key, so a store keeps neither tokens nor keys, and a forged token
//! is refused before the store is asked. What only the store can know is not decided here: whether
//! the waitpoint is open, and what time it is.

mod encoding;
mod key_ring;
mod secret;

pub use encoding::signed_bytes;
pub use key_ring::{KeyRing, Verified};
pub use secret::{OsSecrets, SecretSource, WaitpointSecret};
