//! Waitpoints: what a suspended attempt waits for.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::waitpoint_hmac::WaitpointHmac;
use crate::check;
use crate::error::ValueError;
use crate::ids::WaitpointId;
use crate::limits::WAITPOINT_MATCHER_MAX_BYTES;
use crate::text::text_enum;

text_enum! {
    /// What the matcher of a waitpoint is compared with.
    #[non_exhaustive]
    pub enum WaitpointKind as "waitpoint_kind", "the name of a waitpoint kind" {
        /// The name of the signal.
        SignalName = "signal_name",
        /// The correlation id of the signal.
        CorrelationId = "correlation_id",
        /// Nothing: whoever holds the token may signal.
        External = "external",
    }
}

/// A waitpoint made while the worker still runs, so that a callback which comes early is kept.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWaitpoint {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The token that lets its bearer signal it.
    pub hmac_token: WaitpointHmac,
}

impl PendingWaitpoint {
    /// Puts a pending waitpoint together.
    pub const fn new(waitpoint_id: WaitpointId, hmac_token: WaitpointHmac) -> Self {
        Self { waitpoint_id, hmac_token }
    }
}

/// One waitpoint of a suspend. How many of them must be satisfied is said by the suspend.
///
/// `Debug` shows the length of the matcher and redacts the token.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitpointSpec {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// What the matcher is compared with.
    pub kind: WaitpointKind,
    /// What a signal must bring: at most 256 bytes.
    pub matcher: Bytes,
    /// The token of a pending waitpoint; a fresh one gets its token from the suspend.
    pub hmac_token: Option<WaitpointHmac>,
}

impl WaitpointSpec {
    /// A waitpoint that the suspend makes.
    pub fn fresh(
        waitpoint_id: WaitpointId,
        kind: WaitpointKind,
        matcher: impl Into<Bytes>,
    ) -> Self {
        Self { waitpoint_id, kind, matcher: matcher.into(), hmac_token: None }
    }

    /// A waitpoint made earlier, which the suspend activates.
    pub fn pending(
        pending: &PendingWaitpoint,
        kind: WaitpointKind,
        matcher: impl Into<Bytes>,
    ) -> Self {
        Self {
            waitpoint_id: pending.waitpoint_id,
            kind,
            matcher: matcher.into(),
            hmac_token: Some(pending.hmac_token.clone()),
        }
    }

    /// Whether the waitpoint was made earlier.
    pub const fn is_pending(&self) -> bool {
        self.hmac_token.is_some()
    }

    /// Refuses a matcher of more than 256 bytes.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::bytes("waitpoint_matcher", WAITPOINT_MATCHER_MAX_BYTES, self.matcher.len())
    }
}

impl fmt::Debug for WaitpointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitpointSpec")
            .field("waitpoint_id", &self.waitpoint_id)
            .field("kind", &self.kind)
            .field("matcher_len", &self.matcher.len())
            .field("hmac_token", &self.hmac_token)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_waitpoint_brings_its_token() {
        let token = WaitpointHmac::new(format!("k:{}", "a".repeat(40))).unwrap();
        let pending = PendingWaitpoint::new(WaitpointId::from_u128(7), token.clone());

        let spec = WaitpointSpec::pending(&pending, WaitpointKind::SignalName, "approved");

        assert_eq!(spec.waitpoint_id, pending.waitpoint_id);
        assert_eq!(spec.hmac_token, Some(token));
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<WaitpointSpec>(&json).unwrap(), spec);
    }

    #[test]
    fn the_matcher_is_bounded() {
        let spec = |n| {
            WaitpointSpec::fresh(WaitpointId::from_u128(7), WaitpointKind::External, vec![0; n])
        };

        assert!(!spec(0).is_pending());
        assert_eq!(spec(256).validate(), Ok(()));
        assert_eq!(spec(257).validate().unwrap_err().field(), "waitpoint_matcher");
    }
}
