//! The verbs of schedules. What depends on a calendar is decided here, over what the store has told, and
//! carried out there if the schedule is still of the version it was decided for.

use async_trait::async_trait;
use ff_engine::machine::{self, ScheduleRecord};
use ff_engine::{
    AdjustSchedule, BackfillOutcome, BackfillSchedule, CreateSchedule, EngineError, ListSchedules,
    ScheduleOps, ScheduleView, ScheduledRun,
};
use ff_types::{ScheduleId, TimestampMs};

use super::bits;
use super::lane::Told;
use super::submit::tag_lines;
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{self, Code};
use crate::codec::{self, Fields};
use crate::failures::{Refusal, bad_reply};
use crate::inner::Inner;
use crate::reply::Reply;

/// How often a decision is made anew because the schedule was changed meanwhile.
const TRIES_MAX: u32 = 32;

#[async_trait]
impl ScheduleOps for ValkeyBackend {
    async fn create_schedule(&self, request: &CreateSchedule) -> Result<(), EngineError> {
        const OPERATION: &str = "create_schedule";
        request.validate()?;
        let partition = self.inner.partition_of_schedule(request.id);
        let answer = self.inner.call(OPERATION, partition, calls::Now {}).await?;
        let now = answer.map_err(|refusal| refused(OPERATION, refusal, request.id))?.now;
        let made = machine::made_schedule(request, now)?;
        let call = calls::CreateSchedule {
            schedule: request.id.as_u128(),
            fingerprint: &format!("{:016x}", made.fingerprint),
            tags: &tag_lines(&request.tags),
            fields: codec::schedule_fields(&made)?,
        };
        let place = self.inner.keyspace.of_schedule(request.id);
        let create = || async {
            let answer = self.inner.call(OPERATION, partition, call.clone()).await?;
            answer.map(drop).map_err(|refusal| refused(OPERATION, refusal, request.id))
        };
        self.inner.sharing(OPERATION, place, create).await
    }

    async fn adjust_schedule(&self, request: &AdjustSchedule) -> Result<(), EngineError> {
        const OPERATION: &str = "adjust_schedule";
        request.validate()?;
        let place = self.inner.keyspace.of_schedule(request.schedule_id);
        self.inner
            .sharing(OPERATION, place, || self.inner.change_schedule(OPERATION, request))
            .await
    }

    async fn backfill_schedule(
        &self,
        request: &BackfillSchedule,
    ) -> Result<BackfillOutcome, EngineError> {
        const OPERATION: &str = "backfill_schedule";
        request.validate()?;
        let id = request.schedule_id;
        for _ in 0..TRIES_MAX {
            let (schedule, now) = self.inner.schedule(OPERATION, id).await?;
            let backfill = machine::backfill(&schedule, request, now)?;
            let call = calls::BackfillSchedule {
                schedule: id.as_u128(),
                version: schedule.version,
                occurrences: &run_text(&backfill.runs),
            };
            let partition = self.inner.partition_of_schedule(id);
            match self.inner.call(OPERATION, partition, call).await? {
                Ok(answer) if answer.refused.is_empty() => {
                    return Ok(BackfillOutcome::new(backfill.runs, backfill.next_from));
                }
                Ok(answer) => {
                    let lane = &schedule.spec.work.lane;
                    let lane = self.inner.lane(partition, lane, None).await?;
                    return Err(refusal(&schedule, &lane, &answer.refused));
                }
                Err(Refusal { code: Code::ScheduleVersion, .. }) => {}
                Err(other) => return Err(refused(OPERATION, other, id)),
            }
        }
        Err(EngineError::Contention { operation: OPERATION })
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<(), EngineError> {
        const OPERATION: &str = "delete_schedule";
        let call = calls::DeleteSchedule { schedule: id.as_u128() };
        let answer = self.inner.call(OPERATION, self.inner.partition_of_schedule(id), call);
        answer.await?.map(drop).map_err(|refusal| refused(OPERATION, refusal, id))
    }

    async fn describe_schedule(&self, id: ScheduleId) -> Result<ScheduleView, EngineError> {
        Ok(self.inner.schedule("describe_schedule", id).await?.0.view())
    }

    async fn list_schedules(
        &self,
        request: &ListSchedules,
    ) -> Result<Vec<ScheduleView>, EngineError> {
        const OPERATION: &str = "list_schedules";
        let page_size = request.page_size()?;
        let after = request.after.map_or_else(String::new, |id| id.to_string());
        let mut views = Vec::new();
        for partition in &self.inner.keyspace.partitions {
            let call = calls::ListSchedules { after: &after, most: page_size as u64 };
            let answer = self.inner.call(OPERATION, partition, call).await?;
            let answer = answer.map_err(|_| bad_reply(OPERATION, BadReply("page")))?;
            for item in answer.items {
                let (id, fields) =
                    listed(item).ok_or_else(|| bad_reply(OPERATION, BadReply("item")))?;
                views.push(codec::schedule(id, &fields)?.view());
            }
        }
        views.sort_unstable_by_key(|view| view.schedule_id);
        views.truncate(page_size);
        Ok(views)
    }
}

/// Occurrences and their ids in a row, as the library takes them.
pub(super) fn run_text(runs: &[ScheduledRun]) -> String {
    let texts: Vec<_> = runs.iter().map(|run| format!("{} {}", run.at, run.execution_id)).collect();
    texts.join(" ")
}

/// An id and fields, as a list of schedules has them.
pub(super) fn listed(reply: Reply) -> Option<(ScheduleId, Fields)> {
    let mut values = Values::new(reply.into_array()?);
    let id = values.text().ok()?.parse().ok()?;
    Some((id, Fields::of(values.list().ok()?)?))
}

/// The error that a refusal about a schedule means.
fn refused(operation: &'static str, refusal: Refusal, id: ScheduleId) -> EngineError {
    match refusal.code {
        Code::ScheduleNotFound => EngineError::schedule_not_found(id),
        Code::ScheduleId => EngineError::ScheduleConflict { schedule: id },
        Code::BudgetNotFound => crate::failures::budget_not_found(refusal.details),
        _ => bad_reply(operation, BadReply("code of a schedule")),
    }
}

/// The error that the refusal of an occurrence means.
fn refusal(schedule: &ScheduleRecord, told: &Told, code: &str) -> EngineError {
    let lane = schedule.spec.work.lane.clone();
    match (code, schedule.spec.work.budgets().first()) {
        ("budget_not_found", Some(budget)) => EngineError::budget_not_found(*budget),
        ("lane_draining", _) => EngineError::LaneDraining { lane },
        ("lane_full", _) => {
            let limit = told.view.settings.max_queued.unwrap_or_default();
            EngineError::LaneFull { lane, limit }
        }
        _ => bad_reply("backfill_schedule", BadReply("known refusal")),
    }
}

impl Inner {
    /// Changes a schedule whose budgets all have a share where it lies.
    async fn change_schedule(
        &self,
        operation: &'static str,
        request: &AdjustSchedule,
    ) -> Result<(), EngineError> {
        let id = request.schedule_id;
        for _ in 0..TRIES_MAX {
            let (schedule, now) = self.schedule(operation, id).await?;
            let next = machine::changed_schedule(&schedule, request, now)?;
            let call = calls::AdjustSchedule {
                schedule: id.as_u128(),
                request: bits(request.request_id.to_bytes()),
                version: schedule.version,
                fields: codec::schedule_fields(&next)?,
            };
            let partition = self.partition_of_schedule(id);
            match self.call(operation, partition, call).await? {
                Ok(_) => return Ok(()),
                Err(Refusal { code: Code::ScheduleVersion, .. }) => {}
                Err(refusal) => return Err(refused(operation, refusal, id)),
            }
        }
        Err(EngineError::Contention { operation })
    }

    /// How a schedule stands, and the present of the store.
    async fn schedule(
        &self,
        operation: &'static str,
        id: ScheduleId,
    ) -> Result<(ScheduleRecord, TimestampMs), EngineError> {
        let call = calls::DescribeSchedule { schedule: id.as_u128() };
        let answer = self.call(operation, self.partition_of_schedule(id), call).await?;
        let answer = answer.map_err(|refusal| refused(operation, refusal, id))?;
        let fields = Fields::of(answer.fields);
        let fields = fields.ok_or_else(|| bad_reply(operation, BadReply("list of fields")))?;
        Ok((codec::schedule(id, &fields)?, answer.now))
    }
}
