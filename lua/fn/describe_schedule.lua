--- Everything about a schedule.
---
--- @flags no-writes
--- @arg schedule id
--- @ok now     time
--- @ok fields  list
--- @err SCHEDULE_NOT_FOUND
local clock = require("clock")
local reply = require("reply")
local schedule = require("schedule")

return function(partition, id)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  end
  return reply.ok(clock.now_ms(partition), schedule.flat(s))
end
