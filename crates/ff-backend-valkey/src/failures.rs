//! From codes and connection failures to the errors of the seam.

use ff_engine::{
    ConflictKind, EngineError, FlowProblem, GraphProblem, Released, StateKind, UnavailableKind,
};
use ff_types::{ExecutionId, FlowId, LaneId, TerminalOutcome, TimestampMs, limits};

use crate::call::{BadReply, Values};
use crate::calls::Code;
use crate::transport::TransportError;

/// A refusal by a function: its code and what it says beside.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) details: Values,
}

/// The error that a refusal about `execution` means.
pub(crate) fn refused(refusal: Refusal, execution: ExecutionId) -> EngineError {
    let Refusal { code, mut details } = refusal;
    let state = |kind| EngineError::state(kind, execution);
    match code {
        Code::NotFound => EngineError::execution_not_found(execution),
        Code::SubmissionId => conflict(ConflictKind::SubmissionId, &mut details),
        Code::IdempotencyKey => conflict(ConflictKind::IdempotencyKey, &mut details),
        Code::StaleLease => state(StateKind::StaleLease),
        Code::LeaseExpired => state(StateKind::LeaseExpired),
        Code::LeaseRevoked => state(StateKind::LeaseRevoked),
        Code::CancelRequested => state(StateKind::CancelRequested),
        Code::NotTerminal => state(StateKind::NotTerminal),
        Code::ReclaimTokenVoid => state(StateKind::ReclaimTokenVoid),
        Code::WaitpointNotFound => EngineError::waitpoint_not_found(),
        Code::WaitpointId => {
            EngineError::validation("waitpoint_id", "is the id of another waitpoint")
        }
        Code::Waitpoints => beyond("waitpoints", limits::WAITPOINTS_OPEN_MAX),
        Code::Signals => beyond("signals", limits::SIGNALS_PER_WAITPOINT_MAX),
        Code::Steps => beyond("steps", limits::STEPS_MAX),
        Code::StepResults => EngineError::LimitExceeded {
            field: "step_results".into(),
            limit: limits::STEP_RESULTS_MAX_BYTES as u64,
            actual: details.int().unwrap_or(0),
        },
        Code::FrameSeq => match details.text() {
            Ok(highest) => EngineError::frame_number(highest),
            Err(bad) => bad_reply(code_name(code), bad),
        },
        Code::DependenciesUnmet => state(StateKind::DependenciesUnmet),
        Code::FlowCancelled => match details.text().ok().and_then(|id| id.parse().ok()) {
            Some(flow) => EngineError::flow(FlowProblem::Cancelled, flow),
            None => bad_reply("flow_cancelled", BadReply("id")),
        },
        Code::FlowNotFound => match details.text().ok().and_then(|id| id.parse().ok()) {
            Some(flow) => EngineError::flow_not_found(flow),
            None => bad_reply("flow_not_found", BadReply("id")),
        },
        Code::LaneDraining | Code::LaneFull => refused_by_lane(code, &mut details),
        Code::Tags => too_many("tags", limits::TAGS_MAX as u64, &mut details),
        Code::BudgetNotFound => budget_not_found(details),
        Code::UsageDimensions => {
            too_many("usage_dimensions", limits::USAGE_DIMENSIONS_MAX as u64, &mut details)
        }
        Code::UsageSum => too_many("usage", limits::USAGE_AMOUNT_MAX, &mut details),
        Code::FlowDepth => too_many("flow_depth", limits::FLOW_DEPTH_MAX.into(), &mut details),
        Code::ChildFlows => {
            too_many("child_flows", limits::CHILD_FLOWS_OPEN_MAX as u64, &mut details)
        }
        Code::FlowId
        | Code::FlowRevision
        | Code::FlowEnded
        | Code::FlowNotStaged
        | Code::FlowBusy
        | Code::NodeStarted
        | Code::BudgetId
        | Code::BudgetDimension
        | Code::ScheduleNotFound
        | Code::ScheduleId
        | Code::ScheduleVersion => bad_reply("execution", BadReply("code of its own")),
        Code::AlreadyTerminal => match details.text().ok().and_then(|text| text.parse().ok()) {
            Some(outcome) => state(StateKind::AlreadyTerminal { outcome }),
            None => bad_reply(code_name(code), BadReply("outcome")),
        },
        Code::AlreadyReleased => match details.text().ok().as_deref().and_then(released) {
            Some(released) => state(StateKind::AlreadyReleased { released }),
            None => bad_reply(code_name(code), BadReply("release")),
        },
    }
}

/// The error that a refusal about `flow` means, or about the execution that starts it.
pub(crate) fn refused_flow(
    operation: &'static str,
    refusal: Refusal,
    flow: FlowId,
    starter: Option<ExecutionId>,
) -> EngineError {
    let Refusal { code, mut details } = refusal;
    let problem = |kind| EngineError::flow(kind, flow);
    match code {
        Code::FlowNotFound => EngineError::flow_not_found(flow),
        Code::FlowId => problem(FlowProblem::Id),
        Code::FlowCancelled => problem(FlowProblem::Cancelled),
        Code::FlowNotStaged | Code::FlowBusy => EngineError::Contention { operation },
        Code::FlowRevision => match details.int() {
            Ok(actual) => problem(FlowProblem::Revision { actual }),
            Err(bad) => bad_reply(operation, bad),
        },
        Code::FlowEnded => match details.text().ok().and_then(|state| state.parse().ok()) {
            Some(state) => problem(FlowProblem::Ended { state }),
            None => bad_reply(operation, BadReply("state")),
        },
        Code::NodeStarted => match details.text().ok().and_then(|key| key.parse().ok()) {
            Some(key) => GraphProblem::NodeStarted { key }.into(),
            None => bad_reply(operation, BadReply("key")),
        },
        Code::BudgetNotFound => match details.text().ok().and_then(|id| id.parse().ok()) {
            Some(budget) => EngineError::budget_not_found(budget),
            None => bad_reply(operation, BadReply("id")),
        },
        Code::LaneDraining | Code::LaneFull => refused_by_lane(code, &mut details),
        code => match starter {
            Some(execution) => refused(Refusal { code, details }, execution),
            None => bad_reply(operation, BadReply("code of a flow")),
        },
    }
}

/// The error of a lane that takes nothing in.
fn refused_by_lane(code: Code, details: &mut Values) -> EngineError {
    let lane = details.text().ok().and_then(|name| LaneId::new(name).ok());
    let limit = details.int().ok().and_then(|limit| u32::try_from(limit).ok());
    match (lane, code, limit) {
        (Some(lane), Code::LaneDraining, _) => EngineError::LaneDraining { lane },
        (Some(lane), _, Some(limit)) => EngineError::LaneFull { lane, limit },
        _ => bad_reply("lane", BadReply("name and limit")),
    }
}

/// The error of a call that names an unknown budget.
pub(crate) fn budget_not_found(mut details: Values) -> EngineError {
    match details.text().ok().and_then(|id| id.parse().ok()) {
        Some(budget) => EngineError::budget_not_found(budget),
        None => bad_reply("budget_not_found", BadReply("id")),
    }
}

fn too_many(field: &'static str, limit: u64, details: &mut Values) -> EngineError {
    match details.int() {
        Ok(actual) => EngineError::LimitExceeded { field: field.into(), limit, actual },
        Err(bad) => bad_reply(field, bad),
    }
}

/// One more than a limit.
fn beyond(field: &'static str, limit: usize) -> EngineError {
    let limit = limit as u64;
    EngineError::LimitExceeded { field: field.into(), limit, actual: limit + 1 }
}

fn conflict(kind: ConflictKind, details: &mut Values) -> EngineError {
    match details.text().ok().and_then(|id| id.parse().ok()) {
        Some(execution) => EngineError::Conflict { kind, execution },
        None => bad_reply("conflict", BadReply("id")),
    }
}

const fn code_name(code: Code) -> &'static str {
    match code {
        Code::AlreadyTerminal => "ALREADY_TERMINAL",
        _ => "ALREADY_RELEASED",
    }
}

/// What a release did, as a lease remembers it: `e <outcome>`, `t <time>` for a retry, `p <time>` for
/// a pause, `s` for a suspend, or `w` for the wait for a child flow.
pub(crate) fn released(text: &str) -> Option<Released> {
    match text {
        "s" => return Some(Released::Suspended),
        "w" => return Some(Released::WaitingChildren),
        _ => {}
    }
    let (what, rest) = text.split_once(' ')?;
    let time = || rest.parse().ok().map(TimestampMs);
    match what {
        "e" => rest.parse::<TerminalOutcome>().ok().map(Released::Ended),
        "t" => time().map(|delay_until| Released::RetryScheduled { delay_until }),
        "p" => time().map(|until| Released::Delayed { until }),
        _ => None,
    }
}

/// A reply that the contract does not allow.
pub(crate) fn bad_reply(operation: &'static str, bad: BadReply) -> EngineError {
    EngineError::Internal { problem: format!("{operation}: {bad}") }
}

/// What an unanswered or refused command means to the caller of `operation`.
pub(crate) fn unavailable(operation: &'static str, error: TransportError) -> EngineError {
    let kind = match &error {
        TransportError::Timeout(_) => UnavailableKind::Timeout,
        TransportError::Disconnected(_) | TransportError::Redirected => {
            UnavailableKind::Unreachable
        }
        TransportError::Settings(problem) => {
            return EngineError::Incompatible { problem: problem.clone() };
        }
        TransportError::Server(text) => match text.split_whitespace().next().unwrap_or("") {
            "OOM" | "-OOM" => UnavailableKind::Full,
            "NOPERM" | "WRONGPASS" | "NOAUTH" | "NOPROTO" | "DENIED" => {
                return EngineError::Incompatible { problem: format!("{operation}: {text}") };
            }
            // Of a client that knows of the cluster they are not heard here.
            "MOVED" | "ASK" => {
                let problem = "the server is a node of a cluster: connect with cluster=true";
                return EngineError::Incompatible { problem: problem.to_owned() };
            }
            "LOADING" | "BUSY" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN"
            | "MISCONF" | "NOREPLICAS" | "UNKILLABLE" => UnavailableKind::Unreachable,
            _ if text.contains("OOM command not allowed") => UnavailableKind::Full,
            _ => return EngineError::Internal { problem: format!("{operation}: {text}") },
        },
    };
    EngineError::Unavailable { kind, operation, source: Some(Box::new(error)) }
}
