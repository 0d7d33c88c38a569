//! `submit`, `submit_batch`.

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, KeyHolder, SubmitDecision};
use ff_engine::{EngineError, Submission, SubmitOps, Submitted};
use ff_types::{TimestampMs, limits};

use crate::MemBackend;
use crate::store::Store;

#[async_trait]
impl SubmitOps for MemBackend {
    async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError> {
        let mut store = self.store();
        submit_one(&mut store, submission, self.now())
    }

    async fn submit_batch(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        if submissions.len() > limits::SUBMIT_BATCH_MAX {
            return Err(EngineError::LimitExceeded {
                field: "submissions".into(),
                limit: limits::SUBMIT_BATCH_MAX as u64,
                actual: submissions.len() as u64,
            });
        }
        let mut store = self.store();
        let now = self.now();
        Ok(submissions.iter().map(|one| submit_one(&mut store, one, now)).collect())
    }
}

fn submit_one(
    store: &mut Store,
    submission: &Submission,
    now: TimestampMs,
) -> Result<Submitted, EngineError> {
    let same_id = store.records.get(&submission.id()).map(Box::as_ref);
    let key_holder = store
        .keys
        .holder(submission, now)
        .map(|id| KeyHolder { id, state: store.records.get(&id).map(|record| record.run.state) });
    match machine::submit(submission, same_id, key_holder, store, now)? {
        SubmitDecision::Create(record) => {
            store.keys.take(submission, now);
            store.insert(Verb::Submit, record);
            Ok(Submitted::New(submission.id()))
        }
        SubmitDecision::Keep(submitted) => Ok(submitted),
    }
}
