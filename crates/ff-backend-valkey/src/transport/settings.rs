//! What a connection is made of, in the words of the client library.

use std::fmt::Write as _;
use std::time::Duration;

use ff_engine::{Entropy, SeededEntropy};
use ff_types::backend::{BackendRetry, BackendTimeouts, ValkeyConnection};
use fred::prelude::{Builder, ReconnectPolicy, Server, ServerConfig};
use fred::types::RespVersion;
use fred::types::config::{
    ClusterDiscoveryPolicy, Config, ConnectionConfig, PerformanceConfig, ReconnectError, TcpConfig,
    UnresponsiveConfig,
};

use super::TransportError;

/// How long a request may take unless the configuration says otherwise.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many requests may wait for a connection. Beyond that a dead server gives back-pressure.
const COMMAND_BUFFER: usize = 16_384;
/// How many messages may wait to be read before they count as missed.
pub(super) const PUSH_BUFFER: usize = 8_192;
/// The delay before the first reconnect, its growth, the retries after which it grows no further,
/// and its spread in percent, unless the configuration says otherwise.
const RETRY: (u32, u32, u32, u32) = (20, 2, 7, 50);

/// What a connection is made of.
pub(crate) struct Settings<'c> {
    pub(crate) connection: &'c ValkeyConnection,
    pub(crate) timeouts: BackendTimeouts,
    pub(crate) retry: BackendRetry,
    /// The certificates to trust in place of the system's, in PEM.
    pub(crate) ca_pem: Option<&'c [u8]>,
}

impl Settings<'_> {
    /// How long a request may take. To the client library zero is forever.
    pub(super) fn request_timeout(&self) -> Duration {
        self.timeouts.request.unwrap_or(REQUEST_TIMEOUT).max(Duration::from_millis(1))
    }

    /// What makes clients of these settings.
    pub(super) fn builder(&self) -> Result<Builder, TransportError> {
        let timeout = self.request_timeout();
        let mut builder = Builder::from_config(self.config()?);
        builder
            .set_policy(reconnect_policy(self.retry, &SeededEntropy::from_os()))
            .set_performance_config(PerformanceConfig {
                default_command_timeout: timeout,
                broadcast_channel_capacity: PUSH_BUFFER,
                ..PerformanceConfig::default()
            })
            .set_connection_config(ConnectionConfig {
                connection_timeout: CONNECT_TIMEOUT,
                internal_command_timeout: CONNECT_TIMEOUT,
                max_command_attempts: 1,
                // A request that was redirected comes back, and is sent again by this crate: a
                // redirection by the client library takes one of its attempts.
                max_redirections: 0,
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

    fn config(&self) -> Result<Config, TransportError> {
        let connection = self.connection;
        let server = Server::new(connection.host.as_str(), connection.port);
        #[cfg(not(feature = "tls"))]
        if connection.tls || self.ca_pem.is_some() {
            let problem =
                "encrypted connections need the feature `tls` of ff-connect or ff-backend-valkey";
            return Err(TransportError::Settings(problem.to_owned()));
        }
        let password = connection.password.as_ref().map(|password| quoted(password.expose()));
        Ok(Config {
            fail_fast: true,
            username: connection.username.as_deref().map(quoted),
            // The client library leaves out a user without a password, and would act as another.
            password: password.or_else(|| connection.username.as_ref().map(|_| quoted(""))),
            server: if connection.cluster {
                // The node of the URL may be the one that is gone.
                let policy = ClusterDiscoveryPolicy::UseCache;
                ServerConfig::Clustered { hosts: vec![server], policy }
            } else {
                ServerConfig::Centralized { server }
            },
            version: RespVersion::RESP3,
            database: database(connection)?,
            #[cfg(feature = "tls")]
            tls: super::tls::config(connection.tls, self.ca_pem)?,
            ..Config::default()
        })
    }
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

/// A user or a password as one word of a line. The client library writes its greeting as a line and
/// quotes nothing: a space in a password would end it, and a line break begin another command.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        let _never_fails = write!(quoted, "\\x{byte:02x}");
    }
    quoted.push('"');
    quoted
}

/// Delays of `factor · base^n` milliseconds that grow for `number_of_retries` retries. The client
/// library spreads no delay that has reached the longest, and clients that lost one server together
/// would come back together: so all delays of one client are longer by the same random part.
fn reconnect_policy(retry: BackendRetry, entropy: &dyn Entropy) -> ReconnectPolicy {
    let factor = retry.factor.unwrap_or(RETRY.0).max(1);
    let base = retry.exponent_base.unwrap_or(RETRY.1).max(1);
    let growing = retry.number_of_retries.unwrap_or(RETRY.2);
    let percent = u64::from(retry.jitter_percent.unwrap_or(RETRY.3));
    let longest = u64::from(base).saturating_pow(growing).saturating_mul(factor.into());
    let spread = entropy.next_u64() % (percent + 1);
    let spread = |delay: u64| {
        let longer = u128::from(delay) * u128::from(100 + spread) / 100;
        u32::try_from(longer).unwrap_or(u32::MAX)
    };
    let mut policy =
        ReconnectPolicy::new_exponential(0, spread(factor.into()), spread(longest), base);
    policy.set_jitter(0);
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first delays of a policy in milliseconds.
    fn delays(retry: BackendRetry, seed: u64) -> Vec<u64> {
        let mut policy = reconnect_policy(retry, &SeededEntropy::new(seed));
        (0..6).map(|_| policy.next_delay().expect("it never gives up")).collect()
    }

    fn connection() -> ValkeyConnection {
        ValkeyConnection::new("db", 7000)
    }

    fn config(connection: &ValkeyConnection) -> Result<Config, TransportError> {
        let (timeouts, retry) = (BackendTimeouts::new(), BackendRetry::new());
        Settings { connection, timeouts, retry, ca_pem: None }.config()
    }

    #[test]
    fn delays_grow_as_configured_and_then_stay() {
        let retry = BackendRetry::new()
            .with_factor(10)
            .with_exponent_base(3)
            .with_number_of_retries(2)
            .with_jitter_percent(0);
        assert_eq!(delays(retry, 1), [10, 30, 90, 90, 90, 90]);
        assert_eq!(delays(retry.with_number_of_retries(0), 1), [10; 6]);
        assert_eq!(delays(retry.with_exponent_base(0).with_factor(0), 1), [1; 6]);
        let huge = retry.with_factor(u32::MAX).with_number_of_retries(u32::MAX);
        assert_eq!(delays(huge, 1), [u64::from(u32::MAX); 6]);
    }

    #[test]
    fn the_jitter_spreads_clients_and_the_longest_delay_too() {
        let retry = BackendRetry::new().with_factor(1_000).with_exponent_base(2);
        let longest: Vec<_> = (0..64)
            .map(|seed| delays(retry.with_number_of_retries(1).with_jitter_percent(50), seed)[5])
            .collect();
        assert!(longest.iter().all(|delay| (2_000..=3_000).contains(delay)), "{longest:?}");
        assert!(longest.iter().any(|delay| *delay < 2_200), "{longest:?}");
        assert!(longest.iter().any(|delay| *delay > 2_800), "{longest:?}");
    }

    #[test]
    fn a_user_is_never_left_out() {
        let named = config(&connection().with_username("app")).unwrap();
        assert_eq!(named.username.as_deref(), Some("app"));
        assert_eq!(named.password.as_deref(), Some("\"\""));
        let both = connection().with_username("app").with_password("secret");
        assert_eq!(config(&both).unwrap().password.as_deref(), Some("secret"));
        let nobody = config(&connection()).unwrap();
        assert_eq!((nobody.username, nobody.password), (None, None));
    }

    #[test]
    fn a_password_stays_one_word_of_one_line() {
        assert_eq!(quoted("aZ09"), "aZ09");
        assert_eq!(quoted("a \"\r\n"), r#""\x61\x20\x22\x0d\x0a""#);
        assert_eq!(quoted("é"), r#""\xc3\xa9""#);
    }

    #[test]
    fn a_database_is_one_that_the_client_can_select() {
        assert_eq!(config(&connection().with_database(255)).unwrap().database, Some(255));
        assert_eq!(config(&connection()).unwrap().database, None);
        for bad in
            [connection().with_database(256), connection().with_database(1).with_cluster(true)]
        {
            assert!(matches!(config(&bad), Err(TransportError::Settings(_))));
        }
    }

    #[test]
    fn requests_have_a_timeout_of_their_own() {
        let connection = connection();
        let (timeouts, retry) = (BackendTimeouts::new(), BackendRetry::new());
        let mut settings = Settings { connection: &connection, timeouts, retry, ca_pem: None };
        assert_eq!(settings.request_timeout(), REQUEST_TIMEOUT);
        settings.timeouts = timeouts.with_request(Duration::from_millis(7));
        assert_eq!(settings.request_timeout(), Duration::from_millis(7));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn an_encrypted_connection_needs_the_feature() {
        let error = config(&connection().with_tls(true)).unwrap_err().to_string();
        assert!(error.contains("feature `tls`"), "{error}");
    }
}
