//! The submissions of a history.

use std::time::Duration;

use ff_engine::{Idempotency, OnTerminal, Submission};
use ff_types::backend::UsageDimensions;
use ff_types::{
    Backoff, ExecutionPolicy, IdempotencyKey, Jitter, Payload, RetryPolicy, Tags, TaskKind,
    TimestampMs,
};

use super::lanes::lane_key;
use super::op::SubmitOp;
use super::world::{TAG, World, after, capabilities, lane_id};

impl World {
    /// What such a step submits, under a new id.
    pub(super) fn submission(&self, spec: &SubmitOp, now: TimestampMs) -> Submission {
        let ms = |ms: u16| Duration::from_millis(u64::from(ms));
        let retry = RetryPolicy::default()
            .with_max_retries(u32::from(spec.retries))
            .with_backoff(Backoff::Fixed { delay_ms: u64::from(spec.backoff) })
            .with_jitter(Jitter::Full);
        let mut policy = ExecutionPolicy::default()
            .with_retry(retry)
            .with_max_reclaims(u32::from(spec.reclaims))
            .with_retention(ms(spec.retention));
        if let Some(timeout) = spec.timeout {
            policy = policy.with_attempt_timeout(ms(timeout.max(1)));
        }
        let kind = TaskKind::new("history").expect("the kind is valid");
        let payload = Payload::new(vec![spec.required; 4]);
        let id = self.ids.execution_id();
        let mut submission = Submission::new(id, lane_id(spec.lane), kind, payload)
            .with_priority(spec.priority)
            .with_capabilities(capabilities(spec.required))
            .with_policy(policy);
        submission.lane_key = spec.lane_key.map(lane_key);
        for budget in self.budgets_of(spec.budgets) {
            submission = submission.with_budget(budget);
        }
        let estimate = UsageDimensions::new().with_output_tokens(spec.estimate.into());
        submission = submission.with_estimate(estimate);
        if spec.tagged {
            let tags = Tags::new().with(TAG.0, TAG.1).expect("the tag is valid");
            submission = submission.with_tags(tags);
        }
        if let Some(delay) = spec.delay {
            submission = submission.with_delay_until(after(now, delay));
        }
        if let Some(deadline) = spec.deadline {
            submission = submission.with_deadline(after(now, deadline));
        }
        if let Some((key, rule)) = spec.key {
            let key = IdempotencyKey::new(format!("key-{key}")).expect("the key is valid");
            let rules = [OnTerminal::Existing, OnTerminal::Reuse, OnTerminal::Reject];
            let idempotency = Idempotency::new(key)
                .with_window(Duration::from_secs(4))
                .with_on_terminal(rules[usize::from(rule) % rules.len()]);
            submission = submission.with_idempotency(idempotency);
        }
        submission
    }
}
