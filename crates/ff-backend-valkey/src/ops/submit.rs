//! `submit`, `submit_batch`.

use std::time::Duration;

use async_trait::async_trait;
use ff_engine::{EngineError, OnTerminal, Submission, SubmitOps, Submitted};
use ff_types::{ExecutionId, LaneKey, Tags, TimestampMs, limits};

use super::{at_most, content_type};
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{Submit, SubmitItem};
use crate::codec::{amounts_text, policy_text};
use crate::failures::{Refusal, bad_reply, refused};
use crate::inner::{Inner, code};
use crate::reply::Reply;

/// Most submissions of one call of the function, and most bytes: a call holds the server up.
const PER_CALL: usize = 100;
const BYTES_PER_CALL: usize = 4 * 1024 * 1024;

const OPERATION: &str = "submit";

#[async_trait]
impl SubmitOps for ValkeyBackend {
    async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError> {
        submission.validate()?;
        let mut outcomes = self.inner.submit_sharing(&[submission]).await?;
        outcomes.pop().unwrap_or_else(|| Err(bad_reply(OPERATION, BadReply("outcome"))))
    }

    async fn submit_batch(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        at_most("submissions", submissions.len(), limits::SUBMIT_BATCH_MAX)?;
        let mut outcomes: Vec<Option<Result<Submitted, EngineError>>> =
            submissions.iter().map(|one| one.validate().err().map(Err)).collect();
        for calls in self.inner.portions(submissions, &outcomes) {
            let some: Vec<&Submission> = calls.iter().map(|index| &submissions[*index]).collect();
            let answered = self.inner.submit_sharing(&some).await?;
            for (index, outcome) in calls.into_iter().zip(answered) {
                outcomes[index] = Some(outcome);
            }
        }
        let missing = || Err(bad_reply(OPERATION, BadReply("outcome")));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
    }
}

impl Inner {
    /// The indexes of what is valid, in portions of one partition that are small enough for one
    /// call each. Submissions of one partition stay in their order.
    fn portions<T>(&self, submissions: &[Submission], outcomes: &[Option<T>]) -> Vec<Vec<usize>> {
        let mut portions = Vec::new();
        for partition in 0..self.keyspace.partitions.len() {
            let (mut portion, mut bytes) = (Vec::new(), 0);
            for (index, one) in submissions.iter().enumerate() {
                if outcomes[index].is_some() || self.keyspace.of(one.id()) != partition {
                    continue;
                }
                bytes += one.payload.len();
                if portion.len() == PER_CALL || (bytes > BYTES_PER_CALL && !portion.is_empty()) {
                    portions.push(std::mem::take(&mut portion));
                    bytes = one.payload.len();
                }
                portion.push(index);
            }
            if !portion.is_empty() {
                portions.push(portion);
            }
        }
        portions
    }

    /// Submits to one partition, and once more what draws on budgets that had no share there.
    async fn submit_sharing(
        &self,
        submissions: &[&Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        let mut outcomes = self.submit_some(submissions).await?;
        for (outcome, one) in outcomes.iter_mut().zip(submissions) {
            let partition = self.keyspace.of(one.id());
            let mut opened = None;
            while let Err(refused) = outcome {
                match self.opened_for(OPERATION, partition, refused, &mut opened).await {
                    Ok(true) => {}
                    Ok(false) | Err(EngineError::NotFound { .. }) => break,
                    Err(error) => return Err(error),
                }
                let again = self.submit_some(&[one]).await?.pop();
                *outcome = again.ok_or_else(|| bad_reply(OPERATION, BadReply("outcome")))?;
            }
        }
        Ok(outcomes)
    }

    /// Submits to one partition.
    async fn submit_some(
        &self,
        submissions: &[&Submission],
    ) -> Result<Vec<Result<Submitted, EngineError>>, EngineError> {
        let Some(first) = submissions.first() else { return Ok(Vec::new()) };
        let texts: Vec<Texts> =
            submissions.iter().map(|one| Texts::of(one)).collect::<Result<_, _>>()?;
        let items = submissions.iter().zip(&texts).map(|(one, texts)| item(one, texts)).collect();
        let partition = self.partition_of(first.id());
        let answer = self
            .call(OPERATION, partition, Submit { items })
            .await?
            .map_err(|refusal| refused(refusal, first.id()))?;
        if answer.outcomes.len() != submissions.len() {
            return Err(bad_reply(OPERATION, BadReply("outcome for each submission")));
        }
        let outcomes = answer.outcomes.into_iter().zip(submissions);
        outcomes.map(|(reply, one)| outcome(reply, one.id())).collect()
    }
}

fn outcome(reply: Reply, id: ExecutionId) -> Result<Result<Submitted, EngineError>, EngineError> {
    let bad = |what| bad_reply(OPERATION, BadReply(what));
    let mut values = Values::new(reply.into_array().ok_or_else(|| bad("outcome"))?);
    if let Some(code) = code(OPERATION, &mut values)? {
        return Ok(Err(refused(Refusal { code, details: values }, id)));
    }
    if values.text().map_err(|bad| bad_reply(OPERATION, bad))? == "new" {
        return Ok(Ok(Submitted::New(id)));
    }
    let existing = values.text().ok().and_then(|id| id.parse().ok());
    Ok(Ok(Submitted::Existing(existing.ok_or_else(|| bad("id"))?)))
}

/// Texts that are made for a submission and have to live as long as its call.
pub(crate) struct Texts {
    pub(crate) fingerprint: String,
    pub(crate) tags: String,
    pub(crate) policy: String,
    pub(crate) start: String,
    pub(crate) deadline: String,
    pub(crate) budgets: String,
    pub(crate) estimate: String,
    key: String,
}

impl Texts {
    pub(crate) fn of(submission: &Submission) -> Result<Self, EngineError> {
        let time = |at: Option<TimestampMs>| at.map_or_else(String::new, |at| at.to_string());
        let policy = policy_text(&submission.policy).ok_or_else(|| {
            EngineError::validation(
                "policy.retry.backoff",
                "is of a kind this version cannot store",
            )
        })?;
        Ok(Self {
            fingerprint: format!("{:016x}", submission.fingerprint()),
            tags: tag_lines(&submission.tags),
            policy,
            start: time(submission.delay_until),
            deadline: time(submission.deadline),
            budgets: submission.budgets().iter().map(ToString::to_string).collect(),
            estimate: amounts_text(&submission.estimate.amounts()),
            key: key_text(submission),
        })
    }
}

/// Tags as they are stored: `<key> <value>` a line.
pub(super) fn tag_lines(tags: &Tags) -> String {
    let lines: Vec<String> = tags.iter().map(|(key, value)| format!("{key} {value}")).collect();
    lines.join("\n")
}

/// The idempotency key as it is stored: with the first budget behind a tab, if there is one. Keys have
/// no tab.
fn key_text(submission: &Submission) -> String {
    match submission.key_scope() {
        None => String::new(),
        Some((_, key, None)) => key.as_str().to_owned(),
        Some((_, key, Some(budget))) => format!("{}\t{budget}", key.as_str()),
    }
}

fn item<'a>(submission: &'a Submission, texts: &'a Texts) -> SubmitItem<'a> {
    let idempotency = submission.idempotency();
    let window = idempotency.map_or(Duration::ZERO, |idempotency| idempotency.window);
    SubmitItem {
        id: submission.id().as_u128(),
        fingerprint: &texts.fingerprint,
        lane: submission.lane.as_str(),
        class: submission.capabilities.as_str(),
        priority: submission.priority.into(),
        kind: submission.kind().as_str(),
        content_type: content_type(&submission.payload),
        payload: submission.payload.bytes().clone(),
        tags: &texts.tags,
        policy: &texts.policy,
        start: &texts.start,
        deadline: &texts.deadline,
        budgets: &texts.budgets,
        estimate: &texts.estimate,
        lane_key: submission.lane_key.as_ref().map_or("", LaneKey::as_str),
        key: &texts.key,
        window: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        on_terminal: match idempotency.map(|idempotency| idempotency.on_terminal) {
            Some(OnTerminal::Reuse) => "reuse",
            Some(OnTerminal::Reject) => "reject",
            _ => "existing",
        },
    }
}
