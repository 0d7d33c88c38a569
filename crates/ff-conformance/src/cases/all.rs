//! What holds for every verb.

use std::pin::Pin;

use ff_engine::{
    AdjustBudget, AdjustLane, BackfillSchedule, BudgetLimit, CreateBudget, DelayRequest,
    EngineError, FailRequest, LaneSettings, ListBudgets, ListFlows, ListLanes, ListRequest,
    ListSchedules, ListWaitpoints, ProgressRequest, ReadGraph, ResultRequest, SavedState,
    ScheduleChange, SetTags, SuspendCondition, TickRequest, UpdateSummary, UpstreamRequest,
};
use ff_types::backend::{
    FailureClass, FailureReason, Frame, FrameKind, ReclaimGrant, ReclaimToken, UsageDimensions,
};
use ff_types::{LaneId, Payload, TimestampMs, limits};

use crate::Fixture;
use crate::expect::{Case, CaseResult, cases, ensure, ensure_eq};
use crate::fixture::{LANE, LEASE_TTL_MS, failure, ms};
use crate::verbs::{HolderCall, Release};

pub(crate) const CASES: &[Case] = &cases!["all":
    rejected_changes_nothing,
    repeat_is_harmless,
];

type Rejected<'f> =
    (&'static str, Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send + 'f>>);

/// A rejected call leaves the store as it was, whatever the verb and the reason.
pub(crate) async fn rejected_changes_nothing(fx: Fixture) -> CaseResult {
    let ended = fx.completed().await?;
    let lost = fx.lost().await?;
    let token = fx.token().await?;
    let waiting = fx.submission("task")?;
    fx.submit(&waiting).await?;
    let task = fx.submission("task")?.with_priority(1);
    let task = fx.submit_and_claim(&task).await?;
    let backend = fx.backend.as_ref();
    let unknown = fx.ids.execution_id();
    let over = "x".repeat(limits::FAILURE_MESSAGE_MAX_BYTES + 1);
    let clash = waiting.clone().with_priority(2);
    let invalid = fx.submission("task")?.with_priority(limits::PRIORITY_MAX + 1);
    let batch = vec![waiting.clone(); limits::SUBMIT_BATCH_MAX + 1];
    let mut claim = fx.claim_request(LANE)?;
    claim.policy = claim.policy.with_max_tasks(0);
    let scan = fx.reclaim_request(0)?;
    let brief = fx.policy().with_lease_ttl(ms(1));
    let garbage = ReclaimToken::new(ReclaimGrant::new(vec![1])?);
    let handles = vec![task.handle.clone(); limits::RENEW_BATCH_MAX + 1];
    let progress = ProgressRequest::new(101);
    let result = Payload::new(vec![0; limits::RESULT_MAX_BYTES + 1]);
    let fail = FailRequest::new(FailureClass::Permanent, FailureReason::new(over.clone()));
    let delay = DelayRequest::until(TimestampMs(-1));
    let cancel_unknown = fx.cancel_request(unknown, "");
    let cancel_over = fx.cancel_request(waiting.id(), &over);
    let (hold_unknown, hold_ended) =
        (fx.hold_request(unknown), fx.hold_request(ended.execution_id));
    let (release_unknown, release_ended) =
        (fx.release_hold_request(unknown), fx.release_hold_request(ended.execution_id));
    let revoke_unknown = fx.revoke_request(unknown);
    let mut revoke_over = fx.revoke_request(task.execution_id);
    revoke_over.reason.clone_from(&over);
    let (replay_unknown, replay_living) =
        (fx.replay_request(unknown), fx.replay_request(waiting.id()));
    let pending = fx.pending(&task, "approval").await?;
    let late = fx.waitpoint("late")?;
    let brief_life = fx.waitpoint("brief")?.with_expires_in(ms(1));
    let wait = fx.wait_for(&["approval"], SuspendCondition::Any)?;
    let no_wait = fx.wait_for(&[], SuspendCondition::Any)?;
    let unnamed = fx.signal(&pending).with_principal("");
    let mut forged = fx.signal(&pending);
    forged.token = ff_types::backend::WaitpointToken::new(
        pending.address(),
        ff_types::backend::WaitpointHmac::new(format!("none:{}", "0".repeat(40)))?,
    );
    let no_waitpoint = fx.ids.waitpoint_id();
    let withdraw = fx.withdraw_request(task.execution_id, no_waitpoint);
    let resume_unknown = fx.resume_request(unknown);
    let waitpoints = ListWaitpoints::new().with_limit(0);
    let long_state = SavedState::new(vec![0; limits::STATE_MAX_BYTES + 1]);
    let delay_over = DelayRequest::now().with_state(long_state.0.clone());
    let wait_over = wait.clone().with_state(long_state.0.clone());
    let step = fx.step("charge", "done")?;
    let frames = [Frame::new("late", FrameKind::Stdout).with_seq(1)];
    let summary = UpdateSummary::new(0, "{}");
    let summary_over = UpdateSummary::new(0, vec![0; limits::SUMMARY_MAX_BYTES + 1]);
    let step_over = fx.step("long", vec![0; limits::STEP_RESULT_MAX_BYTES + 1])?;
    let tick = TickRequest::all().with_limit(0);
    let page = ListRequest::new().with_limit(0);
    let read = ResultRequest::new(waiting.id()).with_max_wait(ms(limits::MAX_WAIT_MAX_MS + 1));
    let flow = fx.submit_flow("a b", "a>b").await?;
    let unknown_flow = fx.ids.flow_id();
    let circle = fx.flow("a b", "a>b b>a")?;
    let loose = fx.extension(flow, "c", "z>c").await?;
    let mut stale = ff_engine::ExtendFlow::new(fx.ids.request_id(), flow, 9, 2);
    stale.add_edge(crate::flows::edges("a>b")?.remove(0));
    let all = ff_types::backend::CancelFlowPolicy::CancelAll;
    let cancel_flow_unknown = fx.cancel_flow_request(unknown_flow, all);
    let mut cancel_flow_over = fx.cancel_flow_request(flow, all);
    cancel_flow_over.reason.clone_from(&over);
    let graph = ReadGraph::new(flow).with_limit(0);
    let flows = ListFlows::new().with_limit(0);
    let upstream = UpstreamRequest::new(unknown);
    let (budget, unknown_budget) = (fx.ids.budget_id(), fx.ids.budget_id());
    let no_budget = CreateBudget::new(unknown_budget);
    let budget = CreateBudget::new(budget).with_limit("tokens", BudgetLimit::hard(1));
    fx.backend.create_budget(&budget).await?;
    let other_budget = budget.clone().with_limit("tokens", BudgetLimit::hard(2));
    let adjust_unknown = AdjustBudget::new(fx.ids.request_id(), unknown_budget);
    let adjust_other = AdjustBudget::new(fx.ids.request_id(), budget.id);
    let adjust_other = adjust_other.with_limit("pages", BudgetLimit::COUNTED);
    let budgets = ListBudgets::all().with_limit(0);
    let spends_unknown = fx.submission("task")?.with_budget(unknown_budget);
    let lane_over = AdjustLane::new(fx.ids.request_id(), LaneId::new(LANE)?);
    let lane_over = lane_over.with_settings(LaneSettings::unlimited().with_max_concurrency(0));
    let lanes = ListLanes::all().with_limit(0);
    let schedule = fx.schedule(fx.recurring().await?);
    fx.backend.create_schedule(&schedule).await?;
    let unknown_schedule = fx.ids.schedule_id();
    let mut other_schedule = schedule.clone();
    other_schedule.spec = other_schedule.spec.with_note("other");
    let hourly = ff_engine::Recurrence::cron("0 * * *");
    let no_cron = fx.schedule(ff_engine::ScheduleSpec::new(hourly, fx.submission("task")?));
    let mut spends_nothing = fx.schedule(fx.recurring().await?);
    spends_nothing.id = spends_nothing.id.with_shard(unknown_budget.shard());
    spends_nothing.spec.work = spends_nothing.spec.work.with_budget(unknown_budget);
    let resume_schedule = fx.changing(unknown_schedule, ScheduleChange::Resume);
    let pause_over = fx.changing(schedule.id, ScheduleChange::Pause { reason: over.clone() });
    let backfill_unknown =
        BackfillSchedule::new(unknown_schedule, TimestampMs::ZERO, TimestampMs(1));
    let backfill_ahead = BackfillSchedule::new(schedule.id, TimestampMs::ZERO, TimestampMs::MAX);
    let schedules = ListSchedules::all().with_limit(0);
    let usage = UsageDimensions::new().with_input_tokens(1);
    let usage_over = UsageDimensions::new().with_input_tokens(u64::MAX);
    macro_rules! rejected {
        ($($verb:ident($($argument:expr),*);)+) => {
            [$((stringify!($verb($($argument),*)), Box::pin(async {
                backend.$verb($($argument),*).await.map(drop)
            }) as Pin<Box<dyn Future<Output = _> + Send + '_>>)),+]
        };
    }
    let no_tags = SetTags::new(fx.ids.request_id(), waiting.id());
    let tag_unknown = SetTags::new(fx.ids.request_id(), unknown).with_tag("ops.case", "1");
    let calls: [Rejected<'_>; 89] = rejected![
        submit(&clash);
        submit(&invalid);
        submit_batch(&batch);
        claim(&claim);
        reclaimable(&scan);
        claim_from_reclaim(&garbage, &fx.policy());
        claim_from_reclaim(&token, &brief);
        renew(&ended.handle);
        renew(&lost.handle);
        renew_batch(&handles);
        progress(&task.handle, &progress);
        progress(&lost.handle, &ProgressRequest::new(1));
        complete(&task.handle, Some(&result));
        complete(&lost.handle, None);
        complete(&ended.handle, Some(&Payload::new("other")));
        fail(&task.handle, &fail);
        fail(&ended.handle, &failure(FailureClass::Transient));
        cancel(&task.handle, &over);
        cancel(&ended.handle, "too late");
        delay(&task.handle, &delay);
        delay(&ended.handle, &DelayRequest::now());
        create_waitpoint(&task.handle, &brief_life);
        create_waitpoint(&lost.handle, &late);
        suspend(&task.handle, &no_wait);
        suspend(&ended.handle, &wait);
        observe_signals(&lost.handle);
        close_waitpoint(&task.handle, no_waitpoint);
        delay(&task.handle, &delay_over);
        suspend(&task.handle, &wait_over);
        save_state(&task.handle, Some(&long_state));
        save_state(&lost.handle, None);
        record_step(&task.handle, &step_over);
        record_step(&lost.handle, &step);
        steps(&ended.handle);
        append_frames(&task.handle, &[]);
        append_frames(&lost.handle, &frames);
        update_summary(&task.handle, &summary_over);
        update_summary(&lost.handle, &summary);
        deliver_signal(&unnamed);
        deliver_signal(&forged);
        withdraw_waitpoint(&withdraw);
        resume_execution(&resume_unknown);
        list_waitpoints(&waitpoints);
        cancel_execution(&cancel_unknown);
        cancel_execution(&cancel_over);
        hold(&hold_unknown);
        hold(&hold_ended);
        release_hold(&release_unknown);
        release_hold(&release_ended);
        revoke(&revoke_unknown);
        revoke(&revoke_over);
        replay(&replay_unknown);
        replay(&replay_living);
        set_tags(&no_tags);
        set_tags(&tag_unknown);
        submit_flow(&circle);
        extend_flow(&loose);
        extend_flow(&stale);
        cancel_flow(&cancel_flow_unknown);
        cancel_flow(&cancel_flow_over);
        describe_flow(unknown_flow);
        read_graph(&graph);
        list_flows(&flows);
        upstream_results(&upstream);
        tick(&tick);
        create_budget(&no_budget);
        create_budget(&other_budget);
        adjust_budget(&adjust_unknown);
        adjust_budget(&adjust_other);
        describe_budget(unknown_budget);
        list_budgets(&budgets);
        adjust_lane(&lane_over);
        list_lanes(&lanes);
        create_schedule(&other_schedule);
        create_schedule(&no_cron);
        create_schedule(&spends_nothing);
        adjust_schedule(&resume_schedule);
        adjust_schedule(&pause_over);
        backfill_schedule(&backfill_unknown);
        backfill_schedule(&backfill_ahead);
        describe_schedule(unknown_schedule);
        list_schedules(&schedules);
        submit(&spends_unknown);
        report_usage(&lost.handle, &usage);
        report_usage(&task.handle, &usage_over);
        describe_execution(unknown);
        explain(unknown);
        list_executions(&page);
        result(&read);
    ];
    let before = fx.snapshot().await;

    for (call, answer) in calls {
        ensure!(answer.await.is_err(), "{call} is accepted");
        ensure_eq!(fx.snapshot().await, before, "the store after {call}");
    }

    fx.backend.renew(&task.handle).await?;
    fx.backend.claim_from_reclaim(&token, &fx.policy()).await?;
    Ok(())
}

/// Every call may be repeated with the same arguments: it gives the first outcome and has no second
/// effect.
///
/// A renewal that is repeated later extends the lease further, which is what it is for; here no
/// time passes in between. Of a tick only the effect is compared, as a repeat finds nothing left to
/// count.
pub(crate) async fn repeat_is_harmless(fx: Fixture) -> CaseResult {
    let backend = fx.backend.as_ref();
    macro_rules! twice {
        ($verb:ident($($argument:expr),*)) => {{
            let first = backend.$verb($($argument),*).await?;
            let before = fx.snapshot().await;
            let second = backend.$verb($($argument),*).await?;
            ensure_eq!(second, first, "the answer to {}", stringify!($verb));
            ensure_eq!(fx.snapshot().await, before, "the store after {}", stringify!($verb));
            first
        }};
    }
    let one = fx.submission("task")?;
    let batch = [fx.submission("task")?, fx.submission("task")?];
    twice!(submit(&one));
    let first: Vec<_> =
        backend.submit_batch(&batch).await?.into_iter().collect::<Result<_, _>>()?;
    let before = fx.snapshot().await;
    let second: Vec<_> =
        backend.submit_batch(&batch).await?.into_iter().collect::<Result<_, _>>()?;
    ensure_eq!((second, fx.snapshot().await), (first, before), "submit_batch");

    let id = one.id();
    let hold = fx.hold_request(id);
    twice!(hold(&hold));
    let claim = fx.claim_request(LANE)?;
    let task = twice!(claim(&claim)).tasks.remove(0);
    twice!(renew(&task.handle));
    twice!(progress(&task.handle, &ProgressRequest::new(10).with_message("begun")));
    let waitpoint = fx.waitpoint("approval")?;
    let pending = twice!(create_waitpoint(&task.handle, &waitpoint));
    let signal = fx.signal(&pending);
    twice!(deliver_signal(&signal));
    twice!(close_waitpoint(&task.handle, pending.waitpoint_id));
    twice!(deliver_signal(&signal));
    twice!(observe_signals(&task.handle));
    twice!(save_state(&task.handle, Some(&SavedState::new("begun"))));
    let step = fx.step("charge", "done")?;
    twice!(record_step(&task.handle, &step));
    twice!(steps(&task.handle));
    let frames = [Frame::new("begun", FrameKind::Stdout).with_seq(1)];
    twice!(append_frames(&task.handle, &frames));
    twice!(update_summary(&task.handle, &UpdateSummary::new(0, "{}")));
    let budget = CreateBudget::new(fx.ids.budget_id());
    let budget = budget.with_limit("tokens", BudgetLimit::hard(1));
    twice!(create_budget(&budget));
    let adjust = AdjustBudget::new(fx.ids.request_id(), budget.id).with_reset();
    twice!(adjust_budget(&adjust));
    let steer = AdjustLane::new(fx.ids.request_id(), LaneId::new(LANE)?);
    let steer = steer.with_settings(LaneSettings::unlimited().with_max_concurrency(9));
    twice!(adjust_lane(&steer));
    let tagged = SetTags::new(fx.ids.request_id(), id).with_tag("ops.case", "1");
    twice!(set_tags(&tagged));
    let schedule = fx.schedule(fx.recurring().await?);
    twice!(create_schedule(&schedule));
    let pause = ScheduleChange::Pause { reason: "a change of plans".to_owned() };
    let pause = fx.changing(schedule.id, pause);
    twice!(adjust_schedule(&pause));
    let passed = fx.now().await;
    let backfill = BackfillSchedule::new(schedule.id, passed.saturating_sub(ms(10_000)), passed);
    twice!(backfill_schedule(&backfill));
    twice!(delete_schedule(schedule.id));
    fx.advance(LEASE_TTL_MS).await;
    backend.tick(&TickRequest::all()).await?;
    let before = fx.snapshot().await;
    backend.tick(&TickRequest::all()).await?;
    ensure_eq!(fx.snapshot().await, before, "the store after tick");
    let scan = fx.reclaim_request(5)?;
    let token = twice!(reclaimable(&scan)).remove(0);
    let task = twice!(claim_from_reclaim(&token, &fx.policy()));
    let wait = fx.wait_for(&["legal", "tech"], SuspendCondition::Any)?;
    let waitpoints = fx.suspend(&task.handle, &wait).await?;
    twice!(suspend(&task.handle, &wait));
    let withdraw = fx.withdraw_request(task.execution_id, waitpoints[0].waitpoint_id);
    twice!(withdraw_waitpoint(&withdraw));
    let signal = fx.signal(&waitpoints[1]);
    twice!(deliver_signal(&signal));
    let task = fx.resumed_by(&[signal.signal_id]).await?;
    let wait = fx.wait_for(&["again"], SuspendCondition::Any)?;
    fx.suspend(&task.handle, &wait).await?;
    let resume = fx.resume_request(task.execution_id);
    twice!(resume_execution(&resume));
    let task = fx.reclaim_one().await?;
    let revoke = fx.revoke_request(task.execution_id);
    twice!(revoke(&revoke));
    let cancel = fx.cancel_request(task.execution_id, "enough");
    twice!(cancel_execution(&cancel));
    let replay = fx.replay_request(task.execution_id);
    twice!(replay(&replay));
    let release = fx.release_hold_request(id);
    twice!(release_hold(&release));
    let flow = fx.flow("a b", "a>b")?;
    twice!(submit_flow(&flow));
    let extension = fx.extension(flow.id(), "c", "a!c").await?;
    twice!(extend_flow(&extension));
    let cancel = fx.cancel_flow_request(flow.id(), ff_types::backend::CancelFlowPolicy::CancelAll);
    twice!(cancel_flow(&cancel));

    for release in Release::DISTINCT {
        let fx = fx.second().await?;
        let task = fx.running().await?;
        let first = release.make(fx.backend.as_ref(), &task.handle).await?;
        let before = fx.snapshot().await;
        let second = release.make(fx.backend.as_ref(), &task.handle).await?;
        ensure_eq!(second, first, "the answer to {release:?}");
        ensure_eq!(fx.snapshot().await, before, "the store after {release:?}");
        let fenced = HolderCall::Progress.make(fx.backend.as_ref(), &task.handle).await;
        ensure!(fenced.is_err(), "the lease lives on after {release:?}");
    }
    Ok(())
}
