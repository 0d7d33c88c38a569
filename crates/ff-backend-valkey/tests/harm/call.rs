//! Every mutating call as data, and a situation in which it has an effect.

use std::time::Duration;

use ff_conformance::fixture::{LANE, LEASE_TTL_MS, failure, ms};
use ff_conformance::{CaseResult, Fixture};
use ff_engine::{
    AdjustBudget, AdjustLane, AdjustSchedule, BackfillSchedule, BudgetLimit, CancelExecution,
    ClaimRequest, CreateBudget, CreateSchedule, DelayRequest, EngineBackend, EngineError,
    FailRequest, Hold, Idempotency, LaneSettings, Overlap, ProgressRequest, Rate, ReclaimRequest,
    Recurrence, ReleaseHold, ReplayExecution, RevokeLease, ScheduleChange, ScheduleSpec, SetTags,
    Submission, TickRequest,
};
use ff_types::backend::{
    ClaimPolicy, FailureClass, Handle, ReclaimToken, ScannerFilter, UsageDimensions,
};
use ff_types::{BudgetId, ExecutionPolicy, IdempotencyKey, LaneId, LaneKey, Payload, ScheduleId};

/// A call that changes something, with its arguments.
pub(crate) enum Call {
    Submit(Box<Submission>),
    SubmitBatch(Vec<Submission>),
    Claim(ClaimRequest),
    Reclaimable(ReclaimRequest),
    ClaimFromReclaim(ReclaimToken, ClaimPolicy),
    Renew(Handle),
    RenewBatch(Vec<Handle>),
    Progress(Handle, ProgressRequest),
    Complete(Handle, Option<Payload>),
    Fail(Handle, FailRequest),
    Cancel(Handle, &'static str),
    Delay(Handle, DelayRequest),
    CancelExecution(CancelExecution),
    Hold(Hold),
    ReleaseHold(ReleaseHold),
    Revoke(RevokeLease),
    Replay(ReplayExecution),
    CreateBudget(CreateBudget),
    AdjustBudget(AdjustBudget),
    AdjustLane(AdjustLane),
    SetTags(SetTags),
    ReportUsage(Handle, UsageDimensions),
    CreateSchedule(Box<CreateSchedule>),
    AdjustSchedule(AdjustSchedule),
    BackfillSchedule(BackfillSchedule),
    DeleteSchedule(ScheduleId),
    /// A tick that finds schedules due, as far as it fires them.
    Fire(TickRequest),
    Tick(TickRequest),
}

impl Call {
    /// The function of the library that it calls.
    pub(crate) const fn function(&self) -> &'static str {
        match self {
            Self::Submit(_) | Self::SubmitBatch(_) => "submit",
            Self::Claim(_) => "claim",
            Self::Reclaimable(_) => "reclaimable",
            Self::ClaimFromReclaim(..) => "claim_from_reclaim",
            Self::Renew(_) | Self::RenewBatch(_) => "renew",
            Self::Progress(..) => "progress",
            Self::Complete(..) => "complete",
            Self::Fail(..) => "fail",
            Self::Cancel(..) => "cancel",
            Self::Delay(..) => "delay",
            Self::CancelExecution(_) => "cancel_execution",
            Self::Hold(_) => "hold",
            Self::ReleaseHold(_) => "release_hold",
            Self::Revoke(_) => "revoke",
            Self::Replay(_) => "replay",
            Self::CreateBudget(_) => "create_budget",
            Self::AdjustBudget(_) => "adjust_budget",
            Self::AdjustLane(_) => "adjust_lane",
            Self::SetTags(_) => "set_tags",
            Self::ReportUsage(..) => "report_usage",
            Self::CreateSchedule(_) => "create_schedule",
            Self::AdjustSchedule(_) => "adjust_schedule",
            Self::BackfillSchedule(_) => "backfill_schedule",
            Self::DeleteSchedule(_) => "delete_schedule",
            Self::Fire(_) => "fire_schedules",
            Self::Tick(_) => "tick",
        }
    }

    /// Makes it. The answer is text, so that answers of all verbs compare alike; of a tick it is
    /// when something is due next, as a repeat finds nothing left to count.
    pub(crate) async fn make(&self, backend: &dyn EngineBackend) -> Result<String, EngineError> {
        fn text(answer: impl std::fmt::Debug) -> String {
            format!("{answer:?}")
        }
        match self {
            Self::Submit(submission) => backend.submit(submission).await.map(text),
            Self::SubmitBatch(submissions) => backend.submit_batch(submissions).await.map(text),
            Self::Claim(request) => backend.claim(request).await.map(text),
            Self::Reclaimable(request) => backend.reclaimable(request).await.map(text),
            Self::ClaimFromReclaim(token, policy) => {
                backend.claim_from_reclaim(token, policy).await.map(text)
            }
            Self::Renew(handle) => backend.renew(handle).await.map(text),
            Self::RenewBatch(handles) => backend.renew_batch(handles).await.map(text),
            Self::Progress(handle, request) => backend.progress(handle, request).await.map(text),
            Self::Complete(handle, result) => {
                backend.complete(handle, result.as_ref()).await.map(text)
            }
            Self::Fail(handle, request) => backend.fail(handle, request).await.map(text),
            Self::Cancel(handle, reason) => backend.cancel(handle, reason).await.map(text),
            Self::Delay(handle, request) => backend.delay(handle, request).await.map(text),
            Self::CancelExecution(request) => backend.cancel_execution(request).await.map(text),
            Self::Hold(request) => backend.hold(request).await.map(text),
            Self::ReleaseHold(request) => backend.release_hold(request).await.map(text),
            Self::Revoke(request) => backend.revoke(request).await.map(text),
            Self::Replay(request) => backend.replay(request).await.map(text),
            Self::CreateBudget(request) => backend.create_budget(request).await.map(text),
            Self::AdjustBudget(request) => backend.adjust_budget(request).await.map(text),
            Self::AdjustLane(request) => backend.adjust_lane(request).await.map(text),
            Self::SetTags(request) => backend.set_tags(request).await.map(text),
            // That it was counted before is the answer to a repeat.
            Self::ReportUsage(handle, usage) => {
                backend.report_usage(handle, usage).await.map(|_| "counted".to_owned())
            }
            Self::CreateSchedule(request) => backend.create_schedule(request).await.map(text),
            Self::AdjustSchedule(request) => backend.adjust_schedule(request).await.map(text),
            Self::BackfillSchedule(request) => backend.backfill_schedule(request).await.map(text),
            Self::DeleteSchedule(id) => backend.delete_schedule(*id).await.map(text),
            Self::Fire(request) => backend.tick(request).await.map(|did| text(did.next_due)),
            Self::Tick(request) => backend.tick(request).await.map(|did| text(did.next_due)),
        }
    }
}

/// A call together with what was done before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    Submit,
    SubmitWithAKey,
    SubmitUnderAKeyInUse,
    SubmitBatch,
    Claim,
    ClaimThatMayWait,
    ClaimOfTokens,
    Reclaimable,
    ClaimFromReclaim,
    Renew,
    RenewBatch,
    Progress,
    Complete,
    CompleteAtLength,
    FailForAnotherAttempt,
    FailForGood,
    Cancel,
    Delay,
    CancelIdle,
    CancelRunning,
    Hold,
    ReleaseHold,
    Revoke,
    Replay,
    TickOverLostLeases,
    TickOverDelays,
    TickOverRetention,
    CreateBudget,
    AdjustBudget,
    ClaimThatReserves,
    ReportUsage,
    CompleteThatFreesRoom,
    TickOverFreedRoom,
    AdjustLane,
    ClaimOfKeys,
    CompleteThatFreesALease,
    TickOverALane,
    SetTags,
    CreateSchedule,
    PauseSchedule,
    BackfillSchedule,
    DeleteSchedule,
    TickOverSchedules,
    CompleteThatLetsTheNextCome,
}

impl Situation {
    pub(crate) const ALL: [Self; 44] = [
        Self::Submit,
        Self::SubmitWithAKey,
        Self::SubmitUnderAKeyInUse,
        Self::SubmitBatch,
        Self::Claim,
        Self::ClaimThatMayWait,
        Self::ClaimOfTokens,
        Self::Reclaimable,
        Self::ClaimFromReclaim,
        Self::Renew,
        Self::RenewBatch,
        Self::Progress,
        Self::Complete,
        Self::CompleteAtLength,
        Self::FailForAnotherAttempt,
        Self::FailForGood,
        Self::Cancel,
        Self::Delay,
        Self::CancelIdle,
        Self::CancelRunning,
        Self::Hold,
        Self::ReleaseHold,
        Self::Revoke,
        Self::Replay,
        Self::TickOverLostLeases,
        Self::TickOverDelays,
        Self::TickOverRetention,
        Self::CreateBudget,
        Self::AdjustBudget,
        Self::ClaimThatReserves,
        Self::ReportUsage,
        Self::CompleteThatFreesRoom,
        Self::TickOverFreedRoom,
        Self::AdjustLane,
        Self::ClaimOfKeys,
        Self::CompleteThatFreesALease,
        Self::TickOverALane,
        Self::SetTags,
        Self::CreateSchedule,
        Self::PauseSchedule,
        Self::BackfillSchedule,
        Self::DeleteSchedule,
        Self::TickOverSchedules,
        Self::CompleteThatLetsTheNextCome,
    ];

    /// Does what comes before, and answers the call.
    pub(crate) async fn prepare(self, fx: &Fixture) -> CaseResult<Call> {
        let keyed = || -> CaseResult<Submission> {
            let key = Idempotency::new(IdempotencyKey::new("order 1")?);
            Ok(fx.submission("task")?.with_idempotency(key))
        };
        Ok(match self {
            Self::Submit => Call::Submit(Box::new(fx.submission("task")?)),
            Self::SubmitWithAKey => Call::Submit(Box::new(keyed()?)),
            Self::SubmitUnderAKeyInUse => {
                fx.submit(&keyed()?).await?;
                Call::Submit(Box::new(keyed()?))
            }
            Self::SubmitBatch => {
                let later = fx.submission("task")?.with_delay_until(fx.in_ms(9_000).await);
                Call::SubmitBatch(vec![fx.submission("task")?, keyed()?, later])
            }
            Self::Claim | Self::ClaimThatMayWait => {
                fx.submit_many(3).await?;
                let mut request = fx.claim_request(LANE)?;
                request.policy = request.policy.with_max_tasks(2);
                if self == Self::ClaimThatMayWait {
                    request.policy = request.policy.with_max_wait(ms(60_000));
                }
                Call::Claim(request)
            }
            Self::ClaimOfTokens => {
                fx.lost().await?;
                fx.submit_default().await?;
                let mut request = fx.claim_request(LANE)?.with_reclaims(ScannerFilter::NOOP);
                request.policy = request.policy.with_max_tasks(3);
                Call::Claim(request)
            }
            Self::Reclaimable => {
                fx.lost().await?;
                Call::Reclaimable(fx.reclaim_request(2)?)
            }
            Self::ClaimFromReclaim => {
                fx.lost().await?;
                Call::ClaimFromReclaim(fx.token().await?, fx.policy())
            }
            Self::Renew => {
                let task = fx.running().await?;
                fx.advance(10).await;
                Call::Renew(task.handle)
            }
            Self::RenewBatch => {
                let handles = vec![fx.running().await?.handle, fx.completed().await?.handle];
                fx.advance(10).await;
                Call::RenewBatch(handles)
            }
            Self::Progress => {
                let request = ProgressRequest::new(50).with_message("half way");
                Call::Progress(fx.running().await?.handle, request)
            }
            Self::Complete => Call::Complete(fx.running().await?.handle, None),
            Self::CompleteAtLength => {
                let result = Payload::new(vec![7; 100_000]);
                Call::Complete(fx.running().await?.handle, Some(result))
            }
            Self::FailForAnotherAttempt => {
                Call::Fail(fx.running().await?.handle, failure(FailureClass::Transient))
            }
            Self::FailForGood => {
                Call::Fail(fx.running().await?.handle, failure(FailureClass::Permanent))
            }
            Self::Cancel => Call::Cancel(fx.running().await?.handle, "enough"),
            Self::Delay => {
                let until = DelayRequest::until(fx.in_ms(1_000).await);
                Call::Delay(fx.running().await?.handle, until)
            }
            Self::CancelIdle => {
                let id = fx.submit_default().await?;
                Call::CancelExecution(fx.cancel_request(id, "enough"))
            }
            Self::CancelRunning => {
                let id = fx.running().await?.execution_id;
                Call::CancelExecution(fx.cancel_request(id, "enough"))
            }
            Self::Hold => Call::Hold(fx.hold_request(fx.submit_default().await?)),
            Self::ReleaseHold => {
                let id = fx.submit_default().await?;
                fx.backend.hold(&fx.hold_request(id)).await?;
                Call::ReleaseHold(fx.release_hold_request(id))
            }
            Self::Revoke => Call::Revoke(fx.revoke_request(fx.running().await?.execution_id)),
            Self::Replay => Call::Replay(fx.replay_request(fx.completed().await?.execution_id)),
            Self::TickOverLostLeases => {
                fx.running().await?;
                fx.running().await?;
                fx.advance(LEASE_TTL_MS).await;
                Call::Tick(TickRequest::all())
            }
            Self::TickOverDelays => {
                let later = fx.submission("task")?.with_delay_until(fx.in_ms(10).await);
                fx.submit(&later).await?;
                fx.advance(10).await;
                Call::Tick(TickRequest::all())
            }
            Self::TickOverRetention => {
                let brief = ExecutionPolicy::default().with_retention(ms(10));
                let task = fx.submission("task")?.with_policy(brief);
                let task = fx.submit_and_claim(&task).await?;
                fx.backend.complete(&task.handle, None).await?;
                fx.advance(10).await;
                Call::Tick(TickRequest::all())
            }
            Self::CreateBudget => Call::CreateBudget(budget(fx)),
            Self::AdjustBudget => {
                let (id, _) = spending(fx).await?;
                let request = AdjustBudget::new(fx.ids.request_id(), id).with_reset();
                Call::AdjustBudget(request.with_limit(TOKENS, BudgetLimit::hard(9)))
            }
            Self::ClaimThatReserves => {
                let budget = budget(fx);
                fx.backend.create_budget(&budget).await?;
                fx.submit(&estimated(fx, budget.id)?).await?;
                Call::Claim(fx.claim_request(LANE)?)
            }
            Self::ReportUsage => {
                let usage = UsageDimensions::new().with_output_tokens(2).with_dedup_key("once");
                Call::ReportUsage(spending(fx).await?.1, usage)
            }
            Self::CompleteThatFreesRoom => Call::Complete(spending(fx).await?.1, None),
            Self::TickOverFreedRoom => {
                let (_, handle) = spending(fx).await?;
                fx.backend.complete(&handle, None).await?;
                Call::Tick(TickRequest::all())
            }
            Self::AdjustLane => {
                limited(fx).await?;
                Call::AdjustLane(steered(fx, 3)?)
            }
            Self::ClaimOfKeys => {
                limited(fx).await?;
                let mut request = fx.claim_request(LANE)?;
                request.policy = request.policy.with_max_tasks(3);
                Call::Claim(request)
            }
            Self::CompleteThatFreesALease => {
                limited(fx).await?;
                let task = fx.claim_one().await?;
                fx.claim_if_any().await?;
                Call::Complete(task.handle, None)
            }
            Self::SetTags => {
                let id = fx.lost().await?.execution_id;
                let request = SetTags::new(fx.ids.request_id(), id);
                Call::SetTags(request.with_tag("ops.case", "1").without_tag("ops.none"))
            }
            Self::TickOverALane => {
                limited(fx).await?;
                fx.claim_up_to(3).await?;
                fx.claim_up_to(3).await?;
                fx.advance(1_000).await;
                Call::Tick(TickRequest::all())
            }
            Self::CreateSchedule => Call::CreateSchedule(Box::new(schedule(fx).await?)),
            Self::PauseSchedule => {
                let change = ScheduleChange::Pause { reason: "a change of plans".to_owned() };
                let id = scheduled(fx).await?;
                Call::AdjustSchedule(AdjustSchedule::new(fx.ids.request_id(), id, change))
            }
            Self::BackfillSchedule => {
                let id = scheduled(fx).await?;
                let now = fx.now().await;
                let from = now.saturating_sub(ms(3 * EVERY_MS));
                Call::BackfillSchedule(BackfillSchedule::new(id, from, now))
            }
            Self::DeleteSchedule => Call::DeleteSchedule(scheduled(fx).await?),
            Self::TickOverSchedules => {
                scheduled(fx).await?;
                scheduled(fx).await?;
                fx.advance(2 * EVERY_MS).await;
                Call::Fire(TickRequest::all())
            }
            Self::CompleteThatLetsTheNextCome => {
                scheduled(fx).await?;
                fx.advance(EVERY_MS).await;
                fx.settle().await?;
                let task = fx.claim_one().await?;
                fx.advance(EVERY_MS).await;
                fx.settle().await?;
                Call::Complete(task.handle, None)
            }
        })
    }
}

/// Changes the lane: so many leases at once, one of each key, and ten claims of each in a second.
fn steered(fx: &Fixture, leases: u32) -> CaseResult<AdjustLane> {
    let rate = Rate::new(10, Duration::from_secs(1)).with_burst(1);
    let settings = LaneSettings::unlimited().with_max_concurrency(leases).with_rate(rate);
    let settings = settings.with_key_max_concurrency(1).with_key_rate(rate);
    let request = AdjustLane::new(fx.ids.request_id(), LaneId::new(LANE)?);
    Ok(request.with_settings(settings))
}

/// Two keys with two executions each, in a lane with limits for all and for each.
async fn limited(fx: &Fixture) -> CaseResult<()> {
    fx.backend.adjust_lane(&steered(fx, 2)?).await?;
    for key in ["a", "b", "a", "b"] {
        fx.submit(&fx.submission("task")?.with_lane_key(LaneKey::new(key)?)).await?;
    }
    Ok(())
}

const TOKENS: &str = "output_tokens";
const EVERY_MS: u64 = 10_000;

/// A schedule of which one occurrence waits for the end of the one before.
async fn schedule(fx: &Fixture) -> CaseResult<CreateSchedule> {
    let recurrence = Recurrence::every(ms(EVERY_MS)).with_anchor(fx.now().await);
    let spec = ScheduleSpec::new(recurrence, fx.submission("task")?);
    Ok(CreateSchedule::new(fx.ids.schedule_id(), spec.with_overlap(Overlap::BufferOne)))
}

async fn scheduled(fx: &Fixture) -> CaseResult<ScheduleId> {
    let request = schedule(fx).await?;
    fx.backend.create_schedule(&request).await?;
    Ok(request.id)
}

fn budget(fx: &Fixture) -> CreateBudget {
    CreateBudget::new(fx.ids.budget_id()).with_limit(TOKENS, BudgetLimit::hard(5))
}

fn estimated(fx: &Fixture, budget: BudgetId) -> CaseResult<Submission> {
    let estimate = UsageDimensions::new().with_output_tokens(3);
    Ok(fx.submission("task")?.with_budget(budget).with_estimate(estimate))
}

/// A budget of which a running execution has reserved so much that another one waits.
async fn spending(fx: &Fixture) -> CaseResult<(BudgetId, Handle)> {
    let budget = budget(fx);
    fx.backend.create_budget(&budget).await?;
    let task = fx.submit_and_claim(&estimated(fx, budget.id)?).await?;
    fx.submit(&estimated(fx, budget.id)?).await?;
    fx.claim_if_any().await?;
    Ok((budget.id, task.handle))
}
