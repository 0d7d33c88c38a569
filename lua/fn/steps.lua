--- The recorded steps: name and stored text, one behind the other, in no order.
---
--- @flags no-writes
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @ok steps list
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local clock = require("clock")
local execution = require("execution")
local fence = require("fence")
local keys = require("keys")
local reply = require("reply")

return function(partition, id, attempt, epoch, lease_id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local refusal = fence.refused(r, fence.of(attempt, epoch, lease_id), clock.now_ms(partition))
  if refusal then
    return refusal
  end
  return reply.ok(r.f.sn and redis.call("HGETALL", keys.steps(partition, id)) or {})
end
