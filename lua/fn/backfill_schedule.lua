--- Submits occurrences of a schedule whose executions are not there, until one is refused.
---
--- @arg schedule    id
--- @arg version     int
--- @arg occurrences text  `<time> <id>` in a row
--- @ok refused text  why one was refused, or empty
--- @err SCHEDULE_NOT_FOUND SCHEDULE_VERSION
local clock = require("clock")
local firing = require("firing")
local planned = require("planned")
local reply = require("reply")
local schedule = require("schedule")

return function(partition, id, version, occurrences)
  local now = clock.now_ms(partition)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  elseif s.f.ve ~= version then
    return reply.err("SCHEDULE_VERSION")
  end
  local looked, made = {}, 0
  local refused, ttl = firing.refusal(s, looked)
  firing.each(occurrences, function(at, execution)
    if not firing.is_there(s, execution) then
      made = made + 1
      if not refused then
        firing.store(s, at, execution, ttl, now, looked)
      end
    end
  end)
  if refused and made > 0 then
    return reply.ok(refused)
  elseif made > 0 then
    schedule.count(s, "backfilled", made)
    planned.next_version(s)
    schedule.save(s, now)
  end
  return reply.ok("")
end
