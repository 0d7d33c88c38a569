//! Calls that wait, and what wakes them.
//!
//! A process has one channel in each partition, and one for each execution whose end or frames it waits
//! for.
//! What it is told there is a hint, not state: every wait ends with a look at the store. When
//! messages may have been missed, everything that waits looks again.

mod cancels;
mod claims;
mod ends;
mod frames;
mod ticks;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use ff_engine::{EngineError, Entropy as _, SeededEntropy};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OnceCell, broadcast};

use cancels::CancelWaits;
pub(crate) use claims::{Arming, Asked, ClaimWaits, Offer, Wake};
use ends::EndWaits;
use frames::FrameWaits;
pub(crate) use ticks::Rest;
use ticks::TickWaits;

use crate::inner::Inner;
use crate::transport::Push;

/// The waits of one process.
pub(crate) struct Waits {
    process: String,
    /// Whether the channel of a partition is listened on.
    listened: Vec<OnceCell<()>>,
    pub(crate) claims: ClaimWaits,
    pub(crate) cancels: CancelWaits,
    pub(crate) ends: EndWaits,
    pub(crate) frames: FrameWaits,
    pub(crate) ticks: TickWaits,
    /// Tells that there is something new in the completion log.
    log: broadcast::Sender<()>,
}

impl Waits {
    pub(crate) fn new(partitions: usize) -> Self {
        let entropy = SeededEntropy::from_os();
        Self {
            process: format!("{:016x}{:016x}", entropy.next_u64(), entropy.next_u64()),
            listened: (0..partitions).map(|_| OnceCell::new()).collect(),
            claims: ClaimWaits::new(partitions),
            cancels: CancelWaits::default(),
            ends: EndWaits::default(),
            frames: FrameWaits::default(),
            ticks: TickWaits::default(),
            log: broadcast::channel(1).0,
        }
    }

    /// What this process is called in the store.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    /// Listens on the channel of a partition, once and for all.
    pub(crate) async fn subscribe(
        &self,
        inner: &Inner,
        partition: usize,
    ) -> Result<(), EngineError> {
        self.listened[partition]
            .get_or_try_init(|| async {
                let channel = inner.keyspace.partitions[partition].process_channel(&self.process);
                inner.subscribe(&channel).await
            })
            .await
            .map(drop)
    }

    /// Listens on the channels of all partitions.
    pub(crate) async fn subscribe_all(&self, inner: &Inner) -> Result<(), EngineError> {
        for partition in 0..self.listened.len() {
            self.subscribe(inner, partition).await?;
        }
        Ok(())
    }

    /// Takes a message. A connection is shared by the namespaces that are opened over it, and what
    /// is not for this one is left alone.
    fn take(&self, inner: &Arc<Inner>, channel: &str, payload: &Bytes) {
        if let Some((prefix, id)) = channel.rsplit_once("x:") {
            let ours = inner.keyspace.partitions.iter().any(|own| own.prefix == prefix);
            if let (true, Ok(id)) = (ours, id.parse()) {
                self.ends.told(id, payload);
            }
        } else if let Some((prefix, id)) = channel.rsplit_once("s:") {
            let ours = inner.keyspace.partitions.iter().any(|own| own.prefix == prefix);
            if let (true, Ok(id)) = (ours, id.parse()) {
                self.frames.told(id);
            }
        } else if let Some((prefix, instance)) = channel.rsplit_once("y:") {
            let ours = inner.keyspace.partitions.iter().any(|own| own.prefix == prefix);
            let id = std::str::from_utf8(payload).ok().and_then(|id| id.parse().ok());
            if let (true, Ok(instance), Some(id)) = (ours, instance.parse(), id) {
                self.cancels.told(instance, id);
            }
        } else if !channel.ends_with(&self.process) {
        } else if payload.as_ref() == b"t" {
            self.ticks.tell();
        } else if payload.as_ref() == b"e" {
            self.tell_of_completions();
        } else if let Ok(text) = std::str::from_utf8(payload)
            && let Some((arm, id)) = text.strip_prefix("w ").and_then(|rest| rest.split_once(' '))
            && let (Ok(arm), Ok(id)) = (arm.parse(), id.parse())
        {
            self.claims.fired(inner, arm, id);
        }
    }

    fn look_again(&self, inner: &Arc<Inner>) {
        self.claims.look_again(inner);
        self.ends.look_again();
        self.frames.look_again();
        self.ticks.tell();
        self.tell_of_completions();
    }

    fn tell_of_completions(&self) {
        // Without a receiver nobody waits.
        let _unheard = self.log.send(());
    }

    /// Receives when there is something new in the completion log.
    pub(crate) fn completions(&self) -> broadcast::Receiver<()> {
        self.log.subscribe()
    }
}

/// Hands what comes in to those who wait, for as long as the backend lives.
pub(crate) fn listen(inner: &Arc<Inner>) {
    let mut pushes = inner.transport.pushes();
    let inner: Weak<Inner> = Arc::downgrade(inner);
    tokio::spawn(async move {
        loop {
            let push = pushes.recv().await;
            let Some(inner) = inner.upgrade() else { return };
            match push {
                Ok(Push::Message { channel, payload }) => {
                    inner.waits.take(&inner, &channel, &payload);
                }
                Ok(Push::Missed) | Err(RecvError::Lagged(_)) => inner.waits.look_again(&inner),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Waits for `event` at most until `limit` is over.
pub(crate) async fn within<T>(
    event: impl Future<Output = T>,
    limit: Pin<&mut (dyn Future<Output = ()> + Send)>,
) -> Option<T> {
    tokio::select! {
        biased;
        event = event => Some(event),
        () = limit => None,
    }
}

/// No code between lock and unlock panics on input, so a poisoned lock still guards a whole state.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
