//! `list_flows`: pages in the order of ids.

use std::collections::BTreeSet;

use ff_engine::ListFlows;
use ff_types::backend::CancelFlowPolicy;
use ff_types::{FlowId, FlowState, Tags, TerminalOutcome};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["flow":
    listing_is_stable,
    listing_filters_narrow,
];

impl Fixture {
    /// The flows of all pages.
    async fn listed(&self, mut request: ListFlows) -> CaseResult<Vec<FlowId>> {
        let mut found = Vec::new();
        loop {
            let page = self.backend.list_flows(&request).await?;
            found.extend(page.items.iter().map(|item| item.flow_id));
            match page.next {
                Some(next) => request = request.with_cursor(next),
                None => return Ok(found),
            }
        }
    }
}

/// Following the cursors shows every flow that is there throughout exactly once and in the order of
/// ids, although others come, end and go meanwhile.
pub(crate) async fn listing_is_stable(fx: Fixture) -> CaseResult {
    let brief = async || {
        let spec = fx.flow("brief", "")?.with_retention(ms(0));
        CaseResult::Ok(fx.backend.submit_flow(&spec).await?.flow_id)
    };
    let mut staying = BTreeSet::new();
    for index in 0..40 {
        if index % 3 == 0 {
            brief().await?;
        } else {
            staying.insert(fx.submit_flow("a", "").await?);
        }
    }

    let mut seen: Vec<FlowId> = Vec::new();
    let mut request = ListFlows::new().with_limit(7);
    loop {
        let page = fx.backend.list_flows(&request).await?;
        ensure!(page.items.len() <= 7, "a page of {}", page.items.len());
        seen.extend(page.items.iter().map(|item| item.flow_id));
        let Some(cursor) = page.next else { break };
        request = request.with_cursor(cursor);
        if let Some(task) = fx.claim_node_if_any("brief").await? {
            fx.backend.complete(&task.handle, None).await?;
        }
        fx.settle().await?;
        if seen.len() < 100 {
            brief().await?;
        }
    }

    ensure!(seen.is_sorted(), "not in the order of ids");
    let distinct: BTreeSet<_> = seen.iter().copied().collect();
    ensure_eq!(distinct.len(), seen.len(), "each shown once");
    let missed: Vec<_> = staying.difference(&distinct).collect();
    ensure!(missed.is_empty(), "not shown: {missed:?}");
    Ok(())
}

/// States and a tag narrow the list, and together; an unmatched filter gives an empty list. A line
/// says how the flow stands.
pub(crate) async fn listing_filters_narrow(fx: Fixture) -> CaseResult {
    let tagged = async |key: &str, team: &str| {
        let tags = Tags::new().with("team", team)?;
        let spec = fx.flow(key, "")?.with_tags(tags);
        CaseResult::Ok(fx.backend.submit_flow(&spec).await?.flow_id)
    };
    let open = fx.submit_flow("a b", "").await?;
    let completed = tagged("c", "red").await?;
    let failed = tagged("d", "blue").await?;
    let cancelled = tagged("e", "red").await?;
    fx.complete_nodes(open, "a").await?;
    fx.complete_nodes(completed, "c").await?;
    fx.end(failed, "d", TerminalOutcome::Failed).await?;
    fx.cancel_flow(cancelled, CancelFlowPolicy::CancelAll).await?;

    let all = ListFlows::new;
    let expected = [
        (all(), vec![open, completed, failed, cancelled]),
        (all().with_state(FlowState::Open), vec![open]),
        (all().with_state(FlowState::Completed), vec![completed]),
        (all().with_state(FlowState::Failed).with_state(FlowState::Open), vec![open, failed]),
        (all().with_tag("team", "red"), vec![completed, cancelled]),
        (all().with_tag("team", "red").with_state(FlowState::Cancelled), vec![cancelled]),
        (all().with_tag("team", "green"), vec![]),
        (all().with_tag("run", "red"), vec![]),
        (all().with_tag("team", "blue").with_state(FlowState::Open), vec![]),
    ];
    for (request, mut expected) in expected {
        expected.sort_unstable();
        for limit in [1, 100] {
            let request = request.clone().with_limit(limit);
            ensure_eq!(fx.listed(request.clone()).await?, expected, "{request:?}");
        }
    }
    let page = fx.backend.list_flows(&all()).await?;
    let line = page.items.into_iter().find(|item| item.flow_id == open);
    ensure_eq!(line, Some(fx.seen(open).await?.view.summary));
    Ok(())
}
