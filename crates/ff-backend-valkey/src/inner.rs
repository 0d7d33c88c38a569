//! What all roles share: the connection, the keyspace, and how a function is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ff_engine::{Clock, EngineError, UnavailableKind};
use ff_types::{BudgetId, ExecutionId, FlowId, ScheduleId};

use crate::call::{Args, BadReply, Call, Values};
use crate::calls::Code;
use crate::failures::{Refusal, bad_reply, refused, refused_flow, unavailable};
use crate::keyspace::{Keyspace, Partition};
use crate::library::{self, Library};
use crate::ring::Ring;
use crate::transport::{Request, Transport, TransportError};
use crate::waits::Waits;

/// The first pause before a call that was turned away untouched is made again, and the longest.
const TURNED_AWAY: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// How often a call puts the library back before it gives up: somebody keeps taking it away.
const LOADS_MAX: u32 = 3;

/// A backend opened on a namespace.
pub(crate) struct Inner {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) keyspace: Keyspace,
    pub(crate) library: Library,
    /// Measures waits; what has expired the store's clock decides.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) waits: Waits,
    pub(crate) ring: Ring,
    pub(crate) clustered: bool,
    /// Requests sent so far, and those that are not answered yet.
    pub(crate) sent: AtomicU64,
    pub(crate) under_way: AtomicU64,
}

/// Counts a request as under way for as long as it lives.
struct UnderWay<'i>(&'i Inner);

impl<'i> UnderWay<'i> {
    fn of(inner: &'i Inner) -> Self {
        inner.sent.fetch_add(1, Ordering::Relaxed);
        inner.under_way.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    /// The partition of an execution.
    pub(crate) fn partition_of(&self, id: ExecutionId) -> &Partition {
        &self.keyspace.partitions[self.keyspace.of(id)]
    }

    /// The partition of a flow.
    pub(crate) fn partition_of_flow(&self, id: FlowId) -> &Partition {
        &self.keyspace.partitions[self.keyspace.of_flow(id)]
    }

    /// The partition of a budget.
    pub(crate) fn partition_of_budget(&self, id: BudgetId) -> &Partition {
        &self.keyspace.partitions[self.keyspace.of_budget(id)]
    }

    /// The partition of a schedule.
    pub(crate) fn partition_of_schedule(&self, id: ScheduleId) -> &Partition {
        &self.keyspace.partitions[self.keyspace.of_schedule(id)]
    }

    /// Listens on a channel.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<(), EngineError> {
        let _under_way = UnderWay::of(self);
        let subscribed = self.transport.subscribe(channel).await;
        subscribed.map_err(|error| unavailable("subscribe", error))
    }

    /// Calls a function about an execution.
    pub(crate) async fn about<C: Call + Clone>(
        &self,
        operation: &'static str,
        id: ExecutionId,
        call: C,
    ) -> Result<C::Answer, EngineError> {
        self.call(operation, self.partition_of(id), call)
            .await?
            .map_err(|refusal| refused(refusal, id))
    }

    /// Calls a function about a flow.
    pub(crate) async fn about_flow<C: Call + Clone>(
        &self,
        operation: &'static str,
        id: FlowId,
        call: C,
    ) -> Result<C::Answer, EngineError> {
        self.call(operation, self.partition_of_flow(id), call)
            .await?
            .map_err(|refusal| refused_flow(operation, refusal, id, None))
    }

    /// Calls a function, and loads the library when it has gone missing. A call of a function that is
    /// not there has done nothing.
    pub(crate) async fn call<C: Call + Clone>(
        &self,
        operation: &'static str,
        partition: &Partition,
        call: C,
    ) -> Result<Result<C::Answer, Refusal>, EngineError> {
        for _ in 0..LOADS_MAX {
            match self.try_call(operation, partition, call.clone()).await {
                Err(error) if library::is_missing(&error) => {
                    tracing::warn!(operation, "the function library has gone missing");
                    library::restore(self, partition).await?;
                }
                answer => return answer,
            }
        }
        self.try_call(operation, partition, call).await.map_err(|error| {
            if library::is_missing(&error) {
                let kind = UnavailableKind::Unreachable;
                return EngineError::Unavailable { kind, operation, source: Some(Box::new(error)) };
            }
            error
        })
    }

    /// Calls a function.
    pub(crate) async fn try_call<C: Call>(
        &self,
        operation: &'static str,
        partition: &Partition,
        call: C,
    ) -> Result<Result<C::Answer, Refusal>, EngineError> {
        let mut args = Args(Vec::with_capacity(24));
        args.0.push(Bytes::from(format!("{}{}", self.library.prefix, C::NAME)));
        args.0.extend_from_slice(partition.declared());
        call.encode(&mut args);
        let command = if C::READS_ONLY { "FCALL_RO" } else { "FCALL" };
        let request = Request { command, slot: partition.slot, args: args.0 };
        let reply = self
            .send(request)
            .await
            .map_err(|error| unavailable(operation, error))?
            .into_array()
            .ok_or_else(|| bad_reply(operation, BadReply("list")))?;
        answer::<C>(operation, Values::new(reply))
    }

    /// Sends a request, again and again while its slot is being moved: until then the server turns
    /// every call on it away untouched.
    async fn send(&self, request: Request) -> Result<crate::reply::Reply, TransportError> {
        let _under_way = UnderWay::of(self);
        let mut pause = TURNED_AWAY.0;
        let mut left = self.transport.request_timeout();
        loop {
            match self.transport.send(request.clone()).await {
                Err(TransportError::Server(text))
                    if text.starts_with("TRYAGAIN") && left > pause =>
                {
                    tokio::time::sleep(pause).await;
                    left -= pause;
                    pause = (pause * 2).min(TURNED_AWAY.1);
                }
                answer => return answer,
            }
        }
    }
}

/// The answer or the refusal in a reply.
pub(crate) fn answer<C: Call>(
    operation: &'static str,
    mut values: Values,
) -> Result<Result<C::Answer, Refusal>, EngineError> {
    match code(operation, &mut values)? {
        None => C::decode(&mut values).map(Ok).map_err(|bad| bad_reply(operation, bad)),
        Some(code) => Ok(Err(Refusal { code, details: values })),
    }
}

/// The code at the head of a reply or of one item; `None` for `OK`.
pub(crate) fn code(
    operation: &'static str,
    values: &mut Values,
) -> Result<Option<Code>, EngineError> {
    let word = values.bytes().map_err(|bad| bad_reply(operation, bad))?;
    if word.as_ref() == b"OK" {
        return Ok(None);
    }
    Code::of(&word).map(Some).ok_or_else(|| bad_reply(operation, BadReply("known code")))
}
