//! Every bound of the system, in one place.
//!
//! Sizes are bytes unless the name says otherwise, durations are whole milliseconds. Each backend
//! enforces the same bounds and reports the bound and the actual size when one is exceeded.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

// Names

/// Longest namespace.
pub const NAMESPACE_MAX_BYTES: usize = 64;
/// Longest lane name.
pub const LANE_MAX_BYTES: usize = 64;
/// Longest task name.
pub const KIND_MAX_BYTES: usize = 128;
/// Longest idempotency key.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 256;
/// Most tags of one execution.
pub const TAGS_MAX: usize = 16;
/// Longest tag key.
pub const TAG_KEY_MAX_BYTES: usize = 64;
/// Longest tag value.
pub const TAG_VALUE_MAX_BYTES: usize = 256;

// Payloads and results

/// Longest content type of a payload.
pub const CONTENT_TYPE_MAX_BYTES: usize = 128;
/// Largest payload of one execution: 1 MiB.
pub const PAYLOAD_MAX_BYTES: usize = MIB;
/// Largest result of one execution: 1 MiB.
pub const RESULT_MAX_BYTES: usize = MIB;
/// Largest payload of one signal: 64 KiB.
pub const SIGNAL_PAYLOAD_MAX_BYTES: usize = 64 * KIB;

// Streams

/// Largest frame: 64 KiB.
pub const FRAME_MAX_BYTES: usize = 64 * KIB;
/// Longest frame type.
pub const FRAME_TYPE_MAX_BYTES: usize = 64;
/// Most frames of one append.
pub const FRAMES_PER_APPEND_MAX: usize = 256;
/// Most bytes of the frames of one append together: 256 KiB.
pub const FRAMES_PER_APPEND_MAX_BYTES: usize = 256 * KIB;
/// Most frames that the stream of an execution keeps; the oldest go first.
pub const FRAMES_KEPT_MAX: usize = 10_000;
/// Most bytes that it keeps, 8 MiB, each frame counted with [`FRAME_OVERHEAD_BYTES`].
pub const FRAMES_KEPT_MAX_BYTES: usize = 8 * MIB;
/// What a frame counts beyond its bytes.
pub const FRAME_OVERHEAD_BYTES: usize = 64;
/// Among how many of the latest frames of an attempt a repeated number is found.
pub const FRAMES_REMEMBERED: usize = 1_000;
/// Most bytes of frames in one page, unless the first has more: 1 MiB.
pub const FRAMES_PAGE_MAX_BYTES: usize = MIB;
/// Largest running summary: 64 KiB.
pub const SUMMARY_MAX_BYTES: usize = 64 * KIB;
/// Longest correlation id of a frame or a signal.
pub const CORRELATION_ID_MAX_BYTES: usize = 256;

// Submitting

/// Most submissions of one batch.
pub const SUBMIT_BATCH_MAX: usize = 1_000;
/// Lowest priority.
pub const PRIORITY_MIN: i8 = -100;
/// Highest priority.
pub const PRIORITY_MAX: i8 = 100;
/// How long an idempotency key is remembered unless the submission says otherwise: 24 h.
pub const IDEMPOTENCY_WINDOW_DEFAULT_MS: u64 = DAY_MS;
/// Longest time an idempotency key can be remembered: 366 days.
pub const IDEMPOTENCY_WINDOW_MAX_MS: u64 = 366 * DAY_MS;

// Claiming and leases

/// Most tasks of one claim.
pub const CLAIM_MAX_TASKS: u32 = 256;
/// Most capability tokens of a worker or a submission.
pub const CAPABILITIES_MAX: usize = 256;
/// Largest canonical text of a capability set, separators included: 4 KiB.
pub const CAPABILITIES_MAX_BYTES: usize = 4 * KIB;
/// Longest capability token.
pub const CAPABILITY_TOKEN_MAX_BYTES: usize = 64;
/// Shortest lease: 1 s.
pub const LEASE_TTL_MIN_MS: u64 = 1_000;
/// Longest lease: 1 h.
pub const LEASE_TTL_MAX_MS: u64 = HOUR_MS;
/// Lease unless the claim says otherwise: 30 s.
pub const LEASE_TTL_DEFAULT_MS: u64 = 30_000;
/// Most leases renewed by one call.
pub const RENEW_BATCH_MAX: usize = 1_000;
/// Longest blocking wait of one call: 1 min.
pub const MAX_WAIT_MAX_MS: u64 = MINUTE_MS;
/// How long a worker counts as one that offers its capabilities, from its latest claim or renewal on: 2 min.
pub const OFFER_LIVES_MS: u64 = 2 * MINUTE_MS;
/// An offer that is made again this soon counts as the one before: 10 s.
pub const OFFER_STEP_MS: u64 = 10_000;
/// Most offers of a lane that one partition looks at to explain why work waits: of more, some are not seen.
pub const OFFERS_EXAMINED_MAX: usize = 1_024;
/// How long an unused reclaim token holds its execution back: 5 s.
pub const RECLAIM_GRANT_TTL_MS: u64 = 5_000;
/// How many ended leases, and how many operator requests with an effect, an execution remembers, so
/// that a repeat of the calls that made them gives the first outcome again.
pub const REMEMBERED_CALLS_MAX: usize = 8;
/// Most expired executions one step of a claim sweeps aside before it lets other calls in.
pub const EXPIRED_SKIPPED_PER_CLAIM_MAX: u32 = 64;
/// Longest opaque part of a handle.
pub const HANDLE_MAX_BYTES: usize = 256;
/// Longest opaque part of a reclaim token.
pub const RECLAIM_TOKEN_MAX_BYTES: usize = 256;

// Policies

/// Retries unless the policy says otherwise.
pub const RETRIES_DEFAULT: u32 = 3;
/// Most retries a policy can ask for.
pub const RETRIES_MAX: u32 = 1_000;
/// First delay of the default back-off: 1 s.
pub const BACKOFF_BASE_DEFAULT_MS: u64 = 1_000;
/// Growth of the default back-off.
pub const BACKOFF_FACTOR_DEFAULT: u32 = 2;
/// Largest growth of a back-off.
pub const BACKOFF_FACTOR_MAX: u32 = 100;
/// Longest delay of the default back-off: 1 min.
pub const BACKOFF_CAP_DEFAULT_MS: u64 = MINUTE_MS;
/// Longest delay of any back-off: 30 days.
pub const BACKOFF_CAP_MAX_MS: u64 = 30 * DAY_MS;
/// Reclaims after a lost lease unless the policy says otherwise.
pub const RECLAIMS_DEFAULT: u32 = 10;
/// Most reclaims a policy can ask for.
pub const RECLAIMS_MAX: u32 = 1_000;
/// How long an ended execution is kept unless the policy says otherwise: 24 h.
pub const RETENTION_DEFAULT_MS: u64 = DAY_MS;
/// Longest time an ended execution can be kept: 366 days.
pub const RETENTION_MAX_MS: u64 = 366 * DAY_MS;
/// Shortest attempt timeout: 1 ms.
pub const ATTEMPT_TIMEOUT_MIN_MS: u64 = 1;
/// Longest attempt timeout: 30 days.
pub const ATTEMPT_TIMEOUT_MAX_MS: u64 = 30 * DAY_MS;

// Working

/// Longest failure message: 4 KiB.
pub const FAILURE_MESSAGE_MAX_BYTES: usize = 4 * KIB;
/// Largest failure detail: 64 KiB.
pub const FAILURE_DETAIL_MAX_BYTES: usize = 64 * KIB;
/// Longest reason given by an operator or a lease holder: 1 KiB.
pub const REASON_MAX_BYTES: usize = KIB;
/// Longest progress message: 1 KiB.
pub const PROGRESS_MESSAGE_MAX_BYTES: usize = KIB;
/// Progress of a finished attempt, in percent.
pub const PROGRESS_PERCENT_MAX: u8 = 100;
/// Most custom dimensions of one usage report.
pub const USAGE_CUSTOM_DIMENSIONS_MAX: usize = 16;
/// Longest name of a usage dimension.
pub const USAGE_DIMENSION_MAX_BYTES: usize = 64;
/// Longest key that makes a usage report or a signal count once.
pub const DEDUP_KEY_MAX_BYTES: usize = 256;

/// Most that one dimension of a report, an estimate or a limit can say: 2^53 - 1.
pub const USAGE_AMOUNT_MAX: u64 = (1 << 53) - 1;
/// Most dimensions that one execution reports in its life.
pub const USAGE_DIMENSIONS_MAX: usize = 32;
/// Most keys of reports that one execution remembers, the latest ones.
pub const USAGE_REPORTS_MAX: usize = 10_000;

// Lanes

/// Longest key of an execution in its lane.
pub const LANE_KEY_MAX_BYTES: usize = 64;
/// Most leases that a lane, or a key in it, may be allowed.
pub const LANE_CONCURRENCY_MAX: u32 = 1_000_000;
/// Most claims of a rate, and most that may come at once.
pub const LANE_RATE_MAX: u32 = 1_000_000;
/// Longest interval of a rate: 31 days.
pub const LANE_RATE_INTERVAL_MAX_MS: u64 = 31 * DAY_MS;
/// Most keys of a lane with a weight of their own.
pub const LANE_WEIGHTS_MAX: usize = 256;
/// Largest weight of a key.
pub const LANE_WEIGHT_MAX: u32 = 1_000;
/// Longest wait that counts as one step of priority: 31 days.
pub const LANE_AGEING_MAX_MS: u64 = 31 * DAY_MS;
/// Largest bound on the ready executions of a lane.
pub const LANE_QUEUED_MAX: u32 = 100_000_000;
/// Longest time to live of a lane: 366 days.
pub const LANE_TIME_TO_LIVE_MAX_MS: u64 = 366 * DAY_MS;
/// Most keys that one look at a lane puts back, and most workers that it wakes.
pub const LANE_MOVED_MAX: usize = 32;

// Budgets

/// Most budgets that one execution draws on.
pub const BUDGETS_PER_EXECUTION_MAX: usize = 4;
/// Most dimensions of one budget.
pub const BUDGET_DIMENSIONS_MAX: usize = 16;
/// Shortest window of a budget: 1 s.
pub const BUDGET_WINDOW_MIN_MS: u64 = 1_000;
/// Longest window of a budget: 366 days.
pub const BUDGET_WINDOW_MAX_MS: u64 = 366 * DAY_MS;
/// Most executions that one look at a budget lets go on or sets aside.
pub const BUDGET_MOVED_MAX: usize = 32;
/// After this time a budget is looked at again whose room those that were let go on have not taken:
/// 1 s.
pub const BUDGET_LOOK_AGAIN_MS: u64 = 1_000;
/// How often a budget is looked at whose line does not move: every minute.
pub const BUDGET_LINE_LOOK_MS: u64 = MINUTE_MS;
/// For how long a place apart from a budget keeps what it was granted and nobody uses, and does not tell what is used.
pub const BUDGET_SHARE_KEPT_MS: u64 = 1_000;

// Schedules

/// Longest cron expression.
pub const CRON_MAX_BYTES: usize = 256;
/// Longest name of a time zone.
pub const TIME_ZONE_MAX_BYTES: usize = 64;
/// Shortest interval of a schedule: 1 s.
pub const SCHEDULE_INTERVAL_MIN_MS: u64 = 1_000;
/// Longest interval of a schedule: 366 days.
pub const SCHEDULE_INTERVAL_MAX_MS: u64 = 366 * DAY_MS;
/// Most by which jitter puts an occurrence off: 24 h.
pub const SCHEDULE_JITTER_MAX_MS: u64 = DAY_MS;
/// How late an occurrence may be submitted before it counts as missed, unless the schedule says
/// otherwise: 1 min.
pub const SCHEDULE_GRACE_DEFAULT_MS: u64 = MINUTE_MS;
/// Most that a schedule may say of that: 366 days.
pub const SCHEDULE_GRACE_MAX_MS: u64 = 366 * DAY_MS;
/// Most missed occurrences that a schedule makes up for.
pub const SCHEDULE_CATCH_UP_MAX: u32 = 100;
/// Longest name that the id of a schedule follows from.
pub const SCHEDULE_NAME_MAX_BYTES: usize = 256;
/// Longest note of a schedule: 1 KiB.
pub const SCHEDULE_NOTE_MAX_BYTES: usize = KIB;
/// Most occurrences that one look at a schedule submits; the next look goes on.
pub const SCHEDULE_FIRED_MAX: usize = 100;
/// Most missed occurrences that one look at a schedule counts one by one; the next look goes on.
pub const SCHEDULE_COUNTED_MAX: usize = 1_000;
/// The latest occurrences that a schedule remembers.
pub const SCHEDULE_REMEMBERED_RUNS: usize = 10;
/// Most occurrences of one backfill.
pub const BACKFILL_MAX: u32 = 100;
/// After this time a schedule is looked at again whose occurrences the store had no room for: 1 s.
pub const SCHEDULE_RETRY_MS: u64 = 1_000;

// Waitpoints and signals

/// Longest key of a waitpoint, by which the code of a task names it.
pub const WAITPOINT_KEY_MAX_BYTES: usize = 64;
/// Shortest life of a waitpoint: 1 s.
pub const WAITPOINT_EXPIRES_MIN_MS: u64 = 1_000;
/// Longest life of a waitpoint: 366 days.
pub const WAITPOINT_EXPIRES_MAX_MS: u64 = 366 * DAY_MS;
/// Life of a waitpoint unless its maker says otherwise: 7 days.
pub const WAITPOINT_EXPIRES_DEFAULT_MS: u64 = 7 * DAY_MS;
/// Most open waitpoints of one execution, and most waitpoints of one suspend.
pub const WAITPOINTS_OPEN_MAX: usize = 64;
/// Most waitpoints one execution remembers, closed ones included; the oldest closed ones are
/// forgotten first.
pub const WAITPOINTS_REMEMBERED_MAX: usize = 64;
/// Longest matcher of a waitpoint.
pub const WAITPOINT_MATCHER_MAX_BYTES: usize = 256;
/// Longest key id of a waitpoint token.
pub const WAITPOINT_KID_MAX_BYTES: usize = 32;
/// Shortest secret that signs waitpoint tokens.
pub const WAITPOINT_SECRET_MIN_BYTES: usize = 32;
/// Longest secret that signs waitpoint tokens: 1 KiB.
pub const WAITPOINT_SECRET_MAX_BYTES: usize = KIB;
/// Most keys of one key ring, the newest included.
pub const WAITPOINT_RING_KEYS_MAX: usize = 8;
/// Most groups of the condition of one suspend.
pub const SUSPEND_GROUPS_MAX: usize = 16;
/// Most signals one waitpoint keeps.
pub const SIGNALS_PER_WAITPOINT_MAX: usize = 64;
/// Longest name of a signal.
pub const SIGNAL_NAME_MAX_BYTES: usize = 128;
/// Longest category of a signal.
pub const SIGNAL_CATEGORY_MAX_BYTES: usize = 64;
/// Longest name of the principal that sent a signal.
pub const PRINCIPAL_MAX_BYTES: usize = 256;

// State and steps

/// Largest state that an execution keeps for its next attempt: 64 KiB.
pub const STATE_MAX_BYTES: usize = 64 * KIB;
/// Longest name of a step.
pub const STEP_NAME_MAX_BYTES: usize = 128;
/// Largest result of one step: 256 KiB.
pub const STEP_RESULT_MAX_BYTES: usize = 256 * KIB;
/// Most steps of one execution.
pub const STEPS_MAX: usize = 256;
/// Largest results of all steps of one execution together: 4 MiB.
pub const STEP_RESULTS_MAX_BYTES: usize = 4 * MIB;

// Flows

/// Longest key of a node.
pub const NODE_KEY_MAX_BYTES: usize = 128;
/// Most nodes of one flow, extensions included.
pub const FLOW_NODES_MAX: usize = 10_000;
/// Most edges of one flow, extensions included.
pub const FLOW_EDGES_MAX: usize = 50_000;
/// Most nodes that exist already and that the edges of one extension touch.
pub const FLOW_EXTENSION_TOUCHED_MAX: usize = 128;
/// Most nodes of a flow that is stored in one step. A larger one is staged where nobody sees it, and
/// then sealed.
pub const FLOW_ONE_STEP_NODES_MAX: usize = 64;
/// Most edges of a flow that is stored in one step.
pub const FLOW_ONE_STEP_EDGES_MAX: usize = 1_024;
/// How long a flow that is staged and was not sealed is kept: 10 min.
pub const FLOW_STAGED_MS: u64 = 10 * MINUTE_MS;
/// Most child flows of one execution that are open at once.
pub const CHILD_FLOWS_OPEN_MAX: usize = 64;
/// How deep child flows may lie within each other.
pub const FLOW_DEPTH_MAX: u32 = 8;
/// Most results of parents that one page holds.
pub const UPSTREAM_PAGE_MAX: u32 = 256;
/// Most bytes of results of parents that one page holds, unless one result alone is larger: 4 MiB.
pub const UPSTREAM_PAGE_MAX_BYTES: usize = 4 * MIB;
/// Most open nodes that the description of a flow names as those it waits for.
pub const FLOW_CRITICAL_MAX: usize = 16;

// Reading and maintenance

/// Items of a listing unless the caller says otherwise.
pub const LIST_LIMIT_DEFAULT: u32 = 100;
/// Most items of one listing.
pub const LIST_LIMIT_MAX: u32 = 1_000;
/// Most records one listing looks at before it answers with a cursor.
pub const LIST_EXAMINED_MAX: usize = 10_000;
/// Most completions that a partition of the completion log keeps.
pub const COMPLETIONS_KEPT_MAX: usize = 100_000;
/// How long a completion is kept: 24 h.
pub const COMPLETIONS_KEPT_MS: u64 = DAY_MS;
/// Most partitions of a store.
pub const PARTITIONS_MAX: usize = 1_024;
/// Due items one tick handles unless the caller says otherwise.
pub const TICK_LIMIT_DEFAULT: u32 = 1_000;
/// Most due items of one tick.
pub const TICK_LIMIT_MAX: u32 = 10_000;
/// Most executions ahead in the queue that an explanation counts.
pub const EXPLAIN_AHEAD_MAX: u32 = 1_000;

// Backends and clocks

/// Longest name of a custom backend.
pub const BACKEND_TAG_MAX_BYTES: usize = 32;
/// Most distinct custom backend names one process learns.
pub const CUSTOM_BACKEND_TAGS_MAX: usize = 64;
/// Longest connection URL: 4 KiB.
pub const BACKEND_URL_MAX_BYTES: usize = 4 * KIB;
/// Last instant a timestamp reaches: the end of the year 9999, in Unix milliseconds.
pub const TIMESTAMP_MAX_MS: i64 = 253_402_300_799_999;
