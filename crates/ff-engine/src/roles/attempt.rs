//! What the holder of a lease does.

use std::time::Duration;

use async_trait::async_trait;
use ff_types::backend::{
    AppendFrameOutcome, FailOutcome, Frame, Handle, LeaseRenewal, PendingWaitpoint, UsageDimensions,
};
use ff_types::{ExecutionId, Payload, WaitpointId, WorkerInstanceId};

use crate::error::EngineError;
use crate::requests::{
    CloseOutcome, CreateWaitpoint, DelayRequest, FailRequest, ProgressRequest, RecordStep,
    ResumeView, SavedState, StepOutcome, StepView, SummaryOutcome, SuspendOutcome, SuspendRequest,
    UpdateSummary, UsageOutcome, WaitChildren, WaitChildrenOutcome,
};

/// The verbs of a lease holder.
///
/// Every one takes the handle of the attempt and is checked against the live lease. A holder whose
/// lease expired, was revoked or was taken over changes nothing, by any verb
/// `[lease.stale_holder_is_fenced]`, and neither does a handle that differs from the live lease in
/// execution, attempt, epoch or lease id `[lease.every_part_of_the_fence_counts]`. A lease is over
/// at the very millisecond of its expiry, by the store's clock `[lease.expires_at_the_boundary]`. The handle is borrowed: after
/// [`EngineError::Unavailable`] the same call can be repeated.
///
/// `complete`, `fail`, `cancel`, `delay` and `suspend` release the lease: whatever the attempt held goes in
/// the same step. A repeat of the same release gives the same outcome
/// `[release.repeat_gives_the_first_outcome]`, as long as the lease is among the latest eight that
/// ended `[release.repeat_survives_later_attempts]`; a different one is refused with the outcome
/// that stands `[release.different_call_is_refused]`.
///
/// # Errors
/// [`EngineError::State`]: stop working on the attempt. A handle of a kind that holds no lease is
/// refused `[handle.kind_is_checked]`, and so are bytes that are no handle
/// `[handle.hostile_bytes_are_refused]`.
#[async_trait]
pub trait AttemptOps: Send + Sync + 'static {
    /// Extends the lease to now + its TTL, by the store's clock, but never past the attempt's
    /// timeout or the execution's deadline `[lease.renew_is_capped]`.
    ///
    /// # Behavior
    /// - The lease lives on for its TTL `[lease.renew_extends]`.
    /// - A lease that is over is never revived `[lease.renew_never_revives]`.
    /// - A pending cancellation is answered here as a state error, and the lease is left as it is,
    ///   so that the worker stops `[lease.renew_reports_cancel]`.
    async fn renew(&self, handle: &Handle) -> Result<LeaseRenewal, EngineError>;

    /// Renews up to 1,000 leases, each with an answer of its own, in the order given.
    ///
    /// # Behavior
    /// - One refusal does not touch the others `[lease.renew_batch_answers_each]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for more than 1,000 handles `[lease.renew_batch_is_bounded]`.
    async fn renew_batch(
        &self,
        handles: &[Handle],
    ) -> Result<Vec<Result<LeaseRenewal, EngineError>>, EngineError>;

    /// Reports how far the attempt is.
    ///
    /// # Behavior
    /// - The latest report is shown until the next attempt starts `[progress.shows_the_latest]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] over 100 percent, [`EngineError::LimitExceeded`] for a message
    /// over 1 KiB `[progress.limits_are_enforced]`.
    async fn progress(&self, handle: &Handle, request: &ProgressRequest)
    -> Result<(), EngineError>;

    /// Ends the execution as `Completed`, with what the handler returned.
    ///
    /// # Behavior
    /// - The result is kept, byte for byte, until retention `[complete.keeps_the_result]`.
    /// - Work that was finished counts as finished although a cancellation is pending
    ///   `[complete.wins_over_a_pending_cancel]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a result over 1 MiB `[complete.limits_are_enforced]`.
    async fn complete(&self, handle: &Handle, result: Option<&Payload>) -> Result<(), EngineError>;

    /// Ends the attempt as failed; class and policy decide whether another follows.
    ///
    /// # Behavior
    /// - `Transient` and `Timeout` are retried with the policy's back-off
    ///   `[fail.retries_with_backoff]`, or after `retry_after` `[fail.retry_after_replaces_backoff]`,
    ///   until the retries are used up `[fail.retries_run_out]`. A retry is a new attempt.
    /// - `Permanent` ends the execution as `Failed` `[fail.permanent_ends_it]`; `Cancelled` ends it
    ///   as `Cancelled` `[fail.cancelled_class_cancels]`.
    /// - `InfraCrash` is retried too, and counts as a lost lease `[fail.infra_crash_counts_as_reclaim]`.
    /// - While a cancellation is pending there is no retry: it is `Cancelled`
    ///   `[cancel.pending_turns_failure_into_cancel]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a message over 4 KiB or a detail over 64 KiB,
    /// [`EngineError::Validation`] for a `retry_after` over 30 days `[fail.limits_are_enforced]`.
    async fn fail(
        &self,
        handle: &Handle,
        request: &FailRequest,
    ) -> Result<FailOutcome, EngineError>;

    /// Ends the execution as `Cancelled`, with a reason of at most 1 KiB.
    ///
    /// # Behavior
    /// - It ends at once; the reason of a pending cancellation stands before this one
    ///   `[cancel.by_its_holder]`.
    async fn cancel(&self, handle: &Handle, reason: &str) -> Result<(), EngineError>;

    /// Pauses the attempt: the lease is given back, and the same attempt resumes at `until` by way
    /// of the reclaim scanner.
    ///
    /// # Behavior
    /// - The pause holds nothing and uses no retry `[delay.holds_nothing]`; a time that has passed
    ///   hands the attempt to another worker at once `[delay.past_means_now]`.
    /// - While a cancellation is pending there is no pause `[delay.refused_under_a_pending_cancel]`.
    /// - A state that the request brings is saved in the same step
    ///   `[state.is_saved_with_the_release]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a time out of range `[delay.limits_are_enforced]`.
    async fn delay(&self, handle: &Handle, request: &DelayRequest) -> Result<(), EngineError>;

    /// Makes a waitpoint and its token while the attempt runs, so that the token can be handed out
    /// before the wait begins.
    ///
    /// # Behavior
    /// - It is pending: every signal is kept for the suspend that will wait for it
    ///   `[waitpoint.keeps_early_signals]`.
    /// - When the execution has an open waitpoint of this key, that one is given again, with the
    ///   token it has, in whichever attempt: a link that was handed out stays good
    ///   `[waitpoint.open_key_is_given_again]`. A closed one makes room for a new one of its key
    ///   `[waitpoint.closed_key_is_free]`.
    /// - It closes by itself at its expiry, to the millisecond `[waitpoint.expires]`, and with the
    ///   execution `[waitpoint.end_closes_all]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] beyond 64 open ones; [`EngineError::Validation`] for a life
    /// outside 1 s ..= 366 days, or an id that another waitpoint has
    /// `[waitpoint.limits_are_enforced]`.
    async fn create_waitpoint(
        &self,
        handle: &Handle,
        request: &CreateWaitpoint,
    ) -> Result<PendingWaitpoint, EngineError>;

    /// Gives the lease back until signals satisfy the condition. The same attempt then resumes by
    /// way of the reclaim scanner.
    ///
    /// # Behavior
    /// - A suspended execution holds no lease and uses no retry `[suspend.holds_nothing]`; the
    ///   answer has every waitpoint with its token, and a handle of kind `Suspended`
    ///   `[suspend.answers_with_tokens]`. A repeat after the lost answer gives the same
    ///   `[suspend.repeat_gives_the_same_tokens]`.
    /// - `Any`, `All` and `AtLeast` count as they say `[suspend.conditions_count]`, and with
    ///   several groups all have to hold, each counting for itself what they share
    ///   `[suspend.groups_share_waitpoints]`. Distinct sources are principals that trusted code
    ///   authenticated, or tokens, whatever the senders write `[suspend.sources_are_proven]`.
    /// - When signals that were kept satisfy the condition, the lease is kept
    ///   `[suspend.already_satisfied_keeps_the_lease]`. A signal that races with the suspend is
    ///   never lost `[signal.no_lost_wakeup]`. What does not match the waitpoint's matcher does
    ///   not count `[suspend.drops_what_does_not_match]`.
    /// - A fresh waitpoint whose key is open uses that one and what it has kept
    ///   `[suspend.fresh_key_finds_the_open_one]`; pending ones that the suspend does not name
    ///   stay pending `[suspend.leaves_other_waitpoints_pending]`.
    /// - At the timeout it fails, is cancelled, expires or resumes, as the request says
    ///   `[wait.timeout_behaves_as_asked]`, and so it does as soon as too many waitpoints are
    ///   closed or expired for the condition ever to hold `[wait.impossible_gives_up_at_once]`.
    /// - While a cancellation is pending there is no wait `[suspend.refused_under_a_pending_cancel]`.
    /// - A state that the request brings is saved in the same step
    ///   `[state.is_saved_with_the_release]`, also when the condition holds already
    ///   `[state.is_saved_when_already_satisfied]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] and [`EngineError::LimitExceeded`] name the field
    /// `[suspend.limits_are_enforced]`; [`EngineError::NotFound`] for a pending waitpoint whose
    /// token is not good or that is not open `[suspend.pending_needs_its_token]`.
    async fn suspend(
        &self,
        handle: &Handle,
        request: &SuspendRequest,
    ) -> Result<SuspendOutcome, EngineError>;

    /// What ended the latest wait of the execution.
    ///
    /// # Behavior
    /// - Exactly the signals that satisfied the condition, in the order of their acceptance: of each
    ///   group the first of each thing it counts, until there were enough
    ///   `[signal.observed_are_those_that_satisfied]`.
    /// - It stays the same through lost leases and retries, until the next suspend
    ///   `[signal.observed_survives_a_lost_lease]`.
    async fn observe_signals(&self, handle: &Handle) -> Result<ResumeView, EngineError>;

    /// Closes a waitpoint: it takes no signal from now on, and what it has kept is gone.
    ///
    /// # Behavior
    /// - One that is closed is an outcome; a repeat by the same holder gives the first outcome
    ///   `[waitpoint.close_is_final]`.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for one that the execution does not know
    /// `[waitpoint.unknown_is_not_found]`.
    async fn close_waitpoint(
        &self,
        handle: &Handle,
        waitpoint_id: WaitpointId,
    ) -> Result<CloseOutcome, EngineError>;

    /// Saves a state for the leases to come, or with `None` removes the one that is saved: bytes
    /// that tell the next run of the handler where it was.
    ///
    /// # Behavior
    /// - Each task that is handed out from then on carries the latest state, byte for byte: after a
    ///   pause, a wait, a lost lease or a retry, and also when a claim is repeated
    ///   `[state.comes_with_the_task]`. `None` is other than no bytes
    ///   `[state.nothing_is_not_empty]`.
    /// - It is gone with the end of the execution, and a replay starts without one
    ///   `[state.ends_with_the_run]`.
    /// - That there is one is shown to operators, and no more `[state.is_shown_as_a_fact]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a state over 64 KiB, here and with a release
    /// `[state.limits_are_enforced]`.
    async fn save_state(
        &self,
        handle: &Handle,
        state: Option<&SavedState>,
    ) -> Result<(), EngineError>;

    /// Records the result of a step, so that no later attempt has to do it again.
    ///
    /// # Behavior
    /// - The first result of a name stands, whoever brings another: two attempts never disagree
    ///   `[step.first_result_stands]`.
    /// - Steps outlive pauses and waits, lost leases and retries `[step.outlives_the_attempt]`. They
    ///   are gone with the end of the execution, and a replay starts without them
    ///   `[step.ends_with_the_run]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for a result over 256 KiB, for more than 256 steps, and for
    /// results over 4 MiB together `[step.limits_are_enforced]`; never for a step that is recorded
    /// `[step.recorded_is_found_at_the_limit]`.
    async fn record_step(
        &self,
        handle: &Handle,
        request: &RecordStep,
    ) -> Result<StepOutcome, EngineError>;

    /// The recorded steps of the execution, in the order of their recording.
    ///
    /// # Behavior
    /// - All of them, byte for byte, with the attempt and the time of their recording
    ///   `[step.is_given_back_whole]`.
    /// - How many there are is shown to operators, and no more `[step.is_shown_as_a_number]`.
    async fn steps(&self, handle: &Handle) -> Result<Vec<StepView>, EngineError>;

    /// Appends frames to the stream of the execution, all or none of them.
    ///
    /// # Behavior
    /// - Frames are kept in the order of their appends, byte for byte, with their attempt and time
    ///   `[stream.frames_come_back_as_they_were_written]`.
    /// - A numbered frame whose number the attempt has used is not appended again: its first outcome is
    ///   given `[stream.repeat_of_a_number_appends_nothing]`; one without a number is
    ///   `[stream.unnumbered_frames_are_all_kept]`. Every attempt has numbers of its own
    ///   `[stream.each_attempt_has_its_own_numbers]`.
    /// - Whoever has lost the lease appends nothing, not even a repeat `[stream.stale_holder_appends_nothing]`.
    /// - The latest 10,000 frames and 8 MiB of an execution are kept, and readers are told of what is not
    ///   `[stream.number_is_bounded]` `[stream.bytes_are_bounded]`. Frames are kept as long as the
    ///   execution, over replays too, and go with it `[stream.goes_with_the_execution]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for no frame, or for a number that does not rise and is none of the
    /// latest 1,000 frames of the attempt `[stream.numbers_rise]`; [`EngineError::LimitExceeded`] for a
    /// frame over 64 KiB, more than 256 frames, or more than 256 KiB together
    /// `[stream.limits_are_enforced]`.
    async fn append_frames(
        &self,
        handle: &Handle,
        frames: &[Frame],
    ) -> Result<Vec<AppendFrameOutcome>, EngineError>;

    /// Replaces the running summary of the execution, if it is still the version that was read.
    ///
    /// # Behavior
    /// - Of several that start from one version one is taken, and the others are told what stands
    ///   `[summary.one_update_of_a_version_is_taken]`; a repeat of the one that was taken is answered as at
    ///   first `[summary.repeat_is_harmless]`, and of a holder that lost the lease none is
    ///   `[summary.stale_holder_changes_nothing]`.
    /// - It is given back byte for byte, with its version, attempt and time, and stays over attempts, the
    ///   end and a replay, and goes with the execution `[summary.stays_with_the_execution]`.
    ///
    /// # Errors
    /// [`EngineError::LimitExceeded`] for more than 64 KiB `[summary.size_is_bounded]`.
    async fn update_summary(
        &self,
        handle: &Handle,
        request: &UpdateSummary,
    ) -> Result<SummaryOutcome, EngineError>;

    /// Counts what the attempt has used since its last report, in all budgets of the execution or in none.
    ///
    /// # Behavior
    /// - It takes from the reservation first, and what is over needs room of its own
    ///   `[budget.report_takes_from_the_reservation]`. What is within the reservation needs none, also after the
    ///   limit was lowered, as long as usage stays within it
    ///   `[budget.report_within_its_reservation_needs_no_room]`. What a run has reported is shown with the execution,
    ///   also of one without budgets `[budget.report_is_counted]`.
    /// - When one dimension of one budget would pass a hard limit, nothing at all is counted
    ///   `[budget.report_is_all_or_nothing]`. Once a soft limit is passed, reports say so
    ///   `[budget.soft_limit_is_told]`.
    /// - A report with a key counts once in the life of a run, whichever attempt repeats it
    ///   `[budget.report_counts_once]`; without a key it is counted each time. The latest 10,000 keys are
    ///   remembered.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a dimension that is malformed or named twice,
    /// [`EngineError::LimitExceeded`] for an amount or a sum over 2^53 - 1 and for more than 32 dimensions of
    /// an execution `[budget.report_limits_are_enforced]`.
    async fn report_usage(
        &self,
        handle: &Handle,
        usage: &UsageDimensions,
    ) -> Result<UsageOutcome, EngineError>;

    /// Gives the lease back until a child flow has ended: one that was submitted with this execution for
    /// its parent.
    ///
    /// # Behavior
    /// - The attempt holds nothing and resumes, as the same one, when the flow has ended
    ///   `[children.parent_resumes_with_the_end]`. A flow that has ended before is an outcome, and the
    ///   lease stays `[children.ended_flow_is_an_outcome]`.
    /// - When the execution ends otherwise than `Completed`, its open child flows are cancelled, and what
    ///   hangs on them `[children.end_with_their_parent]`, flows that a replay has opened again among them
    ///   `[children.replayed_end_with_their_parent]`, however many these are
    ///   `[children.replayed_may_be_more_than_are_started]`; when it completes they go on
    ///   `[children.outlive_a_completed_parent]`.
    /// - Starting a flow needs a live lease, of which a repeat needs none
    ///   `[children.start_needs_a_live_lease]`; 64 may be open, and 8 lie within each other
    ///   `[children.number_and_depth_are_bounded]`.
    /// - A cancel or a deadline ends the wait `[children.wait_is_ended_from_outside]`; a hold shows when it
    ///   is over `[children.hold_takes_effect_after_the_wait]`.
    /// - A repeat gives the first outcome `[children.repeat_is_harmless]`.
    ///
    /// # Errors
    /// [`EngineError::State`] as for every release; [`EngineError::NotFound`] for a flow that is not its
    /// own `[children.foreign_flow_is_not_found]`; [`EngineError::LimitExceeded`] for a state over 64 KiB.
    async fn wait_children(
        &self,
        handle: &Handle,
        request: &WaitChildren,
    ) -> Result<WaitChildrenOutcome, EngineError>;

    /// Waits until somebody asks that an attempt of this instance be cancelled. Answers which, or nothing
    /// when the wait is over.
    ///
    /// # Behavior
    /// - It is told as soon as the cancellation stands, of a member when its flow is cancelled, too
    ///   `[cancel.instance_is_told_at_once]`.
    /// - It is a hint, by which a worker renews sooner: what it misses, the next renewal answers
    ///   `[cancel.running_is_told]`.
    ///
    /// # Errors
    /// [`EngineError::Validation`] for a wait over 60 s `[cancel.wait_is_bounded]`.
    async fn await_cancels(
        &self,
        instance: WorkerInstanceId,
        max_wait: Duration,
    ) -> Result<Vec<ExecutionId>, EngineError>;
}
