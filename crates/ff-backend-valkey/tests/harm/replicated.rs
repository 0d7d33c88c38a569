//! Waiting for what a primary has written to reach its replica.

use std::time::Duration;

use ff_conformance::{CaseError, CaseResult};
use ff_valkey_server::Server;

use crate::site::until;

/// Replicas tell how far they are once a second.
const REPLICATED: Duration = Duration::from_secs(15);

/// Returns once the replica of `primary` has all that was written before this call.
pub(crate) async fn replicated(primary: &Server) -> CaseResult {
    let (written, _) = offsets(primary)?;
    until("the replica has caught up", REPLICATED, || async {
        let (_, reached) = offsets(primary)?;
        Ok((reached >= written).then_some(()))
    })
    .await
}

/// How far `primary` is, and its replica.
fn offsets(primary: &Server) -> CaseResult<(u64, u64)> {
    let info = primary.command(&["INFO", "replication"])?;
    let info = info.as_str().unwrap_or_default();
    let after = |text: &str, name: &str| -> Option<u64> {
        let (_, rest) = text.split_once(name)?;
        let digits = rest.split(|other: char| !other.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let written = after(info, "master_repl_offset:");
    let replica = info.lines().find(|line| line.starts_with("slave0:"));
    let reached = replica.and_then(|line| after(line, "offset="));
    written.zip(reached).ok_or_else(|| CaseError::new(format!("no replica: {info}")))
}
