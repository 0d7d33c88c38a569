//! The servers that a test runs against: a private one, a private cluster, or one that is named.

use std::net::{SocketAddr, ToSocketAddrs as _};

use ff_conformance::HarnessError;
use ff_types::backend::{BackendConfig, ValkeyConnection};
use ff_valkey_server::{Binary, Cluster, Connection, Flavor, Options, Server};

/// Primaries of a private cluster.
const PRIMARIES: usize = 3;

/// What runs.
pub(crate) enum Servers {
    /// A server of this process.
    One(Box<Server>),
    /// A cluster of this process.
    Cluster(Cluster),
    /// A server of somebody else.
    Named(String),
}

impl Servers {
    /// What `FF_TEST_SERVER` asks for: `valkey` (also when it is not set), `redis` or `cluster`, or
    /// the server that `FF_VALKEY_URL` names.
    pub(crate) fn start() -> Result<Self, HarnessError> {
        if let Ok(url) = std::env::var("FF_VALKEY_URL") {
            return Ok(Self::Named(url));
        }
        match std::env::var("FF_TEST_SERVER").as_deref() {
            Ok("cluster") => {
                let options = Options::new().binary(Binary::find(Flavor::Any)?);
                Ok(Self::Cluster(Cluster::start(&options, PRIMARIES, 0)?))
            }
            Ok("redis") => Self::one(Flavor::Redis),
            Ok("valkey") | Err(_) => Self::one(Flavor::Valkey),
            Ok(other) => Err(format!("FF_TEST_SERVER: {other} is not known").into()),
        }
    }

    fn one(flavor: Flavor) -> Result<Self, HarnessError> {
        let options = Options::new().binary(Binary::find(flavor)?);
        Ok(Self::One(Box::new(Server::start(&options)?)))
    }

    /// What a backend connects to.
    pub(crate) fn config(&self) -> Result<BackendConfig, HarnessError> {
        let url = match self {
            Self::One(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Named(url) => url.clone(),
        };
        Ok(BackendConfig::from_url(&url)?)
    }

    /// A connection to every node that holds keys.
    pub(crate) fn connections(&self) -> Result<Vec<Connection>, HarnessError> {
        match self {
            Self::One(server) => Ok(vec![server.connect()?]),
            Self::Cluster(cluster) => {
                Ok(cluster.nodes().iter().map(Server::connect).collect::<Result<_, _>>()?)
            }
            Self::Named(url) => {
                let connection = ValkeyConnection::from_url(url)?;
                let mut addresses =
                    (connection.host.as_str(), connection.port).to_socket_addrs()?;
                let address: SocketAddr = addresses.next().ok_or("the host has no address")?;
                let password =
                    connection.password.as_ref().map(ff_types::backend::Password::expose);
                Ok(vec![Connection::open(address, password)?])
            }
        }
    }
}
