//! Nothing is distorted outside the builds that test the test suite.

use std::borrow::Cow;
use std::ops::Bound;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{Backfill, ExecutionRecord, Placement, RunState, ScheduleRecord};
use ff_engine::{ExtendFlow, Fence, RecordStep, StreamEnd, StreamPage, Submission, UpdateSummary};
use ff_types::backend::{CapabilitySet, Frame, ScannerFilter};
use ff_types::{ExecutionId, NodeKey, TimestampMs};

use crate::store::Store;

/// Changes nothing, at no cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distortion;

/// No distortion.
pub(crate) const NONE: Distortion = Distortion;

#[expect(clippy::unused_self, reason = "the distorting twin of this type needs it")]
impl Distortion {
    pub(crate) const fn is_some(self) -> bool {
        false
    }

    pub(crate) fn next(self, _: Verb, _: &ExecutionRecord, _: &mut RunState) {}

    pub(crate) const fn placement(self, _: &ExecutionRecord, placement: Placement) -> Placement {
        placement
    }

    pub(crate) fn covers(self, required: &CapabilitySet, offered: &CapabilitySet) -> bool {
        required.is_subset_of(offered)
    }

    pub(crate) const fn wakes(self) -> bool {
        true
    }

    pub(crate) fn key_holds(self, ends_at: TimestampMs, now: TimestampMs) -> bool {
        ends_at > now
    }

    pub(crate) const fn remembers_claims(self) -> bool {
        true
    }

    pub(crate) const fn fence(
        self,
        _: &ExecutionRecord,
        fence: Fence,
        now: TimestampMs,
    ) -> (Fence, TimestampMs) {
        (fence, now)
    }

    pub(crate) const fn renewed(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        Cow::Borrowed(record)
    }

    pub(crate) const fn suspending(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        Cow::Borrowed(record)
    }

    pub(crate) const fn recording<'r>(
        self,
        record: &'r ExecutionRecord,
        _: &RecordStep,
    ) -> Cow<'r, ExecutionRecord> {
        Cow::Borrowed(record)
    }

    pub(crate) const fn appending(self, frames: &[Frame]) -> Cow<'_, [Frame]> {
        Cow::Borrowed(frames)
    }

    pub(crate) const fn writing(self, _: &ExecutionRecord, fence: Fence) -> Fence {
        fence
    }

    pub(crate) const fn tells_readers(self) -> bool {
        true
    }

    pub(crate) const fn page(self, page: StreamPage, _: Option<StreamEnd>) -> StreamPage {
        page
    }

    pub(crate) fn summarizing(self, _: &ExecutionRecord, request: &UpdateSummary) -> UpdateSummary {
        request.clone()
    }

    pub(crate) const fn extending(
        self,
        request: &ExtendFlow,
        _: impl Fn(&NodeKey) -> bool + Copy,
    ) -> Cow<'_, ExtendFlow> {
        Cow::Borrowed(request)
    }

    pub(crate) const fn member_ended(self, _: &mut Store, _: ExecutionId, _: TimestampMs) {}

    pub(crate) const fn budgeting<'r>(
        self,
        before: &'r RunState,
        run: &'r RunState,
    ) -> (Cow<'r, RunState>, Cow<'r, RunState>) {
        (Cow::Borrowed(before), Cow::Borrowed(run))
    }

    pub(crate) const fn look_at(
        self,
        _: Option<TimestampMs>,
        look_at: Option<TimestampMs>,
    ) -> Option<TimestampMs> {
        look_at
    }

    pub(crate) const fn reporting(self, record: &ExecutionRecord) -> Cow<'_, ExecutionRecord> {
        Cow::Borrowed(record)
    }

    pub(crate) const fn queued(self, submission: &Submission) -> Cow<'_, Submission> {
        Cow::Borrowed(submission)
    }

    pub(crate) const fn holding<'r>(self, before: &'r RunState, _: &'r RunState) -> &'r RunState {
        before
    }

    pub(crate) const fn offers_at(self, now: TimestampMs) -> TimestampMs {
        now
    }

    pub(crate) const fn hears_of_room(self) -> bool {
        true
    }

    pub(crate) const fn keeps_order_in_budgets(self) -> bool {
        true
    }

    pub(crate) const fn scheduling(self, schedule: &ScheduleRecord) -> Cow<'_, ScheduleRecord> {
        Cow::Borrowed(schedule)
    }

    pub(crate) fn fired(self, _: &ScheduleRecord, next: ScheduleRecord) -> ScheduleRecord {
        next
    }

    pub(crate) fn adjusted(
        self,
        _: &ScheduleRecord,
        next: Box<ScheduleRecord>,
    ) -> Box<ScheduleRecord> {
        next
    }

    pub(crate) fn backfilling(self, backfill: Backfill) -> Backfill {
        backfill
    }

    pub(crate) const fn tells_members(self) -> bool {
        true
    }

    pub(crate) const fn removes_members(self) -> bool {
        true
    }

    pub(crate) const fn verifies(self) -> bool {
        true
    }

    pub(crate) const fn signal_time(self, now: TimestampMs) -> TimestampMs {
        now
    }

    pub(crate) const fn behind(self, id: ExecutionId) -> Bound<ExecutionId> {
        Bound::Excluded(id)
    }

    pub(crate) const fn filter(self, filter: &ScannerFilter) -> &ScannerFilter {
        filter
    }

    pub(crate) const fn next_due(self, at: TimestampMs) -> TimestampMs {
        at
    }
}
