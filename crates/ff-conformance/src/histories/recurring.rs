//! The steps of a history that are about schedules.

use std::time::Duration;

use ff_engine::machine::lifecycle::Verb;
use ff_engine::{
    AdjustSchedule, BackfillSchedule, CreateSchedule, ListSchedules, Misfire, Overlap, Recurrence,
    ScheduleChange, ScheduleSpec, ScheduleView, Submission,
};
use ff_types::{ExecutionPolicy, Payload, ScheduleId, Tags, TaskKind, TimestampMs};

use super::op::RecurOp;
use super::world::{Step, TAG, World, lane_id, pick};

/// How many schedules one history makes at most.
const SCHEDULES_MAX: usize = 2;
const EVERY: Duration = Duration::from_secs(5);
/// How long a schedule has occurrences, and how long its executions are kept.
const LASTS: Duration = Duration::from_secs(25);
const RETENTION: Duration = Duration::from_secs(3);
const JITTER: Duration = Duration::from_millis(1_500);
/// How far back a backfill goes.
const BACK: Duration = Duration::from_secs(12);

/// A call about schedules that can be made again.
#[derive(Debug, Clone)]
pub(super) enum RecurCall {
    Make(Box<CreateSchedule>),
    Change(AdjustSchedule),
    Backfill(BackfillSchedule),
    Delete(ScheduleId),
}

impl World {
    /// The call of such a step; `None` when it means nothing yet.
    pub(super) fn recur_call(&mut self, op: &RecurOp, now: TimestampMs) -> Option<RecurCall> {
        let which = |which: u8| pick(&self.schedules, which).copied();
        let change =
            |id, change| RecurCall::Change(AdjustSchedule::new(self.ids.request_id(), id, change));
        Some(match op {
            RecurOp::Make { .. } if self.schedules.len() >= SCHEDULES_MAX => return None,
            RecurOp::Make { overlap, misfire, tagged, lane } => {
                let id = self.ids.together(0).schedule_id();
                let mut request =
                    CreateSchedule::new(id, self.recurring(*overlap, *misfire, *lane, now));
                if *tagged {
                    let tags = Tags::new().with(TAG.0, TAG.1).expect("the tag is valid");
                    request = request.with_tags(tags);
                }
                self.schedules.push(id);
                RecurCall::Make(Box::new(request))
            }
            RecurOp::Pause(at) => {
                change(which(*at)?, ScheduleChange::Pause { reason: "enough".to_owned() })
            }
            RecurOp::Resume(at) => change(which(*at)?, ScheduleChange::Resume),
            RecurOp::Backfill(at) => {
                let from = now.saturating_sub(BACK);
                RecurCall::Backfill(BackfillSchedule::new(which(*at)?, from, now).with_limit(2))
            }
            RecurOp::Delete(at) => RecurCall::Delete(which(*at)?),
        })
    }

    fn recurring(&self, overlap: u8, misfire: u8, lane: u8, now: TimestampMs) -> ScheduleSpec {
        let overlaps = [Overlap::Allow, Overlap::Skip, Overlap::BufferOne, Overlap::CancelPrevious];
        let misfires = [Misfire::Skip, Misfire::Once, Misfire::All { at_most: 2 }];
        let kind = TaskKind::new("recurring").expect("the kind is valid");
        let policy = ExecutionPolicy::default().with_retention(RETENTION);
        let id = self.ids.execution_id();
        let work = Submission::new(id, lane_id(lane), kind, Payload::new("x")).with_policy(policy);
        ScheduleSpec::new(Recurrence::every(EVERY), work)
            .with_jitter(JITTER)
            .with_grace(EVERY)
            .with_ends_at(now.saturating_add(LASTS))
            .with_overlap(overlaps[usize::from(overlap) % overlaps.len()])
            .with_misfire(misfires[usize::from(misfire) % misfires.len()])
    }

    pub(super) async fn make_recur(&mut self, call: RecurCall) -> Step {
        let backend = &self.opened.backend;
        match call {
            RecurCall::Make(request) => Step::quiet(&backend.create_schedule(&request).await),
            RecurCall::Change(request) => Step::quiet(&backend.adjust_schedule(&request).await),
            RecurCall::Backfill(request) => {
                let outcome = backend.backfill_schedule(&request).await;
                for run in outcome.iter().flat_map(|outcome| &outcome.runs) {
                    if !self.executions.contains(&run.execution_id) {
                        self.executions.push(run.execution_id);
                    }
                }
                Step::of(Verb::Submit, None, &outcome)
            }
            RecurCall::Delete(id) => Step::quiet(&backend.delete_schedule(id).await),
        }
    }

    /// How the schedules stand. What they have submitted is among the executions from now on.
    pub(super) async fn find_occurrences(&mut self) -> Result<Vec<ScheduleView>, String> {
        if self.schedules.is_empty() {
            return Ok(Vec::new());
        }
        let views = self.opened.backend.list_schedules(&ListSchedules::all()).await;
        let views = views.map_err(|error| error.to_string())?;
        for run in views.iter().flat_map(|view| view.latest.iter().rev()) {
            if !self.executions.contains(&run.execution_id) {
                self.executions.push(run.execution_id);
            }
        }
        Ok(views)
    }
}

/// What is wrong with a schedule, by how it stood before.
pub(super) fn faults(earlier: Option<&ScheduleView>, view: &ScheduleView) -> Vec<String> {
    let sums = |view: &ScheduleView| {
        let counts = view.counts;
        [counts.submitted, counts.missed, counts.overlapped, counts.refused, counts.backfilled]
    };
    let grows = |earlier: &ScheduleView| {
        sums(earlier).iter().zip(sums(view)).all(|(was, is)| *was <= is)
            && earlier.next_at.is_none_or(|was| view.next_at.is_none_or(|is| was <= is))
    };
    let holds = [
        (earlier.is_none_or(grows), "counts and the next occurrence go forward"),
        (view.latest.is_sorted_by(|one, other| one.at > other.at), "each occurrence comes once"),
    ];
    let broken = holds.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| format!("schedule {}: {rule}: {view:?}", view.schedule_id)).collect()
}
