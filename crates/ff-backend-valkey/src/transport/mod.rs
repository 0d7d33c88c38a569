//! The wire, behind a trait: everything else in the crate is free of the client library.
//!
//! A transport sends each request once. Whether to repeat one whose answer was lost is decided
//! where it is known to be harmless.

mod frames;
mod fred;
mod link;
mod listener;
mod settings;
#[cfg(feature = "tls")]
mod tls;

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ff_engine::BoxError;

pub(crate) use self::fred::FredTransport;
pub(crate) use self::settings::Settings;
use crate::reply::Reply;

/// The first pause before a request that was redirected is sent again, and the longest.
const REDIRECTED: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The command's name.
    pub(crate) command: &'static str,
    /// The hash slot of its keys, which decides the node of a cluster.
    pub(crate) slot: u16,
    /// Everything behind the name.
    pub(crate) args: Vec<Bytes>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The connection failed, or there was none. The outcome is unknown.
    #[error("the connection failed")]
    Disconnected(#[source] BoxError),
    /// No answer in time. The outcome is unknown.
    #[error("no answer in time")]
    Timeout(#[source] BoxError),
    /// The slot of the request is elsewhere, or on its way there. The request had no effect.
    #[error("the slot is being moved")]
    Redirected,
    /// The server answered an error.
    #[error("the server answered: {0}")]
    Server(String),
    /// The settings cannot work.
    #[error("{0}")]
    Settings(String),
}

/// What comes in without being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Push {
    /// A message on a channel.
    Message {
        /// The channel.
        channel: String,
        /// What was published.
        payload: Bytes,
    },
    /// Messages may have been missed: a connection was lost, or they came too fast.
    Missed,
}

/// How requests get to the server.
#[async_trait]
pub(crate) trait Transport: Send + Sync + 'static {
    /// Sends one command and waits for its answer.
    async fn send(&self, request: Request) -> Result<Reply, TransportError>;

    /// Sends one command to every primary.
    async fn send_to_all(
        &self,
        command: &'static str,
        args: Vec<Bytes>,
    ) -> Result<Vec<Reply>, TransportError>;

    /// Starts to listen on a channel; once it returns, no message is missed but by a
    /// [`Push::Missed`].
    async fn subscribe(&self, channel: &str) -> Result<(), TransportError>;

    /// Stops to listen on a channel.
    async fn unsubscribe(&self, channel: &str) -> Result<(), TransportError>;

    /// Returns once every message that was published before has come in.
    #[cfg(feature = "testing")]
    async fn round_trip(&self) -> Result<(), TransportError>;

    /// What comes in from now on.
    fn pushes(&self) -> tokio::sync::broadcast::Receiver<Push>;

    /// The hash slot of a key.
    fn slot_of(&self, key: &[u8]) -> u16;

    /// How long a request may take.
    fn request_timeout(&self) -> Duration;
}

/// Sends again what was redirected, for as long as a request may take: until a slot has moved, its
/// old node points to the new one and the new one back.
async fn turned_away<T, F: Future<Output = Result<T, TransportError>>>(
    mut left: Duration,
    mut send: impl FnMut() -> F,
) -> Result<T, TransportError> {
    let mut pause = REDIRECTED.0;
    loop {
        match send().await {
            Err(TransportError::Redirected) if left > pause => {
                tokio::time::sleep(pause).await;
                left -= pause;
                pause = (pause * 2).min(REDIRECTED.1);
            }
            answer => return answer,
        }
    }
}
