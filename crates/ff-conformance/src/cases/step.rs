//! Steps: what one attempt has done, no other has to do again.

use ff_engine::{DelayRequest, StepOutcome, StepView, SuspendCondition, Task};
use ff_types::backend::FailureClass;
use ff_types::{ExecutionPolicy, Payload, StepName, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, assert_too_large, cases, ensure, ensure_eq};
use crate::fixture::{LEASE_TTL_MS, failure, retry_after};

pub(crate) const CASES: &[Case] = &cases!["step":
    first_result_stands,
    outlives_the_attempt,
    is_given_back_whole,
    ends_with_the_run,
    is_shown_as_a_number,
    recorded_is_found_at_the_limit,
    limits_are_enforced,
];

async fn names(fx: &Fixture, task: &Task) -> CaseResult<Vec<String>> {
    let steps = fx.backend.steps(&task.handle).await?;
    Ok(steps.into_iter().map(|step| step.name.to_string()).collect())
}

/// Whoever records another result under a name is told the first, which stands: the same attempt, or
/// one after a lost lease. The same result again is the same step. A result differs in its bytes or
/// in its content type.
pub(crate) async fn first_result_stands(fx: Fixture) -> CaseResult {
    let first = fx.running().await?;
    let stands = fx.step("charge", "first")?;
    let other = fx.step("charge", "other")?;
    let mut typed = stands.clone();
    typed.result = Payload::json("first");
    ensure_eq!(fx.backend.record_step(&first.handle, &stands).await?, StepOutcome::Recorded);

    let told = StepOutcome::AlreadyRecorded(stands.result.clone());
    for different in [&other, &typed] {
        ensure_eq!(fx.backend.record_step(&first.handle, different).await?, told);
    }
    let same = fx.backend.record_step(&first.handle, &stands).await?;
    ensure_eq!(same, StepOutcome::Recorded, "the same result");
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let second = fx.reclaim_one().await?;
    ensure_eq!(fx.backend.record_step(&second.handle, &other).await?, told, "another attempt");
    let same = fx.backend.record_step(&second.handle, &stands).await?;
    ensure_eq!(same, StepOutcome::Recorded, "the same result by another attempt");

    let steps = fx.backend.steps(&second.handle).await?;
    let [step] = steps.as_slice() else {
        return Err(crate::expect::CaseError::new(format!("steps: {steps:?}")));
    };
    ensure_eq!((&step.result, step.attempt), (&stands.result, first.attempt));
    Ok(())
}

/// Steps are there after a lost lease, a retry, a pause, a wait and a revoke, with those that each
/// attempt adds.
pub(crate) async fn outlives_the_attempt(fx: Fixture) -> CaseResult {
    let policy = ExecutionPolicy::default().with_retry(retry_after(3, 0));
    let task = fx.submit_and_claim(&fx.submission("task")?.with_policy(policy)).await?;
    let record = async |task: &Task, name: &str| {
        let outcome = fx.backend.record_step(&task.handle, &fx.step(name, "done")?).await?;
        ensure_eq!(outcome, StepOutcome::Recorded, "{name}");
        CaseResult::Ok(())
    };
    record(&task, "a").await?;
    fx.advance(LEASE_TTL_MS).await;
    fx.settle().await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(names(&fx, &task).await?, ["a"], "after a lost lease");
    record(&task, "b").await?;
    fx.backend.fail(&task.handle, &failure(FailureClass::Transient)).await?;
    let task = fx.claim_one().await?;
    ensure_eq!(names(&fx, &task).await?, ["a", "b"], "after a failure");
    record(&task, "c").await?;
    fx.backend.delay(&task.handle, &DelayRequest::now()).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(names(&fx, &task).await?, ["a", "b", "c"], "after a pause");
    record(&task, "d").await?;
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let waitpoints = fx.suspend(&task.handle, &wait).await?;
    fx.send(&waitpoints[0]).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(names(&fx, &task).await?, ["a", "b", "c", "d"], "after a wait");
    fx.backend.revoke(&fx.revoke_request(task.execution_id)).await?;
    let task = fx.reclaim_one().await?;
    ensure_eq!(names(&fx, &task).await?, ["a", "b", "c", "d"], "after a revoke");
    Ok(())
}

/// Each step comes back as it was recorded, in the order of recording and not of the names: every
/// byte, the content type, the attempt and the time. Names differ in any byte.
pub(crate) async fn is_given_back_whole(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    ensure_eq!(fx.backend.steps(&task.handle).await?, [], "before the first");
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let image = Payload::new(every_byte).with_content_type("image/png")?;
    let results = [
        ("z", image),
        ("a", Payload::json("{}")),
        ("A", Payload::default()),
        ("~!{x}/:%", Payload::new("text")),
    ];
    let mut expected = Vec::new();
    for (name, result) in results {
        fx.advance(7).await;
        let name = StepName::new(name)?;
        let request = ff_engine::RecordStep::new(name.clone(), result.clone());
        let outcome = fx.backend.record_step(&task.handle, &request).await?;
        ensure_eq!(outcome, StepOutcome::Recorded, "{name}");
        expected.push(StepView::new(name, result, task.attempt, fx.now().await));
    }

    ensure_eq!(fx.backend.steps(&task.handle).await?, expected);
    Ok(())
}

/// However an execution ends, its steps go, and a replay runs each of them anew.
pub(crate) async fn ends_with_the_run(fx: Fixture) -> CaseResult {
    for ending in ["completed", "failed", "cancelled"] {
        let task = fx.running().await?;
        fx.backend.record_step(&task.handle, &fx.step("charge", "old")?).await?;
        match ending {
            "completed" => fx.backend.complete(&task.handle, None).await?,
            "failed" => {
                fx.backend.fail(&task.handle, &failure(FailureClass::Permanent)).await?;
            }
            _ => fx.backend.cancel(&task.handle, "enough").await?,
        }
        ensure_eq!(fx.describe(task.execution_id).await?.steps, 0, "{ending}");

        fx.backend.replay(&fx.replay_request(task.execution_id)).await?;

        let again = fx.claim_one().await?;
        ensure_eq!(fx.backend.steps(&again.handle).await?, [], "{ending}, replayed");
        let outcome = fx.backend.record_step(&again.handle, &fx.step("charge", "new")?).await?;
        ensure_eq!(outcome, StepOutcome::Recorded, "{ending}, replayed");
    }
    Ok(())
}

/// Operators see how many steps are recorded, and never what they gave.
pub(crate) async fn is_shown_as_a_number(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    ensure_eq!(fx.describe(task.execution_id).await?.steps, 0);

    for (count, name) in [(1, "a"), (2, "b"), (2, "a")] {
        fx.backend.record_step(&task.handle, &fx.step(name, "canary")?).await?;
        let view = fx.describe(task.execution_id).await?;
        ensure_eq!(view.steps, count);
        let view = format!("{view:?}");
        ensure!(!view.contains("canary"), "the view has a result: {view}");
    }
    Ok(())
}

/// A step that is recorded is found when there is no room for another, by the same result and by
/// another one.
pub(crate) async fn recorded_is_found_at_the_limit(fx: Fixture) -> CaseResult {
    let task = fx.running().await?;
    for index in 0..limits::STEPS_MAX {
        fx.backend.record_step(&task.handle, &fx.step(&format!("step-{index}"), "done")?).await?;
    }

    let same = fx.backend.record_step(&task.handle, &fx.step("step-0", "done")?).await?;
    ensure_eq!(same, StepOutcome::Recorded);
    let other = fx.backend.record_step(&task.handle, &fx.step("step-7", "other")?).await?;
    ensure_eq!(other, StepOutcome::AlreadyRecorded(Payload::new("done")));
    Ok(())
}

/// A result is at most 256 KiB, an execution has at most 256 steps, and their results are at most
/// 4 MiB together; the bounds are taken, what is beyond is refused and changes nothing.
pub(crate) async fn limits_are_enforced(fx: Fixture) -> CaseResult {
    let (most, together) = (limits::STEP_RESULT_MAX_BYTES, limits::STEP_RESULTS_MAX_BYTES);
    let backend = &fx.backend;
    let task = fx.running().await?;
    let over = fx.step("over", vec![b'x'; most + 1])?;
    assert_too_large(backend.record_step(&task.handle, &over).await, most, most + 1)?;
    for index in 0..together / most {
        let step = fx.step(&format!("step-{index}"), vec![b'x'; most])?;
        ensure_eq!(backend.record_step(&task.handle, &step).await?, StepOutcome::Recorded);
    }
    let before = fx.snapshot().await;
    let answer = backend.record_step(&task.handle, &fx.step("more", "x")?).await;
    assert_too_large(answer, together, together + 1)?;
    ensure_eq!(fx.snapshot().await, before);
    let empty = backend.record_step(&task.handle, &fx.step("empty", "")?).await?;
    ensure_eq!(empty, StepOutcome::Recorded, "no bytes where none are left");
    backend.complete(&task.handle, None).await?;

    let task = fx.running().await?;
    for index in 0..limits::STEPS_MAX {
        backend.record_step(&task.handle, &fx.step(&format!("step-{index}"), "")?).await?;
    }
    let before = fx.snapshot().await;
    let answer = backend.record_step(&task.handle, &fx.step("more", "")?).await;
    assert_too_large(answer, limits::STEPS_MAX, limits::STEPS_MAX + 1)?;
    ensure_eq!(fx.snapshot().await, before);
    ensure_eq!(backend.steps(&task.handle).await?.len(), limits::STEPS_MAX);
    Ok(())
}
