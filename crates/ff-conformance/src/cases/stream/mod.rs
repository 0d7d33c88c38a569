//! `append_frames` and `read_stream`, by theme: output that is watched while it is made.

use ff_engine::{FrameView, ReadStream, StreamPage, Task};
use ff_types::ExecutionPolicy;
use ff_types::backend::{AppendFrameOutcome, FailureClass, Frame, FrameKind};

use crate::Fixture;
use crate::expect::CaseResult;
use crate::fixture::{failure, retry_after};

areas! {
    append kept read wait
}

/// Numbered frames of one byte each.
fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<Frame> {
    let frame = |number: u64| Frame::new(vec![number.to_le_bytes()[0]], FrameKind::Blob);
    numbers.into_iter().map(|number| frame(number).with_seq(number)).collect()
}

/// Everything that a task has written.
fn whole(task: &Task) -> ReadStream {
    ReadStream::new(task.execution_id)
}

fn seqs(frames: &[FrameView]) -> Vec<u64> {
    frames.iter().filter_map(|view| view.frame.seq).collect()
}

fn ordinals(frames: &[FrameView]) -> Vec<u64> {
    frames.iter().map(|view| view.ordinal).collect()
}

impl Fixture {
    async fn append(&self, task: &Task, frames: &[Frame]) -> CaseResult<Vec<AppendFrameOutcome>> {
        Ok(self.backend.append_frames(&task.handle, frames).await?)
    }

    async fn page(&self, request: &ReadStream) -> CaseResult<StreamPage> {
        Ok(self.backend.read_stream(request).await?)
    }

    /// Every frame as asked for, page by page, and the last page.
    async fn pages(&self, mut request: ReadStream) -> CaseResult<(Vec<FrameView>, StreamPage)> {
        let mut frames = Vec::new();
        loop {
            let page = self.page(&request).await?;
            frames.extend(page.frames.iter().cloned());
            if page.frames.is_empty() {
                return Ok((frames, page));
            }
            request.from = Some(page.next);
        }
    }

    /// The execution of a task in its next attempt, which the failure of this one leads to.
    async fn next_attempt(&self, task: &Task) -> CaseResult<Task> {
        self.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
        self.claim_one().await
    }

    /// A running execution that may be tried again at once.
    async fn running_with_retries(&self) -> CaseResult<Task> {
        let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
        self.submit_and_claim(&self.submission("task")?.with_policy(policy)).await
    }
}
