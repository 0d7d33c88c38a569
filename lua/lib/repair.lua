--- Finds wake-ups that were lost: work that stands in a queue while somebody who could take it
--- waits. One lane is looked at in a call, and a few of its queues, all chosen at random, so that the
--- cost does not grow.
local execution = require("execution")
local heads = require("heads")
local keys = require("keys")
local waiters = require("waiters")

local repair = {}

local QUEUES = 8
--- What has been ready for less is on its way to whoever was woken.
local LATE_MS = 1000

--- Wakes a waiter for what stands too long. Answers how many were woken.
function repair.wakeups(partition, now)
  local lane = redis.call("SRANDMEMBER", keys.waited_lanes(partition))
  if not lane then
    return 0
  end
  waiters.sweep(partition, lane)
  local repaired = 0
  for _, head in ipairs(heads.some(partition, lane, QUEUES)) do
    local r = execution.open(partition, head.id)
    local late = r and r.queue and now - tonumber(r.f.ra) > LATE_MS
    if late and waiters.wake(r, head.queue) then
      repaired = repaired + 1
    end
  end
  return repaired
end

return repair
