//! Reading a waitpoint token never panics, and what is accepted reads back as it was.

#![no_main]

use ff_types::backend::{WaitpointHmac, WaitpointToken};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(token) = text.parse::<WaitpointToken>() {
        assert_eq!(token.as_str(), text);
        let joined = WaitpointToken::new(token.address().clone(), token.hmac().clone());
        assert_eq!(joined, token);
    }
    if let Ok(hmac) = text.parse::<WaitpointHmac>() {
        assert_eq!(hmac.as_str(), text);
    }
});
