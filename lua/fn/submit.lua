--- Stores executions, each with an outcome of its own, in the order given.
---
--- An outcome is `new`, `existing <id>`, or a refusal of that one.
---
--- @each id          id
--- @each fingerprint text  of the submission
--- @each lane        text
--- @each class       text  required capabilities, canonical
--- @each priority    signed
--- @each kind        text
--- @each type        text  content type; empty for the default one
--- @each payload     bytes
--- @each tags        text  `<key> <value>` a line
--- @each policy      text  nine numbers
--- @each start       text  time before which it is not ready, or empty
--- @each deadline    text  or empty
--- @each budgets     text  32 digits each
--- @each estimate    text  see `amounts`
--- @each lane_key    text  or empty
--- @each key         text  idempotency key, or empty
--- @each window      int   of the key, ms
--- @each on_terminal text  existing, reuse or reject
--- @ok outcomes list
--- @item SUBMISSION_ID IDEMPOTENCY_KEY BUDGET_NOT_FOUND LANE_DRAINING LANE_FULL
local clock = require("clock")
local drawn = require("drawn")
local execution = require("execution")
local idempotency = require("idempotency")
local intake = require("intake")
local keys = require("keys")
local reply = require("reply")
local submission = require("submission")

local FIELDS = 18

local function store(partition, id, args, at, ttl, now, looked)
  local r = submission.record(partition, id, args, at, ttl, now)
  r.looked = looked
  execution.create(r, now)
  intake.stored(r, looked)
end

local function one(partition, args, at, now, looked)
  local id = args[at]
  local same = redis.call("HGET", keys.execution(partition, id), "p")
  if same then
    if string.sub(same, 1, #args[at + 1] + 1) == args[at + 1] .. " " then
      return reply.ok("new")
    end
    return reply.err("SUBMISSION_ID", id)
  end
  local key = args[at + 15] ~= "" and keys.idempotency(partition, args[at + 5], args[at + 15])
  local held = key and idempotency.check(partition, key, id, args[at + 17], now)
  if held then
    return held
  end
  local unknown = drawn.unknown(partition, args[at + 12])
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  local ttl, refused = intake.admits(partition, args[at + 2], looked)
  if refused then
    return refused
  elseif key then
    idempotency.take(partition, key, id, now, tonumber(args[at + 16]))
  end
  store(partition, id, args, at, ttl, now, looked)
  return reply.ok("new")
end

return function(partition, args)
  local now = clock.now_ms(partition)
  local outcomes, looked = {}, {}
  for at = 1, #args, FIELDS do
    outcomes[#outcomes + 1] = one(partition, args, at, now, looked)
  end
  return reply.ok(outcomes)
end
