//! Cancelling a flow: how far it goes and what the caller waits for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration_ms;
use crate::text::text_enum;

text_enum! {
    /// What happens to the members of a cancelled flow. In every case no member starts a new
    /// attempt once the cancellation is acknowledged.
    #[non_exhaustive]
    pub enum CancelFlowPolicy as "cancel_flow_policy", "flow_only, cancel_all or cancel_pending" {
        /// The flow is marked; its members are left alone.
        FlowOnly = "flow_only",
        /// Members that have not started are cancelled, and running workers are told to stop.
        CancelAll = "cancel_all",
        /// Members that have not started are cancelled; running ones go on.
        CancelPending = "cancel_pending",
    }
}

/// What the caller of a cancellation waits for: that the members really have ended.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelFlowWait {
    /// Nothing.
    NoWait,
    /// The end of the members, at most this long. On the wire: whole milliseconds.
    #[serde(rename = "wait_timeout_ms", with = "duration_ms")]
    WaitTimeout(Duration),
    /// The end of the members, however long it takes.
    WaitIndefinite,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_survive_json() {
        let timeout = CancelFlowWait::WaitTimeout(Duration::from_secs(2));
        for (wait, json) in [
            (CancelFlowWait::NoWait, r#""no_wait""#),
            (timeout, r#"{"wait_timeout_ms":2000}"#),
            (CancelFlowWait::WaitIndefinite, r#""wait_indefinite""#),
        ] {
            assert_eq!(serde_json::to_string(&wait).unwrap(), json);
            assert_eq!(serde_json::from_str::<CancelFlowWait>(json).unwrap(), wait);
        }
    }
}
