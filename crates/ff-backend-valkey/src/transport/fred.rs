//! The transport over the `fred` client library, configured around what it does by default:
//!
//! * it sends a command again when the reply was lost; here each is sent once;
//! * its own function call counts as a blocking command, which the check for unresponsive
//!   connections leaves out; a custom command with an explicit slot does not;
//! * a blocked subscription would stall other commands; it has a client of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ff_types::backend::{BackendRetry, BackendTimeouts, ValkeyConnection};
use fred::clients::{Client, SubscriberClient};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, ClusterInterface, EventInterface, PubsubInterface};
use fred::prelude::{Builder, ReconnectPolicy, Server, ServerConfig};
use fred::types::config::{
    ClusterDiscoveryPolicy, Config, ConnectionConfig, PerformanceConfig, ReconnectError, TcpConfig,
    UnresponsiveConfig,
};
use fred::types::{ClusterHash, CustomCommand, Resp3Frame, RespVersion};
use tokio::sync::{OnceCell, broadcast};

use super::{Push, Request, Transport, TransportError};
use crate::reply::Reply;

/// How long a request may take unless the configuration says otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many requests may wait for a connection. Beyond that a dead server gives back-pressure.
const COMMAND_BUFFER: usize = 16_384;
/// How many messages may wait to be read before they count as missed.
const PUSH_BUFFER: usize = 8_192;
/// The delay before the first reconnect, its growth, the retries after which it grows no further,
/// and its spread in percent, unless the configuration says otherwise.
const RETRY: (u32, u32, u32, u32) = (20, 2, 7, 50);

/// Connections of one process: one for requests, and from the first wait on one for subscriptions.
pub(crate) struct FredTransport {
    client: Client,
    subscriber: OnceCell<SubscriberClient>,
    builder: Builder,
    clustered: bool,
    timeout: Duration,
    pushes: broadcast::Sender<Push>,
}

/// What a connection is made of.
pub(crate) struct Settings<'c> {
    pub(crate) connection: &'c ValkeyConnection,
    pub(crate) timeouts: BackendTimeouts,
    pub(crate) retry: BackendRetry,
    /// The certificates to trust in place of the system's, in PEM.
    pub(crate) ca_pem: Option<&'c [u8]>,
}

impl FredTransport {
    /// Connects.
    pub(crate) async fn connect(settings: &Settings<'_>) -> Result<Arc<Self>, TransportError> {
        let timeout = settings.timeouts.request.unwrap_or(REQUEST_TIMEOUT);
        let builder = builder(settings, timeout)?;
        let client = builder.build().map_err(failed)?;
        client.init().await.map_err(failed)?;
        let (pushes, _) = broadcast::channel(PUSH_BUFFER);
        Ok(Arc::new(Self {
            client,
            subscriber: OnceCell::new(),
            builder,
            clustered: settings.connection.cluster,
            timeout,
            pushes,
        }))
    }

    async fn subscriber(&self) -> Result<&SubscriberClient, TransportError> {
        self.subscriber
            .get_or_try_init(|| async {
                let subscriber = self.builder.build_subscriber_client().map_err(failed)?;
                let mut messages = subscriber.message_rx();
                let mut reconnects = subscriber.reconnect_rx();
                let mut changes = subscriber.cluster_change_rx();
                subscriber.init().await.map_err(failed)?;
                // The client restores its subscriptions behind a reconnect by itself.
                drop(subscriber.manage_subscriptions());
                let pushes = self.pushes.clone();
                tokio::spawn(async move {
                    loop {
                        let push = tokio::select! {
                            message = messages.recv() => match message {
                                Ok(message) => Push::Message {
                                    channel: message.channel.to_string(),
                                    payload: message.value.as_bytes().map_or_else(
                                        Bytes::new,
                                        Bytes::copy_from_slice,
                                    ),
                                },
                                Err(broadcast::error::RecvError::Lagged(_)) => Push::Missed,
                                Err(broadcast::error::RecvError::Closed) => return,
                            },
                            reconnect = reconnects.recv() => match reconnect {
                                Err(broadcast::error::RecvError::Closed) => return,
                                _ => Push::Missed,
                            },
                            change = changes.recv() => match change {
                                Err(broadcast::error::RecvError::Closed) => return,
                                _ => Push::Missed,
                            },
                        };
                        // Without a receiver nobody waits.
                        let _unheard = pushes.send(push);
                    }
                });
                Ok(subscriber)
            })
            .await
    }
}

impl Drop for FredTransport {
    fn drop(&mut self) {
        let client = self.client.clone();
        let subscriber = self.subscriber.get().cloned();
        // Outside a runtime the process is ending, and its connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _closing = client.quit().await;
                if let Some(subscriber) = subscriber {
                    let _closing = subscriber.quit().await;
                }
            });
        }
    }
}

#[async_trait]
impl Transport for FredTransport {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let hash = ClusterHash::Custom(request.slot);
        let command = CustomCommand::new_static(request.command, hash, false);
        let frame = self.client.custom_raw(command, request.args).await.map_err(failed)?;
        reply(frame)
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
        let primaries = self
            .client
            .cached_cluster_state()
            .map_or_else(Vec::new, |state| state.unique_primary_nodes());
        let mut replies = Vec::with_capacity(primaries.len());
        for primary in primaries {
            let command = CustomCommand::new_static(command, ClusterHash::Random, false);
            let node = self.client.with_cluster_node(primary);
            let frame = node.custom_raw(command, args.clone()).await.map_err(failed)?;
            replies.push(reply(frame)?);
        }
        Ok(replies)
    }

    async fn subscribe(&self, channel: &str) -> Result<(), TransportError> {
        self.subscriber().await?.ssubscribe(channel).await.map_err(failed)
    }

    async fn unsubscribe(&self, channel: &str) -> Result<(), TransportError> {
        self.subscriber().await?.sunsubscribe(channel).await.map_err(failed)
    }

    async fn round_trip(&self) -> Result<(), TransportError> {
        self.client.ping::<()>(None).await.map_err(failed)?;
        match self.subscriber.get() {
            Some(subscriber) => subscriber.ping::<()>(None).await.map_err(failed),
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

fn builder(settings: &Settings<'_>, timeout: Duration) -> Result<Builder, TransportError> {
    let connection = settings.connection;
    let server = Server::new(connection.host.as_str(), connection.port);
    let config = Config {
        fail_fast: true,
        username: connection.username.clone(),
        password: connection.password.as_ref().map(|password| password.expose().to_owned()),
        server: if connection.cluster {
            let policy = ClusterDiscoveryPolicy::default();
            ServerConfig::Clustered { hosts: vec![server], policy }
        } else {
            ServerConfig::Centralized { server }
        },
        version: RespVersion::RESP3,
        database: database(connection)?,
        #[cfg(feature = "tls")]
        tls: super::fred::tls(connection.tls, settings.ca_pem)?,
        ..Config::default()
    };
    #[cfg(not(feature = "tls"))]
    if connection.tls || settings.ca_pem.is_some() {
        let problem = "encrypted connections need the feature `tls` of ff-backend-valkey";
        return Err(TransportError::Settings(problem.to_owned()));
    }
    let mut builder = Builder::from_config(config);
    builder
        .set_policy(reconnect_policy(settings.retry))
        .set_performance_config(PerformanceConfig {
            default_command_timeout: timeout,
            broadcast_channel_capacity: PUSH_BUFFER,
            ..PerformanceConfig::default()
        })
        .set_connection_config(ConnectionConfig {
            connection_timeout: CONNECT_TIMEOUT,
            internal_command_timeout: CONNECT_TIMEOUT,
            max_command_attempts: 1,
            max_command_buffer_len: COMMAND_BUFFER,
            unresponsive: UnresponsiveConfig {
                max_timeout: Some(timeout),
                interval: (timeout / 4).max(Duration::from_millis(50)),
            },
            reconnect_on_auth_error: true,
            reconnect_errors: vec![
                ReconnectError::ClusterDown,
                ReconnectError::Loading,
                ReconnectError::MasterDown,
                ReconnectError::ReadOnly,
            ],
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        });
    Ok(builder)
}

fn database(connection: &ValkeyConnection) -> Result<Option<u8>, TransportError> {
    match (connection.database, connection.cluster) {
        (0, _) => Ok(None),
        (_, true) => Err(TransportError::Settings("a cluster has no databases".to_owned())),
        (number, false) => u8::try_from(number)
            .map(Some)
            .map_err(|_| TransportError::Settings("a database is within 0..=255".to_owned())),
    }
}

fn reconnect_policy(retry: BackendRetry) -> ReconnectPolicy {
    let factor = retry.factor.unwrap_or(RETRY.0).max(1);
    let base = retry.exponent_base.unwrap_or(RETRY.1).max(1);
    let growing = retry.number_of_retries.unwrap_or(RETRY.2);
    let percent = retry.jitter_percent.unwrap_or(RETRY.3);
    let longest = factor.saturating_mul(base.saturating_pow(growing));
    let mut policy = ReconnectPolicy::new_exponential(0, factor, longest, base);
    policy
        .set_jitter(u32::try_from(u64::from(factor) * u64::from(percent) / 100).unwrap_or(factor));
    policy
}

#[cfg(feature = "tls")]
fn tls(
    wanted: bool,
    ca_pem: Option<&[u8]>,
) -> Result<Option<fred::types::config::TlsConfig>, TransportError> {
    use fred::types::config::TlsConnector;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let settings = |problem: String| TransportError::Settings(problem);
    if !wanted {
        return Ok(None);
    }
    let Some(pem) = ca_pem else {
        return Ok(Some(TlsConnector::default_rustls().map_err(failed)?.into()));
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| settings(format!("ca_pem is no PEM: {error}")))?;
        roots.add(certificate).map_err(|error| settings(format!("ca_pem: {error}")))?;
    }
    if roots.is_empty() {
        return Err(settings("ca_pem holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(TlsConnector::from(config).into()))
}

fn reply(frame: Resp3Frame) -> Result<Reply, TransportError> {
    Ok(match frame {
        Resp3Frame::BlobString { data, .. }
        | Resp3Frame::SimpleString { data, .. }
        | Resp3Frame::VerbatimString { data, .. } => Reply::Bytes(data),
        Resp3Frame::Number { data, .. } => Reply::Int(data),
        Resp3Frame::Boolean { data, .. } => Reply::Int(i64::from(data)),
        Resp3Frame::Array { data, .. } => {
            Reply::Array(data.into_iter().map(reply).collect::<Result<_, _>>()?)
        }
        Resp3Frame::Map { data, .. } => {
            let mut flat = Vec::with_capacity(data.len() * 2);
            for (key, value) in data {
                flat.push(reply(key)?);
                flat.push(reply(value)?);
            }
            Reply::Array(flat)
        }
        Resp3Frame::SimpleError { data, .. } => {
            return Err(TransportError::Server(data.to_string()));
        }
        Resp3Frame::BlobError { data, .. } => {
            let text = std::str::from_utf8(&data).unwrap_or("an error that is no text");
            return Err(TransportError::Server(text.to_owned()));
        }
        _ => Reply::Nil,
    })
}

fn failed(error: Error) -> TransportError {
    match error.kind() {
        ErrorKind::Timeout => TransportError::Timeout(Box::new(error)),
        ErrorKind::IO
        | ErrorKind::Canceled
        | ErrorKind::Backpressure
        | ErrorKind::Protocol
        | ErrorKind::Routing => TransportError::Disconnected(Box::new(error)),
        ErrorKind::Config | ErrorKind::Url => TransportError::Settings(error.to_string()),
        _ => TransportError::Server(error.details().to_owned()),
    }
}
