//! Releases: a lease is given back once, and what that did stands.

use ff_engine::StateKind;

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_state, cases, ensure_eq, refused};
use crate::verbs::{HolderCall, Release};

pub(crate) const CASES: &[Case] = &cases!["release":
    repeat_gives_the_first_outcome,
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
