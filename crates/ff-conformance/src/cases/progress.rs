//! `progress`: how far an attempt is.

use ff_engine::ProgressRequest;
use ff_types::backend::FailureClass;
use ff_types::{ExecutionPolicy, limits};

use crate::Fixture;
use crate::expect::{Case, CaseError, CaseResult, assert_invalid, assert_too_large, cases, ensure_eq};
use crate::fixture::{failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["progress":
    shows_the_latest,
    limits_are_enforced,
];

/// The latest report of the attempt is shown, also after a failure, until the next attempt starts.
pub(crate) async fn shows_the_latest(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(1, 0));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let shown = async || {
        let attempt = fx.describe(task.execution_id).await?.attempt;
        let attempt = attempt.ok_or_else(|| CaseError::new("no attempt is shown"))?;
        CaseResult::Ok((attempt.percent, attempt.message))
    };
    ensure_eq!(shown().await?, (None, None), "before the first report");

    let first = ProgressRequest::new(40).with_message("reading");
    fx.backend.progress(&task.handle, &first).await?;
    ensure_eq!(shown().await?, (Some(40), Some("reading".to_owned())));

    fx.backend.progress(&task.handle, &ProgressRequest::new(30)).await?;
    ensure_eq!(shown().await?, (Some(30), None));

    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    ensure_eq!(shown().await?, (Some(30), None), "between two attempts");

    fx.claim_one().await?;
    ensure_eq!(shown().await?, (None, None), "in the next attempt");
    Ok(())
}

/// Percent is 0 to 100 and a message at most 1 KiB; the bounds are taken, one beyond is refused.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    let most = limits::PROGRESS_MESSAGE_MAX_BYTES;
    for percent in [0, limits::PROGRESS_PERCENT_MAX] {
        let request = ProgressRequest::new(percent).with_message("x".repeat(most));
        fx.backend.progress(&task.handle, &request).await?;
    }
    let before = fx.snapshot().await;

    for percent in [limits::PROGRESS_PERCENT_MAX + 1, u8::MAX] {
        let request = ProgressRequest::new(percent);
        assert_invalid(fx.backend.progress(&task.handle, &request).await, "percent")?;
    }
    let request = ProgressRequest::new(50).with_message("x".repeat(most + 1));
    let answer = fx.backend.progress(&task.handle, &request).await;
    assert_too_large(answer, most, most + 1)?;

    ensure_eq!(fx.snapshot().await, before);
    Ok(())
}
