//! The life of an execution, decided by pure functions.
//!
//! [`lifecycle`] is the table of states and verbs. Each other file holds one verb or one idea: it
//! takes a record, a request and the present, and answers what the record becomes, or why not. It
//! never stores, never waits and never reads a clock, so that a backend of any kind can load a
//! record, decide, and store the answer in one transaction.
//!
//! A backend keeps two indexes beside the records, and both follow from a record alone:
//! see [`Placement`]. For listings it may keep a third, of the waitpoints that are not closed.

mod budget;
mod cancel;
mod claim;
mod complete;
mod completion_log;
mod condition;
mod contradictions;
mod decision;
mod delay;
mod due;
mod explain;
mod fail;
mod fence_check;
mod flow;
mod frame_log;
mod hold;
pub mod lane;
pub mod lifecycle;
mod offers;
mod placement;
mod progress;
mod recent;
mod reclaim;
mod record;
mod renew;
mod replay;
mod resume;
mod retry;
mod revoke;
mod schedule;
mod signal;
mod state;
mod steps;
mod submit;
mod summary;
mod suspend;
mod tags;
mod waitpoint;
mod waits;

pub use budget::{
    BudgetRecord, BudgetTables, Look, Reported, Reports, adjust_budget, create_budget,
    held_reservation, look, moves_budgets, report_usage,
};
pub use cancel::{cancel, cancel_before, cancel_execution};
pub use claim::{Claimed, claim};
pub use complete::complete;
pub use completion_log::CompletionLog;
pub use contradictions::contradictions;
pub use decision::Decision;
pub use delay::delay;
pub use due::{DueEvent, due};
pub use explain::{explain, is_claimable};
pub use fail::fail;
pub use flow::{
    CancelledFlow, Dependencies, FlowDue, FlowMark, FlowRecord, FlowRun, FlowTables, JoinDecision,
    Link, Links, NewFlow, Node, Starter, SubmitFlowDecision, cancel_flow, execution_ended,
    extend_flow, extended_before, flow_contradictions, flow_due, flow_tick, member_reopened,
    submit_flow, wait_children,
};
pub use frame_log::{FrameLog, append_frames, stream_end};
pub use hold::{hold, release_hold};
pub use lane::{LaneRecord, LaneTables};
pub use offers::Offers;
pub use placement::{Placement, Queue, QueueOrder};
pub use progress::progress;
pub use recent::Recent;
pub use reclaim::{grant, take_up};
pub use record::{
    Attempt, EndedLease, Entry, ExecutionRecord, Lease, LeaseEnd, OperatorMark, OperatorOutcome,
    OutstandingGrant, Progress, ReleaseCall, RunState,
};
pub use renew::renew;
pub use replay::replay;
pub use resume::{observe_signals, resume_execution};
pub use retry::{JITTER_BITS, backoff_ms, jitter_for};
pub use revoke::revoke;
pub use schedule::{
    Backfill, Plan, ScheduleRecord, ScheduleTables, Timetable, adjust_schedule, backfill,
    backfill_into, changed_schedule, create_schedule, execution_before_ended, fire, first_due,
    made_schedule, plan,
};
pub use signal::deliver_signal;
pub use state::save_state;
pub use steps::{record_step, steps};
pub use submit::{KeyHolder, SubmitDecision, submit, takes_in};
pub use summary::update_summary;
pub use suspend::{Suspended, suspend};
pub use tags::{Retagged, set_tags};
pub use waitpoint::{close_waitpoint, create_waitpoint, withdraw_waitpoint};
pub use waits::{
    KeptSignal, Matcher, SatisfiedSuspend, SeenSignal, Suspension, TokenParts, WaitGroup,
    Waitpoint, Waits,
};
