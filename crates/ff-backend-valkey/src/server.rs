//! What a server must and should be, checked once when a client connects.
//!
//! A server that would lose durable state on purpose is refused. Settings that lose some on a crash
//! are the operator's choice: they are logged once a process.

use std::sync::Once;

use bytes::Bytes;
use ff_engine::EngineError;

use crate::failures::unavailable;
use crate::reply::Reply;
use crate::transport::{Transport, TransportError};

/// The first server version with the functions that are used: Valkey counts on from Redis 7.2.
const VERSION_MIN: (u32, u32) = (7, 0);

static WARNED: Once = Once::new();

/// Refuses a server that is too old or evicts keys, and warns of weak persistence.
pub(crate) async fn check(transport: &dyn Transport) -> Result<(), EngineError> {
    let info = match transport.send_to_all("INFO", vec![Bytes::from_static(b"everything")]).await {
        Ok(replies) => replies,
        Err(TransportError::Server(text)) if text.starts_with("NOPERM") => {
            tracing::info!("the user may not read INFO: version and settings are not checked");
            return Ok(());
        }
        Err(error) => return Err(unavailable("connect", error)),
    };
    for text in info.iter().filter_map(text) {
        judge(&Facts::of(&text))?;
    }
    Ok(())
}

fn text(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ => None,
    }
}

/// What `INFO` tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    version: String,
    loading: bool,
    maxmemory_policy: String,
    maxmemory: u64,
    aof_enabled: bool,
}

impl Facts {
    fn of(info: &str) -> Self {
        let field = |name: &str| {
            info.lines()
                .filter_map(|line| line.trim_end().split_once(':'))
                .find(|(field, _)| *field == name)
                .map_or("", |(_, value)| value)
        };
        let version = match field("valkey_version") {
            "" => field("redis_version"),
            version => version,
        };
        Self {
            version: version.to_owned(),
            loading: field("loading") == "1",
            maxmemory_policy: field("maxmemory_policy").to_owned(),
            maxmemory: field("maxmemory").parse().unwrap_or(0),
            aof_enabled: field("aof_enabled") == "1",
        }
    }
}

fn judge(facts: &Facts) -> Result<(), EngineError> {
    let incompatible = |problem: String| Err(EngineError::Incompatible { problem });
    if facts.loading {
        let error = TransportError::Server("LOADING the server reads its data".to_owned());
        return Err(unavailable("connect", error));
    }
    if version(&facts.version).is_none_or(|version| version < VERSION_MIN) {
        let (major, minor) = VERSION_MIN;
        return incompatible(format!(
            "the server has version {}: {major}.{minor} or later is needed",
            facts.version
        ));
    }
    if facts.maxmemory > 0 && facts.maxmemory_policy != "noeviction" {
        return incompatible(format!(
            "the server would evict durable state: set maxmemory-policy to noeviction, it is {}",
            facts.maxmemory_policy
        ));
    }
    if !facts.aof_enabled {
        WARNED.call_once(|| {
            tracing::warn!(
                "the server keeps no append-only file: what it acknowledged since its last \
                 snapshot is lost when it stops; set appendonly to yes"
            );
        });
    }
    Ok(())
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: &str, policy: &str, maxmemory: u64) -> Facts {
        Facts {
            version: version.to_owned(),
            maxmemory_policy: policy.to_owned(),
            maxmemory,
            aof_enabled: true,
            ..Facts::default()
        }
    }

    #[test]
    fn a_server_that_is_old_or_evicts_is_refused_with_what_to_change() {
        for (facts, word) in [
            (facts("6.2.7", "noeviction", 0), "7.0"),
            (facts("", "noeviction", 0), "7.0"),
            (facts("8.1.0", "allkeys-lru", 1), "noeviction"),
        ] {
            let error = judge(&facts).unwrap_err();
            assert_eq!(error.code(), "incompatible");
            assert!(error.to_string().contains(word), "{error}");
        }
        for facts in [facts("7.0.15", "noeviction", 1), facts("9.1.2", "allkeys-lru", 0)] {
            assert!(judge(&facts).is_ok());
        }
    }

    #[test]
    fn info_is_read() {
        let info = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\nloading:1\r\n\
                    maxmemory:10\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n";
        let facts = Facts::of(info);
        assert_eq!((facts.version.as_str(), facts.maxmemory, facts.loading), ("9.1.2", 10, true));
        assert_eq!(judge(&facts).unwrap_err().code(), "unavailable");
    }
}
