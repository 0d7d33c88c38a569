//! Hostile input never panics, what is accepted reads back the same, and ids sort by creation.

use bytes::Bytes;
use ff_types::backend::{
    AppendFrameOutcome, BackendConfig, BackendTag, CancelFlowPolicy, CancelFlowWait, CapabilitySet,
    ClaimPolicy, CompletionPayload, FailOutcome, FailureClass, FailureReason, Frame, FrameKind,
    Handle, HandleKind, HandleOpaque, LeaseRenewal, PendingWaitpoint, ReclaimGrant, ReclaimToken,
    ResumeSignal, ScannerFilter, UsageDimensions, ValkeyConnection, WaitpointHmac, WaitpointKey,
    WaitpointKind, WaitpointSpec, WaitpointToken,
};
use ff_types::{
    BlockReason, BudgetId, ExecutionId, ExecutionPolicy, ExecutionState, FlowId, GrantId,
    IdempotencyKey, Jitter, LaneId, LeaseId, Namespace, Payload, ReasonSet, RequestId, SignalId,
    StepName, Tags, TaskKind, TerminalOutcome, TimestampMs, WaitpointId, WorkerId,
    WorkerInstanceId,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Decodes whatever it is given; what it accepts must survive another round.
fn decode<T: DeserializeOwned + Serialize>(json: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(json) {
        let again = serde_json::to_vec(&value).expect("a decoded value encodes");
        serde_json::from_slice::<T>(&again).expect("an encoded value decodes");
    }
}

fn decode_as_everything(json: &[u8]) {
    decode::<AppendFrameOutcome>(json);
    decode::<BackendTag>(json);
    decode::<CancelFlowPolicy>(json);
    decode::<CancelFlowWait>(json);
    decode::<CapabilitySet>(json);
    decode::<ClaimPolicy>(json);
    decode::<CompletionPayload>(json);
    decode::<ExecutionId>(json);
    decode::<ExecutionPolicy>(json);
    decode::<ExecutionState>(json);
    decode::<FailOutcome>(json);
    decode::<FailureClass>(json);
    decode::<FailureReason>(json);
    decode::<Frame>(json);
    decode::<Handle>(json);
    decode::<HandleOpaque>(json);
    decode::<IdempotencyKey>(json);
    decode::<LaneId>(json);
    decode::<LeaseRenewal>(json);
    decode::<Namespace>(json);
    decode::<Payload>(json);
    decode::<PendingWaitpoint>(json);
    decode::<ReasonSet>(json);
    decode::<ReclaimGrant>(json);
    decode::<ReclaimToken>(json);
    decode::<RequestId>(json);
    decode::<ResumeSignal>(json);
    decode::<ScannerFilter>(json);
    decode::<StepName>(json);
    decode::<Tags>(json);
    decode::<TaskKind>(json);
    decode::<TerminalOutcome>(json);
    decode::<UsageDimensions>(json);
    decode::<WaitpointHmac>(json);
    decode::<WaitpointKey>(json);
    decode::<WaitpointSpec>(json);
    decode::<WaitpointToken>(json);
}

/// Parses whatever it is given; what it accepts must show as it was given.
macro_rules! parse_shown {
    ($text:expr, $($type:ty),+ $(,)?) => {
        $(
            if let Ok(value) = $text.parse::<$type>() {
                prop_assert_eq!(&value.to_string(), &$text);
            }
        )+
    };
}

/// Any text, mostly such as comes close to what some parser accepts.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,80}",
        "[0-9a-f]{30,34}",
        "[a-z0-9_-]{0,34}:[0-9a-f]{39,41}",
        "w[12]([.][0-9a-f]{32}){1,2}[.]-?[0-9]{1,20}[.][a-zA-Z_-]{0,9}[.]k:[0-9a-f]{39,41}",
        "custom:[a-z]{1,2}",
        "(valkey|rediss|mem)s?:(//)?[a-z0-9:@%/?=\\[\\].é]{0,40}",
    ]
}

/// Any JSON, mostly made of the words the decoders look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    let name = prop_oneof![
        Just("backend"),
        Just("bytes"),
        Just("content_type"),
        Just("custom"),
        Just("frame_count"),
        Just("grant"),
        Just("hmac_token"),
        Just("kind"),
        Just("lease_ttl_ms"),
        Just("opaque"),
        Just("payload"),
        Just("retry_scheduled"),
        Just("wait_timeout_ms"),
        Just("waitpoint_id"),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|entries| {
                entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn decoders_never_panic_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn decoders_never_panic_on_json(json in json()) {
        decode_as_everything(&serde_json::to_vec(&json).expect("a JSON value encodes"));
    }

    #[test]
    fn parsers_never_panic_and_read_back(text in text()) {
        parse_shown!(
            text, BackendTag, BlockReason, BudgetId, CancelFlowPolicy, ExecutionId, ExecutionState,
            FailureClass, FlowId, FrameKind, GrantId, HandleKind, Jitter, LaneId, LeaseId, Namespace,
            RequestId, SignalId, TaskKind, TerminalOutcome, WaitpointId, WaitpointKey,
            WaitpointKind, WorkerId,
            WorkerInstanceId,
        );
        if let Ok(key) = text.parse::<IdempotencyKey>() {
            prop_assert_eq!(key.as_str(), &text);
        }
        if let Ok(token) = text.parse::<WaitpointHmac>() {
            prop_assert_eq!(token.as_str(), &text);
        }
        if let Ok(token) = text.parse::<WaitpointToken>() {
            let joined = WaitpointToken::new(token.address().clone(), token.hmac().clone());
            prop_assert_eq!((token.as_str(), joined.as_str()), (&*text, &*text));
        }
        if let Ok(set) = text.parse::<CapabilitySet>() {
            prop_assert_eq!(set.as_str().parse::<CapabilitySet>(), Ok(set));
        }
        if let Ok(connection) = text.parse::<ValkeyConnection>()
            && connection.password.is_none()
        {
            prop_assert_eq!(connection.to_string().parse::<ValkeyConnection>(), Ok(connection));
        }
        let _ = text.parse::<BackendConfig>();
    }

    #[test]
    fn ids_read_back(bits in any::<u128>()) {
        let id = ExecutionId::from_u128(bits);

        prop_assert_eq!(id.to_string().len(), 32);
        prop_assert_eq!(id.to_string().parse::<ExecutionId>(), Ok(id));
        prop_assert_eq!(ExecutionId::from_bytes(id.to_bytes()), id);
        let json = serde_json::to_string(&id).expect("an id encodes");
        prop_assert_eq!(serde_json::from_str::<ExecutionId>(&json).expect("an id decodes"), id);
    }

    #[test]
    fn text_order_is_creation_order(
        a in (0_u64..1 << 48, any::<u16>(), any::<u16>(), any::<u64>()),
        b in (0_u64..1 << 48, any::<u16>(), any::<u16>(), any::<u64>()),
    ) {
        let made = |(ms, sequence, shard, random)| {
            ExecutionId::from_parts(ms, sequence, shard, random)
        };
        let (first, second) = (made(a), made(b));

        prop_assert_eq!(first.cmp(&second), first.to_string().cmp(&second.to_string()));
        prop_assert_eq!(first.cmp(&second), first.to_bytes().cmp(&second.to_bytes()));
        if (a.0, a.1) != (b.0, b.1) {
            prop_assert_eq!(first.cmp(&second), (a.0, a.1).cmp(&(b.0, b.1)));
        }
    }

    #[test]
    fn leases_of_one_request_differ(
        bits in any::<u128>(),
        a in any::<u16>(),
        b in any::<u16>(),
    ) {
        let request = RequestId::from_u128(bits);

        prop_assert_eq!(request.lease(a) == request.lease(b), a == b);
        prop_assert_eq!(request.grant(a).lease(), request.lease(a));
        prop_assert_eq!(request.to_string().parse::<RequestId>(), Ok(request));
    }

    #[test]
    fn timestamps_never_overflow(
        at in any::<i64>(),
        other in any::<i64>(),
        secs in any::<u64>(),
        nanos in 0_u32..1_000_000_000,
    ) {
        let (at, other) = (TimestampMs(at), TimestampMs(other));
        let duration = Duration::new(secs, nanos);
        let range = TimestampMs::ZERO..=TimestampMs::MAX;

        prop_assert!(range.contains(&at.saturating_add(duration)));
        prop_assert!(range.contains(&at.saturating_sub(duration)));
        prop_assert_eq!(at.saturating_since(other).is_zero(), at <= other);
    }

    #[test]
    fn subsets_agree_with_a_set(
        needed in prop::collection::btree_set("[!a-c+.]{1,3}", 0..6),
        offered in prop::collection::btree_set("[!a-c+.]{1,3}", 0..12),
    ) {
        let set = |tokens: &std::collections::BTreeSet<String>| {
            CapabilitySet::from_tokens(tokens).expect("tokens are valid")
        };

        prop_assert_eq!(set(&needed).is_subset_of(&set(&offered)), needed.is_subset(&offered));
        prop_assert!(set(&needed).iter().eq(needed.iter()));
    }

    #[test]
    fn opaque_bytes_read_back(bytes in prop::collection::vec(any::<u8>(), 0..=256)) {
        let opaque = HandleOpaque::new(bytes.clone()).expect("within the limit");
        let handle = Handle::new(BackendTag::Valkey, HandleKind::Resumed, opaque);

        let json = serde_json::to_string(&handle).expect("a handle encodes");
        let back: Handle = serde_json::from_str(&json).expect("a handle decodes");

        prop_assert_eq!(back.opaque.as_bytes(), &bytes);
        prop_assert_eq!(back, handle);
    }

    #[test]
    fn payloads_read_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let payload = Payload::new(bytes.clone());

        let json = serde_json::to_string(&payload).expect("a payload encodes");
        let back: Payload = serde_json::from_str(&json).expect("a payload decodes");

        prop_assert_eq!(back.into_bytes(), Bytes::from(bytes));
    }

    #[test]
    fn validation_never_panics(
        lease_ttl in any::<Duration>(),
        max_wait in any::<Duration>(),
        max_tasks in any::<u32>(),
        name in any::<String>(),
    ) {
        let _ = ClaimPolicy::immediate(WorkerId::from_u128(1), WorkerInstanceId::from_u128(2))
            .with_lease_ttl(lease_ttl)
            .with_max_wait(max_wait)
            .with_max_tasks(max_tasks)
            .validate();
        let _ = Frame::new(name.clone(), FrameKind::Blob)
            .with_frame_type(name.clone())
            .with_correlation_id(name.clone())
            .validate();
        let _ = UsageDimensions::new().with_custom(name.clone(), 1).with_dedup_key(name).validate();
        let _ = ExecutionPolicy::default()
            .with_attempt_timeout(lease_ttl)
            .with_retention(max_wait)
            .validate();
    }
}
