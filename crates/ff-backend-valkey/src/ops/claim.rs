//! `claim`, `reclaimable`, `claim_from_reclaim`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{BufMut as _, Bytes, BytesMut};
use ff_engine::roles::BackendInfo;
use ff_engine::{ClaimOps, ClaimOutcome, ClaimRequest, EngineError, Grant, ReclaimRequest, Task};
use ff_types::backend::{BackendTag, ClaimPolicy, HandleKind, ReclaimToken, ScannerFilter};
use ff_types::{ExecutionId, RequestId, TimestampMs};

use super::bits;
use crate::ValkeyBackend;
use crate::call::{BadReply, Values};
use crate::calls::{Claim, ClaimFromReclaim, Reclaimable};
use crate::codec::{self, Fields};
use crate::failures::bad_reply;
use crate::inner::Inner;
use crate::reply::Reply;
use crate::waits::{Arming, Asked, Offer, Wake, within};

const CLAIM: &str = "claim";
const RECLAIMABLE: &str = "reclaimable";
const CLAIM_FROM_RECLAIM: &str = "claim_from_reclaim";

#[async_trait]
impl ClaimOps for ValkeyBackend {
    async fn claim(&self, request: &ClaimRequest) -> Result<ClaimOutcome, EngineError> {
        request.validate()?;
        let inner = &self.inner;
        let offer = self.offer(request);
        let (instance, id) = (request.policy.instance, request.request_id);
        let mut outcome = ClaimOutcome::default();
        if inner.waits.claims.is_repeat(Asked::Claim, instance, &request.lane, id) {
            let mut known = false;
            for partition in 0..inner.keyspace.partitions.len() {
                let ask = Ask::Repeat;
                known |= inner.claim_from(partition, request, &offer, ask, &mut outcome).await?;
            }
            if known {
                return Ok(outcome);
            }
        }
        if let Some(max_wait) = request.policy.max_wait {
            let over = inner.clock.sleep(max_wait);
            return inner.claim_waiting(request, &offer, over).await;
        }
        for partition in inner.rotated() {
            let known =
                inner.claim_from(partition, request, &offer, Ask::Now, &mut outcome).await?;
            if known || is_full(&outcome, request) {
                break;
            }
        }
        Ok(outcome)
    }

    async fn reclaimable(
        &self,
        request: &ReclaimRequest,
    ) -> Result<Vec<ReclaimToken>, EngineError> {
        request.validate()?;
        let Some(tag) = self.tag_of(&request.filter) else { return Ok(Vec::new()) };
        let inner = &self.inner;
        let (instance, id) = (request.instance, request.request_id);
        let mut tokens = Vec::new();
        if inner.waits.claims.is_repeat(Asked::Reclaimable, instance, &request.lane, id) {
            let mut known = false;
            for partition in 0..inner.keyspace.partitions.len() {
                known |= inner.reclaimable_in(partition, request, &tag, true, &mut tokens).await?;
            }
            if known {
                return Ok(tokens);
            }
        }
        for partition in inner.rotated() {
            let known = inner.reclaimable_in(partition, request, &tag, false, &mut tokens).await?;
            if known || tokens.len() >= request.max_tokens as usize {
                break;
            }
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
        let call = ClaimFromReclaim {
            id: grant.execution.as_u128(),
            grant: bits(grant.id.to_bytes()),
            holder: holder(policy),
            ttl: ttl_ms(policy),
        };
        let answer = self.inner.about(CLAIM_FROM_RECLAIM, grant.execution, call).await?;
        let kind = HandleKind::Resumed;
        let operation = CLAIM_FROM_RECLAIM;
        let told = Told { fields: answer.fields, payload: answer.payload, state: answer.state };
        task(operation, grant.execution, told, kind, answer.now)
    }
}

impl ValkeyBackend {
    fn offer(&self, request: &ClaimRequest) -> Offer {
        let tag = request.reclaims.as_ref().and_then(|filter| self.tag_of(filter));
        Offer {
            lane: request.lane.clone(),
            capabilities: request.capabilities.clone(),
            reclaims: tag.is_some(),
            tag: tag.unwrap_or_default(),
        }
    }

    /// The tag that a filter asks for, empty for none; `None` when it lets nothing of this
    /// namespace through.
    fn tag_of(&self, filter: &ScannerFilter) -> Option<String> {
        if filter.namespace.as_ref().is_some_and(|namespace| namespace != self.namespace()) {
            return None;
        }
        let tag = filter.instance_tag.as_ref();
        Some(tag.map_or_else(String::new, |(key, value)| format!("{key} {value}")))
    }
}

/// How a partition is asked.
enum Ask<'w> {
    /// For what it has now.
    Now,
    /// For what this same request was given before, and nothing else.
    Repeat,
    /// For what it has now, and to be told when it had nothing.
    Waiting(Arming<'w>),
}

fn is_full(outcome: &ClaimOutcome, request: &ClaimRequest) -> bool {
    outcome.tasks.len() + outcome.reclaims.len() >= request.policy.max_tasks as usize
}

fn holder(policy: &ClaimPolicy) -> Bytes {
    let mut bytes = BytesMut::with_capacity(32);
    bytes.put_slice(&policy.worker.to_bytes());
    bytes.put_slice(&policy.instance.to_bytes());
    bytes.freeze()
}

fn ttl_ms(policy: &ClaimPolicy) -> u64 {
    u64::try_from(policy.lease_ttl.as_millis()).unwrap_or(u64::MAX)
}

impl Inner {
    /// All partitions, each call beginning with another.
    fn rotated(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.keyspace.partitions.len();
        let first = self.waits.claims.rotation() % count;
        (0..count).map(move |step| (first + step) % count)
    }

    /// Claims until there is something or the wait is over. Partitions in which this process is
    /// armed for the offer have nothing for it, and will tell when they do: they are not asked.
    async fn claim_waiting(
        self: &Arc<Self>,
        request: &ClaimRequest,
        offer: &Offer,
        mut over: ff_engine::clock::Sleep,
    ) -> Result<ClaimOutcome, EngineError> {
        let mut outcome = ClaimOutcome::default();
        let visit = self.waits.claims.visit(self, offer);
        let mut wake: Option<Wake> = None;
        loop {
            let asked: Vec<usize> = match wake.as_ref().and_then(|wake| wake.partition) {
                Some(partition) => vec![partition],
                None => visit.unarmed(self.rotated()),
            };
            for partition in asked {
                let woken = wake.as_ref().and_then(|wake| wake.woken_in(partition));
                self.waits.subscribe(self, partition).await?;
                let arming = visit.begin(partition, woken);
                let ask = Ask::Waiting(arming);
                let known = self.claim_from(partition, request, offer, ask, &mut outcome).await?;
                if known {
                    visit.finish();
                    return Ok(outcome);
                } else if is_full(&outcome, request) {
                    break;
                }
            }
            if !outcome.is_empty() {
                visit.finish();
                return Ok(outcome);
            }
            let mut ticket = visit.enter();
            wake = within(ticket.woken(), over.as_mut()).await;
            drop(ticket);
            if wake.is_none() {
                visit.leave().await;
                return Ok(outcome);
            }
        }
    }

    /// Asks one partition, and adds what it gives to `outcome`. Answers whether this is the answer
    /// to a request that was made before.
    async fn claim_from(
        &self,
        partition: usize,
        request: &ClaimRequest,
        offer: &Offer,
        ask: Ask<'_>,
        outcome: &mut ClaimOutcome,
    ) -> Result<bool, EngineError> {
        let repeats = matches!(ask, Ask::Repeat);
        let mut arming = match ask {
            Ask::Waiting(arming) => Some(arming),
            Ask::Now | Ask::Repeat => None,
        };
        let taken = outcome.tasks.len() + outcome.reclaims.len();
        let woken = arming.as_ref().and_then(Arming::passed_on);
        let woken = woken.map_or_else(String::new, |id| id.to_string());
        loop {
            let call = Claim {
                request: bits(request.request_id.to_bytes()),
                lane: offer.lane.as_str(),
                offered: offer.capabilities.as_str(),
                holder: holder(&request.policy),
                instance: request.policy.instance.as_u128(),
                ttl: ttl_ms(&request.policy),
                most: (request.policy.max_tasks as usize).saturating_sub(taken) as u64,
                mode: offer.mode(),
                tag: &offer.tag,
                process: if arming.is_some() { self.waits.process() } else { "" },
                arm: arming.as_ref().map_or(0, Arming::arm),
                crowded: arming.as_ref().is_some_and(Arming::is_crowded),
                woken: &woken,
                repeats,
            };
            let partition = &self.keyspace.partitions[partition];
            let answer = self
                .call(CLAIM, partition, call)
                .await?
                .map_err(|_| bad_reply(CLAIM, BadReply("items")))?;
            if let Some(arming) = arming.take_if(|_| !answer.again) {
                arming.settle(answer.armed);
            }
            for item in answer.items {
                add_item(CLAIM, item, request.request_id, answer.now, outcome)?;
            }
            if !answer.again {
                return Ok(answer.known);
            }
        }
    }

    /// Asks one partition for tokens, and adds them to `tokens`. Answers whether this is the answer
    /// to a request that was made before.
    async fn reclaimable_in(
        &self,
        partition: usize,
        request: &ReclaimRequest,
        tag: &str,
        repeats: bool,
        tokens: &mut Vec<ReclaimToken>,
    ) -> Result<bool, EngineError> {
        loop {
            let call = Reclaimable {
                request: bits(request.request_id.to_bytes()),
                lane: request.lane.as_str(),
                offered: request.capabilities.as_str(),
                instance: request.instance.as_u128(),
                most: (request.max_tokens as usize).saturating_sub(tokens.len()) as u64,
                tag,
                repeats,
            };
            let answer = self
                .call(RECLAIMABLE, &self.keyspace.partitions[partition], call)
                .await?
                .map_err(|_| bad_reply(RECLAIMABLE, BadReply("items")))?;
            let mut outcome = ClaimOutcome::default();
            let now = TimestampMs::ZERO;
            for item in answer.items {
                add_item(RECLAIMABLE, item, request.request_id, now, &mut outcome)?;
            }
            tokens.append(&mut outcome.reclaims);
            if !answer.again {
                return Ok(answer.known);
            }
        }
    }
}

/// Reads an item as `claims.lua` writes it: a task with its record, or the id behind a token.
fn add_item(
    operation: &'static str,
    reply: Reply,
    request: RequestId,
    now: TimestampMs,
    outcome: &mut ClaimOutcome,
) -> Result<(), EngineError> {
    let bad = |bad| bad_reply(operation, bad);
    let mut values = Values::new(reply.into_array().ok_or_else(|| bad(BadReply("item")))?);
    let kind = values.text().map_err(bad)?;
    let index = u16::try_from(values.int().map_err(bad)?).map_err(|_| bad(BadReply("index")))?;
    let id: ExecutionId =
        values.text().map_err(bad)?.parse().map_err(|_| bad(BadReply("execution id")))?;
    if kind == "token" {
        outcome.reclaims.push(Grant { execution: id, id: request.grant(index) }.token());
        return Ok(());
    }
    let (fields, payload) = (values.list().map_err(bad)?, values.bytes().map_err(bad)?);
    let told = Told { fields, payload, state: values.bytes().map_err(bad)? };
    outcome.tasks.push(task(operation, id, told, HandleKind::Fresh, now)?);
    Ok(())
}

/// What the library tells of a task.
struct Told {
    fields: Vec<Reply>,
    payload: Bytes,
    /// The saved state, when it is long.
    state: Bytes,
}

fn task(
    operation: &'static str,
    id: ExecutionId,
    told: Told,
    kind: HandleKind,
    now: TimestampMs,
) -> Result<Task, EngineError> {
    let mut fields =
        Fields::of(told.fields).ok_or_else(|| bad_reply(operation, BadReply("fields")))?;
    fields.set_long_state(told.state);
    let record = codec::record(id, &fields, told.payload)?;
    Task::of(&record, BackendTag::Valkey, kind, now)
        .ok_or_else(|| bad_reply(operation, BadReply("lease")))
}
