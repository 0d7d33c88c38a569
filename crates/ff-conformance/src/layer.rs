//! Implements every role for a type that wraps a backend.
//!
//! The type has a field `inner: Arc<dyn EngineBackend>` and a method
//! `async fn around<T>(&self, verb, call) -> Result<T, EngineError>`, which may make the call as
//! often as it likes.

use std::future::Future;
use std::pin::Pin;

use ff_engine::EngineError;

/// A call that can be made again.
pub(crate) type Call<'c, T> =
    &'c (dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'c>> + Sync + 'c);

macro_rules! role {
    ($layer:ty, $role:ident { $($verb:ident($($arg:ident: $ty:ty),*) -> $out:ty;)+ }) => {
        #[::async_trait::async_trait]
        impl ::ff_engine::$role for $layer {
            $(async fn $verb(&self, $($arg: $ty),*) -> Result<$out, ::ff_engine::EngineError> {
                self.around(stringify!($verb), &|| self.inner.$verb($($arg),*)).await
            })+
        }
    };
}

macro_rules! forward_roles {
    ($layer:ty) => {
        impl ::ff_engine::BackendInfo for $layer {
            fn tag(&self) -> ::ff_types::backend::BackendTag {
                self.inner.tag()
            }

            fn namespace(&self) -> &::ff_types::Namespace {
                self.inner.namespace()
            }
        }

        $crate::layer::role!($layer, SubmitOps {
            submit(submission: &::ff_engine::Submission) -> ::ff_engine::Submitted;
            submit_batch(submissions: &[::ff_engine::Submission])
                -> Vec<Result<::ff_engine::Submitted, ::ff_engine::EngineError>>;
        });

        $crate::layer::role!($layer, FlowOps {
            submit_flow(spec: &::ff_engine::FlowSpec) -> ::ff_engine::SubmittedFlow;
            extend_flow(request: &::ff_engine::ExtendFlow) -> ::ff_engine::ExtendOutcome;
            cancel_flow(request: &::ff_engine::CancelFlow) -> ::ff_engine::CancelFlowOutcome;
            describe_flow(id: ::ff_types::FlowId) -> ::ff_engine::FlowView;
            read_graph(request: &::ff_engine::ReadGraph) -> ::ff_engine::GraphPage;
            list_flows(request: &::ff_engine::ListFlows) -> ::ff_engine::FlowPage;
            upstream_results(request: &::ff_engine::UpstreamRequest)
                -> ::ff_engine::UpstreamPage;
        });

        $crate::layer::role!($layer, ClaimOps {
            claim(request: &::ff_engine::ClaimRequest) -> ::ff_engine::ClaimOutcome;
            reclaimable(request: &::ff_engine::ReclaimRequest)
                -> Vec<::ff_types::backend::ReclaimToken>;
            claim_from_reclaim(
                token: &::ff_types::backend::ReclaimToken,
                policy: &::ff_types::backend::ClaimPolicy
            ) -> ::ff_engine::Task;
        });

        $crate::layer::role!($layer, AttemptOps {
            renew(handle: &::ff_types::backend::Handle) -> ::ff_types::backend::LeaseRenewal;
            renew_batch(handles: &[::ff_types::backend::Handle])
                -> Vec<Result<::ff_types::backend::LeaseRenewal, ::ff_engine::EngineError>>;
            progress(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::ProgressRequest
            ) -> ();
            complete(
                handle: &::ff_types::backend::Handle,
                result: Option<&::ff_types::Payload>
            ) -> ();
            fail(handle: &::ff_types::backend::Handle, request: &::ff_engine::FailRequest)
                -> ::ff_types::backend::FailOutcome;
            cancel(handle: &::ff_types::backend::Handle, reason: &str) -> ();
            delay(handle: &::ff_types::backend::Handle, request: &::ff_engine::DelayRequest) -> ();
            create_waitpoint(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::CreateWaitpoint
            ) -> ::ff_types::backend::PendingWaitpoint;
            suspend(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::SuspendRequest
            ) -> ::ff_engine::SuspendOutcome;
            await_cancels(
                instance: ::ff_types::WorkerInstanceId,
                max_wait: ::std::time::Duration
            ) -> Vec<::ff_types::ExecutionId>;
            wait_children(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::WaitChildren
            ) -> ::ff_engine::WaitChildrenOutcome;
            observe_signals(handle: &::ff_types::backend::Handle) -> ::ff_engine::ResumeView;
            close_waitpoint(
                handle: &::ff_types::backend::Handle,
                waitpoint_id: ::ff_types::WaitpointId
            ) -> ::ff_engine::CloseOutcome;
            save_state(
                handle: &::ff_types::backend::Handle,
                state: Option<&::ff_engine::SavedState>
            ) -> ();
            record_step(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::RecordStep
            ) -> ::ff_engine::StepOutcome;
            update_summary(
                handle: &::ff_types::backend::Handle,
                request: &::ff_engine::UpdateSummary
            ) -> ::ff_engine::SummaryOutcome;
            append_frames(
                handle: &::ff_types::backend::Handle,
                frames: &[::ff_types::backend::Frame]
            ) -> Vec<::ff_types::backend::AppendFrameOutcome>;
            report_usage(
                handle: &::ff_types::backend::Handle,
                usage: &::ff_types::backend::UsageDimensions
            ) -> ::ff_engine::UsageOutcome;
            steps(handle: &::ff_types::backend::Handle) -> Vec<::ff_engine::StepView>;
        });

        $crate::layer::role!($layer, SignalOps {
            deliver_signal(request: &::ff_engine::DeliverSignal) -> ::ff_engine::SignalOutcome;
        });

        $crate::layer::role!($layer, OperatorOps {
            cancel_execution(request: &::ff_engine::CancelExecution)
                -> ::ff_engine::CancelOutcome;
            hold(request: &::ff_engine::Hold) -> ::ff_engine::HoldOutcome;
            release_hold(request: &::ff_engine::ReleaseHold) -> ::ff_engine::ReleaseHoldOutcome;
            revoke(request: &::ff_engine::RevokeLease) -> ::ff_engine::RevokeOutcome;
            withdraw_waitpoint(request: &::ff_engine::WithdrawWaitpoint)
                -> ::ff_engine::CloseOutcome;
            resume_execution(request: &::ff_engine::ResumeExecution)
                -> ::ff_engine::ResumeOutcome;
            replay(request: &::ff_engine::ReplayExecution) -> ::ff_engine::ReplayOutcome;
            set_tags(request: &::ff_engine::SetTags) -> ::ff_types::Tags;
        });

        $crate::layer::role!($layer, BudgetOps {
            create_budget(request: &::ff_engine::CreateBudget) -> ();
            adjust_budget(request: &::ff_engine::AdjustBudget) -> ();
            describe_budget(id: ::ff_types::BudgetId) -> ::ff_engine::BudgetView;
            list_budgets(request: &::ff_engine::ListBudgets) -> Vec<::ff_engine::BudgetView>;
        });

        $crate::layer::role!($layer, LaneOps {
            adjust_lane(request: &::ff_engine::AdjustLane) -> ();
            describe_lane(lane: &::ff_types::LaneId) -> ::ff_engine::LaneView;
            list_lanes(request: &::ff_engine::ListLanes) -> Vec<::ff_engine::LaneView>;
        });

        $crate::layer::role!($layer, ScheduleOps {
            create_schedule(request: &::ff_engine::CreateSchedule) -> ();
            adjust_schedule(request: &::ff_engine::AdjustSchedule) -> ();
            backfill_schedule(request: &::ff_engine::BackfillSchedule)
                -> ::ff_engine::BackfillOutcome;
            delete_schedule(id: ::ff_types::ScheduleId) -> ();
            describe_schedule(id: ::ff_types::ScheduleId) -> ::ff_engine::ScheduleView;
            list_schedules(request: &::ff_engine::ListSchedules)
                -> Vec<::ff_engine::ScheduleView>;
        });

        $crate::layer::role!($layer, ReadOps {
            describe_execution(id: ::ff_types::ExecutionId) -> ::ff_engine::ExecutionView;
            list_executions(request: &::ff_engine::ListRequest) -> ::ff_engine::ListPage;
            list_waitpoints(request: &::ff_engine::ListWaitpoints) -> ::ff_engine::WaitpointPage;
            read_completions(request: &::ff_engine::ReadCompletions)
                -> ::ff_engine::CompletionPage;
            read_stream(request: &::ff_engine::ReadStream) -> ::ff_engine::StreamPage;
            result(request: &::ff_engine::ResultRequest) -> ::ff_engine::ResultOutcome;
            explain(id: ::ff_types::ExecutionId) -> ::ff_engine::Explanation;
        });

        $crate::layer::role!($layer, TimerOps {
            tick(request: &::ff_engine::TickRequest) -> ::ff_engine::TickOutcome;
        });
    };
}

pub(crate) use {forward_roles, role};
