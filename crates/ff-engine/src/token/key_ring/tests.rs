//! What a ring signs, verifies and refuses.

use ff_types::{ExecutionId, WaitpointId, WaitpointKey};

use super::*;

const NOW: TimestampMs = TimestampMs(1_000_000);
const GRACE: Duration = Duration::from_mins(1);

fn secret(byte: u8) -> WaitpointSecret {
    WaitpointSecret::new([byte; 32]).unwrap()
}

fn ring() -> KeyRing {
    KeyRing::new("k1", secret(1)).unwrap()
}

fn address() -> WaitpointAddress {
    WaitpointAddress::new(
        ExecutionId::from_u128(1),
        WaitpointId::from_u128(2),
        WaitpointKey::new("approval").unwrap(),
        TimestampMs(5_000_000),
    )
}

fn token(ring: &KeyRing) -> WaitpointToken {
    WaitpointToken::new(address(), ring.sign(&Namespace::default(), &address()))
}

fn verify(ring: &KeyRing, token: &WaitpointToken) -> Result<Verified, &'static str> {
    ring.verify(&Namespace::default(), token).map_err(|refused| {
        assert_eq!(refused.to_string(), "waitpoint not found");
        refused.code()
    })
}

#[test]
fn the_newest_key_signs_and_those_before_it_verify_until_their_grace_ends() {
    let mut ring = ring();
    let old = token(&ring);
    assert_eq!(verify(&ring, &old), Ok(Verified { verify_until: None }));

    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();

    let until = NOW.saturating_add(GRACE);
    let verified = verify(&ring, &old).unwrap();
    assert_eq!(verified, Verified { verify_until: Some(until) });
    assert!(verified.holds_at(NOW) && !verified.holds_at(until));
    let new = token(&ring);
    assert_eq!((ring.kid(), new.hmac().kid()), ("k2", "k2"));
    assert_eq!(verify(&ring, &new), Ok(Verified { verify_until: None }));
}

#[test]
fn the_keys_that_count_are_listed_the_one_that_signs_first() {
    let mut ring = ring();
    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();

    assert_eq!(ring.kids(NOW).collect::<Vec<_>>(), ["k2", "k1"]);
    assert_eq!(ring.kids(NOW.saturating_add(GRACE)).collect::<Vec<_>>(), ["k2"]);
}

#[test]
fn a_key_whose_grace_is_over_is_dropped_by_the_next_rotation() {
    let mut ring = ring();
    let old = token(&ring);
    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();

    ring.rotate("k3", secret(3), GRACE, NOW.saturating_add(GRACE)).unwrap();

    assert_eq!(verify(&ring, &old), Err("waitpoint_not_found"));
    assert_eq!(ring.sign_as("k1", &Namespace::default(), &address()), None);
}

#[test]
fn a_repeated_rotation_prolongs_no_grace() {
    let mut ring = ring();
    let old = token(&ring);
    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();
    let first = verify(&ring, &old);

    ring.rotate("k2", secret(2), GRACE, NOW.saturating_add(GRACE)).unwrap();

    assert_eq!(verify(&ring, &old), first);
}

#[test]
fn a_rotation_can_be_taken_back() {
    let mut ring = ring();
    let old = token(&ring);
    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();
    let new = token(&ring);

    ring.rotate("k1", secret(1), GRACE, NOW).unwrap();

    assert_eq!(verify(&ring, &old), Ok(Verified { verify_until: None }));
    assert_eq!(verify(&ring, &new), Ok(Verified { verify_until: Some(NOW.saturating_add(GRACE)) }));
}

#[test]
fn one_id_with_two_secrets_is_a_conflict_and_changes_nothing() {
    let mut ring = ring();
    ring.rotate("k2", secret(2), GRACE, NOW).unwrap();
    let before = format!("{ring:?}");

    for (kid, byte) in [("k1", 9), ("k2", 9)] {
        let refused = ring.rotate(kid, secret(byte), GRACE, NOW).unwrap_err();
        assert_eq!(refused.code(), "key_conflict");
        let refused = ring.clone().with_previous(kid, secret(byte), NOW).unwrap_err();
        assert_eq!(refused.code(), "key_conflict");
    }
    assert_eq!(format!("{ring:?}"), before);
}

#[test]
fn a_ring_is_written_down_with_its_history() {
    let old = token(&ring());

    let ring = KeyRing::new("k2", secret(2))
        .and_then(|ring| ring.with_previous("k1", secret(1), NOW))
        .and_then(|ring| ring.with_previous("k1", secret(1), TimestampMs(7)))
        .and_then(|ring| ring.with_previous("k2", secret(2), NOW))
        .unwrap();

    assert_eq!(ring.kid(), "k2");
    assert_eq!(verify(&ring, &old), Ok(Verified { verify_until: Some(NOW) }));
    assert_eq!(ring.sign_as("k1", &Namespace::default(), &address()).as_ref(), Some(old.hmac()));
}

#[test]
fn a_ring_holds_eight_keys() {
    let mut ring = ring();
    for byte in 2..=8 {
        ring.rotate(format!("k{byte}"), secret(byte), GRACE, NOW).unwrap();
    }
    let before = format!("{ring:?}");

    let refused = ring.rotate("k9", secret(9), GRACE, NOW).unwrap_err();
    assert_eq!(refused.to_string(), "waitpoint_keys is 9, the limit is 8");
    let refused = ring.clone().with_previous("k9", secret(9), NOW).unwrap_err();
    assert_eq!(refused.code(), "limit_exceeded");
    assert_eq!(format!("{ring:?}"), before);

    ring.rotate("k3", secret(3), GRACE, NOW).unwrap();
    ring.rotate("k9", secret(9), GRACE, NOW.saturating_add(GRACE)).unwrap();
    assert_eq!(ring.kid(), "k9");
}

#[test]
fn key_ids_are_bounded_and_secrets_never_show() {
    for kid in ["", "a.b", "a:b", "é", &"k".repeat(33)] {
        assert_eq!(KeyRing::new(kid, secret(1)).unwrap_err().code(), "validation");
    }

    let canary = WaitpointSecret::new(vec![b'C'; 64]).unwrap();
    let ring = KeyRing::new("k".repeat(32), canary.clone()).unwrap();
    let ring = ring.with_previous("old", canary, NOW).unwrap();
    let shown = format!("{ring:?} {ring:#?}");
    assert!(!shown.contains("CC") && !shown.contains("67, 67"), "{shown}");
}

#[test]
fn everything_that_is_signed_counts() {
    let ring = ring();
    let genuine = token(&ring);
    let changed: [fn(&mut WaitpointAddress); 4] = [
        |address| address.execution_id = ExecutionId::from_u128(9),
        |address| address.waitpoint_id = WaitpointId::from_u128(9),
        |address| address.key = WaitpointKey::new("other").unwrap(),
        |address| address.expires_at = TimestampMs(5_000_001),
    ];

    for change in changed {
        let mut address = address();
        change(&mut address);
        let forged = WaitpointToken::new(address, genuine.hmac().clone());
        assert_eq!(verify(&ring, &forged), Err("waitpoint_not_found"));
    }
    let elsewhere = ring.verify(&Namespace::new("other").unwrap(), &genuine);
    assert_eq!(elsewhere.unwrap_err().code(), "waitpoint_not_found");
    let relabelled = format!("k2:{}", genuine.hmac().mac_hex()).parse().unwrap();
    let relabelled = WaitpointToken::new(address(), relabelled);
    assert_eq!(verify(&ring, &relabelled), Err("waitpoint_not_found"));
}

#[test]
fn a_generated_ring_verifies_what_it_signed() {
    let ring = KeyRing::generate(&super::super::OsSecrets);

    assert!(ring.kid().starts_with(KeyRing::AUTO_KID), "{}", ring.kid());
    assert!(verify(&ring, &token(&ring)).is_ok());
    assert_eq!(
        verify(&KeyRing::generate(&super::super::OsSecrets), &token(&ring)),
        Err("waitpoint_not_found")
    );
}
