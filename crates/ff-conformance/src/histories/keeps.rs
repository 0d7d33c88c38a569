//! The steps of a history that are about what outlives an attempt: the saved state and the recorded
//! steps of a task, its frames and its summary.

use std::collections::BTreeMap;

use ff_engine::{
    Fence, ReadStream, RecordStep, SavedState, StepOutcome, StepView, StreamCursor, SummaryOutcome,
    UpdateSummary,
};
use ff_types::backend::{Frame, FrameKind, Handle};
use ff_types::{AttemptIndex, ExecutionId, Payload, StepName};

use super::op::Op;
use super::world::{Step, World, tell};

/// The result of every step that is known to be recorded.
#[derive(Default)]
pub(super) struct Keeps(BTreeMap<(ExecutionId, StepName), Payload>);

/// Such a call, which can be made again.
#[derive(Debug, Clone)]
pub(super) enum KeepCall {
    Save(Handle, Option<SavedState>),
    Record(Handle, RecordStep),
    Steps(Handle),
    Append(Handle, Vec<Frame>),
    Summarize(Handle, UpdateSummary),
    Follow(ReadStream),
}

/// A state of one of a few lengths.
pub(super) fn saved(state: Option<u8>) -> Option<SavedState> {
    state.map(|byte| SavedState::new(vec![byte; usize::from(byte)]))
}

impl Keeps {
    /// Another run of this execution may have begun.
    pub(super) fn forget(&mut self, execution: ExecutionId) {
        self.0.retain(|(id, _), _| *id != execution);
    }

    /// What is wrong with this result, when another is known to stand.
    fn note(&mut self, id: ExecutionId, name: &StepName, result: &Payload) -> Option<String> {
        let known = self.0.entry((id, name.clone())).or_insert_with(|| result.clone());
        (known != result).then(|| format!("step {name} gave another result"))
    }

    /// Which step that was recorded is not among these.
    fn lost(&self, id: ExecutionId, steps: &[StepView]) -> Option<String> {
        let mut known = self.0.keys().filter(|(of, _)| *of == id).map(|(_, name)| name);
        let lost = known.find(|name| !steps.iter().any(|step| step.name == **name))?;
        Some(format!("step {lost} was lost"))
    }
}

impl World {
    /// The call of such a step; `None` when it means nothing yet.
    pub(super) fn keep_call(&self, op: &Op) -> Option<KeepCall> {
        Some(match op {
            Op::SaveState { handle, state } => KeepCall::Save(self.handle(*handle)?, saved(*state)),
            Op::RecordStep { handle, name, result } => {
                let name = StepName::new(format!("step-{name}")).expect("the name is valid");
                let request = RecordStep::new(name, Payload::new(vec![*result; 3]));
                KeepCall::Record(self.handle(*handle)?, request)
            }
            Op::Steps(which) => KeepCall::Steps(self.handle(*which)?),
            Op::Append { handle, number, count } => {
                let numbers = u64::from(*number)..u64::from(*number + *count);
                let frame =
                    |number: u64| Frame::new(vec![*count; 3], FrameKind::Blob).with_seq(number);
                KeepCall::Append(self.handle(*handle)?, numbers.map(frame).collect())
            }
            Op::Summarize { handle, version, byte } => {
                let request = UpdateSummary::new(u64::from(*version), vec![*byte; 3]);
                KeepCall::Summarize(self.handle(*handle)?, request)
            }
            Op::Follow { which, attempt, behind, backwards, limit } => {
                let task = self.task(*which)?;
                let mut request = ReadStream::new(task.execution_id)
                    .with_limit(u32::from(*limit))
                    .with_summary_after(u64::from(*limit % 2));
                request.attempt = attempt.map(|attempt| AttemptIndex(attempt.into()));
                request.from =
                    behind.map(|behind| StreamCursor::new(task.attempt, u64::from(behind)));
                request.newest_first = *backwards;
                KeepCall::Follow(request)
            }
            _ => return None,
        })
    }

    pub(super) async fn make_keep(&mut self, call: KeepCall) -> Step {
        let backend = std::sync::Arc::clone(&self.opened.backend);
        match call {
            KeepCall::Save(handle, state) => {
                Step::quiet(&backend.save_state(&handle, state.as_ref()).await).asked_by(handle)
            }
            KeepCall::Record(handle, request) => {
                let outcome = backend.record_step(&handle, &request).await;
                let mut step = Step::quiet(&outcome);
                if let (Ok(outcome), Some(id)) = (&outcome, about(&handle)) {
                    let result = match outcome {
                        StepOutcome::AlreadyRecorded(result) => result,
                        _ => &request.result,
                    };
                    step.answer = format!("{outcome:?} {:?}", result.bytes());
                    step.faults.extend(self.keeps.note(id, &request.name, result));
                }
                step.asked_by(handle)
            }
            KeepCall::Steps(handle) => {
                let steps = backend.steps(&handle).await;
                let mut step = Step::quiet(&steps);
                if let (Ok(steps), Some(id)) = (&steps, about(&handle)) {
                    step.answer = tell(&Ok::<_, ff_engine::EngineError>(told(steps)));
                    for one in steps {
                        step.faults.extend(self.keeps.note(id, &one.name, &one.result));
                    }
                    step.faults.extend(self.keeps.lost(id, steps));
                }
                step.asked_by(handle)
            }
            KeepCall::Append(handle, frames) => {
                Step::quiet(&backend.append_frames(&handle, &frames).await).asked_by(handle)
            }
            KeepCall::Summarize(handle, request) => {
                let outcome = backend.update_summary(&handle, &request).await;
                let mut step = Step::quiet(&outcome);
                if let Ok(SummaryOutcome::Stands(Some(stands))) = &outcome {
                    step.answer = format!("{stands:?} {:?}", stands.document);
                }
                step.asked_by(handle)
            }
            KeepCall::Follow(request) => {
                let page = backend.read_stream(&request).await;
                let mut step = Step::quiet(&page);
                if let Ok(page) = &page {
                    let bytes: Vec<_> =
                        page.frames.iter().map(|view| view.frame.bytes.clone()).collect();
                    let document = page.summary.as_ref().map(|summary| summary.document.clone());
                    step.answer = format!("{page:?} {bytes:?} {document:?}");
                }
                step
            }
        }
    }
}

fn about(handle: &Handle) -> Option<ExecutionId> {
    Fence::of(handle, handle.backend).map(|fence| fence.execution).ok()
}

/// Steps with the bytes of their results.
fn told(steps: &[StepView]) -> Vec<String> {
    steps.iter().map(|step| format!("{step:?} {:?}", step.result.bytes())).collect()
}
