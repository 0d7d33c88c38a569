//! What tests need beyond the seam: namespaces over one connection, rest, and a look at records.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ff_engine::machine::{BudgetRecord, ExecutionRecord, FlowRecord, Link, ScheduleRecord};
use ff_engine::{Clock, EngineError, KeyRing};
use ff_types::{BudgetId, ExecutionId, FlowId, Namespace, ScheduleId};

use crate::codec::{self, Fields};
use crate::{ValkeyBackend, library, ops};

impl ValkeyBackend {
    /// Another namespace over the same connections, with a manual clock and keys of its own.
    ///
    /// # Errors
    /// Those of [`crate::ValkeyBuilder::connect`].
    pub async fn sibling(
        &self,
        namespace: Namespace,
        partitions: u16,
        clock: Arc<dyn Clock>,
        ring: Option<KeyRing>,
    ) -> Result<Self, EngineError> {
        let transport = Arc::clone(&self.inner.transport);
        let clustered = self.inner.clustered;
        let library = library::TESTING;
        Self::open(transport, namespace, Some(partitions), clustered, clock, library, ring).await
    }

    /// Returns once no call is under way, and every message that was published before has been
    /// handed on.
    pub async fn at_rest(&self) {
        loop {
            let before = self.inner.sent.load(Ordering::Relaxed);
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
            // Without a connection nothing is under way.
            let _dead = self.inner.transport.round_trip().await;
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
            let under_way = self.inner.under_way.load(Ordering::Relaxed);
            if under_way == 0 && self.inner.sent.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

const YIELDS: u32 = 64;

/// The record of an execution with these fields, the long ones among them, and those of its waits
/// behind `v:`.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub fn decode(
    id: ExecutionId,
    fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    payload: Vec<u8>,
) -> Result<ExecutionRecord, EngineError> {
    codec::record(id, &all(fields), Bytes::from(payload))
}

/// The record of a flow with these fields. Its nodes have no edges yet.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub fn decode_flow(
    id: FlowId,
    fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<FlowRecord, EngineError> {
    codec::flow(id, &all(fields))
}

/// The record of a budget with these fields.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub fn decode_budget(
    id: BudgetId,
    fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<BudgetRecord, EngineError> {
    codec::budget(id, &all(fields))
}

/// The values that the library has packed in these bytes.
pub fn decode_packed(bytes: &[u8]) -> Option<Vec<Bytes>> {
    ops::unpacked(&Bytes::copy_from_slice(bytes))
}

/// The record of a schedule with these fields.
///
/// # Errors
/// [`EngineError::Corrupt`] names the field that cannot be read.
pub fn decode_schedule(
    id: ScheduleId,
    fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<ScheduleRecord, EngineError> {
    codec::schedule(id, &all(fields))
}

/// The edges that these bytes stand for.
pub fn decode_links(bytes: &[u8]) -> Option<Vec<Link>> {
    codec::links(bytes)
}

fn all(fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Fields {
    let mut all = Fields::default();
    for (name, value) in fields {
        all.set(Bytes::from(name), Bytes::from(value));
    }
    all
}
