//! The claims: who gets which row.

use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lane::{Ask, Pick};
use ff_engine::machine::{self, Claimed, Decision, Entry, ExecutionRecord, Placement, Queue};
use ff_engine::roles::BackendInfo;
use ff_engine::{
    ClaimOps, ClaimOutcome, ClaimRequest, EngineError, Grant, ReclaimRequest, Task, TickOutcome,
    TickRequest,
};
use ff_types::backend::{CapabilitySet, ClaimPolicy, HandleKind, ReclaimToken, ScannerFilter};
use ff_types::{
    BudgetId, ExecutionId, FlowId, LaneId, RequestId, ScheduleId, Tags, TimestampMs, limits,
};

use crate::toy::{Answer, TAG, Table, Toy};

// region: claim
#[async_trait]
impl ClaimOps for Toy {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError> {
        request.validate()?;
        let mut over = self.clock.sleep(request.policy.max_wait.unwrap_or_default());
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(outcome) = self.claim_now(request) {
                return Ok(outcome);
            }
            if request.policy.max_wait.is_none() {
                return Ok(ClaimOutcome::default());
            }
            tokio::select! {
                () = changed => {}
                () = &mut over => return Ok(ClaimOutcome::default()),
            }
        }
    }
    // endregion

    async fn reclaimable(
        &self,
        request: &ReclaimRequest,
    ) -> Result<Vec<ReclaimToken>, EngineError> {
        request.validate()?;
        let key = (request.instance, request.lane.clone(), false);
        let (lane, offered) = (&request.lane, &request.capabilities);
        let mut table = self.table();
        let now = self.clock.now();
        if let Some(items) = table.answered(&key, request.request_id) {
            let good = |(id, index)| outstanding(&table, id, request.request_id, index, now);
            return Ok(items.into_iter().zip(0..).filter_map(good).collect());
        }
        table.offers.made(lane, offered, Duration::ZERO, now);
        let mut tokens = Vec::new();
        let mut items = Vec::new();
        let most = table.room(lane, request.max_tokens as usize, now);
        let wants = Wants { lane, offered, queues: &[Queue::Reclaim], filter: &request.filter };
        while tokens.len() < most {
            let picks = self.pick(&mut table, &wants, most - items.len(), now);
            if picks.is_empty() {
                break;
            }
            for pick in picks {
                let (id, index) = (pick.place.1, items.len());
                let asker = (request.request_id, offered);
                let token = issue_token(&mut table, asker, id, index, now);
                // What ends instead of starting may have changed what else there is: then look anew.
                let Some(token) = token else { break };
                table.handed_out(lane, &pick, now);
                items.push(id);
                tokens.push(token);
            }
        }
        table.claimed(lane, now);
        let ttl = Duration::from_millis(limits::RECLAIM_GRANT_TTL_MS);
        table.remember(key, request.request_id, items, now.saturating_add(ttl));
        Ok(tokens)
    }

    async fn claim_from_reclaim(
        &self,
        token: &ReclaimToken,
        policy: &ClaimPolicy,
    ) -> Result<Task, EngineError> {
        policy.validate()?;
        let grant = Grant::of(token)?;
        let mut table = self.table();
        let now = self.clock.now();
        let missing = || EngineError::execution_not_found(grant.execution);
        let row = table.rows.get(&grant.execution).ok_or_else(missing)?;
        if let Decision::Apply { next, .. } = machine::take_up(row, &grant, policy, now)? {
            table.apply(grant.execution, *next, now);
        }
        let row = table.rows.get(&grant.execution);
        row.and_then(|row| task(row, HandleKind::Resumed, self.clock.now()))
            .ok_or_else(|| EngineError::execution_not_found(grant.execution))
    }
}

impl Toy {
    // region: claim_now
    /// What the rows have for the claim, or the answer it was given before.
    fn claim_now(&self, request: &ClaimRequest) -> Option<ClaimOutcome> {
        let key = (request.policy.instance, request.lane.clone(), true);
        let queues: &[Queue] = match request.reclaims {
            None => &[Queue::Ready],
            Some(_) => &[Queue::Ready, Queue::Reclaim],
        };
        let filter = request.reclaims.clone().unwrap_or(ScannerFilter::NOOP);
        let mut table = self.table();
        let now = self.clock.now();
        if let Some(items) = table.answered(&key, request.request_id) {
            return Some(repeated(&table, request, items, now));
        }
        let mut outcome = ClaimOutcome::default();
        let mut items = Vec::new();
        let (lane, offered) = (&request.lane, &request.capabilities);
        table.offers.made(lane, offered, request.policy.lease_ttl, now);
        let most = table.room(lane, request.policy.max_tasks as usize, now);
        let wants = Wants { lane, offered, queues, filter: &filter };
        while items.len() < most {
            let picks = self.pick(&mut table, &wants, most - items.len(), now);
            if picks.is_empty() {
                break;
            }
            for pick in picks {
                let (id, index) = (pick.place.1, items.len());
                let issued = match pick.queue {
                    Queue::Ready => issue_lease(&mut table, id, request, index, now)
                        .map(|task| outcome.tasks.push(task)),
                    Queue::Reclaim => {
                        issue_token(&mut table, (request.request_id, offered), id, index, now)
                            .map(|token| outcome.reclaims.push(token))
                    }
                };
                // What ends instead of starting may have changed what else there is: then look anew.
                if issued.is_none() {
                    break;
                }
                table.handed_out(lane, &pick, now);
                items.push(id);
            }
        }
        table.claimed(lane, now);
        table.remember(
            key,
            request.request_id,
            items,
            now.saturating_add(request.policy.lease_ttl),
        );
        (!outcome.is_empty()).then_some(outcome)
    }
    // endregion

    // region: pick
    /// What is handed out next to a worker with these capabilities.
    fn pick(
        &self,
        table: &mut Table,
        wants: &Wants<'_>,
        at_most: usize,
        now: TimestampMs,
    ) -> Vec<Pick> {
        let Table { rows, lanes, .. } = table;
        let serves = wants.filter.namespace.as_ref().is_none_or(|one| one == self.namespace());
        let serves = |queue: &Queue| serves || *queue == Queue::Ready;
        let queues: Vec<_> = wants.queues.iter().copied().filter(serves).collect();
        let ask = Ask { queues: &queues, tag: wants.filter.instance_tag.as_ref(), now };
        let covers = |class: &CapabilitySet| class.is_subset_of(wants.offered);
        let matches = |queue, id| {
            let tags = rows.get(&id).map(|row| &row.submission.tags);
            queue == Queue::Ready
                || tags.is_some_and(|tags| wants.filter.matches(self.namespace(), tags))
        };
        let lane = lanes.get_mut(wants.lane);
        lane.map(|lane| lane.next(&ask, at_most, covers, matches)).unwrap_or_default()
    }
    // endregion

    /// When each execution, flow, budget and lane that the filter matches is due.
    pub(crate) fn due(&self, table: &Table, request: &TickRequest) -> Vec<(TimestampMs, Due)> {
        let matches = |tags: &Tags| request.filter.matches(self.namespace(), tags);
        let rows = table.rows.iter().filter(|(_, row)| matches(&row.submission.tags));
        let rows = rows.filter_map(|(id, row)| Some((Placement::of(row).due?, Due::Row(*id))));
        let flows = table.flows.iter().filter(|(_, flow)| matches(&flow.tags));
        let flows = flows.filter_map(|(id, flow)| Some((flow.due()?, Due::Flow(*id))));
        let namespace = request.filter.namespace.as_ref();
        let serves = namespace.is_none_or(|namespace| namespace == self.namespace());
        let everybodys = |tags: &Tags| tags.iter().next().is_none() && serves;
        let budgets = table
            .budgets
            .iter()
            .filter(|(_, budget)| matches(&budget.spec.tags) || everybodys(&budget.spec.tags));
        let budgets = budgets.filter_map(|(id, budget)| Some((budget.look_at?, Due::Budget(*id))));
        let lanes = table.lanes.iter().filter(|_| serves);
        let lanes =
            lanes.filter_map(|(id, lane)| Some((lane.record.look_at?, Due::Lane(id.clone()))));
        let schedules = table
            .schedules
            .iter()
            .filter(|(_, schedule)| matches(&schedule.tags) || everybodys(&schedule.tags));
        let schedules = schedules.filter_map(|(id, one)| Some((one.due?, Due::Schedule(*id))));
        rows.chain(flows).chain(budgets).chain(lanes).chain(schedules).collect()
    }
}

/// Whose time has come; executions first, at one time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Row(ExecutionId),
    Flow(FlowId),
    Budget(BudgetId),
    Lane(LaneId),
    Schedule(ScheduleId),
}

/// What a call asks of a lane.
struct Wants<'r> {
    lane: &'r LaneId,
    offered: &'r CapabilitySet,
    queues: &'r [Queue],
    filter: &'r ScannerFilter,
}

impl Table {
    /// How many of `most` a lane allows.
    fn room(&self, lane: &LaneId, most: usize, now: TimestampMs) -> usize {
        let room = self.lanes.get(lane).map_or(Ok(u32::MAX), |lane| lane.record.room(now));
        room.map_or(0, |room| most.min(room as usize))
    }

    /// Counts in its lane what was handed out.
    fn handed_out(&mut self, lane: &LaneId, pick: &Pick, now: TimestampMs) {
        let row = self.rows.get(&pick.place.1);
        let key = row.and_then(|row| row.submission.lane_key.clone());
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.record.handed_out(key.as_ref(), now);
            lane.took(pick);
        }
    }

    /// Takes note that a claim has taken what it could.
    fn claimed(&mut self, lane: &LaneId, now: TimestampMs) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.record.claimed(now);
        }
    }

    /// A lease was renewed: its holder still offers what it offered.
    pub(crate) fn offered_again(&mut self, id: ExecutionId, now: TimestampMs) {
        let Self { rows, offers, .. } = self;
        let Some(row) = rows.get(&id) else { return };
        if let (Some(offered), Some(lease)) = (&row.run.offered, row.run.lease) {
            offers.made(&row.submission.lane, offered, Duration::from_millis(lease.ttl_ms), now);
        }
    }

    /// Looks at a lane that is due; those that wait look for themselves.
    pub(crate) fn tick_lane(&mut self, id: &LaneId, outcome: &mut TickOutcome, now: TimestampMs) {
        let looked = self.lanes.get_mut(id).and_then(|lane| lane.look(now));
        outcome.lanes_looked_at += u32::from(looked.is_some());
    }

    fn answered(
        &self,
        key: &(ff_types::WorkerInstanceId, LaneId, bool),
        request_id: RequestId,
    ) -> Option<Vec<ExecutionId>> {
        let answer = self.answers.get(key)?;
        (answer.request_id == request_id).then(|| answer.items.clone())
    }

    fn remember(
        &mut self,
        key: (ff_types::WorkerInstanceId, LaneId, bool),
        request_id: RequestId,
        items: Vec<ExecutionId>,
        ends_at: TimestampMs,
    ) {
        if !items.is_empty() {
            self.answers.insert(key, Answer { request_id, items, ends_at });
        }
    }
}

fn issue_lease(
    table: &mut Table,
    id: ExecutionId,
    request: &ClaimRequest,
    index: usize,
    now: TimestampMs,
) -> Option<Task> {
    let row = table.rows.get(&id).filter(|row| Placement::of(row).queue.is_some())?;
    let lease = request.request_id.lease(u16::try_from(index).ok()?);
    let offered = &request.capabilities;
    match machine::claim(row, lease, &request.policy, offered, table, now) {
        Decision::Apply { next, outcome } => {
            table.apply(id, *next, now);
            match outcome {
                Claimed::Leased(_) => task(table.rows.get(&id)?, HandleKind::Fresh, now),
                Claimed::Ended | Claimed::Blocked => None,
            }
        }
        Decision::Keep(_) => None,
    }
}

fn issue_token(
    table: &mut Table,
    (request_id, offered): (RequestId, &CapabilitySet),
    id: ExecutionId,
    index: usize,
    now: TimestampMs,
) -> Option<ReclaimToken> {
    let row = table.rows.get(&id).filter(|row| Placement::of(row).queue.is_some())?;
    let grant = Grant { execution: id, id: request_id.grant(u16::try_from(index).ok()?) };
    match machine::grant(row, grant.id, offered, table, now) {
        Decision::Apply { next, outcome: issued } => {
            table.apply(id, *next, now);
            issued.then(|| grant.token())
        }
        Decision::Keep(_) => None,
    }
}

/// The leases and tokens of an earlier claim that are still good.
fn repeated(
    table: &Table,
    request: &ClaimRequest,
    items: Vec<ExecutionId>,
    now: TimestampMs,
) -> ClaimOutcome {
    let mut outcome = ClaimOutcome::default();
    for (id, index) in items.into_iter().zip(0..) {
        let Some(row) = table.rows.get(&id) else { continue };
        let lease = row.run.lease.filter(|lease| lease.id == request.request_id.lease(index));
        if lease.is_some_and(|lease| lease.expires_at > now) && row.run.entry == Entry::Claim {
            outcome.tasks.extend(task(row, HandleKind::Fresh, now));
        }
        outcome.reclaims.extend(outstanding(table, id, request.request_id, index, now));
    }
    outcome
}

fn outstanding(
    table: &Table,
    execution: ExecutionId,
    request_id: RequestId,
    index: u16,
    now: TimestampMs,
) -> Option<ReclaimToken> {
    let grant = Grant { execution, id: request_id.grant(index) };
    let out = table.rows.get(&execution)?.run.grant?;
    (out.id == grant.id && out.expires_at > now).then(|| grant.token())
}

fn task(row: &ExecutionRecord, kind: HandleKind, now: TimestampMs) -> Option<Task> {
    Task::of(row, TAG, kind, now)
}
