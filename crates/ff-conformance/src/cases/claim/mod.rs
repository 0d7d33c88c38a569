//! Handing out work, by theme.

use ff_engine::{ClaimOutcome, ClaimRequest};
use ff_types::backend::CapabilitySet;
use ff_types::{ExecutionId, limits};

use crate::Fixture;
use crate::expect::CaseResult;
use crate::fixture::LANE;

areas! {
    order outcome wait
}

fn ids(outcome: &ClaimOutcome) -> Vec<ExecutionId> {
    outcome.tasks.iter().map(|task| task.execution_id).collect()
}

fn offering<const N: usize>(fx: &Fixture, tokens: [&str; N]) -> CaseResult<ClaimRequest> {
    let mut request = fx.claim_request(LANE)?;
    request.capabilities = CapabilitySet::from_tokens(tokens)?;
    request.policy = request.policy.with_max_tasks(limits::CLAIM_MAX_TASKS);
    Ok(request)
}

async fn needing<const N: usize>(fx: &Fixture, tokens: [&str; N]) -> CaseResult<ExecutionId> {
    let required = CapabilitySet::from_tokens(tokens)?;
    fx.submit(&fx.submission("task")?.with_capabilities(required)).await
}

/// Takes up the tokens of `outcome` and answers everything that it handed out.
async fn handed_out(fx: &Fixture, outcome: &ClaimOutcome) -> CaseResult<Vec<ExecutionId>> {
    let mut all = ids(outcome);
    for token in &outcome.reclaims {
        all.push(fx.backend.claim_from_reclaim(token, &fx.policy()).await?.execution_id);
    }
    Ok(all)
}
