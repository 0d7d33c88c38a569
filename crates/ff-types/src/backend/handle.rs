//! Handles: what a worker holds while it runs an attempt.

use serde::{Deserialize, Serialize};

use super::opaque::opaque;
use super::tag::BackendTag;
use crate::limits::HANDLE_MAX_BYTES;
use crate::text::text_enum;

text_enum! {
    /// How the attempt behind a handle came about. Each operation takes some kinds and refuses the
    /// others.
    #[non_exhaustive]
    pub enum HandleKind as "handle_kind", "the name of a handle kind" {
        /// From a claim: a new attempt.
        Fresh = "fresh",
        /// From a reclaim: a new attempt after a lost lease, or the same one after a wait.
        Resumed = "resumed",
        /// From a suspend: the attempt holds no lease.
        Suspended = "suspended",
    }
}

opaque! {
    /// The part of a handle that only its backend reads: at most 256 bytes.
    ///
    /// Serialised as lowercase hex on readable wires, as bytes elsewhere. `Debug` shows the length.
    HandleOpaque, "handle", HANDLE_MAX_BYTES
}

/// The right to work on one attempt, as given to one worker.
///
/// Operations borrow it, so that a caller can repeat one after a lost reply. It can be serialised
/// and held by another process; whoever holds it can act for the attempt, so treat it as a secret.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handle {
    /// The backend that made it.
    pub backend: BackendTag,
    /// How the attempt came about.
    pub kind: HandleKind,
    /// What the backend wrote for itself.
    pub opaque: HandleOpaque,
}

impl Handle {
    /// Puts a handle together. Only a backend does.
    pub const fn new(backend: BackendTag, kind: HandleKind, opaque: HandleOpaque) -> Self {
        Self { backend, kind, opaque }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ValueError;

    #[test]
    fn a_handle_survives_json() {
        let opaque = HandleOpaque::new(vec![0, 0xff, 7]).unwrap();
        let handle = Handle::new(BackendTag::Mem, HandleKind::Fresh, opaque);

        let json = serde_json::to_string(&handle).unwrap();

        assert_eq!(json, r#"{"backend":"mem","kind":"fresh","opaque":"00ff07"}"#);
        assert_eq!(serde_json::from_str::<Handle>(&json).unwrap(), handle);
        assert_eq!(
            format!("{handle:?}"),
            "Handle { backend: Mem, kind: Fresh, opaque: HandleOpaque(3 bytes) }"
        );
    }

    #[test]
    fn opaque_bytes_are_bounded() {
        assert!(HandleOpaque::new(vec![0; 256]).is_ok());
        assert_eq!(
            HandleOpaque::new(vec![0; 257]),
            Err(ValueError::TooLong { field: "handle", limit: 256, actual: 257 })
        );
        let long = serde_json::to_string(&"0".repeat(514)).unwrap();
        assert!(serde_json::from_str::<HandleOpaque>(&long).is_err());
    }
}
