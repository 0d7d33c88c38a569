//! What a handler keeps over its attempts: its state and its steps.

use bytes::Bytes;
use ff_engine::{EngineError, Fence, RecordStep, SavedState, StepOutcome, StepView};
use ff_types::{AttemptIndex, Payload, StepName, TimestampMs};

use super::{bits, content_type};
use crate::call::BadReply;
use crate::calls;
use crate::failures::bad_reply;
use crate::inner::Inner;

impl Inner {
    pub(super) async fn save_state(
        &self,
        fence: &Fence,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError> {
        let call = calls::SaveState {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            given: state.is_some(),
            state: bytes_of(state),
        };
        self.about("save_state", fence.execution, call).await.map(drop)
    }

    pub(super) async fn record_step(
        &self,
        fence: &Fence,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError> {
        const OPERATION: &str = "record_step";
        let call = calls::RecordStep {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
            name: request.name.as_str(),
            content_type: content_type(&request.result),
            result: request.result.bytes().clone(),
        };
        let answer = self.about(OPERATION, fence.execution, call).await?;
        match answer.outcome.as_str() {
            "recorded" => Ok(StepOutcome::Recorded),
            "stands" => payload(&answer.content_type, answer.result)
                .map(StepOutcome::AlreadyRecorded)
                .ok_or_else(|| bad_reply(OPERATION, BadReply("content type"))),
            _ => Err(bad_reply(OPERATION, BadReply("outcome"))),
        }
    }

    pub(super) async fn steps(&self, fence: &Fence) -> Result<Vec<StepView>, EngineError> {
        let call = calls::Steps {
            id: fence.execution.as_u128(),
            attempt: fence.attempt.0.into(),
            epoch: fence.epoch.0,
            lease: bits(fence.lease.to_bytes()),
        };
        let mut steps = Vec::new();
        let mut flat = self.about("steps", fence.execution, call).await?.steps.into_iter();
        while let (Some(name), Some(stored)) = (flat.next(), flat.next()) {
            let found = name.into_bytes().zip(stored.into_bytes());
            let found = found.and_then(|(name, stored)| step(&name, &stored));
            steps.push(found.ok_or_else(|| EngineError::Corrupt {
                what: format!("a step of execution {}", fence.execution),
            })?);
        }
        steps.sort_by_key(|(number, _)| *number);
        Ok(steps.into_iter().map(|(_, step)| step).collect())
    }
}

/// The bytes of a state, of which there need be none.
pub(super) fn bytes_of(state: Option<&SavedState>) -> Bytes {
    state.map_or_else(Bytes::new, |state| state.0.clone())
}

fn payload(content_type: &str, result: Bytes) -> Option<Payload> {
    match content_type {
        "" => Some(Payload::new(result)),
        given => Payload::new(result).with_content_type(given).ok(),
    }
}

/// A step as `kept.lua` stores it: `<number> <attempt> <when> <length> <content type><result>`.
fn step(name: &Bytes, stored: &Bytes) -> Option<(u32, StepView)> {
    let name: StepName = std::str::from_utf8(name).ok()?.parse().ok()?;
    let mut at = 0;
    let mut word = || {
        let end = at + stored.get(at..)?.iter().position(|byte| *byte == b' ')?;
        let word = std::str::from_utf8(&stored[at..end]).ok()?;
        at = end + 1;
        Some(word)
    };
    let (number, attempt) = (word()?.parse().ok()?, AttemptIndex(word()?.parse().ok()?));
    let (when, length) = (TimestampMs(word()?.parse().ok()?), word()?.parse::<usize>().ok()?);
    let end = at.checked_add(length).filter(|end| *end <= stored.len())?;
    let content_type = std::str::from_utf8(&stored[at..end]).ok()?;
    let result = payload(content_type, stored.slice(end..))?;
    Some((number, StepView::new(name, result, attempt, when)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_back() {
        let stored = Bytes::from_static(b"3 1 1700000000000 10 text/plain a b");
        let (number, step) = step(&"build".into(), &stored).unwrap();

        assert_eq!((number, step.attempt.0, step.recorded_at.0), (3, 1, 1_700_000_000_000));
        assert_eq!(
            (step.result.content_type(), step.result.bytes().as_ref()),
            ("text/plain", &b" a b"[..])
        );
        for damaged in ["3 1 1700000000000 99 text/plain", "x 1 1 0 ", "3 1", ""] {
            assert!(super::step(&"build".into(), &damaged.into()).is_none(), "{damaged}");
        }
    }
}
