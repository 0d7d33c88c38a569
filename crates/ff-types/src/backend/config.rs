//! Where a backend is and how it is talked to.
//!
//! Read from code or from a URL; never serialised, as it may hold a password.

mod password;
mod url;
mod valkey;

pub use password::Password;
pub use valkey::ValkeyConnection;

use std::str::FromStr;
use std::time::Duration;

use crate::error::ValueError;
use crate::types::Namespace;

/// How long a call to the store may take.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BackendTimeouts {
    /// One request; `None` leaves it to the backend.
    pub request: Option<Duration>,
}

impl BackendTimeouts {
    /// Everything left to the backend.
    pub const fn new() -> Self {
        Self { request: None }
    }

    /// Limits one request.
    #[must_use]
    pub const fn with_request(mut self, request: Duration) -> Self {
        self.request = Some(request);
        self
    }
}

/// How a lost connection is retried, handed to the client library of the backend. `None` leaves a
/// value to the backend.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BackendRetry {
    /// The base of the exponential delay.
    pub exponent_base: Option<u32>,
    /// What the exponential is multiplied with, in milliseconds.
    pub factor: Option<u32>,
    /// After how many retries the delay grows no further.
    pub number_of_retries: Option<u32>,
    /// How far a delay is spread, in percent of itself.
    pub jitter_percent: Option<u32>,
}

impl BackendRetry {
    /// Everything left to the backend.
    pub const fn new() -> Self {
        Self { exponent_base: None, factor: None, number_of_retries: None, jitter_percent: None }
    }

    /// Sets the base of the exponential delay.
    #[must_use]
    pub const fn with_exponent_base(mut self, exponent_base: u32) -> Self {
        self.exponent_base = Some(exponent_base);
        self
    }

    /// Sets what the exponential is multiplied with, in milliseconds.
    #[must_use]
    pub const fn with_factor(mut self, factor: u32) -> Self {
        self.factor = Some(factor);
        self
    }

    /// Sets after how many retries the delay grows no further.
    #[must_use]
    pub const fn with_number_of_retries(mut self, number_of_retries: u32) -> Self {
        self.number_of_retries = Some(number_of_retries);
        self
    }

    /// Sets how far a delay is spread, in percent of itself.
    #[must_use]
    pub const fn with_jitter_percent(mut self, jitter_percent: u32) -> Self {
        self.jitter_percent = Some(jitter_percent);
        self
    }
}

/// Which backend, and where.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendConnection {
    /// A Valkey server or cluster.
    Valkey(ValkeyConnection),
    /// The memory of this process.
    Mem,
}

/// All that is needed to open a backend.
///
/// ```
/// use ff_types::backend::{BackendConfig, BackendConnection};
///
/// let config = BackendConfig::from_url("valkeys://app:secret@db.example:6380/2?cluster=true")?;
/// assert!(!format!("{config:?}").contains("secret"));
/// assert_eq!(BackendConfig::from_url("mem:")?.connection, BackendConnection::Mem);
/// # Ok::<(), ff_types::ValueError>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// Which backend, and where.
    pub connection: BackendConnection,
    /// How long a call may take.
    pub timeouts: BackendTimeouts,
    /// How a lost connection is retried.
    pub retry: BackendRetry,
    /// The namespace worked in: `default` unless set.
    pub namespace: Namespace,
}

impl BackendConfig {
    /// A Valkey server, without TLS and credentials.
    pub fn valkey(host: impl Into<String>, port: u16) -> Self {
        Self::new(BackendConnection::Valkey(ValkeyConnection::new(host, port)))
    }

    /// The memory of this process.
    pub fn mem() -> Self {
        Self::new(BackendConnection::Mem)
    }

    /// The defaults for a connection.
    pub fn new(connection: BackendConnection) -> Self {
        Self {
            connection,
            timeouts: BackendTimeouts::new(),
            retry: BackendRetry::new(),
            namespace: Namespace::default(),
        }
    }

    /// Reads `mem:`, `mem://` or a URL of [`ValkeyConnection::from_url`]. An error never shows the
    /// URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self, ValueError> {
        match url {
            "mem:" | "mem://" => Ok(Self::mem()),
            other => {
                ValkeyConnection::from_url(other).map(BackendConnection::Valkey).map(Self::new)
            }
        }
    }

    /// Sets how long a call may take.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: BackendTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how a lost connection is retried.
    #[must_use]
    pub const fn with_retry(mut self, retry: BackendRetry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the namespace worked in.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }
}

impl FromStr for BackendConfig {
    type Err = ValueError;

    fn from_str(url: &str) -> Result<Self, ValueError> {
        Self::from_url(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_choose_the_backend() {
        for url in ["mem:", "mem://"] {
            assert_eq!(BackendConfig::from_url(url).unwrap(), BackendConfig::mem());
        }
        assert_eq!(
            BackendConfig::from_url("valkey://db:7000").unwrap(),
            BackendConfig::valkey("db", 7000)
        );
        for bad in ["", "mem", "mem://x", "postgres://db"] {
            assert_eq!(BackendConfig::from_url(bad).unwrap_err().field(), "url");
        }
    }

    #[test]
    fn the_namespace_defaults() {
        assert_eq!(BackendConfig::mem().namespace.as_str(), "default");
    }
}
