//! Every name of the vocabulary is where consumers look for it, and those meant to be written out
//! as literals or matched in full can be.

use bytes::Bytes;
use ff_types::backend::{
    AppendFrameOutcome, BackendConfig, BackendConnection, BackendRetry, BackendTag,
    BackendTimeouts, CancelFlowPolicy, CancelFlowWait, CapabilitySet, ClaimPolicy,
    CompletionPayload, FailOutcome, FailureClass, FailureReason, Frame, FrameKind, Handle,
    HandleKind, HandleOpaque, LeaseRenewal, Namespace, PendingWaitpoint, ReclaimGrant,
    ReclaimToken, ResumeSignal, ScannerFilter, UsageDimensions, ValkeyConnection, WaitpointAddress,
    WaitpointHmac, WaitpointKey, WaitpointKind, WaitpointSpec, WaitpointToken,
};
use ff_types::{
    AttemptIndex, BudgetId, ExecutionId, FlowId, GrantId, LaneId, LeaseEpoch, LeaseId, RequestId,
    SignalId, TimestampMs, WaitpointId, WorkerId, WorkerInstanceId,
};

fn shareable<T: Send + Sync + 'static>() {}

fn copyable<T: Copy + Send + Sync + 'static>() {}

#[test]
fn every_type_can_cross_threads() {
    shareable::<AppendFrameOutcome>();
    shareable::<BackendConfig>();
    shareable::<BackendConnection>();
    shareable::<CapabilitySet>();
    shareable::<ClaimPolicy>();
    shareable::<CompletionPayload>();
    shareable::<FailOutcome>();
    shareable::<FailureReason>();
    shareable::<Frame>();
    shareable::<Handle>();
    shareable::<HandleOpaque>();
    shareable::<LaneId>();
    shareable::<Namespace>();
    shareable::<PendingWaitpoint>();
    shareable::<ReclaimGrant>();
    shareable::<ReclaimToken>();
    shareable::<ResumeSignal>();
    shareable::<ScannerFilter>();
    shareable::<UsageDimensions>();
    shareable::<ValkeyConnection>();
    shareable::<WaitpointAddress>();
    shareable::<WaitpointHmac>();
    shareable::<WaitpointKey>();
    shareable::<WaitpointSpec>();
    shareable::<WaitpointToken>();
}

#[test]
fn small_types_are_copied() {
    copyable::<AttemptIndex>();
    copyable::<BackendRetry>();
    copyable::<BackendTag>();
    copyable::<BackendTimeouts>();
    copyable::<BudgetId>();
    copyable::<CancelFlowPolicy>();
    copyable::<CancelFlowWait>();
    copyable::<ExecutionId>();
    copyable::<FailureClass>();
    copyable::<FlowId>();
    copyable::<FrameKind>();
    copyable::<GrantId>();
    copyable::<HandleKind>();
    copyable::<LeaseEpoch>();
    copyable::<LeaseId>();
    copyable::<LeaseRenewal>();
    copyable::<RequestId>();
    copyable::<SignalId>();
    copyable::<TimestampMs>();
    copyable::<WaitpointId>();
    copyable::<WaitpointKind>();
    copyable::<WorkerId>();
    copyable::<WorkerInstanceId>();
}

#[test]
fn the_namespace_is_one_type_under_all_its_paths() {
    let namespace: ff_types::types::Namespace = Namespace::default();
    let _: ff_types::Namespace = namespace;
}

#[test]
fn a_resume_signal_is_written_as_a_literal() {
    let signal = ResumeSignal {
        signal_id: SignalId::from_u128(1),
        signal_name: "approved".to_owned(),
        signal_category: "human".to_owned(),
        source_type: "user".to_owned(),
        source_identity: "ada".to_owned(),
        correlation_id: None,
        accepted_at: TimestampMs(7),
        payload: Some(Bytes::from_static(b"\x00\xff")),
    };

    let ResumeSignal {
        signal_id: _,
        signal_name: _,
        signal_category: _,
        source_type: _,
        source_identity: _,
        correlation_id: _,
        accepted_at: _,
        payload,
    } = signal;
    assert_eq!(payload.as_deref(), Some(&b"\x00\xff"[..]));
}

#[test]
fn outcomes_a_caller_must_decide_on_are_matched_in_full() {
    let outcome = FailOutcome::RetryScheduled { delay_until: TimestampMs(7) };

    let retry_at = match outcome {
        FailOutcome::RetryScheduled { delay_until } => Some(delay_until),
        FailOutcome::TerminalFailed => None,
    };

    assert_eq!(retry_at, Some(TimestampMs(7)));
    let appended = AppendFrameOutcome { stream_id: "7-0".to_owned(), frame_count: 1 };
    assert_eq!(appended.frame_count, 1);
}
