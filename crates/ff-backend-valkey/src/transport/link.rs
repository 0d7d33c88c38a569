//! One client of the library together with the task that drives it.
//!
//! The client library reconnects by itself where it sees that a connection is lost. It does not see
//! one that swallows everything while requests go on, as each request counts as a sign of life, and
//! it has no way back from an error that ends its task. So a link that answers nothing is left, and
//! another takes its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fred::clients::Client;
use fred::interfaces::{ClientLike as _, ClusterInterface as _};
use fred::prelude::{Builder, ServerConfig};
use fred::types::{ClusterHash, ConnectHandle, CustomCommand};

use super::TransportError;
use super::frames::{failed, refused};

/// A client that is connected, and its task. The connection goes with it.
pub(super) struct Link {
    pub(super) client: Client,
    task: ConnectHandle,
}

impl Link {
    /// Connects. `prepare` is given the client before it does, to listen to its events.
    pub(super) async fn open<T>(
        builder: &Builder,
        prepare: impl FnOnce(&Client) -> T,
    ) -> Result<(Self, T), TransportError> {
        let client = builder.build().map_err(failed)?;
        let prepared = prepare(&client);
        let task = client.init().await.map_err(refused)?;
        Ok((Self { client, task }, prepared))
    }

    /// The settings of `builder`, with every node of the cluster that this link knows: the node that
    /// was configured may be the one that answers nothing.
    pub(super) fn with_known_nodes(&self, builder: &Builder) -> Builder {
        let mut builder = builder.clone();
        let known = self.client.cached_cluster_state();
        let known = known.map_or_else(Vec::new, |state| state.unique_primary_nodes());
        builder.with_config(|config| {
            if let ServerConfig::Clustered { hosts, .. } = &mut config.server {
                hosts.extend(known);
            }
        });
        builder
    }

    /// Whether the client has given up.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Whether the node of a slot answers anything in the time of a request, or the client knows
    /// that it does not.
    async fn is_alive(&self, slot: u16) -> bool {
        if self.is_over() {
            return false;
        }
        let ping = CustomCommand::new_static("PING", ClusterHash::Custom(slot), false);
        let answer = self.client.custom_raw(ping, Vec::<bytes::Bytes>::new()).await.map_err(failed);
        !matches!(answer, Err(TransportError::Timeout(_)))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The link for requests, and how to make another.
pub(super) struct Requests {
    builder: Builder,
    link: Mutex<Arc<Link>>,
    in_doubt: AtomicBool,
}

impl Requests {
    pub(super) fn new(builder: Builder, link: Link) -> Arc<Self> {
        let link = Mutex::new(Arc::new(link));
        Arc::new(Self { builder, link, in_doubt: AtomicBool::new(false) })
    }

    /// The link as it is now.
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.lock())
    }

    /// A request over `link` to the node of a slot was not answered in time: where that node
    /// answers nothing else either, another link takes its place.
    pub(super) fn doubt(self: &Arc<Self>, link: &Arc<Link>, slot: u16) {
        if self.in_doubt.swap(true, Ordering::AcqRel) {
            return;
        }
        let (requests, link) = (Arc::clone(self), Arc::clone(link));
        tokio::spawn(async move {
            if !link.is_alive(slot).await {
                let builder = link.with_known_nodes(&requests.builder);
                match Link::open(&builder, |_| ()).await {
                    Ok((fresh, ())) => {
                        tracing::warn!("the connection answered nothing: another took its place");
                        *requests.lock() = Arc::new(fresh);
                    }
                    // The server answers nobody. The old link may find it again by itself.
                    Err(error) => tracing::debug!(%error, "the connection answers nothing"),
                }
            }
            requests.in_doubt.store(false, Ordering::Release);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Link>> {
        // Nothing panics between lock and unlock.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
