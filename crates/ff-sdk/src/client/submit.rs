//! Submitting, one by one and in batches.

use ff_engine::{EngineError, Submission, Submitted};
use ff_types::limits;

use super::Client;
use crate::job::Job;

/// A batch is sent in pieces of about this many payload bytes, so that no single call grows with
/// the payloads.
const PIECE_MAX_BYTES: usize = 8 * limits::PAYLOAD_MAX_BYTES;

impl Client {
    /// Submits a job; once this returns, it runs or ends even if this process dies.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when the backend did not answer in time: submit the same `Job`
    /// again, which is the same submission. [`EngineError::Validation`] and
    /// [`EngineError::LimitExceeded`] name what is wrong with the job.
    pub async fn submit(&self, job: &Job) -> Result<Submitted, EngineError> {
        let submission = job.submission(&self.ids)?;
        self.repeat(|| self.backend.submit(submission)).await
    }

    /// Submits any number of jobs, each with an outcome of its own, in the order given.
    ///
    /// They are sent in pieces of at most 1,000 and are not one atomic step: after a crash half of
    /// them may be there. Submitting the same jobs again adds the missing ones.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ff_backend_mem::MemBackend;
    /// use ff_sdk::{Client, Job};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let client = Client::new(Arc::new(MemBackend::new()));
    /// let jobs: Vec<Job> = (0..2_500).map(|number| Job::new("square", &number)).collect();
    /// let outcomes = client.submit_batch(&jobs).await;
    /// assert!(outcomes.iter().all(Result::is_ok));
    /// # }
    /// ```
    pub async fn submit_batch(&self, jobs: &[Job]) -> Vec<Result<Submitted, EngineError>> {
        let mut outcomes: Vec<Option<Result<Submitted, EngineError>>> = Vec::new();
        let mut piece = Piece::default();
        for (index, job) in jobs.iter().enumerate() {
            match job.submission(&self.ids) {
                Ok(submission) => {
                    outcomes.push(None);
                    if !piece.has_room_for(submission) {
                        self.send(&mut piece, &mut outcomes).await;
                    }
                    piece.add(index, submission);
                }
                Err(error) => outcomes.push(Some(Err(error))),
            }
        }
        self.send(&mut piece, &mut outcomes).await;
        outcomes
            .into_iter()
            .map(|outcome| outcome.expect("every job is refused or part of a piece"))
            .collect()
    }

    /// Sends a piece and leaves it empty. What the batch call does not settle is sent alone.
    async fn send(
        &self,
        piece: &mut Piece,
        outcomes: &mut [Option<Result<Submitted, EngineError>>],
    ) {
        let Piece { places, submissions, .. } = std::mem::take(piece);
        if submissions.is_empty() {
            return;
        }
        let answers = self.repeat(|| self.backend.submit_batch(&submissions)).await;
        match answers {
            Ok(answers) => {
                let sent = places.into_iter().zip(&submissions);
                for ((place, submission), answer) in sent.zip(answers) {
                    outcomes[place] = Some(match answer {
                        Err(error) if error.is_retryable() => {
                            self.repeat(|| self.backend.submit(submission)).await
                        }
                        answer => answer,
                    });
                }
            }
            Err(error) => {
                for place in places {
                    outcomes[place] = Some(Err(alike(&error)));
                }
            }
        }
    }
}

/// Part of a batch: places in the batch beside the submissions for them.
#[derive(Default)]
struct Piece {
    places: Vec<usize>,
    submissions: Vec<Submission>,
    bytes: usize,
}

impl Piece {
    fn has_room_for(&self, submission: &Submission) -> bool {
        self.submissions.len() < limits::SUBMIT_BATCH_MAX
            && self.bytes + submission.payload.len() <= PIECE_MAX_BYTES
    }

    fn add(&mut self, place: usize, submission: &Submission) {
        self.places.push(place);
        self.bytes += submission.payload.len();
        self.submissions.push(submission.clone());
    }
}

/// The error of a whole piece, for one of its jobs.
fn alike(error: &EngineError) -> EngineError {
    match error {
        EngineError::Unavailable { kind, operation, .. } => {
            EngineError::Unavailable { kind: *kind, operation, source: None }
        }
        EngineError::Contention { operation } => EngineError::Contention { operation },
        other => EngineError::Internal { problem: other.to_string() },
    }
}
