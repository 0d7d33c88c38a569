//! Everything that can go wrong, in words that a failing test can print.

use std::io;
use std::time::Duration;

/// Why a server could not be found, run or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No binary can be used; a line for each place that was tried, and why not.
    #[error("no server binary can be used:\n{}", .tried.join("\n"))]
    NoBinary {
        /// What was tried, and why it failed.
        tried: Vec<String>,
    },
    /// The server ended, or did not answer in time.
    #[error("the server did not start: {reason}\n{log}")]
    Start {
        /// What was seen.
        reason: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// The operating system refused something, or a reply did not come in time.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The refusal.
        source: io::Error,
    },
    /// What arrived is not RESP2, or not the reply that the command has.
    #[error("unexpected reply: {0}")]
    Protocol(String),
    /// The server answered an error.
    #[error("the server answered: {0}")]
    Answer(String),
    /// A condition did not come to hold.
    #[error("not within {} s: {what}", .bound.as_secs())]
    TimedOut {
        /// The condition, and what was seen last.
        what: String,
        /// How long it was waited for.
        bound: Duration,
    },
    /// A cluster has no such node, or a slot no owner.
    #[error("{0}")]
    Cluster(String),
    /// The `docker` command failed.
    #[cfg(feature = "containers")]
    #[error("docker: {0}")]
    Docker(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// `bytes` as text, or with escapes where they are none.
pub(crate) fn printable(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().escape_ascii().to_string())
}
