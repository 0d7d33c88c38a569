--- Puts schedules off that cannot be looked at now, so that they do not hold up what is due behind them.
---
--- @flags allow-oom
--- @arg tag text   that the maintainer asks for, or empty
--- @arg ids bytes  of the schedules, packed
--- @arg ms  int    for how long
--- @ok now      time
--- @ok next_due text  or empty
local agenda = require("agenda")
local clock = require("clock")
local packed = require("packed")
local reply = require("reply")
local schedule = require("schedule")
local timers = require("timers")

return function(partition, tag, ids, ms)
  local now = clock.now_ms(partition)
  for _, id in ipairs(packed.read(ids)) do
    timers.postpone(partition, tag, schedule.due_name(id), now, tonumber(ms))
  end
  return reply.ok(now, agenda.next(partition, tag) or "")
end
