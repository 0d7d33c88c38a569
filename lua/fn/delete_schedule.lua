--- Removes a schedule, if it is there. Its executions stay.
---
--- @flags allow-oom
--- @arg schedule id
--- @ok deleted flag
local keys = require("keys")
local reply = require("reply")
local schedule = require("schedule")
local timers = require("timers")

return function(partition, id)
  local s = schedule.load(partition, id)
  if not s then
    return reply.ok("0")
  end
  timers.remove(s)
  redis.call("ZREM", keys.schedules(partition), id)
  redis.call("UNLINK", keys.schedule(partition, id))
  return reply.ok("1")
end
