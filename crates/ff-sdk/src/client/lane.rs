//! Lanes: what an operator allows of the work that queues in them.

use ff_engine::{AdjustLane, EngineError, LaneSettings, LaneState, LaneView, ListLanes};
use ff_types::LaneId;

use super::Client;

impl Client {
    /// How a lane stands: its state and settings, how much is ready and since when, what runs, and what its rate
    /// allows.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use std::time::Duration;
    /// use ff_sdk::{Client, Job, LaneSettings, Rate};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ff_engine::EngineError> {
    /// # let client = Client::new(Arc::new(MemBackend::new()));
    /// let settings = LaneSettings::unlimited()
    ///     .with_rate(Rate::new(50, Duration::from_secs(1)))
    ///     .with_key_max_concurrency(2);
    /// client.set_lane("mail", settings).await?;
    ///
    /// client.submit(&Job::new("send", "hello").lane("mail").lane_key("tenant-7")).await?;
    /// assert_eq!(client.lane("mail").await?.ready, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a name that is none.
    pub async fn lane(&self, lane: impl Into<String>) -> Result<LaneView, EngineError> {
        let lane = LaneId::new(lane)?;
        self.repeat(|| self.backend.describe_lane(&lane)).await
    }

    /// A page of the lanes that were steered, in the order of their names; the last name of a full page leads to
    /// the next.
    pub async fn list_lanes(&self, request: &ListLanes) -> Result<Vec<LaneView>, EngineError> {
        self.repeat(|| self.backend.list_lanes(request)).await
    }

    /// Gives a lane these settings, in place of all that it had. What waits goes on as far as they allow.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field.
    pub async fn set_lane(
        &self,
        lane: impl Into<String>,
        settings: LaneSettings,
    ) -> Result<(), EngineError> {
        let request = self.adjusting(lane)?.with_settings(settings);
        self.repeat(|| self.backend.adjust_lane(&request)).await
    }

    /// Hands out nothing of a lane until it is resumed. What runs goes on, and jobs are taken in.
    pub async fn pause_lane(&self, lane: impl Into<String>) -> Result<(), EngineError> {
        self.set_lane_state(lane, LaneState::Paused).await
    }

    /// Takes nothing new in until the lane is resumed, and hands out what is there.
    pub async fn drain_lane(&self, lane: impl Into<String>) -> Result<(), EngineError> {
        self.set_lane_state(lane, LaneState::Draining).await
    }

    /// Lets a lane take in and hand out again.
    pub async fn resume_lane(&self, lane: impl Into<String>) -> Result<(), EngineError> {
        self.set_lane_state(lane, LaneState::Active).await
    }

    async fn set_lane_state(
        &self,
        lane: impl Into<String>,
        state: LaneState,
    ) -> Result<(), EngineError> {
        let request = self.adjusting(lane)?.with_state(state);
        self.repeat(|| self.backend.adjust_lane(&request)).await
    }

    fn adjusting(&self, lane: impl Into<String>) -> Result<AdjustLane, EngineError> {
        Ok(AdjustLane::new(self.ids.request_id(), LaneId::new(lane)?))
    }
}
