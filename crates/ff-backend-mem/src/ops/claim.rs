//! `claim`, `reclaimable`, `claim_from_reclaim`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lane::{Ask, Pick, Place};
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, Claimed, ExecutionRecord, LaneTables, Queue};
use ff_engine::{ClaimOps, ClaimOutcome, ClaimRequest, EngineError, Grant, ReclaimRequest, Task};
use ff_types::backend::{
    BackendTag, CapabilitySet, ClaimPolicy, HandleKind, ReclaimToken, ScannerFilter,
};
use ff_types::{ExecutionId, LaneId, TimestampMs, limits};

use super::within;
use crate::MemBackend;
use crate::repeats::Asked;
use crate::store::Store;
use crate::waiters::{WaiterId, Wakeup};

#[async_trait]
impl ClaimOps for MemBackend {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError> {
        request.validate()?;
        let max_wait = request.policy.max_wait.unwrap_or_default();
        let mut over = self.inner.clock.sleep(max_wait);
        let mut woken_for = None;
        loop {
            let mut wait = {
                let mut store = self.store();
                let found = self.claim_now(&mut store, request);
                if let Some(id) = woken_for.take() {
                    let answered = matches!(found, Found::Answer(_));
                    store.woken_in_vain(&request.lane, id, answered, self.now());
                }
                match found {
                    Found::Answer(outcome) => return Ok(outcome),
                    Found::EndedOnly => continue,
                    Found::Nothing if request.policy.max_wait.is_none() => {
                        return Ok(ClaimOutcome::default());
                    }
                    Found::Nothing => ClaimWait::start(self, &mut store, request),
                }
            };
            woken_for = within(&mut wait.wakeup, over.as_mut()).await;
            if woken_for.is_none() {
                return Ok(ClaimOutcome::default());
            }
            wait.is_over = true;
        }
    }

    async fn reclaimable(
        &self,
        request: &ReclaimRequest,
    ) -> Result<Vec<ReclaimToken>, EngineError> {
        request.validate()?;
        let mut store = self.store();
        let now = self.now();
        let key = (request.instance, request.lane.clone(), Asked::Reclaimable);
        if let Some(answer) = store.repeats.find(key.0, &key.1, key.2, request.request_id, now) {
            let grants = answer
                .items
                .iter()
                .zip(0..)
                .map(|(id, index)| Grant { execution: *id, id: request.request_id.grant(index) });
            return Ok(grants.filter_map(|grant| outstanding(&store, grant, now)).collect());
        }
        store.offers.made(&request.lane, &request.capabilities, Duration::ZERO, now);
        let mut items = Vec::new();
        let mut tokens = Vec::new();
        let most = request.max_tokens as usize;
        let wants = Wants {
            lane: &request.lane,
            queues: &[Queue::Reclaim],
            offered: &request.capabilities,
            filter: Some(&request.filter),
        };
        let most = wants.at_most(&store, most, now);
        while tokens.len() < most {
            let best = self.best(&mut store, &wants, most - tokens.len(), now);
            if best.is_empty() {
                break;
            }
            for next in best {
                let (request_id, index) = (request.request_id, items.len());
                let asker = (Verb::Reclaimable, request_id, &request.capabilities);
                let token = issue_token(&mut store, asker, next.id(), index, now);
                let Some(token) = token else {
                    // Its end may have changed what else there is.
                    break;
                };
                next.handed_out(&mut store, &wants, now);
                items.push(next.id());
                tokens.push(token);
            }
        }
        wants.finish(&mut store, now);
        if !items.is_empty() {
            let ttl = Duration::from_millis(limits::RECLAIM_GRANT_TTL_MS);
            store.repeats.remember(key, request.request_id, items, now, ttl);
        }
        Ok(tokens)
    }

    async fn claim_from_reclaim(
        &self,
        token: &ReclaimToken,
        policy: &ClaimPolicy,
    ) -> Result<Task, EngineError> {
        policy.validate()?;
        let grant = Grant::of(token)?;
        let mut store = self.store();
        let now = self.now();
        let record = store.record(grant.execution)?;
        let decision = machine::take_up(record, &grant, policy, now)?;
        store.settle(Verb::ClaimFromReclaim, grant.execution, decision, now);
        Ok(task(store.record(grant.execution)?, HandleKind::Resumed, now))
    }
}

/// What a look at the queues gave.
enum Found {
    /// Something, or the answer to a claim that was made before.
    Answer(ClaimOutcome),
    /// Only executions that ended instead of starting, or wait for room in a budget; there may be others
    /// behind them.
    EndedOnly,
    /// Nothing.
    Nothing,
}

impl MemBackend {
    fn claim_now(&self, store: &mut Store, request: &ClaimRequest) -> Found {
        let now = self.now();
        let key = (request.policy.instance, request.lane.clone(), Asked::Claim);
        if let Some(answer) = store.repeats.find(key.0, &key.1, key.2, request.request_id, now) {
            return Found::Answer(repeated(store, request, &answer.items, now));
        }
        let mut outcome = ClaimOutcome::default();
        let mut items = Vec::new();
        let mut ended = 0;
        let queues: &[Queue] = match request.reclaims {
            None => &[Queue::Ready],
            Some(_) => &[Queue::Ready, Queue::Reclaim],
        };
        let (lane, offered) = (&request.lane, &request.capabilities);
        store.offers.made(lane, offered, request.policy.lease_ttl, now);
        let wants = Wants { lane, queues, offered, filter: request.reclaims.as_ref() };
        let most = wants.at_most(store, request.policy.max_tasks as usize, now);
        while items.len() < most && ended < limits::EXPIRED_SKIPPED_PER_CLAIM_MAX {
            let best = self.best(store, &wants, most - items.len(), now);
            if best.is_empty() {
                break;
            }
            for next in best {
                let (index, id) = (items.len(), next.id());
                let issued = match next.queue() {
                    Queue::Ready => issue_lease(store, id, request, index, now)
                        .map(|task| outcome.tasks.push(task)),
                    Queue::Reclaim => issue_token(
                        store,
                        (Verb::Claim, request.request_id, offered),
                        id,
                        index,
                        now,
                    )
                    .map(|token| outcome.reclaims.push(token)),
                };
                if issued.is_some() {
                    next.handed_out(store, &wants, now);
                    items.push(id);
                } else {
                    // Its end may have changed what else there is.
                    ended += 1;
                    break;
                }
            }
        }
        wants.finish(store, now);
        if items.is_empty() {
            return if ended > 0 { Found::EndedOnly } else { Found::Nothing };
        }
        if self.inner.distortion.remembers_claims() {
            let ttl = request.policy.lease_ttl;
            store.repeats.remember(key, request.request_id, items, now, ttl);
        }
        Found::Answer(outcome)
    }

    /// What is to be handed out next: several at once where order alone decides, and else one.
    fn best(
        &self,
        store: &mut Store,
        wants: &Wants<'_>,
        most: usize,
        now: TimestampMs,
    ) -> Vec<Next> {
        let records = &store.records;
        let wanted = |queue, id: ExecutionId| match (queue, wants.filter) {
            (Queue::Reclaim, Some(filter)) => self.lets_through(records, filter, id),
            _ => true,
        };
        let (lane, offered) = (wants.lane, wants.offered);
        if store.queues.is_plain(lane) {
            let batch = store.queues.first(lane, wants.queues, offered, most, wanted);
            return batch.into_iter().map(Next::Placed).collect();
        }
        let filter = wants.filter.filter(|filter| self.serves(filter));
        let queues = match wants.filter {
            Some(_) if filter.is_none() => &wants.queues[..wants.queues.len() - 1],
            _ => wants.queues,
        };
        let tag = filter.and_then(|filter| filter.instance_tag.as_ref());
        let ask = Ask { queues, tag, now };
        store.queues.pick(lane, &ask, offered, wanted).map(Next::Picked).into_iter().collect()
    }

    fn lets_through(
        &self,
        records: &BTreeMap<ExecutionId, Box<ExecutionRecord>>,
        filter: &ScannerFilter,
        id: ExecutionId,
    ) -> bool {
        filter.is_noop() || records.get(&id).is_some_and(|record| self.matches(filter, record))
    }
}

/// What a call asks of a lane.
struct Wants<'r> {
    lane: &'r LaneId,
    /// The kinds of work; reclaims last.
    queues: &'r [Queue],
    offered: &'r CapabilitySet,
    /// Which reclaims, if any.
    filter: Option<&'r ScannerFilter>,
}

impl Wants<'_> {
    /// How many of `most` the lane allows.
    fn at_most(&self, store: &Store, most: usize, now: TimestampMs) -> usize {
        let room = store.lane(self.lane).map_or(Ok(u32::MAX), |lane| lane.room(now));
        room.map_or(0, |room| most.min(room as usize))
    }

    /// Takes note that the call has taken what it could.
    fn finish(&self, store: &mut Store, now: TimestampMs) {
        if store.lane(self.lane).is_some_and(|lane| lane.is_steered) {
            store.queues.lane_mut(self.lane).record.claimed(now);
            store.time_lane(self.lane);
        }
    }
}

/// What is to be handed out next.
enum Next {
    /// As the first by its place.
    Placed((Place, Queue)),
    /// As the first of the key whose turn it is.
    Picked(Pick),
}

impl Next {
    const fn id(&self) -> ExecutionId {
        match self {
            Self::Placed(((_, id), _)) => *id,
            Self::Picked(pick) => pick.place.1,
        }
    }

    const fn queue(&self) -> Queue {
        match self {
            Self::Placed((_, queue)) => *queue,
            Self::Picked(pick) => pick.queue,
        }
    }

    /// It was handed out: counts that in its lane.
    fn handed_out(&self, store: &mut Store, wants: &Wants<'_>, now: TimestampMs) {
        let key =
            store.records.get(&self.id()).and_then(|record| record.submission.lane_key.clone());
        let lane = store.queues.lane_mut(wants.lane);
        lane.record.handed_out(key.as_ref(), now);
        if let Self::Picked(pick) = self {
            lane.took(pick);
        }
    }
}

/// The leases and tokens of an earlier claim that are still good.
fn repeated(
    store: &Store,
    request: &ClaimRequest,
    items: &[ExecutionId],
    now: TimestampMs,
) -> ClaimOutcome {
    let mut outcome = ClaimOutcome::default();
    for (id, index) in items.iter().zip(0..) {
        let Some(record) = store.records.get(id) else {
            continue;
        };
        let lease = request.request_id.lease(index);
        if record.run.lease.is_some_and(|held| held.id == lease && held.expires_at > now) {
            if record.run.entry == machine::Entry::Claim {
                outcome.tasks.push(task(record, HandleKind::Fresh, now));
            }
            continue;
        }
        let grant = Grant { execution: *id, id: request.request_id.grant(index) };
        outcome.reclaims.extend(outstanding(store, grant, now));
    }
    outcome
}

fn issue_lease(
    store: &mut Store,
    id: ExecutionId,
    request: &ClaimRequest,
    index: usize,
    now: TimestampMs,
) -> Option<Task> {
    let lease = request.request_id.lease(u16::try_from(index).ok()?);
    let record = store.records.get(&id)?;
    let offered = &request.capabilities;
    let decision = machine::claim(record, lease, &request.policy, offered, store, now);
    match store.settle(Verb::Claim, id, decision, now) {
        Claimed::Leased(_) => {
            store.records.get(&id).map(|record| task(record, HandleKind::Fresh, now))
        }
        Claimed::Ended | Claimed::Blocked => None,
    }
}

fn issue_token(
    store: &mut Store,
    (verb, request_id, offered): (Verb, ff_types::RequestId, &CapabilitySet),
    id: ExecutionId,
    index: usize,
    now: TimestampMs,
) -> Option<ReclaimToken> {
    let grant = Grant { execution: id, id: request_id.grant(u16::try_from(index).ok()?) };
    let decision = machine::grant(store.records.get(&id)?, grant.id, offered, store, now);
    store.settle(verb, id, decision, now).then(|| grant.token())
}

/// The token of `grant`, if nobody has used it and it has not expired.
fn outstanding(store: &Store, grant: Grant, now: TimestampMs) -> Option<ReclaimToken> {
    let run = &store.records.get(&grant.execution)?.run;
    let good = run.grant.is_some_and(|out| out.id == grant.id && out.expires_at > now);
    good.then(|| grant.token())
}

/// The task of a record that holds a lease.
fn task(record: &ExecutionRecord, kind: HandleKind, now: TimestampMs) -> Task {
    Task::of(record, BackendTag::Mem, kind, now).expect("a claimed record holds a lease")
}

/// A claim in the waiting list of its lane. However the wait ends, it leaves the list, and a
/// wake-up that came but was not used goes to another waiter.
struct ClaimWait<'a> {
    backend: &'a MemBackend,
    request: &'a ClaimRequest,
    id: WaiterId,
    wakeup: Wakeup,
    is_over: bool,
}

impl<'a> ClaimWait<'a> {
    fn start(backend: &'a MemBackend, store: &mut Store, request: &'a ClaimRequest) -> Self {
        let reclaims = request.reclaims.clone();
        let (id, wakeup) = store.queues.wait(&request.lane, &request.capabilities, reclaims);
        Self { backend, request, id, wakeup, is_over: false }
    }
}

impl Drop for ClaimWait<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut store = self.backend.store();
        store.queues.stop_waiting(&self.request.lane, self.id);
        if let Ok(id) = self.wakeup.try_recv() {
            store.woken_in_vain(&self.request.lane, id, false, self.backend.now());
        }
    }
}
