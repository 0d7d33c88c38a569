//! Idempotency keys: one execution for submits that mean the same work.

use ff_engine::{Idempotency, OnTerminal, Submission, Submitted};
use ff_types::{ExecutionPolicy, ExecutionState, IdempotencyKey};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_code, cases, ensure, ensure_eq};
use crate::fixture::ms;

pub(crate) const CASES: &[Case] = &cases!["idempotency":
    second_submit_gets_the_first,
    key_is_scoped_to_kind,
    window_ends,
    ended_execution_by_policy,
    key_outlives_the_record,
];

fn keyed(fx: &Fixture, kind: &str, key: &str) -> CaseResult<Submission> {
    let idempotency = Idempotency::new(IdempotencyKey::new(key)?);
    Ok(fx.submission(kind)?.with_idempotency(idempotency))
}

fn on_terminal(fx: &Fixture, decision: OnTerminal) -> CaseResult<Submission> {
    let idempotency = Idempotency::new(IdempotencyKey::new("key")?).with_on_terminal(decision);
    Ok(fx.submission("task")?.with_idempotency(idempotency))
}

/// Within the window a second submission under the same key gets the first execution, whatever
/// else it says, and makes nothing; another key is other work.
pub(crate) async fn second_submit_gets_the_first(fx: Fixture) -> CaseResult {
    let first = keyed(&fx, "task", "order-7")?;
    ensure_eq!(fx.backend.submit(&first).await?, Submitted::New(first.id()));
    let before = fx.snapshot().await;

    let second = keyed(&fx, "task", "order-7")?.with_priority(9);
    ensure_eq!(fx.backend.submit(&second).await?, Submitted::Existing(first.id()));
    ensure_eq!(fx.backend.submit(&first).await?, Submitted::New(first.id()));
    ensure_eq!(fx.snapshot().await, before);

    assert_code(fx.backend.describe_execution(second.id()).await, "execution_not_found")?;
    let other = keyed(&fx, "task", "order-8")?;
    ensure_eq!(fx.backend.submit(&other).await?, Submitted::New(other.id()));
    ensure_eq!(fx.claim_up_to(10).await?.len(), 2, "how many can be claimed");
    Ok(())
}

/// The same key under another kind is another key.
pub(crate) async fn key_is_scoped_to_kind(fx: Fixture) -> CaseResult {
    let (resize, upload) = (keyed(&fx, "resize", "key")?, keyed(&fx, "upload", "key")?);

    ensure_eq!(fx.backend.submit(&resize).await?, Submitted::New(resize.id()));
    ensure_eq!(fx.backend.submit(&upload).await?, Submitted::New(upload.id()));

    let again = keyed(&fx, "upload", "key")?;
    ensure_eq!(fx.backend.submit(&again).await?, Submitted::Existing(upload.id()));
    Ok(())
}

/// The key is remembered for exactly its window, counted from the first submit, and free from the
/// millisecond it ends.
pub(crate) async fn window_ends(fx: Fixture) -> CaseResult {
    let with_window = || {
        let idempotency = Idempotency::new(IdempotencyKey::new("key")?).with_window(ms(10_000));
        CaseResult::Ok(fx.submission("task")?.with_idempotency(idempotency))
    };
    let first = with_window()?;
    fx.submit(&first).await?;

    fx.advance(9_999).await;
    fx.settle().await?;
    ensure_eq!(fx.backend.submit(&with_window()?).await?, Submitted::Existing(first.id()));

    fx.advance(1).await;
    let second = with_window()?;
    ensure_eq!(fx.backend.submit(&second).await?, Submitted::New(second.id()));
    ensure_eq!(fx.backend.submit(&with_window()?).await?, Submitted::Existing(second.id()));
    fx.settle().await?;
    ensure_eq!(fx.backend.submit(&with_window()?).await?, Submitted::Existing(second.id()));
    Ok(())
}

/// Once the first execution has ended, `on_terminal` of the new submission decides: the ended
/// execution, a refusal, or a new execution that takes the key over.
pub(crate) async fn ended_execution_by_policy(fx: Fixture) -> CaseResult {
    let first = keyed(&fx, "task", "key")?;
    let task = fx.submit_and_claim(&first).await?;
    for decision in [OnTerminal::Existing, OnTerminal::Reuse, OnTerminal::Reject] {
        let answer = fx.backend.submit(&on_terminal(&fx, decision)?).await?;
        ensure_eq!(answer, Submitted::Existing(first.id()), "{decision:?} while it runs");
    }

    fx.backend.complete(&task.handle, None).await?;
    let existing = fx.backend.submit(&on_terminal(&fx, OnTerminal::Existing)?).await?;
    let rejected = fx.backend.submit(&on_terminal(&fx, OnTerminal::Reject)?).await;
    let reuse = on_terminal(&fx, OnTerminal::Reuse)?;
    let reused = fx.backend.submit(&reuse).await?;

    ensure_eq!(existing, Submitted::Existing(first.id()));
    assert_code(rejected, "conflict_idempotency_key")?;
    ensure_eq!(reused, Submitted::New(reuse.id()));
    ensure_eq!(fx.backend.submit(&reuse).await?, Submitted::New(reuse.id()));
    let after = fx.backend.submit(&on_terminal(&fx, OnTerminal::Existing)?).await?;
    ensure_eq!(after, Submitted::Existing(reuse.id()), "who has the key now");
    fx.assert_is(first.id(), ExecutionState::Completed).await
}

/// A key names its execution for its whole window, although the record is gone by then: as after
/// the end, `on_terminal` decides, and the first submission repeated makes nothing.
pub(crate) async fn key_outlives_the_record(fx: Fixture) -> CaseResult {
    let brief = ExecutionPolicy::default().with_retention(ms(1_000));
    let idempotency = Idempotency::new(IdempotencyKey::new("key")?).with_window(ms(10_000));
    let first = fx.submission("task")?.with_policy(brief).with_idempotency(idempotency);
    let task = fx.submit_and_claim(&first).await?;
    fx.backend.complete(&task.handle, None).await?;
    fx.advance(9_999).await;
    fx.settle().await?;
    assert_code(fx.backend.describe_execution(first.id()).await, "execution_not_found")?;
    let before = fx.snapshot().await;

    let existing = fx.backend.submit(&on_terminal(&fx, OnTerminal::Existing)?).await?;
    let rejected = fx.backend.submit(&on_terminal(&fx, OnTerminal::Reject)?).await;
    let repeated = fx.backend.submit(&first).await?;

    ensure_eq!(existing, Submitted::Existing(first.id()));
    assert_code(rejected, "conflict_idempotency_key")?;
    ensure_eq!(repeated, Submitted::New(first.id()));
    ensure_eq!(fx.snapshot().await, before);
    ensure!(fx.claim_if_any().await?.is_none(), "a repeat made more work");

    let reuse = on_terminal(&fx, OnTerminal::Reuse)?;
    ensure_eq!(fx.backend.submit(&reuse).await?, Submitted::New(reuse.id()));
    let after = fx.backend.submit(&on_terminal(&fx, OnTerminal::Existing)?).await?;
    ensure_eq!(after, Submitted::Existing(reuse.id()), "who has the key now");
    ensure_eq!(fx.claim_one().await?.execution_id, reuse.id());
    Ok(())
}
