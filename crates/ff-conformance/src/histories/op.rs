//! One step of a history, in numbers small enough to shrink well.
//!
//! Indexes into what the history has made so far wrap around, so that every step of a shrunk
//! history still means something.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::flow_op::{FlowOp, flow};

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    /// Submits a new execution.
    Submit(SubmitOp),
    /// Repeats an earlier submission.
    Resubmit(u8),
    /// Claims.
    Claim { lane: u8, offered: u8, max_tasks: u8, reclaims: bool, instance: u8 },
    /// Asks the reclaim scanner.
    Reclaimable { lane: u8, offered: u8, max_tokens: u8, filtered: bool },
    /// Uses a token.
    TakeUp(u8),
    /// Renews a lease.
    Renew(u8),
    /// Reports progress.
    Progress { handle: u8, percent: u8 },
    /// Completes.
    Complete { handle: u8, result: Option<u8> },
    /// Fails with one of the classes.
    Fail { handle: u8, class: u8, retry_after: Option<u16> },
    /// Cancels with the handle.
    Cancel(u8),
    /// Pauses for this many ms, with a state to save or without.
    Delay { handle: u8, ms: u16, state: Option<u8> },
    /// Saves a state of this many bytes, or removes it.
    SaveState { handle: u8, state: Option<u8> },
    /// Records one of three results for one of three steps.
    RecordStep { handle: u8, name: u8, result: u8 },
    /// Looks at the recorded steps.
    Steps(u8),
    /// Appends frames with numbers from one on.
    Append { handle: u8, number: u8, count: u8 },
    /// Replaces the running summary, which is taken to have a version.
    Summarize { handle: u8, version: u8, byte: u8 },
    /// Reads a page of frames, of all attempts or of one, in front of a frame or behind it.
    Follow { which: u8, attempt: Option<u8>, behind: Option<u8>, backwards: bool, limit: u8 },
    /// Makes a waitpoint of one of three keys.
    CreateWaitpoint { handle: u8, key: u8, expires: u16 },
    /// Suspends.
    Suspend(SuspendOp),
    /// Looks at what ended the latest wait.
    Observe(u8),
    /// Closes a waitpoint with the handle.
    CloseWaitpoint { handle: u8, waitpoint: u8 },
    /// Signals.
    Signal(SignalOp),
    /// Signals as the latest signal did, under the same id.
    SignalAgain,
    /// Closes a waitpoint from outside.
    Withdraw(u8),
    /// Resumes from outside.
    Resume(u8),
    /// Lists the open waitpoints with a page size, of all executions or of one.
    Waitpoints { limit: u8, of: Option<u8> },
    /// Cancels from outside.
    CancelExecution(u8),
    /// Holds.
    Hold(u8),
    /// Releases a hold.
    ReleaseHold(u8),
    /// Revokes.
    Revoke(u8),
    /// Sets or removes the tag that filters go by.
    Tag { which: u8, set: bool },
    /// Replays.
    Replay(u8),
    /// Does the latest writing step again, as after a lost answer.
    Again,
    /// Ticks.
    Tick { limit: u8, filtered: bool },
    /// Moves the clock forward.
    Advance(u16),
    /// Steps the clock, back when negative.
    Step(i32),
    /// Reads everything there is to read of one execution.
    Read(u8),
    /// Lists with a page size and a state filter.
    List { limit: u8, state: Option<u8> },
    /// Does something about flows.
    Flow(FlowOp),
    /// Reports so many tokens under one of a few keys.
    Report { handle: u8, amount: u8, key: u8 },
    /// Changes the state or the settings of a lane.
    Steer(SteerOp),
    /// Limits a budget anew, and may let it start from nothing.
    Adjust { budget: u8, hard: u8, reset: bool },
    /// Does something about schedules.
    Recur(RecurOp),
}

/// A step about schedules.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RecurOp {
    /// Makes one.
    Make { overlap: u8, misfire: u8, tagged: bool, lane: u8 },
    /// Pauses one.
    Pause(u8),
    /// Resumes one.
    Resume(u8),
    /// Submits what lately should have been.
    Backfill(u8),
    /// Deletes one.
    Delete(u8),
}

/// What is submitted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SubmitOp {
    /// Which lane.
    pub(super) lane: u8,
    /// For which key in it, if any.
    pub(super) lane_key: Option<u8>,
    /// Priority.
    pub(super) priority: i8,
    /// Which set of required capabilities.
    pub(super) required: u8,
    /// Tagged for the filtered scanner.
    pub(super) tagged: bool,
    /// Delay in ms.
    pub(super) delay: Option<u16>,
    /// Deadline in ms from now.
    pub(super) deadline: Option<u16>,
    /// Which idempotency key, with which rule for ended executions.
    pub(super) key: Option<(u8, u8)>,
    /// Retries.
    pub(super) retries: u8,
    /// Back-off base in ms.
    pub(super) backoff: u16,
    /// Reclaims.
    pub(super) reclaims: u8,
    /// Attempt timeout in ms.
    pub(super) timeout: Option<u16>,
    /// Retention in ms.
    pub(super) retention: u16,
    /// On which budgets it draws, one bit each.
    pub(super) budgets: u8,
    /// How many tokens it is expected to use.
    pub(super) estimate: u8,
}

/// How a lane is steered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SteerOp {
    /// Which lane.
    pub(super) lane: u8,
    /// Its state; otherwise its settings.
    pub(super) state: Option<u8>,
    /// Most leases.
    pub(super) leases: Option<u8>,
    /// Claims in a second.
    pub(super) rate: Option<u8>,
    /// Most leases for each key.
    pub(super) key_leases: Option<u8>,
    /// Claims in a second for each key.
    pub(super) key_rate: Option<u8>,
    /// Ageing in ms.
    pub(super) ageing: Option<u16>,
    /// Most that are ready.
    pub(super) queued: Option<u8>,
    /// Time to live in ms.
    pub(super) time_to_live: Option<u16>,
    /// Whether a key has a weight.
    pub(super) weighs: bool,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SuspendOp {
    /// Whose lease.
    pub(super) handle: u8,
    /// Which of the three keys, one bit each.
    pub(super) keys: u8,
    /// Whether open waitpoints of those keys are brought with their tokens.
    pub(super) pending: bool,
    /// Whether only signals of one name count.
    pub(super) named: bool,
    /// Any, all, at least two of something, or two groups.
    pub(super) condition: u8,
    /// Timeout in ms, and what then.
    pub(super) timeout: Option<(u16, u8)>,
    /// How long fresh waitpoints stay open, in ms beyond the least.
    pub(super) expires: u16,
    /// The state to save, if any.
    pub(super) state: Option<u8>,
}

/// What is signalled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SignalOp {
    /// Which waitpoint, the latest ones most often.
    pub(super) waitpoint: u8,
    /// Whether it has the name that named waitpoints want.
    pub(super) named: bool,
    /// Which idempotency key.
    pub(super) key: Option<u8>,
    /// By which principal.
    pub(super) principal: Option<u8>,
    /// Whether the token is one of another waitpoint.
    pub(super) forged: bool,
}

/// How many executions of no flow one history submits at most.
pub(super) const EXECUTIONS_MAX: usize = 8;

/// A history of up to `most` steps.
pub(super) fn history(most: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..=most)
}

/// Spans around the TTLs, grants and delays that histories use. They are drawn from a table, which
/// costs less than a choice of strategies.
pub(super) fn span() -> impl Strategy<Value = u16> {
    const SPANS: [u16; 14] =
        [0, 0, 1, 1, 999, 999, 1_000, 1_000, 1_000, 2_500, 2_500, 5_000, 5_000, 20_000];
    (0..SPANS.len() + 2, 0_u16..6_000)
        .prop_map(|(at, other)| SPANS.get(at).copied().unwrap_or(other))
}

fn submit() -> impl Strategy<Value = SubmitOp> {
    let lane = (0_u8..2, option::weighted(0.4, 0_u8..3));
    let place = (lane, -1_i8..=1, 0_u8..3, any::<bool>());
    let times = (option::weighted(0.3, span()), option::weighted(0.3, span()));
    let key = option::weighted(0.3, (0_u8..2, 0_u8..3));
    let policy = (0_u8..3, span(), 0_u8..3, option::weighted(0.3, span()), span());
    let spending = (spending(), 0_u8..5);
    (place, times, key, policy, spending).prop_map(|(place, times, key, policy, spending)| {
        SubmitOp {
            lane: place.0.0,
            lane_key: place.0.1,
            priority: place.1,
            required: place.2,
            tagged: place.3,
            delay: times.0,
            deadline: times.1,
            key,
            retries: policy.0,
            backoff: policy.1,
            reclaims: policy.2,
            timeout: policy.3,
            retention: policy.4,
            budgets: spending.0,
            estimate: spending.1,
        }
    })
}

/// Which budgets something draws on; often none.
pub(super) fn spending() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0), 2 => Just(1), 3 => Just(2), 1 => 0_u8..8]
}

/// Steps about budgets.
fn budget() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_u8..4, 0_u8..4, 0_u8..8)
            .prop_map(|(handle, amount, key)| Op::Report { handle, amount, key }),
        2 => (0_u8..3, 0_u8..10, prop::bool::weighted(0.3))
            .prop_map(|(budget, hard, reset)| Op::Adjust { budget, hard, reset }),
        // Whatever draws on the budget that fails does so when its turn comes.
        2 => Just(Op::Adjust { budget: 1, hard: 0, reset: false }),
        1 => Just(Op::Adjust { budget: 0, hard: 0, reset: false }),
    ]
}

/// How a lane is steered; most often back to what lets everything through.
fn steer() -> impl Strategy<Value = Op> {
    let limit = |part: f64| option::weighted(part, 1_u8..4);
    let of_lane = (limit(0.3), limit(0.2), option::weighted(0.1, 1_u8..6));
    let of_key = (limit(0.3), limit(0.2), prop::bool::weighted(0.3));
    let times = (option::weighted(0.3, span()), option::weighted(0.2, span()));
    let settings = (0_u8..2, of_lane, of_key, times).prop_map(
        |(lane, (leases, rate, queued), (key_leases, key_rate, weighs), times)| SteerOp {
            lane,
            state: None,
            leases,
            rate,
            key_leases,
            key_rate,
            ageing: times.0,
            queued,
            time_to_live: times.1,
            weighs,
        },
    );
    let free = |lane, state| SteerOp {
        lane,
        state,
        leases: None,
        rate: None,
        key_leases: None,
        key_rate: None,
        ageing: None,
        queued: None,
        time_to_live: None,
        weighs: false,
    };
    prop_oneof![
        4 => settings,
        2 => (0_u8..2).prop_map(move |lane| free(lane, None)),
        3 => (0_u8..2, prop_oneof![2 => Just(0_u8), 1 => 0_u8..3])
            .prop_map(move |(lane, state)| free(lane, Some(state))),
    ]
    .prop_map(Op::Steer)
}

/// Steps about schedules.
fn recur() -> impl Strategy<Value = Op> {
    let make = (0_u8..4, 0_u8..3, prop::bool::weighted(0.3), 0_u8..2);
    let make = make.prop_map(|(overlap, misfire, tagged, lane)| RecurOp::Make {
        overlap,
        misfire,
        tagged,
        lane,
    });
    prop_oneof![
        3 => make,
        2 => any::<u8>().prop_map(RecurOp::Pause),
        3 => any::<u8>().prop_map(RecurOp::Resume),
        2 => any::<u8>().prop_map(RecurOp::Backfill),
        1 => any::<u8>().prop_map(RecurOp::Delete),
    ]
    .prop_map(Op::Recur)
}

/// Spans that waits last; most often long enough for something to happen.
fn wait_span() -> impl Strategy<Value = u16> {
    prop_oneof![2 => span(), 3 => Just(20_000)]
}

fn suspend() -> impl Strategy<Value = SuspendOp> {
    let kinds = (prop::bool::weighted(0.4), prop::bool::weighted(0.2));
    let timeout = option::weighted(0.8, (wait_span(), prop_oneof![3 => 0_u8..3, 2 => Just(3)]));
    let expires = prop_oneof![span(), Just(u16::MAX)];
    (0_u8..3, 1_u8..8, kinds, 0_u8..6, timeout, expires, state()).prop_map(
        |(handle, keys, (pending, named), condition, timeout, expires, state)| SuspendOp {
            handle,
            keys,
            pending,
            named,
            condition,
            timeout,
            expires,
            state,
        },
    )
}

/// A state to save, or none.
fn state() -> impl Strategy<Value = Option<u8>> {
    option::weighted(0.3, 0_u8..3)
}

/// Steps about what outlives an attempt.
fn keep() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0_u8..4, state()).prop_map(|(handle, state)| Op::SaveState { handle, state }),
        4 => (0_u8..4, 0_u8..3, 0_u8..3)
            .prop_map(|(handle, name, result)| Op::RecordStep { handle, name, result }),
        3 => (0_u8..4).prop_map(Op::Steps),
        4 => (0_u8..4, 0_u8..8, 1_u8..4)
            .prop_map(|(handle, number, count)| Op::Append { handle, number, count }),
        2 => (0_u8..4, 0_u8..3, 0_u8..3)
            .prop_map(|(handle, version, byte)| Op::Summarize { handle, version, byte }),
        4 => follow(),
    ]
}

fn follow() -> impl Strategy<Value = Op> {
    let of = (option::weighted(0.4, 0_u8..3), option::weighted(0.5, 0_u8..6));
    (any::<u8>(), of, any::<bool>(), 1_u8..6).prop_map(
        |(which, (attempt, behind), backwards, limit)| Op::Follow {
            which,
            attempt,
            behind,
            backwards,
            limit,
        },
    )
}

fn signal() -> impl Strategy<Value = SignalOp> {
    let of = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    (any::<u8>(), of, option::weighted(0.3, 0_u8..3), option::weighted(0.3, 0_u8..2)).prop_map(
        |(waitpoint, (named, forged), key, principal)| SignalOp {
            waitpoint,
            named,
            key,
            principal,
            forged,
        },
    )
}

/// Steps about waits.
fn wait() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<u8>(), 0_u8..3, prop_oneof![span(), Just(u16::MAX)])
            .prop_map(|(handle, key, expires)| Op::CreateWaitpoint { handle, key, expires }),
        12 => suspend().prop_map(Op::Suspend),
        5 => any::<u8>().prop_map(Op::Observe),
        2 => (any::<u8>(), any::<u8>())
            .prop_map(|(handle, waitpoint)| Op::CloseWaitpoint { handle, waitpoint }),
        14 => signal().prop_map(Op::Signal),
        2 => Just(Op::SignalAgain),
        9 => any::<u8>().prop_map(Op::Withdraw),
        3 => any::<u8>().prop_map(Op::Resume),
        2 => (1_u8..5, option::of(any::<u8>()))
            .prop_map(|(limit, of)| Op::Waitpoints { limit, of }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let claim = (0_u8..2, 0_u8..4, 1_u8..4, any::<bool>(), 0_u8..2).prop_map(
        |(lane, offered, max_tasks, reclaims, instance)| Op::Claim {
            lane,
            offered,
            max_tasks,
            reclaims,
            instance,
        },
    );
    let reclaimable = (0_u8..2, 0_u8..4, 1_u8..3, any::<bool>()).prop_map(
        |(lane, offered, max_tokens, filtered)| Op::Reclaimable {
            lane,
            offered,
            max_tokens,
            filtered,
        },
    );
    let fail = (any::<u8>(), 0_u8..5, option::weighted(0.3, span()))
        .prop_map(|(handle, class, retry_after)| Op::Fail { handle, class, retry_after });
    prop_oneof![
        12 => submit().prop_map(Op::Submit),
        2 => any::<u8>().prop_map(Op::Resubmit),
        16 => claim,
        14 => reclaimable,
        6 => any::<u8>().prop_map(Op::TakeUp),
        4 => any::<u8>().prop_map(Op::Renew),
        2 => (any::<u8>(), 0_u8..=101).prop_map(|(handle, percent)| Op::Progress { handle, percent }),
        5 => (any::<u8>(), option::of(any::<u8>())).prop_map(|(handle, result)| Op::Complete { handle, result }),
        8 => fail,
        2 => any::<u8>().prop_map(Op::Cancel),
        5 => (any::<u8>(), span(), state())
            .prop_map(|(handle, ms, state)| Op::Delay { handle, ms, state }),
        4 => any::<u8>().prop_map(Op::CancelExecution),
        7 => any::<u8>().prop_map(Op::Hold),
        5 => any::<u8>().prop_map(Op::ReleaseHold),
        4 => any::<u8>().prop_map(Op::Revoke),
        4 => any::<u8>().prop_map(Op::Replay),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(which, set)| Op::Tag { which, set }),
        6 => Just(Op::Again),
        12 => (1_u8..6, prop::bool::weighted(0.2)).prop_map(|(limit, filtered)| Op::Tick { limit, filtered }),
        10 => span().prop_map(Op::Advance),
        1 => prop_oneof![Just(-3_600_000), Just(3_600_000), -2_000..2_000].prop_map(Op::Step),
        3 => any::<u8>().prop_map(Op::Read),
        64 => wait(),
        9 => keep(),
        68 => flow(),
        13 => budget(),
        4 => steer(),
        3 => recur(),
        2 => (1_u8..5, option::of(0_u8..11)).prop_map(|(limit, state)| Op::List { limit, state }),
    ]
}
