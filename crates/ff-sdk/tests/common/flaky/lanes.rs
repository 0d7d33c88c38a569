//! The calls about lanes.

use async_trait::async_trait;
use ff_engine::{AdjustLane, EngineError, LaneOps, LaneView, ListLanes};
use ff_types::LaneId;

use super::Flaky;

#[async_trait]
impl LaneOps for Flaky {
    async fn adjust_lane(&self, request: &AdjustLane) -> Result<(), EngineError> {
        let inner = self.there("adjust_lane").await?;
        self.or_lost("adjust_lane", inner.adjust_lane(request).await)
    }

    async fn describe_lane(&self, lane: &LaneId) -> Result<LaneView, EngineError> {
        self.there("describe_lane").await?.describe_lane(lane).await
    }

    async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError> {
        self.there("list_lanes").await?.list_lanes(request).await
    }
}
