//! Digests of what a releasing call was given. Together with its verb a digest tells a repeat from
//! a different call, so every backend computes the same.

use ff_types::{Payload, TimestampMs};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use crate::requests::{DelayRequest, FailRequest, SuspendRequest, WaitChildren, millis};

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

/// Of the time and the state that `delay` was given.
pub fn of_delay(request: &DelayRequest) -> u64 {
    let until = request.until.as_i64().cast_unsigned();
    request.state.as_ref().map_or(until, |state| xxh3_64_with_seed(&state.0, until))
}

/// Of the flow and the state that `wait_children` was given.
pub fn of_wait_children(request: &WaitChildren) -> u64 {
    let flow = xxh3_64(&request.flow_id.to_bytes());
    request.state.as_ref().map_or(flow, |state| xxh3_64_with_seed(&state.0, flow))
}

/// Of the waitpoints, the condition, the timeout and the state that `suspend` was given.
pub fn of_suspend(request: &SuspendRequest) -> u64 {
    let mut hash = Xxh3::new();
    let text = |hash: &mut Xxh3, text: &[u8]| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    for spec in &request.waitpoints {
        hash.update(&spec.waitpoint_id.to_bytes());
        text(&mut hash, spec.key.as_str().as_bytes());
        text(&mut hash, spec.kind.as_str().as_bytes());
        text(&mut hash, &spec.matcher);
        hash.update(&millis(spec.expires_in).to_le_bytes());
        hash.update(&spec.expires_at.map_or(-1, TimestampMs::as_i64).to_le_bytes());
    }
    for group in request.groups() {
        text(&mut hash, group.distinct.as_str().as_bytes());
        hash.update(&group.n.to_le_bytes());
        hash.update(&(group.waitpoints.len() as u64).to_le_bytes());
        for key in &group.waitpoints {
            text(&mut hash, key.as_str().as_bytes());
        }
    }
    if let Some(timeout) = request.timeout {
        text(&mut hash, timeout.behavior.as_str().as_bytes());
        hash.update(&millis(timeout.after).to_le_bytes());
    }
    if let Some(state) = &request.state {
        text(&mut hash, b"state");
        text(&mut hash, &state.0);
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ff_types::TimestampMs;
    use ff_types::backend::{WaitpointKind, WaitpointSpec};
    use ff_types::{WaitpointId, WaitpointKey};

    use super::*;
    use crate::requests::SuspendCondition;

    #[test]
    fn a_release_with_another_state_is_another_call() {
        let key = WaitpointKey::new("approval").unwrap();
        let id = WaitpointId::from_u128(7);
        let spec = WaitpointSpec::fresh(id, key, WaitpointKind::External, "");
        let wait = SuspendRequest::new(vec![spec], SuspendCondition::Any);
        let pause = DelayRequest::until(TimestampMs(7));
        let states = ["", "a", "b"];

        let waits = states.map(|state| of_suspend(&wait.clone().with_state(state)));
        let pauses = states.map(|state| of_delay(&pause.clone().with_state(state)));

        let distinct: BTreeSet<_> = waits.into_iter().chain([of_suspend(&wait)]).collect();
        assert_eq!(distinct.len(), 4);
        let distinct: BTreeSet<_> = pauses.into_iter().chain([of_delay(&pause)]).collect();
        assert_eq!(distinct.len(), 4);
    }
}
