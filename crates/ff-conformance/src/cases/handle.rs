//! Handles: cookies that may come back from anywhere, in any shape.

use ff_types::backend::{BackendTag, Handle, HandleKind, HandleOpaque};
use ff_types::limits;

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_invalid, assert_state, cases, ensure_eq};
use crate::verbs::HolderCall;

pub(crate) const CASES: &[Case] = &cases!["handle":
    foreign_backend_is_refused,
    kind_is_checked,
    hostile_bytes_are_refused,
];

/// A handle that another backend made is refused by every verb, although its bytes are good.
pub(crate) async fn foreign_backend_is_refused(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let own = fx.backend.tag();
    let tags = [BackendTag::Mem, BackendTag::Valkey, BackendTag::Custom("elsewhere")];
    let before = fx.snapshot().await;

    for tag in tags.into_iter().filter(|tag| *tag != own) {
        let foreign = Handle::new(tag, task.handle.kind, task.handle.opaque.clone());
        for call in HolderCall::ALL {
            let answer = call.make(fx.backend.as_ref(), &foreign).await;
            assert_invalid(answer, "handle.backend")?;
        }
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A handle of a kind that holds no lease is refused by every verb, although its bytes are those
/// of a live lease.
pub(crate) async fn kind_is_checked(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let opaque = task.handle.opaque.clone();
    let suspended = Handle::new(task.handle.backend, HandleKind::Suspended, opaque);
    let before = fx.snapshot().await;

    for call in HolderCall::ALL {
        assert_state(call.make(fx.backend.as_ref(), &suspended).await, "handle_kind")?;
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// Bytes that are no handle are refused by every verb: none, too few, too many, garbage and
/// another version.
pub(crate) async fn hostile_bytes_are_refused(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let good = task.handle.opaque.as_bytes();
    let mut other_version = good.to_vec();
    other_version[0] ^= 0xff;
    let hostile = [
        Vec::new(),
        vec![0],
        good[..good.len() - 1].to_vec(),
        [good, &[0]].concat(),
        vec![0; good.len()],
        vec![0xff; good.len()],
        vec![0xff; limits::HANDLE_MAX_BYTES],
        b"{\"execution\":\"1\"}".to_vec(),
        other_version,
    ];
    let before = fx.snapshot().await;

    for bytes in hostile {
        let opaque = HandleOpaque::new(bytes)?;
        let handle = Handle::new(task.handle.backend, task.handle.kind, opaque);
        for call in HolderCall::ALL {
            assert_invalid(call.make(fx.backend.as_ref(), &handle).await, "handle.opaque")?;
        }
    }

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}
