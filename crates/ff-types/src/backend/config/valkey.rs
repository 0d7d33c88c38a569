//! A connection to Valkey.

use std::fmt;
use std::str::FromStr;

use super::password::Password;
use super::url;
use crate::error::ValueError;

/// Where a Valkey server or cluster is, and who connects.
///
/// `Display` gives a URL with `***` for the password, for logs.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValkeyConnection {
    /// A host name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether the host is a node of a cluster.
    pub cluster: bool,
    /// The user; `None` is the server's default user.
    pub username: Option<String>,
    /// The password; `None` does not authenticate.
    pub password: Option<Password>,
    /// The number of the database: 0 unless set.
    pub database: u32,
}

impl ValkeyConnection {
    /// A single server, without TLS and credentials, database 0.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            tls: false,
            cluster: false,
            username: None,
            password: None,
            database: 0,
        }
    }

    /// Reads `scheme://[[user]:password@]host[:port][/database][?cluster=true]`.
    ///
    /// The scheme is `valkey` or `redis`, with TLS `valkeys` or `rediss`; the port is 6379 unless
    /// given; an IPv6 address stands in brackets; user and password are percent-decoded. An error
    /// never shows the URL.
    ///
    /// ```
    /// use ff_types::backend::ValkeyConnection;
    ///
    /// let connection = ValkeyConnection::from_url("redis://:p%40ss@[::1]/3")?;
    /// assert_eq!((connection.host.as_str(), connection.port), ("::1", 6379));
    /// assert_eq!(connection.to_string(), "valkey://:***@[::1]:6379/3");
    /// # Ok::<(), ff_types::ValueError>(())
    /// ```
    pub fn from_url(url: &str) -> Result<Self, ValueError> {
        url::parse(url)
    }

    /// Encrypts the connection, or does not.
    #[must_use]
    pub const fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Says whether the host is a node of a cluster.
    #[must_use]
    pub const fn with_cluster(mut self, cluster: bool) -> Self {
        self.cluster = cluster;
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Sets the password.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Password::new(password));
        self
    }

    /// Sets the number of the database.
    #[must_use]
    pub const fn with_database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }
}

impl FromStr for ValkeyConnection {
    type Err = ValueError;

    fn from_str(url: &str) -> Result<Self, ValueError> {
        Self::from_url(url)
    }
}

impl fmt::Display for ValkeyConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "valkeys://" } else { "valkey://" })?;
        if let Some(username) = &self.username {
            url::write_encoded(f, username)?;
        }
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.username.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        write!(f, ":{}", self.port)?;
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        if self.cluster {
            f.write_str("?cluster=true")?;
        }
        Ok(())
    }
}
