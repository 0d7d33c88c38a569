--- Gives a schedule other fields, when it is still of the version over which they were decided.
---
--- @arg schedule id
--- @arg request  bytes  16 bytes of request id
--- @arg version  int
--- @arg fields   bytes  names and values, packed, the next version among them; an empty value removes a field
--- @ok adjusted flag
--- @err SCHEDULE_NOT_FOUND SCHEDULE_VERSION BUDGET_NOT_FOUND
local clock = require("clock")
local operator = require("operator")
local planned = require("planned")
local reply = require("reply")
local schedule = require("schedule")

local OWN = { adjusted = true }

return function(partition, id, request, version, fields)
  local now = clock.now_ms(partition)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  elseif operator.done_by(s, request, OWN) then
    return reply.ok("0")
  elseif s.f.ve ~= version then
    return reply.err("SCHEDULE_VERSION")
  end
  planned.set(s, fields)
  local unknown = planned.unknown_budget(s)
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  operator.remember(s, request, "adjusted")
  schedule.save(s, now)
  return reply.ok("1")
end
