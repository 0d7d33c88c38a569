//! The types that backends and their callers exchange.
//!
//! Most are `#[non_exhaustive]`: match with `_`, build with constructors and `with_*`. The
//! exceptions are those a caller is meant to write out or to match in full: [`ResumeSignal`],
//! [`AppendFrameOutcome`] and [`FailOutcome`]. Constructors that cannot fail do not check sizes;
//! such a type has a `validate`, which every backend calls before its first write.

mod cancel_flow;
mod capabilities;
mod claim;
mod completion;
mod config;
mod failure;
mod frame;
mod handle;
mod opaque;
mod reclaim;
mod scanner;
mod signal;
mod tag;
mod usage;
mod waitpoint;
mod waitpoint_hmac;
mod waitpoint_token;

pub use crate::types::{Namespace, WaitpointKey};

pub use cancel_flow::{CancelFlowPolicy, CancelFlowWait};
pub use capabilities::CapabilitySet;
pub use claim::{ClaimPolicy, LeaseRenewal};
pub use completion::{CompletionOf, CompletionPayload};
pub use config::{
    BackendConfig, BackendConnection, BackendRetry, BackendTimeouts, Password, ValkeyConnection,
};
pub use failure::{FailOutcome, FailureClass, FailureReason};
pub use frame::{AppendFrameOutcome, Frame, FrameKind};
pub use handle::{Handle, HandleKind, HandleOpaque};
pub use reclaim::{ReclaimGrant, ReclaimToken};
pub use scanner::ScannerFilter;
pub use signal::ResumeSignal;
pub use tag::BackendTag;
pub use usage::UsageDimensions;
pub use waitpoint::{PendingWaitpoint, WaitpointKind, WaitpointSpec};
pub use waitpoint_hmac::WaitpointHmac;
pub use waitpoint_token::{WaitpointAddress, WaitpointToken};
