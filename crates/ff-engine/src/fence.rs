//! What the opaque part of a handle and of a reclaim token says, and its encoding.
//!
//! Both are cookies: the holder passes them back unread. The encoding is versioned by its first
//! byte, fixed in width, and shared by all backends, so that a hostile one is refused in one place.

use bytes::{BufMut, Bytes, BytesMut};
use ff_types::backend::{BackendTag, Handle, HandleKind, HandleOpaque, ReclaimGrant, ReclaimToken};
use ff_types::{AttemptIndex, ExecutionId, GrantId, LeaseEpoch, LeaseId};

use crate::error::{EngineError, StateKind};

const FENCE_VERSION: u8 = 1;
const FENCE_BYTES: usize = 1 + 16 + 4 + 8 + 16;
const GRANT_VERSION: u8 = 1;
const GRANT_BYTES: usize = 1 + 16 + 16;

/// The four values that every write of a lease holder is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The execution that was claimed.
    pub execution: ExecutionId,
    /// The attempt the lease was issued for.
    pub attempt: AttemptIndex,
    /// The epoch of that lease.
    pub epoch: LeaseEpoch,
    /// The random identity of that lease.
    pub lease: LeaseId,
}

impl Fence {
    /// The handle of this lease.
    pub fn handle(&self, backend: BackendTag, kind: HandleKind) -> Handle {
        let mut out = BytesMut::with_capacity(FENCE_BYTES);
        out.put_u8(FENCE_VERSION);
        out.put_u128(self.execution.as_u128());
        out.put_u32(self.attempt.0);
        out.put_u64(self.epoch.0);
        out.put_u128(self.lease.as_u128());
        let opaque = HandleOpaque::new(out.freeze()).expect("a fence fits into a handle");
        Handle::new(backend, kind, opaque)
    }

    /// The fence in a handle, refused before any I/O when the handle is of another backend, of a
    /// kind that holds no lease, or not an encoding this version knows.
    pub fn of(handle: &Handle, backend: BackendTag) -> Result<Self, EngineError> {
        if handle.backend != backend {
            return Err(EngineError::validation("handle.backend", "names another backend"));
        }
        let fence = Self::decode(handle.opaque.as_bytes())?;
        match handle.kind {
            HandleKind::Fresh | HandleKind::Resumed => Ok(fence),
            kind => Err(EngineError::state(StateKind::HandleKind { kind }, fence.execution)),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, EngineError> {
        let malformed = || EngineError::validation("handle.opaque", "is not a known encoding");
        let bytes: &[u8; FENCE_BYTES] = bytes.try_into().map_err(|_| malformed())?;
        if bytes[0] != FENCE_VERSION {
            return Err(malformed());
        }
        Ok(Self {
            execution: ExecutionId::from_bytes(array(bytes, 1)),
            attempt: AttemptIndex(u32::from_be_bytes(array(bytes, 17))),
            epoch: LeaseEpoch(u64::from_be_bytes(array(bytes, 21))),
            lease: LeaseId::from_bytes(array(bytes, 29)),
        })
    }
}

/// What a reclaim token says: which execution, and under which grant it was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The execution that may be taken up.
    pub execution: ExecutionId,
    /// The random identity of the grant; the lease made from it carries the same bits.
    pub id: GrantId,
}

impl Grant {
    /// The token of this grant.
    pub fn token(&self) -> ReclaimToken {
        let mut out = BytesMut::with_capacity(GRANT_BYTES);
        out.put_u8(GRANT_VERSION);
        out.put_u128(self.execution.as_u128());
        out.put_u128(self.id.as_u128());
        let grant = ReclaimGrant::new(Bytes::from(out)).expect("a grant fits into a token");
        ReclaimToken::new(grant)
    }

    /// The grant in a token.
    pub fn of(token: &ReclaimToken) -> Result<Self, EngineError> {
        let malformed = || EngineError::validation("token", "is not a known encoding");
        let bytes = token.grant().as_bytes();
        let bytes: &[u8; GRANT_BYTES] = bytes.try_into().map_err(|_| malformed())?;
        if bytes[0] != GRANT_VERSION {
            return Err(malformed());
        }
        Ok(Self {
            execution: ExecutionId::from_bytes(array(bytes, 1)),
            id: GrantId::from_bytes(array(bytes, 17)),
        })
    }
}

/// `N` bytes of `bytes` from `at`; the callers' widths are fixed by the arrays they read.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has the length of the array")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_fence_survives_its_handle(e: u128, a: u32, p: u64, l: u128) {
            let fence = Fence {
                execution: ExecutionId::from_u128(e),
                attempt: AttemptIndex(a),
                epoch: LeaseEpoch(p),
                lease: LeaseId::from_u128(l),
            };
            let handle = fence.handle(BackendTag::Mem, HandleKind::Fresh);
            prop_assert_eq!(Fence::of(&handle, BackendTag::Mem).unwrap(), fence);
        }

        #[test]
        fn hostile_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if bytes.len() != FENCE_BYTES || bytes[0] != FENCE_VERSION {
                let opaque = HandleOpaque::new(bytes.clone()).unwrap();
                let handle = Handle::new(BackendTag::Mem, HandleKind::Fresh, opaque);
                prop_assert_eq!(Fence::of(&handle, BackendTag::Mem).unwrap_err().code(), "validation");
            }
            if bytes.len() != GRANT_BYTES || bytes[0] != GRANT_VERSION {
                let token = ReclaimToken::new(ReclaimGrant::new(bytes).unwrap());
                prop_assert_eq!(Grant::of(&token).unwrap_err().code(), "validation");
            }
        }
    }
}
