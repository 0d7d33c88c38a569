//! The connection for subscriptions: it hears what is published, and says when it may have missed
//! something.
//!
//! A lost connection is made again, its channels are listened to again, and only then is the loss
//! told: who looks again before that may look too early. A connection that was lost without a sign
//! and a slot that has moved to another node are found out by listening to a channel once more from
//! time to time, which changes nothing where all is well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::{EventInterface as _, PubsubInterface as _};
use fred::prelude::{Builder, Server};
use fred::types::{ClusterStateChange, Message};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::task::JoinSet;

use super::frames::failed;
use super::link::Link;
use super::{Push, TransportError, turned_away};

/// How often at most an idle connection is checked.
const CHECK_EVERY_MIN: Duration = Duration::from_secs(1);
/// How many channels are listened to again at a time.
const AT_ONCE: usize = 64;
/// How long to wait before another attempt to listen again.
const PAUSE: Duration = Duration::from_millis(200);

/// The connection for subscriptions of one process.
pub(super) struct Listener {
    shared: Arc<Shared>,
}

struct Shared {
    builder: Builder,
    timeout: Duration,
    pushes: Sender<Push>,
    channels: Mutex<BTreeSet<String>>,
    link: Mutex<Arc<Link>>,
}

/// What tells that the channels may not be heard any more.
struct Signs {
    reconnects: Receiver<Server>,
    changes: Receiver<Vec<ClusterStateChange>>,
}

impl Signs {
    fn of(client: &Client) -> Self {
        Self { reconnects: client.reconnect_rx(), changes: client.cluster_change_rx() }
    }

    /// Forgets what there has been so far.
    fn forget(&mut self) {
        while !matches!(self.reconnects.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed))
        {
        }
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}

impl Listener {
    /// Connects. `elsewhere` tells of slots that the connection for requests has found moved.
    pub(super) async fn open(
        builder: Builder,
        timeout: Duration,
        pushes: Sender<Push>,
        elsewhere: Receiver<Vec<ClusterStateChange>>,
    ) -> Result<Self, TransportError> {
        let (link, signs) = connect(&builder, &pushes).await?;
        let channels = Mutex::default();
        let link = Mutex::new(Arc::new(link));
        let shared = Arc::new(Shared { builder, timeout, pushes, channels, link });
        tokio::spawn(keep(Arc::downgrade(&shared), signs, elsewhere));
        Ok(Self { shared })
    }

    /// Listens to a channel from now on.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<(), TransportError> {
        locked(&self.shared.channels).insert(channel.to_owned());
        self.shared.subscribe(channel).await
    }

    /// Listens to a channel no more.
    pub(super) async fn unsubscribe(&self, channel: &str) -> Result<(), TransportError> {
        locked(&self.shared.channels).remove(channel);
        self.shared.link().client.sunsubscribe(channel).await.map_err(failed)
    }

    /// Returns once every message that was published before has come in.
    #[cfg(feature = "testing")]
    pub(super) async fn round_trip(&self) -> Result<(), TransportError> {
        use fred::interfaces::ClientLike as _;

        self.shared.link().client.ping::<()>(None).await.map_err(failed)
    }
}

impl Shared {
    fn link(&self) -> Arc<Link> {
        Arc::clone(&locked(&self.link))
    }

    async fn subscribe(&self, channel: &str) -> Result<(), TransportError> {
        turned_away(self.timeout, || async {
            self.link().client.ssubscribe(channel).await.map_err(failed)
        })
        .await
    }

    /// Listens once more to one channel of each slot.
    async fn check(&self) -> Result<(), TransportError> {
        let channels: BTreeMap<u16, String> = locked(&self.channels)
            .iter()
            .map(|channel| (fred::util::redis_keyslot(channel.as_bytes()), channel.clone()))
            .collect();
        for channel in channels.into_values() {
            self.link().client.ssubscribe(channel).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Listens to all channels again.
    async fn listen_again(self: &Arc<Self>) -> Result<(), TransportError> {
        let channels: Vec<_> = locked(&self.channels).iter().cloned().collect();
        for some in channels.chunks(AT_ONCE) {
            let mut subscribing = JoinSet::new();
            for channel in some {
                let (shared, channel) = (Arc::clone(self), channel.clone());
                subscribing.spawn(async move { shared.subscribe(&channel).await });
            }
            while let Some(subscribed) = subscribing.join_next().await {
                subscribed
                    .unwrap_or_else(|panic| Err(TransportError::Disconnected(panic.into())))?;
            }
        }
        Ok(())
    }
}

async fn connect(
    builder: &Builder,
    pushes: &Sender<Push>,
) -> Result<(Link, Signs), TransportError> {
    let prepare = |client: &Client| (client.message_rx(), Signs::of(client));
    let (link, (messages, mut signs)) = Link::open(builder, prepare).await?;
    // Connecting counts as a reconnect. Whoever connects has not listened to anything yet.
    signs.forget();
    tokio::spawn(forward(messages, pushes.clone()));
    Ok((link, signs))
}

/// Hands messages on for as long as their client lives.
async fn forward(mut messages: Receiver<Message>, pushes: Sender<Push>) {
    loop {
        let push = match messages.recv().await {
            Ok(message) => Push::Message {
                channel: message.channel.to_string(),
                payload: message.value.as_bytes().map_or_else(Bytes::new, Bytes::copy_from_slice),
            },
            Err(RecvError::Lagged(_)) => Push::Missed,
            Err(RecvError::Closed) => return,
        };
        // Without a receiver nobody waits.
        let _unheard = pushes.send(push);
    }
}

/// Sees to it that every channel is heard, for as long as the listener lives.
async fn keep(
    shared: Weak<Shared>,
    mut signs: Signs,
    mut elsewhere: Receiver<Vec<ClusterStateChange>>,
) {
    let Some(every) = shared.upgrade().map(|shared| shared.timeout.max(CHECK_EVERY_MIN)) else {
        return;
    };
    let mut elsewhere_open = true;
    loop {
        let suspicious = tokio::select! {
            reconnect = signs.reconnects.recv() => !is_closed(&reconnect),
            change = signs.changes.recv() => !is_closed(&change),
            change = elsewhere.recv(), if elsewhere_open => {
                elsewhere_open = !is_closed(&change);
                elsewhere_open
            }
            () = tokio::time::sleep(every) => false,
        };
        let Some(shared) = shared.upgrade() else { return };
        if !suspicious && shared.check().await.is_ok() {
            continue;
        }
        while let Err(error) = shared.listen_again().await {
            tracing::debug!(%error, "the channels are not listened to yet");
            let known = shared.link().with_known_nodes(&shared.builder);
            if (matches!(error, TransportError::Timeout(_)) || shared.link().is_over())
                && let Ok((link, fresh)) = connect(&known, &shared.pushes).await
            {
                *locked(&shared.link) = Arc::new(link);
                signs = fresh;
                continue;
            }
            tokio::time::sleep(PAUSE).await;
            if Arc::strong_count(&shared) == 1 {
                return;
            }
        }
        let _unheard = shared.pushes.send(Push::Missed);
    }
}

fn is_closed<T>(received: &Result<T, RecvError>) -> bool {
    matches!(received, Err(RecvError::Closed))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between lock and unlock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
