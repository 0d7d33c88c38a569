//! Getting the function library onto the servers.
//!
//! What is loaded is compared by the hash of its text. The same hash: nothing to do. Another hash
//! of the same protocol: it is replaced. A newer protocol: this client is too old. The comparison is
//! made when a client connects, and when a function has gone missing, so that two versions that
//! start together do not replace each other in turns.

use bytes::Bytes;
use ff_engine::EngineError;

use crate::call::{BadReply, Call as _, Values};
use crate::calls::{Open, OpenAnswer, Version, VersionAnswer};
use crate::failures::{bad_reply, unavailable};
use crate::inner::Inner;
use crate::keyspace::Partition;
use crate::reply::Reply;
use crate::transport::Request;

/// What both sides have to agree on; `cargo xtask lua` writes the same number into the library.
pub(crate) const PROTOCOL: u64 = 1;

/// A library as it is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library {
    text: &'static str,
    /// What the names of its functions start with.
    pub(crate) prefix: &'static str,
}

/// The library that reads the server's clock.
pub(crate) const PRODUCTION: Library =
    Library { text: include_str!("library/ff.lua"), prefix: "ff_" };

/// The library whose clock a test moves.
#[cfg(feature = "testing")]
pub(crate) const TESTING: Library =
    Library { text: include_str!("library/ff_test.lua"), prefix: "fft_" };

impl Library {
    /// The hash of the text, which stands in it.
    fn hash(&self) -> &'static str {
        let (_, rest) = self.text.split_once("HASH = \"").unwrap_or(("", ""));
        rest.split('"').next().unwrap_or("")
    }
}

/// Loads the library unless the same one is there.
pub(crate) async fn ensure(inner: &Inner) -> Result<(), EngineError> {
    let partition = inner.keyspace.partitions.first();
    restore(inner, partition.expect("a keyspace has at least one partition")).await
}

/// Loads the library unless the same one is on the server of this partition, or one of a newer
/// protocol.
pub(crate) async fn restore(inner: &Inner, partition: &Partition) -> Result<(), EngineError> {
    const OPERATION: &str = "connect";
    match inner.try_call(OPERATION, partition, Version {}).await {
        Ok(Ok(VersionAnswer { protocol, hash })) => {
            if protocol > PROTOCOL {
                let problem = format!(
                    "the server's library speaks protocol {protocol}, this client {PROTOCOL}: \
                     upgrade this client"
                );
                return Err(EngineError::Incompatible { problem });
            }
            if hash == inner.library.hash() {
                return Ok(());
            }
            return match load(inner).await {
                // A user who may only read works with what those who may write have loaded.
                Err(error) if is_forbidden(&error) => {
                    tracing::warn!("the user may not replace the function library: it stays");
                    Ok(())
                }
                loaded => loaded,
            };
        }
        Ok(Err(refusal)) => {
            let problem = format!("the library refused to tell its version: {:?}", refusal.code);
            return Err(EngineError::Internal { problem });
        }
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(error),
    }
    load(inner).await
}

/// Loads the library in place of what is there.
async fn load(inner: &Inner) -> Result<(), EngineError> {
    let args = [&b"LOAD"[..], b"REPLACE", inner.library.text.as_bytes()].map(Bytes::from_static);
    inner
        .transport
        .send_to_all("FUNCTION", args.to_vec())
        .await
        .map_err(|error| unavailable("connect", error))?;
    tracing::info!(hash = inner.library.hash(), "loaded the function library");
    Ok(())
}

/// What the mark of a partition says, where there is one. Read without a function: those that a
/// user without rights may call write nothing, and `open` does.
pub(crate) async fn mark(
    inner: &Inner,
    partition: &Partition,
) -> Result<Option<OpenAnswer>, EngineError> {
    const OPERATION: &str = "connect";
    let key = Bytes::from(format!("{}mark", partition.prefix));
    let args = vec![key, Bytes::from_static(b"partitions"), Bytes::from_static(b"protocol")];
    let request = Request { command: "HMGET", slot: partition.slot, args };
    let reply =
        inner.transport.send(request).await.map_err(|error| unavailable(OPERATION, error))?;
    let fields = reply.into_array().ok_or_else(|| bad_reply(OPERATION, BadReply("list")))?;
    if fields.iter().any(|field| matches!(field, Reply::Nil)) {
        return Ok(None);
    }
    let answer = Open::decode(&mut Values::new(fields));
    answer.map(Some).map_err(|bad| bad_reply(OPERATION, bad))
}

/// Whether a call failed because its user may not make it.
fn is_forbidden(error: &EngineError) -> bool {
    matches!(error, EngineError::Incompatible { problem } if problem.contains("NOPERM"))
}

/// Whether a call failed because its function is not there.
pub(crate) fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::Internal { problem } if problem.contains("Function not found"))
}

#[cfg(test)]
mod tests {
    use ff_types::limits;

    use super::PRODUCTION;

    /// The bounds that users see have one place; the library holds to the same numbers.
    #[test]
    fn the_bounds_of_the_library_are_the_limits() {
        let same = [
            ("local GRANT_TTL_MS", limits::RECLAIM_GRANT_TTL_MS),
            ("local TOKEN_TTL_MS", limits::RECLAIM_GRANT_TTL_MS),
            ("local EXPIRED_MAX", limits::EXPIRED_SKIPPED_PER_CLAIM_MAX.into()),
            ("local REMEMBERED", limits::REMEMBERED_CALLS_MAX as u64),
            ("local PRIORITY_MAX", u64::from(limits::PRIORITY_MAX.unsigned_abs())),
            ("number.TIME_MAX", limits::TIMESTAMP_MAX_MS.unsigned_abs()),
            ("waitpoints.KNOWN_MAX", limits::WAITPOINTS_REMEMBERED_MAX as u64),
            ("signals.KEPT_MAX", limits::SIGNALS_PER_WAITPOINT_MAX as u64),
            ("local STEPS_MAX", limits::STEPS_MAX as u64),
            ("local RESULTS_MAX_BYTES", limits::STEP_RESULTS_MAX_BYTES as u64),
        ];
        for (name, limit) in same {
            let is_there = |line: &str| line == format!("{name} = {limit}");
            assert!(PRODUCTION.text.lines().any(is_there), "{name} is not {limit}");
        }
    }
}
