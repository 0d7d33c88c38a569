--- Handles what is due, the longest due first. When nothing was, it lets a waiting maintainer sleep.
---
--- @flags allow-oom
--- @arg most    int
--- @arg tag     text  only executions with this tag, or empty
--- @arg process text  that would sleep, or empty
--- @arg wait    int   how long at the most, ms
--- @ok now       time
--- @ok next_due  text  or empty
--- @ok delays    int
--- @ok leases    int
--- @ok timeouts  int
--- @ok expired   int
--- @ok grants    int
--- @ok removed   int
--- @ok waits      int
--- @ok waitpoints int
--- @ok repaired  int   lost wake-ups
local clock = require("clock")
local due = require("due")
local execution = require("execution")
local repair = require("repair")
local reply = require("reply")
local timers = require("timers")

return function(partition, most, tag, process, wait)
  local now = clock.now_ms(partition)
  clock.purge(partition, now)
  local counts = { delays = 0, leases = 0, timeouts = 0, expired = 0, grants = 0, removed = 0 }
  counts.waits, counts.waitpoints = 0, 0
  local handled, looked = 0, {}
  for _, id in ipairs(timers.due(partition, tag, now, most)) do
    local r = execution.open(partition, id)
    if r then
      r.looked = looked
    end
    local event = r and due.handle(r, now)
    if event then
      counts[event] = counts[event] + 1
      handled = handled + 1
    else
      timers.correct(partition, tag, id, r, now)
    end
  end
  local next_due = timers.next(partition, tag)
  if process ~= "" and handled == 0 and tonumber(most) > 0 then
    local latest = now + math.min(tonumber(wait), timers.HEARTBEAT_MS)
    timers.sleep(partition, process, tag, math.min(latest, tonumber(next_due or latest)), now)
  end
  local repaired = repair.wakeups(partition, now)
  local c = counts
  return reply.ok(
    now, next_due or "", c.delays, c.leases, c.timeouts, c.expired, c.grants, c.removed,
    c.waits, c.waitpoints, repaired)
end
