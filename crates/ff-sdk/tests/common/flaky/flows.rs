//! The flows' half of the backend in front of another one.

use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use ff_engine::*;
use ff_types::FlowId;

use super::Flaky;

#[async_trait]
impl FlowOps for Flaky {
    async fn submit_flow(&self, spec: &FlowSpec) -> Result<SubmittedFlow, EngineError> {
        let inner = self.there("submit_flow").await?;
        self.or_lost("submit_flow", inner.submit_flow(spec).await)
    }

    async fn extend_flow(&self, request: &ExtendFlow) -> Result<ExtendOutcome, EngineError> {
        let inner = self.there("extend_flow").await?;
        self.or_lost("extend_flow", inner.extend_flow(request).await)
    }

    async fn cancel_flow(&self, request: &CancelFlow) -> Result<CancelFlowOutcome, EngineError> {
        let inner = self.there("cancel_flow").await?;
        self.or_lost("cancel_flow", inner.cancel_flow(request).await)
    }

    async fn describe_flow(&self, id: FlowId) -> Result<FlowView, EngineError> {
        self.flow_looks.fetch_add(1, Relaxed);
        if let Some(view) = self.old_view.lock().expect("no test panics here").take() {
            return Ok(view);
        }
        self.there("describe_flow").await?.describe_flow(id).await
    }

    async fn read_graph(&self, request: &ReadGraph) -> Result<GraphPage, EngineError> {
        let small = self.in_small_pages(request.limit);
        let request = small.map_or(*request, |limit| request.with_limit(limit));
        self.there("read_graph").await?.read_graph(&request).await
    }

    async fn list_flows(&self, request: &ListFlows) -> Result<FlowPage, EngineError> {
        self.there("list_flows").await?.list_flows(request).await
    }

    async fn upstream_results(
        &self,
        request: &UpstreamRequest,
    ) -> Result<UpstreamPage, EngineError> {
        self.upstream_reads.fetch_add(1, Relaxed);
        let small = self.in_small_pages(request.limit);
        let request = small.map_or(*request, |limit| request.with_limit(limit));
        self.there("upstream_results").await?.upstream_results(&request).await
    }
}

impl Flaky {
    /// Two items a page, when pages are to be small.
    fn in_small_pages(&self, asked: Option<u32>) -> Option<u32> {
        if self.small_pages.load(Relaxed) { Some(2) } else { asked }
    }
}
