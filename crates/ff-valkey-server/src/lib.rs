//! Private Valkey and Redis servers for tests and benchmarks.
//!
//! It finds a server binary ([`Binary::find`]), runs it on free loopback ports ([`Server`],
//! [`Cluster`]) and ends it again. It is for development only: nothing that ships depends on it, and
//! it knows nothing of FlowFabric. Its client ([`Connection`]) is for administration: it blocks, and
//! speaks RESP2 over plain TCP.
//!
//! It runs on Unix.
//!
//! ```no_run
//! use ff_valkey_server::{Options, Server};
//!
//! let mut server = Server::start(&Options::new().config("appendonly", "yes"))?;
//! server.command(&["SET", "key", "value"])?;
//! server.kill();
//! server.restart()?;
//! assert_eq!(server.command(&["GET", "key"])?.as_str(), Some("value"));
//! # Ok::<(), ff_valkey_server::Error>(())
//! ```

mod binary;
mod cluster;
mod connection;
#[cfg(feature = "containers")]
mod container;
mod error;
mod nodes;
mod options;
mod pip;
mod ports;
mod process;
mod resp;
mod server;
mod slot;
mod wait;

pub use binary::{Binary, Flavor};
pub use cluster::Cluster;
pub use connection::Connection;
#[cfg(feature = "containers")]
pub use container::Container;
pub use error::Error;
pub use options::Options;
pub use resp::Reply;
pub use server::Server;
pub use slot::{SLOTS, slot_of};
