//! Namespaces: what one holds is nowhere else.

use ff_engine::{EngineBackendExt, ListRequest, Submitted};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::LEASE_TTL_MS;
use crate::verbs::HolderCall;

pub(crate) const CASES: &[Case] = &cases!["namespace": is_a_boundary];

/// Ids, handles and tokens of another namespace are not found by any verb, its work is not handed
/// out, listed or ticked, and the same id may exist in both.
pub(crate) async fn is_a_boundary(fx: Fixture) -> CaseResult {
    let other = fx.second().await?;
    fx.lost().await?;
    let token = fx.token().await?;
    let task = fx.running().await?;
    let waiting = fx.submission("task")?;
    let id = fx.submit(&waiting).await?;
    let before = (fx.snapshot().await, other.snapshot().await);

    for call in HolderCall::ALL {
        let answer = call.make(other.backend.as_ref(), &task.handle).await;
        assert_code(answer, "execution_not_found")?;
    }
    let answer = other.backend.claim_from_reclaim(&token, &other.policy()).await;
    assert_code(answer, "execution_not_found")?;
    assert_code(other.backend.describe_execution(id).await, "execution_not_found")?;
    let cancel = other.cancel_request(id, "not yours");
    assert_code(other.backend.cancel_execution(&cancel).await, "execution_not_found")?;
    assert_code(other.backend.hold(&other.hold_request(id)).await, "execution_not_found")?;
    ensure!(other.claim_if_any().await?.is_none(), "work of another namespace was handed out");
    ensure_eq!(other.tokens(10).await?.len(), 0, "tokens from another namespace");
    ensure!(other.backend.list_all(ListRequest::new(), 10).await?.is_empty(), "listed");
    ensure_eq!((fx.snapshot().await, other.snapshot().await), before);

    ensure_eq!(other.backend.submit(&waiting).await?, Submitted::New(id));
    ensure_eq!(other.claim_one().await?.execution_id, id);
    other.advance(2 * LEASE_TTL_MS).await;
    other.settle().await?;
    ensure_eq!(fx.claim_one().await?.execution_id, id);
    Ok(())
}
