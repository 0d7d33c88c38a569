//! The vectors on the page that documents the token format hold for the code.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use ff_engine::{KeyRing, WaitpointSecret};
use ff_types::backend::{WaitpointAddress, WaitpointToken};
use ff_types::{ExecutionId, Namespace, TimestampMs, WaitpointId, WaitpointKey};
use serde::Deserialize;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/waitpoint-token.md");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    what: String,
    secret: String,
    kid: String,
    namespace: Namespace,
    execution: ExecutionId,
    waitpoint: WaitpointId,
    key: WaitpointKey,
    expires_at: TimestampMs,
    message: String,
    token: String,
}

/// Every block of JSON on the page.
fn vectors() -> Vec<Vector> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let blocks = page.split("```json\n").skip(1);
    blocks.map(|block| serde_json::from_str(block.split_once("```").unwrap().0).unwrap()).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_vector_of_the_page_is_signed_and_verified_alike() {
    let vectors = vectors();
    assert!(vectors.len() >= 4);

    for vector in vectors {
        let what = &vector.what;
        let secret = WaitpointSecret::new(bytes_of(&vector.secret)).unwrap();
        let ring = KeyRing::new(vector.kid, secret).unwrap();
        let address = WaitpointAddress::new(
            vector.execution,
            vector.waitpoint,
            vector.key,
            vector.expires_at,
        );

        let message = ff_engine::token::signed_bytes(&vector.namespace, &address);
        assert_eq!(message, bytes_of(&vector.message), "{what}");
        let signed = WaitpointToken::new(address.clone(), ring.sign(&vector.namespace, &address));
        assert_eq!(signed.as_str(), vector.token, "{what}");
        let read: WaitpointToken = vector.token.parse().unwrap();
        assert_eq!(read.address(), &address, "{what}");
        assert!(ring.verify(&vector.namespace, &read).is_ok(), "{what}");
    }
}
