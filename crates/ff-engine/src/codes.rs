//! The error codes: one table, stable, unique across the workspace.
//!
//! Logs, metrics and HTTP bodies use these words. A code is never renamed or given another
//! meaning; a new sub-kind gets a new code.

/// Who can answer a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeScope {
    /// Every backend, by the rules: the conformance suite provokes it.
    Rule,
    /// A backend whose store, connection, configuration or version gives cause.
    Store,
    /// No backend: a client that looks through what one answers.
    Client,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code.
    pub code: &'static str,
    /// The kind of [`crate::EngineError`] that carries it.
    pub kind: &'static str,
    /// Who can answer it.
    pub scope: CodeScope,
    /// What it means.
    pub meaning: &'static str,
    /// What the caller does.
    pub action: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $kind:literal, $scope:ident, $meaning:literal, $action:literal;)*) => {
        $(pub(crate) const $name: &str = $code;)*

        /// Every code an engine error can carry.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: $code,
            kind: $kind,
            scope: CodeScope::$scope,
            meaning: $meaning,
            action: $action,
        }),*];
    };
}

codes! {
    EXECUTION_NOT_FOUND = "execution_not_found", "NotFound", Rule,
        "No execution of that id is in this namespace, or its retention has passed.",
        "Do not repeat.";
    WAITPOINT_NOT_FOUND = "waitpoint_not_found", "NotFound", Rule,
        "No open waitpoint takes this token: it is wrong, expired or for another, or nothing is there.",
        "Do not repeat.";
    FLOW_NOT_FOUND = "flow_not_found", "NotFound", Rule,
        "No flow of that id is in this namespace, or its retention has passed.",
        "Do not repeat.";
    BUDGET_NOT_FOUND = "budget_not_found", "NotFound", Rule,
        "No budget of that id is in this namespace.",
        "Make the budget first, or correct its id.";
    SCHEDULE_NOT_FOUND = "schedule_not_found", "NotFound", Rule,
        "No schedule of that id is in this namespace.",
        "Make the schedule first, or correct its id.";
    NODE_NOT_FOUND = "node_not_found", "NotFound", Client,
        "No node of that key is in the flow.",
        "Correct the key.";
    VALIDATION = "validation", "Validation", Rule,
        "A field is malformed or out of range.",
        "Correct the call.";
    LIMIT_EXCEEDED = "limit_exceeded", "LimitExceeded", Rule,
        "A field is larger than its limit; both figures are in the error.",
        "Make it smaller.";
    CONTENTION = "contention", "Contention", Store,
        "Others changed the same thing too often at once.",
        "Repeat the call.";
    CONFLICT_SUBMISSION_ID = "conflict_submission_id", "Conflict", Rule,
        "The id names an execution that was submitted with other content.",
        "Give the new submission an id of its own.";
    CONFLICT_IDEMPOTENCY_KEY = "conflict_idempotency_key", "Conflict", Rule,
        "The idempotency key belongs to an execution that ended, and the submission rejects that.",
        "Read the ended execution, or submit under another key.";
    GRAPH_UNKNOWN_NODE = "graph_unknown_node", "Graph", Rule,
        "An edge names a node that is not there; its key is in the error.",
        "Correct the graph.";
    GRAPH_DUPLICATE_NODE = "graph_duplicate_node", "Graph", Rule,
        "Two nodes have one key, which is in the error.",
        "Give each node a key of its own.";
    GRAPH_DUPLICATE_EDGE = "graph_duplicate_edge", "Graph", Rule,
        "Two edges lead from one node to the same other; both keys are in the error.",
        "Keep one of them.";
    GRAPH_SELF_EDGE = "graph_self_edge", "Graph", Rule,
        "An edge leads from a node to itself; its key is in the error.",
        "Remove the edge.";
    GRAPH_CYCLE = "graph_cycle", "Graph", Rule,
        "Nodes depend on each other in a circle, which is in the error, edge by edge.",
        "Remove one of these edges.";
    GRAPH_QUORUM = "graph_quorum", "Graph", Rule,
        "A node asks for more parents than it has, or for none; key and numbers are in the error.",
        "Correct the quorum, or add edges.";
    GRAPH_NODE_STARTED = "graph_node_started", "Graph", Rule,
        "An edge leads into a node that has started or ended; its key is in the error.",
        "Add a node of its own for what is to follow.";
    CONFLICT_FLOW_ID = "conflict_flow_id", "Flow", Rule,
        "The id names a flow that was submitted with other content.",
        "Give the new flow an id of its own.";
    CONFLICT_FLOW_REVISION = "conflict_flow_revision", "Flow", Rule,
        "The flow was changed meanwhile; the revision that it has is in the error.",
        "Read the flow, and make the extension anew.";
    FLOW_ENDED = "flow_ended", "Flow", Rule,
        "The flow has ended; its state is in the error.",
        "Submit another flow, or replay this one.";
    FLOW_CANCELLED = "flow_cancelled", "Flow", Rule,
        "The flow is being cancelled.",
        "Wait for its end; then its members can be replayed.";
    CONFLICT_BUDGET_ID = "conflict_budget_id", "BudgetConflict", Rule,
        "The id names a budget that was made with other content.",
        "Make it under another id, or adjust the one that is there.";
    LANE_DRAINING = "lane_draining", "LaneDraining", Rule,
        "The lane takes nothing new in.",
        "Submit to another lane, or make this one active.";
    LANE_FULL = "lane_full", "LaneFull", Rule,
        "As many executions are ready in the lane as may be; the limit is in the error.",
        "Submit again when some have started.";
    CONFLICT_SCHEDULE_ID = "conflict_schedule_id", "ScheduleConflict", Rule,
        "The id names a schedule that was made with other content.",
        "Make it under another id, or adjust the one that is there.";
    KEY_CONFLICT = "key_conflict", "KeyConflict", Store,
        "The key ring was given one key id with two secrets.",
        "Give the new secret a key id of its own.";
    STALE_LEASE = "stale_lease", "State", Rule,
        "Another lease was issued after this one.",
        "Stop working on the attempt.";
    LEASE_EXPIRED = "lease_expired", "State", Rule,
        "The lease ran out by the store's clock.",
        "Stop working on the attempt.";
    LEASE_REVOKED = "lease_revoked", "State", Rule,
        "An operator took the lease away.",
        "Stop working on the attempt.";
    CANCEL_REQUESTED = "cancel_requested", "State", Rule,
        "A cancellation is pending.",
        "Stop working, then cancel with the handle.";
    ALREADY_TERMINAL = "already_terminal", "State", Rule,
        "The execution ended; the outcome is in the error.",
        "Stop.";
    ALREADY_RELEASED = "already_released", "State", Rule,
        "The lease was given back by a different call, whose outcome is in the error.",
        "Stop: that outcome stands.";
    NOT_TERMINAL = "not_terminal", "State", Rule,
        "The operation needs an execution that ended.",
        "Wait for its end, or cancel it first.";
    HANDLE_KIND = "handle_kind", "State", Rule,
        "The handle is of a kind that this operation does not take.",
        "Use the handle of the running attempt.";
    RECLAIM_TOKEN_VOID = "reclaim_token_void", "State", Rule,
        "The reclaim token was used, has expired or was withdrawn.",
        "Ask the reclaim scanner for another.";
    DEPENDENCIES_UNMET = "dependencies_unmet", "State", Rule,
        "The parents of the node ended so that it cannot run.",
        "Replay those parents, or the flow.";
    UNAVAILABLE = "unavailable", "Unavailable", Rule,
        "The backend cannot be reached or is not ready. The outcome is unknown.",
        "Repeat the same call with back-off.";
    UNAVAILABLE_TIMEOUT = "unavailable_timeout", "Unavailable", Store,
        "No answer within the request timeout. The outcome is unknown.",
        "Repeat the same call with back-off.";
    UNAVAILABLE_FULL = "unavailable_full", "Unavailable", Store,
        "The backend has no room for new work; nothing was changed.",
        "Let the queue drain, then repeat.";
    INCOMPATIBLE = "incompatible", "Incompatible", Store,
        "The store speaks another version of the protocol, or does not take these credentials or settings.",
        "Upgrade one side, or correct what was set.";
    CORRUPT = "corrupt", "Corrupt", Store,
        "A stored record cannot be read.",
        "Have an operator look; nothing was changed.";
    INTERNAL = "internal", "Internal", Store,
        "A defect of the backend.",
        "Report it.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_lowercase_words() {
        let distinct: BTreeSet<_> = CODES.iter().map(|row| row.code).collect();
        assert_eq!(distinct.len(), CODES.len());
        for row in CODES {
            assert!(row.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", row.code);
        }
    }
}
