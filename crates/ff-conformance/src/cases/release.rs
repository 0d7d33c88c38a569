//! Releases: a lease is given back once, and what that did stands.

use ff_engine::{FailRequest, StateKind};
use ff_types::backend::{FailOutcome, FailureClass};
use ff_types::ExecutionPolicy;

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, cases, ensure_eq, refused};
use crate::fixture::{failure, ms, retry_after};
use crate::verbs::{HolderCall, Release};

pub(crate) const CASES: &[Case] = &cases!["release":
    repeat_gives_the_first_outcome,
    repeat_survives_later_attempts,
    different_call_is_refused,
];

/// A repeat of the same release, at any time and although another attempt is running by then,
/// gives the outcome of the first and changes nothing.
pub(crate) async fn repeat_gives_the_first_outcome(fx: Fixture) -> CaseResult {
    for release in Release::DISTINCT {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let first = release.make(fx.backend.as_ref(), &task.handle).await?;
        let repeated = async || {
            let before = fx.snapshot().await;
            let again = release.make(fx.backend.as_ref(), &task.handle).await?;
            ensure_eq!(again, first, "the answer to {release:?}");
            ensure_eq!(fx.snapshot().await, before, "the store after {release:?}");
            CaseResult::Ok(())
        };

        repeated().await?;
        fx.advance(100_000).await;
        repeated().await?;
        fx.settle().await?;
        repeated().await?;
        fx.claim_if_any().await?;
        for token in fx.tokens(1).await? {
            fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
        }
        repeated().await?;
    }
    Ok(())
}

/// A failure repeated after its retry was run by others, even to the end and beyond a replay, gives
/// its own first outcome and changes nothing: the latest eight ended leases are remembered.
pub(crate) async fn repeat_survives_later_attempts(fx: Fixture) -> CaseResult {
    const REMEMBERED: u64 = 8;
    let at_once = |message: &str| -> FailRequest {
        let mut request = failure(FailureClass::Transient).with_retry_after(ms(0));
        message.clone_into(&mut request.reason.message);
        request
    };
    let policy = ExecutionPolicy::default().with_retry(retry_after(10, 60_000));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let first = fx.backend.fail(&task.handle, &at_once("the first")).await?;
    ensure_eq!(first, FailOutcome::RetryScheduled { delay_until: fx.now().await });
    let repeated = async |when: &str| {
        fx.advance(1).await;
        let before = fx.snapshot().await;
        let again = fx.backend.fail(&task.handle, &at_once("the first")).await?;
        ensure_eq!(again, first, "the answer {when}");
        ensure_eq!(fx.snapshot().await, before, "the store {when}");
        CaseResult::Ok(())
    };

    let other = fx.worker().claim_one().await?;
    ensure_eq!(other.execution_id, task.execution_id);
    repeated("while another runs it").await?;
    fx.backend.complete(&other.handle, None).await?;
    repeated("after another completed it").await?;
    fx.backend.replay(&fx.replay_request(task.execution_id)).await?;
    repeated("after a replay").await?;
    for ended in 3..=REMEMBERED {
        let other = fx.worker().claim_one().await?;
        repeated("while a later one runs").await?;
        fx.backend.fail(&other.handle, &at_once("a later one")).await?;
        repeated(&format!("with {ended} ended leases")).await?;
    }
    Ok(())
}

/// After a release every different call is refused with the outcome that stands: another verb,
/// the same verb with other arguments, and the verbs that release nothing.
pub(crate) async fn different_call_is_refused(fx: Fixture) -> CaseResult {
    for release in Release::DISTINCT {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let answer = release.make(fx.backend.as_ref(), &task.handle).await?;
        let released = release.released(answer);
        let before = fx.snapshot().await;

        for other in Release::DISTINCT.into_iter().filter(|other| *other != release) {
            let error = refused(other.make(fx.backend.as_ref(), &task.handle).await)?;
            let expected = StateKind::AlreadyReleased { released };
            ensure_eq!(error.state_kind(), Some(expected), "{other:?} after {release:?}");
        }
        for other in [HolderCall::Renew, HolderCall::RenewBatch, HolderCall::Progress] {
            let answer = other.make(fx.backend.as_ref(), &task.handle).await;
            assert_state(answer, "already_released")?;
        }

        ensure_eq!(fx.snapshot().await, before, "the store after {release:?}");
    }
    Ok(())
}
