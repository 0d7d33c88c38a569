//! Waitpoints: what a suspended attempt waits for.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::waitpoint_hmac::WaitpointHmac;
use super::waitpoint_token::{WaitpointAddress, WaitpointToken};
use crate::check;
use crate::duration_ms::{self, whole_ms};
use crate::error::ValueError;
use crate::ids::{ExecutionId, WaitpointId};
use crate::limits::{
    SIGNAL_NAME_MAX_BYTES, WAITPOINT_EXPIRES_DEFAULT_MS, WAITPOINT_EXPIRES_MAX_MS,
    WAITPOINT_EXPIRES_MIN_MS, WAITPOINT_MATCHER_MAX_BYTES,
};
use crate::text::text_enum;
use crate::types::{TimestampMs, WaitpointKey};

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

/// A waitpoint with its token. It may be made while the worker still runs, so that a callback which
/// comes early is kept.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWaitpoint {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The execution it belongs to.
    pub execution_id: ExecutionId,
    /// The name its execution knows it by.
    pub key: WaitpointKey,
    /// When it closes by itself, by the store's clock.
    pub expires_at: TimestampMs,
    /// The signature that lets its bearer signal it.
    pub hmac_token: WaitpointHmac,
}

impl PendingWaitpoint {
    /// Joins the address of a waitpoint and its signature.
    pub fn new(address: WaitpointAddress, hmac_token: WaitpointHmac) -> Self {
        let WaitpointAddress { execution_id, waitpoint_id, key, expires_at } = address;
        Self { waitpoint_id, execution_id, key, expires_at, hmac_token }
    }

    /// Which waitpoint it is.
    pub fn address(&self) -> WaitpointAddress {
        WaitpointAddress::new(
            self.execution_id,
            self.waitpoint_id,
            self.key.clone(),
            self.expires_at,
        )
    }

    /// The one text that a sender needs to signal it.
    pub fn token(&self) -> WaitpointToken {
        WaitpointToken::new(self.address(), self.hmac_token.clone())
    }
}

impl From<WaitpointToken> for PendingWaitpoint {
    fn from(token: WaitpointToken) -> Self {
        Self::new(token.address().clone(), token.hmac().clone())
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
    /// The name its execution knows it by.
    pub key: WaitpointKey,
    /// What the matcher is compared with.
    pub kind: WaitpointKind,
    /// What a signal must bring: at most 256 bytes.
    pub matcher: Bytes,
    /// How long a fresh waitpoint stays open: 1 s ..= 366 days, 7 days unless set. A pending one
    /// keeps the expiry it has.
    #[serde(rename = "expires_in_ms", with = "duration_ms", default = "default_expires_in")]
    pub expires_in: Duration,
    /// When a pending waitpoint closes by itself; a fresh one gets its expiry from the suspend.
    #[serde(default)]
    pub expires_at: Option<TimestampMs>,
    /// The token of a pending waitpoint; a fresh one gets its token from the suspend.
    pub hmac_token: Option<WaitpointHmac>,
}

impl WaitpointSpec {
    /// A waitpoint that the suspend makes, open for 7 days.
    pub fn fresh(
        waitpoint_id: WaitpointId,
        key: WaitpointKey,
        kind: WaitpointKind,
        matcher: impl Into<Bytes>,
    ) -> Self {
        Self {
            waitpoint_id,
            key,
            kind,
            matcher: matcher.into(),
            expires_in: default_expires_in(),
            expires_at: None,
            hmac_token: None,
        }
    }

    /// A waitpoint made earlier, which the suspend activates.
    pub fn pending(
        pending: &PendingWaitpoint,
        kind: WaitpointKind,
        matcher: impl Into<Bytes>,
    ) -> Self {
        Self {
            waitpoint_id: pending.waitpoint_id,
            key: pending.key.clone(),
            kind,
            matcher: matcher.into(),
            expires_in: default_expires_in(),
            expires_at: Some(pending.expires_at),
            hmac_token: Some(pending.hmac_token.clone()),
        }
    }

    /// Sets how long a fresh waitpoint stays open.
    #[must_use]
    pub const fn with_expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Whether the waitpoint was made earlier.
    pub const fn is_pending(&self) -> bool {
        self.hmac_token.is_some()
    }

    /// The token of a pending waitpoint of `execution`. The execution is that of the suspend: a
    /// waitpoint of another one then has a token that does not verify.
    pub fn token(&self, execution: ExecutionId) -> Option<WaitpointToken> {
        let (expires_at, hmac) = (self.expires_at?, self.hmac_token.clone()?);
        let address =
            WaitpointAddress::new(execution, self.waitpoint_id, self.key.clone(), expires_at);
        Some(WaitpointToken::new(address, hmac))
    }

    /// Refuses a matcher of more than 256 bytes, one for a name that no signal can have, a fresh waitpoint whose life is too short or too
    /// long, and a token without its expiry or the reverse.
    pub fn validate(&self) -> Result<(), ValueError> {
        check::bytes("waitpoint_matcher", WAITPOINT_MATCHER_MAX_BYTES, self.matcher.len())?;
        if self.kind == WaitpointKind::SignalName {
            check::bytes("waitpoint_matcher", SIGNAL_NAME_MAX_BYTES, self.matcher.len())?;
            if self.matcher.is_empty() {
                let expected = "the name of a signal, which is not empty";
                return Err(ValueError::Malformed { field: "waitpoint_matcher", expected });
            }
        }
        if self.expires_at.is_some() != self.hmac_token.is_some() {
            return Err(ValueError::Malformed {
                field: "waitpoint",
                expected: "an expiry and a token together, or neither",
            });
        }
        if self.is_pending() {
            return Ok(());
        }
        check::range(
            "expires_in_ms",
            WAITPOINT_EXPIRES_MIN_MS,
            WAITPOINT_EXPIRES_MAX_MS,
            whole_ms(self.expires_in),
        )
    }
}

const fn default_expires_in() -> Duration {
    Duration::from_millis(WAITPOINT_EXPIRES_DEFAULT_MS)
}

impl fmt::Debug for WaitpointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitpointSpec")
            .field("waitpoint_id", &self.waitpoint_id)
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("matcher_len", &self.matcher.len())
            .field("expires_in", &self.expires_in)
            .field("expires_at", &self.expires_at)
            .field("hmac_token", &self.hmac_token)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> WaitpointKey {
        WaitpointKey::new("approval").unwrap()
    }

    fn pending() -> PendingWaitpoint {
        let address = WaitpointAddress::new(
            ExecutionId::from_u128(3),
            WaitpointId::from_u128(7),
            key(),
            TimestampMs(1_000),
        );
        PendingWaitpoint::new(address, WaitpointHmac::new(format!("k:{}", "a".repeat(40))).unwrap())
    }

    fn fresh(matcher_len: usize) -> WaitpointSpec {
        let matcher = vec![0; matcher_len];
        WaitpointSpec::fresh(WaitpointId::from_u128(7), key(), WaitpointKind::External, matcher)
    }

    #[test]
    fn a_pending_waitpoint_brings_its_token() {
        let pending = pending();

        let spec = WaitpointSpec::pending(&pending, WaitpointKind::SignalName, "approved");

        assert!(spec.is_pending());
        assert_eq!((spec.waitpoint_id, &spec.key), (pending.waitpoint_id, &pending.key));
        assert_eq!(spec.token(pending.execution_id), Some(pending.token()));
        assert_ne!(spec.token(ExecutionId::from_u128(4)), Some(pending.token()));
        assert_eq!(spec.validate(), Ok(()));
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<WaitpointSpec>(&json).unwrap(), spec);
    }

    #[test]
    fn the_token_carries_the_whole_waitpoint() {
        let token = pending().token();

        assert_eq!(PendingWaitpoint::from(token), pending());
        let json = serde_json::to_string(&pending()).unwrap();
        assert_eq!(serde_json::from_str::<PendingWaitpoint>(&json).unwrap(), pending());
    }

    #[test]
    fn the_matcher_is_bounded() {
        assert!(!fresh(0).is_pending());
        assert_eq!(fresh(256).validate(), Ok(()));
        assert_eq!(fresh(257).validate().unwrap_err().field(), "waitpoint_matcher");
        for (length, is_valid) in [(0, false), (1, true), (128, true), (129, false)] {
            let named = WaitpointSpec { kind: WaitpointKind::SignalName, ..fresh(length) };
            assert_eq!(named.validate().is_ok(), is_valid, "{length}");
        }
    }

    #[test]
    fn the_life_of_a_fresh_waitpoint_is_bounded() {
        const DAY: u64 = 86_400;

        assert_eq!(fresh(0).expires_in, Duration::from_secs(7 * DAY));
        assert_eq!(fresh(0).token(ExecutionId::from_u128(3)), None);
        for secs in [1, 366 * DAY] {
            assert_eq!(fresh(0).with_expires_in(Duration::from_secs(secs)).validate(), Ok(()));
        }
        for bad in [0, 999, 366 * DAY * 1_000 + 1] {
            let refused = fresh(0).with_expires_in(Duration::from_millis(bad)).validate();
            assert_eq!(refused.unwrap_err().field(), "expires_in_ms");
        }
    }

    #[test]
    fn a_token_and_its_expiry_come_together() {
        let mut spec = WaitpointSpec::pending(&pending(), WaitpointKind::External, "");
        spec.expires_at = None;

        assert_eq!(spec.validate().unwrap_err().field(), "waitpoint");
        assert_eq!(spec.token(ExecutionId::from_u128(3)), None);
    }
}
