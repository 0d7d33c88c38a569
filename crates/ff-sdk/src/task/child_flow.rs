//! Flows that a task starts and waits for.

use ff_engine::{EngineError, Entity, FlowProblem};
use ff_types::backend::HandleKind;
use ff_types::{ExecutionId, FlowId};
use xxhash_rust::xxh3::xxh3_64;

use super::ClaimedTask;
use super::step::StepKey;
use crate::flow::{Flow, FlowEnd};
use crate::task_error::TaskError;

impl ClaimedTask {
    /// Starts a flow, once per execution, and gives its end. Until then the execution waits and holds
    /// nothing: pass the error on with `?`, and the handler is called again, from its first line, when
    /// the flow has ended.
    ///
    /// `key` is 1..=128 printable ASCII bytes without space and names the child flow: a run of the
    /// handler that comes to the same key again, in whichever attempt, finds the flow that was started
    /// under it, even if `flow` looks different by now.
    ///
    /// ```
    /// use ff_sdk::prelude::*;
    ///
    /// async fn reports(task: ClaimedTask, regions: Vec<String>) -> Result<u64, TaskError> {
    ///     let mut flow = Flow::new();
    ///     for region in &regions {
    ///         flow.node(region, Job::new("report", region));
    ///     }
    ///     flow.node("sum", Job::new("sum", &())).after(&regions);
    ///
    ///     let end = task.run_flow("reports", &flow).await?.completed()?;
    ///     Ok(end.result::<u64>("sum").await?)
    /// }
    /// # let _ = reports;
    /// ```
    ///
    /// # How the two depend on each other
    /// A flow that failed or was cancelled is no error here; [`FlowEnd::completed`] makes it one. When
    /// the execution fails, is cancelled or expires, its open child flows are cancelled; when it
    /// completes, they go on. A replay of the execution finds the child flows of before, as they ended:
    /// [`FlowHandle::replay_failed`](crate::FlowHandle::replay_failed) makes them run again.
    ///
    /// A child flow is found while it is kept. A handler that goes on longer than the flow's retention
    /// keeps what it needs of it in a [step](ClaimedTask::step).
    ///
    /// # Errors
    /// The wait for the end, or what went wrong in starting the flow: a permanent error for a flow that
    /// is refused, one that has an [id](Flow::id) included, for more than 64 open child flows of one
    /// execution, and for flows more than 8 deep within each other.
    pub async fn run_flow(&self, key: &str, flow: &Flow) -> Result<FlowEnd, TaskError> {
        let (attempt, backend) = (self.attempt.as_ref(), &self.attempt.desk.backend);
        let id = child_id(self.execution_id(), key)?;
        if self.may_have_child_flows() {
            match attempt.ask(|| backend.describe_flow(id)).await {
                Ok(view) if view.summary.state.is_terminal() => {
                    return Ok(FlowEnd::of(self.client().flow(id), view.summary.state));
                }
                Ok(_) => return Err(TaskError::wait_children(id)),
                Err(EngineError::NotFound { entity: Entity::Flow, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let spec = flow.child_spec(&attempt.task, id, attempt.desk.clock.now())?;
        match attempt.insist("submit_flow", || backend.submit_flow(&spec)).await {
            // The one that was started under this key stands.
            Ok(_) | Err(EngineError::Flow { kind: FlowProblem::Id, .. }) => {
                Err(TaskError::wait_children(id))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an earlier run of the handler can have started any.
    fn may_have_child_flows(&self) -> bool {
        let task = &self.attempt.task;
        task.handle.kind == HandleKind::Resumed || task.attempt.0 > 0 || self.is_resumed()
    }
}

/// The id of the child flow of this key: the same in every attempt, and placed with its execution.
///
/// The hash is in the bits that the members of a flow have from it: 48 for the randomness, and 16 that
/// move the time on, so that the flow is at most 66 s younger than its execution by its id.
fn child_id(execution: ExecutionId, key: &str) -> Result<FlowId, EngineError> {
    let hash = xxh3_64(StepKey::named(execution, key)?.as_str().as_bytes());
    let created_ms = u64::try_from(execution.created_at().as_i64()).unwrap_or(0);
    Ok(FlowId::from_parts(created_ms + (hash >> 48), 0, execution.shard(), hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_child_follows_from_execution_and_key() {
        let execution = ExecutionId::from_parts(1_700_000_000_000, 7, 0x1122, 42);
        let id = |key| child_id(execution, key).expect("the key is good");

        assert_eq!(id("reports").to_string(), "018bcfe5b4da000011222df99053b597");
        assert_eq!(id("reports").shard(), execution.shard());
        assert_ne!(id("reports"), id("report"));
        let other = ExecutionId::from_parts(1_700_000_000_000, 7, 0x1122, 43);
        assert_ne!(child_id(other, "reports").expect("the key is good"), id("reports"));
        assert!(child_id(execution, "two words").is_err());
    }
}
