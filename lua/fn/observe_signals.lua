--- What ended the latest wait: how, and of each signal its order, head and body.
---
--- @flags no-writes
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @ok how     text  `s`, `t`, `u`, `o` and the reason, or empty
--- @ok of      text  keys of the waitpoints of that wait, joined by commas
--- @ok signals list
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local clock = require("clock")
local execution = require("execution")
local fence = require("fence")
local keys = require("keys")
local reply = require("reply")
local waits = require("waits")

return function(partition, id, attempt, epoch, lease_id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local refusal = fence.refused(r, fence.of(attempt, epoch, lease_id), clock.now_ms(partition))
  if refusal then
    return refusal
  end
  local resumed = waits.of(r).resumed
  if not resumed then
    return reply.ok("", "", {})
  end
  local found = {}
  for i, s in ipairs(resumed.signals) do
    local body = redis.call("HGET", keys.signals(partition, id), s.order)
    found[i] = { s.waitpoint, s.id, s.at, s.source, body }
  end
  return reply.ok(resumed.how, resumed.of, found)
end
