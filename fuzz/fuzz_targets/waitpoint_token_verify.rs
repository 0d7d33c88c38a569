//! No edit of a genuine waitpoint token is accepted.
//!
//! The input is a list of edits of two bytes each, where and what, so that the fuzzer starts from a
//! text that nearly verifies instead of having to find one.

#![no_main]

use std::sync::LazyLock;

use ff_engine::{KeyRing, WaitpointSecret};
use ff_types::backend::{Namespace, WaitpointAddress, WaitpointKey, WaitpointToken};
use ff_types::{ExecutionId, TimestampMs, WaitpointId};
use libfuzzer_sys::fuzz_target;

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let secret = |byte| WaitpointSecret::new([byte; 32]).expect("32 bytes are enough");
    KeyRing::new("k2", secret(2))
        .and_then(|ring| ring.with_previous("k1", secret(1), TimestampMs::MAX))
        .expect("two keys with two ids")
});

static GENUINE: LazyLock<String> = LazyLock::new(|| {
    let address = WaitpointAddress::new(
        ExecutionId::from_u128(0x0192_f0c1_a2b3_0000_beef_5eed_00c0_ffee),
        WaitpointId::from_u128(0x0192_f0c1_a2b4_0001_beef_0bad_cafe_0001),
        WaitpointKey::new("approval").expect("a key of letters"),
        TimestampMs(1_900_000_000_000),
    );
    let hmac = RING.sign(&Namespace::default(), &address);
    WaitpointToken::new(address, hmac).as_str().to_owned()
});

fuzz_target!(|edits: &[u8]| {
    let mut bytes = GENUINE.clone().into_bytes();
    for edit in edits.chunks_exact(2) {
        let at = usize::from(edit[0]);
        match bytes.get_mut(at) {
            Some(byte) => *byte = edit[1],
            None => bytes.truncate(at.saturating_sub(usize::from(edit[1]))),
        }
    }
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    let Ok(token) = text.parse::<WaitpointToken>() else {
        assert_ne!(text, *GENUINE);
        return;
    };
    let verified = RING.verify(&Namespace::default(), &token);
    assert_eq!(verified.is_ok(), text == *GENUINE);
    if let Err(refused) = verified {
        assert_eq!(refused.code(), "waitpoint_not_found");
    }
});
