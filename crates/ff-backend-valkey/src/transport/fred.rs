//! The transport over the `fred` client library, configured around what it does by default:
//!
//! * it sends a command again when the reply was lost; here each is sent once;
//! * its own function call counts as a blocking command, which the check for unresponsive
//!   connections leaves out; a custom command with an explicit slot does not;
//! * with one attempt a command it follows no redirection, and an `ASK` even ends it; here a
//!   redirected command, which has had no effect, comes back and is sent again;
//! * a blocked subscription would stall other commands; it has a client of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::interfaces::{ClientLike as _, ClusterInterface as _, EventInterface as _};
use fred::types::{ClusterHash, CustomCommand};
use tokio::sync::{OnceCell, broadcast};

use super::frames::{failed, reply};
use super::link::{Link, Requests};
use super::listener::Listener;
use super::settings::PUSH_BUFFER;
use super::{Push, Request, Settings, Transport, TransportError, turned_away};
use crate::reply::Reply;

/// Connections of one process: one for requests, and from the first wait on one for subscriptions.
pub(crate) struct FredTransport {
    builder: fred::prelude::Builder,
    requests: Arc<Requests>,
    listener: OnceCell<Listener>,
    clustered: bool,
    timeout: Duration,
    pushes: broadcast::Sender<Push>,
}

impl FredTransport {
    /// Connects.
    pub(crate) async fn connect(settings: &Settings<'_>) -> Result<Arc<Self>, TransportError> {
        let builder = settings.builder()?;
        let (link, ()) = Link::open(&builder, |_| ()).await?;
        let (pushes, _) = broadcast::channel(PUSH_BUFFER);
        Ok(Arc::new(Self {
            requests: Requests::new(builder.clone(), link),
            builder,
            listener: OnceCell::new(),
            clustered: settings.connection.cluster,
            timeout: settings.request_timeout(),
            pushes,
        }))
    }

    async fn listener(&self) -> Result<&Listener, TransportError> {
        self.listener
            .get_or_try_init(|| {
                let elsewhere = self.requests.link().client.cluster_change_rx();
                let (builder, pushes) = (self.builder.clone(), self.pushes.clone());
                Listener::open(builder, self.timeout, pushes, elsewhere)
            })
            .await
    }

    async fn send_once(&self, request: Request) -> Result<Reply, TransportError> {
        let link = self.requests.link();
        let hash = ClusterHash::Custom(request.slot);
        let command = CustomCommand::new_static(request.command, hash, false);
        match link.client.custom_raw(command, request.args).await.map_err(failed) {
            Ok(frame) => reply(frame),
            Err(error) => {
                if matches!(error, TransportError::Timeout(_)) || link.is_over() {
                    self.requests.doubt(&link, request.slot);
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Transport for FredTransport {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        if self.clustered {
            turned_away(self.timeout, || self.send_once(request.clone())).await
        } else {
            self.send_once(request).await
        }
    }

    async fn send_to_all(
        &self,
        command: &'static str,
        args: Vec<Bytes>,
    ) -> Result<Vec<Reply>, TransportError> {
        if !self.clustered {
            let request = Request { command, slot: 0, args };
            return Ok(vec![self.send(request).await?]);
        }
        let link = self.requests.link();
        let primaries = link
            .client
            .cached_cluster_state()
            .map_or_else(Vec::new, |state| state.unique_primary_nodes());
        let mut replies = Vec::with_capacity(primaries.len());
        for primary in primaries {
            let command = CustomCommand::new_static(command, ClusterHash::Random, false);
            let node = link.client.with_cluster_node(primary);
            let frame = node.custom_raw(command, args.clone()).await.map_err(failed)?;
            replies.push(reply(frame)?);
        }
        Ok(replies)
    }

    async fn subscribe(&self, channel: &str) -> Result<(), TransportError> {
        self.listener().await?.subscribe(channel).await
    }

    async fn unsubscribe(&self, channel: &str) -> Result<(), TransportError> {
        self.listener().await?.unsubscribe(channel).await
    }

    #[cfg(feature = "testing")]
    async fn round_trip(&self) -> Result<(), TransportError> {
        self.requests.link().client.ping::<()>(None).await.map_err(failed)?;
        match self.listener.get() {
            Some(listener) => listener.round_trip().await,
            None => Ok(()),
        }
    }

    fn pushes(&self) -> broadcast::Receiver<Push> {
        self.pushes.subscribe()
    }

    fn slot_of(&self, key: &[u8]) -> u16 {
        fred::util::redis_keyslot(key)
    }

    fn request_timeout(&self) -> Duration {
        self.timeout
    }
}
