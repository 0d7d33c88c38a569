--- What a function answers: a code, then values. `OK` is the one code of success.
local reply = {}

--- Every code of a refusal. Nothing else is answered.
reply.CODES = {
  "NOT_FOUND",
  "SUBMISSION_ID",
  "IDEMPOTENCY_KEY",
  "STALE_LEASE",
  "LEASE_EXPIRED",
  "LEASE_REVOKED",
  "CANCEL_REQUESTED",
  "ALREADY_TERMINAL",
  "ALREADY_RELEASED",
  "NOT_TERMINAL",
  "RECLAIM_TOKEN_VOID",
  "WAITPOINT_NOT_FOUND",
  "WAITPOINT_ID",
  "WAITPOINTS",
  "SIGNALS",
  "STEPS",
  "STEP_RESULTS",
  "FRAME_SEQ",
  "FLOW_NOT_FOUND",
  "FLOW_ID",
  "FLOW_REVISION",
  "FLOW_ENDED",
  "FLOW_CANCELLED",
  "FLOW_NOT_STAGED",
  "FLOW_BUSY",
  "FLOW_DEPTH",
  "CHILD_FLOWS",
  "NODE_STARTED",
  "DEPENDENCIES_UNMET",
  "BUDGET_NOT_FOUND",
  "BUDGET_ID",
  "BUDGET_DIMENSION",
  "SCHEDULE_NOT_FOUND",
  "SCHEDULE_ID",
  "SCHEDULE_VERSION",
  "USAGE_DIMENSIONS",
  "USAGE_SUM",
  "LANE_DRAINING",
  "LANE_FULL",
  "TAGS",
}

--- A success with these values.
function reply.ok(...)
  return { "OK", ... }
end

--- A refusal. Nothing has been written.
function reply.err(code, ...)
  return { code, ... }
end

return reply
