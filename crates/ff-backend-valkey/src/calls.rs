//! The functions of the library and how they are called.
//!
//! Made by `cargo xtask lua` from the contracts under `lua/fn/`. Not to be edited.

use bytes::Bytes;
use ff_types::TimestampMs;

use crate::call::{Args, BadReply, Call, Values};
use crate::reply::Reply;

/// Why a function refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// `NOT_FOUND`.
    NotFound,
    /// `SUBMISSION_ID`.
    SubmissionId,
    /// `IDEMPOTENCY_KEY`.
    IdempotencyKey,
    /// `STALE_LEASE`.
    StaleLease,
    /// `LEASE_EXPIRED`.
    LeaseExpired,
    /// `LEASE_REVOKED`.
    LeaseRevoked,
    /// `CANCEL_REQUESTED`.
    CancelRequested,
    /// `ALREADY_TERMINAL`.
    AlreadyTerminal,
    /// `ALREADY_RELEASED`.
    AlreadyReleased,
    /// `NOT_TERMINAL`.
    NotTerminal,
    /// `RECLAIM_TOKEN_VOID`.
    ReclaimTokenVoid,
    /// `WAITPOINT_NOT_FOUND`.
    WaitpointNotFound,
    /// `WAITPOINT_ID`.
    WaitpointId,
    /// `WAITPOINTS`.
    Waitpoints,
    /// `SIGNALS`.
    Signals,
    /// `STEPS`.
    Steps,
    /// `STEP_RESULTS`.
    StepResults,
    /// `FRAME_SEQ`.
    FrameSeq,
    /// `FLOW_NOT_FOUND`.
    FlowNotFound,
    /// `FLOW_ID`.
    FlowId,
    /// `FLOW_REVISION`.
    FlowRevision,
    /// `FLOW_ENDED`.
    FlowEnded,
    /// `FLOW_CANCELLED`.
    FlowCancelled,
    /// `FLOW_NOT_STAGED`.
    FlowNotStaged,
    /// `FLOW_BUSY`.
    FlowBusy,
    /// `FLOW_DEPTH`.
    FlowDepth,
    /// `CHILD_FLOWS`.
    ChildFlows,
    /// `NODE_STARTED`.
    NodeStarted,
    /// `DEPENDENCIES_UNMET`.
    DependenciesUnmet,
    /// `BUDGET_NOT_FOUND`.
    BudgetNotFound,
    /// `BUDGET_ID`.
    BudgetId,
    /// `BUDGET_DIMENSION`.
    BudgetDimension,
    /// `SCHEDULE_NOT_FOUND`.
    ScheduleNotFound,
    /// `SCHEDULE_ID`.
    ScheduleId,
    /// `SCHEDULE_VERSION`.
    ScheduleVersion,
    /// `USAGE_DIMENSIONS`.
    UsageDimensions,
    /// `USAGE_SUM`.
    UsageSum,
    /// `LANE_DRAINING`.
    LaneDraining,
    /// `LANE_FULL`.
    LaneFull,
    /// `TAGS`.
    Tags,
}

impl Code {
    /// The code with this spelling.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"NOT_FOUND" => Self::NotFound,
            b"SUBMISSION_ID" => Self::SubmissionId,
            b"IDEMPOTENCY_KEY" => Self::IdempotencyKey,
            b"STALE_LEASE" => Self::StaleLease,
            b"LEASE_EXPIRED" => Self::LeaseExpired,
            b"LEASE_REVOKED" => Self::LeaseRevoked,
            b"CANCEL_REQUESTED" => Self::CancelRequested,
            b"ALREADY_TERMINAL" => Self::AlreadyTerminal,
            b"ALREADY_RELEASED" => Self::AlreadyReleased,
            b"NOT_TERMINAL" => Self::NotTerminal,
            b"RECLAIM_TOKEN_VOID" => Self::ReclaimTokenVoid,
            b"WAITPOINT_NOT_FOUND" => Self::WaitpointNotFound,
            b"WAITPOINT_ID" => Self::WaitpointId,
            b"WAITPOINTS" => Self::Waitpoints,
            b"SIGNALS" => Self::Signals,
            b"STEPS" => Self::Steps,
            b"STEP_RESULTS" => Self::StepResults,
            b"FRAME_SEQ" => Self::FrameSeq,
            b"FLOW_NOT_FOUND" => Self::FlowNotFound,
            b"FLOW_ID" => Self::FlowId,
            b"FLOW_REVISION" => Self::FlowRevision,
            b"FLOW_ENDED" => Self::FlowEnded,
            b"FLOW_CANCELLED" => Self::FlowCancelled,
            b"FLOW_NOT_STAGED" => Self::FlowNotStaged,
            b"FLOW_BUSY" => Self::FlowBusy,
            b"FLOW_DEPTH" => Self::FlowDepth,
            b"CHILD_FLOWS" => Self::ChildFlows,
            b"NODE_STARTED" => Self::NodeStarted,
            b"DEPENDENCIES_UNMET" => Self::DependenciesUnmet,
            b"BUDGET_NOT_FOUND" => Self::BudgetNotFound,
            b"BUDGET_ID" => Self::BudgetId,
            b"BUDGET_DIMENSION" => Self::BudgetDimension,
            b"SCHEDULE_NOT_FOUND" => Self::ScheduleNotFound,
            b"SCHEDULE_ID" => Self::ScheduleId,
            b"SCHEDULE_VERSION" => Self::ScheduleVersion,
            b"USAGE_DIMENSIONS" => Self::UsageDimensions,
            b"USAGE_SUM" => Self::UsageSum,
            b"LANE_DRAINING" => Self::LaneDraining,
            b"LANE_FULL" => Self::LaneFull,
            b"TAGS" => Self::Tags,
            _ => return None,
        })
    }
}

/// Limits some dimensions of a budget anew, and lets it start from nothing when asked.
#[derive(Debug, Clone)]
pub(crate) struct AdjustBudget {
    /// `budget`.
    pub(crate) budget: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `reset`.
    pub(crate) reset: bool,
    /// `limits`: three values of each dimension, packed: its name, and the soft and the hard limit, each `-` for none.
    pub(crate) limits: Bytes,
}

impl Call for AdjustBudget {
    const NAME: &'static str = "adjust_budget";
    const READS_ONLY: bool = false;
    type Answer = AdjustBudgetAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
        args.bytes(self.request);
        args.flag(self.reset);
        args.bytes(self.limits);
    }

    fn decode(values: &mut Values) -> Result<AdjustBudgetAnswer, BadReply> {
        Ok(AdjustBudgetAnswer { shares: values.text()? })
    }
}

/// What `adjust_budget` answers.
#[derive(Debug)]
pub(crate) struct AdjustBudgetAnswer {
    /// `shares`: the numbers of the partitions that have shares of it, joined by spaces.
    pub(crate) shares: String,
}

/// Changes the state of a lane, its settings, or both.
#[derive(Debug, Clone)]
pub(crate) struct AdjustLane<'a> {
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `state`: `a` active, `p` paused, `d` draining; or empty to keep it.
    pub(crate) state: &'a str,
    /// `settings`: the rest of the text of its settings, see `lanes`; or empty to keep them.
    pub(crate) settings: &'a str,
    /// `weights`: pairs of key and weight, packed; of new settings.
    pub(crate) weights: Bytes,
}

impl Call for AdjustLane<'_> {
    const NAME: &'static str = "adjust_lane";
    const READS_ONLY: bool = false;
    type Answer = AdjustLaneAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.lane);
        args.bytes(self.request);
        args.text(self.state);
        args.text(self.settings);
        args.bytes(self.weights);
    }

    fn decode(values: &mut Values) -> Result<AdjustLaneAnswer, BadReply> {
        Ok(AdjustLaneAnswer { adjusted: values.flag()? })
    }
}

/// What `adjust_lane` answers.
#[derive(Debug)]
pub(crate) struct AdjustLaneAnswer {
    /// `adjusted`.
    pub(crate) adjusted: bool,
}

/// Gives a schedule other fields, when it is still of the version over which they were decided.
#[derive(Debug, Clone)]
pub(crate) struct AdjustSchedule {
    /// `schedule`.
    pub(crate) schedule: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `version`.
    pub(crate) version: u64,
    /// `fields`: names and values, packed, the next version among them; an empty value removes a field.
    pub(crate) fields: Bytes,
}

impl Call for AdjustSchedule {
    const NAME: &'static str = "adjust_schedule";
    const READS_ONLY: bool = false;
    type Answer = AdjustScheduleAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.schedule);
        args.bytes(self.request);
        args.int(self.version);
        args.bytes(self.fields);
    }

    fn decode(values: &mut Values) -> Result<AdjustScheduleAnswer, BadReply> {
        Ok(AdjustScheduleAnswer { adjusted: values.flag()? })
    }
}

/// What `adjust_schedule` answers.
#[derive(Debug)]
pub(crate) struct AdjustScheduleAnswer {
    /// `adjusted`.
    pub(crate) adjusted: bool,
}

/// Does some of what is left to do in a flow.
#[derive(Debug, Clone)]
pub(crate) struct AdvanceFlow {
    /// `flow`.
    pub(crate) flow: u128,
}

impl Call for AdvanceFlow {
    const NAME: &'static str = "advance_flow";
    const READS_ONLY: bool = false;
    type Answer = AdvanceFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
    }

    fn decode(values: &mut Values) -> Result<AdvanceFlowAnswer, BadReply> {
        Ok(AdvanceFlowAnswer { open: values.int()?, left: values.text()? })
    }
}

/// What `advance_flow` answers.
#[derive(Debug)]
pub(crate) struct AdvanceFlowAnswer {
    /// `open`: members that have not ended.
    pub(crate) open: u64,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Lets those go on that wait in a share of a budget, as far as it has room, and says what its home is to be told: an
/// answer of the home leads to the next message, until there is none.
#[derive(Debug, Clone)]
pub(crate) struct AdvanceShare<'a> {
    /// `budget`.
    pub(crate) budget: u128,
    /// `answer`: of the home to the message before, see `share_messages`; empty for the first call.
    pub(crate) answer: Bytes,
    /// `urgent`: what is needed at once, see `amounts`.
    pub(crate) urgent: &'a str,
}

impl Call for AdvanceShare<'_> {
    const NAME: &'static str = "advance_share";
    const READS_ONLY: bool = false;
    type Answer = AdvanceShareAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
        args.bytes(self.answer);
        args.text(self.urgent);
    }

    fn decode(values: &mut Values) -> Result<AdvanceShareAnswer, BadReply> {
        Ok(AdvanceShareAnswer { message: values.bytes()?, asked: values.flag()? })
    }
}

/// What `advance_share` answers.
#[derive(Debug)]
pub(crate) struct AdvanceShareAnswer {
    /// `message`: for the home, or empty.
    pub(crate) message: Bytes,
    /// `asked`: whether it says what is needed at once.
    pub(crate) asked: bool,
}

/// Appends frames to the stream of an execution, all or none. A number that the attempt has used before
/// appends nothing. The code `FRAME_SEQ` is followed by the highest number.
#[derive(Debug, Clone)]
pub(crate) struct AppendFrames {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `frames`: five values of each, see `frames`.
    pub(crate) frames: Bytes,
}

impl Call for AppendFrames {
    const NAME: &'static str = "append_frames";
    const READS_ONLY: bool = false;
    type Answer = AppendFramesAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.bytes(self.frames);
    }

    fn decode(values: &mut Values) -> Result<AppendFramesAnswer, BadReply> {
        Ok(AppendFramesAnswer { ordinals: values.text()? })
    }
}

/// What `append_frames` answers.
#[derive(Debug)]
pub(crate) struct AppendFramesAnswer {
    /// `ordinals`: of each within the execution, joined by commas.
    pub(crate) ordinals: String,
}

/// Asks to be told of the end of an execution on its channel. Answers whether it has ended already.
#[derive(Debug, Clone)]
pub(crate) struct Await {
    /// `id`.
    pub(crate) id: u128,
}

impl Call for Await {
    const NAME: &'static str = "await";
    const READS_ONLY: bool = false;
    type Answer = AwaitAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
    }

    fn decode(values: &mut Values) -> Result<AwaitAnswer, BadReply> {
        Ok(AwaitAnswer { ended: values.flag()? })
    }
}

/// What `await` answers.
#[derive(Debug)]
pub(crate) struct AwaitAnswer {
    /// `ended`.
    pub(crate) ended: bool,
}

/// Completions behind a place in the log. When there is none, a process is told of the next.
///
/// A place is the number of the last event in front of it, and some digits of that event, which tell
/// whether it is still the one that was read. An item is what ended, the execution, how, when, the flow or
/// `-`, whether there is a result, and the result.
#[derive(Debug, Clone)]
pub(crate) struct AwaitCompletions<'a> {
    /// `from`: number of an event, `start` or `now`.
    pub(crate) from: &'a str,
    /// `check`: hex digits, or empty.
    pub(crate) check: &'a str,
    /// `most`.
    pub(crate) most: u64,
    /// `tag`: only events with this tag, or empty.
    pub(crate) tag: &'a str,
    /// `flow`: only events of this flow, or empty.
    pub(crate) flow: &'a str,
    /// `process`: that waits.
    pub(crate) process: &'a str,
}

impl Call for AwaitCompletions<'_> {
    const NAME: &'static str = "await_completions";
    const READS_ONLY: bool = false;
    type Answer = AwaitCompletionsAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.from);
        args.text(self.check);
        args.int(self.most);
        args.text(self.tag);
        args.text(self.flow);
        args.text(self.process);
    }

    fn decode(values: &mut Values) -> Result<AwaitCompletionsAnswer, BadReply> {
        Ok(AwaitCompletionsAnswer {
            gap: values.flag()?,
            seq: values.int()?,
            check: values.text()?,
            items: values.list()?,
        })
    }
}

/// What `await_completions` answers.
#[derive(Debug)]
pub(crate) struct AwaitCompletionsAnswer {
    /// `gap`: events behind the place are gone.
    pub(crate) gap: bool,
    /// `seq`: the place to go on from.
    pub(crate) seq: u64,
    /// `check`.
    pub(crate) check: String,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Asks to be told of the end of a flow on its channel. Answers whether it has ended already.
#[derive(Debug, Clone)]
pub(crate) struct AwaitFlow {
    /// `flow`.
    pub(crate) flow: u128,
}

impl Call for AwaitFlow {
    const NAME: &'static str = "await_flow";
    const READS_ONLY: bool = false;
    type Answer = AwaitFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
    }

    fn decode(values: &mut Values) -> Result<AwaitFlowAnswer, BadReply> {
        Ok(AwaitFlowAnswer { ended: values.flag()?, open: values.int()? })
    }
}

/// What `await_flow` answers.
#[derive(Debug)]
pub(crate) struct AwaitFlowAnswer {
    /// `ended`.
    pub(crate) ended: bool,
    /// `open`: members that have not ended.
    pub(crate) open: u64,
}

/// Frames of an execution behind a place. When there is none, and no end, the next is announced.
#[derive(Debug, Clone)]
pub(crate) struct AwaitFrames<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `asked`: attempt, or empty for all.
    pub(crate) asked: &'a str,
    /// `attempt`: of the place.
    pub(crate) attempt: u64,
    /// `ordinal`: of the place, or 0.
    pub(crate) ordinal: u64,
    /// `most`.
    pub(crate) most: u64,
    /// `seen`: version of the summary that is known, or empty when none is wanted.
    pub(crate) seen: &'a str,
}

impl Call for AwaitFrames<'_> {
    const NAME: &'static str = "await_frames";
    const READS_ONLY: bool = false;
    type Answer = AwaitFramesAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.text(self.asked);
        args.int(self.attempt);
        args.int(self.ordinal);
        args.int(self.most);
        args.text(self.seen);
    }

    fn decode(values: &mut Values) -> Result<AwaitFramesAnswer, BadReply> {
        Ok(AwaitFramesAnswer {
            gap: values.flag()?,
            end: values.text()?,
            items: values.list()?,
            summary: values.bytes()?,
        })
    }
}

/// What `await_frames` answers.
#[derive(Debug)]
pub(crate) struct AwaitFramesAnswer {
    /// `gap`.
    pub(crate) gap: bool,
    /// `end`: how the execution ended, `superseded`, or empty.
    pub(crate) end: String,
    /// `items`: id and field of each.
    pub(crate) items: Vec<Reply>,
    /// `summary`: `<version> <attempt> <when>`, a line's end, and the document; or empty.
    pub(crate) summary: Bytes,
}

/// Submits occurrences of a schedule whose executions are not there, until one is refused.
#[derive(Debug, Clone)]
pub(crate) struct BackfillSchedule<'a> {
    /// `schedule`.
    pub(crate) schedule: u128,
    /// `version`.
    pub(crate) version: u64,
    /// `occurrences`: `<time> <id>` in a row.
    pub(crate) occurrences: &'a str,
}

impl Call for BackfillSchedule<'_> {
    const NAME: &'static str = "backfill_schedule";
    const READS_ONLY: bool = false;
    type Answer = BackfillScheduleAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.schedule);
        args.int(self.version);
        args.text(self.occurrences);
    }

    fn decode(values: &mut Values) -> Result<BackfillScheduleAnswer, BadReply> {
        Ok(BackfillScheduleAnswer { refused: values.text()? })
    }
}

/// What `backfill_schedule` answers.
#[derive(Debug)]
pub(crate) struct BackfillScheduleAnswer {
    /// `refused`: why one was refused, or empty.
    pub(crate) refused: String,
}

/// Ends the execution as `cancelled`, by its holder. The reason of a pending cancellation stands
/// before the holder's.
#[derive(Debug, Clone)]
pub(crate) struct Cancel<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the reason.
    pub(crate) digest: &'a str,
    /// `reason`.
    pub(crate) reason: &'a str,
}

impl Call for Cancel<'_> {
    const NAME: &'static str = "cancel";
    const READS_ONLY: bool = false;
    type Answer = CancelAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.text(self.reason);
    }

    fn decode(values: &mut Values) -> Result<CancelAnswer, BadReply> {
        Ok(CancelAnswer { released: values.text()?, left: values.text()? })
    }
}

/// What `cancel` answers.
#[derive(Debug)]
pub(crate) struct CancelAnswer {
    /// `released`.
    pub(crate) released: String,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Ends an execution that nobody runs, or asks its holder to end it. The outcome is `cancelled`,
/// `requested`, or the state in which it had ended.
#[derive(Debug, Clone)]
pub(crate) struct CancelExecution<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `reason`.
    pub(crate) reason: &'a str,
}

impl Call for CancelExecution<'_> {
    const NAME: &'static str = "cancel_execution";
    const READS_ONLY: bool = false;
    type Answer = CancelExecutionAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
        args.text(self.reason);
    }

    fn decode(values: &mut Values) -> Result<CancelExecutionAnswer, BadReply> {
        Ok(CancelExecutionAnswer { outcome: values.text()?, left: values.text()? })
    }
}

/// What `cancel_execution` answers.
#[derive(Debug)]
pub(crate) struct CancelExecutionAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Cancels a flow, or takes its cancellation further. The outcome is `cancelled`, or `ended` and the state
/// in which it had.
#[derive(Debug, Clone)]
pub(crate) struct CancelFlow<'a> {
    /// `flow`.
    pub(crate) flow: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `policy`: `o` flow only, `p` pending or `a` all.
    pub(crate) policy: &'a str,
    /// `reason`.
    pub(crate) reason: &'a str,
}

impl Call for CancelFlow<'_> {
    const NAME: &'static str = "cancel_flow";
    const READS_ONLY: bool = false;
    type Answer = CancelFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
        args.bytes(self.request);
        args.text(self.policy);
        args.text(self.reason);
    }

    fn decode(values: &mut Values) -> Result<CancelFlowAnswer, BadReply> {
        Ok(CancelFlowAnswer { outcome: values.text()?, open: values.int()?, left: values.text()? })
    }
}

/// What `cancel_flow` answers.
#[derive(Debug)]
pub(crate) struct CancelFlowAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
    /// `open`: members that have not ended.
    pub(crate) open: u64,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Hands out up to `most` ready executions of a lane, each under a lease, and reclaim tokens beside
/// them when asked. When it found nothing, or fewer than it could take, it registers an arm.
///
/// An item is its kind (`task` or `token`), its index, the id, and of a task fields, payload, and the saved state when it is long.
#[derive(Debug, Clone)]
pub(crate) struct Claim<'a> {
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `offered`: capabilities, canonical.
    pub(crate) offered: &'a str,
    /// `holder`: 16 bytes of worker, 16 of instance.
    pub(crate) holder: Bytes,
    /// `instance`: the instance again.
    pub(crate) instance: u128,
    /// `ttl`: of the leases, ms.
    pub(crate) ttl: u64,
    /// `most`.
    pub(crate) most: u64,
    /// `mode`: `f` fresh work only, `a` reclaims too.
    pub(crate) mode: &'a str,
    /// `tag`: of the reclaims, or empty.
    pub(crate) tag: &'a str,
    /// `process`: that waits, or empty.
    pub(crate) process: &'a str,
    /// `arm`: to register.
    pub(crate) arm: u64,
    /// `crowded`: whether others of the process wait, so that an arm is wanted in any case.
    pub(crate) crowded: bool,
    /// `woken`: the execution that this claim was woken for, to be passed on, or empty.
    pub(crate) woken: &'a str,
    /// `repeats`: whether only what this same request was given before is wanted.
    pub(crate) repeats: bool,
}

impl Call for Claim<'_> {
    const NAME: &'static str = "claim";
    const READS_ONLY: bool = false;
    type Answer = ClaimAnswer;

    fn encode(self, args: &mut Args) {
        args.bytes(self.request);
        args.text(self.lane);
        args.text(self.offered);
        args.bytes(self.holder);
        args.id(self.instance);
        args.int(self.ttl);
        args.int(self.most);
        args.text(self.mode);
        args.text(self.tag);
        args.text(self.process);
        args.int(self.arm);
        args.flag(self.crowded);
        args.text(self.woken);
        args.flag(self.repeats);
    }

    fn decode(values: &mut Values) -> Result<ClaimAnswer, BadReply> {
        Ok(ClaimAnswer {
            now: values.time()?,
            known: values.flag()?,
            again: values.flag()?,
            armed: values.flag()?,
            items: values.list()?,
        })
    }
}

/// What `claim` answers.
#[derive(Debug)]
pub(crate) struct ClaimAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `known`: the request was made before, and this is what is still good of its answer.
    pub(crate) known: bool,
    /// `again`: only expired executions were found, and there may be more behind.
    pub(crate) again: bool,
    /// `armed`.
    pub(crate) armed: bool,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Uses a reclaim token: the execution is leased to the caller.
#[derive(Debug, Clone)]
pub(crate) struct ClaimFromReclaim {
    /// `id`.
    pub(crate) id: u128,
    /// `grant`: 16 bytes; the lease gets the same.
    pub(crate) grant: Bytes,
    /// `holder`: 16 bytes of worker, 16 of instance.
    pub(crate) holder: Bytes,
    /// `ttl`: of the lease, ms.
    pub(crate) ttl: u64,
}

impl Call for ClaimFromReclaim {
    const NAME: &'static str = "claim_from_reclaim";
    const READS_ONLY: bool = false;
    type Answer = ClaimFromReclaimAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.grant);
        args.bytes(self.holder);
        args.int(self.ttl);
    }

    fn decode(values: &mut Values) -> Result<ClaimFromReclaimAnswer, BadReply> {
        Ok(ClaimFromReclaimAnswer {
            now: values.time()?,
            fields: values.list()?,
            payload: values.bytes()?,
            state: values.bytes()?,
        })
    }
}

/// What `claim_from_reclaim` answers.
#[derive(Debug)]
pub(crate) struct ClaimFromReclaimAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `fields`.
    pub(crate) fields: Vec<Reply>,
    /// `payload`.
    pub(crate) payload: Bytes,
    /// `state`: saved, when it is long.
    pub(crate) state: Bytes,
}

/// Closes a waitpoint, by its holder. The outcome is `closed` or `already_closed`.
#[derive(Debug, Clone)]
pub(crate) struct CloseWaitpoint {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `waitpoint`.
    pub(crate) waitpoint: u128,
}

impl Call for CloseWaitpoint {
    const NAME: &'static str = "close_waitpoint";
    const READS_ONLY: bool = false;
    type Answer = CloseWaitpointAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.id(self.waitpoint);
    }

    fn decode(values: &mut Values) -> Result<CloseWaitpointAnswer, BadReply> {
        Ok(CloseWaitpointAnswer { outcome: values.text()? })
    }
}

/// What `close_waitpoint` answers.
#[derive(Debug)]
pub(crate) struct CloseWaitpointAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Ends the execution as `completed`.
#[derive(Debug, Clone)]
pub(crate) struct Complete<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the result.
    pub(crate) digest: &'a str,
    /// `given`: whether there is a result.
    pub(crate) given: bool,
    /// `type`: its content type; empty for the default one.
    pub(crate) content_type: &'a str,
    /// `result`.
    pub(crate) result: Bytes,
}

impl Call for Complete<'_> {
    const NAME: &'static str = "complete";
    const READS_ONLY: bool = false;
    type Answer = CompleteAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.flag(self.given);
        args.text(self.content_type);
        args.bytes(self.result);
    }

    fn decode(values: &mut Values) -> Result<CompleteAnswer, BadReply> {
        Ok(CompleteAnswer { released: values.text()?, left: values.text()? })
    }
}

/// What `complete` answers.
#[derive(Debug)]
pub(crate) struct CompleteAnswer {
    /// `released`.
    pub(crate) released: String,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Makes a budget, unless the same one is there.
#[derive(Debug, Clone)]
pub(crate) struct CreateBudget<'a> {
    /// `budget`.
    pub(crate) budget: u128,
    /// `fingerprint`: of the whole.
    pub(crate) fingerprint: &'a str,
    /// `action`: `r` report, `b` block or `f` fail.
    pub(crate) action: &'a str,
    /// `every`: length of its windows, ms; 0 for none.
    pub(crate) every: u64,
    /// `anchor`: one of their starts, ms.
    pub(crate) anchor: u64,
    /// `tags`: `<key> <value>` a line.
    pub(crate) tags: &'a str,
    /// `limits`: three values of each dimension, packed: its name, and the soft and the hard limit, each `-` for none.
    pub(crate) limits: Bytes,
}

impl Call for CreateBudget<'_> {
    const NAME: &'static str = "create_budget";
    const READS_ONLY: bool = false;
    type Answer = CreateBudgetAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
        args.text(self.fingerprint);
        args.text(self.action);
        args.int(self.every);
        args.int(self.anchor);
        args.text(self.tags);
        args.bytes(self.limits);
    }

    fn decode(values: &mut Values) -> Result<CreateBudgetAnswer, BadReply> {
        Ok(CreateBudgetAnswer { made: values.flag()? })
    }
}

/// What `create_budget` answers.
#[derive(Debug)]
pub(crate) struct CreateBudgetAnswer {
    /// `made`.
    pub(crate) made: bool,
}

/// Makes a schedule, unless the same one is there.
#[derive(Debug, Clone)]
pub(crate) struct CreateSchedule<'a> {
    /// `schedule`.
    pub(crate) schedule: u128,
    /// `fingerprint`: of the whole.
    pub(crate) fingerprint: &'a str,
    /// `tags`: `<key> <value>` a line.
    pub(crate) tags: &'a str,
    /// `fields`: names and values of its other fields, packed.
    pub(crate) fields: Bytes,
}

impl Call for CreateSchedule<'_> {
    const NAME: &'static str = "create_schedule";
    const READS_ONLY: bool = false;
    type Answer = CreateScheduleAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.schedule);
        args.text(self.fingerprint);
        args.text(self.tags);
        args.bytes(self.fields);
    }

    fn decode(values: &mut Values) -> Result<CreateScheduleAnswer, BadReply> {
        Ok(CreateScheduleAnswer { made: values.flag()? })
    }
}

/// What `create_schedule` answers.
#[derive(Debug)]
pub(crate) struct CreateScheduleAnswer {
    /// `made`.
    pub(crate) made: bool,
}

/// Makes a waitpoint, or gives the open one of its key.
#[derive(Debug, Clone)]
pub(crate) struct CreateWaitpoint<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `waitpoint`.
    pub(crate) waitpoint: u128,
    /// `key`.
    pub(crate) key: &'a str,
    /// `expires_in`: ms.
    pub(crate) expires_in: u64,
    /// `kids`: ids of the keys that verify tokens, joined by commas: the one that signs, then `<id>=<until>`.
    pub(crate) kids: &'a str,
}

impl Call for CreateWaitpoint<'_> {
    const NAME: &'static str = "create_waitpoint";
    const READS_ONLY: bool = false;
    type Answer = CreateWaitpointAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.id(self.waitpoint);
        args.text(self.key);
        args.int(self.expires_in);
        args.text(self.kids);
    }

    fn decode(values: &mut Values) -> Result<CreateWaitpointAnswer, BadReply> {
        Ok(CreateWaitpointAnswer { waitpoint: values.list()? })
    }
}

/// What `create_waitpoint` answers.
#[derive(Debug)]
pub(crate) struct CreateWaitpointAnswer {
    /// `waitpoint`: id, key, expiry, key id.
    pub(crate) waitpoint: Vec<Reply>,
}

/// Pauses the attempt: the lease is given back, and the same attempt resumes by way of the reclaim
/// scanner.
#[derive(Debug, Clone)]
pub(crate) struct Delay<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the time.
    pub(crate) digest: &'a str,
    /// `at`.
    pub(crate) at: TimestampMs,
    /// `saves`: whether a state is saved with it.
    pub(crate) saves: bool,
    /// `state`.
    pub(crate) state: Bytes,
}

impl Call for Delay<'_> {
    const NAME: &'static str = "delay";
    const READS_ONLY: bool = false;
    type Answer = DelayAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.time(self.at);
        args.flag(self.saves);
        args.bytes(self.state);
    }

    fn decode(values: &mut Values) -> Result<DelayAnswer, BadReply> {
        Ok(DelayAnswer { released: values.text()? })
    }
}

/// What `delay` answers.
#[derive(Debug)]
pub(crate) struct DelayAnswer {
    /// `released`.
    pub(crate) released: String,
}

/// Removes a schedule, if it is there. Its executions stay.
#[derive(Debug, Clone)]
pub(crate) struct DeleteSchedule {
    /// `schedule`.
    pub(crate) schedule: u128,
}

impl Call for DeleteSchedule {
    const NAME: &'static str = "delete_schedule";
    const READS_ONLY: bool = false;
    type Answer = DeleteScheduleAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.schedule);
    }

    fn decode(values: &mut Values) -> Result<DeleteScheduleAnswer, BadReply> {
        Ok(DeleteScheduleAnswer { deleted: values.flag()? })
    }
}

/// What `delete_schedule` answers.
#[derive(Debug)]
pub(crate) struct DeleteScheduleAnswer {
    /// `deleted`.
    pub(crate) deleted: bool,
}

/// Delivers a signal whose token was verified: recorded, evaluated, and the wait perhaps over, in one
/// step. The outcome is `resumed`, `recorded`, `buffered`, `duplicate` and an id, `not_matched` or
/// `closed`.
#[derive(Debug, Clone)]
pub(crate) struct DeliverSignal<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `waitpoint`.
    pub(crate) waitpoint: u128,
    /// `key`.
    pub(crate) key: &'a str,
    /// `expires_at`.
    pub(crate) expires_at: TimestampMs,
    /// `kid`: of the key that signed the token.
    pub(crate) kid: &'a str,
    /// `verify_until`: when that key ceases to verify, or empty.
    pub(crate) verify_until: &'a str,
    /// `signal`.
    pub(crate) signal: u128,
    /// `source`: `t`, or `p` and the principal.
    pub(crate) source: &'a str,
    /// `name`.
    pub(crate) name: &'a str,
    /// `category`.
    pub(crate) category: &'a str,
    /// `correlated`: whether there is a correlation id.
    pub(crate) correlated: bool,
    /// `correlation`.
    pub(crate) correlation: &'a str,
    /// `idempotency`: key, or empty.
    pub(crate) idempotency: &'a str,
    /// `given`: whether there is a payload.
    pub(crate) given: bool,
    /// `payload`.
    pub(crate) payload: Bytes,
}

impl Call for DeliverSignal<'_> {
    const NAME: &'static str = "deliver_signal";
    const READS_ONLY: bool = false;
    type Answer = DeliverSignalAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.id(self.waitpoint);
        args.text(self.key);
        args.time(self.expires_at);
        args.text(self.kid);
        args.text(self.verify_until);
        args.id(self.signal);
        args.text(self.source);
        args.text(self.name);
        args.text(self.category);
        args.flag(self.correlated);
        args.text(self.correlation);
        args.text(self.idempotency);
        args.flag(self.given);
        args.bytes(self.payload);
    }

    fn decode(values: &mut Values) -> Result<DeliverSignalAnswer, BadReply> {
        Ok(DeliverSignalAnswer { outcome: values.text()? })
    }
}

/// What `deliver_signal` answers.
#[derive(Debug)]
pub(crate) struct DeliverSignalAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Everything about one execution, and how many stand in front of it in its queue.
#[derive(Debug, Clone)]
pub(crate) struct Describe {
    /// `id`.
    pub(crate) id: u128,
}

impl Call for Describe {
    const NAME: &'static str = "describe";
    const READS_ONLY: bool = true;
    type Answer = DescribeAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
    }

    fn decode(values: &mut Values) -> Result<DescribeAnswer, BadReply> {
        Ok(DescribeAnswer {
            now: values.time()?,
            ahead: values.int()?,
            fields: values.list()?,
            long: values.list()?,
            payload: values.bytes()?,
            waits: values.list()?,
        })
    }
}

/// What `describe` answers.
#[derive(Debug)]
pub(crate) struct DescribeAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `ahead`.
    pub(crate) ahead: u64,
    /// `fields`.
    pub(crate) fields: Vec<Reply>,
    /// `long`: the values over 64 bytes, by field.
    pub(crate) long: Vec<Reply>,
    /// `payload`.
    pub(crate) payload: Bytes,
    /// `waits`: what it knows of its waitpoints.
    pub(crate) waits: Vec<Reply>,
}

/// Everything about a budget, and how many wait for room in it.
#[derive(Debug, Clone)]
pub(crate) struct DescribeBudget {
    /// `budget`.
    pub(crate) budget: u128,
}

impl Call for DescribeBudget {
    const NAME: &'static str = "describe_budget";
    const READS_ONLY: bool = true;
    type Answer = DescribeBudgetAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
    }

    fn decode(values: &mut Values) -> Result<DescribeBudgetAnswer, BadReply> {
        Ok(DescribeBudgetAnswer {
            now: values.time()?,
            blocked: values.int()?,
            fields: values.list()?,
        })
    }
}

/// What `describe_budget` answers.
#[derive(Debug)]
pub(crate) struct DescribeBudgetAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `blocked`.
    pub(crate) blocked: u64,
    /// `fields`.
    pub(crate) fields: Vec<Reply>,
}

/// Everything about one flow but its graph.
#[derive(Debug, Clone)]
pub(crate) struct DescribeFlow {
    /// `flow`.
    pub(crate) flow: u128,
}

impl Call for DescribeFlow {
    const NAME: &'static str = "describe_flow";
    const READS_ONLY: bool = true;
    type Answer = DescribeFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
    }

    fn decode(values: &mut Values) -> Result<DescribeFlowAnswer, BadReply> {
        Ok(DescribeFlowAnswer { fields: values.list()? })
    }
}

/// What `describe_flow` answers.
#[derive(Debug)]
pub(crate) struct DescribeFlowAnswer {
    /// `fields`.
    pub(crate) fields: Vec<Reply>,
}

/// Everything about a lane, and what one of its keys has used.
#[derive(Debug, Clone)]
pub(crate) struct DescribeLane<'a> {
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `key`: or empty.
    pub(crate) key: &'a str,
}

impl Call for DescribeLane<'_> {
    const NAME: &'static str = "describe_lane";
    const READS_ONLY: bool = true;
    type Answer = DescribeLaneAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.lane);
        args.text(self.key);
    }

    fn decode(values: &mut Values) -> Result<DescribeLaneAnswer, BadReply> {
        Ok(DescribeLaneAnswer {
            now: values.time()?,
            settings: values.text()?,
            weights: values.list()?,
            arrival: values.text()?,
            claimed: values.int()?,
            leases: values.int()?,
            tokens: values.int()?,
            ready: values.int()?,
            oldest: values.text()?,
            aside: values.int()?,
            key_held: values.int()?,
            key_arrival: values.text()?,
        })
    }
}

/// What `describe_lane` answers.
#[derive(Debug)]
pub(crate) struct DescribeLaneAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `settings`: see `lanes`; empty when it was never steered.
    pub(crate) settings: String,
    /// `weights`: pairs of key and weight.
    pub(crate) weights: Vec<Reply>,
    /// `arrival`: when the next claim is due at the full rate, in us, or empty.
    pub(crate) arrival: String,
    /// `claimed`.
    pub(crate) claimed: u64,
    /// `leases`.
    pub(crate) leases: u64,
    /// `tokens`.
    pub(crate) tokens: u64,
    /// `ready`.
    pub(crate) ready: u64,
    /// `oldest`: since when the longest waiting of these is ready, or empty.
    pub(crate) oldest: String,
    /// `aside`: how many keys wait for their limits.
    pub(crate) aside: u64,
    /// `key_held`: leases and tokens of the key.
    pub(crate) key_held: u64,
    /// `key_arrival`.
    pub(crate) key_arrival: String,
}

/// Everything about a schedule.
#[derive(Debug, Clone)]
pub(crate) struct DescribeSchedule {
    /// `schedule`.
    pub(crate) schedule: u128,
}

impl Call for DescribeSchedule {
    const NAME: &'static str = "describe_schedule";
    const READS_ONLY: bool = true;
    type Answer = DescribeScheduleAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.schedule);
    }

    fn decode(values: &mut Values) -> Result<DescribeScheduleAnswer, BadReply> {
        Ok(DescribeScheduleAnswer { now: values.time()?, fields: values.list()? })
    }
}

/// What `describe_schedule` answers.
#[derive(Debug)]
pub(crate) struct DescribeScheduleAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `fields`.
    pub(crate) fields: Vec<Reply>,
}

/// Takes an arm off a lane, because nobody of the process waits any more. What it offered counts for some time.
#[derive(Debug, Clone)]
pub(crate) struct Disarm<'a> {
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `process`.
    pub(crate) process: &'a str,
    /// `arm`.
    pub(crate) arm: u64,
    /// `mode`.
    pub(crate) mode: &'a str,
    /// `offered`.
    pub(crate) offered: &'a str,
    /// `tag`.
    pub(crate) tag: &'a str,
}

impl Call for Disarm<'_> {
    const NAME: &'static str = "disarm";
    const READS_ONLY: bool = false;
    type Answer = DisarmAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.lane);
        args.text(self.process);
        args.int(self.arm);
        args.text(self.mode);
        args.text(self.offered);
        args.text(self.tag);
    }

    fn decode(values: &mut Values) -> Result<DisarmAnswer, BadReply> {
        Ok(DisarmAnswer { was_there: values.flag()? })
    }
}

/// What `disarm` answers.
#[derive(Debug)]
pub(crate) struct DisarmAnswer {
    /// `was_there`.
    pub(crate) was_there: bool,
}

/// Adds nodes and edges to an open flow, in one step. The nodes are given, or staged before.
#[derive(Debug, Clone)]
pub(crate) struct ExtendFlow<'a> {
    /// `flow`.
    pub(crate) flow: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `by`: the same in hex digits.
    pub(crate) by: &'a str,
    /// `revision`: that is extended.
    pub(crate) revision: u64,
    /// `first`: how many nodes it has.
    pub(crate) first: u64,
    /// `count`: of new nodes.
    pub(crate) count: u64,
    /// `edges`: how many are new.
    pub(crate) edges: u64,
    /// `staged`: whether the new nodes are staged.
    pub(crate) staged: bool,
    /// `nodes`: twenty-one values of each, see `nodes`.
    pub(crate) nodes: Bytes,
    /// `touched`: four values of each node that is there and gets edges, see `extension`.
    pub(crate) touched: Bytes,
}

impl Call for ExtendFlow<'_> {
    const NAME: &'static str = "extend_flow";
    const READS_ONLY: bool = false;
    type Answer = ExtendFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
        args.bytes(self.request);
        args.text(self.by);
        args.int(self.revision);
        args.int(self.first);
        args.int(self.count);
        args.int(self.edges);
        args.flag(self.staged);
        args.bytes(self.nodes);
        args.bytes(self.touched);
    }

    fn decode(values: &mut Values) -> Result<ExtendFlowAnswer, BadReply> {
        Ok(ExtendFlowAnswer { revision: values.int()?, left: values.text()? })
    }
}

/// What `extend_flow` answers.
#[derive(Debug)]
pub(crate) struct ExtendFlowAnswer {
    /// `revision`.
    pub(crate) revision: u64,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Ends the attempt as failed; class and policy decide whether another follows.
#[derive(Debug, Clone)]
pub(crate) struct Fail<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the arguments.
    pub(crate) digest: &'a str,
    /// `class`.
    pub(crate) class: &'a str,
    /// `message`.
    pub(crate) message: &'a str,
    /// `given`: whether there is a detail.
    pub(crate) given: bool,
    /// `detail`.
    pub(crate) detail: Bytes,
    /// `retry_after`: ms, or empty for the policy's back-off.
    pub(crate) retry_after: &'a str,
}

impl Call for Fail<'_> {
    const NAME: &'static str = "fail";
    const READS_ONLY: bool = false;
    type Answer = FailAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.text(self.class);
        args.text(self.message);
        args.flag(self.given);
        args.bytes(self.detail);
        args.text(self.retry_after);
    }

    fn decode(values: &mut Values) -> Result<FailAnswer, BadReply> {
        Ok(FailAnswer { released: values.text()?, left: values.text()? })
    }
}

/// What `fail` answers.
#[derive(Debug)]
pub(crate) struct FailAnswer {
    /// `released`.
    pub(crate) released: String,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Whether some live worker of a lane offers all that is required, and if not, what of it is offered by any.
#[derive(Debug, Clone)]
pub(crate) struct FindOffers<'a> {
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `requires`: capabilities, canonical.
    pub(crate) requires: &'a str,
}

impl Call for FindOffers<'_> {
    const NAME: &'static str = "find_offers";
    const READS_ONLY: bool = true;
    type Answer = FindOffersAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.lane);
        args.text(self.requires);
    }

    fn decode(values: &mut Values) -> Result<FindOffersAnswer, BadReply> {
        Ok(FindOffersAnswer { covered: values.flag()?, offered: values.list()? })
    }
}

/// What `find_offers` answers.
#[derive(Debug)]
pub(crate) struct FindOffersAnswer {
    /// `covered`.
    pub(crate) covered: bool,
    /// `offered`.
    pub(crate) offered: Vec<Reply>,
}

/// Submits occurrences of schedules, as planned, of those that are still of the version that was planned for.
///
/// A plan is seven values: schedule, version, how many occurrences were missed, up to when they are decided, the
/// next one, when that is due, each of both empty for none, and the occurrences to be submitted, `<time> <id>` in
/// a row.
#[derive(Debug, Clone)]
pub(crate) struct FireSchedules<'a> {
    /// `tag`: that the maintainer asks for, or empty.
    pub(crate) tag: &'a str,
    /// `plans`: packed.
    pub(crate) plans: Bytes,
}

impl Call for FireSchedules<'_> {
    const NAME: &'static str = "fire_schedules";
    const READS_ONLY: bool = false;
    type Answer = FireSchedulesAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.tag);
        args.bytes(self.plans);
    }

    fn decode(values: &mut Values) -> Result<FireSchedulesAnswer, BadReply> {
        Ok(FireSchedulesAnswer {
            now: values.time()?,
            next_due: values.text()?,
            fired: values.int()?,
            broken: values.text()?,
        })
    }
}

/// What `fire_schedules` answers.
#[derive(Debug)]
pub(crate) struct FireSchedulesAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `next_due`: or empty.
    pub(crate) next_due: String,
    /// `fired`: schedules.
    pub(crate) fired: u64,
    /// `broken`: what could not be carried out and is tried again later, a line each.
    pub(crate) broken: String,
}

/// Keeps an execution from being handed out. The outcome is `held` or `already`.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
}

impl Call for Hold {
    const NAME: &'static str = "hold";
    const READS_ONLY: bool = false;
    type Answer = HoldAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
    }

    fn decode(values: &mut Values) -> Result<HoldAnswer, BadReply> {
        Ok(HoldAnswer { outcome: values.text()? })
    }
}

/// What `hold` answers.
#[derive(Debug)]
pub(crate) struct HoldAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Executions behind an id in the order of ids: looks at up to `examined` of them and answers those
/// that the filters let through.
///
/// An item is id, lane, kind, state, attempt or empty, priority, submitted at, ended at or empty.
#[derive(Debug, Clone)]
pub(crate) struct List<'a> {
    /// `after`: an id, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `examined`.
    pub(crate) examined: u64,
    /// `most`: items.
    pub(crate) most: u64,
    /// `states`: each behind a comma; empty for all.
    pub(crate) states: &'a str,
    /// `lane`: or empty.
    pub(crate) lane: &'a str,
    /// `kind`: or empty.
    pub(crate) kind: &'a str,
    /// `tag`: or empty.
    pub(crate) tag: &'a str,
}

impl Call for List<'_> {
    const NAME: &'static str = "list";
    const READS_ONLY: bool = true;
    type Answer = ListAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.after);
        args.int(self.examined);
        args.int(self.most);
        args.text(self.states);
        args.text(self.lane);
        args.text(self.kind);
        args.text(self.tag);
    }

    fn decode(values: &mut Values) -> Result<ListAnswer, BadReply> {
        Ok(ListAnswer {
            last: values.text()?,
            seen: values.int()?,
            more: values.flag()?,
            items: values.list()?,
        })
    }
}

/// What `list` answers.
#[derive(Debug)]
pub(crate) struct ListAnswer {
    /// `last`: the last id that was looked at, or empty.
    pub(crate) last: String,
    /// `seen`: how many were looked at.
    pub(crate) seen: u64,
    /// `more`: whether there are others behind it.
    pub(crate) more: bool,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Budgets behind an id, in the order of ids.
///
/// An item is id, how many wait for room in it, and its fields.
#[derive(Debug, Clone)]
pub(crate) struct ListBudgets<'a> {
    /// `after`: an id, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `most`: items.
    pub(crate) most: u64,
}

impl Call for ListBudgets<'_> {
    const NAME: &'static str = "list_budgets";
    const READS_ONLY: bool = true;
    type Answer = ListBudgetsAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.after);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<ListBudgetsAnswer, BadReply> {
        Ok(ListBudgetsAnswer { now: values.time()?, items: values.list()? })
    }
}

/// What `list_budgets` answers.
#[derive(Debug)]
pub(crate) struct ListBudgetsAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Flows behind an id in the order of ids: looks at up to `examined` of them and answers those that the
/// filters let through.
///
/// An item is id, state, number of nodes, how many are open, when submitted, when ended or empty.
#[derive(Debug, Clone)]
pub(crate) struct ListFlows<'a> {
    /// `after`: an id, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `examined`.
    pub(crate) examined: u64,
    /// `most`: items.
    pub(crate) most: u64,
    /// `states`: each behind a comma; empty for all.
    pub(crate) states: &'a str,
    /// `tag`: or empty.
    pub(crate) tag: &'a str,
}

impl Call for ListFlows<'_> {
    const NAME: &'static str = "list_flows";
    const READS_ONLY: bool = true;
    type Answer = ListFlowsAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.after);
        args.int(self.examined);
        args.int(self.most);
        args.text(self.states);
        args.text(self.tag);
    }

    fn decode(values: &mut Values) -> Result<ListFlowsAnswer, BadReply> {
        Ok(ListFlowsAnswer {
            last: values.text()?,
            seen: values.int()?,
            more: values.flag()?,
            items: values.list()?,
        })
    }
}

/// What `list_flows` answers.
#[derive(Debug)]
pub(crate) struct ListFlowsAnswer {
    /// `last`: the last id that was looked at, or empty.
    pub(crate) last: String,
    /// `seen`: how many were looked at.
    pub(crate) seen: u64,
    /// `more`: whether there are others behind it.
    pub(crate) more: bool,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// The names of lanes that were steered, behind one, in their order.
#[derive(Debug, Clone)]
pub(crate) struct ListLanes<'a> {
    /// `after`: a name, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `most`: items.
    pub(crate) most: u64,
}

impl Call for ListLanes<'_> {
    const NAME: &'static str = "list_lanes";
    const READS_ONLY: bool = true;
    type Answer = ListLanesAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.after);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<ListLanesAnswer, BadReply> {
        Ok(ListLanesAnswer { names: values.list()? })
    }
}

/// What `list_lanes` answers.
#[derive(Debug)]
pub(crate) struct ListLanesAnswer {
    /// `names`.
    pub(crate) names: Vec<Reply>,
}

/// Schedules behind an id, in the order of ids.
///
/// An item is id and fields.
#[derive(Debug, Clone)]
pub(crate) struct ListSchedules<'a> {
    /// `after`: an id, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `most`: items.
    pub(crate) most: u64,
}

impl Call for ListSchedules<'_> {
    const NAME: &'static str = "list_schedules";
    const READS_ONLY: bool = true;
    type Answer = ListSchedulesAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.after);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<ListSchedulesAnswer, BadReply> {
        Ok(ListSchedulesAnswer { items: values.list()? })
    }
}

/// What `list_schedules` answers.
#[derive(Debug)]
pub(crate) struct ListSchedulesAnswer {
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Open waitpoints behind one in the order of their ids, of a partition or of one execution: looks at
/// up to `examined` of them, and stops where their executions keep very much.
///
/// An item is waitpoint, execution, key, state letter, kind letter or empty, when made, when it
/// expires, and how many signals it keeps.
#[derive(Debug, Clone)]
pub(crate) struct ListWaitpoints<'a> {
    /// `execution`: or empty for all.
    pub(crate) execution: &'a str,
    /// `after`: `<waitpoint> <execution>`, or empty for the beginning.
    pub(crate) after: &'a str,
    /// `examined`.
    pub(crate) examined: u64,
    /// `most`: items wanted.
    pub(crate) most: u64,
}

impl Call for ListWaitpoints<'_> {
    const NAME: &'static str = "list_waitpoints";
    const READS_ONLY: bool = true;
    type Answer = ListWaitpointsAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.execution);
        args.text(self.after);
        args.int(self.examined);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<ListWaitpointsAnswer, BadReply> {
        Ok(ListWaitpointsAnswer {
            last: values.text()?,
            seen: values.int()?,
            more: values.flag()?,
            items: values.list()?,
        })
    }
}

/// What `list_waitpoints` answers.
#[derive(Debug)]
pub(crate) struct ListWaitpointsAnswer {
    /// `last`: the last one looked at, in the same form.
    pub(crate) last: String,
    /// `seen`.
    pub(crate) seen: u64,
    /// `more`: whether there are more behind it.
    pub(crate) more: bool,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// The present of the store.
#[derive(Debug, Clone)]
pub(crate) struct Now;

impl Call for Now {
    const NAME: &'static str = "now";
    const READS_ONLY: bool = true;
    type Answer = NowAnswer;

    fn encode(self, _: &mut Args) {}

    fn decode(values: &mut Values) -> Result<NowAnswer, BadReply> {
        Ok(NowAnswer { now: values.time()? })
    }
}

/// What `now` answers.
#[derive(Debug)]
pub(crate) struct NowAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
}

/// What ended the latest wait: how, and of each signal its order, head and body.
#[derive(Debug, Clone)]
pub(crate) struct ObserveSignals {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
}

impl Call for ObserveSignals {
    const NAME: &'static str = "observe_signals";
    const READS_ONLY: bool = true;
    type Answer = ObserveSignalsAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
    }

    fn decode(values: &mut Values) -> Result<ObserveSignalsAnswer, BadReply> {
        Ok(ObserveSignalsAnswer {
            how: values.text()?,
            of: values.text()?,
            signals: values.list()?,
        })
    }
}

/// What `observe_signals` answers.
#[derive(Debug)]
pub(crate) struct ObserveSignalsAnswer {
    /// `how`: `s`, `t`, `u`, `o` and the reason, or empty.
    pub(crate) how: String,
    /// `of`: keys of the waitpoints of that wait, joined by commas.
    pub(crate) of: String,
    /// `signals`.
    pub(crate) signals: Vec<Reply>,
}

/// Opens a partition: makes its mark on first use, and answers what the mark says.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// `partitions`: of the keyspace, were it made now.
    pub(crate) partitions: u64,
    /// `protocol`.
    pub(crate) protocol: u64,
}

impl Call for Open {
    const NAME: &'static str = "open";
    const READS_ONLY: bool = false;
    type Answer = OpenAnswer;

    fn encode(self, args: &mut Args) {
        args.int(self.partitions);
        args.int(self.protocol);
    }

    fn decode(values: &mut Values) -> Result<OpenAnswer, BadReply> {
        Ok(OpenAnswer { partitions: values.int()?, protocol: values.int()? })
    }
}

/// What `open` answers.
#[derive(Debug)]
pub(crate) struct OpenAnswer {
    /// `partitions`.
    pub(crate) partitions: u64,
    /// `protocol`.
    pub(crate) protocol: u64,
}

/// Makes the share of a budget that lies in another partition, unless it is there. It holds nothing, also of what the
/// budget does not limit, until the home has heard of it.
#[derive(Debug, Clone)]
pub(crate) struct OpenShare<'a> {
    /// `budget`.
    pub(crate) budget: u128,
    /// `made`: see `budget`.
    pub(crate) made: &'a str,
    /// `generation`: of the budget, or empty.
    pub(crate) generation: &'a str,
    /// `tags`: `<key> <value>` a line.
    pub(crate) tags: &'a str,
    /// `figures`: name, soft and hard limit, what is used and what is reserved of each dimension, joined by spaces.
    pub(crate) figures: &'a str,
}

impl Call for OpenShare<'_> {
    const NAME: &'static str = "open_share";
    const READS_ONLY: bool = false;
    type Answer = OpenShareAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
        args.text(self.made);
        args.text(self.generation);
        args.text(self.tags);
        args.text(self.figures);
    }

    fn decode(values: &mut Values) -> Result<OpenShareAnswer, BadReply> {
        Ok(OpenShareAnswer { made: values.flag()? })
    }
}

/// What `open_share` answers.
#[derive(Debug)]
pub(crate) struct OpenShareAnswer {
    /// `made`.
    pub(crate) made: bool,
}

/// Wakes another process for an execution whose wake-up came to one that has nobody waiting.
#[derive(Debug, Clone)]
pub(crate) struct PassOn {
    /// `id`.
    pub(crate) id: u128,
}

impl Call for PassOn {
    const NAME: &'static str = "pass_on";
    const READS_ONLY: bool = false;
    type Answer = PassOnAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
    }

    fn decode(values: &mut Values) -> Result<PassOnAnswer, BadReply> {
        Ok(PassOnAnswer { woken: values.flag()? })
    }
}

/// What `pass_on` answers.
#[derive(Debug)]
pub(crate) struct PassOnAnswer {
    /// `woken`.
    pub(crate) woken: bool,
}

/// Puts schedules off that cannot be looked at now, so that they do not hold up what is due behind them.
#[derive(Debug, Clone)]
pub(crate) struct PostponeSchedules<'a> {
    /// `tag`: that the maintainer asks for, or empty.
    pub(crate) tag: &'a str,
    /// `ids`: of the schedules, packed.
    pub(crate) ids: Bytes,
    /// `ms`: for how long.
    pub(crate) ms: u64,
}

impl Call for PostponeSchedules<'_> {
    const NAME: &'static str = "postpone_schedules";
    const READS_ONLY: bool = false;
    type Answer = PostponeSchedulesAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.tag);
        args.bytes(self.ids);
        args.int(self.ms);
    }

    fn decode(values: &mut Values) -> Result<PostponeSchedulesAnswer, BadReply> {
        Ok(PostponeSchedulesAnswer { now: values.time()?, next_due: values.text()? })
    }
}

/// What `postpone_schedules` answers.
#[derive(Debug)]
pub(crate) struct PostponeSchedulesAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `next_due`: or empty.
    pub(crate) next_due: String,
}

/// Reports how far the attempt is.
#[derive(Debug, Clone)]
pub(crate) struct Progress<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `percent`.
    pub(crate) percent: u64,
    /// `message`.
    pub(crate) message: &'a str,
    /// `told`: whether there is a message.
    pub(crate) told: bool,
}

impl Call for Progress<'_> {
    const NAME: &'static str = "progress";
    const READS_ONLY: bool = false;
    type Answer = ProgressAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.int(self.percent);
        args.text(self.message);
        args.flag(self.told);
    }

    fn decode(_: &mut Values) -> Result<ProgressAnswer, BadReply> {
        Ok(ProgressAnswer)
    }
}

/// What `progress` answers.
#[derive(Debug)]
pub(crate) struct ProgressAnswer;

/// Completions behind a place in the log.
///
/// A place is the number of the last event in front of it, and some digits of that event, which tell
/// whether it is still the one that was read. An item is what ended, the execution, how, when, the flow or
/// `-`, whether there is a result, and the result.
#[derive(Debug, Clone)]
pub(crate) struct ReadCompletions<'a> {
    /// `from`: number of an event, `start` or `now`.
    pub(crate) from: &'a str,
    /// `check`: hex digits, or empty.
    pub(crate) check: &'a str,
    /// `most`.
    pub(crate) most: u64,
    /// `tag`: only events with this tag, or empty.
    pub(crate) tag: &'a str,
    /// `flow`: only events of this flow, or empty.
    pub(crate) flow: &'a str,
}

impl Call for ReadCompletions<'_> {
    const NAME: &'static str = "read_completions";
    const READS_ONLY: bool = true;
    type Answer = ReadCompletionsAnswer;

    fn encode(self, args: &mut Args) {
        args.text(self.from);
        args.text(self.check);
        args.int(self.most);
        args.text(self.tag);
        args.text(self.flow);
    }

    fn decode(values: &mut Values) -> Result<ReadCompletionsAnswer, BadReply> {
        Ok(ReadCompletionsAnswer {
            gap: values.flag()?,
            seq: values.int()?,
            check: values.text()?,
            items: values.list()?,
        })
    }
}

/// What `read_completions` answers.
#[derive(Debug)]
pub(crate) struct ReadCompletionsAnswer {
    /// `gap`: events behind the place are gone.
    pub(crate) gap: bool,
    /// `seq`: the place to go on from.
    pub(crate) seq: u64,
    /// `check`.
    pub(crate) check: String,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Frames of an execution behind a place, or in front of it.
#[derive(Debug, Clone)]
pub(crate) struct ReadFrames<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `asked`: attempt, or empty for all.
    pub(crate) asked: &'a str,
    /// `attempt`: of the place.
    pub(crate) attempt: u64,
    /// `ordinal`: of the place, or 0.
    pub(crate) ordinal: u64,
    /// `back`: whether to read backwards.
    pub(crate) back: bool,
    /// `most`.
    pub(crate) most: u64,
    /// `seen`: version of the summary that is known, or empty when none is wanted.
    pub(crate) seen: &'a str,
}

impl Call for ReadFrames<'_> {
    const NAME: &'static str = "read_frames";
    const READS_ONLY: bool = true;
    type Answer = ReadFramesAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.text(self.asked);
        args.int(self.attempt);
        args.int(self.ordinal);
        args.flag(self.back);
        args.int(self.most);
        args.text(self.seen);
    }

    fn decode(values: &mut Values) -> Result<ReadFramesAnswer, BadReply> {
        Ok(ReadFramesAnswer {
            gap: values.flag()?,
            end: values.text()?,
            items: values.list()?,
            summary: values.bytes()?,
        })
    }
}

/// What `read_frames` answers.
#[derive(Debug)]
pub(crate) struct ReadFramesAnswer {
    /// `gap`.
    pub(crate) gap: bool,
    /// `end`: how the execution ended, `superseded`, or empty.
    pub(crate) end: String,
    /// `items`: id and field of each.
    pub(crate) items: Vec<Reply>,
    /// `summary`: `<version> <attempt> <when>`, a line's end, and the document; or empty.
    pub(crate) summary: Bytes,
}

/// Some nodes of a flow from an index on, with the edges that lead out of them.
///
/// An item is the fields `nd` and `dp`, lane, kind, state, attempt or empty, and the edges, three bytes
/// each: two of the child's index, and a letter of condition.
#[derive(Debug, Clone)]
pub(crate) struct ReadGraph {
    /// `flow`.
    pub(crate) flow: u128,
    /// `from`: index of the first node.
    pub(crate) from: u64,
    /// `most`.
    pub(crate) most: u64,
}

impl Call for ReadGraph {
    const NAME: &'static str = "read_graph";
    const READS_ONLY: bool = true;
    type Answer = ReadGraphAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
        args.int(self.from);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<ReadGraphAnswer, BadReply> {
        Ok(ReadGraphAnswer { revision: values.int()?, count: values.int()?, items: values.list()? })
    }
}

/// What `read_graph` answers.
#[derive(Debug)]
pub(crate) struct ReadGraphAnswer {
    /// `revision`.
    pub(crate) revision: u64,
    /// `count`: of all nodes.
    pub(crate) count: u64,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// The reclaim scanner: tokens for executions whose lease was lost or whose wait is over.
#[derive(Debug, Clone)]
pub(crate) struct Reclaimable<'a> {
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `offered`: capabilities, canonical.
    pub(crate) offered: &'a str,
    /// `instance`.
    pub(crate) instance: u128,
    /// `most`.
    pub(crate) most: u64,
    /// `tag`: or empty.
    pub(crate) tag: &'a str,
    /// `repeats`: whether only what this same request was given before is wanted.
    pub(crate) repeats: bool,
}

impl Call for Reclaimable<'_> {
    const NAME: &'static str = "reclaimable";
    const READS_ONLY: bool = false;
    type Answer = ReclaimableAnswer;

    fn encode(self, args: &mut Args) {
        args.bytes(self.request);
        args.text(self.lane);
        args.text(self.offered);
        args.id(self.instance);
        args.int(self.most);
        args.text(self.tag);
        args.flag(self.repeats);
    }

    fn decode(values: &mut Values) -> Result<ReclaimableAnswer, BadReply> {
        Ok(ReclaimableAnswer {
            known: values.flag()?,
            again: values.flag()?,
            items: values.list()?,
        })
    }
}

/// What `reclaimable` answers.
#[derive(Debug)]
pub(crate) struct ReclaimableAnswer {
    /// `known`: the request was made before, and this is what is still good of its answer.
    pub(crate) known: bool,
    /// `again`: only expired executions were found, and there may be more behind.
    pub(crate) again: bool,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// Records the result of a step, unless the step has one: the first stands. The outcome is `recorded`,
/// also when the result is the one that stands, or `stands` and that.
#[derive(Debug, Clone)]
pub(crate) struct RecordStep<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `name`.
    pub(crate) name: &'a str,
    /// `type`: content type; empty for the default one.
    pub(crate) content_type: &'a str,
    /// `result`.
    pub(crate) result: Bytes,
}

impl Call for RecordStep<'_> {
    const NAME: &'static str = "record_step";
    const READS_ONLY: bool = false;
    type Answer = RecordStepAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.name);
        args.text(self.content_type);
        args.bytes(self.result);
    }

    fn decode(values: &mut Values) -> Result<RecordStepAnswer, BadReply> {
        Ok(RecordStepAnswer {
            outcome: values.text()?,
            content_type: values.text()?,
            result: values.bytes()?,
        })
    }
}

/// What `record_step` answers.
#[derive(Debug)]
pub(crate) struct RecordStepAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
    /// `type`.
    pub(crate) content_type: String,
    /// `result`.
    pub(crate) result: Bytes,
}

/// Lifts a hold; other reasons stay. The outcome is `released` or `not_held`.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseHold {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
}

impl Call for ReleaseHold {
    const NAME: &'static str = "release_hold";
    const READS_ONLY: bool = false;
    type Answer = ReleaseHoldAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
    }

    fn decode(values: &mut Values) -> Result<ReleaseHoldAnswer, BadReply> {
        Ok(ReleaseHoldAnswer { outcome: values.text()? })
    }
}

/// What `release_hold` answers.
#[derive(Debug)]
pub(crate) struct ReleaseHoldAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Extends leases to now + their TTL, each with an answer of its own: the new expiry or a refusal.
#[derive(Debug, Clone)]
pub(crate) struct Renew {
    /// What the call is made for, in order.
    pub(crate) items: Vec<RenewItem>,
}

/// One item of [`Renew`].
#[derive(Debug, Clone)]
pub(crate) struct RenewItem {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
}

impl Call for Renew {
    const NAME: &'static str = "renew";
    const READS_ONLY: bool = false;
    type Answer = RenewAnswer;

    fn encode(self, args: &mut Args) {
        for item in self.items {
            args.id(item.id);
            args.int(item.attempt);
            args.int(item.epoch);
            args.bytes(item.lease);
        }
    }

    fn decode(values: &mut Values) -> Result<RenewAnswer, BadReply> {
        Ok(RenewAnswer { answers: values.list()? })
    }
}

/// What `renew` answers.
#[derive(Debug)]
pub(crate) struct RenewAnswer {
    /// `answers`.
    pub(crate) answers: Vec<Reply>,
}

/// Reopens an execution that ended. The outcome is `replayed <index of the next attempt>`.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
}

impl Call for Replay {
    const NAME: &'static str = "replay";
    const READS_ONLY: bool = false;
    type Answer = ReplayAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
    }

    fn decode(values: &mut Values) -> Result<ReplayAnswer, BadReply> {
        Ok(ReplayAnswer { outcome: values.text()?, left: values.text()? })
    }
}

/// What `replay` answers.
#[derive(Debug)]
pub(crate) struct ReplayAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Counts what an attempt has used, in all budgets of the execution or in none. The outcome is `ok`, `already`
/// when a report with this key was counted before, or `soft` or `hard` and which limit is passed: budget,
/// limit, what is used, what is reserved, what was asked for, and the dimension; or `short`, which budget has a share
/// here that does not hold enough, and how much is missing, see `amounts`; or `recall`, which budget has too little room
/// here while its shares may hold some that nobody uses, and the names of these.
#[derive(Debug, Clone)]
pub(crate) struct ReportUsage<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `given`: whether there is a key.
    pub(crate) given: bool,
    /// `key`: of the report.
    pub(crate) key: &'a str,
    /// `used`: see `amounts`.
    pub(crate) used: &'a str,
    /// `last`: whether to say what is passed where more room may be had.
    pub(crate) last: bool,
}

impl Call for ReportUsage<'_> {
    const NAME: &'static str = "report_usage";
    const READS_ONLY: bool = false;
    type Answer = ReportUsageAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.flag(self.given);
        args.text(self.key);
        args.text(self.used);
        args.flag(self.last);
    }

    fn decode(values: &mut Values) -> Result<ReportUsageAnswer, BadReply> {
        Ok(ReportUsageAnswer { outcome: values.text()? })
    }
}

/// What `report_usage` answers.
#[derive(Debug)]
pub(crate) struct ReportUsageAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Ends the wait of a suspended execution from outside. The outcome is `resumed`, or `not_suspended`
/// and the state.
#[derive(Debug, Clone)]
pub(crate) struct ResumeExecution<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `reason`.
    pub(crate) reason: &'a str,
}

impl Call for ResumeExecution<'_> {
    const NAME: &'static str = "resume_execution";
    const READS_ONLY: bool = false;
    type Answer = ResumeExecutionAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
        args.text(self.reason);
    }

    fn decode(values: &mut Values) -> Result<ResumeExecutionAnswer, BadReply> {
        Ok(ResumeExecutionAnswer { outcome: values.text()? })
    }
}

/// What `resume_execution` answers.
#[derive(Debug)]
pub(crate) struct ResumeExecutionAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Takes the lease of the running attempt away. The outcome is `revoked` or `not_active`.
#[derive(Debug, Clone)]
pub(crate) struct Revoke {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
}

impl Call for Revoke {
    const NAME: &'static str = "revoke";
    const READS_ONLY: bool = false;
    type Answer = RevokeAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
    }

    fn decode(values: &mut Values) -> Result<RevokeAnswer, BadReply> {
        Ok(RevokeAnswer { outcome: values.text()? })
    }
}

/// What `revoke` answers.
#[derive(Debug)]
pub(crate) struct RevokeAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Saves what the handler wants to find when it is called again, in place of what it saved before.
#[derive(Debug, Clone)]
pub(crate) struct SaveState {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `given`: whether there is a state; else it is removed.
    pub(crate) given: bool,
    /// `state`.
    pub(crate) state: Bytes,
}

impl Call for SaveState {
    const NAME: &'static str = "save_state";
    const READS_ONLY: bool = false;
    type Answer = SaveStateAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.flag(self.given);
        args.bytes(self.state);
    }

    fn decode(_: &mut Values) -> Result<SaveStateAnswer, BadReply> {
        Ok(SaveStateAnswer)
    }
}

/// What `save_state` answers.
#[derive(Debug)]
pub(crate) struct SaveStateAnswer;

/// Sets and removes tags of an execution.
#[derive(Debug, Clone)]
pub(crate) struct SetTags {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `changes`: three values of each, packed: key, `1` to set it and `0` to remove it, and the value.
    pub(crate) changes: Bytes,
}

impl Call for SetTags {
    const NAME: &'static str = "set_tags";
    const READS_ONLY: bool = false;
    type Answer = SetTagsAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
        args.bytes(self.changes);
    }

    fn decode(values: &mut Values) -> Result<SetTagsAnswer, BadReply> {
        Ok(SetTagsAnswer { tags: values.text()? })
    }
}

/// What `set_tags` answers.
#[derive(Debug)]
pub(crate) struct SetTagsAnswer {
    /// `tags`: as they are then, one `<key> <value>` a line.
    pub(crate) tags: String,
}

/// Takes the message of a share of a budget that lies in another partition: counts what it has used, and grants it what
/// there is room for.
///
/// there otherwise
#[derive(Debug, Clone)]
pub(crate) struct SettleShare<'a> {
    /// `budget`.
    pub(crate) budget: u128,
    /// `share`: the number of its partition.
    pub(crate) share: &'a str,
    /// `message`: see `share_messages`.
    pub(crate) message: Bytes,
}

impl Call for SettleShare<'_> {
    const NAME: &'static str = "settle_share";
    const READS_ONLY: bool = false;
    type Answer = SettleShareAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.budget);
        args.text(self.share);
        args.bytes(self.message);
    }

    fn decode(values: &mut Values) -> Result<SettleShareAnswer, BadReply> {
        Ok(SettleShareAnswer { answer: values.bytes()?, recalled: values.text()? })
    }
}

/// What `settle_share` answers.
#[derive(Debug)]
pub(crate) struct SettleShareAnswer {
    /// `answer`.
    pub(crate) answer: Bytes,
    /// `recalled`: the shares that are to give back what nobody uses, joined by spaces: what is needed at once is not.
    pub(crate) recalled: String,
}

/// The key that signs waitpoint tokens where none is configured: the one that stands, or else the one
/// that is proposed, from now on. Empty when none stands and none is proposed.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey {
    /// `proposed`: or empty.
    pub(crate) proposed: Bytes,
}

impl Call for SigningKey {
    const NAME: &'static str = "signing_key";
    const READS_ONLY: bool = false;
    type Answer = SigningKeyAnswer;

    fn encode(self, args: &mut Args) {
        args.bytes(self.proposed);
    }

    fn decode(values: &mut Values) -> Result<SigningKeyAnswer, BadReply> {
        Ok(SigningKeyAnswer { secret: values.bytes()? })
    }
}

/// What `signing_key` answers.
#[derive(Debug)]
pub(crate) struct SigningKeyAnswer {
    /// `secret`.
    pub(crate) secret: Bytes,
}

/// Stores some nodes of a flow, or of its extension, where nobody sees them until it is sealed. The codes
/// of a refusal are followed by what the flow says.
#[derive(Debug, Clone)]
pub(crate) struct StageFlow<'a> {
    /// `flow`.
    pub(crate) flow: u128,
    /// `fingerprint`: of a new flow, or empty for an extension.
    pub(crate) fingerprint: &'a str,
    /// `by`: who stores: hex digits.
    pub(crate) by: &'a str,
    /// `first`: index of the first node.
    pub(crate) first: u64,
    /// `nodes`: twenty-one values of each, see `nodes`.
    pub(crate) nodes: Bytes,
}

impl Call for StageFlow<'_> {
    const NAME: &'static str = "stage_flow";
    const READS_ONLY: bool = false;
    type Answer = StageFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
        args.text(self.fingerprint);
        args.text(self.by);
        args.int(self.first);
        args.bytes(self.nodes);
    }

    fn decode(values: &mut Values) -> Result<StageFlowAnswer, BadReply> {
        Ok(StageFlowAnswer { sealed: values.flag()? })
    }
}

/// What `stage_flow` answers.
#[derive(Debug)]
pub(crate) struct StageFlowAnswer {
    /// `sealed`: the flow has been stored as a whole before.
    pub(crate) sealed: bool,
}

/// The recorded steps: name and stored text, one behind the other, in no order.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
}

impl Call for Steps {
    const NAME: &'static str = "steps";
    const READS_ONLY: bool = true;
    type Answer = StepsAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
    }

    fn decode(values: &mut Values) -> Result<StepsAnswer, BadReply> {
        Ok(StepsAnswer { steps: values.list()? })
    }
}

/// What `steps` answers.
#[derive(Debug)]
pub(crate) struct StepsAnswer {
    /// `steps`.
    pub(crate) steps: Vec<Reply>,
}

/// Stores executions, each with an outcome of its own, in the order given.
///
/// An outcome is `new`, `existing <id>`, or a refusal of that one.
#[derive(Debug, Clone)]
pub(crate) struct Submit<'a> {
    /// What the call is made for, in order.
    pub(crate) items: Vec<SubmitItem<'a>>,
}

/// One item of [`Submit`].
#[derive(Debug, Clone)]
pub(crate) struct SubmitItem<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `fingerprint`: of the submission.
    pub(crate) fingerprint: &'a str,
    /// `lane`.
    pub(crate) lane: &'a str,
    /// `class`: required capabilities, canonical.
    pub(crate) class: &'a str,
    /// `priority`.
    pub(crate) priority: i64,
    /// `kind`.
    pub(crate) kind: &'a str,
    /// `type`: content type; empty for the default one.
    pub(crate) content_type: &'a str,
    /// `payload`.
    pub(crate) payload: Bytes,
    /// `tags`: `<key> <value>` a line.
    pub(crate) tags: &'a str,
    /// `policy`: nine numbers.
    pub(crate) policy: &'a str,
    /// `start`: time before which it is not ready, or empty.
    pub(crate) start: &'a str,
    /// `deadline`: or empty.
    pub(crate) deadline: &'a str,
    /// `budgets`: 32 digits each.
    pub(crate) budgets: &'a str,
    /// `estimate`: see `amounts`.
    pub(crate) estimate: &'a str,
    /// `lane_key`: or empty.
    pub(crate) lane_key: &'a str,
    /// `key`: idempotency key, or empty.
    pub(crate) key: &'a str,
    /// `window`: of the key, ms.
    pub(crate) window: u64,
    /// `on_terminal`: existing, reuse or reject.
    pub(crate) on_terminal: &'a str,
}

impl Call for Submit<'_> {
    const NAME: &'static str = "submit";
    const READS_ONLY: bool = false;
    type Answer = SubmitAnswer;

    fn encode(self, args: &mut Args) {
        for item in self.items {
            args.id(item.id);
            args.text(item.fingerprint);
            args.text(item.lane);
            args.text(item.class);
            args.signed(item.priority);
            args.text(item.kind);
            args.text(item.content_type);
            args.bytes(item.payload);
            args.text(item.tags);
            args.text(item.policy);
            args.text(item.start);
            args.text(item.deadline);
            args.text(item.budgets);
            args.text(item.estimate);
            args.text(item.lane_key);
            args.text(item.key);
            args.int(item.window);
            args.text(item.on_terminal);
        }
    }

    fn decode(values: &mut Values) -> Result<SubmitAnswer, BadReply> {
        Ok(SubmitAnswer { outcomes: values.list()? })
    }
}

/// What `submit` answers.
#[derive(Debug)]
pub(crate) struct SubmitAnswer {
    /// `outcomes`.
    pub(crate) outcomes: Vec<Reply>,
}

/// Stores a flow as a whole: with its nodes, or by sealing those that are staged.
#[derive(Debug, Clone)]
pub(crate) struct SubmitFlow<'a> {
    /// `flow`.
    pub(crate) flow: u128,
    /// `fingerprint`: of the whole.
    pub(crate) fingerprint: &'a str,
    /// `policy`: `i` isolate or `f` fail fast, then its budgets, 32 digits each.
    pub(crate) policy: &'a str,
    /// `retention`: ms.
    pub(crate) retention: u64,
    /// `deadline`: or empty.
    pub(crate) deadline: &'a str,
    /// `tags`: `<key> <value>` a line.
    pub(crate) tags: &'a str,
    /// `count`: of nodes.
    pub(crate) count: u64,
    /// `edges`: how many there are.
    pub(crate) edges: u64,
    /// `parent`: the execution that starts it, or empty.
    pub(crate) parent: &'a str,
    /// `attempt`: of its lease.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `staged`: whether the nodes are staged.
    pub(crate) staged: bool,
    /// `nodes`: twenty-one values of each, see `nodes`.
    pub(crate) nodes: Bytes,
}

impl Call for SubmitFlow<'_> {
    const NAME: &'static str = "submit_flow";
    const READS_ONLY: bool = false;
    type Answer = SubmitFlowAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.flow);
        args.text(self.fingerprint);
        args.text(self.policy);
        args.int(self.retention);
        args.text(self.deadline);
        args.text(self.tags);
        args.int(self.count);
        args.int(self.edges);
        args.text(self.parent);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.flag(self.staged);
        args.bytes(self.nodes);
    }

    fn decode(values: &mut Values) -> Result<SubmitFlowAnswer, BadReply> {
        Ok(SubmitFlowAnswer { left: values.text()? })
    }
}

/// What `submit_flow` answers.
#[derive(Debug)]
pub(crate) struct SubmitFlowAnswer {
    /// `left`: flows in which something is left to do, joined by commas.
    pub(crate) left: String,
}

/// Gives the lease back until signals satisfy a condition, unless those that were kept do.
#[derive(Debug, Clone)]
pub(crate) struct Suspend<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the arguments.
    pub(crate) digest: &'a str,
    /// `wanted`: six values of each waitpoint, packed: id, key, kind, matcher, life in ms, and of a pending one its expiry.
    pub(crate) wanted: Bytes,
    /// `groups`: `<n><what it counts>:<places>`, joined by semicolons.
    pub(crate) groups: &'a str,
    /// `timeout`: ms, or empty.
    pub(crate) timeout: &'a str,
    /// `behavior`: `f`, `c`, `e` or `r`.
    pub(crate) behavior: &'a str,
    /// `kids`: ids of the keys that verify tokens, joined by commas: the one that signs, then `<id>=<until>`.
    pub(crate) kids: &'a str,
    /// `saves`: whether a state is saved with it.
    pub(crate) saves: bool,
    /// `state`.
    pub(crate) state: Bytes,
}

impl Call for Suspend<'_> {
    const NAME: &'static str = "suspend";
    const READS_ONLY: bool = false;
    type Answer = SuspendAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.bytes(self.wanted);
        args.text(self.groups);
        args.text(self.timeout);
        args.text(self.behavior);
        args.text(self.kids);
        args.flag(self.saves);
        args.bytes(self.state);
    }

    fn decode(values: &mut Values) -> Result<SuspendAnswer, BadReply> {
        Ok(SuspendAnswer { outcome: values.text()?, waitpoints: values.list()? })
    }
}

/// What `suspend` answers.
#[derive(Debug)]
pub(crate) struct SuspendAnswer {
    /// `outcome`: `waiting` or `satisfied`.
    pub(crate) outcome: String,
    /// `waitpoints`: of each id, key, expiry, key id.
    pub(crate) waitpoints: Vec<Reply>,
}

/// Handles what is due, the longest due first. When nothing was, it lets a waiting maintainer sleep.
#[derive(Debug, Clone)]
pub(crate) struct Tick<'a> {
    /// `most`.
    pub(crate) most: u64,
    /// `tag`: only executions with this tag, or empty.
    pub(crate) tag: &'a str,
    /// `process`: that would sleep, or empty.
    pub(crate) process: &'a str,
    /// `wait`: how long at the most, ms.
    pub(crate) wait: u64,
}

impl Call for Tick<'_> {
    const NAME: &'static str = "tick";
    const READS_ONLY: bool = false;
    type Answer = TickAnswer;

    fn encode(self, args: &mut Args) {
        args.int(self.most);
        args.text(self.tag);
        args.text(self.process);
        args.int(self.wait);
    }

    fn decode(values: &mut Values) -> Result<TickAnswer, BadReply> {
        Ok(TickAnswer {
            now: values.time()?,
            next_due: values.text()?,
            delays: values.int()?,
            leases: values.int()?,
            timeouts: values.int()?,
            expired: values.int()?,
            grants: values.int()?,
            removed: values.int()?,
            waits: values.int()?,
            waitpoints: values.int()?,
            flows_expired: values.int()?,
            flows_removed: values.int()?,
            flows_advanced: values.int()?,
            budgets: values.int()?,
            lanes: values.int()?,
            repaired: values.int()?,
            cut_off: values.flag()?,
            broken: values.text()?,
            schedules: values.list()?,
            shares: values.list()?,
        })
    }
}

/// What `tick` answers.
#[derive(Debug)]
pub(crate) struct TickAnswer {
    /// `now`.
    pub(crate) now: TimestampMs,
    /// `next_due`: or empty.
    pub(crate) next_due: String,
    /// `delays`.
    pub(crate) delays: u64,
    /// `leases`.
    pub(crate) leases: u64,
    /// `timeouts`.
    pub(crate) timeouts: u64,
    /// `expired`.
    pub(crate) expired: u64,
    /// `grants`.
    pub(crate) grants: u64,
    /// `removed`.
    pub(crate) removed: u64,
    /// `waits`.
    pub(crate) waits: u64,
    /// `waitpoints`.
    pub(crate) waitpoints: u64,
    /// `flows_expired`.
    pub(crate) flows_expired: u64,
    /// `flows_removed`.
    pub(crate) flows_removed: u64,
    /// `flows_advanced`: of which some was done of what is left to do.
    pub(crate) flows_advanced: u64,
    /// `budgets`: that were looked at.
    pub(crate) budgets: u64,
    /// `lanes`: that were looked at.
    pub(crate) lanes: u64,
    /// `repaired`: lost wake-ups.
    pub(crate) repaired: u64,
    /// `cut_off`: the call stopped early because it had done enough.
    pub(crate) cut_off: bool,
    /// `broken`: what could not be handled and is tried again later, a line each.
    pub(crate) broken: String,
    /// `schedules`: those that are due, for the client to plan: id, and fields that say when it recurs.
    pub(crate) schedules: Vec<Reply>,
    /// `shares`: those to advance: a budget, and the numbers of their partitions joined by spaces, or empty for this one.
    pub(crate) shares: Vec<Reply>,
}

/// Replaces the running summary of an execution when it is still of a version. The outcome is `updated`, also
/// for a repeat, or `stands` and what does, empty when there is none.
#[derive(Debug, Clone)]
pub(crate) struct UpdateSummary {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `expected`: version; 0 for none.
    pub(crate) expected: u64,
    /// `document`.
    pub(crate) document: Bytes,
}

impl Call for UpdateSummary {
    const NAME: &'static str = "update_summary";
    const READS_ONLY: bool = false;
    type Answer = UpdateSummaryAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.int(self.expected);
        args.bytes(self.document);
    }

    fn decode(values: &mut Values) -> Result<UpdateSummaryAnswer, BadReply> {
        Ok(UpdateSummaryAnswer { outcome: values.text()?, stands: values.bytes()? })
    }
}

/// What `update_summary` answers.
#[derive(Debug)]
pub(crate) struct UpdateSummaryAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
    /// `stands`: `<version> <attempt> <when>`, a line's end, and the document.
    pub(crate) stands: Bytes,
}

/// How parents of a node ended, in the order of its edges, from one on: up to `most`, or as many as their
/// results are not too much to carry.
///
/// An item is key, id, state, whether there is a result, its content type, and the result.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamResults {
    /// `id`.
    pub(crate) id: u128,
    /// `from`.
    pub(crate) from: u64,
    /// `most`.
    pub(crate) most: u64,
}

impl Call for UpstreamResults {
    const NAME: &'static str = "upstream_results";
    const READS_ONLY: bool = true;
    type Answer = UpstreamResultsAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.from);
        args.int(self.most);
    }

    fn decode(values: &mut Values) -> Result<UpstreamResultsAnswer, BadReply> {
        Ok(UpstreamResultsAnswer { total: values.int()?, items: values.list()? })
    }
}

/// What `upstream_results` answers.
#[derive(Debug)]
pub(crate) struct UpstreamResultsAnswer {
    /// `total`: parents of the node.
    pub(crate) total: u64,
    /// `items`.
    pub(crate) items: Vec<Reply>,
}

/// What library is loaded: the protocol it speaks and the hash of its text.
#[derive(Debug, Clone)]
pub(crate) struct Version;

impl Call for Version {
    const NAME: &'static str = "version";
    const READS_ONLY: bool = true;
    type Answer = VersionAnswer;

    fn encode(self, _: &mut Args) {}

    fn decode(values: &mut Values) -> Result<VersionAnswer, BadReply> {
        Ok(VersionAnswer { protocol: values.int()?, hash: values.text()? })
    }
}

/// What `version` answers.
#[derive(Debug)]
pub(crate) struct VersionAnswer {
    /// `protocol`.
    pub(crate) protocol: u64,
    /// `hash`.
    pub(crate) hash: String,
}

/// Gives the lease back until a child flow has ended. The outcome is `waiting`, or `ended` and its state.
#[derive(Debug, Clone)]
pub(crate) struct WaitChildren<'a> {
    /// `id`.
    pub(crate) id: u128,
    /// `attempt`.
    pub(crate) attempt: u64,
    /// `epoch`.
    pub(crate) epoch: u64,
    /// `lease`: 16 bytes.
    pub(crate) lease: Bytes,
    /// `digest`: of the arguments.
    pub(crate) digest: &'a str,
    /// `flow`.
    pub(crate) flow: u128,
    /// `saves`: whether a state is saved with it.
    pub(crate) saves: bool,
    /// `state`.
    pub(crate) state: Bytes,
}

impl Call for WaitChildren<'_> {
    const NAME: &'static str = "wait_children";
    const READS_ONLY: bool = false;
    type Answer = WaitChildrenAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.int(self.attempt);
        args.int(self.epoch);
        args.bytes(self.lease);
        args.text(self.digest);
        args.id(self.flow);
        args.flag(self.saves);
        args.bytes(self.state);
    }

    fn decode(values: &mut Values) -> Result<WaitChildrenAnswer, BadReply> {
        Ok(WaitChildrenAnswer { outcome: values.text()? })
    }
}

/// What `wait_children` answers.
#[derive(Debug)]
pub(crate) struct WaitChildrenAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}

/// Closes a waitpoint from outside. The outcome is `withdrawn` or `already_closed`.
#[derive(Debug, Clone)]
pub(crate) struct WithdrawWaitpoint {
    /// `id`.
    pub(crate) id: u128,
    /// `request`: 16 bytes of request id.
    pub(crate) request: Bytes,
    /// `waitpoint`.
    pub(crate) waitpoint: u128,
}

impl Call for WithdrawWaitpoint {
    const NAME: &'static str = "withdraw_waitpoint";
    const READS_ONLY: bool = false;
    type Answer = WithdrawWaitpointAnswer;

    fn encode(self, args: &mut Args) {
        args.id(self.id);
        args.bytes(self.request);
        args.id(self.waitpoint);
    }

    fn decode(values: &mut Values) -> Result<WithdrawWaitpointAnswer, BadReply> {
        Ok(WithdrawWaitpointAnswer { outcome: values.text()? })
    }
}

/// What `withdraw_waitpoint` answers.
#[derive(Debug)]
pub(crate) struct WithdrawWaitpointAnswer {
    /// `outcome`.
    pub(crate) outcome: String,
}
