//! Digests of what a releasing call was given. Together with its verb a digest tells a repeat from
//! a different call, so every backend computes the same.

use ff_types::Payload;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use crate::requests::{DelayRequest, FailRequest, millis};

/// Of the result that `complete` was given.
pub fn of_result(result: Option<&Payload>) -> u64 {
    result.map_or(0, |payload| {
        xxh3_64_with_seed(payload.content_type().as_bytes(), xxh3_64(payload.bytes()))
    })
}

/// Of what `fail` was given.
pub fn of_failure(request: &FailRequest) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(request.class.as_str().as_bytes());
    hash.update(&(request.reason.message.len() as u64).to_le_bytes());
    hash.update(request.reason.message.as_bytes());
    hash.update(&request.retry_after.map_or(u64::MAX, millis).to_le_bytes());
    if let Some(detail) = &request.reason.detail {
        hash.update(detail);
    }
    hash.digest()
}

/// Of the reason that `cancel` was given.
pub fn of_reason(reason: &str) -> u64 {
    xxh3_64(reason.as_bytes())
}

/// Of the time that `delay` was given.
pub const fn of_delay(request: &DelayRequest) -> u64 {
    request.until.as_i64().cast_unsigned()
}
