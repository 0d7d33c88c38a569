//! What all requests of operators have in common.

use ff_engine::{HoldOutcome, ReleaseHold, ReleaseHoldOutcome, SuspendCondition};
use ff_types::limits;

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_too_large, cases, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &cases!["operator":
    repeat_is_harmless,
    id_counts_for_its_verb,
    limits_are_enforced,
];

/// A repeat under the same request id gives the first outcome and changes nothing, although that
/// outcome is no longer what a new request would get, and although up to seven other requests have
/// changed the execution since.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let id = fx.submit_default().await?;
    let backend = &fx.backend;
    macro_rules! repeated {
        ($verb:ident, $request:expr) => {{
            let request = $request;
            let first = backend.$verb(&request).await?;
            let before = fx.snapshot().await;
            fx.advance(1).await;
            ensure_eq!(backend.$verb(&request).await?, first, stringify!($verb));
            ensure_eq!(fx.snapshot().await, before, "the store after {}", stringify!($verb));
        }};
    }

    repeated!(hold, fx.hold_request(id));
    repeated!(release_hold, fx.release_hold_request(id));
    fx.claim_one().await?;
    repeated!(revoke, fx.revoke_request(id));
    let task = fx.reclaim_one().await?;
    let pending = fx.pending(&task, "approval").await?;
    repeated!(withdraw_waitpoint, fx.withdraw_request(id, pending.waitpoint_id));
    fx.suspend(&task.handle, &fx.wait_for(&["approval"], SuspendCondition::Any)?).await?;
    repeated!(resume_execution, fx.resume_request(id));
    fx.reclaim_one().await?;
    repeated!(cancel_execution, fx.cancel_request(id, "while it runs"));
    fx.backend.revoke(&fx.revoke_request(id)).await?;
    repeated!(replay, fx.replay_request(id));
    repeated!(cancel_execution, fx.cancel_request(id, "while it waits"));

    let id = fx.completed().await?.execution_id;
    let (replay, hold) = (fx.replay_request(id), fx.hold_request(id));
    let first_replay = backend.replay(&replay).await?;
    let first_hold = backend.hold(&hold).await?;
    let release = fx.release_hold_request(id);
    let first_release = backend.release_hold(&release).await?;
    macro_rules! still {
        ($when:literal) => {
            let before = fx.snapshot().await;
            ensure_eq!(backend.replay(&replay).await?, first_replay, "the replay {}", $when);
            ensure_eq!(backend.hold(&hold).await?, first_hold, "the hold {}", $when);
            ensure_eq!(backend.release_hold(&release).await?, first_release, "the release {}", $when);
            ensure_eq!(fx.snapshot().await, before, "the store {}", $when);
        };
    }
    still!("before it runs");
    let task = fx.claim_one().await?;
    still!("while it runs");
    backend.complete(&task.handle, None).await?;
    still!("after its end");
    ensure!(fx.claim_if_any().await?.is_none(), "the repeat of a replay runs it again");

    let cancel = fx.cancel_request(id, "later");
    backend.replay(&fx.replay_request(id)).await?;
    let cancelled = backend.cancel_execution(&cancel).await?;
    backend.replay(&fx.replay_request(id)).await?;
    backend.hold(&fx.hold_request(id)).await?;
    backend.release_hold(&fx.release_hold_request(id)).await?;
    still!("with eight requests remembered");
    ensure_eq!(backend.cancel_execution(&cancel).await?, cancelled);
    ensure_eq!(fx.claim_one().await?.execution_id, id);
    Ok(())
}

/// The same request id under another verb is another request, and a repeat of each gives its own
/// first outcome.
pub(crate) async fn id_counts_for_its_verb(fx: Fixture) -> CaseResult {
    let id = fx.submit_default().await?;
    let hold = fx.hold_request(id);
    let release = ReleaseHold::new(hold.request_id, id);

    let first = fx.backend.hold(&hold).await?;
    let released = fx.backend.release_hold(&release).await?;
    let before = fx.snapshot().await;

    ensure_eq!((first, released), (HoldOutcome::Held, ReleaseHoldOutcome::Released));
    ensure_eq!(fx.backend.release_hold(&release).await?, released);
    ensure_eq!(fx.backend.hold(&hold).await?, first);
    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}

/// A reason of 1 KiB is taken; one byte more is refused and changes nothing.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let id = task.execution_id;
    let most = limits::REASON_MAX_BYTES;
    let (longest, over) = ("x".repeat(most), "x".repeat(most + 1));
    let mut revoke = fx.revoke_request(id);
    revoke.reason.clone_from(&over);
    let before = fx.snapshot().await;

    let cancel = fx.backend.cancel_execution(&fx.cancel_request(id, &over)).await;
    assert_too_large(cancel, most, most + 1)?;
    assert_too_large(fx.backend.revoke(&revoke).await, most, most + 1)?;
    assert_too_large(fx.backend.cancel(&task.handle, &over).await, most, most + 1)?;
    ensure_eq!(fx.snapshot().await, before);

    fx.backend.cancel_execution(&fx.cancel_request(id, &longest)).await?;
    let kept = fx.describe(id).await?.cancel.map(|cancel| cancel.reason);
    ensure_eq!(kept.as_ref(), Some(&longest));
    revoke.reason = longest;
    fx.backend.revoke(&revoke).await?;
    Ok(())
}
