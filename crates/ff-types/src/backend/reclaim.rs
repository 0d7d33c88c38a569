//! Reclaim tokens: the short-lived right to take over one execution, used once.

use serde::{Deserialize, Serialize};

use super::opaque::opaque;
use crate::limits::RECLAIM_TOKEN_MAX_BYTES;

opaque! {
    /// What the backend wrote into a reclaim token for itself: at most 256 bytes.
    ///
    /// Serialised as lowercase hex on readable wires, as bytes elsewhere. `Debug` shows the length.
    ReclaimGrant, "reclaim_token", RECLAIM_TOKEN_MAX_BYTES
}

/// The right to take over one execution whose lease was lost or whose wait is over.
///
/// It goes to one caller and is used once. An unused one returns its execution by itself.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReclaimToken {
    /// What the backend wrote for itself.
    pub grant: ReclaimGrant,
}

impl ReclaimToken {
    /// Wraps a grant. Only a backend does.
    pub const fn new(grant: ReclaimGrant) -> Self {
        Self { grant }
    }

    /// What the backend wrote for itself.
    pub const fn grant(&self) -> &ReclaimGrant {
        &self.grant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_hex_on_the_wire_and_a_length_in_logs() {
        let token = ReclaimToken::new(ReclaimGrant::new(vec![1, 0xab]).unwrap());

        let json = serde_json::to_string(&token).unwrap();

        assert_eq!(json, "\"01ab\"");
        assert_eq!(serde_json::from_str::<ReclaimToken>(&json).unwrap(), token);
        assert_eq!(format!("{token:?}"), "ReclaimToken { grant: ReclaimGrant(2 bytes) }");
        assert!(ReclaimGrant::new(vec![0; 257]).is_err());
    }
}
