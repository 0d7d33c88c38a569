//! `claim`, `reclaimable`, `claim_from_reclaim`.

use std::time::Duration;

use async_trait::async_trait;
use ff_engine::machine::lifecycle::Verb;
use ff_engine::machine::{self, Claimed, ExecutionRecord, Queue};
use ff_engine::{ClaimOps, ClaimOutcome, ClaimRequest, EngineError, Grant, ReclaimRequest, Task};
use ff_types::backend::{BackendTag, ClaimPolicy, HandleKind, ReclaimToken};
use ff_types::{ExecutionId, TimestampMs, limits};

use super::{limit, woken};
use crate::MemBackend;
use crate::repeats::Asked;
use crate::store::Store;
use crate::waiters::{WaiterId, Wakeup};

#[async_trait]
impl ClaimOps for MemBackend {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError> {
        request.validate()?;
        let Some(max_wait) = request.policy.max_wait else {
            return Ok(self.claim_now(&mut self.store(), request).0);
        };
        let mut wait_is_over = limit(self.inner.clock.as_ref(), max_wait);
        loop {
            let mut wait = {
                let mut store = self.store();
                let (outcome, more) = self.claim_now(&mut store, request);
                if !outcome.is_empty() {
                    return Ok(outcome);
                }
                if more {
                    continue;
                }
                let (id, wakeup) =
                    store.queues.wait(&request.lane, &request.capabilities, request.reclaims);
                ClaimWait { backend: self, request, id, wakeup, handed_over: false }
            };
            if !woken(&mut wait.wakeup, wait_is_over.as_mut()).await {
                return Ok(ClaimOutcome::default());
            }
            wait.handed_over = true;
        }
    }

    async fn reclaimable(
        &self,
        request: &ReclaimRequest,
    ) -> Result<Vec<ReclaimToken>, EngineError> {
        request.validate()?;
        if !self.serves(&request.filter) {
            return Ok(Vec::new());
        }
        let mut store = self.store();
        let now = self.now();
        let key = (request.instance, request.lane.clone(), Asked::Reclaimable);
        if let Some(answer) = store.repeats.find(key.0, &key.1, key.2, request.request_id) {
            let grants = answer
                .items
                .iter()
                .zip(0..)
                .map(|(id, index)| Grant { execution: *id, id: request.request_id.grant(index) });
            return Ok(grants.filter_map(|grant| outstanding(&store, grant, now)).collect());
        }
        let mut items = Vec::new();
        let mut tokens = Vec::new();
        let mut expired = 0;
        while tokens.len() < request.max_tokens as usize {
            let matches = |id| {
                let record = store.records.get(&id);
                record.is_some_and(|record| self.matches(&request.filter, record))
            };
            let offered = &request.capabilities;
            let best = store.queues.best(&request.lane, &[Queue::Reclaim], offered, matches);
            let Some((_, id)) = best else { break };
            match issue_token(
                &mut store,
                Verb::Reclaimable,
                id,
                request.request_id,
                items.len(),
                now,
            ) {
                Some(token) => {
                    items.push(id);
                    tokens.push(token);
                }
                None => expired += 1,
            }
            if expired >= limits::EXPIRED_SKIPPED_PER_CLAIM_MAX {
                break;
            }
        }
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
        store.settle(Verb::ClaimFromReclaim, grant.execution, decision);
        Ok(task(store.record(grant.execution)?, HandleKind::Resumed, now))
    }
}

impl MemBackend {
    /// What the lane has for the claim, and whether there may be more behind expired executions.
    fn claim_now(&self, store: &mut Store, request: &ClaimRequest) -> (ClaimOutcome, bool) {
        let now = self.now();
        let key = (request.policy.instance, request.lane.clone(), Asked::Claim);
        if let Some(answer) = store.repeats.find(key.0, &key.1, key.2, request.request_id) {
            return (repeated(store, request, &answer.items, now), false);
        }
        let queues: &[Queue] =
            if request.reclaims { &[Queue::Ready, Queue::Reclaim] } else { &[Queue::Ready] };
        let mut outcome = ClaimOutcome::default();
        let mut items = Vec::new();
        let mut expired = 0;
        while items.len() < request.policy.max_tasks as usize {
            let offered = &request.capabilities;
            let best = store.queues.best(&request.lane, queues, offered, |_| true);
            let Some((queue, id)) = best else { break };
            let issued = match queue {
                Queue::Ready => issue_lease(store, id, request, items.len(), now)
                    .map(|task| outcome.tasks.push(task)),
                Queue::Reclaim => {
                    issue_token(store, Verb::Claim, id, request.request_id, items.len(), now)
                        .map(|token| outcome.reclaims.push(token))
                }
            };
            match issued {
                Some(()) => items.push(id),
                None => expired += 1,
            }
            if expired >= limits::EXPIRED_SKIPPED_PER_CLAIM_MAX {
                break;
            }
        }
        let more = items.is_empty() && expired > 0;
        if !items.is_empty() && self.inner.distortion.remembers_claims() {
            let ttl = request.policy.lease_ttl;
            store.repeats.remember(key, request.request_id, items, now, ttl);
        }
        (outcome, more)
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
    let decision = machine::claim(record, lease, &request.policy, now);
    match store.settle(Verb::Claim, id, decision) {
        Claimed::Leased(_) => {
            store.records.get(&id).map(|record| task(record, HandleKind::Fresh, now))
        }
        Claimed::Expired => None,
    }
}

fn issue_token(
    store: &mut Store,
    verb: Verb,
    id: ExecutionId,
    request_id: ff_types::RequestId,
    index: usize,
    now: TimestampMs,
) -> Option<ReclaimToken> {
    let grant = Grant { execution: id, id: request_id.grant(u16::try_from(index).ok()?) };
    let decision = machine::grant(store.records.get(&id)?, grant.id, now);
    store.settle(verb, id, decision).then(|| grant.token())
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
    handed_over: bool,
}

impl Drop for ClaimWait<'_> {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        let mut store = self.backend.store();
        let unused_wakeup = self.wakeup.try_recv().is_ok();
        store.queues.stop_waiting(&self.request.lane, self.id, unused_wakeup);
    }
}
