//! What keeps an execution from running is a set of reasons.

use ff_types::{BlockReason, ExecutionState, ReasonSet};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &cases!["block": reasons_are_a_set];

/// Removing one reason never removes another: the end of a delay leaves a hold, the release of a
/// hold leaves a delay, and only without any is the execution ready.
pub(crate) async fn reasons_are_a_set(fx: Fixture) -> CaseResult {
    let start = fx.in_ms(60_000).await;
    let delayed = fx.submission("task")?.with_delay_until(start);
    let (hold_ends_first, delay_ends_first) = (delayed.clone(), fx.submission("task")?);
    let delay_ends_first = delay_ends_first.with_delay_until(start);
    let first = fx.submit(&hold_ends_first).await?;
    let second = fx.submit(&delay_ends_first).await?;
    let both = ReasonSet::EMPTY.with(BlockReason::Delay).with(BlockReason::Hold);
    for id in [first, second] {
        fx.backend.hold(&fx.hold_request(id)).await?;
        let view = fx.describe(id).await?;
        ensure_eq!((view.state, view.reasons), (ExecutionState::Blocked, both));
    }

    fx.backend.release_hold(&fx.release_hold_request(first)).await?;
    let view = fx.describe(first).await?;
    ensure_eq!(view.state, ExecutionState::Delayed);
    ensure_eq!(view.reasons, both.without(BlockReason::Hold));
    ensure!(fx.claim_if_any().await?.is_none(), "claimed before the delay was over");

    fx.advance(60_000).await;
    fx.settle().await?;
    let view = fx.describe(second).await?;
    ensure_eq!(view.state, ExecutionState::Blocked);
    ensure_eq!(view.reasons, both.without(BlockReason::Delay));

    ensure_eq!(fx.claim_one().await?.execution_id, first);
    ensure!(fx.claim_if_any().await?.is_none(), "claimed although it is held");
    fx.backend.release_hold(&fx.release_hold_request(second)).await?;
    ensure_eq!(fx.claim_one().await?.execution_id, second);
    Ok(())
}
