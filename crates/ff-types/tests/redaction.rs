//! No payload, token, key or password shows in `Debug`, in `Display` or in an error.

use bytes::Bytes;
use ff_types::backend::{
    BackendConfig, BackendTag, CapabilitySet, CompletionPayload, FailureReason, Frame, FrameKind,
    Handle, HandleKind, HandleOpaque, PendingWaitpoint, ReclaimGrant, ReclaimToken, ResumeSignal,
    UsageDimensions, ValkeyConnection, WaitpointAddress, WaitpointHmac, WaitpointKey,
    WaitpointKind, WaitpointSpec, WaitpointToken,
};
use ff_types::{
    ExecutionId, IdempotencyKey, LaneId, Namespace, Payload, SignalId, Tags, TerminalOutcome,
    TimestampMs, WaitpointId,
};
use serde::de::DeserializeOwned;

const CANARY: &str = "CANARY";
/// Hex digits a token may hold, so that the canary is a well-formed secret.
const HEX_CANARY: &str = "deadbeefcafef00ddeadbeefcafef00ddeadbeef";

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(!shown.contains("deadbeef"), "{shown}");
    // Bytes shown as a list of numbers: "CA".
    assert!(!shown.contains("67, 65"), "{shown}");
}

fn token() -> WaitpointHmac {
    WaitpointHmac::new(format!("k1:{HEX_CANARY}")).expect("the canary has the shape of a token")
}

fn pending() -> PendingWaitpoint {
    let address = WaitpointAddress::new(
        ExecutionId::from_u128(1),
        WaitpointId::from_u128(2),
        WaitpointKey::new("approval").expect("a key of letters"),
        TimestampMs(1_000),
    );
    PendingWaitpoint::new(address, token())
}

#[test]
fn payloads_show_their_length() {
    let signal = ResumeSignal {
        signal_id: SignalId::from_u128(1),
        signal_name: String::new(),
        signal_category: String::new(),
        source_type: String::new(),
        source_identity: String::new(),
        correlation_id: None,
        accepted_at: TimestampMs::ZERO,
        payload: Some(Bytes::from_static(CANARY.as_bytes())),
    };
    let completion = CompletionPayload::new(
        ExecutionId::from_u128(1),
        TerminalOutcome::Completed,
        TimestampMs::ZERO,
    )
    .with_payload_bytes(CANARY);

    for shown in [
        format!("{:?}", Payload::new(CANARY)),
        format!("{:?}", Frame::new(CANARY, FrameKind::Blob)),
        format!("{:?}", FailureReason::new("boom").with_detail(CANARY)),
        format!("{signal:?}"),
        format!("{completion:?}"),
    ] {
        assert_hidden(&shown);
        assert!(shown.contains('6'), "the length is missing: {shown}");
    }
}

#[test]
fn handles_and_reclaim_tokens_show_their_length() {
    let opaque = HandleOpaque::new(CANARY).unwrap();
    assert_hidden(&format!("{opaque:?}"));
    assert_hidden(&format!("{:?}", Handle::new(BackendTag::Mem, HandleKind::Fresh, opaque)));

    let grant = ReclaimGrant::new(CANARY).unwrap();
    assert_hidden(&format!("{grant:?} {:?}", ReclaimToken::new(grant.clone())));
}

#[test]
fn waitpoint_tokens_are_redacted_wherever_they_are() {
    let pending = pending();
    let spec = WaitpointSpec::pending(&pending, WaitpointKind::External, CANARY);

    assert_hidden(&format!("{:?} {}", token(), token()));
    assert_hidden(&format!("{pending:?} {spec:?} {spec:#?}"));
    let text = pending.token();
    assert!(text.as_str().contains(HEX_CANARY));
    assert_hidden(&format!("{text:?} {text} {text:#?}"));
}

#[test]
fn keys_show_their_length() {
    let key = IdempotencyKey::new(CANARY).unwrap();
    assert_hidden(&format!("{key:?} {key}"));

    let usage = UsageDimensions::new().with_dedup_key(CANARY);
    assert_hidden(&format!("{usage:?}"));
}

#[test]
fn passwords_are_redacted_wherever_they_are() {
    let connection = ValkeyConnection::new("db", 6379).with_username("u").with_password(CANARY);
    assert_hidden(&format!("{connection:?} {connection} {connection:#?}"));
    let password = connection.password.unwrap();
    assert_hidden(&format!("{password:?} {password}"));

    let config = BackendConfig::from_url("valkey://u:CANARY@db").unwrap();
    assert_hidden(&format!("{config:?}"));
}

#[test]
fn url_errors_do_not_echo_the_url() {
    for url in [
        "CANARY",
        "CANARY://db",
        "valkey://u:CANARY@",
        "valkey://u:CANARY%zz@db",
        "valkey://u:CANARY@db:x",
        "valkey://u:CANARY@db/x",
        "valkey://u:CANARY@db?x",
        "valkey://u:CANARY/x@db",
        "valkey://u:p@[CANARY]",
        "mem://CANARY",
    ] {
        let refused = BackendConfig::from_url(url).unwrap_err();
        assert_hidden(&format!("{refused} {refused:?}"));
    }
}

#[track_caller]
fn assert_refused_silently<T: DeserializeOwned>(json: &str) {
    match serde_json::from_str::<T>(json) {
        Ok(_) => panic!("accepted: {json}"),
        Err(refused) => assert_hidden(&format!("{refused} {refused:?}")),
    }
}

#[test]
fn decoding_errors_do_not_echo_the_value() {
    let text = "\"CANARY\\u0007\"";

    assert_refused_silently::<WaitpointHmac>(text);
    assert_refused_silently::<WaitpointHmac>(&format!("\"k1:{HEX_CANARY}0\""));
    assert_refused_silently::<PendingWaitpoint>(&format!(
        r#"{{"waitpoint_id":"{}","hmac_token":{text}}}"#,
        WaitpointId::from_u128(1)
    ));
    assert_refused_silently::<WaitpointToken>(text);
    assert_refused_silently::<WaitpointToken>(&format!("\"{}0\"", pending().token().as_str()));
    assert_refused_silently::<WaitpointKey>(text);
    assert_refused_silently::<HandleOpaque>(text);
    assert_refused_silently::<ReclaimToken>(text);
    assert_refused_silently::<IdempotencyKey>(text);
    assert_refused_silently::<LaneId>(text);
    assert_refused_silently::<Namespace>(text);
    assert_refused_silently::<ExecutionId>(text);
    assert_refused_silently::<BackendTag>(text);
    assert_refused_silently::<HandleKind>(text);
    assert_refused_silently::<CapabilitySet>(&format!("[{text}]"));
    assert_refused_silently::<Tags>(&format!(r#"{{"k":{text}}}"#));
    assert_refused_silently::<Tags>(&format!(r#"{{{text}:"v"}}"#));
    assert_refused_silently::<Payload>(&format!(r#"{{"content_type":{text},"bytes":[1]}}"#));
    assert_refused_silently::<Payload>(r#"{"content_type":"\u0007","bytes":"CANARY"}"#);
}
