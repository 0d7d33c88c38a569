//! What a tick does about the schedules that it found due: it plans, and lets the library carry that out.

use ff_engine::machine::{self, Plan, ScheduleRecord};
use ff_engine::{EngineError, ScheduledRun, UnavailableKind};
use ff_types::{ScheduleId, TimestampMs, limits};

use super::packed::Packed;
use super::schedule::{listed, run_text};
use crate::call::BadReply;
use crate::calls::{FireSchedules, PostponeSchedules};
use crate::codec;
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::keyspace::Partition;
use crate::reply::Reply;

const OPERATION: &str = "tick";

/// How long a schedule is put off that cannot be read.
const UNREADABLE_MS: u64 = 60_000;

/// What became of the schedules that were due.
pub(super) struct Fired {
    /// How many plans were carried out.
    pub(super) count: u64,
    /// The present of the store, and when something is due next, afterwards.
    pub(super) now: TimestampMs,
    pub(super) next_due: String,
    /// What could not be read or carried out, a line each.
    pub(super) broken: String,
}

impl Inner {
    /// Fires the schedules that one call of `tick` found due at `now`.
    pub(super) async fn fire(
        &self,
        partition: &Partition,
        tag: &str,
        due: Vec<Reply>,
        now: TimestampMs,
    ) -> Result<Fired, EngineError> {
        let (mut plans, mut ids, mut unreadable) = (Packed::default(), Vec::new(), Vec::new());
        let mut broken = String::new();
        for reply in due {
            let (id, fields) =
                listed(reply).ok_or_else(|| bad_reply(OPERATION, BadReply("schedule")))?;
            let planned = codec::schedule_times(id, &fields)
                .and_then(|schedule| Ok((machine::plan(&schedule, now)?, schedule)));
            match planned {
                Ok((Some(plan), schedule)) => {
                    push(&mut plans, &schedule, &plan);
                    ids.push(id);
                }
                Ok((None, _)) => {}
                Err(error) => {
                    broken.push_str(&error.to_string());
                    broken.push('\n');
                    unreadable.push(id);
                }
            }
        }
        let mut fired = Fired { count: 0, now, next_due: String::new(), broken };
        if !unreadable.is_empty() {
            self.postpone(partition, tag, &unreadable, UNREADABLE_MS, &mut fired).await?;
        }
        if ids.is_empty() {
            return Ok(fired);
        }
        match self.call(OPERATION, partition, FireSchedules { tag, plans: plans.freeze() }).await {
            Ok(Ok(answer)) => {
                (fired.count, fired.now, fired.next_due) =
                    (answer.fired, answer.now, answer.next_due);
                fired.broken.push_str(&answer.broken);
            }
            Ok(Err(_)) => return Err(bad_reply(OPERATION, BadReply("count of schedules"))),
            // What drains goes on; the occurrences come when there is room.
            Err(EngineError::Unavailable { kind: UnavailableKind::Full, .. }) => {
                self.postpone(partition, tag, &ids, limits::SCHEDULE_RETRY_MS, &mut fired).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(fired)
    }

    async fn postpone(
        &self,
        partition: &Partition,
        tag: &str,
        ids: &[ScheduleId],
        ms: u64,
        fired: &mut Fired,
    ) -> Result<(), EngineError> {
        let mut packed = Packed::default();
        for id in ids {
            packed.push(id.to_string());
        }
        let call = PostponeSchedules { tag, ids: packed.freeze(), ms };
        let answer = self
            .call(OPERATION, partition, call)
            .await?
            .map_err(|_| bad_reply(OPERATION, BadReply("time")))?;
        (fired.now, fired.next_due) = (answer.now, answer.next_due);
        Ok(())
    }
}

/// Adds a plan, as `fire_schedules.lua` reads it.
fn push(plans: &mut Packed, schedule: &ScheduleRecord, plan: &Plan) {
    let time = |at: Option<TimestampMs>| at.map_or_else(String::new, |at| at.to_string());
    let run = |at: &TimestampMs| ScheduledRun::new(*at, schedule.occurrence(*at).execution_id());
    let runs: Vec<_> = plan.submit.iter().map(run).collect();
    plans.push(schedule.id.to_string());
    plans.push(plan.version.to_string());
    plans.push(plan.missed.to_string());
    plans.push(plan.through.to_string());
    plans.push(time(plan.next));
    plans.push(time(plan.due));
    plans.push(run_text(&runs));
}
