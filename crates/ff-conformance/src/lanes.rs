//! What cases about lanes make of a fixture: lanes that are steered, and work with keys.

use ff_engine::{
    AdjustLane, FlowNode, FlowSpec, LaneSettings, LaneState, LaneView, Submission, Task,
};
use ff_types::{ExecutionId, LaneId, LaneKey, NodeKey, Payload, TaskKind};

use crate::Fixture;
use crate::expect::{CaseError, CaseResult};
use crate::fixture::LANE;

pub(crate) fn key(name: &str) -> CaseResult<LaneKey> {
    Ok(LaneKey::new(name)?)
}

pub(crate) fn ids(tasks: &[Task]) -> Vec<ExecutionId> {
    tasks.iter().map(|task| task.execution_id).collect()
}

impl Fixture {
    /// A submission to [`LANE`], in the partition that all of these share: limits hold in each.
    pub(crate) fn laned(&self) -> CaseResult<Submission> {
        let (lane, kind) = (LaneId::new(LANE)?, TaskKind::new("task")?);
        let id = self.ids.together(0).execution_id();
        Ok(Submission::new(id, lane, kind, Payload::new("work")))
    }

    /// A flow of one node in that lane.
    pub(crate) fn laned_flow(&self) -> CaseResult<FlowSpec> {
        let mut spec = FlowSpec::new(self.ids.together(0).flow_id());
        spec.add_node(FlowNode::new(NodeKey::new("a")?, self.laned()?));
        Ok(spec)
    }

    /// Submits so many of these, a millisecond apart.
    pub(crate) async fn submit_laned(&self, count: usize) -> CaseResult<Vec<ExecutionId>> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.submit(&self.laned()?).await?);
            self.advance(1).await;
        }
        Ok(ids)
    }

    /// Submits one for each of these keys, `-` for none, a millisecond apart.
    pub(crate) async fn submit_keys(&self, keys: &str) -> CaseResult<Vec<ExecutionId>> {
        let mut ids = Vec::new();
        for name in keys.split_whitespace() {
            let mut submission = self.laned()?;
            if name != "-" {
                submission = submission.with_lane_key(key(name)?);
            }
            ids.push(self.submit(&submission).await?);
            self.advance(1).await;
        }
        Ok(ids)
    }

    pub(crate) fn adjusting_lane(&self) -> CaseResult<AdjustLane> {
        Ok(AdjustLane::new(self.ids.request_id(), LaneId::new(LANE)?))
    }

    pub(crate) async fn set_lane(&self, settings: LaneSettings) -> CaseResult {
        let request = self.adjusting_lane()?.with_settings(settings);
        self.backend.adjust_lane(&request).await?;
        self.settle().await?;
        Ok(())
    }

    pub(crate) async fn set_lane_state(&self, state: LaneState) -> CaseResult {
        self.backend.adjust_lane(&self.adjusting_lane()?.with_state(state)).await?;
        self.settle().await?;
        Ok(())
    }

    pub(crate) async fn lane_view(&self) -> CaseResult<LaneView> {
        Ok(self.backend.describe_lane(&LaneId::new(LANE)?).await?)
    }

    /// The keys of what is handed out by so many claims of one, `-` for none.
    pub(crate) async fn claim_keys(&self, count: usize) -> CaseResult<String> {
        let mut keys = Vec::new();
        for _ in 0..count {
            let task = self.claim_one().await?;
            keys.push(self.key_of(&task).await?);
        }
        Ok(keys.join(" "))
    }

    pub(crate) async fn key_of(&self, task: &Task) -> CaseResult<String> {
        let view = self.describe(task.execution_id).await?;
        Ok(view.lane_key.map_or_else(|| "-".to_owned(), |key| key.to_string()))
    }

    pub(crate) async fn complete_all(&self, tasks: &[Task]) -> CaseResult {
        for task in tasks {
            self.backend.complete(&task.handle, None).await?;
        }
        Ok(())
    }

    /// Claims until nothing is left; there must be so many.
    pub(crate) async fn claim_all(&self, count: usize) -> CaseResult<Vec<Task>> {
        let mut all = Vec::new();
        loop {
            let tasks = self.claim_up_to(64).await?;
            if tasks.is_empty() {
                break;
            }
            all.extend(tasks);
        }
        if all.len() != count {
            return Err(CaseError::new(format!("{} were handed out, not {count}", all.len())));
        }
        Ok(all)
    }

    /// Claims once for the whole of what there is; there must be so many.
    pub(crate) async fn claim_just(&self, count: usize) -> CaseResult<Vec<Task>> {
        let tasks = self.claim_up_to(64).await?;
        if tasks.len() != count {
            return Err(CaseError::new(format!("{} were handed out, not {count}", tasks.len())));
        }
        Ok(tasks)
    }
}
